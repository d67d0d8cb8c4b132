"""msg setup, verify, device: what takes a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from ..post import keys, me, notice, page, people
from ..post import setup as post_setup
from ..protocol import agentmap, show
from ..protocol.errors import BusError, InvalidLetter, NotVerified, StoreFailed, Usage
from ..storage import home as homes
from . import gate, output
from .mailbox import AS_JSON as _AS_JSON
from .mailbox import Here

# A store that was there, one that was made, and one that was made and lacks something for others.
_STORE = (
    "Store: {}",
    "Store: {} (made just now)",
    'Store: {} (made just now; only you can write there: see "A shared folder" in docs/people.md)',
)
_YES = click.option("--yes", is_flag=True, help="Answer every question with its default.")


@click.command("setup", short_help="Say who you are and where mail is kept.")
@click.option("--address", metavar="A", help="Your address; default: what git commits with.")
@click.option("--name", metavar="N", help="What others write to; default: what stands before the @.")
@click.option("--store", "url", metavar="URL", help="A shared folder, or a URL like s3://bucket/prefix.")
@_YES
@_AS_JSON
def setup(address: str | None, name: str | None, url: str | None, yes: bool, as_json: bool) -> None:
    """Set up mail between people: who you are, and which store all of you share.

    Asks at most three questions, and whether an address that another key has is yours. Can be called again, to change
    an answer or to try the store; not in a session.
    """
    from ..post import seal, store

    here = Here(as_json, set_up=False)
    gate.check("msg setup", "msg", "setup", *_options(address=address, name=name, store=url))
    seal.require()
    store.require()
    before = me.known(os.environ) or {}
    if not before and me.begun(os.environ)[0]:
        me.check_known(os.environ)  # which says how to go on
    ask = _Ask(yes, here.as_json)
    default = before.get("address") or post_setup.address_from_git()
    address = ask("Your address", default, "--address", me.check_address, address)
    default = before.get("name") or post_setup.name_from(address)
    name = ask("Your name, for others to write to", default, "--name", me.check_name, name)
    known = me.store(here.map)
    url = ask("Store (a shared folder, or s3://bucket/prefix)", known, "--store", store.check_url, url)
    # A folder that was a store and is none any more is away, and not to be made anew.
    made = url != known and post_setup.make_store(url)
    if before and (address, name, url) != (before["address"], before["name"], known or url):
        gate.check("msg change", "msg", "setup", *_options(address=address, name=name, store=url))
    rival = error = ""
    try:
        rival = post_setup.rival(here.home, os.environ, url, address)
    except StoreFailed as failed:  # the keys can be made all the same
        error = failed.words()
    if rival:  # before there is a key here, which would be in the way of another device's
        words = "{} is in the directory already, with the key {}\nOn a second device, call instead: ato msg device add"
        output.note(words, address, rival)
        gate.check("msg claim", "msg", "setup", *_options(address=address, name=name, store=url))
        output.note("Is that key yours and lost? This device's takes its place, and others have to verify it.")
        gate.retype(rival)
    mine = post_setup.identify(os.environ, address, name)
    findings, error = ([], error) if error else post_setup.try_store(os.environ, mine, url)
    # The map goes on naming a store that works.
    unfit = " ".join(findings) or (error if known not in ("", url) else "")
    if not unfit:
        post_setup.settle(here.home, url)
    if not unfit and not error:
        error = post_setup.publish(here.home, os.environ, url, claim=bool(rival))
    fingerprint = post_setup.fingerprint(mine)
    if here.as_json:
        output.emit({
            "uid": mine.uid, "address": mine.address, "name": mine.name, "store": url, "made": made,
            "fingerprint": fingerprint, "findings": findings, "error": error or None,
        })  # fmt: skip
    else:
        output.say("You are {}; others write to {}.", mine.address, mine.name)
        output.own(f"Fingerprint of your key: {fingerprint}")
        if not url.startswith("file:"):  # whose folders have owners and need no rules
            output.say("Your id, for the access rules of the store: {}", mine.uid)
        output.say("Your keys: {} (keep a copy in a safe place)", agentmap.short(me.folder(os.environ)))
    if unfit:
        raise StoreFailed(f"the store {url} cannot be used. {unfit}", "Choose another one: ato msg setup --store URL")
    if not here.as_json:
        output.say(_STORE[0 if not made else 2 if post_setup.is_private(url) else 1], url)
    if error:
        output.note("The store cannot be used yet: {}. The next sync tries again.", show.one_line(error, 400))
    elif not here.as_json:
        output.say("Next: {} msg users, then {} msg NAME TEXT", here.ato, here.ato)


def _options(**given: str | None) -> list[str]:
    """The options that were given, as words of a call."""
    return [word for name, value in given.items() if value is not None for word in (f"--{name}", value)]


class _Ask:
    """Questions for a person; with --yes, and where nobody is at a terminal, the defaults count."""

    def __init__(self, yes: bool, as_json: bool = False) -> None:
        self.silent = yes or as_json or sys.stdin is None or not sys.stdin.isatty()

    def __call__(self, question: str, default: str, option: str, check: Callable[[str], str], given: str | None) -> str:
        """An answer that was checked: the one given as an option, else what a person says, else the default."""
        if given is None and not self.silent:

            def good(answer: str) -> str:
                try:
                    return check(answer)
                except BusError as error:  # and the question is asked again
                    raise click.BadParameter(f"{error.message}. {error.hint}") from None

            return str(click.prompt(question, default=default or None, err=True, value_proc=good))
        if given is None and not default:
            verb = click.get_current_context().command_path
            raise Usage(f"{option} is missing", f"Give it, as in: {verb} {option} …")
        return check(default if given is None else given)


@click.command()
@click.argument("who", metavar="NAME")
@click.option("--fingerprint", metavar="F", help="The fingerprint they told you; needed where two claim one address.")
@_AS_JSON
def verify(who: str, fingerprint: str | None, as_json: bool) -> None:
    """Say that a key is a person's own.

    Compare the fingerprint with what they see in `msg setup` or `msg users`, on the telephone or face to face, and type
    its last group. Takes a person at a terminal outside of sessions.
    """
    from ..post import directory as entries

    here = Here(as_json)
    gate.check("msg verify", "msg", "verify", who, *_options(fingerprint=fingerprint))
    directory = people.load(here.home)
    uid = people.find(directory, who, here.me["uid"])
    if uid == here.me["uid"]:
        raise InvalidLetter(f"{here.me['address']} is you", "See who else there is: ato msg users")
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
                          "Ask the right one, then: ato msg verify NAME --fingerprint F")  # fmt: skip
    (uid,) = claims
    entry = entries.last(directory[uid])["entry"]  # with another key there may come another address
    output.note("{}, {}, has the key {}\nDo they say the same?", entry["name"], entry["address"], prints[uid])
    gate.retype(prints[uid])
    verified = entries.verify(here.home, uid, prints[uid], entry["address"])["verified"]
    if not verified:
        before = directory[uid]["entry"]["address"]
        raise NotVerified(
            f"the key is theirs, and their address was {before} and is {entry['address']} now",
            f"If that is right, call once more: ato msg verify {entry['address']}",
        )
    document = {"uid": uid, "address": entry["address"], "fingerprint": prints[uid], "verified": True}
    if here.as_json:
        output.emit(document)
    else:
        output.say("Verified {} ({}).", entry["address"], prints[uid])
    notice.refresh(here.home, os.environ, pause=0.0)  # what was held for this comes now


@click.group(short_help="Use a second machine as the same person.")
@_AS_JSON
@click.pass_context
def device(context: click.Context, as_json: bool) -> None:
    """Use a second machine as the same person.

    On the new machine: msg device add. On the other one: msg device accept, with the key it shows. Then on the new
    one once more: msg device add.
    """
    context.obj = as_json or bool(context.obj)


@device.command(short_help="Begin, and then complete, on the new device.")
@click.option("--address", metavar="A", help="Your address, as on the other device.")
@click.option("--store", "url", metavar="URL", help="The store, as on the other device.")
@click.option(
    "--fingerprint", metavar="F", help="The fingerprint the other device shows; needed where two claim this one."
)
@_YES
@_AS_JSON
def add(address: str | None, url: str | None, fingerprint: str | None, yes: bool, as_json: bool) -> None:
    """Begin, and then complete, on the new device.

    Completing takes a person at a terminal outside of sessions, who types the last group of the other device's key.
    """
    from ..post import device as devices
    from ..post import seal, store

    here = Here(as_json, set_up=False)
    call = ["msg", "device", "add", *_options(address=address, store=url, fingerprint=fingerprint)]
    gate.check("msg setup", *call)
    seal.require()
    store.require()
    devices.check_new(os.environ)
    ask = _Ask(yes, here.as_json)
    begun = me.begun(os.environ)
    if begun[0]:  # what was said the first time
        address, url = address or begun[0], url or begun[1]
    address = ask("Your address", post_setup.address_from_git(), "--address", me.check_address, address)
    known = me.store(here.map)
    url = ask("Store (a shared folder, or s3://bucket/prefix)", known, "--store", store.check_url, url)
    store.open_store(url, os.environ)
    homes.make(here.home)
    homes.make_map(here.home)
    homes.change_map(here.home, lambda document: document.setdefault("org", {}).update(store=url))
    recipient = keys.begin_device(os.environ, address, url)
    left = [one for one in devices.find(here.home, os.environ, url, address) if _is_meant(one, fingerprint)]
    if len(left) > 1:
        claims = "; ".join(seal.fingerprint(one["verify_key"]) for one in left)
        raise NotVerified(f"more than one person wants this device as theirs: {claims}",
                          "Call it again with the one your other device shows: --fingerprint F")  # fmt: skip
    if not left:
        document = {"recipient": recipient, "address": address, "complete": False}
        lines = ["On the device that is set up already, call:", f"  ato msg device accept {recipient}",
                 "Then here once more: ato msg device add"]  # fmt: skip
    else:
        (found,) = left
        gate.check("msg device add", *call)
        mark = seal.fingerprint(found["verify_key"])
        output.note("{} has the key {}\nDoes your other device show the same in msg setup?", found["address"], mark)
        gate.retype(mark)
        devices.adopt(here.home, os.environ, found)
        notice.refresh(here.home, os.environ, pause=0.0)
        document = {"recipient": recipient, "address": address, "complete": True, "fingerprint": mark}
        lines = [f"This device is {found['address']} now. What was sent before stays on the other one."]
    if here.as_json:
        output.emit(document)
    else:
        output.own("\n".join(lines))


def _is_meant(found: Mapping[str, Any], fingerprint: str | None) -> bool:
    """Whether what was left for this device is of the person with this fingerprint, if one is given."""
    from ..post import seal

    return fingerprint is None or _plain(fingerprint) == _plain(seal.fingerprint(found["verify_key"]))


def _plain(fingerprint: str) -> str:
    return "".join(fingerprint.lower().split())


@device.command(short_help="Accept a new device, on the one set up.")
@click.argument("recipient", metavar="KEY")
@_AS_JSON
def accept(recipient: str, as_json: bool) -> None:
    """Let a new device read and write as you; call this on the one that is set up.

    KEY is what the new device shows. Takes a person at a terminal outside of sessions, who types its last group.
    """
    from ..post import device as devices

    here = Here(as_json)
    gate.check("msg device accept", "msg", "device", "accept", recipient)
    devices.check_key(recipient)
    output.note("The new device has the key {}\nLet it read your mail and write in your name?", recipient)
    gate.retype(recipient)
    devices.accept(here.home, os.environ, here.url, recipient)
    if here.as_json:
        output.emit({"recipient": recipient})
    else:
        output.say("Accepted. On the new device once more: ato msg device add")
