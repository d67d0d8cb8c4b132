"""msg setup, verify, device: what asks a person."""

from __future__ import annotations

import os
import sys

import click

from ..post import keys, me, notice, page, people
from ..post import setup as post_setup
from ..protocol import agentmap, show
from ..protocol.errors import NotVerified, StoreFailed, Usage
from ..storage import home as homes
from . import output
from .mailbox import AS_JSON as _AS_JSON
from .mailbox import Here

_YES = click.option("--yes", is_flag=True, help="Answer every question with its default, and yes.")


@click.command("setup")
@click.option("--address", metavar="A", help="Your address; default: what git commits with.")
@click.option("--name", metavar="N", help="What others write to; default: what stands before the @.")
@click.option("--store", "url", metavar="URL", help="A shared folder, or a URL like s3://bucket/prefix.")
@_YES
@_AS_JSON
def setup(address: str | None, name: str | None, url: str | None, yes: bool, as_json: bool) -> None:
    """Set up mail between people: who you are, and which storage all of you share.

    Asks at most three questions. Can be called again, to change an answer or to try the storage.
    """
    from ..post import seal, store

    here = Here(as_json, set_up=False)
    seal.require()
    store.require()
    before = me.known(os.environ) or {}
    ask = _Ask(yes, here.as_json)
    address = me.check_address(
        address or ask("Your address", before.get("address") or post_setup.address_from_git(), "--address")
    )
    known = before.get("name") or post_setup.name_from(address)
    given = name or ask("Your name, for others to write to", known, "--name")
    name = me.check_name(given)
    asked = url or ask("Storage (a shared folder, or s3://bucket/prefix)", me.store(here.map), "--store")
    url = store.check_url(asked)
    made = post_setup.make_store(url)
    mine = post_setup.identify(os.environ, address, name)
    findings, error = post_setup.try_store(os.environ, mine, url)
    if not findings:  # the map goes on naming a store that works
        post_setup.settle(here.home, url)
        error = error or post_setup.publish(here.home, os.environ, url)
    fingerprint = post_setup.fingerprint(mine)
    if here.as_json:
        output.emit({
            "uid": mine.uid, "address": mine.address, "name": mine.name, "store": url, "made": made,
            "fingerprint": fingerprint, "findings": findings, "error": error or None,
        })  # fmt: skip
    else:
        output.say(f"You are {mine.address}; others write to {mine.name}.")
        output.say(f"Fingerprint of your key: {fingerprint}")
        if not url.startswith("file:"):  # whose folders have owners and need no rules
            output.say(f"Your id, for the access rules of the storage: {mine.uid}")
        output.say(f"Your keys: {show.one_line(agentmap.short(me.folder(os.environ)))} (keep a copy in a safe place)")
    if findings:
        words = " ".join(findings)
        raise StoreFailed(f"the storage {url} cannot be used. {words}", "Choose another one: ato msg setup --store URL")
    if not here.as_json:
        output.say(f"Storage: {show.one_line(url)}{' (made just now)' if made else ''}")
    if error:
        output.note(f"The storage was not reached: {show.one_line(error, 400)}\nThe next sync tries again.")
    elif not here.as_json:
        output.say(f"Next: {here.ato} msg users, then {here.ato} msg NAME TEXT")


class _Ask:
    """Questions for a person; where none is at a terminal the defaults count, and only --yes is a yes."""

    def __init__(self, yes: bool, as_json: bool = False) -> None:
        self.yes = yes
        self.silent = yes or as_json or sys.stdin is None or not sys.stdin.isatty()

    def __call__(self, question: str, default: str, option: str) -> str:
        if not self.silent:
            return str(click.prompt(question, default=default or None, err=True))
        if not default:
            raise Usage(f"{option} is missing", f"Give it, as in: ato msg setup {option} …")
        return default

    def agree(self, question: str, told: str = "") -> None:
        """NotVerified without a yes; who is asked is `told` first what it is about."""
        if self.yes:
            return
        if self.silent:
            raise NotVerified("nobody is here to compare and to agree", "Call it at a terminal, or give --yes.")
        if told:
            output.note(told)
        if not click.confirm(question, err=True):
            raise NotVerified("nothing was changed", "Ask again when you have compared.")


