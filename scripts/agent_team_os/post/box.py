"""Letters that have arrived: `people/letters/<N>-<id>.json`, and beside it `<N>-<id>.read` once it was read.

N is given at arrival, one more than any before, and never used again. The attachments wait, decrypted and checked, in
`people/files/` until the letter is read and they are saved.
"""

from __future__ import annotations

import os

from ..protocol import strictjson
from ..protocol.errors import NothingToRead, UnknownLetter
from ..storage import files, lock, notes
from . import letter, notice, people

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

_MOST = 1_048_576  # bytes of a letter


def folder(home: str) -> str:
    """The letters that have arrived."""
    return os.path.join(people.folder(home), "letters")


def files_folder(home: str) -> str:
    """The attachments that were fetched and not saved yet."""
    return os.path.join(people.folder(home), "files")


class Index:
    """Which letters there are, by number, and which of them were read: two names each, and no file is opened."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.numbers: dict[str, int] = {}  # by id
        self.read: set[str] = set()
        for name in files.names(folder(home)):
            stem, _, ending = name.rpartition(".")
            number, _, letter_id = stem.partition("-")
            if not (number.isascii() and number.isdecimal() and letter.is_id(letter_id)):
                continue
            if ending == "json":
                self.numbers[letter_id] = int(number)
            elif ending == "read":
                self.read.add(letter_id)

    def ordered(self) -> list[str]:
        """All ids, in the order of arrival."""
        return sorted(self.numbers, key=self.numbers.__getitem__)

    def unread(self) -> list[str]:
        """The ids of what was not read, in the order of arrival."""
        return [letter_id for letter_id in self.ordered() if letter_id not in self.read]

    def path(self, letter_id: str, ending: str = "json") -> str:
        """Where a letter lies, or the mark that it was read."""
        return os.path.join(folder(self.home), f"{self.numbers[letter_id]}-{letter_id}.{ending}")

    def find(self, asked: str) -> str:
        """The id of the letter with this number or id; UnknownLetter for none."""
        if asked.isascii() and asked.isdecimal():
            for letter_id, number in self.numbers.items():
                if number == int(asked):
                    return letter_id
        elif asked in self.numbers:
            return asked
        raise UnknownLetter(f'there is no message "{asked[:80]}"', "See all: ato msg list")

    def open(self, letter_id: str) -> Optional[dict[str, Any]]:
        """A letter with `number`, `arrived_at` and, once it was read, `read_at` and `saved`; None for a damaged one."""
        try:
            document = strictjson.parse(files.read(self.path(letter_id), _MOST))
        except (FileNotFoundError, files.BadFile, strictjson.BadJSON):
            return None
        if not isinstance(document, dict):
            return None
        mark = notes.read(self.path(letter_id, "read")) if letter_id in self.read else {}
        return {
            **document,
            "number": self.numbers[letter_id],
            "read_at": mark.get("read_at"),
            "saved": mark.get("saved", []),
        }


def arrive(home: str, index: Index, document: dict[str, Any], arrived_at: str, after: int) -> int:
    """Keep a letter that was checked, under the next number, which is more than `after`; durable.

    The caller holds the lock of the sync: nobody else gives numbers.
    """
    files.make_folder(folder(home))
    number = max([after, *index.numbers.values()]) + 1
    index.numbers[document["id"]] = number
    files.replace(index.path(document["id"]), strictjson.readable({**document, "arrived_at": arrived_at}))
    return number


def mark_read(home: str, index: Index, letter_id: str, read_at: str, saved: list[str]) -> None:
    """Remember that a letter was read, and where its files went; durable."""
    mark = {"read_at": read_at, "saved": saved}
    with lock.guard(home, "@people"):
        files.replace(index.path(letter_id, "read"), strictjson.compact(mark))
    index.read.add(letter_id)


def fetched(home: str, letter_id: str, number: int) -> str:
    """Where the n-th attachment of a letter waits, if it was fetched."""
    return os.path.join(files_folder(home), f"{letter_id}.{number}")


def next_unread(index: Index) -> list[str]:
    """The letters to read; NothingToRead if all were."""
    found = index.unread()
    if not found:
        raise NothingToRead("no unread message", "See all: ato msg list")
    return found


def count(home: str, index: Index) -> None:
    """Leave for the notices what is unread."""
    unread = index.unread()
    newest = [document for letter_id in unread[-notice.SHOWN :] if (document := index.open(letter_id)) is not None]
    directory = people.load(home) if newest else {}
    notice.keep(
        home,
        len(unread),
        [
            {
                "number": document["number"],
                "address": people.address_of(directory, document["from"]),
                "name": people.name_of(directory, document["from"]),
                "arrived_at": document["arrived_at"],
                "text": document["text"][: notice.MOST],
                "attachments": [about["name"] for about in document["attachments"]],
            }
            for document in reversed(newest)
        ],
    )
