"""The workspace: what a handoff records of it, and whether an agent may be given it."""

from __future__ import annotations

import os

from ..protocol.errors import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

_MOST_FILES = 50
_MOST_BYTES = 2_000  # of their names together, so that they do not crowd out what a person writes


def git_state(folder: str) -> Optional[dict[str, Any]]:
    """Branch, commit and changed files of a git work tree; None outside one or without git.

    At most 50 changed files are named, in at most 2,000 bytes; `dirty_count` counts all of them.
    """
    from . import git  # a handoff alone needs it

    state = git.state(folder)
    if state is None:
        return None
    changed = state["changed"]
    named: list[str] = []
    for name in changed[:_MOST_FILES]:
        if sum(len(known.encode("utf-8")) for known in [*named, name]) > _MOST_BYTES:
            break
        named.append(name)
    return {"branch": state["branch"], "commit": state["commit"], "dirty": named, "dirty_count": len(changed)}


def to_join(home: str, folder: str) -> str:
    """The real path of a folder that an agent may be given; Usage for one that none may have."""
    place = os.path.realpath(folder)
    try:
        place.encode("utf-8")
    except UnicodeEncodeError:
        raise Usage("the name of this folder is not UTF-8", "Rename it: the map is a text.") from None
    if not os.path.isdir(place):
        raise Usage(f"{folder} is no folder", "Give an existing one with --path.")
    if (home + "/").startswith(place.rstrip("/") + "/"):
        raise Usage(f"{place} contains the bus home {home}", "Join from a project folder.")
    return place