@click.command()
@click.argument("who", metavar="USER")
@click.option("--fingerprint", metavar="F", help="The fingerprint they told you; needed where two claim one address.")
@_YES
@_AS_JSON
def verify(who: str, fingerprint: str | None, yes: bool, as_json: bool) -> None:
    """Say that a key is a person's own.

    Compare the fingerprint with what they see in `msg setup` or `msg users`, on the telephone or face to face.
    """
    from ..post import directory as entries

    here = Here(as_json)
    directory = people.load(here.home)
    uid = people.find(directory, who, here.me["uid"])
    claims = [uid, *people.rivals(directory, uid)]
    prints = {one: entries.fingerprint(directory[one]) for one in claims}
    if fingerprint is not None:
        wanted = "".join(fingerprint.lower().split())
        claims = [one for one in claims if prints[one].replace(" ", "") == wanted]
        if not claims:
            raise NotVerified("that is not the fingerprint of their key", "Do not write to them before you know why.")
    if len(claims) > 1:
        listed = "; ".join(f"{prints[one]} (since {page.minute(directory[one]['first_seen'])})" for one in claims)
        raise NotVerified(f"{len(claims)} people claim {directory[uid]['entry']['address']}: {listed}",
                          "Ask the right one, then: ato msg verify USER --fingerprint F")  # fmt: skip
    (uid,) = claims
    entry = directory[uid]["entry"]
    if fingerprint is None:
        _Ask(yes).agree(f"Does {entry['name']} say the same?", f"{entry['address']} has the key {prints[uid]}")
    entries.verify(here.home, uid, prints[uid])
    document = {"uid": uid, "address": entry["address"], "fingerprint": prints[uid], "verified": True}
    if here.as_json:
        output.emit(document)
    else:
        output.say(f"Verified {entry['address']} ({prints[uid]}).")
    notice.refresh(here.home, os.environ, pause=0.0)  # what was held for this comes now


@click.group()
def device() -> None:
    """Use a second machine as the same person."""


@device.command()
@click.option("--address", metavar="A", help="Your address, as on the other device.")
@click.option("--store", "url", metavar="URL", help="The storage, as on the other device.")
@_YES
@_AS_JSON
def add(address: str | None, url: str | None, yes: bool, as_json: bool) -> None:
    """Begin, and then complete, on the new device."""
    from ..post import device as devices
    from ..post import seal, store

    here = Here(as_json, set_up=False)
    seal.require()
    store.require()
    devices.check_new(os.environ)
    ask = _Ask(yes, here.as_json)
    address = me.check_address(address or ask("Your address", post_setup.address_from_git(), "--address"))
    asked = url or ask("Storage (a shared folder, or s3://bucket/prefix)", me.store(here.map), "--store")
    url = store.check_url(asked)
    homes.make(here.home)
    homes.make_map(here.home)
    homes.change_map(here.home, lambda document: document.setdefault("org", {}).update(store=url))
    recipient = keys.begin_device(os.environ)
    found = devices.find(here.home, os.environ, url, address)
    if found is None:
        document = {"recipient": recipient, "address": address, "complete": False}
        lines = ["On the device that is set up already, call:", f"  ato msg device accept {recipient}",
                 "Then call this here once more."]  # fmt: skip
    else:
        mark = seal.fingerprint(found["verify_key"])
        output.note(f"{found['address']} has the key {mark}")
        ask.agree("Is that the fingerprint your other device shows in `msg setup`?")
        devices.adopt(here.home, os.environ, found)
        notice.refresh(here.home, os.environ, pause=0.0)
        document = {"recipient": recipient, "address": address, "complete": True, "fingerprint": mark}
        lines = [f"This device is {found['address']} now. What was sent before stays on the other one."]
    if here.as_json:
        output.emit(document)
    else:
        output.say("\n".join(lines))


@device.command()
@click.argument("recipient")
@_YES
@_AS_JSON
def accept(recipient: str, yes: bool, as_json: bool) -> None:
    """Let a new device read and write as you; call this on the one that is set up."""
    from ..post import device as devices

    here = Here(as_json)
    _Ask(yes).agree(f"Let the device {show.one_line(recipient, 80)} read your mail and write in your name?")
    devices.accept(here.home, os.environ, here.url, recipient)
    if here.as_json:
        output.emit({"recipient": recipient})
    else:
        output.say("Accepted. On the new device call once more: ato msg device add")
