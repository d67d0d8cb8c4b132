"""Messages that are sent together have one commit, and each is all or nothing by itself."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.bus import Bus
from agent_team_os.mail import threads
from agent_team_os.protocol import ids
from agent_team_os.protocol.errors import BusError, CannotWrite, LockBusy, Undecided
from agent_team_os.storage import files, lock
from conftest import Team, tree
from support import state
from support.cli import PATIENCE, PROGRAM


@pytest.fixture
def bus(team: Team) -> Bus:
    """The bus as ops sees it."""
    return Bus.open({"AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": "ops"}, "/")


def post(bus: Bus, number: int, **fields: Any) -> list[Any]:
    """The results of so many messages to dev, posted together."""
    return bus.post([bus.prepare("dev", "note", {"summary": str(turn)}, **fields) for turn in range(number)])


def sent(results: list[Any]) -> list[str]:
    """The ids of those that were sent."""
    return [result["id"] for result in results if not isinstance(result, BusError)]


def failing(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, nth: int, error: int) -> None:
    """Let the n-th call of a function of the program, and each after it, fail with an error of the disk."""
    real, calls = getattr(module, name), iter(range(1, 1_000_000))

    def call(*arguments: Any) -> Any:
        if next(calls) >= nth:
            raise OSError(error, os.strerror(error), str(arguments[-1]))
        return real(*arguments)

    monkeypatch.setattr(module, name, call)


def test_a_group_waits_for_the_disk_once(team: Team, tmp_path: Path) -> None:
    """Forty messages given together are written with one line of fsyncs: the outbox is synced once, not forty times."""
    log = tmp_path / "calls"
    lines = '{"to":"dev","intent":"note","payload":{"summary":"x"}}\n' * 40
    traced = ["strace", "-f", "-y", "-qq", "-o", str(log), "-e", "trace=fsync", *PROGRAM, "send", "--batch", "-"]
    subprocess.run(
        traced, cwd=team.root / "ops", env=team.env, input=lines.encode(), stdout=subprocess.DEVNULL,
        timeout=PATIENCE, check=True,
    )  # fmt: skip
    synced = re.findall(r"fsync\(\d+<([^>]*)>", log.read_text())
    outbox = [path for path in synced if path.endswith(".jsonl")]
    folders = [path for path in synced if Path(path).is_dir()]
    assert len(outbox) == 1
    assert sorted(Path(path).name for path in folders if "dev" in path or "spool" in path) == [".spool", "dev"]
    assert len(state.check(team.home)) == 40


def test_a_link_that_fails_ends_the_group_there(team: Team, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was visible before the disk refused a link is sent; that message and those after it are not."""
    failing(monkeypatch, files, "publish", 3, errno.ENOSPC)
    results = post(bus, 5)
    monkeypatch.undo()
    assert [isinstance(result, CannotWrite) for result in results] == [False, False, True, True, True]
    assert all("Nothing was sent" in str(result.hint) for result in results[2:])
    # The links of threads failed as well: the next command makes them.
    for result in results[:2]:
        assert any("next command finishes" in text for text in result["warnings"])
    assert team.run("dev", "inbox").returncode == 0
    assert state.check(team.home) == set(sent(results))
    assert not list((team.home / "threads").glob(".*"))


