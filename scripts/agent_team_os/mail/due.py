"""Deadlines: which messages of the last weeks have one, or a budget, and are not known to be done.

Learned from the outbox, each line once, and kept in `state/`: a bus with a long past costs every start of a session a
stat for each day and a small note. That note is derived: lost, broken or out of date it is made anew. Light, since
every session asks it; what is behind a message in its thread, `overdue` finds out where a time has passed.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from ..protocol import agentmap, ids, show
from ..protocol import home as layout
from ..protocol import message as messages
from ..protocol.errors import LockBusy, RoutingDenied
from ..storage import files, notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Optional

    from ..protocol.documents import AgentMap, Message

    Open = dict[str, Any]  # of a message what is needed to say that it is late; `told`: its hub was

WINDOW = 60 * 86_400  # seconds; what was sent earlier is nobody's deadline any more
# Compact JSON, as the protocol wants a line of the outbox: of a field that is null, or quoted in a text, none is there.
_NEEDLES = (b'"response_by":"', b'"escalate_after":"', b'"budget_minutes":')
_CHUNK = 1 << 16
_LONGEST = 4 << 20  # bytes of a line that are kept; no message comes near it
SUMMARY = 200  # characters of it, as in a copy
_TEXTS = ("from", "to", "thread_id", "intent", "ts", "summary")
_TIMES = ("response_by", "escalate_after")


class Watch:
    """How far the outbox of each day was looked at, and the open messages in it by their ids; `look` first."""

    def __init__(self, home: str) -> None:
        self.home = home
        note = notes.read(path(home))
        known = _is_note(note)
        self.days: dict[str, int] = note["days"] if known else {}
        self.open: dict[str, Open] = note["open"] if known else {}
        self.news = False
        self.room: Optional[int] = None
        self.boxes: dict[str, list[str]] = {}  # of agents that were asked about

    def look(self, wait: float = 0, most: Optional[int] = None) -> None:
        """Learn what is new in the outbox, or so many bytes of it at most; the next look goes on.

        A file that is being written to is waited for so many seconds, and else left to the next look. OSError where
        it cannot be read.
        """
        self.room = most
        oldest = time.strftime("%Y-%m-%d", time.gmtime(time.time() - WINDOW))
        there = set()
        for name in files.names(os.path.join(self.home, "outbox")):
            day = name[:-6]
            if not name.endswith(".jsonl") or day < oldest or not ids.DAY.fullmatch(day):
                continue
            there.add(day)
            if os.lstat(layout.outbox(self.home, day)).st_size != self.days.get(day, 0):
                self._read(day, wait)
        for day in self.days.keys() - there:
            self._forget(day)
        for message_id in [message_id for message_id in self.open if ids.day_of(message_id) not in self.days]:
            self.done(message_id)

    def late(self) -> list[str]:
        """The messages of which a time has passed, or may have: a budget counts from when the work was begun."""
        now = time.time()
        return [name for name, entry in self.open.items() if any(at <= now for at in moments(entry).values())]

    def done(self, message_id: str) -> None:
        """It is no matter any more, for good: an answer is not taken back."""
        if self.open.pop(message_id, None) is not None:
            self.news = True

    def keep(self) -> None:
        """Write down what was learned; on a full disk it is learned again next time."""
        if self.news:
            try:
                notes.write(path(self.home), {"days": self.days, "open": self.open})
            except OSError:
                pass
            self.news = False

    def _read(self, day: str, wait: float) -> None:
        """Learn the whole lines behind what was read of a day. Under the lock of the file, as they are written.

        A sender may take a line back until it lets go of that lock.
        """
        from ..storage import lock

        log = layout.outbox(self.home, day)
        try:
            fd = os.open(log, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP):
                return
            raise
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return
            lock.flock(fd, os.path.basename(log), wait)
            start, end = self.days.get(day, 0), os.fstat(fd).st_size
            if end < start or (start and os.pread(fd, 1, start - 1) != b"\n"):  # not the file it was
                self._forget(day)
                start = 0
            if self.room is not None:
                end = min(end, start + self.room)
                self.room -= end - start
            for block, seen in _blocks(fd, start, end):
                for line in _with_deadline(block):
                    self._add(line)
                self.days[day] = seen
                self.news = True
        except LockBusy:
            pass
        finally:
            os.close(fd)

    def _forget(self, day: str) -> None:
        self.days.pop(day, None)
        self.news = True
        for message_id in [message_id for message_id in self.open if ids.day_of(message_id) == day]:
            del self.open[message_id]

    def _add(self, line: bytes) -> None:
        try:
            message = messages.parse(line)
        except messages.NotAMessage:
            return
        entry = watched(message)
        if entry is not None:
            self.open.setdefault(message["id"], entry)


def path(home: str) -> str:
    """Where it is kept. No agent's and no session's file there is called so."""
    return os.path.join(home, "state", "outbox.due")


def watched(message: Message) -> Optional[Open]:
    """What is kept of a message with a deadline or a budget; None for any other, and for a copy."""
    if message["type"] == "cc-notify" or message.get("cc_of"):
        return None
    entry: Open = {name: message.get(name) for name in _TEXTS}
    entry["summary"] = messages.summary(message)[:SUMMARY]
    for name in _TIMES:  # the schema lets a 30th of February pass
        entry[name] = message.get(name) if show.seconds_of(message.get(name)) is not None else None
    entry["budget_minutes"] = int(message.get("budget_minutes") or 0) or None
    return entry if moments(entry) else None


def moments(entry: Open) -> dict[str, float]:
    """When each of its times passes, in seconds since 1970; its budget is at its earliest gone when begun at once."""
    found = {name: show.seconds_of(entry[name]) for name in _TIMES}
    sent = show.seconds_of(entry["ts"]) if entry["budget_minutes"] else None
    if sent is not None:
        found["budget"] = sent + entry["budget_minutes"] * 60
    return {name: at for name, at in found.items() if at is not None}


def to_tell(agent_map: AgentMap, watch: Watch) -> list[str]:
    """The messages that may have to be escalated: their time has passed, and there is a hub that was not told."""
    now = time.time()
    return [
        message_id
        for message_id, entry in watch.open.items()
        if entry["escalate_after"]
        and not entry.get("told")
        and moments(entry).get("escalate_after", now + 1) <= now
        and hub(agent_map, entry["from"], entry["to"])
    ]


def hub(agent_map: AgentMap, sender: str, to: str) -> Optional[str]:
    """The hub that is told when `to` does not answer `sender`; None if there is none, or it is one of the two."""
    found = agentmap.hub_of(agent_map, to)
    if found is None or found in (sender, to) or found not in agentmap.agents(agent_map):
        return None
    try:
        agentmap.check_routing(agent_map, sender, found)
    except RoutingDenied:
        return None
    return found


def _blocks(fd: int, start: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines between two places of a file, many at once, and where they end; what is behind the last is none."""
    rest, at = b"", start
    while at < end:
        data = os.pread(fd, min(_CHUNK, end - at), at)
        if not data:
            return
        at += len(data)
        last = data.rfind(b"\n") + 1
        if not last:
            rest += data if len(rest) < _LONGEST else b""
            continue
        block, rest = rest + data[:last], data[last:]
        yield block, at - len(rest)


