"""Files: read without surprises, write so that a reader never sees half and a power cut loses nothing.

The rules behind every function here: data is fsynced before it gets the name readers look for, the folder is
fsynced before anybody is told yes, `link` publishes and never overwrites, `rename` replaces only what is
derived or what the caller holds a lock on. A failed fsync is an error, never retried: the kernel may already
have dropped the pages. What could not be finished is removed, so that a full disk does not stay full of it.
Modes are 0600 and 0700 whatever the umask.
"""

from __future__ import annotations

import errno
import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class BadFile(Exception):
    """What lies under a name is no file that can be read: `why` says so; `changed` is its mtime, if known."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def read(path: str, limit: int) -> bytes:
    """All bytes of a regular file of at most `limit` bytes.

    FileNotFoundError if nothing has that name; BadFile for a link, folder, FIFO or device, for one too large
    and for one that may not be read. Never blocks on a FIFO and never follows a link.
    """
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadFile("a symbolic link" if error.errno == errno.ELOOP else _reason(error)) from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise BadFile(_kind(status.st_mode))
        if status.st_size > limit:
            raise BadFile(f"{status.st_size} bytes, more than the {limit} allowed")
        data = os.read(fd, status.st_size + 1)
        while len(data) < status.st_size:
            more = os.read(fd, status.st_size - len(data))
            if not more:
                break
            data += more
        return data
    except OSError as error:
        raise BadFile(_reason(error)) from None
    finally:
        os.close(fd)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _kind(mode: int) -> str:
    for test, name in ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket")):
        if test(mode):
            return name
    return "a device"


def age(path: str) -> float:
    """Seconds since the file changed; negative when its time lies ahead, 0 when it is gone."""
    try:
        return time.time() - os.lstat(path).st_mtime
    except OSError:
        return 0.0


def is_file(path: str) -> bool:
    """Whether a path is a regular file, and no link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def names(folder: str) -> list[str]:
    """The names in a folder, unsorted; none if there is no such folder, or a link in its place."""
    try:
        return [] if os.path.islink(folder) else os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def sync(fd: int, path: str) -> None:
    """Make an open file durable; the OSError names it."""
    try:
        os.fsync(fd)
    except OSError as error:
        error.filename = path
        raise


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, _FOLDER)
    try:
        sync(fd, folder)
    finally:
        os.close(fd)


def make_folder(path: str) -> None:
    """Make a folder with mode 0700, and the ones above it; durable. Does nothing if it is there.

    A link in its place is an error: who puts something into a folder of the home means that folder.
    """
    if os.path.islink(path):
        raise NotADirectoryError(errno.ENOTDIR, "a symbolic link in the place of a folder", path)
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    if not os.path.isdir(above):
        make_folder(above)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    os.chmod(path, 0o700)
    sync_folder(above)


def set_mode(path: str, mode: int) -> None:
    """Give a file or folder its permissions; the caller has looked that it is no link."""
    os.chmod(path, mode)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte; a short write goes on until the kernel names the reason."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def flush(paths: Mapping[int, str]) -> dict[int, OSError]:
    """Make open files durable, given with their paths; returns the error of each that could not be.

    The disk is told of all of them before the first is waited for: it then writes many at the price of a few.
    """
    if len(paths) > 1 and hasattr(os, "posix_fadvise"):
        for fd in paths:
            try:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # which begins to write what is dirty
            except OSError:
                pass  # it was advice
    failed = {}
    for fd, path in paths.items():
        try:
            sync(fd, path)
        except OSError as error:
            failed[fd] = error
    return failed


def create(path: str, data: bytes) -> None:
    """Write a new file and fsync it; FileExistsError if the name is taken. The folder is not synced.

    OSError: there is no file.
    """
    fd = begin(path, data)
    try:
        sync(fd, path)
    except BaseException:
        _discard(path)
        raise
    finally:
        os.close(fd)


def begin(path: str, data: bytes) -> int:
    """A new file with this content, still open and not yet durable; FileExistsError if the name is taken.

    OSError: there is no file.
    """
    fd = os.open(path, _CREATE, 0o600)
    try:
        os.fchmod(fd, 0o600)
        write_all(fd, data)
    except BaseException:  # nobody else could close it
        _discard(path)
        os.close(fd)
        raise
    return fd


def _discard(path: str) -> None:
    """Take away what could not be finished, if the disk lets us; the error that is on its way says the rest."""
    try:
        os.unlink(path)
    except OSError:
        pass


def replace(path: str, data: bytes) -> None:
    """Put `data` under a name in one step, durable; the old content stays until then.

    The caller holds a lock that covers `path`: the temporary name is the same for all, so that a killed
    writer leaves one file the next one overwrites, not one more each time.
    """
    replace_all({path: data})


def replace_all(contents: Mapping[str, bytes]) -> None:
    """As `replace`, of several names in one folder. OSError: some may have their new content, some the old."""
    opened: dict[int, str] = {}
    try:
        try:
            for path, data in contents.items():
                try:
                    opened[begin(_temporary(path), data)] = path
                except FileExistsError:
                    os.unlink(_temporary(path))
                    opened[begin(_temporary(path), data)] = path
            for error in flush(opened).values():
                raise error
        finally:
            for fd in opened:
                os.close(fd)
        for path in contents:
            os.rename(_temporary(path), path)
    except BaseException:
        for path in opened.values():
            _discard(_temporary(path))
        raise
    for folder in {os.path.dirname(path) for path in contents}:
        sync_folder(folder)


def put_new(path: str, data: bytes) -> bool:
    """Make a file with this content; False, and nothing changed, if the name is taken. The folder is not synced.

    The caller holds a lock that covers `path`, as for `replace`; somebody without it may take the name.
    """
    temporary = _temporary(path)
    remove(temporary)
    create(temporary, data)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        remove(temporary)
    return True


def _temporary(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.tmp")


def publish(source: str, path: str) -> None:
    """Give a finished, fsynced file the name readers look for; FileExistsError, never overwriting."""
    os.link(source, path)


def move(source: str, path: str) -> None:
    """Move a file to a free name in another folder of the same disk, durable on both sides.

    The caller holds the guard of this kind of move, so nobody takes the name between look and rename.
    FileNotFoundError if a reader of another program was faster; FileExistsError if the name is taken.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    os.rename(source, path)
    sync_folder(os.path.dirname(path))
    sync_folder(os.path.dirname(source))


def remove(path: str) -> None:
    """Take a name away; nothing if it is gone already."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def remove_folder(path: str) -> None:
    """Take an empty folder away; nothing if it is gone already."""
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass


def supersede(source: str, path: str) -> None:
    """Put a finished file in the place of a damaged one of the same name; the caller syncs the folder."""
    os.rename(source, path)


def put(folder: str, name: str, data: bytes) -> str:
    """Write a file of a person's into their folder under a free name and return its path.

    Nothing is overwritten (`name (1).csv`), no link is followed, and the bytes get their name only when all of
    them are there. The folder is made with the modes the umask gives: it is theirs, not ours.
    """
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{os.getpid()}.part")
    remove(temporary)
    try:
        create(temporary, data)
        stem, ending = os.path.splitext(name)
        number = 0
        while True:
            path = os.path.join(folder, f"{stem} ({number}){ending}" if number else name)
            try:
                publish(temporary, path)
            except FileExistsError:
                number += 1
            else:
                return path
    finally:
        remove(temporary)


def same_bytes(one: str, other: str, limit: int) -> bool:
    """True if both are readable files of at most `limit` bytes with the same content."""
    try:
        return read(one, limit) == read(other, limit)
    except (BadFile, FileNotFoundError):
        return False
