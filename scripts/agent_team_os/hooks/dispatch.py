"""From the name of an event to its module; whatever goes wrong, the session goes on."""

from __future__ import annotations

import os
import sys

from ..protocol import home as layout
from ..protocol import show, strictjson
from ..storage import files
from ..storage import home as homes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

_MOST_INPUT = 16 * 1_048_576
_MOST_LOG = 262_144


def run(event: str, environ: Mapping[str, str], cwd: str) -> Optional[str]:
    """The JSON to print for an event, or None. Never raises: an error becomes a line in `state/hook-errors.log`."""
    home = None
    try:
        home = _home(environ, environ.get("CLAUDE_PROJECT_DIR") or cwd)
        given = _input()
        workspace = environ.get("CLAUDE_PROJECT_DIR") or given.get("cwd") or cwd
        home = _home(environ, workspace)
        if home is None or given.get("agent_id"):  # no bus; or a subagent, whose session has been told
            return None
        context = _handle(event, home, given, environ, workspace)
        if not context:
            return None
        answer = {"hookSpecificOutput": {"hookEventName": event, "additionalContext": context}}
        return strictjson.compact(answer).decode("utf-8")
    except Exception as error:  # the worst bug we could ship is a hook that breaks a session
        _log(home, event, error)
        return None


def _handle(event: str, home: str, given: dict[str, Any], environ: Mapping[str, str], workspace: str) -> Optional[str]:
    """What the model is to be told; None for nothing, or an event that is not ours."""
    if event == "SessionStart":
        from . import session_start

        return session_start.run(home, given, environ, workspace)
    if event == "SessionEnd":
        from . import session_end

        session_end.run(home, given, environ, workspace)
    return None


def _input() -> dict[str, Any]:
    """The hook's input; empty where there is none or it is no object."""
    if sys.stdin is None:
        return {}
    document = strictjson.parse(sys.stdin.buffer.read(_MOST_INPUT) or b"{}")
    return document if isinstance(document, dict) else {}


def _home(environ: Mapping[str, str], workspace: str) -> Optional[str]:
    """The bus home, if there is one that may be trusted.

    One that lies inside the project was brought by whoever wrote the project; it is not even looked at.
    """
    home = layout.find(environ)
    inside = (os.path.realpath(home) + "/").startswith(os.path.realpath(workspace).rstrip("/") + "/")
    return home if not inside and homes.check(home) else None


def _log(home: Optional[str], event: str, error: Exception) -> None:
    """One line on what went wrong, in a home that was found good; elsewhere there is nowhere to say it."""
    if home is None:
        return
    words = show.one_line(f"{show.timestamp()} {event} {type(error).__name__}: {error}", 1000)
    try:
        files.log(os.path.join(home, "state", "hook-errors.log"), words.encode("utf-8", "replace"), _MOST_LOG)
    except OSError:
        pass
