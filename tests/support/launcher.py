"""hooks/run on a machine whose programs a test chooses.

answer = run(team, hidden=True, env={**team.env, "PATH": str(folder)})  # no Python but that of the folder
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from conftest import Team
from support.cli import ORDINARY, PATIENCE
from support.hooks import LAUNCHER
from test_adverse import UNSHARE

REAL = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
GIVEN = json.dumps({"session_id": "s-1", "hook_event_name": "SessionStart", "source": "startup"}).encode()
NAMES = ("python3", *(f"python3.{minor}" for minor in range(14, 8, -1)), "python")
# What every hook looks for after PATH, and what is there on this machine.
SYSTEM = [f"{folder}/{name}" for folder in ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin") for name in NAMES]
TOOLS = ("sh", "dirname", "mkdir", "mv", "rm", "rmdir", "cat", "kill", "touch")


def program(path: Path, script: str) -> Path:
    """A shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def found(name: str) -> str:
    """The path of a program; the PATH of a test is for the launcher alone."""
    path = shutil.which(name)
    assert path is not None, name
    return path


def cache(team: Team) -> Path:
    """Where the Python is remembered."""
    return team.root / ".cache/agent-team-os/python"


def apart(team: Team) -> Path:
    """Where the Python of the tests is as long as those of the system are hidden; it may be one of them."""
    path = team.root / "apart"
    path.touch()
    return path


def run(
    team: Team, *, hidden: bool = False, env: Optional[Mapping[str, str]] = None, event: str = "SessionStart",
    launcher: str = str(LAUNCHER), cwd: Optional[Path] = None, shell: str = "sh", script: str = 'exec "$@"',
) -> dict[str, Any]:  # fmt: skip
    """The answer of an event for dev, empty for none; that it came in silence and with status 0 is checked.

    With `hidden` the machine has no Python but those on PATH.
    """
    if hidden:
        blank = team.root / "blank"
        blank.touch()
        there = [path for path in SYSTEM if os.path.exists(path)]
        mounts = [(REAL, str(apart(team))), *((str(blank), path) for path in there)]
        script = (
            "".join(f"{found('mount')} --bind {shlex.quote(one)} {shlex.quote(at)}; " for one, at in mounts) + script
        )
    before = UNSHARE if hidden else ORDINARY
    command = [*map(found, before[:1]), *before[1:], found("sh"), "-c", script, "sh", found(shell), launcher, event]
    done = subprocess.run(
        command, cwd=cwd or team.root / "dev", env=dict(team.env if env is None else env), input=GIVEN,
        capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    document: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    assert len(done.stdout.splitlines()) <= 1
    return document
