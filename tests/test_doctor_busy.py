"""`doctor` raises no false alarm and mends nothing while other processes are at work."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_team_os.mail import doctor
from support.cli import PATIENCE
from support.homes import examine, healthy, log, python

WORKER = """
import random, contextlib
from agent_team_os.bus import Bus
from agent_team_os.protocol.errors import NothingToRead
home, number, file = sys.argv[1:]
me, other = ("ops", "dev") if int(number) % 2 else ("dev", "ops")
bus = Bus.open({"AGENT_TEAM_OS_HOME": home, "AGENT_TEAM_OS_AGENT": me}, "/")
for turn in range(30):
    attach = [file] if turn % 5 == 0 else []
    if attach:
        with open(file, "w") as out:
            out.write(f"{number} {turn}")
    bus.send(other if turn % 3 else other + "/web", "question", {"question": "?"}, attach=attach)
    with contextlib.suppress(NothingToRead):
        with bus.reading() as shown:
            message = shown["message"]
        if turn % 4 == 0:
            bus.reply(message, "response", {"text": "yes"})
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bus in which nothing is wrong."""
    return healthy(tmp_path, monkeypatch)


def test_no_false_alarm_beside_busy_processes(home: Path, tmp_path: Path) -> None:
    """While eight processes send, read, reply and attach, doctor finds nothing, and nothing is wrong afterwards."""
    workers = [python(WORKER, home, number, tmp_path / f"file{number}") for number in range(8)]
    looks = 0
    try:
        while any(worker.poll() is None for worker in workers):
            assert examine(home) == []
            looks += 1
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
            worker.communicate(timeout=PATIENCE)
    assert [worker.returncode for worker in workers] == [0] * 8
    assert looks > 1
    assert len(log(home).read_bytes().splitlines()) >= 8 * 30
    assert examine(home) == []
    assert list(doctor.repair(str(home))) == []


def test_repair_beside_busy_processes(home: Path, tmp_path: Path) -> None:
    """Repair mends nothing that is not broken while others are at work."""
    workers = [python(WORKER, home, number, tmp_path / f"file{number}") for number in range(4)]
    try:
        while any(worker.poll() is None for worker in workers):
            assert list(doctor.repair(str(home))) == []
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
            worker.communicate(timeout=PATIENCE)
    assert [worker.returncode for worker in workers] == [0] * 4
    assert examine(home) == []
