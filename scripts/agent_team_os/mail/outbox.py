"""The outbox: every message ever sent, a line each, a file a day. It decides whether a message was sent."""

from __future__ import annotations

import os
import re

from ..protocol import home as layout
from ..protocol import ids
from ..protocol import message as messages
from ..storage import files, journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Set
    from typing import Optional

    from ..protocol.documents import Message


_THREAD = re.compile(rb"thread-[0-9a-z-]+")


def days(home: str) -> list[str]:
    """The days that have a file, in order."""
    found = (name[:-6] for name in files.names(os.path.join(home, "outbox")) if name.endswith(".jsonl"))
    return sorted(day for day in found if ids.DAY.fullmatch(day))


def find(home: str, message_id: str) -> Optional[Message]:
    """The message with this id; None if it was never sent. A line that was cut off does not count as sent."""
    path = layout.outbox(home, ids.day_of(message_id))
    for line in journal.mentioning(path, message_id.encode()):
        message = _parse(line)
        if message is not None and message["id"] == message_id:
            return message
    return None


def mentioning(home: str, text: str, only: Optional[Set[str]] = None) -> Iterator[Message]:
    """Every message whose line contains `text`, in the order written; what is no message is left out.

    With `only` of these days: who knows them spares reading a long past.
    """
    for day in days(home):
        if only is not None and day not in only:
            continue
        for line in journal.mentioning(layout.outbox(home, day), text.encode()):
            message = _parse(line)
            if message is not None:
                yield message


def recent_threads(home: str) -> Iterator[str]:
    """The ids of the threads that were written to, those written to last first."""
    seen: set[bytes] = set()
    for day in reversed(days(home)):
        for _, line in reversed(list(journal.lines(layout.outbox(home, day)))):
            # The parser is asked only where the text could name a new one: a busy thread has many lines.
            if seen.issuperset(_THREAD.findall(line)):
                continue
            message = _parse(line)
            thread_id = message["thread_id"] if message else ""
            if thread_id and thread_id.encode() not in seen:
                seen.add(thread_id.encode())
                yield thread_id


def _parse(line: bytes) -> Optional[Message]:
    try:
        return messages.parse(line)
    except messages.NotAMessage:
        return None
