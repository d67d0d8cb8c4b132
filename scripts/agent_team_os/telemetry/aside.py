"""Setting a damaged store aside: it keeps what only it knows, and nothing deletes it or takes its name.

A store of another program or another version is in the way as well and treated alike. What lies there is named by
`ato telemetry` each time until a person removes it: a pass that nobody watches may have been the one that moved it.
"""

from __future__ import annotations

import contextlib
import os

from ..storage import files, lock
from . import notice

# What SQLite takes for parts of whatever database bears the name before the ending.
_PARTS = ("-journal", "-wal", "-shm")


def found(home: str) -> list[str]:
    """What was set aside and still lies there, by path."""
    folder, name = os.path.split(notice.usage(home))
    try:
        entries = sorted(os.listdir(folder))
    except OSError:
        return []
    return [
        os.path.join(folder, entry)
        for entry in entries
        if entry.startswith(name + ".broken") and not entry.endswith(_PARTS)
    ]


def move(home: str, path: str, number: int) -> None:
    """Move the store with this number of its file, and its parts, under the first free name beside it.

    It is looked at and moved under a guard: of two processes that met the damage the slower one finds the new store of
    the faster one there, which has another number, and leaves it alone. OSError if it cannot be moved, LockBusy.
    """
    with lock.guard(home, "@telemetry"), contextlib.suppress(FileNotFoundError):
        if os.lstat(path).st_ino != number:
            return
        free = _free(path)
        for part in _PARTS:  # first, since they would be taken for those of the new store
            with contextlib.suppress(FileNotFoundError):
                files.move(path + part, free + part)
        files.move(path, free)


def _free(path: str) -> str:
    count = 1
    while any(os.path.lexists(f"{path}.broken-{count}{part}") for part in ("", *_PARTS)):
        count += 1
    return f"{path}.broken-{count}"
