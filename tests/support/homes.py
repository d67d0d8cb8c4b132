"""A person's home folder with a healthy bus, what doctor finds there, and where in it things lie.

home = healthy(tmp_path, monkeypatch)
pending(home).unlink()
assert codes(home) == {"in-no-inbox"}
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.bus import Bus
from agent_team_os.mail import doctor
from agent_team_os.protocol.documents import Finding
from support.cli import PATIENCE, ROOT

OLD = time.time() - 7200  # seconds; older than anything somebody may still be busy with
# About the machine the tests run on, not about the home.
MACHINE = {"file-system", "disk-full"}


def healthy(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Make a test's folder a copy of the template, and the person's home while the test runs; returns its bus."""
    patch.setenv("HOME", str(folder))
    shutil.copytree(template(folder.parent), folder, dirs_exist_ok=True)
    assert examine(folder / ".agent-team-os") == []
    return folder / ".agent-team-os"


@functools.cache
def template(below: Path) -> Path:
    """A person's home folder with a healthy bus: ops and dev, a message that was answered, one that is pending."""
    folder = Path(tempfile.mkdtemp(prefix="template-", dir=below))
    home = folder / ".agent-team-os"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        for agent in ("ops", "dev"):
            (folder / agent).mkdir()
            bus_of(home, None).join(agent, str(folder / agent), {})
    first = bus_of(home, "ops").send("dev", "question", {"question": "Which branch?"})
    dev = bus_of(home, "dev")
    dev.reply(dev.find(first["id"])[0], "response", {"text": "main"})
    send(home)
    return folder


def bus_of(home: Path, agent: str | None) -> Bus:
    """The bus as an agent sees it."""
    named = {"AGENT_TEAM_OS_AGENT": agent} if agent else {}
    return Bus.open({"AGENT_TEAM_OS_HOME": str(home), **named}, "/")


def send(home: Path, *attach: Path) -> dict[str, Any]:
    """A message from ops to dev; returns what `send` says of it."""
    return bus_of(home, "ops").send("dev", "question", {"question": "And now?"}, attach=[str(path) for path in attach])


def examine(home: Path) -> list[Finding]:
    """What doctor finds, but for findings about the machine."""
    return [finding for finding in doctor.examine(str(home)) if finding["code"] not in MACHINE]


def codes(home: Path) -> set[str]:
    """The codes of what doctor finds."""
    return {finding["code"] for finding in examine(home)}


def tree(home: Path) -> dict[str, tuple[int, bytes]]:
    """Every name below the home with its mode and content."""
    found = {}
    for path in (home, *home.rglob("*")):
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = path.lstat().st_mode, content
    return found


def pending(home: Path) -> Path:
    """The one message that waits for dev."""
    [path] = (home / "inboxes" / "dev").glob("msg-*.json")
    return path


def archived(home: Path) -> Path:
    """The one message dev has read."""
    [path] = (home / "inboxes" / "dev" / ".read").glob("msg-*.json")
    return path


def log(home: Path) -> Path:
    """The outbox of today; of the later day where midnight passes meanwhile."""
    return max((home / "outbox").glob("*.jsonl"))


def thread(home: Path) -> Path:
    """The thread of two messages."""
    [path] = [path for path in (home / "threads").iterdir() if len(json.loads(path.read_bytes())["messages"]) == 2]
    return path


def edit_map(home: Path, **keys: Any) -> str:
    """Set keys of the agent map, as a person would."""
    path = home / "AGENT_MAP.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **keys}, indent=2) + "\n")
    return str(path)


def age(path: Path) -> None:
    """Make a file or folder two hours old."""
    os.utime(path, (OLD, OLD), follow_symlinks=False)


def python(code: str, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """A real process that runs `code` with the package at hand; its arguments are sys.argv[1:]."""
    setup = f"import os, sys, signal; sys.path.insert(0, {str(ROOT / 'scripts')!r})\n"
    command = [sys.executable, "-I", "-c", setup + code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)


def dead(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that kills itself."""
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL
