"""`doctor` leaves a lock to those who may hold it, and breaks by force only what nobody here can."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent_team_os.mail import doctor
from agent_team_os.storage import lock, process
from support.breakages.locks import lock_of_another_host
from support.cli import PATIENCE, ato, environment
from support.homes import age, bus_of, codes, examine, healthy, python, tree


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bus in which nothing is wrong."""
    return healthy(tmp_path, monkeypatch)


def test_a_live_holder_is_no_finding(home: Path) -> None:
    """A lock held by a live process of ours is no finding, however long, and repair does not take it."""
    code = """
from agent_team_os.storage import lock, process
with lock.recipient(*sys.argv[1:]):
    print("here", flush=True)
    sys.stdin.read()
"""
    process = python(code, home, "dev")
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    age(home / "locks" / "dev.lock")
    before = tree(home / "locks")
    assert examine(home) == []
    assert list(doctor.repair(str(home))) == []
    assert tree(home / "locks") == before
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert examine(home) == []


def test_a_helper_within_its_lease_is_no_finding(home: Path) -> None:
    """An empty lock folder is a helper's for 2 s; after them it is a finding."""
    (home / "locks" / "dev.lock").mkdir(0o755)
    assert examine(home) == []
    time.sleep(lock.LEASE + 0.2)
    assert codes(home) == {"lock-empty"}


def test_a_foreign_holder_is_broken_by_repair_alone(home: Path) -> None:
    """After the repair of a lock of another machine a send passes, and what lay in the lock is kept."""
    lock_of_another_host(home)
    env = {**environment(home.parent), "AGENT_TEAM_OS_AGENT": "ops"}
    assert list(doctor.repair(str(home)))
    assert ato(env, home.parent, "send", "dev", "question", "--field", "question=Now?").returncode == 0
    [kept] = (home / "locks" / ".quarantine").iterdir()
    assert kept.name.endswith("elsewhere.4711.0a1b2c3d-99")


def test_a_folder_in_a_lock_is_broken_by_repair(home: Path) -> None:
    """A folder with the name of a process of ours blocks the lock until a repair moves it away."""
    (home / "locks/dev.lock").mkdir(0o700)
    (home / "locks/dev.lock" / f"{process.host()}.17.{process.boot()}-1").mkdir(0o700)
    time.sleep(lock.LEASE + 0.2)
    assert codes(home) == {"lock-foreign"}
    assert list(doctor.repair(str(home)))
    assert examine(home) == []
    assert bus_of(home, "ops").send("dev", "note", {"text": "x"})["id"]


def test_force_waits_for_the_guard(home: Path) -> None:
    """By force means under the guard: while a process of ours holds it, a foreign name is not touched."""
    lock_of_another_host(home)
    before = tree(home / "locks" / "dev.lock")
    with lock.guard(str(home), "dev"):
        assert codes(home) == {"lock-foreign"}
        assert list(doctor.repair(str(home))) == []
    assert tree(home / "locks" / "dev.lock") == before
