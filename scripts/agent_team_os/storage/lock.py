"""Locks: who may write, among our own processes and beside a shell script that knows only mkdir.

Two kinds. `guard` is a kernel lock on a file that is never unlinked: the kernel frees it when its holder
dies, so nobody has to guess whether a process still lives. `recipient` adds the mkdir lock of version 1
around a guard, for the inboxes that helpers of version 1 write too.

Why the mkdir lock is taken over the way it is:
- Among our processes only the guard decides. Who holds the guard and still finds one of our names inside the
  folder knows that its writer is dead; no process id is probed, so a reused one cannot fool us.
- An empty folder may be a helper of version 1 at work, and looks the same when that helper was killed. It
  counts as held for two seconds of our own running time, watched through one open folder: a folder made anew
  by the next helper is another inode and starts the count again, and time we spend stopped does not count.
- Takeover adopts the folder by making our name inside it through that open descriptor. To remove and make it
  again, or to rename one over it, can hit the folder of a helper that came in between.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time

from ..protocol import home as layout
from ..protocol.errors import LockBusy
from . import process

try:
    import fcntl
except ImportError:  # no POSIX locks: portalocker knows what this platform has instead
    fcntl = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Optional

WAIT = 5.0  # seconds until a busy lock is an error
LEASE = 2.0  # seconds of our running time that an empty lock folder belongs to a helper of version 1
_FIRST_POLL, _LAST_POLL = 0.001, 0.020
_LONGEST_STEP = 0.1  # of one poll that counts as running time
BUCKETS = 64  # guards for things without number (threads, messages) share this many files


def try_flock(fd: int) -> bool:
    """Take the kernel lock of an open file if it is free."""
    if fcntl is None:
        import portalocker

        try:
            portalocker.lock(fd, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.LockException:
            return False
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def flock(fd: int, name: str, wait: float = WAIT) -> None:
    """Take the kernel lock of an open file; LockBusy after `wait` seconds."""
    poll, deadline = _FIRST_POLL, time.monotonic() + wait
    while not try_flock(fd):
        if time.monotonic() >= deadline:
            raise busy(name, wait)
        time.sleep(poll)
        # Who has waited long asks more often than who has just come: else some of many would never have their turn.
        patient = deadline - time.monotonic() > wait / 2
        poll = min(poll * 2, _LAST_POLL) if patient else _FIRST_POLL


def busy(name: str, wait: float = WAIT) -> LockBusy:
    """The error for a lock that stayed held for `wait` seconds."""
    return LockBusy(f"somebody else has held the lock {name} for {wait:g} s", "Try again; if it stays: ato doctor")


def bucket(text: str) -> str:
    """Which of the shared guards covers this id."""
    import zlib

    return f"{zlib.crc32(text.encode()) % BUCKETS:02d}"


@contextlib.contextmanager
def guard(home: str, name: str, wait: float = WAIT) -> Iterator[None]:
    """Hold the kernel lock `locks/<name>.guard`; LockBusy after `wait` seconds (0: at once).

    The file is opened for writing nowhere else and never unlinked, so two processes never lock two files of
    one name. Held across no fork without exec: a child would share it.
    """
    fd = os.open(layout.lock(home, name) + ".guard", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(fd, 0o600)
        flock(fd, name, wait)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def recipient(home: str, agent: str, wait: Optional[float] = None) -> Iterator[None]:
    """Hold the lock of an agent's inbox against our processes and against helpers of version 1.

    LockBusy after `wait` seconds, WAIT unless told. A dead holder of ours is taken over at once, a dead helper
    after its lease, for which a shorter wait is too short.
    """
    wait = WAIT if wait is None else wait
    deadline = time.monotonic() + wait
    with guard(home, agent, wait):
        folder = layout.lock(home, agent) + ".lock"
        fd = _claim(folder, agent, wait, deadline)
        try:
            yield
        finally:
            _release(folder, fd)


def _claim(path: str, name: str, wait: float, deadline: float) -> int:
    """An open descriptor of the lock folder, with our name in it. The guard is held."""
    ours = process.owner()
    watched, inode, seen, fresh = -1, (0, 0), 0.0, False
    poll, last = _FIRST_POLL, time.monotonic()
    try:
        while True:
            fresh = _made(path)
            fd = _open(path)
            now = time.monotonic()
            if fd >= 0:
                status = os.fstat(fd)
                if watched >= 0 and (status.st_dev, status.st_ino) == inode:
                    os.close(fd)
                    seen += min(now - last, _LONGEST_STEP)
                else:
                    if watched >= 0:
                        os.close(watched)
                    # The descriptor keeps the inode alive: its number cannot be given to another folder.
                    watched, inode, seen = fd, (status.st_dev, status.st_ino), 0.0
                if _take(watched, ours, fresh or seen >= LEASE):
                    taken, watched = watched, -1
                    return taken
            last = now
            if now >= deadline:
                raise busy(name, wait)
            time.sleep(poll)
            poll = min(poll * 2, _LAST_POLL)
    except OSError:
        if fresh:  # the disk refused our name in it: an empty one would count as a helper's for its lease
            with contextlib.suppress(OSError):
                os.rmdir(path)
        raise
    finally:
        if watched >= 0:
            os.close(watched)


def _made(path: str) -> bool:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return False
    os.chmod(path, 0o700)  # a umask may have taken even our own right to write into it
    return True


def _open(path: str) -> int:
    """The folder, or -1: gone again, or something else has its name."""
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return -1
    except OSError as error:
        import errno

        if error.errno == errno.ELOOP:
            return -1
        raise


def _take(fd: int, ours: str, lease_over: bool) -> bool:
    """Put our name into the folder if nobody alive can be in it."""
    names = os.listdir(fd)
    if not all(process.is_ours(name) and _is_file(fd, name) for name in names) or (not names and not lease_over):
        return False
    try:
        os.close(os.open(ours, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=fd))
    except FileNotFoundError:  # the helper has just released it: the folder we watch has no name any more
        return False
    except FileExistsError:  # our own name, left by a process whose id and start time we now have: dead
        pass
    for name in names:
        if name != ours:
            os.unlink(name, dir_fd=fd)
    return True


def _is_file(fd: int, name: str) -> bool:
    """Whether what bears one of our names in the folder could be ours; True if it is gone."""
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return True


def _release(path: str, fd: int) -> None:
    try:
        os.unlink(process.owner(), dir_fd=fd)
        mine, there = os.fstat(fd), os.stat(path, follow_symlinks=False)
        if (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino):
            os.rmdir(path)
    except OSError:
        # Somebody took the folder away or put a file into it; the guard frees the lock for us in any case,
        # and doctor names what is left.
        pass
    finally:
        os.close(fd)
