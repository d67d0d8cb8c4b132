"""Reading letters: fetch what is missing, save what is attached, and say to the sender that it was read."""

from __future__ import annotations

import os
import re

from ..mail import attachments
from ..protocol import show
from ..protocol.errors import CannotWrite, InvalidAttachment, StoreFailed
from ..storage import files, unsynced
from . import attached, box, letter, people, spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

_DAY = 86_400.0


_AT_ONCE = 50  # letters that one command shows


class Reading:
    """One letter that is being read: what is attached is saved, and it counts as read when `done` was called."""

    def __init__(self, home: str, index: box.Index, document: dict[str, Any]) -> None:
        self.home = home
        self.index = index
        self.document = document
        self.saved: dict[int, str] = {}  # paths, by the number of the attachment
        self.faults: dict[int, str] = {}  # why one could not be saved
        self.comes_later = False  # whether another try may have what is missing now

    def missing(self) -> list[int]:
        """The attachments that were neither saved before nor fetched."""
        return [number for number in range(len(self.document["attachments"])) if not self._is_here(number)]

    def _is_here(self, number: int) -> bool:
        return files.is_file(self._fetched(number)) or bool(self._before(number))

    def _fetched(self, number: int) -> str:
        return box.fetched(self.home, letter.name_of(self.document), number)

    def _before(self, number: int) -> str:
        """Where an earlier reading has saved it, if it still lies there."""
        saved = self.document["saved"]
        path = saved[number] if isinstance(saved, list) and number < len(saved) else ""
        return path if isinstance(path, str) and path and os.path.isfile(path) else ""

    def save(self, folder: str, given: bool) -> None:
        """Save what is here; into another folder than the inbox also what was saved there before (`given`)."""
        if not given:  # what a reading that was killed has left a day ago
            unsynced.sweep(folder, _DAY, lambda name: not re.fullmatch(r"\.[0-9]+\.part", name))
        for number, about in enumerate(self.document["attachments"]):
            source = self._fetched(number)
            before = self._before(number)
            try:
                if before and not given:
                    self.saved[number] = before
                elif files.is_file(source) or before:
                    data = files.read(source if files.is_file(source) else before, attachments.MAX_SIZE)
                    self.saved[number] = attached.save(data, about, folder)
                elif number not in self.faults:
                    self.faults[number], self.comes_later = "it was not fetched yet", True
            except CannotWrite as error:
                self.faults[number], self.comes_later = error.message, True
            except (InvalidAttachment, files.BadFile, FileNotFoundError):
                # It was checked when it was fetched. Without it the next reading fetches it anew.
                self.faults[number], self.comes_later = "its copy here was damaged and is gone now", True
                files.remove(source)

    def lacks(self, number: int, why: str, later: bool) -> None:
        """An attachment could not be fetched; `later` if another try may have it."""
        self.faults[number] = why
        self.comes_later = self.comes_later or later

    def done(self) -> bool:
        """The letter was shown. It counts as read, unless a file of it may still be had; whether it does."""
        document = self.document
        if self.comes_later:
            return False
        saved = [self.saved.get(number, "") for number in range(len(document["attachments"]))]
        first = document["read_at"] is None
        read_at = document["read_at"] or show.timestamp()
        if first:
            spool.owe_receipt(self.home, letter.receipt(document["id"], document["to"], document["from"], read_at))
        if first or saved != document["saved"]:
            box.mark_read(self.home, self.index, letter.name_of(document), read_at, saved)
        for number in self.saved:
            files.remove(self._fetched(number))
        return True


def open_letters(home: str, asked: Optional[str]) -> tuple[box.Index, list[Reading]]:
    """The letter with this number or id, or the first 50 that are unread; UnknownLetter, NothingToRead.

    CannotWrite for one that is damaged, which keeps nobody from reading the others.
    """
    index = box.Index(home)
    wanted = [index.find(asked)] if asked else box.next_unread(index)
    found: list[Reading] = []
    for name in wanted:  # a damaged one takes no other's place
        document = index.open(name)
        if document is not None:
            found.append(Reading(home, index, document))
        if len(found) == _AT_ONCE:
            break
    if not found:
        where = index.path(wanted[0])
        raise CannotWrite(f"{where} cannot be read", "Bring it back from a backup, or remove it.")
    return index, found


def fetch(home: str, environ: Mapping[str, str], url: str, readings: list[Reading], progress: Any) -> None:
    """Fetch the attachments that are missing, and note in each reading what could not be had."""
    lacking = [reading for reading in readings if reading.missing()]
    if not lacking:
        return
    from . import keys, pull, seal, store, trip

    try:
        one = trip.Trip(
            home, keys.load(environ), store.open_store(url, environ), people.load(home), readings[0].index,
            spool.Sent(home), trip.load_state(home, url), progress=progress,
        )  # fmt: skip
    except StoreFailed as error:
        for reading in lacking:
            for number in reading.missing():
                reading.lacks(number, error.message, later=True)
        return
    total = sum(reading.document["attachments"][number]["size"] for reading in lacking for number in reading.missing())
    progress.begin("Fetching", total)
    failed: Optional[StoreFailed] = None
    for reading in lacking:
        for number in reading.missing():
            try:
                if failed is not None:
                    raise failed
                pull.fetch(one, reading.document, number)
            except seal.Refused as refused:
                reading.lacks(number, refused.why, later=False)
            except CannotWrite as error:
                reading.lacks(number, error.message, later=True)
            except StoreFailed as error:
                if not isinstance(error, store.Denied):
                    failed = error  # the store is away: asking it for the others would only take longer
                reading.lacks(number, error.message, later=True)
    progress.end()
