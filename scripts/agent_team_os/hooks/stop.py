"""Stop: where drain is on, a turn may not end while mail is unhandled."""

from __future__ import annotations

import zlib

from ..mail import known
from ..protocol import agentmap
from ..protocol import home as layout
from ..protocol.message import PRIORITIES
from . import announce

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from ..mail.known import Mail
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
    call.memory["blocked"] = [_fingerprint(mail), blocked + 1]
    try:
        call.keep()  # before the word itself: a count that cannot be kept would block for ever
    except OSError:
        call.beat("idle")
        return None
    call.beat("active")
    shown = known.first(mail, SHOWN, newest=False)
    call.announce(shown, pending)
    return {"decision": "block", "reason": _reason(call, len(mail), shown, blocked + 1, int(drain["max_blocks"]))}


def unhandled(call: Call, drain: dict[str, Any], pending: Mail) -> Mail:
    """The mail the drain is about: never a copy, nothing below the priority that counts."""
    least = PRIORITIES.index(drain["min_priority"])
    counted = PRIORITIES[: least + 1]
    mail = pending
    if drain["scope"] == "owed":
        from ..mail import owed

        mail = {**owed.requests(call.home, call.agent, call.slug), **mail}
    return {message_id: kind for message_id, kind in mail.items() if kind in counted}


def _fingerprint(mail: Mail) -> int:
    """A number for this set of messages: with one handled, or one new, it is another."""
    return zlib.crc32(" ".join(sorted(mail)).encode())


def _count(call: Call, mail: Mail) -> int:
    """How often this very set has blocked already."""
    blocked = call.memory.get("blocked")
    if not isinstance(blocked, list) or len(blocked) != 2:
        return 0
    fingerprint, count = blocked
    return max(0, count) if fingerprint == _fingerprint(mail) and isinstance(count, int) else 0


def _reason(call: Call, number: int, shown: list[str], block: int, most: int) -> str:
    """How many are unhandled, the first of them, and how to handle them."""
    what = "1 message is unhandled" if number == 1 else f"{number} messages are unhandled"
    helper = f'"{layout.launcher()}"'
    text = [
        f"{what} (block {block} of {most}). Read each: {helper} read ID. Act on it, or answer it: "
        f"{helper} reply ID response --body - with the answer on stdin (accept, decline or question instead of "
        "response where that is the answer). Then stop again.",
        *announce.framed(announce.opened(call, shown)),
    ]
    if number > len(shown):
        text.append(f"{number - len(shown)} more: {helper} inbox")
    return "\n".join(text)
