"""What is pending, without opening what was opened before: the short memory the hooks count from.

Messages never change, so what was once learned of an id stays true. What is pending is asked of the folders
each time; a name that is gone is never counted, and one that was never seen is opened and checked in full.

Mail is a plain dict here, from the id of a message to its kind: its priority, or COPY. Ten thousand of them
cost a hook a few milliseconds. A bad file that a look had no turn for is remembered as BAD, and is no mail.
"""

from __future__ import annotations

from ..protocol import home as layout
from ..protocol import strictjson
from ..protocol.message import MAX_MESSAGE, PRIORITIES
from ..storage import files, notes
from . import inbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from ..protocol.documents import Message

    Mail = dict[str, str]

COPY = "copy"
BAD = "bad"
KINDS = (*PRIORITIES, COPY)


def pending(home: str, agent: str, folders: list[str], aside: Optional[inbox.Aside] = None) -> Mail:
    """The pending messages of these boxes; what is no message is set aside, as far as `aside` goes."""
    aside = aside or inbox.Aside()
    learned = _load(home, agent)
    found: Mail = {}
    news = False
    for folder in folders:
        ids = [name[:-5] for name in _names(folder)]
        for message_id in [message_id for message_id in ids if learned.get(message_id, BAD) == BAD]:
            if message_id in learned:
                if aside.left <= 0:
                    continue
                del learned[message_id]
                news = True
            message = inbox.load(home, agent, f"{folder}/{message_id}.json", aside)
            if message is not None:
                learned[message_id] = kind_of(message)
                news = True
        while aside.beyond:
            path = aside.beyond.pop()
            learned[path.rpartition("/")[2][:-5]] = BAD
            news = True
        found.update((message_id, learned[message_id]) for message_id in ids if learned.get(message_id, BAD) != BAD)
    if news:
        _save(home, agent, learned)
    return found


def _names(folder: str) -> list[str]:
    """The messages of a box; none of one that cannot be read: it must not hide the mail in another."""
    try:
        return inbox.names(folder)
    except OSError:
        return []


def kind_of(message: Message) -> str:
    """Its priority, or COPY for one that tells a hub of somebody else's mail."""
    return COPY if message["type"] == "cc-notify" else message.get("priority", "normal")


def first(mail: Mail, most: int, newest: bool = True) -> list[str]:
    """The ids to look at first, at most so many: the urgent ones, the newest or else the oldest first among equals."""
    chosen: list[str] = []
    for kind in KINDS:
        if len(chosen) < most:
            chosen += sorted((message_id for message_id in mail if mail[message_id] == kind), reverse=newest)
    return chosen[:most]


def open_again(folders: list[str], message_id: str) -> Optional[Message]:
    """The message, for a line that shows it, from the first of these folders that has it; None if it is gone.

    It was checked in full when it was learned. Only what a line is made of is looked at again.
    """
    for folder in folders:
        try:
            document = strictjson.parse(files.read(f"{folder}/{message_id}.json", MAX_MESSAGE))
        except (FileNotFoundError, files.BadFile, strictjson.BadJSON):
            continue
        texts = ("id", "from", "ts", "type", "intent")
        if not isinstance(document, dict) or not all(isinstance(document.get(name), str) for name in texts):
            continue
        if document["id"] == message_id and isinstance(document.get("payload"), dict):
            return document  # type: ignore[return-value]  # as much of a message as a line needs
    return None


def forget(home: str, agent: str) -> None:
    """Learn everything anew next time: something pending is not what it was, which no writer of ours does."""
    try:
        files.remove(layout.known(home, agent))
    except OSError:
        pass


def _load(home: str, agent: str) -> Mail:
    document = notes.read(layout.known(home, agent))
    kinds = (*KINDS, BAD)
    if all(map(kinds.__contains__, document.values())):
        return document
    return {message_id: kind for message_id, kind in document.items() if kind in kinds}


def _save(home: str, agent: str, learned: Mail) -> None:
    """Keep what is learned of mail that is still pending in any box of the agent."""
    try:
        boxes = inbox.boxes(home, agent)
    except OSError:
        return
    still = {name[:-5] for box in boxes for name in _names(box)}
    kept = {message_id: kind for message_id, kind in learned.items() if message_id in still}
    try:
        notes.write(layout.known(home, agent), kept)
    except OSError:
        pass  # a full disk: it is learned again next time
