"""What the tests of broken files share: a good letter, ways to lay down a bad one, and what must hold after it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.bus import Bus
from agent_team_os.protocol import home as layout
from agent_team_os.protocol import schemas
from conftest import Team
from support import corpus

DOCUMENT = {name: schemas.load(name)["examples"][0] for name in ("message", "thread", "registry-card", "session")}
GOOD, BAD = "msg-20260520T091812Z-goodgood", "msg-20260520T091812Z-badbadba"
THREAD = "thread-20260520-abc123"
WORDS = "The good letter"
# Too large for a message, a map or a card, and no fault in a thread or a line of the outbox.
SMALL_KINDS = tuple(kind for kind in corpus.KINDS if kind != "over 1 MiB")
PLAIN = tuple(kind for kind in corpus.TEXTS if kind != "over 1 MiB")


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """What happens inside must end: a file without end, or one nobody writes, is not waited for."""

    def give_up(*_: object) -> None:
        pytest.fail("it hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(20)
    try:
        yield
    except UnicodeError as error:  # shown as it is, half a pair of surrogates would end the test run
        raise AssertionError(ascii(str(error))) from None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def bus(team: Team, agent: str = "dev", folder: str = "dev") -> Bus:
    """The bus as an agent sees it, in this process."""
    return Bus.open({"AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": agent}, str(team.root / folder))


def message(message_id: str, **changes: Any) -> dict[str, Any]:
    """A valid message from ops to dev."""
    payload = {"project": "web", "summary": WORDS if message_id == GOOD else f"{message_id} is broken"}
    return {**DOCUMENT["message"], "attachments": [], "id": message_id, "payload": payload, **changes}


def place(path: Path, document: object) -> Path:
    """Write a document under a name, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(corpus.compact(document))
    return path


def box(team: Team, slug: str = "") -> Path:
    folder = team.home / "inboxes/dev" / (f"@{slug}" if slug else "")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def snapshot(root: Path) -> dict[str, tuple[int, int, int, int]]:
    """Of all below a folder: mode, file, size and time of change. The guards of locks are left out."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = os.path.join(folder, name)
            if not path.endswith(".guard"):
                status = os.lstat(path)
                time = 0 if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
                found[path] = status.st_mode, status.st_ino, 0 if name in folders else status.st_size, time
    return found


def numbers(root: Path) -> set[int]:
    """The file numbers of all that lies below a folder."""
    return {number for _, number, _, _ in snapshot(root).values()}


def aside(path: Path) -> Path:
    """Where a file is when it was set aside."""
    return path.parent / ".quarantine" / path.name


def check_note(path: Path) -> str:
    """The reason in the note beside a file that was set aside."""
    note = json.loads(Path(f"{path}.why.json").read_bytes())
    assert note["file"] == path.name
    assert note["at"]
    assert isinstance(note["why"], str)
    return str(note["why"])


def plain(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """What every run must be: no traceback, no internal error, nothing that drives a terminal."""
    printed = done.stdout + done.stderr
    assert "Traceback" not in printed
    assert done.returncode != 70, printed
    assert [line for line in printed.split("\n") if not line.isprintable()] == []
    return done


def one_line(done: subprocess.CompletedProcess[str], status: int) -> str:
    """The one plain line of an error with this status."""
    plain(done)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("ato: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 1000
    return done.stderr


def conversation(team: Team) -> tuple[str, Path]:
    """A thread of one message, and its file."""
    sent = bus(team, "ops", "ops").send("dev", "note", {"summary": "first"})
    return sent["thread_id"], Path(layout.thread(str(team.home), sent["thread_id"]))
