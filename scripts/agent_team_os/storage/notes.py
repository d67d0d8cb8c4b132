"""Notes: JSON the program keeps for itself, derived from what is on the bus; a lost or broken one is an empty one."""

from __future__ import annotations

from ..protocol import strictjson
from . import files, unsynced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST = 64 * 1_048_576  # bytes: a million ids


def read(path: str) -> dict[str, Any]:
    """The object in a note; empty where there is none, or what is there is none."""
    try:
        note = strictjson.parse(files.read(path, MOST))
    except (FileNotFoundError, files.BadFile, strictjson.BadJSON):
        return {}
    return note if isinstance(note, dict) else {}


def write(path: str, note: dict[str, Any]) -> None:
    """Keep a note, as `unsynced.note` does; OSError where the disk says no."""
    unsynced.note(path, strictjson.compact(note))
