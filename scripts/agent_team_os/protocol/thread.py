"""The thread: the history of one conversation, derived from its messages alone."""

from __future__ import annotations

from . import message as messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .documents import Message, Thread

MAX_THREAD = 16 * 1_048_576
_STATUS = {"accept": "accepted", "response": "completed", "confirm": "completed", "decline": "declined"}
_CLOSED = frozenset(("completed", "declined"))


def start(message: Message) -> Thread:
    """An empty thread, opened by this message (which `add` then enters)."""
    return {
        "id": message["thread_id"],
        "subject": messages.summary(message)[:200] or message["intent"],
        "participants": [],
        "messages": [],
        "status": "open",
        "opened": message["ts"],
        "closed": None,
    }


def add(thread: Thread, message: Message) -> bool:
    """Enter a message once and move the status; False if it was there already.

    A response or confirm completes the thread, a decline ends it, an accept takes it on; anything else
    leaves an open thread as it is and opens a closed one again.
    """
    if any(entry["id"] == message["id"] for entry in thread["messages"]):
        return False
    thread["messages"].append(
        {
            "id": message["id"],
            "from": message["from"],
            "to": message["to"],
            "type": message["type"],
            "intent": message["intent"],
            "ts": message["ts"],
        }
    )
    thread["participants"] = sorted({*thread["participants"], message["from"], message["to"]})
    status = _STATUS.get(message["type"], "open" if thread["status"] in _CLOSED else thread["status"])
    thread["status"] = status
    thread["closed"] = message["ts"] if status in _CLOSED else None
    return True
