"""An append-only file of lines, written under its own kernel lock: the outbox of one day."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from . import files, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CHUNK = 1 << 16  # of larger pieces each would be memory fetched anew from the system
_LONGEST = 4 << 20  # bytes of a line that are kept; no message comes near it
_doubtful: set[str] = set()  # files whose fsync has failed: the next one may say yes and have written nothing


class Journal:
    """The open and locked file. Helpers of version 1 append to it without the lock, a line at a time."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(self.fd).st_mode):
                raise OSError(errno.EINVAL, "is no regular file", path)
            lock.flock(self.fd, os.path.basename(path))
            self.start, self.data = os.fstat(self.fd).st_size, b""
            if self.start == 0:
                os.fchmod(self.fd, 0o600)
                files.sync_folder(os.path.dirname(path))
        except BaseException:  # nobody else could close it
            os.close(self.fd)
            raise

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines in one write and make them durable; OSError leaves `undo` to be called."""
        self.start = os.fstat(self.fd).st_size
        torn = self.start > 0 and os.pread(self.fd, 1, self.start - 1) != b"\n"
        self.data = (b"\n" if torn else b"") + b"".join(line + b"\n" for line in lines)
        files.write_all(self.fd, self.data)
        files.sync(self.fd, self.path)

    def undo(self, lines: Sequence[bytes]) -> None:
        """Cut off these last lines of what `append` wrote, or all that is there of them.

        OSError if that cannot be done, also because something came behind them.
        """
        size = os.fstat(self.fd).st_size
        keep = self.start + max(0, len(self.data) - sum(len(line) + 1 for line in lines))
        # What stands there must be ours: a helper of version 1 may have appended to what we could not finish.
        if size > keep and not self.data[keep - self.start :].startswith(os.pread(self.fd, size - keep, keep)):
            raise OSError(f"{self.path} was written to behind the line to undo")
        if size > keep:
            os.ftruncate(self.fd, keep)
            files.sync(self.fd, self.path)

    def close(self) -> None:
        """Let go of the file and its lock; never an error, since all that counts was fsynced."""
        with contextlib.suppress(OSError):
            os.close(self.fd)


def sync(path: str) -> None:
    """Make durable what a killed writer may have left in the page cache only; OSError, and never asked again."""
    if path in _doubtful:
        raise OSError(errno.EIO, "an earlier fsync of it failed", path)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        files.sync(fd, path)
    except OSError:
        _doubtful.add(path)
        raise
    finally:
        os.close(fd)


def lines(path: str) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, the last one also without its newline.

    Split at newline bytes only; nothing if there is no such file, or something else has its name. Of a line
    longer than any message only the beginning is kept, so that memory stays bounded.
    """
    number = 0
    for data, begin, end in _blocks(path):
        for line in data[begin:end].split(b"\n"):
            number += 1
            yield number, line


def mentioning(path: str, needle: bytes) -> Iterator[bytes]:
    """The lines that contain `needle`, as `lines` gives them; the others are not even cut out."""
    for data, begin, end in _blocks(path):
        at = data.find(needle, begin, end)
        while at >= 0:
            first, last = max(data.rfind(b"\n", begin, at) + 1, begin), data.find(b"\n", at, end)
            last = end if last < 0 else last
            yield data[first:last]
            at = data.find(needle, last, end)


def _blocks(path: str) -> Iterator[tuple[bytes, int, int]]:
    """Whole lines of a file, many at once: bytes, and from where to where they are lines, the last newline left out.

    A line in two pieces of what was read is one by itself; nothing else is copied.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):  # a device could be read for ever
        os.close(fd)
        return
    rest = b""
    with os.fdopen(fd, "rb", buffering=0) as file:
        while data := file.read(_CHUNK):
            first, last = data.find(b"\n"), data.rfind(b"\n")
            if len(rest) < _LONGEST:
                rest += data[:first] if first >= 0 else data
            if first < 0:
                continue
            yield rest, 0, len(rest)
            if last > first:
                yield data, first + 1, last
            rest = data[last + 1 :]
    if rest:
        yield rest, 0, len(rest)
