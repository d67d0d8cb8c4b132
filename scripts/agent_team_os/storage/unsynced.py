"""Files nobody misses after a power cut: written without any fsync, and so in a fraction of the time."""

from __future__ import annotations

import errno
import os
import stat

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

_SWEPT = 200  # files that one sweep removes
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


def note(path: str, data: bytes) -> None:
    """Put derived data under a name, whole or not at all, and without any fsync: a power cut may lose it.

    The folder above it is made where it is missing. Of two writers at once the later wins.
    """
    folder, name = os.path.split(path)
    if os.path.islink(folder):
        raise NotADirectoryError(errno.ENOTDIR, "a symbolic link in the place of a folder", folder)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    try:
        fd = os.open(temporary, _NEW, 0o600)
    except FileNotFoundError:
        files.make_folder(folder)
        fd = os.open(temporary, _NEW, 0o600)
    try:
        try:
            os.fchmod(fd, 0o600)
            files.write_all(fd, data)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except BaseException:  # an interrupt, too, leaves nothing behind
        files.remove(temporary)
        raise


def append(path: str, data: bytes) -> None:
    """Add to the end of somebody else's file; it is made if it is missing, and not waited for."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        files.write_all(fd, data)
    finally:
        os.close(fd)


def touch(path: str) -> None:
    """Let the time of a file of ours be now; an empty one is made where there is none."""
    try:
        os.utime(path, follow_symlinks=False)
    except FileNotFoundError:
        note(path, b"")


def sweep(folder: str, seconds: float, kept: Callable[[str], bool]) -> None:
    """Remove the files of a folder that nothing has changed for so long, but for those whose names are `kept`.

    So many at most that nobody waits for it; the next sweep goes on.
    """
    removed = 0
    for name in files.names(folder):
        path = os.path.join(folder, name)
        if not kept(name) and files.age(path) > seconds:
            try:
                files.remove(path)
                removed += 1
            except OSError:
                pass  # a folder, or nothing we may remove: doctor names it
            if removed >= _SWEPT:
                return


def log(path: str, line: bytes, most: int) -> None:
    """Append a line to a file of ours that starts anew when it has grown past `most` bytes."""
    # Not blocking: a FIFO in its place would wait for a reader for ever.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(path, flags, 0o600)
    except FileNotFoundError:
        files.make_folder(os.path.dirname(path))
        fd = os.open(path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return
        os.fchmod(fd, 0o600)
        if os.fstat(fd).st_size + len(line) >= most:
            os.ftruncate(fd, 0)
        files.write_all(fd, line + b"\n")
    finally:
        os.close(fd)
