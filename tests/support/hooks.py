"""A hook as Claude Code calls it: JSON on stdin, one JSON object or nothing on stdout, never a word of an error.

answer = hook(team, "UserPromptSubmit", "dev", {"session_id": "s-1"})
said(answer)  # what the model is told, empty for nothing
"""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from agent_team_os.hooks import dispatch
from support.cli import ORDINARY, PATIENCE, ROOT

LAUNCHER = ROOT / "hooks/run"


def fire(event: str, given: bytes, environ: Mapping[str, str], cwd: str) -> Optional[str]:
    """What the handler of an event prints, in this process; None for nothing."""
    printed = io.BytesIO()
    dispatch.run(event, environ, cwd, io.BytesIO(given), printed)
    return printed.getvalue().decode() or None


def launch(
    env: Mapping[str, str], cwd: Path, event: str, given: Any, launcher: Path = LAUNCHER
) -> subprocess.CompletedProcess[bytes]:
    """Run the launcher as the plugin does; `given` is a document, or the bytes themselves."""
    stdin = given if isinstance(given, bytes) else json.dumps(given).encode()
    command = [*ORDINARY, "sh", str(launcher), event]
    return subprocess.run(
        command, cwd=cwd, env=dict(env), input=stdin, capture_output=True, timeout=PATIENCE, check=False
    )


def hook(env: Mapping[str, str], cwd: Path, event: str, given: Any) -> dict[str, Any]:
    """The document a hook prints, empty for nothing; that it succeeded in silence is checked."""
    done = launch(env, cwd, event, given)
    assert (done.returncode, done.stderr) == (0, b"")
    document: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    assert set(document) <= {"hookSpecificOutput", "decision", "reason", "systemMessage"}
    assert document.get("hookSpecificOutput", {"hookEventName": event})["hookEventName"] == event
    return document


def said(answer: dict[str, Any]) -> str:
    """What the model is told; empty for nothing."""
    specific = answer.get("hookSpecificOutput", {})
    return str(specific.get("additionalContext", "") or answer.get("reason", ""))
