"""Letters that have arrived: `people/letters/<N>-<name>.json`, and beside it `<N>-<name>.read` once it was read.

N is given at arrival, one more than any before, and never used again. The name is the sender's uid and the id, since
the id alone is the sender's to choose. The attachments wait, decrypted and checked, in `people/files/` until the letter
is read and they are saved.
"""

from __future__ import annotations

import itertools
import os

from ..protocol import strictjson
from ..protocol.errors import NothingToRead, UnknownLetter
from ..storage import files, lock, notes, unsynced
from . import letter, notice, people

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

_MOST = 1_048_576  # bytes of a letter
_DAY = 86_400.0


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
        self.numbers: dict[str, int] = {}  # by name
        self.read: set[str] = set()
        for file in files.names(folder(home)):
            stem, _, ending = file.rpartition(".")
            number, _, name = stem.partition("-")
            if not (number.isascii() and number.isdecimal() and letter.parse_name(name)):
                continue
            if ending == "json":
                self.numbers[name] = int(number)
            elif ending == "read":
                self.read.add(name)

    def ordered(self) -> list[str]:
        """All names, in the order of arrival."""
        return sorted(self.numbers, key=self.numbers.__getitem__)

    def unread(self) -> list[str]:
        """The names of what was not read, in the order of arrival."""
        return [name for name in self.ordered() if name not in self.read]

    def path(self, name: str, ending: str = "json") -> str:
        """Where a letter lies, or the mark that it was read."""
        return os.path.join(folder(self.home), f"{self.numbers[name]}-{name}.{ending}")

    def find(self, asked: str) -> str:
        """The name of the letter with this number or id; UnknownLetter for none, and for an id two letters have."""
        if asked.isascii() and asked.isdecimal():
            found = [name for name, number in self.numbers.items() if str(number) == (asked.lstrip("0") or "0")]
        else:
            found = [name for name in self.numbers if letter.is_id(asked) and name.endswith(f"-{asked}")]
        if not found:
            raise UnknownLetter(f'there is no message "{asked[:80]}"', "See all: ato msg list")
        if len(found) > 1:
            raise UnknownLetter(f"{len(found)} messages have the id {asked}", "Give the number: ato msg list")
        return found[0]

    def open(self, name: str) -> Optional[dict[str, Any]]:
        """A letter with `number`, `arrived_at` and, once it was read, `read_at` and `saved`; None for a damaged one."""
        try:
            document = strictjson.parse(files.read(self.path(name), _MOST))
        except (FileNotFoundError, files.BadFile, strictjson.BadJSON):
            return None
        if not letter.is_whole(document) or not isinstance(document.get("arrived_at"), str):
            return None
        mark = notes.read(self.path(name, "read")) if name in self.read else {}
        return {
            **document,
            "number": self.numbers[name],
            "read_at": mark.get("read_at"),
            "saved": mark.get("saved", []),
        }


def arrive(
    home: str, index: Index, document: dict[str, Any], sender: dict[str, str], arrived_at: str, after: int
) -> int:
    """Keep a letter that was checked, under the next number, which is more than `after`; durable.

    `sender` is the `address` and `name` of today: a letter is from whoever they were when it came.

    The caller holds the lock of the sync: nobody else gives numbers.
    """
    files.make_folder(folder(home))
    number = max([after, *index.numbers.values()]) + 1
    name = letter.name_of(document)
    index.numbers[name] = number
    files.replace(index.path(name), strictjson.readable({**document, **sender, "arrived_at": arrived_at}))
    return number


def mark_read(home: str, index: Index, name: str, read_at: str, saved: list[str]) -> None:
    """Remember that a letter was read, and where its files went; durable."""
    mark, path = {"read_at": read_at, "saved": saved}, index.path(name, "read")
    with lock.guard(home, "@people"):
        if saved or not os.path.lexists(path):  # what another device says forgets no file that was saved here
            files.replace(path, strictjson.compact(mark))
    index.read.add(name)


def fetched(home: str, name: str, number: int) -> str:
    """Where the n-th attachment of a letter waits, if it was fetched."""
    return os.path.join(files_folder(home), f"{name}.{number}")


def forget_files(home: str, name: str) -> None:
    """Remove the attachments of a letter that wait; who wants them yet has them fetched anew."""
    for file in files.names(files_folder(home)):
        if file.startswith(f"{name}."):
            files.remove(os.path.join(files_folder(home), file))


def sweep(home: str, index: Index) -> None:
    """Remove the attachments of letters that were read a day ago: whoever saved them was killed before doing so."""
    unread = set(index.unread())
    unsynced.sweep(files_folder(home), _DAY, lambda name: name.rpartition(".")[0] in unread)


def next_unread(index: Index) -> list[str]:
    """The names of the letters to read; NothingToRead if all were."""
    found = index.unread()
    if not found:
        raise NothingToRead("no unread message", "See all: ato msg list")
    return found


def count(home: str, index: Index) -> None:
    """Leave for the notices what is unread."""
    unread = index.unread()
    opened = (document for name in reversed(unread) if (document := index.open(name)) is not None)
    newest = list(itertools.islice(opened, notice.SHOWN))  # a damaged one takes no other's place
    directory = people.load(home) if newest else {}
    notice.keep(
        home,
        len(unread),
        [
            {
                "number": document["number"],
                "address": people.label(directory, document, "from"),
                "name": people.short(directory, document, "from"),
                "arrived_at": document["arrived_at"],
                "text": document["text"][: notice.MOST],
                "attachments": [about["name"] for about in document["attachments"]],
            }
            for document in newest
        ],
    )
