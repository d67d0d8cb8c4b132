"""msg: mail between people. `msg NAME TEXT` is `msg send NAME TEXT`; every other verb stands by its name."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from ..post import box, letter, me, notice, page, people, reading, spool
from ..protocol import credentials, show
from ..protocol.errors import (
    CannotWrite,
    InvalidLetter,
    LockBusy,
    NothingToRead,
    SecretFound,
    StoreFailed,
    UnknownPerson,
    Usage,
)
from ..storage import lock
from . import output
from .mailbox import AS_JSON as _AS_JSON
from .mailbox import Here
from .progress import Bar

_RECENT = 20  # letters that were read, and letters that were sent, in a list
_MOST_INPUT = 1_048_576  # bytes read from stdin
_NEXT = "@people-next"  # the lock of the sync that waits for its turn
_TURN = 60.0  # seconds it waits
_PATIENCE = 30.0  # seconds that `msg sync` waits for syncs in the background, each of which may be at a slow store


_ELSEWHERE = ("setup", "verify", "device")  # in `msg_setup`


class _Verbs(click.Group):
    """The verbs of msg; where none is named, the first word is somebody's name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs."""
        return [*self.commands, *_ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb; what sets things up is imported when it is called."""
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        from . import msg_setup

        command: click.Command = getattr(msg_setup, cmd_name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The verb that was asked for, else `send`."""
        if args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            args = ["send", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=_Verbs)
@_AS_JSON
@click.pass_context
def msg(context: click.Context, as_json: bool) -> None:
    """Send notes and files to people, and read theirs.

    Write to somebody: msg NAME TEXT --attach FILE. It is encrypted for the two of you and goes through the
    organisation's own storage; once: msg setup.
    """
    context.obj = as_json


@msg.command()
@click.argument("to", metavar="NAME")
@click.argument("words", metavar="TEXT", nargs=-1)
@click.option("--attach", multiple=True, metavar="FILE", help="Send a file along, at most 10 MiB; repeat for each.")
@click.option("--allow-secret", is_flag=True, help="Send although the text looks like it holds a credential.")
@_AS_JSON
def send(to: str, words: tuple[str, ...], attach: tuple[str, ...], allow_secret: bool, as_json: bool) -> None:
    """Send a message to a person.

    NAME is a name, or a whole address; see msg users. TEXT is one argument, in quotes; with - it is read from stdin.
    It is kept here and goes out in the background: nothing waits for the network.
    """
    here = Here(as_json)
    text = _text(here, to, words, attach)
    directory, uid = _recipient(here, to)
    people.check_trusted(directory, uid)
    found = None if allow_secret else credentials.find(text)
    if found:
        raise SecretFound(f"the text holds what looks like {found}", "Take it out; --allow-secret sends it anyway.")
    document = spool.add(here.home, here.me["uid"], uid, text, attach)
    first = people.meet(here.home, uid, document["sent_at"])
    address = people.address_of(directory, uid)
    try:
        if here.as_json:
            output.emit({**document, "address": address, "first": first})
        else:
            output.say(page.sent(address, document["attachments"]))
        output.flush()
    except CannotWrite as error:  # the status says what became of the letter
        output.note(f"ato: {error.message}, but the message is kept and goes out.")
    if first and not directory[uid]["verified"]:
        _first(here, directory, uid)
    notice.refresh(here.home, os.environ, pause=0.0)


def _recipient(here: Here, to: str) -> tuple[people.Directory, str]:
    """Who is meant; the store is asked only for a name that is not known here."""
    directory = people.load(here.home)
    try:
        uid = people.find(directory, to, here.me["uid"])
    except UnknownPerson:
        if _several(to):
            raise Usage(f'"{to[:80]}" is more than one name', _TWO) from None
        fault = _ask_store(here)
        directory = people.load(here.home)
        try:
            uid = people.find(directory, to, here.me["uid"])
        except UnknownPerson as error:
            if fault:
                raise UnknownPerson(error.message, f"Somebody new may be there: {fault}") from None
            raise
    if uid == here.me["uid"]:
        raise InvalidLetter(f"{here.me['address']} is you", "See who else there is: ato msg users")
    return directory, uid


def _ask_store(here: Here) -> str:
    """A short sync before it is said that something is not there; why that cannot be known, empty if it can."""
    try:
        return here.sync(notice.BUDGET, notice.BUDGET)["error"] or ""
    except LockBusy:
        return "another sync is still at work"


_TWO = "A message is between two people: send it to each of them."


def _several(text: str) -> bool:
    return any(sign in text for sign in ",; ")


def _text(here: Here, to: str, words: tuple[str, ...], attach: tuple[str, ...]) -> str:
    if len(words) > 1:
        directory = people.load(here.home)
        for word in words[:-1]:
            try:
                people.find(directory, word, here.me["uid"])
            except UnknownPerson:
                continue
            raise Usage(f'"{word[:80]}" would be a second recipient', _TWO)
        raise Usage(f'"{words[1][:80]}" is one argument too many', 'Put the text in quotes: ato msg NAME "TEXT"')
    text = words[0] if words else ""
    if text == "-":
        data = (sys.stdin.buffer.read(_MOST_INPUT) if sys.stdin is not None else b"").rstrip(b"\n")
        _check_size(len(data))
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidLetter("the text on stdin is not UTF-8", "Attach it as a file: --attach FILE") from None
    try:
        _check_size(len(text.encode("utf-8")))
    except UnicodeEncodeError:
        raise InvalidLetter("the text is not UTF-8", "Attach it as a file: --attach FILE") from None
    if not text.strip() and not attach:
        import difflib

        near = [] if words else difflib.get_close_matches(to, me.VERBS, 1)
        hint = f"Did you mean: ato msg {near[0]}" if near else 'Write: ato msg NAME "TEXT"'
        raise InvalidLetter(f'there is nothing to send to "{to[:80]}"', hint)
    return text


def _check_size(size: int) -> None:
    if size > letter.MAX_TEXT:
        more = f"more than {size - 1}" if size >= _MOST_INPUT else str(size)
        what = f"the text has {more} bytes; at most {letter.MAX_TEXT} go"
        raise InvalidLetter(what, "Attach it as a file: --attach FILE")


def _first(here: Here, directory: people.Directory, uid: str) -> None:
    """A first contact: the key is trusted from now on, and can be compared."""
    from ..post import directory as entries

    entry = directory[uid]["entry"]
    output.note(
        f"This is your first message with {entry['address']}. The fingerprint of their key: "
        f"{entries.fingerprint(directory[uid])}\nTo be sure, compare it with {entry['name']}, then: "
        f"{here.ato} msg verify {entry['name']}"
    )


@msg.command("list")
@click.option("--all", "every", is_flag=True, help="All messages, not only the unread and the last ones read.")
@_AS_JSON
def list_(every: bool, as_json: bool) -> None:
    """List the messages that have come, the newest first."""
    from ..post import sync

    here = Here(as_json)
    index = box.Index(here.home)
    ordered = index.ordered()[::-1]
    read = [letter_id for letter_id in ordered if letter_id in index.read]
    left_out = set() if every else set(read[_RECENT:])
    listed = [
        document
        for letter_id in ordered
        if letter_id not in left_out and (document := index.open(letter_id)) is not None
    ]
    directory = people.load(here.home)
    unread = len(ordered) - len(read)
    if here.as_json:
        output.emit({"unread": unread, "count": len(ordered), "letters": [_out(one, directory) for one in listed]})
    else:
        synced = page.last_sync(sync.last(here.home, here.url))
        output.show_page(page.inbox(listed, unread, len(ordered), directory, here.ato, output.bold, synced))
    notice.refresh(here.home, os.environ)


def _out(document: Mapping[str, Any], directory: people.Directory) -> dict[str, Any]:
    """A letter as --json prints it: without its signature, with the address of its sender."""
    kept = {key: value for key, value in document.items() if key not in ("kind", "version", "signature", "to", "saved")}
    return {**kept, "address": people.address_of(directory, document["from"])}


@msg.command()
@click.argument("which", metavar="[N|ID]", required=False)
@click.option("--save", metavar="DIR", help="Save what is attached into DIR instead of ~/.claude/shared/inbox.")
@_AS_JSON
def read(which: str | None, save: str | None, as_json: bool) -> None:
    """Show the unread messages, or one of them, and save what is attached."""
    from ..post import files

    here = Here(as_json)
    try:
        index, readings = reading.open_letters(here.home, which)
    except NothingToRead as nothing:  # before that is said, the store is asked
        fault = _ask_store(here)
        if fault:
            raise NothingToRead(nothing.message, f"There may be more: {fault}") from None
        index, readings = reading.open_letters(here.home, which)
    with Bar(here.as_json) as bar:
        reading.fetch(here.home, os.environ, here.url, readings, bar)
    directory = people.load(here.home)
    folder = files.inbox(os.environ) if save is None else os.path.abspath(save)
    for one in readings:
        one.save(folder, save is not None)
    if here.as_json:
        output.emit({"letters": [_read_out(one, directory) for one in readings]})
    else:
        shown = [
            page.letter(one.document, people.address_of(directory, one.document["from"]), one.saved, one.faults)
            for one in readings
        ]
        output.show_page(page.letters(shown, []))
    output.flush()  # only what was shown is read
    for one in readings:
        uid = one.document["from"]
        if people.meet(here.home, uid, show.timestamp()) and not directory[uid]["verified"]:
            _first(here, directory, uid)
        if not one.done():
            again = f"{here.ato} msg read {one.document['number']}"
            output.note(f"Not everything could be saved, so this stays unread. Try again: {again}")
    box.count(here.home, index)
    notice.refresh(here.home, os.environ, pause=0.0)  # with the receipts


def _read_out(one: reading.Reading, directory: people.Directory) -> dict[str, Any]:
    numbers = range(len(one.document["attachments"]))
    attachments = [
        {**one.document["attachments"][number], "saved": one.saved.get(number), "fault": one.faults.get(number)}
        for number in numbers
    ]
    return {**_out(one.document, directory), "attachments": attachments}


@msg.command()
@_AS_JSON
def users(as_json: bool) -> None:
    """List the people there are, with the fingerprints of their keys."""
    from ..post import directory as entries

    here = Here(as_json)
    directory = people.load(here.home)
    prints = {uid: entries.fingerprint(about) for uid, about in directory.items()}
    document = {
        "people": [
            {
                "uid": uid, "address": about["entry"]["address"], "name": about["entry"]["name"],
                "fingerprint": prints[uid], "devices": len(about["entry"]["recipients"]),
                "verified": about["verified"], "waits": people.waits(directory, uid) or None,
                "you": uid == here.me["uid"],
            }
            for uid, about in sorted(directory.items(), key=lambda one: one[1]["entry"]["address"])
        ]
    }  # fmt: skip
    here.say(document, page.users(directory, here.me["uid"], prints, here.ato))
    notice.refresh(here.home, os.environ)


@msg.command()
@_AS_JSON
def outbox(as_json: bool) -> None:
    """List what waits to go out and why, and what was sent lately."""
    from ..post import sync

    here = Here(as_json)
    directory = people.load(here.home)
    why, last = sync.explain(here.home, here.url), sync.last(here.home, here.url)
    waiting = [
        {**document, "address": people.address_of(directory, document["to"]), "why": why.get(document["id"]) or last[1]}
        for document in spool.waiting(here.home)
    ]
    went = spool.Sent(here.home)
    sent = []
    for letter_id in sorted(went.to, reverse=True)[:_RECENT]:
        document = went.open(letter_id)
        if document is not None:
            document.pop("signature", None)
            sent.append({**document, "address": people.address_of(directory, document["to"])})
    damaged = [os.path.join(spool.folder(here.home), letter_id) for letter_id in spool.damaged(here.home)]
    document = {"waiting": waiting, "damaged": damaged, "sent": sent, "synced_at": last[0], "error": last[1]}
    here.say(document, page.outbox(waiting, damaged, sent, last, here.ato))


@msg.command()
@click.option("--once", is_flag=True, help="For the background: at most 5 s of work, and one sync at most that waits.")
@_AS_JSON
def sync(once: bool, as_json: bool) -> None:
    """Send what waits and fetch what is new."""
    here = Here(as_json)
    if once:
        _wait_for_turn(here)
    with Bar(here.as_json or once) as bar:
        result = here.sync(notice.BUDGET if once else None, 0.0 if once else _PATIENCE, bar)
    notice.set_up(here.home)
    here.say(result, page.synced(result, here.ato))
    for warning in result["warnings"]:
        output.note(show.one_line(warning, 300))
    if result["error"]:
        raise StoreFailed(result["error"], "What waits stays in the spool and goes out with a later sync.")


def _wait_for_turn(here: Here) -> None:
    """Behind the sync that is at work: it may have looked already for what waits, and what came since is in ours.

    LockBusy if another one waits already. It looks when it has given up the lock of those who wait, so it sees all
    that we would.
    """
    with lock.guard(here.home, _NEXT, 0.0), lock.guard(here.home, "@people-sync", _TURN):
        pass
