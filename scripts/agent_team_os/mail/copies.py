"""Copies: what the hubs are told when an agent of one domain writes to an agent of another.

A copy is a message of its own, a `cc-notify` whose `cc_of` is the original's id. It says who wrote to whom, and
about what in one line; it is no part of the thread. All or nothing holds for the original with its copies:

    copies' spool files durable  ->  original's line  ->  each copy's line  ->  link into the hub's inbox
                                     `-- commit of all --'

The sender holds the spool files of original and copies to the end, and nobody else writes the original's line or
takes it back. So whoever gets hold of a copy's spool file finds that line either there for good, and the copy was
sent with it, or missing for good, and it was not. Recovery needs to know no more than that: it may meet the files
in any order, in several processes, and the original's may be gone.

No copy delays or fails the send it belongs to: what goes wrong with one is a warning.
"""

from __future__ import annotations

import contextlib
import os

from ..protocol import agentmap, ids, strictjson
from ..protocol import home as layout
from ..protocol import message as messages
from ..protocol.errors import BusError
from ..storage import files, journal, lock, spool
from . import outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional

    from ..protocol.documents import AgentMap, Message

    Spooled = tuple[Message, spool.Entry]

TYPE = "cc-notify"
WAIT = 0.2  # seconds a send waits for a hub's inbox; the next command delivers without it
_LONGEST = 200  # characters of the summary, so that a copy never carries a payload of one line


def is_copy(message: Message) -> bool:
    """Whether a message tells of another one."""
    return bool(message.get("cc_of"))


def of(document: AgentMap, message: Message) -> tuple[list[Message], list[str]]:
    """The copies a checked message makes, and a warning for each hub that is no agent; a copy makes none."""
    if message["type"] == TYPE or is_copy(message):
        return [], []
    hubs, known = agentmap.hubs_between(document, message["from"], message["to"]), agentmap.agents(document)
    unknown = [
        f"{hub}, a hub, is no agent of AGENT_MAP.json and gets no copy; name another, or in its folder: ato join {hub}"
        for hub in hubs
        if hub not in known
    ]
    return [tell(hub, message) for hub in hubs if hub in known], unknown


def tell(hub: str, message: Message, **more: str) -> Message:
    """The copy that tells a hub of a message; `more` is said in its payload, too."""
    payload = {
        "from": message["from"],
        "to": message["to"],
        "type": message["type"],
        "intent": message["intent"],
        "priority": message.get("priority", "normal"),
        "summary": messages.summary(message)[:_LONGEST],
        **more,
    }
    about = {"type": TYPE, "priority": "low", "thread_id": message["thread_id"], "cc_of": message["id"]}
    return messages.build(message["from"], hub, TYPE, payload, **about)


def put_in_spool(home: str, copies: Sequence[Message], held: contextlib.ExitStack) -> tuple[list[Spooled], list[str]]:
    """Before the original's line: make the copies durable, to be let go with `held`. Warns of each that cannot be."""
    spooled: list[Spooled] = []
    warnings = []
    for copy in copies:
        try:
            entry = spool.begin(home, copy["id"])
            held.callback(entry.close)
            try:
                entry.write(strictjson.readable(copy))  # type: ignore[arg-type]  # a TypedDict is a dict
            except OSError:
                with contextlib.suppress(OSError):
                    entry.drop()
                raise
        except (OSError, BusError) as error:
            warnings.append(f"{copy['to']} gets no copy: it could not be written ({_why(error)})")
        else:
            spooled.append((copy, entry))
    return spooled, warnings


def take_back(spooled: Sequence[Spooled]) -> None:
    """Instead of the original's line: nothing is sent. What cannot be removed has no original, and is rolled back."""
    for _, entry in spooled:
        with contextlib.suppress(OSError):
            entry.drop()


def deliver(home: str, spooled: Sequence[Spooled]) -> list[str]:
    """After the original's line: send each copy. Warns of each that is left to the next command."""
    warnings = []
    for copy, entry in spooled:
        try:
            _log(home, copy)  # first, and not taken back: the audit log has it whatever the inbox says
            box = layout.box(home, copy["to"])
            files.make_folder(box)
            with lock.recipient(home, copy["to"], WAIT):
                files.publish(entry.path, layout.pending(home, copy["to"], None, copy["id"]))
            files.sync_folder(box)
            entry.drop()
        except (OSError, BusError) as error:
            warnings.append(f"the copy for {copy['to']}, {copy['id']}, is left to the next command ({_why(error)})")
    return warnings


def _log(home: str, copy: Message) -> None:
    log = journal.Journal(layout.outbox(home, ids.day_of(copy["id"])))
    line = [strictjson.compact(copy)]
    try:
        log.append(line)
    except OSError:
        log.undo(line)
        raise
    finally:
        log.close()


def with_original(home: str, entry: spool.Entry) -> Optional[tuple[Message, Message]]:
    """The copy in a spool file, and its original, which was sent; None for anything else. OSError: cannot be read."""
    try:
        copy = messages.parse(entry.read(messages.MAX_MESSAGE), os.path.basename(entry.path)[:-5])
    except messages.NotAMessage:  # not written to its end: its original's line was to come after that
        return None
    told = copy.get("cc_of")
    original = outbox.find(home, told) if told else None
    return None if original is None else (copy, original)


def roll_forward(home: str, entry: spool.Entry) -> Optional[Message]:
    """The copy a killed sender owes, with its line now in the outbox; None if it owes none."""
    found = with_original(home, entry)
    if found is None:
        return None
    copy, original = found
    journal.sync(layout.outbox(home, ids.day_of(original["id"])))  # first, for it may be another day's file
    _log(home, copy)
    return copy


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        path = error.filename2 or error.filename
        return f"{path}: {error.strerror}" if path else error.strerror or str(error)
    return str(error)
