"""A store in a folder that several users share, on one machine or on a network.

obstore writes the bytes, into a folder only its owner may enter; a file gets its name in the store when it is
complete, durable and readable for those who may read the store. What others put there is read with care: links are
not followed, and no FIFO or device is waited for.

The root must hold `v1`, which `make` puts there: a mount point whose disk is away is no empty store.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from urllib.parse import unquote, urlsplit

from ..protocol.errors import StoreFailed
from ..storage import files, shared, unsynced
from .address import check_key
from .store import Store
from .store_errors import Denied, Missing, TooLarge, refuse

VERSION = "v1"
KINDS = ("dir", "from")
_STAGE = ".new"  # in somebody's own part: what is being written
_DAY = 86400.0  # seconds after which what lies there was left behind by a writer that was killed
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)  # what a link is answered there
_CHUNK = 1 << 20  # bytes between two calls of `progress`


class FolderStore(Store):
    """A store in a folder. A key that leads through a link, or to anything but a file, has no object."""

    def __init__(self, url: str, seconds: float) -> None:
        self.root = os.path.realpath(path_of(url))
        super().__init__(url, None, self.root, seconds)
        self._status()

    def _status(self) -> os.stat_result:
        """The root as it is now; StoreFailed if it is no store."""
        missing = "the folder is missing"
        with _refusing(self.root, "open it"):
            try:
                status = os.stat(self.root)
                missing = f"it has no folder {VERSION}"
                if stat.S_ISDIR(os.lstat(os.path.join(self.root, VERSION)).st_mode):
                    return status
            except (FileNotFoundError, NotADirectoryError):
                pass
        raise StoreFailed(
            f"There is no store in {self.root}: {missing}.",
            "Is the disk mounted? If it is gone for good: ato msg setup --store ANOTHER",
        )

    # ---- Writing --------------------------------------------------------------------------------

    def put_new(self, key: str, data: bytes) -> bool:
        """As of every store; False, too, where something else than a file has the key."""
        return self._publish(key, data, instead=False)

    def replace(self, key: str, data: bytes) -> None:
        """As of every store."""
        self._publish(key, data, instead=True)

    def _publish(self, key: str, data: bytes, instead: bool) -> bool:
        path = os.path.join(self.root, check_key(key))
        root = self._status().st_mode
        file_mode, folder_mode = shared.private(root)
        with _refusing(self.root, f"keep {key}"):
            parts = key.split("/")[:-1]
            for depth in range(1, len(parts) + 1):
                mode = shared.common(root) if depth < 3 else folder_mode
                shared.make_folder(os.path.join(self.root, *parts[:depth]), mode)
            if not instead and os.path.lexists(path):
                return False
            stage = os.path.join(self.root, *parts[:3], _STAGE)
            shared.make_folder(stage, folder_mode & ~0o077)
            unsynced.sweep(stage, _DAY, lambda name: False)
            source = os.path.join(stage, secrets.token_hex(8))
            try:
                self._write(source, data, f"keep {key}")
                return shared.publish(source, path, file_mode, instead)
            except OSError as error:
                if error.errno not in _NO_LINKS or instead:
                    raise
                raise StoreFailed(
                    f"The file system of {self.root} has no hard links, without which no name can be given only once.",
                    "Use a folder on another disk.",
                ) from None
            finally:
                files.remove(source)

    def _write(self, path: str, data: bytes, doing: str) -> None:
        from obstore.store import LocalStore

        folder, name = os.path.split(path)
        self._put(LocalStore(folder), name, data, "overwrite", doing)

    # ---- Reading --------------------------------------------------------------------------------

    def get(self, key: str, limit: int, progress: Callable[[int], None] | None = None) -> bytes:
        """As of every store."""
        path = self._inside(check_key(key))
        with _refusing(self.root, f"read {key}"):
            try:
                fd = os.open(path, _READ)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
                    raise Missing(key) from None
                raise
            try:
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode):
                    raise Missing(key)
                if status.st_size > limit:
                    raise TooLarge(f"{key} has {status.st_size} bytes, more than {limit}")
                data = bytearray()
                while part := os.read(fd, min(_CHUNK, status.st_size - len(data))):
                    data += part
                    if progress:
                        progress(len(part))
                return bytes(data)
            finally:
                os.close(fd)

    def size(self, key: str) -> int | None:
        """As of every store."""
        with _refusing(self.root, f"look for {key}"):
            try:
                status = os.lstat(self._inside(check_key(key)))
            except (FileNotFoundError, Missing):
                return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def _inside(self, key: str) -> str:
        """The path of a key; Missing where one of the folders above it is not there, or is a link."""
        self._status()
        path = self.root
        for part in key.split("/")[:-1]:
            path = os.path.join(path, part)
            with _refusing(self.root, f"look for {key}"):
                try:
                    is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
                except FileNotFoundError:
                    is_folder = False
            if not is_folder:
                raise Missing(key)
        return os.path.join(self.root, key)

    def _list(self, prefix: str, after: str, most: int) -> list[tuple[str, int]]:
        """Every file below a prefix; a folder further down that only its owner may read is passed over."""
        try:
            top = self._inside(f"{prefix}/-")[: -len("/-")]
        except Missing:
            return []
        found: list[tuple[str, int]] = []
        waiting = [prefix]
        with _refusing(self.root, f"list {prefix}"):
            os.listdir(top)
        while waiting and not (most and len(found) > most):
            folder = waiting.pop()
            try:
                with os.scandir(os.path.join(self.root, folder)) as entries:
                    for entry in entries:
                        key = f"{folder}/{entry.name}"
                        if entry.name.startswith("."):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            # All keys in it begin with key + "/", the character before "0".
                            if key + "0" > after:
                                waiting.append(key)
                        elif key > after and entry.is_file(follow_symlinks=False):
                            found.append((key, entry.stat(follow_symlinks=False).st_size))
            except OSError:
                continue
        return found

    # ---- For a probe ----------------------------------------------------------------------------

    def remove(self, key: str) -> None:
        """As of every store."""
        with _refusing(self.root, f"remove {key}"):
            files.remove(self._inside(check_key(key)))

    def flaws(self) -> list[str]:
        """Folders in which one user could remove what another put there."""
        found = []
        for folder in ("", VERSION, *(f"{VERSION}/{kind}" for kind in KINDS)):
            path = os.path.join(self.root, folder).rstrip("/")
            mode = os.stat(path).st_mode if os.path.isdir(path) else stat.S_ISVTX
            if mode & 0o022 and not mode & stat.S_ISVTX:
                found.append(f"Whoever may write in {path} may remove what others put there: chmod +t {path}")
        return found


def make(url: str) -> None:
    """Make a folder a store: the folder itself, where just that is missing, and what all users share in it.

    The new folder is for those for whom the one above it is. StoreFailed where that cannot be done.
    """
    root = os.path.realpath(path_of(url))
    with _refusing(root, "make it a store"):
        if not os.path.isdir(root):
            above = os.path.dirname(root)
            if not os.path.isdir(above):
                raise StoreFailed(f"There is no folder {above}, so no store can be made in it.", "Is the disk mounted?")
            shared.make_folder(root, shared.common(os.stat(above).st_mode))
        status = os.stat(root)
        if status.st_mode & 0o022 and status.st_uid == os.geteuid():
            shared.make_folder(root, shared.common(status.st_mode))
        for folder in ("", *KINDS):
            shared.make_folder(os.path.join(root, VERSION, folder).rstrip("/"), shared.common(status.st_mode))


def path_of(url: str) -> str:
    """The path of a folder's address."""
    return unquote(urlsplit(url).path)


@contextlib.contextmanager
def _refusing(where: str, doing: str) -> Iterator[None]:
    """Says anew what the kernel refuses."""
    try:
        yield
    except OSError as error:
        refusal = refuse(error, where, doing)
        if isinstance(refusal, Denied):
            refusal.hint = f"Whoever made the folder lets others write in it with: chmod 3770 {where}"
        raise refusal from None
