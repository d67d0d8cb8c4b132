"""Reading letters: fetch what is missing, save what is attached, and say to the sender that it was read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..protocol import show
from ..protocol.errors import CannotWrite, InvalidAttachment, StoreFailed
from ..storage import files
from . import box, keys, letter, people, spool
from . import files as attached

MAX_FILE = 10 * 1_048_576


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
        return files.is_file(box.fetched(self.home, self.document["id"], number)) or bool(self._before(number))

    def _before(self, number: int) -> str:
        """Where an earlier reading has saved it, if it still lies there."""
        saved = self.document["saved"]
        path = saved[number] if isinstance(saved, list) and number < len(saved) else ""
        return path if isinstance(path, str) and path and os.path.isfile(path) else ""

    def save(self, folder: str, given: bool) -> None:
        """Save what is here; into another folder than the inbox also what was saved there before (`given`)."""
        for number, about in enumerate(self.document["attachments"]):
            source = box.fetched(self.home, self.document["id"], number)
            before = self._before(number)
            try:
                if before and not given:
                    self.saved[number] = before
                elif files.is_file(source) or before:
                    data = files.read(source if files.is_file(source) else before, MAX_FILE)
                    self.saved[number] = attached.save(data, about, folder)
                else:
                    self.faults.setdefault(number, "it was not fetched yet")
                    self.comes_later = True
            except (InvalidAttachment, CannotWrite) as error:
                self.faults[number] = error.message
                self.comes_later = self.comes_later or isinstance(error, CannotWrite)
            except (files.BadFile, FileNotFoundError):
                self.faults[number] = "its copy here is damaged"

    def lacks(self, number: int, error: Exception) -> None:
        """An attachment could not be fetched."""
        if isinstance(error, StoreFailed):
            self.comes_later = True
            self.faults[number] = error.message
        else:
            self.faults[number] = getattr(error, "why", "") or "it is not in the store"

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
            box.mark_read(self.home, self.index, document["id"], read_at, saved)
        for number in self.saved:
            files.remove(box.fetched(self.home, document["id"], number))
        return True


def open_letters(home: str, asked: str | None) -> tuple[box.Index, list[Reading]]:
    """The letter with this number or id, or all that are unread; UnknownLetter, NothingToRead."""
    index = box.Index(home)
    wanted = [index.find(asked)] if asked else box.next_unread(index)
    found = []
    for letter_id in wanted:
        document = index.open(letter_id)
        if document is None:
            raise CannotWrite(f"{index.path(letter_id)} cannot be read", "Bring it back from a backup, or remove it.")
        found.append(Reading(home, index, document))
    return index, found


def fetch(home: str, environ: Mapping[str, str], url: str, readings: list[Reading], progress: Any) -> None:
    """Fetch the attachments that are missing, and note in each reading what could not be had."""
    lacking = [reading for reading in readings if reading.missing()]
    if not lacking:
        return
    from . import pull, seal, store, trip

    try:
        one = trip.Trip(
            home, keys.load(environ), store.open_store(url, environ), people.load(home), readings[0].index,
            spool.Sent(home), trip.load_state(home, url), progress=progress,
        )  # fmt: skip
    except StoreFailed as error:
        for reading in lacking:
            for number in reading.missing():
                reading.lacks(number, error)
        return
    total = sum(reading.document["attachments"][number]["size"] for reading in lacking for number in reading.missing())
    progress.begin("Fetching", total)
    failed: StoreFailed | None = None
    for reading in lacking:
        for number in reading.missing():
            try:
                if failed is not None:
                    raise failed
                pull.fetch(one, reading.document, number)
            except StoreFailed as error:
                failed = error  # the store is away: asking it for the others would only take longer
                reading.lacks(number, error)
            except (seal.Refused, store.Missing, store.TooLarge) as error:
                reading.lacks(number, error)
    progress.end()
