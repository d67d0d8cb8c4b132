"""Whose name lies in a lock: of a process of this machine the guard tells whether it lives, of others nobody does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_team_os.protocol.errors import LockBusy
from agent_team_os.storage import files, lock, process
from support.cli import ROOT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bus home with nothing but its folder of locks, where nobody waits longer than it takes to look."""
    files.make_folder(str(tmp_path / "bus" / "locks"))
    monkeypatch.setattr(lock, "WAIT", 0.1)
    return str(tmp_path / "bus")


def folder(home: str) -> Path:
    """The mkdir lock of dev."""
    return Path(home, "locks", "dev.lock")


def test_a_reused_process_id_fools_nobody(home: str) -> None:
    """A name with the id of a process that lives is taken over like any other while the guard is free: one left by a
    dead process of that id, and one that is forged to the very start time.
    """
    folder(home).mkdir()
    alive = os.getppid()
    for start in ("1", process.started(alive)):
        (folder(home) / f"{process.host()}.{alive}.{process.boot()}-{start}").touch()
    with lock.recipient(home, "dev"):
        assert os.listdir(folder(home)) == [process.owner()]
    assert not folder(home).exists()


def test_our_own_name_in_the_lock_is_that_of_a_dead_process(home: str) -> None:
    """Who finds its very own name there, from before with the same id and start, is not stopped by it."""
    folder(home).mkdir()
    (folder(home) / process.owner()).touch()
    with lock.recipient(home, "dev"):
        assert os.listdir(folder(home)) == [process.owner()]
    assert not folder(home).exists()


# Other machines, also one that has no boot id; and what only looks like a name of ours.
ELSEWHERE = [
    "elsewhere.17.0a1b2c3d-99",
    "elsewhere.17.00000000-99",
    "README",
    "elsewhere.x.y",
    ".17.-",
    "HOST",
    "HOST.17",
    "HOST.17.BOOT",
    "HOST.17.BOOT-",
    "HOST.-17.BOOT-1",
    "HOST.seventeen.BOOT-1",
    "HOST.17.BOOT-1.tmp",
    "HOST.17.short-1",
    "HOSTx.17.0a1b2c3d-1",
]


def test_a_folder_with_a_name_of_ours_is_nobody_s(home: str) -> None:
    """Only a file can be what a process of ours left: a folder is no dead holder, and nothing is put beside it."""
    name = f"{process.host()}.17.{process.boot()}-1"
    (folder(home) / name).mkdir(parents=True)
    with pytest.raises(LockBusy), lock.recipient(home, "dev"):
        pass
    assert os.listdir(folder(home)) == [name]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_owner_elsewhere_is_never_broken(home: str, name: str) -> None:
    """The lock of another machine, or with content nobody knows, stays as it is, also beside a dead name of ours."""
    name = name.replace("HOST", process.host()).replace("BOOT", process.boot())
    folder(home).mkdir()
    (folder(home) / name).touch()
    with pytest.raises(LockBusy), lock.recipient(home, "dev"):
        pass
    assert os.listdir(folder(home)) == [name]
    dead = f"{process.host()}.17.{process.boot()}-1"
    (folder(home) / dead).touch()
    with pytest.raises(LockBusy), lock.recipient(home, "dev"):
        pass
    assert sorted(os.listdir(folder(home))) == sorted([name, dead])


def test_the_same_machine_under_a_new_name_is_known_by_its_boot(home: str) -> None:
    """A holder that died before the machine was renamed is dead all the same."""
    folder(home).mkdir()
    (folder(home) / f"oldname.17.{process.boot()}-1").touch()
    with lock.recipient(home, "dev"):
        assert os.listdir(folder(home)) == [process.owner()]


def test_the_same_machine_before_its_last_start_is_known_by_its_name(home: str) -> None:
    """A holder that died with the machine is dead; so is the one of a machine whose start is unknown."""
    folder(home).mkdir()
    for boot in ("0a1b2c3d", "00000000"):
        (folder(home) / f"{process.host()}.17.{boot}-1").touch()
    with lock.recipient(home, "dev"):
        assert os.listdir(folder(home)) == [process.owner()]


def test_two_machines_without_a_boot_id_are_not_one(home: str) -> None:
    """Where the kernel names no start, another machine that knows none either is another machine still."""
    folder(home).mkdir()
    (folder(home) / "elsewhere.17.00000000-1").touch()
    # A kernel without that file; the rest of it is as it is.
    code = f"""
import builtins, sys
sys.path.insert(0, {str(ROOT / "scripts")!r})
real = open
def without(path, *rest, **more):
    if path == "/proc/sys/kernel/random/boot_id":
        raise FileNotFoundError(path)
    return real(path, *rest, **more)
builtins.open = without
from agent_team_os.storage import lock, process
lock.WAIT = 0.1
print(process.boot(), flush=True)
with lock.recipient({home!r}, "dev"):
    print("held")
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "00000000\n", done.stderr
    assert "LockBusy" in done.stderr
    assert os.listdir(folder(home)) == ["elsewhere.17.00000000-1"]
