"""A lock never has two holders, and a dead holder blocks nobody."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_team_os.protocol.errors import LockBusy
from agent_team_os.storage import files, lock, process
from support import state
from support.cli import ROOT, ato, environment

# Takes the lock of "dev" in argv[1], says so, and holds it until its stdin ends.
HOLD = """
import sys
sys.path.insert(0, {scripts!r})
{before}
from agent_team_os.storage import lock
with lock.{kind}({home!r}, "dev"):
    print("held", flush=True)
    sys.stdin.read()
"""
# Adds one to a number in a file, often, with a read and a write that another holder would get between.
COUNT = """
import sys
sys.path.insert(0, {scripts!r})
{before}
from agent_team_os.storage import lock
for _ in range({times}):
    with lock.recipient({home!r}, "dev"):
        number = int(open({file!r}).read())
        with open({file!r}, "w") as out:
            out.write(str(number + 1))
"""


@pytest.fixture
def home(tmp_path: Path) -> str:
    """A bus home with nothing but its folder of locks."""
    files.make_folder(str(tmp_path / "bus" / "locks"))
    return str(tmp_path / "bus")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second of waiting tells busy from free as well as five do, but where a lease must pass."""
    monkeypatch.setattr(lock, "WAIT", 0.5)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    """Wait as long as the program does."""
    monkeypatch.setattr(lock, "WAIT", 5.0)


def program(template: str, **values: object) -> list[str]:
    """A Python program to run, with what it needs filled in."""
    return [sys.executable, "-I", "-c", template.format(scripts=str(ROOT / "scripts"), **{"before": "", **values})]


