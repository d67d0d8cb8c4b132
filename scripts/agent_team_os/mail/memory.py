"""What the hooks remember of one session, in `state/<session_id>.json`:

`session` (agent/slug), `started`, `announced` (ids it was told of and that are still pending), `blocked` (a set of
messages and how often it kept the session from stopping), `exported` (what its shells were told to be).
"""

from __future__ import annotations

from ..protocol import home as layout
from ..storage import notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


def load(home: str, session_id: str) -> dict[str, Any]:
    """The memory of a session; empty for one without an id, without a memory, or whose memory is no object."""
    return notes.read(layout.memory(home, session_id)) if session_id else {}


def save(home: str, session_id: str, memory: dict[str, Any]) -> None:
    """Keep the memory for the next event; OSError where the disk says no."""
    if session_id:
        notes.write(layout.memory(home, session_id), memory)


def moved_to(home: str, session_id: str, exported: str) -> Optional[str]:
    """The session whose shells say `exported`, when it has joined another agent since; None if it has not.

    A shell is told its session once, when the session starts, and cannot be told again.
    """
    memory = load(home, session_id)
    session, told = memory.get("session"), memory.get("exported")
    moved = isinstance(told, list) and exported in told and isinstance(session, str) and session != exported
    return session if moved else None
