"""inbox, read, thread, trace."""

from __future__ import annotations

from typing import Any

import click

from .. import text
from ..mail import inbox as inboxes
from ..protocol import ids
from ..storage import quarantine
from . import here, output

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_STATUSES = ("open", "accepted", "completed", "declined")


@click.command()
@click.option("--all", "every", is_flag=True, help="The mail of all sessions of this agent.")
@_AS_JSON
def inbox(every: bool, as_json: bool) -> None:
    """List the pending messages.

    Urgent ones come first, then the oldest.
    """
    bus = here.open_bus()
    letters = bus.inbox(every)
    aside = sum(len(quarantine.held(box)) for box in inboxes.boxes(bus.home, bus.agent))
    name = ids.session_name(bus.agent, bus.who.slug) or bus.agent
    if as_json:
        pending = [message for message, _ in letters]
        output.emit(
            {"agent": bus.agent, "session": name, "count": len(pending), "pending": pending, "quarantined": aside}
        )
        return
    output.show_page(text.inbox(bus.agent if every else name, letters, ato=output.program(), bold=output.bold))
    if aside == 1:
        output.note("1 file that is no valid message was set aside. See: ato doctor")
    elif aside:
        output.note("{} files that are no valid messages were set aside. See: ato doctor", aside)


@click.command()
@click.argument("message", metavar="[ID]", required=False)
@click.option("--peek", is_flag=True, help="Leave it in the inbox.")
@click.option("--save", metavar="DIR", help="Take the attachments out into DIR, never overwriting.")
@_AS_JSON
def read(message: str | None, peek: bool, save: str | None, as_json: bool) -> None:
    """Show a message, or the next, and archive it.

    ID may be a prefix, or the last part of an id.
    """
    bus = here.open_bus()
    with bus.reading(message, peek) as letter:
        saved = bus.save(letter["message"], save) if save else []
        if as_json:
            document: dict[str, Any] = {**letter["message"], "archived": letter["archived"]}
            if save:
                document["saved"] = saved
            output.emit(document)
        else:
            output.show_page(text.letter(bus.home, letter, saved, output.program()))
            if save and not saved:
                output.note("Nothing is attached to it.")
        output.flush()  # only what was shown is archived


@click.command()
@click.argument("thread_id", metavar="[ID]", required=False)
@click.option("--status", type=click.Choice(_STATUSES), help="Only threads with this status.")
@_AS_JSON
def thread(thread_id: str | None, status: str | None, as_json: bool) -> None:
    """Show thread ID, or list the recent threads."""
    bus = here.open_bus()
    if thread_id:
        document = bus.thread(thread_id)
        output.emit(document) if as_json else output.show_page(text.thread(document, bus.who.agent, output.program()))
        return
    found = bus.recent_threads(status)
    output.emit({"threads": found}) if as_json else output.show_page(text.threads(found, output.program()))


@click.command()
@click.argument("message", metavar="ID")
@_AS_JSON
def trace(message: str, as_json: bool) -> None:
    """Say where a message is.

    And what has happened to it, with times.
    """
    from ..mail import tracing

    bus = here.open_bus()
    found = tracing.trace(bus.home, message)
    output.emit(found) if as_json else output.show_page(text.trace(found))
