"""Letters on their way out: `people/spool/<id>/` until they were pushed, then `people/sent/<uid>-<id>.json`.

A send is done when its folder has its name. Who is killed before leaves one that begins with a dot and is nobody's.
"""

from __future__ import annotations

import os

from ..protocol import strictjson
from ..storage import files, lock, unsynced
from . import letter, people

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Optional

_LETTER = "letter.json"
_LEFT = 86_400  # seconds until what has no name yet is a leftover
_FOLDERS = ("sent", "receipts", "letters", "files")
_MOST = 1_048_576  # bytes of a letter


def folder(home: str) -> str:
    """The letters that wait."""
    return os.path.join(people.folder(home), "spool")


def sent_folder(home: str) -> str:
    """The letters that were pushed, by this device or another one."""
    return os.path.join(people.folder(home), "sent")


def receipts_folder(home: str) -> str:
    """The receipts that wait."""
    return os.path.join(people.folder(home), "receipts")


def add(home: str, sender: str, to: str, text: str, paths: Sequence[str]) -> dict[str, Any]:
    """Keep a letter, with copies of the files, until it is pushed; durable when this returns it.

    InvalidAttachment, with nothing kept, for a file that cannot travel.
    """
    from . import attached

    prepare(home)
    letter_id = letter.new_id()
    draft, place = os.path.join(folder(home), f".{letter_id}"), os.path.join(folder(home), letter_id)
    files.make_folder(draft)
    try:
        document = letter.letter(letter_id, sender, to, text, attached.take(paths, draft))
        files.create(os.path.join(draft, _LETTER), strictjson.readable(document))
        files.sync_folder(draft)
        files.move(draft, place)
    except BaseException:
        # It may have its name already, and not be durable: who is told no sends it again.
        for left in (place, draft):
            clear(left)
        raise
    return document


def prepare(home: str) -> None:
    """Make the folders, and keep them out of what people commit."""
    ignore = os.path.join(people.folder(home), ".gitignore")
    for place in (folder(home), sent_folder(home), receipts_folder(home)):
        files.make_folder(place)
    if not os.path.lexists(ignore):
        try:
            files.create(ignore, b"# Private mail: what is in this folder is for you alone.\n*\n")
        except FileExistsError:
            pass  # somebody was faster


def clear(place: str) -> None:
    """Remove a letter's folder and what is in it; what it holds must be nobody's any more."""
    for name in files.names(place):
        files.remove(os.path.join(place, name))
    files.remove_folder(place)


def waiting(home: str) -> list[dict[str, Any]]:
    """The letters that wait, the oldest first; a damaged one is left out, and `damaged` names it."""
    return [document for letter_id in ids(home) if (document := read(home, letter_id)) is not None]


def damaged(home: str) -> list[str]:
    """The ids of what waits and cannot be read."""
    return [letter_id for letter_id in ids(home) if read(home, letter_id) is None]


def ids(home: str) -> list[str]:
    """The ids of what waits, the oldest first."""
    return sorted(name for name in files.names(folder(home)) if letter.is_id(name))


def read(home: str, letter_id: str) -> Optional[dict[str, Any]]:
    """A letter that waits; None if it is gone or damaged."""
    document = _object(os.path.join(folder(home), letter_id, _LETTER))
    return document if letter.is_whole(document) else None


def attachment(home: str, letter_id: str, number: int) -> str:
    """Where the copy of the n-th file of a waiting letter lies."""
    return os.path.join(folder(home), letter_id, str(number))


def readdress(home: str, document: dict[str, Any], to: str) -> dict[str, Any]:
    """Let a letter that waits go to another uid; durable. The caller holds the lock of the sync."""
    document = {**document, "to": to}
    files.replace(os.path.join(folder(home), document["id"], _LETTER), strictjson.readable(document))
    return document


def settle(home: str, document: dict[str, Any], pushed_at: Optional[str]) -> None:
    """Take a letter that is in the store for sent, and no longer for waiting."""
    keep_sent(home, document, pushed_at)
    place = os.path.join(folder(home), document["id"])
    if os.path.isdir(place):
        # Under another name first: a folder with a letter in it and a file missing would be pushed once more.
        gone = os.path.join(folder(home), f".{document['id']}")
        files.move(place, gone)
        clear(gone)


