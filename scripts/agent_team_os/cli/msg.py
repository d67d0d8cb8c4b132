"""msg: mail between people. `msg NAME TEXT` is `msg send NAME TEXT`; every other verb stands by its name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from ..post import box, notice, page, people, reading, spool
from ..protocol import show
from ..protocol.errors import NothingToRead, StoreFailed
from . import output
from .mailbox import AS_JSON as _AS_JSON
from .mailbox import Here
from .progress import Bar

_RECENT = 20  # letters that were read, and letters that were sent, in a list
_PATIENCE = 30.0  # seconds that `msg sync` waits for syncs in the background, each of which may be at a slow store
_ELSEWHERE = {"send": "msg_send", "setup": "msg_setup", "verify": "msg_setup", "device": "msg_setup"}


class _Verbs(click.Group):
    """The verbs of msg; where none is named, the first word is somebody's name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order a person meets them."""
        return ["send", *self.commands, "setup", "verify", "device"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb; one of another module is imported when it is called."""
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        from importlib import import_module

        command: click.Command = getattr(import_module(f"{__package__}.{_ELSEWHERE[cmd_name]}"), cmd_name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The verb that was asked for, else `send`; `help` prints the help."""
        if args[0] == "help":
            click.echo(ctx.get_help())
            ctx.exit()
        if args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            args = ["send", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=_Verbs)
@_AS_JSON
@click.pass_context
def msg(context: click.Context, as_json: bool) -> None:
    """Send notes and files to people, and read theirs.

    Write to somebody: msg NAME TEXT --attach FILE. It is encrypted for the two of you and goes through the
    organisation's own store; once: msg setup.
    """
    context.obj = as_json


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
    left_out = ("kind", "version", "signature", "to", "saved", "name")
    kept = {key: value for key, value in document.items() if key not in left_out}
    return {**kept, "address": people.label(directory, document, "from")}


@msg.command(short_help="Show unread messages and save their files.")
@click.argument("which", metavar="[N|ID]", required=False)
@click.option("--save", metavar="DIR", help="Save what is attached into DIR instead of ~/.claude/shared/inbox.")
@_AS_JSON
def read(which: str | None, save: str | None, as_json: bool) -> None:
    """Show the unread messages, or one of them, and save what is attached."""
    from ..post import attached

    here = Here(as_json)
    try:
        index, readings = reading.open_letters(here.home, which)
    except NothingToRead as nothing:  # before that is said, the store is asked
        fault = here.ask_store()
        if fault:
            raise NothingToRead(nothing.message, f"The store could not be asked: {fault}") from None
        index, readings = reading.open_letters(here.home, which)
    with Bar(here.as_json) as bar:
        reading.fetch(here.home, os.environ, here.url, readings, bar)
    directory = people.load(here.home)
    folder = attached.inbox(os.environ) if save is None else os.path.abspath(save)
    for one in readings:
        one.save(folder, save is not None)
    if here.as_json:
        output.emit({"letters": [_read_out(one, directory) for one in readings]})
    else:
        shown = [
            page.letter(one.document, people.label(directory, one.document, "from"), one.saved, one.faults)
            for one in readings
        ]
        output.show_page(page.letters(shown, []))
    output.flush()  # only what was shown is read
    for one in readings:
        uid = one.document["from"]
        about = directory.get(uid)
        if people.meet(here.home, uid, show.timestamp()) and about is not None and not about["verified"]:
            here.introduce(directory, uid)
        if not one.done():
            words = "Not everything could be saved, so this stays unread. Try again: {} msg read {}"
            output.note(words, here.ato, one.document["number"])
    box.count(here.home, index)
    left = len(index.unread()) - sum(one.comes_later for one in readings)  # of which that was said
    if which is None and left > 0:
        output.note("{} more unread. See them: {} msg list", left, here.ato)
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
            sent.append({**document, "address": people.label(directory, document, "to")})
    damaged = [os.path.join(spool.folder(here.home), letter_id) for letter_id in spool.damaged(here.home)]
    document = {"waiting": waiting, "damaged": damaged, "sent": sent, "synced_at": last[0], "error": last[1]}
    here.say(document, page.outbox(waiting, damaged, sent, last, here.ato))


@msg.command()
@click.option("--once", is_flag=True, help="For the background: at most 5 s of work, and one sync at most that waits.")
@_AS_JSON
def sync(once: bool, as_json: bool) -> None:
    """Send what waits and fetch what is new."""
    from ..post import sync as post_sync

    here = Here(as_json)
    if once:
        post_sync.wait_for_turn(here.home)
    with Bar(here.as_json or once) as bar:
        result = here.sync(notice.BUDGET if once else None, 0.0 if once else _PATIENCE, bar, shown=not once)
    notice.set_up(here.home)
    here.say(result, page.synced(result, people.load(here.home), here.ato))
    output.warn(show.one_line(warning, 300) for warning in result["warnings"])
    if result["error"]:
        raise StoreFailed(result["error"], "What waits stays in the spool and goes out with a later sync.")
