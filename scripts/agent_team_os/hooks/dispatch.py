"""From the name of an event to its module; whatever goes wrong, the session goes on."""

from __future__ import annotations

import os
import sys

from ..protocol import home as layout
from ..protocol import show, strictjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

_MOST_INPUT = 16 * 1_048_576
_MOST_LOG = 262_144


def run(event: str, environ: Mapping[str, str], cwd: str) -> Optional[str]:
    """The JSON to print for an event, or None. Never raises: an error becomes a line in `state/hook-errors.log`."""
    try:
        given = _input()
        if given.get("agent_id"):  # a subagent: its session has been told
            return None
        workspace = environ.get("CLAUDE_PROJECT_DIR") or given.get("cwd") or cwd
        context: Optional[str] = None
        if event == "SessionStart":
            from . import session_start

            context = session_start.run(given, environ, workspace)
        elif event == "SessionEnd":
            from . import session_end

            session_end.run(given, environ, workspace)
        if not context:
            return None
        answer = {"hookSpecificOutput": {"hookEventName": event, "additionalContext": context}}
        return strictjson.compact(answer).decode("utf-8")
    except Exception as error:  # the worst bug we could ship is a hook that breaks a session
        _log(environ, event, error)
        return None


def _input() -> dict[str, Any]:
    """The hook's input; empty where there is none or it is no object."""
    if sys.stdin is None:
        return {}
    document = strictjson.parse(sys.stdin.buffer.read(_MOST_INPUT) or b"{}")
    return document if isinstance(document, dict) else {}


def _log(environ: Mapping[str, str], event: str, error: Exception) -> None:
    """One line on what went wrong, in a file that does not grow without end."""
    try:
        path = os.path.join(layout.find(environ), "state", "hook-errors.log")
        words = show.one_line(f"{show.timestamp()} {event} {type(error).__name__}: {error}", 1000)
        with open(path, "ab" if not os.path.exists(path) or os.path.getsize(path) < _MOST_LOG else "wb") as file:
            os.chmod(path, 0o600)
            file.write(words.encode("utf-8", "replace") + b"\n")
    except OSError:
        pass  # nowhere to say it
