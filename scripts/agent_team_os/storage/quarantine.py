"""Setting aside what is no valid message: moved, never deleted, with a note that says why."""

from __future__ import annotations

import os

from ..protocol import home as layout
from ..protocol import show, strictjson
from . import files, lock


def set_aside(home: str, path: str, why: str, wait: float = lock.WAIT) -> str:
    """Move whatever lies at `path` into `.quarantine/` beside it and return its new place.

    A name that is taken there gets a number. OSError where the disk cannot be written: the file then stays
    where it is and the caller goes on without it. FileNotFoundError if another reader was faster, LockBusy if
    somebody else sets something aside for longer than `wait` seconds.
    """
    folder = os.path.join(os.path.dirname(path), layout.QUARANTINE)
    files.make_folder(folder)
    with lock.guard(home, "@quarantine", wait):
        name = os.path.basename(path)
        target, number = os.path.join(folder, name), 0
        while os.path.lexists(target):
            number += 1
            target = os.path.join(folder, f"{name}.{number}")
        files.move(path, target)
        note = {"file": name, "why": why, "at": show.timestamp()}
        files.replace(target + ".why.json", strictjson.readable(note))
    return target


def held(box: str) -> list[str]:
    """The names of what is set aside in a box, without the notes."""
    folder = os.path.join(box, layout.QUARANTINE)
    return sorted(name for name in files.names(folder) if not name.endswith((".why.json", ".tmp")))
