"""Where a message is, told from what lies on the disk."""

from __future__ import annotations

import os

from ..protocol import home as layout
from ..protocol import ids, show
from ..protocol.errors import UnknownMessage
from ..storage import files
from . import copies, inbox, outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Optional

    from ..protocol.documents import Message


def trace(home: str, given: str) -> dict[str, Any]:
    """`{id, state, events: [{what, at, path}]}` of a message, by its id or a unique prefix of it.

    States: `spooled` (a send that has not finished), `pending`, `read`, `quarantined`, `replied`, and `gone`
    when only the outbox still knows it. UnknownMessage if no file does.
    """
    about: Optional[Iterable[Message]]
    message_id, about = (given, None) if ids.is_message(given) else _complete(home, given)
    events: list[dict[str, Any]] = []
    state = ""
    spooled = os.path.join(layout.spool(home), message_id + ".json")
    if os.path.lexists(spooled):
        events.append({"what": "spooled", "at": _changed(spooled), "path": spooled})
        state = "spooled"
    sent = outbox.find(home, message_id)
    if sent is not None:
        log = layout.outbox(home, ids.day_of(message_id))
        what = f"sent by {sent['from']} to {ids.session_name(sent['to'], sent.get('to_slug')) or sent['to']}"
        if copies.is_copy(sent):
            what += f" as a copy of {sent.get('cc_of')}"
        events.append({"what": what, "at": sent["ts"], "path": log})
        state = state or "gone"
    for agent in sorted(files.names(os.path.join(home, "inboxes"))):
        path = inbox.find(home, agent, message_id) if ids.is_agent(agent) else None
        if path is not None:
            folder = os.path.basename(os.path.dirname(path))
            state = {layout.READ: "read", layout.DONE: "read", layout.QUARANTINE: "quarantined"}.get(folder, "pending")
            # A rename changes the file's ctime and nothing else: it is when the message got here.
            events.append({"what": f"{state} in the inbox of {agent}", "at": _moved(path), "path": path})
    if not events:
        raise UnknownMessage(f"nobody has seen {message_id}", "See: ato inbox --all")
    if about is None:
        later = {day for day in outbox.days(home) if day >= ids.day_of(message_id)}
        about = outbox.mentioning(home, message_id, later)
    for other in about if about and sent else ():
        log = layout.outbox(home, ids.day_of(other["id"]))
        if other.get("in_reply_to") == message_id:
            what = f"answered by {other['from']} with {other['type']} {other['id']}"
            events.append({"what": what, "at": other["ts"], "path": log})
            state = "replied"
        elif other.get("cc_of") == message_id:
            events.append({"what": f"copied to {other['to']} as {other['id']}", "at": other["ts"], "path": log})
    return {"id": message_id, "state": state, "events": events}


def _complete(home: str, given: str) -> tuple[str, Optional[list[Message]]]:
    """The one message id that answers to what was given: what is pending first, then what was ever sent, then all.

    With it what the outbox has about it, where that was read.
    """
    agents = [agent for agent in files.names(os.path.join(home, "inboxes")) if ids.is_agent(agent)]
    boxes = [box for agent in agents for box in inbox.boxes(home, agent)]
    found = {name[:-5] for box in boxes for name in inbox.names(box) if ids.matches(name[:-5], given)}
    about: Optional[list[Message]] = None
    if not found and len(given) >= 4:
        # With what stands before the random part of any id: a longer text is found faster.
        about = list(outbox.mentioning(home, given if given.startswith("msg-") else "Z-" + given))
        found = {message["id"] for message in about if ids.matches(message["id"], given)}
    for agent in agents if not found else ():
        found.update(inbox.candidates(home, agent, given, aside=True))
    if len(found) == 1:
        return found.pop(), about
    what = f"fits {len(found)} messages: {', '.join(sorted(found)[:5])}" if found else "is no message here"
    raise UnknownMessage(f'"{given[:80]}" {what}', "Give the whole id.")


def _changed(path: str) -> Optional[str]:
    try:
        return show.timestamp(os.lstat(path).st_mtime)
    except OSError:
        return None


def _moved(path: str) -> Optional[str]:
    try:
        return show.timestamp(os.lstat(path).st_ctime)
    except OSError:
        return None
