"""Where letters are kept: objects under keys, in a shared folder or in the cloud storage of an organisation.

    store = open_store("s3://team/mail", os.environ)
    store.put_new("v1/from/<uid>/to/<uid>/<id>.age", data)
    for key, size in store.keys("v1/from/<uid>/to/<uid>", after=last): ...

All stores are obstore's, a folder too (`post.folder` adds what a folder of several users needs); it is imported when
a store is opened. Objects are made once and then stay as they are. Every failure is a StoreFailed in plain words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from ..mail import attachments
from ..protocol.errors import StoreFailed
from .address import check_key, check_prefix, check_url, is_key
from .seal import missing
from .store_errors import Denied, Missing, TooLarge, refuse

if TYPE_CHECKING:
    import asyncio

__all__ = [
    "Denied",
    "Missing",
    "Store",
    "StoreFailed",
    "TooLarge",
    "check_url",
    "make_folder_store",
    "open_store",
    "probe",
]

_SLOWEST = 131_072  # bytes a second: 10 MiB in 80 s
_CHUNK = 256 * 1024  # bytes between two calls of `progress`
_MEMORY: dict[str, Any] = {}  # the stores of this process that are kept nowhere


class Store:
    """A store over obstore. `seconds` is the longest any one call may take, with all it tries anew; to that comes what
    the bytes of an object take on the slowest line there should be."""

    def __init__(self, url: str, remote: Any, where: str, seconds: float) -> None:
        self.url = url
        self._remote = remote
        self._where = where
        self._seconds = seconds

    def put_new(self, key: str, data: bytes) -> bool:
        """Make an object; False, and nothing changed, if the key is taken.

        It may be taken by these very bytes: when an earlier try was cut off, nobody knows whether it had been done.
        """
        from obstore.exceptions import AlreadyExistsError

        try:
            self._put(self._remote, check_key(key), data, "create", f"keep {key}")
        except AlreadyExistsError as error:
            if "ConditionalRequestConflict" in str(error):  # not taken, but written by somebody at this moment
                raise refuse(error, self._where, f"keep {key}") from None
            return False
        return True

    def replace(self, key: str, data: bytes) -> None:
        """Put an object of ours in the place of one that the store has damaged."""
        self._put(self._remote, check_key(key), data, "overwrite", f"keep {key}")

    def _put(self, remote: Any, key: str, data: bytes, mode: Literal["create", "overwrite"], doing: str) -> None:
        import obstore

        try:
            self._wait(lambda _: obstore.put_async(remote, key, data, mode=mode, use_multipart=False), doing, len(data))
        except FileNotFoundError as error:  # there is nothing to be found by a put but the bucket
            raise refuse(ValueError(f"NoSuchBucket {error}"), self._where, doing) from None

    def get(self, key: str, limit: int, progress: Callable[[int], None] | None = None) -> bytes:
        """The bytes of an object; `progress` is told how many have come with each part.

        Missing if there is none; TooLarge, before it is read, if it has more than `limit` bytes.
        """
        check_key(key)
        try:
            data: bytes = self._wait(lambda time: self._read(key, limit, progress, time), f"read {key}")
        except FileNotFoundError as error:
            raise self._missing(error, key) from None
        return data

    async def _read(self, key: str, limit: int, progress: Callable[[int], None] | None, time: asyncio.Timeout) -> bytes:
        import asyncio

        import obstore

        found = await obstore.get_async(self._remote, key)
        size = found.meta["size"]
        time.reschedule(asyncio.get_running_loop().time() + self._seconds + size / _SLOWEST)
        data = bytearray()
        if size <= limit:
            async for part in found.stream(min_chunk_size=_CHUNK):
                data += part
                if len(data) > limit:
                    break
                if progress:
                    progress(len(part))
        if max(size, len(data)) > limit:
            raise TooLarge(f"{key} has {max(size, len(data))} bytes, more than {limit}")
        if len(data) != size:
            raise ConnectionError("IncompleteMessage")
        return bytes(data)

    def size(self, key: str) -> int | None:
        """How many bytes an object has; None if there is none.

        S3 does not say here that there is no bucket; and where we may not list, AWS says Denied instead of None.
        """
        import obstore

        check_key(key)
        try:
            found = self._wait(lambda _: obstore.head_async(self._remote, key), f"look for {key}")
        except FileNotFoundError as error:
            self._missing(error, key)
            return None
        return int(found["size"])

    def _missing(self, error: FileNotFoundError, key: str) -> Missing:
        """What an object that was not found means; StoreFailed if the whole bucket is not there."""
        refusal = refuse(ValueError(str(error)), self._where, f"look for {key}")
        if "no such bucket" in refusal.message:
            raise refusal
        return Missing(key)

    def keys(self, prefix: str, after: str = "", most: int = 0) -> list[tuple[str, int]]:
        """The key and size of each object below a prefix, sorted; only those whose key comes after `after`.

        With `most` the listing ends when it has found more than that, in no special order.

        What has a key that is none of ours is left out. Denied if we may not list that.
        """
        found = self._list(check_prefix(prefix), after, most)
        return sorted((key, size) for key, size in found if key > after and is_key(key))

    def _list(self, prefix: str, after: str, most: int) -> list[tuple[str, int]]:
        try:
            found: list[tuple[str, int]] = self._wait(lambda _: self._listed(prefix, after, most), f"list {prefix}")
        except FileNotFoundError as error:
            raise refuse(ValueError(f"NoSuchBucket {error}"), self._where, f"list {prefix}") from None
        return found

    async def _listed(self, prefix: str, after: str, most: int) -> list[tuple[str, int]]:
        import obstore

        # Not behind `after` itself: a server that sorts folder by folder, as SeaweedFS does, leaves out what is in `x/`
        # behind `x.age` or `x/`. From a little earlier on it finds all of it; `keys` drops what is too much.
        begin = (after.rpartition(".")[0] or after)[:-1]
        while begin.endswith("/"):
            begin = begin[:-2]
        pages = obstore.list(self._remote, prefix, offset=begin or None)
        found: list[tuple[str, int]] = []
        async for page in pages:
            found += [(entry["path"], entry["size"]) for entry in page]
            if most and len(found) > most:
                break
        return found

    def remove(self, key: str) -> None:
        """Take an object away, which only a probe does; most stores refuse it, and shall."""
        import obstore

        check_key(key)
        self._wait(lambda _: obstore.delete_async(self._remote, key), f"remove {key}")

    def flaws(self) -> list[str]:
        """What is known to be wrong with the store without trying it, in words."""
        return []

    def _wait(self, begin: Callable[[asyncio.Timeout], Awaitable[Any]], what: str, size: int = 0) -> Any:
        """What obstore answers, within the time that there is for so many bytes; its refusals as ours.

        FileNotFoundError and AlreadyExistsError are passed on, they mean something else each time.
        """
        import asyncio

        from obstore.exceptions import AlreadyExistsError

        answer: list[Any] = []  # not returned: asyncio.run formats what its task returns, 10 MiB in 0.2 s

        async def limited() -> None:
            async with asyncio.timeout(self._seconds + size / _SLOWEST) as time:
                answer.append(await begin(time))

        try:
            asyncio.run(limited())
        except (FileNotFoundError, AlreadyExistsError, TooLarge, StoreFailed):
            raise
        except Exception as error:
            raise refuse(error, self._where, what) from None
        return answer[0]


def require() -> None:
    """NotInstalled unless obstore is there; for a verb that changes something before it needs it."""
    import importlib.util

    if importlib.util.find_spec("obstore") is None:
        raise missing("obstore")


def open_store(url: str, environ: Mapping[str, str], seconds: float = 20.0) -> Store:
    """The store at an address. Nothing is asked of it yet, but a folder must be there.

    `seconds` is the longest any single call may take, but for the bytes of large objects. Of a folder on a network only
    the kernel knows that. `memory://name`
    is a store that lasts as long as this process.
    """
    try:
        import obstore.store
    except ImportError:
        raise missing("obstore") from None
    if url.startswith("memory://"):
        return Store(url, _MEMORY.setdefault(url, obstore.store.MemoryStore()), url, seconds)
    url = check_url(url)
    if url.startswith("file://"):
        from .folder import FolderStore

        return FolderStore(url, seconds)
    arguments: dict[str, Any] = {"client_options": {}}
    where = url
    if url.startswith("s3://"):
        from . import credentials

        where = f"{url} at {host}" if (host := credentials.host(environ)) else url
        arguments = credentials.s3(environ, where)
    limit = timedelta(seconds=seconds)
    with_bytes = limit + timedelta(seconds=attachments.MAX_SIZE / _SLOWEST)
    arguments["client_options"].update(timeout=with_bytes, connect_timeout=min(limit, timedelta(seconds=5)))
    backoff = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=1), "base": 2}
    arguments["retry_config"] = {"max_retries": 3, "retry_timeout": limit, "backoff": backoff}
    try:
        return Store(url, obstore.store.from_url(url, **arguments), where, seconds)
    except Exception as error:
        raise refuse(error, where, "open it") from None


def make_folder_store(url: str) -> None:
    """Make a folder a store, which only setup does: the folder itself if just that is missing, and the parts of it
    that all users share. Does nothing for other kinds of stores. StoreFailed where that cannot be done."""
    url = check_url(url)
    if url.startswith("file://"):
        from .folder import make

        make(url)


def probe(store: Store, key: str) -> list[str]:
    """What makes a store unfit for letters, in words; nothing if it is fit.

    Writes a few bytes under a key that must be new, and removes them where that is allowed. StoreFailed if the store
    is away or does not let us write there.
    """
    first, second = b"a letter could be here\n", b"and this must not replace it\n"
    folder = key.rpartition("/")[0]
    found = list(store.flaws())
    if not store.put_new(key, first):
        return [*found, f"It says that {key} is there already, which nobody has made."]
    try:
        if store.put_new(key, second):
            found.append("It overwrites objects where it was told to create them only if absent (If-None-Match: *).")
        try:
            data = store.get(key, 1000)
            if data != first and not (found and data == second):
                found.append("It gives back other bytes than it was given.")
            if (key, len(data)) not in store.keys(folder):
                found.append("It does not list an object that has just been made.")
            if store.keys(folder, after=key):
                found.append("It lists objects from the beginning where it was told to go on behind one.")
        except Missing:
            found.append("It does not find an object that has just been made.")
        except Denied as error:
            found.append(f"It refuses what a person must be able to do with objects of their own: {error.message}")
    finally:
        try:
            store.remove(key)
        except (Missing, StoreFailed):
            pass  # most stores allow nobody to remove anything
    return found