def test_a_line_that_cannot_be_taken_back(team: Team, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk refuses a link and then the undoing, the rest of the group is undecided, and then all sent."""
    failing(monkeypatch, files, "publish", 2, errno.EIO)
    failing(monkeypatch, os, "ftruncate", 1, errno.EIO)
    results = post(bus, 3)
    monkeypatch.undo()
    assert [isinstance(result, Undecided) for result in results] == [False, True, True]
    assert team.run("dev", "inbox").returncode == 0
    assert len(state.check(team.home)) == 3


def test_a_line_taken_back_is_durable(team: Team, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is cut off again is cut off on the disk too, before anybody is told that nothing was sent."""
    post(bus, 1)
    synced: list[tuple[str, int]] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append((os.readlink(f"/proc/self/fd/{fd}"), os.fstat(fd).st_size))
        real(fd)

    (path,) = (team.home / "outbox").glob("*.jsonl")
    before = path.stat().st_size
    failing(monkeypatch, files, "publish", 1, errno.ENOSPC)
    monkeypatch.setattr(os, "fsync", fsync)
    (result,) = post(bus, 1)
    assert isinstance(result, CannotWrite)
    assert [size > before for name, size in synced if name == str(path)] == [True, False]


def test_a_file_that_cannot_be_made_durable(team: Team, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message whose file or draft the disk does not keep is refused alone; the others of its group are sent."""
    real, calls = os.fsync, iter(range(1, 1_000_000))

    def fsync(fd: int) -> None:
        if next(calls) in (1, 4):  # the first message's file, the second one's draft
            raise OSError(errno.EIO, "Input/output error")
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    results = post(bus, 4)
    monkeypatch.undo()
    assert [isinstance(result, CannotWrite) for result in results] == [True, True, False, False]
    assert state.check(team.home) == set(sent(results))


def test_a_locked_inbox_refuses_all(team: Team, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message of a group whose recipient's inbox is locked says so, and nothing is left of any."""
    monkeypatch.setattr(lock, "WAIT", 0.1)
    post(bus, 1)
    before = tree(team.home)
    with lock.guard(str(team.home), "dev"):
        results = post(bus, 3)
    assert [type(result) for result in results] == [LockBusy] * 3
    assert tree(team.home) == before


def test_a_new_thread_of_many(team: Team, bus: Bus) -> None:
    """Messages of one group that open a thread together are all in it, once, in their order."""
    thread_id = ids.new_thread_id()
    results = post(bus, 5, thread_id=thread_id)
    assert state.check(team.home) == set(sent(results))
    assert [entry["id"] for entry in bus.thread(thread_id)["messages"]] == sent(results)
    more = post(bus, 3, thread_id=thread_id)
    assert [entry["id"] for entry in bus.thread(thread_id)["messages"]] == sent(results) + sent(more)


def test_groups_of_several_recipients(team: Team) -> None:
    """Neighbours with other recipients are groups of their own, and the results keep the order."""
    team.join("lead")
    bus = Bus.open({"AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": "ops"}, "/")
    to = ["dev", "lead", "lead", "dev/web", "dev", "ops"]
    results = bus.post([bus.prepare(name, "note", {"summary": name}) for name in to])
    assert [result["session"] or result["to"] for result in results if isinstance(result, dict)] == to
    assert len(state.check(team.home)) == 6


# ---- A thread is made by a link -----------------------------------------------------------------


@pytest.fixture
def between(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Somebody else sends into the same new thread just before this send's draft becomes the thread."""
    others: list[str] = []
    real = threads._publish

    def publish(source: str, path: str) -> bool:
        if not others:
            others.append("")
            (result,) = post(bus, 1, thread_id=Path(path).stem)
            others[0] = result["id"]
        return real(source, path)

    monkeypatch.setattr(threads, "_publish", publish)
    return others


def test_two_that_open_one_thread(team: Team, bus: Bus, between: list[str]) -> None:
    """A thread that another process made meanwhile is not overwritten: both messages are in it."""
    thread_id = ids.new_thread_id()
    (result,) = post(bus, 1, thread_id=thread_id)
    assert {entry["id"] for entry in bus.thread(thread_id)["messages"]} == {result["id"], *between}
    assert len(state.check(team.home)) == 2


def test_a_thread_made_under_its_guard_overwrites_none(team: Team, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that appears while recovery or a repair is about to make it is entered, not overwritten."""
    thread_id, real = ids.new_thread_id(), files.put_new
    late: list[str] = []
    (first,) = post(bus, 1, thread_id=thread_id)
    path = team.home / "threads" / f"{thread_id}.json"
    message = json.loads(Path(first["path"]).read_bytes())
    path.unlink()

    def put_new(name: str, data: bytes) -> bool:
        if not late:
            late.append("")
            (result,) = post(bus, 1, thread_id=thread_id)
            late[0] = result["id"]
        return real(name, data)

    monkeypatch.setattr(files, "put_new", put_new)
    threads.add(str(team.home), [message], {})
    assert {entry["id"] for entry in bus.thread(thread_id)["messages"]} == {first["id"], *late}
    path.unlink()
    late.clear()
    assert threads.rebuild(str(team.home), thread_id)
    assert len(bus.thread(thread_id)["messages"]) == 3
    assert len(state.check(team.home)) == 3
