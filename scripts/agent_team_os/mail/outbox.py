"""The outbox: every message ever sent, a line each, a file a day. It decides whether a message was sent."""

from __future__ import annotations

import os

from ..protocol import home as layout
from ..protocol import ids
from ..protocol import message as messages
from ..storage import files, journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Optional

    from ..protocol.documents import Message


def days(home: str, since: str = "") -> list[str]:
    """The days that have a file, in order, from `since` on."""
    found = (name[:-6] for name in files.names(os.path.join(home, "outbox")) if name.endswith(".jsonl"))
    return sorted(day for day in found if ids.DAY.fullmatch(day) and day >= since)


def find(home: str, message_id: str) -> Optional[Message]:
    """The message with this id; None if it was never sent. A line that was cut off does not count as sent."""
    path = layout.outbox(home, ids.day_of(message_id))
    for _, line in journal.lines(path, message_id.encode()):
        message = _parse(line)
        if message is not None and message["id"] == message_id:
            return message
    return None


def mentioning(home: str, text: str, since: str = "") -> Iterator[Message]:
    """Every message whose line contains `text`, in the order written; lines that are no message are left out."""
    for day in days(home, since):
        for _, line in journal.lines(layout.outbox(home, day), text.encode()):
            message = _parse(line)
            if message is not None:
                yield message


def _parse(line: bytes) -> Optional[Message]:
    try:
        return messages.parse(line)
    except messages.NotAMessage:
        return None
