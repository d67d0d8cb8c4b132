"""Stop: where drain is on, a turn may not end while mail is unhandled."""

from __future__ import annotations

import zlib

from ..mail import known
from ..protocol import agentmap
from ..protocol.message import PRIORITIES
from . import announce

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from ..mail.known import Pending
    from .call import Call

SHOWN = 10


def run(call: Call) -> Optional[dict[str, Any]]:
    """The decision to go on with what is unhandled, a few times for one set of messages; None to let it end.

    Without an id of the session nothing could be counted, and it is let go.
    """
    drain = agentmap.drain_of(call.map, call.agent)
    if not drain["enabled"] or not call.session_id:
        call.beat("idle")
        return None
    pending = announce.pending(call)
    mail = unhandled(call, drain, pending)
    blocked = _count(call, mail) if mail else 0
    if not mail or blocked >= drain["max_blocks"]:
        call.beat("idle")
        return None
    call.beat("active")
    call.memory["blocked"] = [_name(mail), blocked + 1]
    call.announce({item.id for item in mail[:SHOWN]}, {item.id for item in pending})
    return {"decision": "block", "reason": _reason(call, mail, blocked + 1, drain["max_blocks"])}


def unhandled(call: Call, drain: dict[str, Any], pending: list[Pending]) -> list[Pending]:
    """The mail the drain is about, urgent first: never a copy, nothing below the priority that counts."""
    least = PRIORITIES.index(drain["min_priority"])
    counted = PRIORITIES[: least + 1]
    mail = pending
    if drain["scope"] == "owed":
        from ..mail import owed

        mail = known.urgent_first(mail + owed.requests(call.home, call.agent, call.slug))
    return [item for item in mail if item.kind in counted]


def _name(mail: list[Pending]) -> int:
    """A number for this set of messages: with one handled, or one new, it is another."""
    return zlib.crc32(" ".join(sorted(item.id for item in mail)).encode())


def _count(call: Call, mail: list[Pending]) -> int:
    """How often this very set has blocked already."""
    blocked = call.memory.get("blocked")
    if isinstance(blocked, list) and len(blocked) == 2 and blocked[0] == _name(mail) and isinstance(blocked[1], int):
        return blocked[1]
    return 0


def _reason(call: Call, mail: list[Pending], number: int, most: int) -> str:
    """What is unhandled and how to handle it."""
    what = "1 message is unhandled" if len(mail) == 1 else f"{len(mail)} messages are unhandled"
    helper = f'"{call.helper}"'
    text = [
        f"{what} (block {number} of {most}). Read each: {helper} read ID. Act on it, or answer it: "
        f"{helper} reply ID response --body - with the answer on stdin (accept, decline or question instead of "
        "response where that is the answer). Then stop again.",
        *announce.framed(mail[:SHOWN]),
    ]
    if len(mail) > SHOWN:
        text.append(f"{len(mail) - SHOWN} more: {helper} inbox")
    return "\n".join(text)
