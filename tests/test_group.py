"""Messages that are sent together have one commit, and each is all or nothing by itself."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Optional

import pytest

from agent_team_os.bus import Bus
from agent_team_os.mail import delivery, registry, threads
from agent_team_os.protocol import ids
from agent_team_os.protocol import message as messages
from agent_team_os.protocol.errors import BusError, CannotWrite, LockBusy, Undecided
from agent_team_os.storage import files, lock
from conftest import Team, tree
from support import copied, state
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
    """Thirty messages given together wait for the disk together: the outbox is synced once, not thirty times."""
    log = tmp_path / "calls"
    lines = '{"to":"dev","intent":"note","payload":{"summary":"x"}}\n' * 30
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
    assert len(state.check(team.home)) == 30


def test_one_that_cannot_be_linked(team: Team, bus: Bus) -> None:
    """A message whose box nobody may write into is refused alone; its neighbours before and behind it are sent."""
    box = team.home / "inboxes/dev/@web"
    box.mkdir(0o700)
    (box / "x").touch()
    made = [bus.prepare(to, "note", {"summary": to}) for to in ("dev", "dev/web", "dev", "dev/web", "dev")]
    taken = [box / f"{one.message['id']}.json" for one in made if messages.slug(one.message)]
    for path in taken:
        path.mkdir()
    results = bus.post(made)
    assert [isinstance(result, CannotWrite) for result in results] == [False, True, False, True, False]
    shutil.rmtree(box)
    assert state.check(team.home) == set(sent(results))


def test_a_link_that_fails_for_all(team: Team, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was visible before the disk began to refuse links is sent; nothing after it is."""
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


def test_a_helpers_line_is_not_cut_off(team: Team, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a helper of version 1 appended behind a line that was not finished stays; the send is undecided."""
    post(bus, 1)
    (path,) = (team.home / "outbox").glob("*.jsonl")

    def write_all(fd: int, data: bytes) -> None:
        if os.readlink(f"/proc/self/fd/{fd}") != str(path):
            real(fd, data)
            return
        os.write(fd, data[:40])
        with path.open("ab") as file:
            file.write(b"the helper's\n")
        raise OSError(errno.ENOSPC, "No space left on device")

    real = files.write_all
    monkeypatch.setattr(files, "write_all", write_all)
    (result,) = post(bus, 1)
    assert isinstance(result, Undecided)
    assert path.read_bytes().endswith(b"the helper's\n")


def test_nobody_is_left_without_a_result(team: Team, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can fail is asked before the first message is sent: who gets an error has sent nothing."""
    team.join("lead")
    bus = Bus.open({"AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": "ops"}, "/")
    real = registry.warnings

    def warnings(home: str, agent: str, slug: Optional[str]) -> list[str]:
        if agent == "lead":
            raise PermissionError(errno.EACCES, "Permission denied", "registry/lead.d")
        return real(home, agent, slug)

    monkeypatch.setattr(registry, "warnings", warnings)
    with pytest.raises(PermissionError):
        bus.post([bus.prepare(to, "note", {"summary": to}) for to in ("dev", "lead")])
    assert state.check(team.home) == set()


def test_an_answer_whose_original_is_being_read(team: Team, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the answer to what somebody is reading is left to the next command, not its neighbours."""
    monkeypatch.setattr(lock, "WAIT", 0.1)
    asked = team.ask("dev", "ops")
    with lock.guard(str(team.home), "@read-" + lock.bucket(asked["id"])):
        first, answer, last = bus.post(
            [
                bus.prepare("dev", "note", {"summary": "first"}),
                bus.prepare("dev", "note", {"summary": "yes"}, type="response", in_reply_to=asked["id"]),
                bus.prepare("dev", "note", {"summary": "last"}),
            ]
        )
    assert isinstance(first, dict)
    assert isinstance(answer, dict)
    assert isinstance(last, dict)
    assert (first["thread_status"], answer["thread_status"], last["thread_status"]) == ("open", None, "open")
    assert team.run("dev", "inbox").returncode == 0
    assert len(state.check(team.home)) == 4


def test_a_killed_group_is_recovered_in_its_order(team: Team, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread gets the messages of a killed group in the order they were sent, and with the status of the last."""
    thread_id = ids.new_thread_id()
    kinds = ["request", "accept", "question", "response"] * 3

    class Killed(BaseException):
        pass

    def finish(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(delivery, "_finish", finish)
    made = [bus.prepare("dev", "note", {"summary": kind}, type=kind, thread_id=thread_id) for kind in kinds]
    with pytest.raises(Killed):
        bus.post(made)
    monkeypatch.undo()
    delivery.recover(str(team.home))
    thread = bus.thread(thread_id)
    assert [entry["id"] for entry in thread["messages"]] == [one.message["id"] for one in made]
    assert (thread["subject"], thread["status"]) == ("request", "completed")


def test_files_enough(team: Team) -> None:
    """A batch with copies to two hubs is sent where a process may have 256 files open, as on macOS."""
    team.map(agents=copied.AGENTS, domains=copied.DOMAINS)
    line = '{"to":"secure","intent":"news","payload":{"text":"x"}}\n'
    limited = ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *PROGRAM, "send", "--batch", "-"]
    done = subprocess.run(
        limited, cwd=team.root / "dev", env=team.env, input=line.encode() * 80, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout[-500:]
    assert len(copied.check(team.home)) == 240


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
