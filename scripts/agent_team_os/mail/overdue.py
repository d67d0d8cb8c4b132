"""What is late: answers that were due, and work past its budget; and the one word to a hub that an answer is missing.

A message counts as answered, begun and done by what its recipient has written behind it in its thread.
"""

from __future__ import annotations

import os
import time

from ..protocol import home as layout
from ..protocol import ids, show
from ..protocol import message as messages
from ..protocol.errors import BusError
from ..storage import files, lock
from . import copies, delivery, due, halt, inbox, outbox, owed, threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Optional

    from ..protocol.documents import AgentMap, Message

    Late = dict[str, Any]  # one item of the report

DONE = frozenset(("response", "confirm", "decline"))  # a question asks on: the work is not done


def report(home: str, agent_map: AgentMap, agent: str) -> tuple[dict[str, Any], Optional[Exception]]:
    """`{agent, owed_by_me, owed_to_me}`, what is late longest first; and why a hub could not be told, if so.

    OSError where the outbox cannot be read.
    """
    watch = due.Watch(home)
    watch.look(lock.WAIT)
    trouble: Optional[Exception] = None
    try:
        escalate(agent_map, watch, lock.WAIT)
    except (OSError, BusError) as error:
        trouble = error
    found = listing(watch, agent)
    watch.keep()
    return found, trouble


def listing(watch: due.Watch, agent: str, most: Optional[int] = None) -> dict[str, Any]:
    """What this agent owes and what is owed to it; what turns out to be done is watched no more.

    With `most`, of so many messages at most, whose threads are read.
    """
    found: dict[str, Any] = {"agent": agent, "owed_by_me": [], "owed_to_me": []}
    late = [one for one in watch.late() if agent in (watch.open[one]["from"], watch.open[one]["to"])]
    for message_id in late[:most]:
        entry = watch.open[message_id]
        why = _why(watch, message_id)
        if why:
            found["owed_by_me" if entry["to"] == agent else "owed_to_me"].append(_item(message_id, entry, why))
    for items in (found["owed_by_me"], found["owed_to_me"]):
        items.sort(key=lambda item: (item["since"], item["id"]))
    return found


def _item(message_id: str, entry: due.Open, why: dict[str, float]) -> Late:
    order = sorted(why, key=lambda name: why[name])
    fields = ("thread_id", "from", "to", "intent", "summary", "response_by", "escalate_after", "budget_minutes")
    return {
        "id": message_id,
        **{name: entry[name] for name in fields},
        "why": order,
        "since": show.timestamp(why[order[0]]),
    }


def _why(watch: due.Watch, message_id: str) -> dict[str, float]:
    """By which of its times a message is late, and since when; nothing if it is not."""
    entry, now = watch.open[message_id], time.time()
    behind = _behind(watch.home, entry, message_id)
    kinds = {answer["type"] for answer in behind}
    if kinds & DONE:
        watch.done(message_id)
        return {}
    passed = {} if kinds & owed.ANSWERS else due.moments(entry)
    passed.pop("budget", None)
    if entry["budget_minutes"]:
        begun = _begun(watch, entry, message_id, behind)
        if begun is not None:
            passed["budget"] = begun + entry["budget_minutes"] * 60
    elif kinds & owed.ANSWERS:
        watch.done(message_id)
    return {name: at for name, at in passed.items() if at <= now}


def _behind(home: str, entry: due.Open, message_id: str) -> list[Any]:
    """What the recipient has written behind a message in its thread. The outbox knows one that cannot be read."""
    try:
        thread = threads.load(home, entry["thread_id"])
    except files.BadFile:
        thread = None
    known: Sequence[Any] = thread["messages"] if thread else list(_written(home, entry["thread_id"]))
    order = [one["id"] for one in known]
    later = known[order.index(message_id) + 1 :] if message_id in order else known
    return [one for one in later if one["from"] == entry["to"]]


def _written(home: str, thread_id: str) -> Iterator[Message]:
    return (
        message
        for message in outbox.mentioning(home, thread_id)
        if message["thread_id"] == thread_id and not copies.is_copy(message)
    )


def _begun(watch: due.Watch, entry: due.Open, message_id: str, behind: list[Any]) -> Optional[float]:
    """When the recipient took the work on, else when it read the message; None if it has done neither."""
    for one in behind:
        at = show.seconds_of(one["ts"]) if one["type"] == "accept" else None
        if at is not None:
            return at
    if entry["to"] not in watch.boxes:  # listed once: an inbox may be long
        watch.boxes[entry["to"]] = inbox.boxes(watch.home, entry["to"])
    for box in watch.boxes[entry["to"]]:
        for archive in (layout.READ, layout.DONE):
            try:
                return os.lstat(f"{box}/{archive}/{message_id}.json").st_ctime  # of the rename that archived it
            except OSError:
                continue
    return None


def escalate(agent_map: AgentMap, watch: due.Watch, wait: float = 0, most: Optional[int] = None) -> None:
    """Tell the hub of each message whose `escalate_after` has passed without an answer; once, whoever does it.

    With `most`, of so many at most: each is a message that is sent.

    LockBusy when somebody else is at it for so long, OSError and BusError where a copy cannot be sent: the next look
    tries again. In a halted bus nothing is sent.
    """
    late = due.to_tell(agent_map, watch)
    if not late or halt.current(watch.home) is not None:
        return
    with lock.guard(watch.home, "@due", wait):
        # What somebody was killed over is sent by this, and then counts as told.
        delivery.recover(watch.home, most)
        for message_id in late[:most]:
            _escalate(agent_map, watch, message_id)


def _escalate(agent_map: AgentMap, watch: due.Watch, message_id: str) -> None:
    original = outbox.find(watch.home, message_id)
    entry = due.watched(original) if original else None
    if original is None or entry is None:  # what is kept of it is not true
        watch.done(message_id)
        return
    watch.open[message_id], watch.news = entry, True
    hub = due.hub(agent_map, original["from"], original["to"])
    if hub is None or due.moments(entry).get("escalate_after", float("inf")) > time.time():
        return
    if "escalate_after" in _why(watch, message_id) and not _was_told(watch.home, message_id):
        one = delivery.Outgoing(copies.tell(hub, original, escalated=str(original["escalate_after"])))
        delivery.send(watch.home, [one])
        if one.error:
            raise one.error
    if message_id in watch.open:
        watch.open[message_id]["told"] = True  # or it was answered, which is for good too


def _was_told(home: str, message_id: str) -> bool:
    """Whether a hub was told, or will be by the next command that can.

    The spool first: what is in it no more is in the outbox.
    """
    return any(_tells(copy, message_id) for copy in _in_flight(home)) or any(
        _tells(copy, message_id) for copy in outbox.mentioning(home, message_id, _days_since(home, message_id))
    )


def _days_since(home: str, message_id: str) -> set[str]:
    return {day for day in outbox.days(home) if day >= ids.day_of(message_id)}


def _tells(message: Message, message_id: str) -> bool:
    return message.get("cc_of") == message_id and "escalated" in message["payload"]


def _in_flight(home: str) -> Iterator[Message]:
    for name in files.names(layout.spool(home)):
        if ids.MESSAGE_FILE.fullmatch(name):
            try:
                yield messages.parse(files.read(os.path.join(layout.spool(home), name), messages.MAX_MESSAGE))
            except (FileNotFoundError, files.BadFile, messages.NotAMessage):
                pass  # not written to its end: it will not be sent
