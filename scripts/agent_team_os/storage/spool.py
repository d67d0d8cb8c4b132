"""Sends in flight: one file each in `outbox/.spool/`, under a kernel lock its sender holds to the end.

A file nobody holds belongs to a killed sender. Whether its message was sent is decided by the outbox alone.
"""

from __future__ import annotations

import os
import stat

from ..protocol import home as layout
from . import files, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional

BLOB = ".blob"


class Entry:
    """One spool file, open and locked. Close it in every case; `drop` first if nothing may come of it."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fds = [fd]  # the first holds the lock
        self.blob = path.removesuffix(".json") + BLOB  # where this send keeps an attachment until it is whole
        home, _, _, name = path.rsplit("/", 3)
        self.draft = layout.draft(home, name[:-5])  # and the thread that it opens, until it is sent

    @property
    def fd(self) -> int:
        """The open spool file."""
        return self.fds[0]

    @property
    def has_draft(self) -> bool:
        """Whether the message opens a thread."""
        return len(self.fds) > 1

    def read(self, limit: int) -> bytes:
        """What is in the file, or its first `limit` bytes; nothing of what is no plain file and could block."""
        if not stat.S_ISREG(os.fstat(self.fd).st_mode):
            return b""
        with open(self.fd, "rb", closefd=False) as file:
            file.seek(0)
            return file.read(limit)

    def fill(self, data: bytes) -> None:
        """Write the message; `settle` makes it durable."""
        files.write_all(self.fd, data)

    def fill_draft(self, data: bytes) -> None:
        """Write the thread that the message opens; `settle` makes it durable."""
        self.fds.append(files.begin(self.draft, data))

    def write(self, data: bytes) -> None:
        """Write the message; durable, with its name, when this returns."""
        self.fill(data)
        for error in settle([self]).values():
            raise error

    def rewrite(self, data: bytes) -> None:
        """Replace what a disk has damaged."""
        os.ftruncate(self.fd, 0)
        os.lseek(self.fd, 0, os.SEEK_SET)
        self.write(data)

    def drop(self) -> None:
        """Take the send back or call it done. The spool file goes last: what is without one is nobody's."""
        files.remove(self.blob)
        files.remove(self.draft)
        files.remove(self.path)

    def close(self) -> None:
        """Let go of the kernel lock."""
        for fd in self.fds:
            os.close(fd)


def begin(home: str, message_id: str) -> Entry:
    """A new entry for a message that is about to be sent.

    Between the creation and the lock another command's recovery may take the empty file for a leftover and
    remove it; then the name is made again.
    """
    path = os.path.join(layout.spool(home), message_id + ".json")
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.fchmod(fd, 0o600)
            lock.flock(fd, "outbox/.spool/" + message_id)
            if _names(path, fd):
                return Entry(path, fd)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def settle(entries: Sequence[Entry]) -> dict[int, OSError]:
    """Make entries durable, with their names; returns by `fd` the error of each that is not."""
    failed = files.flush({fd: entry.path for entry in entries for fd in entry.fds})
    try:
        for folder in {os.path.dirname(entry.path) for entry in entries}:
            files.sync_folder(folder)
    except OSError as error:
        return {entry.fd: error for entry in entries}
    return {entry.fd: failed[fd] for entry in entries for fd in entry.fds if fd in failed}


def seize(path: str) -> Optional[Entry]:
    """The entry a killed sender left; None if its sender lives or somebody else has just dealt with it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    if lock.try_flock(fd) and _names(path, fd):
        return Entry(path, fd)
    os.close(fd)
    return None


def _names(path: str, fd: int) -> bool:
    """True if the path still leads to the open file."""
    try:
        there, mine = os.lstat(path), os.fstat(fd)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
