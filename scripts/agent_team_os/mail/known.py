"""What is pending, without opening what was opened before: the short memory the hooks count from.

Messages never change, so what was once learned of an id stays true. What is pending is asked of the folders
each time; a name that is gone is never counted, and one that was never seen is opened and checked in full.
"""

from __future__ import annotations

from ..protocol import home as layout
from ..protocol import strictjson
from ..protocol.message import MAX_MESSAGE, PRIORITIES
from ..storage import files
from . import inbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple, Optional

    from ..protocol.documents import Message

    class Pending(NamedTuple):
        """A pending message as far as it is known: `kind` is its priority, or COPY."""

        id: str
        path: str
        kind: str

else:
    from collections import namedtuple

    Pending = namedtuple("Pending", "id path kind")

COPY = "copy"
_KINDS = frozenset((*PRIORITIES, COPY))
_MOST = 64 * 1_048_576  # bytes of a memory: a million messages


def pending(home: str, agent: str, folders: list[str]) -> list[Pending]:
    """The pending messages of these boxes, unsorted; what is no message is set aside."""
    learned = _load(home, agent)
    found, news = [], False
    for folder in folders:
        for name in inbox.names(folder):
            message_id, path = name[:-5], f"{folder}/{name}"
            kind = learned.get(message_id)
            if kind not in _KINDS:
                message = inbox.load(home, agent, path)
                if message is None:
                    continue
                kind = learned[message_id] = kind_of(message)
                news = True
            found.append(Pending(message_id, path, kind))
    if news:
        _save(home, agent, learned)
    return found


def kind_of(message: Message) -> str:
    """Its priority, or COPY for one that tells a hub of somebody else's mail."""
    return COPY if message["type"] == "cc-notify" else message.get("priority", "normal")


def urgent_first(mail: list[Pending]) -> list[Pending]:
    """Sorted: urgent first, the newest first among equals."""
    newest = sorted(mail, reverse=True)
    return sorted(newest, key=lambda item: PRIORITIES.index(item.kind) if item.kind != COPY else len(PRIORITIES))


def open_again(item: Pending) -> Optional[Message]:
    """The message, for a line that shows it; None if it is gone or no message any more.

    It was checked in full when it was learned. Only what a line is made of is looked at again.
    """
    try:
        document = strictjson.parse(files.read(item.path, MAX_MESSAGE))
    except (FileNotFoundError, files.BadFile, strictjson.BadJSON):
        return None
    texts = ("id", "from", "ts", "type", "intent")
    if not isinstance(document, dict) or not all(isinstance(document.get(name), str) for name in texts):
        return None
    if document["id"] != item.id or not isinstance(document.get("payload"), dict):
        return None
    return document  # type: ignore[return-value]  # as much of a message as a line needs


def _load(home: str, agent: str) -> dict[str, Any]:
    try:
        document = strictjson.parse(files.read(layout.known(home, agent), _MOST))
    except (FileNotFoundError, files.BadFile, strictjson.BadJSON):
        return {}
    return document if isinstance(document, dict) else {}


def _save(home: str, agent: str, learned: dict[str, Any]) -> None:
    """Keep what is learned of mail that is still pending in any box of the agent."""
    still = {name[:-5] for box in inbox.boxes(home, agent) for name in inbox.names(box)}
    kept = {message_id: kind for message_id, kind in learned.items() if message_id in still}
    try:
        files.note(layout.known(home, agent), strictjson.compact(kept))
    except OSError:
        pass  # a full disk: it is learned again next time