def _with_deadline(block: bytes) -> Iterator[bytes]:
    """The lines that may be of a message with one; the others are not even cut out."""
    found = {}
    for needle in _NEEDLES:
        at = block.find(needle)
        while at >= 0:
            end = block.index(b"\n", at)
            found[block.rfind(b"\n", 0, at) + 1] = end
            at = block.find(needle, end)
    for begin in sorted(found):
        yield block[begin : found[begin]]


def _is_note(note: dict[str, Any]) -> bool:
    """Whether it has the shape `keep` writes; anybody could have put a file there."""
    days, known = note.get("days"), note.get("open")
    return (
        isinstance(days, dict)
        and all(ids.DAY.fullmatch(day) and type(seen) is int and seen >= 0 for day, seen in days.items())
        and isinstance(known, dict)
        and all(ids.is_message(message_id) and _is_open(entry) for message_id, entry in known.items())
    )


def _is_open(entry: object) -> bool:
    if not isinstance(entry, dict) or not {*_TEXTS, *_TIMES, "budget_minutes"} <= entry.keys():
        return False
    budget = entry["budget_minutes"]
    return (
        all(isinstance(entry[name], str) for name in _TEXTS)
        and ids.is_agent(entry["from"])
        and ids.is_agent(entry["to"])
        and ids.is_thread(entry["thread_id"])
        and all(entry[name] is None or show.seconds_of(entry[name]) is not None for name in _TIMES)
        and (budget is None or (type(budget) is int and budget > 0))
    )