def keep_sent(home: str, document: dict[str, Any], pushed_at: Optional[str]) -> None:
    """Remember a letter as sent; nothing if it is already."""
    prepare(home)
    target = _sent(home, document["to"], document["id"])
    if not os.path.lexists(target):
        files.replace(target, strictjson.readable({**document, "pushed_at": pushed_at}))


class Sent:
    """Which letters were pushed, to whom, and which of them were read: names only, no file is opened."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.to: dict[str, str] = {}  # the recipient's uid, by id
        self.read: set[str] = set()
        for name in files.names(sent_folder(home)):
            stem, _, ending = name.rpartition(".")
            uid, _, letter_id = stem.partition("-")
            if letter.is_uid(uid) and letter.is_id(letter_id):
                if ending == "json":
                    self.to[letter_id] = uid
                elif ending == "read":
                    self.read.add(letter_id)

    def unread(self, uid: str) -> list[str]:
        """The ids of the letters to somebody for which no receipt has come, the oldest first."""
        return sorted(letter_id for letter_id, to in self.to.items() if to == uid and letter_id not in self.read)

    def open(self, letter_id: str) -> Optional[dict[str, Any]]:
        """A letter that was pushed, with `pushed_at` and `read_at`; None for a damaged one."""
        document = _object(_sent(self.home, self.to[letter_id], letter_id))
        mark = _object(_sent(self.home, self.to[letter_id], letter_id, "read")) if letter_id in self.read else None
        if document is None or not letter.is_whole(document):
            return None
        return {**document, "read_at": (mark or {}).get("read_at")}

    def mark_read(self, letter_id: str, read_at: str) -> None:
        """Remember that the recipient has read a letter."""
        files.replace(_sent(self.home, self.to[letter_id], letter_id, "read"), strictjson.compact({"read_at": read_at}))
        self.read.add(letter_id)


def _sent(home: str, uid: str, letter_id: str, ending: str = "json") -> str:
    return os.path.join(sent_folder(home), f"{uid}-{letter_id}.{ending}")


def owe_receipt(home: str, document: dict[str, Any]) -> None:
    """Keep a receipt until it is pushed, durable; nothing if one waits already."""
    prepare(home)
    place = _receipt(home, document)
    with lock.guard(home, "@people"):
        if _object(place) is None:
            files.replace(place, strictjson.compact(document))


def receipts(home: str) -> Iterator[dict[str, Any]]:
    """The receipts that wait."""
    for name in sorted(files.names(receipts_folder(home))):
        document = _object(os.path.join(receipts_folder(home), name)) if letter.parse_name(name[:-5]) else None
        if document is not None and all(isinstance(document.get(key), str) for key in ("id", "from", "to", "read_at")):
            yield document


def drop_receipt(home: str, document: dict[str, Any]) -> None:
    """A receipt is in the store."""
    files.remove(_receipt(home, document))


def _receipt(home: str, document: dict[str, Any]) -> str:
    # A receipt is from the reader, to the sender of the letter.
    return os.path.join(receipts_folder(home), letter.name(document["to"], document["id"]) + ".json")


def sweep(home: str) -> None:
    """Remove what killed processes left a day ago, anywhere in the mail."""
    for place in (people.folder(home), *(os.path.join(people.folder(home), name) for name in _FOLDERS)):
        unsynced.sweep(place, _LEFT, lambda name: not (name.startswith(".") and name.endswith(".tmp")))
    for name in files.names(folder(home)):
        place = os.path.join(folder(home), name)
        if name.startswith(".") and letter.is_id(name[1:]) and files.age(place) > _LEFT:
            clear(place)


def _object(place: str) -> Optional[dict[str, Any]]:
    try:
        document = strictjson.parse(files.read(place, _MOST))
    except (FileNotFoundError, files.BadFile, strictjson.BadJSON):
        return None
    return document if isinstance(document, dict) else None