def holder(home: str, kind: str = "recipient", before: str = "") -> subprocess.Popen[str]:
    """A process that holds the lock by the time this returns."""
    process = subprocess.Popen(
        program(HOLD, home=home, kind=kind, before=before), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def held(home: str) -> Iterator[subprocess.Popen[str]]:
    """A live holder, killed at the end."""
    process = holder(home)
    yield process
    process.kill()
    process.communicate()


def folder(home: str) -> Path:
    """The mkdir lock of dev."""
    return Path(home, "locks", "dev.lock")


def test_holders_take_turns(home: str, tmp_path: Path) -> None:
    """Eight processes that add to one number under the lock lose none of their additions."""
    number = tmp_path / "number"
    number.write_text("0")
    workers = [subprocess.Popen(program(COUNT, home=home, times=50, file=str(number))) for _ in range(8)]
    assert [worker.wait(60) for worker in workers] == [0] * 8
    assert number.read_text() == "400"
    assert not folder(home).exists()


def test_holders_take_turns_without_fcntl(home: str, tmp_path: Path) -> None:
    """Where there is no fcntl, portalocker keeps the same promise, also beside processes that have it."""
    number = tmp_path / "number"
    number.write_text("0")
    # portalocker itself finds fcntl; only our own import is denied.
    before = "import portalocker; sys.modules['fcntl'] = None"
    workers = [
        subprocess.Popen(program(COUNT, home=home, times=30, file=str(number), before=before if odd else ""))
        for odd in (0, 1, 0, 1)
    ]
    assert [worker.wait(60) for worker in workers] == [0] * 4
    assert number.read_text() == "120"


def test_a_live_holder_is_waited_for_and_not_broken(home: str, held: subprocess.Popen[str]) -> None:
    """While a live process holds it, the lock is busy, and stays that process's."""
    names = os.listdir(folder(home))
    with pytest.raises(LockBusy), lock.recipient(home, "dev"):
        pass
    assert os.listdir(folder(home)) == names
    assert names == [
        process.owner().replace(f".{os.getpid()}.", f".{held.pid}.").rpartition("-")[0]
        + "-"
        + process.started(held.pid)
    ]


def test_a_stopped_holder_keeps_its_lock(
    home: str, held: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder that is stopped for longer than a lease, and than anybody waits, is overtaken by nobody."""
    monkeypatch.setattr(lock, "LEASE", 0.1)
    before = folder(home).stat().st_ino, os.listdir(folder(home))
    held.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(LockBusy), lock.recipient(home, "dev"):
            pass
        assert subprocess.run(["mkdir", folder(home)], stderr=subprocess.DEVNULL, check=False).returncode != 0
    finally:
        held.send_signal(signal.SIGCONT)
    assert (folder(home).stat().st_ino, os.listdir(folder(home))) == before
    held.communicate()
    assert held.returncode == 0
    assert not folder(home).exists()


def test_a_killed_holder_blocks_nobody(home: str, held: subprocess.Popen[str]) -> None:
    """What a killed process leaves in the lock is taken over, and gone after the next release."""
    held.kill()
    held.wait()
    assert len(os.listdir(folder(home))) == 1
    with lock.recipient(home, "dev"):
        assert os.listdir(folder(home)) == [process.owner()]
    assert not folder(home).exists()


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_something_else_with_the_name_of_the_lock_is_busy(home: str, kind: str) -> None:
    """A file or a link in the lock's place is left alone and never followed."""
    if kind == "file":
        folder(home).write_text("mine")
    else:
        target = Path(home, "elsewhere")
        if kind == "link":
            target.mkdir()
        folder(home).symlink_to(target)
    with pytest.raises(LockBusy), lock.recipient(home, "dev"):
        pass
    assert folder(home).is_symlink() or folder(home).read_text() == "mine"
    assert not os.path.isdir(os.path.join(home, "elsewhere")) or os.listdir(os.path.join(home, "elsewhere")) == []


def test_a_killed_helper_of_version_1_blocks_for_its_lease_only(home: str, patient: None) -> None:
    """An empty lock folder nobody removes is taken over in the end."""
    folder(home).mkdir()
    inode = folder(home).stat().st_ino
    with lock.recipient(home, "dev"):
        assert folder(home).stat().st_ino == inode, "the folder was adopted, not made anew"


def test_time_spent_stopped_is_no_part_of_the_lease(home: str) -> None:
    """A process that was stopped while it watched an empty folder does not take the pause for waiting."""
    log = Path(home, "log")
    template = HOLD.replace('print("held", flush=True)', f"open({str(log)!r}, 'a').write('taken ')")
    folder(home).mkdir()
    process = subprocess.Popen(program(template, home=home, kind="recipient"), stdin=subprocess.DEVNULL)
    time.sleep(0.4)  # it is watching now
    process.send_signal(signal.SIGSTOP)
    time.sleep(2.5)
    process.send_signal(signal.SIGCONT)
    time.sleep(0.3)
    with log.open("a") as file:
        file.write("released ")
    folder(home).rmdir()
    assert process.wait(30) == 0
    assert log.read_text() == "released taken "


def test_helpers_of_version_1_and_processes_never_hold_together(home: str, tmp_path: Path) -> None:
    """Shell helpers that hold for less than their lease and processes of ours never overlap."""
    log = tmp_path / "log"
    helper = f"""
    for i in 1 2 3 4 5 6 7 8; do
        until mkdir {folder(home)} 2>/dev/null; do sleep 0.01; done
        echo in >>{log}; sleep 0.05; echo out >>{log}
        rmdir {folder(home)}
        sleep 0.01
    done
    """
    template = COUNT.replace("number = int(open({file!r}).read())", "open({file!r}, 'a').write('in\\n')").replace(
        'with open({file!r}, "w") as out:\n            out.write(str(number + 1))',
        "open({file!r}, 'a').write('out\\n')",
    )
    workers = [subprocess.Popen(["bash", "-c", helper]) for _ in range(2)]
    workers += [subprocess.Popen(program(template, home=home, times=25, file=str(log))) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0] * 4
    assert log.read_text().split() == ["in", "out"] * (2 * 8 + 2 * 25)


def test_a_takeover_never_hits_the_folder_of_the_next_helper(home: str, tmp_path: Path, patient: None) -> None:
    """When a late helper goes and another comes at the end of the lease, the other's lock is not taken."""
    log = tmp_path / "log"
    # Each hold is short of the lease; together they last far longer than one.
    helper = f"""
    mkdir {folder(home)}; echo ready
    for i in 1 2 3; do
        echo in >>{log}; sleep 1.2; echo out >>{log}
        rmdir {folder(home)}
        until mkdir {folder(home)} 2>/dev/null; do :; done
    done
    rmdir {folder(home)}
    """
    process = subprocess.Popen(["bash", "-c", helper], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    taken = 0
    while process.poll() is None:
        try:
            with lock.recipient(home, "dev"):
                with log.open("a") as file:
                    file.write("in\n")
                taken += 1
                with log.open("a") as file:
                    file.write("out\n")
        except LockBusy:
            pass
    process.communicate()
    assert log.read_text().split() == ["in", "out"] * (3 + taken)


def test_a_lock_the_disk_refuses_leaves_nothing(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no name can be put into the lock folder it is taken away again: the next one need not wait for a lease."""
    real = os.open

    def full(path: str, flags: int, *rest: int, **where: int) -> int:
        if "dir_fd" in where and flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        return real(path, flags, *rest, **where)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="No space left"), lock.recipient(home, "dev"):
        pass
    assert not folder(home).exists()


def test_a_guard_is_freed_by_death_and_never_unlinked(home: str) -> None:
    """A kernel lock ends with its holder, and its file stays for the next one."""
    process = holder(home, "guard")
    guard = Path(home, "locks", "dev.guard")
    inode = guard.stat().st_ino
    with pytest.raises(LockBusy), lock.guard(home, "dev", 0):
        pass
    process.kill()
    process.communicate()
    with lock.guard(home, "dev", 0):
        pass
    assert guard.stat().st_ino == inode
    assert guard.stat().st_mode & 0o777 == 0o600


def test_guards_of_threads_and_messages_are_few() -> None:
    """However many ids there are, they share 64 guard files."""
    assert len({lock.bucket(f"thread-20260520-{number:06d}") for number in range(5000)}) == 64


def test_a_busy_lock_is_exit_3_and_sends_nothing(tmp_path: Path) -> None:
    """A send that cannot get the recipient's lock says so and leaves nothing behind."""
    env = environment(tmp_path)
    home = tmp_path / ".agent-team-os"
    for agent in ("ops", "dev"):
        (tmp_path / agent).mkdir()
        ato(env, tmp_path / agent, "join", agent)
    process = holder(str(home))
    try:
        done = ato(env, tmp_path / "ops", "send", "dev", "question", "--field", "question=Which?")
    finally:
        process.kill()
        process.communicate()
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "ato: somebody else has held the lock dev for 5 s. Try again; if it stays: ato doctor\n"
    assert state.check(home) == set()
