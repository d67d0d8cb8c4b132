"""When each hook last ran, and what last went wrong in one."""

from __future__ import annotations

import os
import time

from ..protocol import home as layout
from ..protocol import show
from ..storage import files, unsynced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

MOST = 262_144  # bytes of the log of errors
RECENT = 7 * 86_400  # seconds an error is worth mentioning


def add(home: str, event: str, error: Exception) -> None:
    """One line on what went wrong; where it cannot be written there is nobody to tell."""
    words = show.one_line(f"{show.timestamp()} {event} {type(error).__name__}: {error}", 1000)
    try:
        unsynced.log(layout.hook_errors(home), words.encode("utf-8", "replace"), MOST)
    except OSError:
        pass


def ran(home: str) -> dict[str, str]:
    """By event, when its hook last had something to do here; the latest first."""
    folder = os.path.join(home, "state")
    found = {}
    for name in _names(folder):
        event = name[:-4]
        if name.endswith(".ran") and event.isascii() and event.isalpha():
            found[event] = time.time() - files.age(os.path.join(folder, name))
    return {event: show.timestamp(at) for event, at in sorted(found.items(), key=lambda item: -item[1])}


def _names(folder: str) -> list[str]:
    """Those of a folder; none of one that cannot be read, which doctor names."""
    try:
        return files.names(folder)
    except OSError:
        return []


def last_error(home: str) -> Optional[str]:
    """The last error of a hook, `<time> <event> <what>`, if it is recent; it may hold text from anywhere."""
    try:
        lines = files.read(layout.hook_errors(home), MOST).decode("utf-8", "replace").splitlines()
    except (FileNotFoundError, files.BadFile):
        return None
    last = lines[-1] if lines else ""
    at = show.seconds_of(last.partition(" ")[0])
    return last if at is not None and time.time() - at < RECENT else None


def both(home: str) -> dict[str, Any]:
    """`{"ran": {event: time}, "error": line or null}`."""
    return {"ran": ran(home), "error": last_error(home)}
