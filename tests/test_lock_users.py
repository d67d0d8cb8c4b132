"""Whoever changes what others change too waits for the lock of it, however rarely they meet."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from agent_team_os.bus import Bus
from agent_team_os.mail import delivery, doctor, threads
from agent_team_os.mail.doctor import locks as doctor_locks
from agent_team_os.storage import files, journal, lock, quarantine, spool
from agent_team_os.storage import home as homes
from conftest import Team
from support import copied

Held = Callable[[Team, dict[str, Any]], AbstractContextManager[None]]


class Waits(BaseException):
    """A lock was found held, and would have been waited for."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever begins to wait for a lock says so instead."""

    def sleep(_: float) -> NoReturn:
        raise Waits

    monkeypatch.setattr(lock, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))


def bus_of(team: Team, agent: str = "ops") -> Bus:
    """The bus as an agent sees it."""
    return Bus.open({"AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": agent}, "/")


# ---- What somebody holds ------------------------------------------------------------------------


def guard(name: str) -> Held:
    """A guard, held by another open file, as another process would."""

    @contextlib.contextmanager
    def hold(team: Team, sent: dict[str, Any]) -> Iterator[None]:
        bucket = {"@thread-": "thread_id", "@read-": "id"}.get(name)
        with lock.guard(str(team.home), name + (lock.bucket(sent[bucket]) if bucket else "")):
            yield

    return hold


@contextlib.contextmanager
def helper(team: Team, _: dict[str, Any]) -> Iterator[None]:
    """The lock folder of an inbox, made by a helper of version 1."""
    folder = team.home / "locks/dev.lock"
    folder.mkdir()
    yield
    folder.rmdir()


@contextlib.contextmanager
def outbox(team: Team, _: dict[str, Any]) -> Iterator[None]:
    """The outbox file of the day."""
    (path,) = (team.home / "outbox").glob("*.jsonl")
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# ---- Who must wait for it -----------------------------------------------------------------------


def make_map(team: Team, _: dict[str, Any]) -> None:
    """The first map is written."""
    homes.make_map(str(team.home))


def restore_map(team: Team, _: dict[str, Any]) -> None:
    """A lost map is brought back."""
    (team.home / "AGENT_MAP.json").unlink(missing_ok=True)
    homes.restore_map(str(team.home))


def join(team: Team, _: dict[str, Any]) -> None:
    """The map is changed."""
    homes.change_map(str(team.home), lambda document: document.update(rules=[]))


def send(team: Team, _: dict[str, Any]) -> None:
    """A message is delivered."""
    bus_of(team).send("dev", "note", {"summary": "x"})


def append(team: Team, _: dict[str, Any]) -> None:
    """A line is written."""
    (path,) = (team.home / "outbox").glob("*.jsonl")
    journal.Journal(str(path))


def enter(team: Team, sent: dict[str, Any]) -> None:
    """A message goes into a thread that is there."""
    threads.add(str(team.home), [bus_of(team, "dev").find(sent["id"])[0]], {})


def rebuild(team: Team, sent: dict[str, Any]) -> None:
    """A thread is made anew."""
    threads.rebuild(str(team.home), sent["thread_id"])


def read(team: Team, sent: dict[str, Any]) -> None:
    """A message is read."""
    with bus_of(team, "dev").reading(sent["id"]):
        pass


def repair_twice(team: Team, sent: dict[str, Any]) -> None:
    """A message that lies twice is archived."""
    archive = team.home / "inboxes/dev/.read"
    archive.mkdir(exist_ok=True)
    (archive / f"{sent['id']}.json").write_bytes(Path(sent["path"]).read_bytes())
    list(doctor.repair(str(team.home)))


def set_aside(team: Team, _: dict[str, Any]) -> None:
    """What is no message is set aside."""
    path = team.home / "inboxes/dev/msg-20260520T091812Z-aaaaaaaa.json"
    path.write_text("no JSON at all, and complete")
    quarantine.set_aside(str(team.home), str(path), "no JSON")


def pass_through(team: Team, _: dict[str, Any]) -> None:
    """A repair frees a lock."""
    doctor_locks._pass_through(str(team.home), "dev")


@pytest.mark.parametrize(
    ("held", "user"),
    [
        (guard("@agent-map"), make_map), (guard("@agent-map"), restore_map), (guard("@agent-map"), join),
        (guard("dev"), send), (helper, send),
        (outbox, append), (outbox, send), (guard("@thread-"), enter), (guard("@thread-"), rebuild),
        (guard("@read-"), read), (guard("@read-"), repair_twice), (guard("@quarantine"), set_aside),
        (guard("dev"), pass_through),
    ],
    ids=lambda one: str(getattr(one, "__qualname__", one)).split(".")[0],
)  # fmt: skip
def test_whoever_changes_it_waits(
    held: Held, user: Callable[[Team, dict[str, Any]], None], team: Team, impatient: None
) -> None:
    """While somebody else holds the lock nothing is changed; afterwards it is."""
    sent = team.ask("ops", "dev")
    with held(team, sent), pytest.raises(Waits):
        user(team, sent)
    user(team, sent)


def test_an_answer_waits_for_who_reads_its_original(team: Team, impatient: None) -> None:
    """An answer is sent without waiting for the archive of what it answers, which the next command then does."""
    sent = team.ask("dev", "ops")
    bus = bus_of(team)
    message, path = bus.find(sent["id"])
    with guard("@read-")(team, sent), pytest.raises(Waits):
        bus.reply(message, "response", {"text": "main"})
    assert Path(path).exists()
    assert team.run("dev", "inbox").returncode == 0
    assert not Path(path).exists()


def test_a_copy_waits_for_its_hub(team: Team, impatient: None) -> None:
    """A copy goes into the inbox of a hub under the lock of that inbox."""
    team.map(agents=copied.AGENTS, domains=copied.DOMAINS)
    bus = bus_of(team, "dev")
    with lock.guard(str(team.home), "lead"), pytest.raises(Waits):
        bus.send("secure", "note", {"summary": "x"})
    assert copied.waiting(team, "secure")
    assert copied.waiting(team, "lead") == []


def test_a_spool_file_belongs_to_its_sender(team: Team) -> None:
    """As long as a sender lives, nobody else gets hold of its spool file; afterwards anybody does."""
    (team.home / "outbox/.spool").mkdir(exist_ok=True)
    entry = spool.begin(str(team.home), "msg-20260520T091812Z-aaaaaaaa")
    assert spool.seize(entry.path) is None
    entry.close()
    found = spool.seize(entry.path)
    assert found is not None
    found.close()


def test_a_blob_belongs_to_a_sender_that_has_just_come(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that begins between the listing of the spool and the look at a blob keeps its blob."""
    folder = team.home / "outbox/.spool"
    name = "msg-20260520T091812Z-aaaaaaaa"
    real = files.names

    def names(path: str) -> list[str]:
        found = real(path)
        if path == str(folder) and not folder.joinpath(f"{name}.json").exists():
            held.append(spool.begin(str(team.home), name))
            Path(held[0].blob).touch()
            found.append(f"{name}.blob")  # as a listing that is under way may see the later of two new names
        return found

    held: list[spool.Entry] = []
    monkeypatch.setattr(files, "names", names)
    delivery.recover(str(team.home))
    assert Path(held[0].blob).exists()
    held[0].close()
    delivery.recover(str(team.home))
    assert not Path(held[0].blob).exists()


def test_doctor_sees_a_guard_that_is_held(team: Team) -> None:
    """A lock whose guard somebody holds is no stale one."""
    team.ask("ops", "dev")
    with lock.guard(str(team.home), "dev"), doctor_locks._guard_is_free(str(team.home), "dev") as free:
        assert not free
    with doctor_locks._guard_is_free(str(team.home), "dev") as free:
        assert free


def test_a_forced_repair_makes_the_guard_with_its_mode(team: Team) -> None:
    """A lock whose guard was never made gets one nobody else may open, also by force."""
    folder = team.home / "locks/dev.lock"
    folder.mkdir()
    (folder / "elsewhere.1.0a1b2c3d-1").touch()
    guard_file = team.home / "locks/dev.guard"
    guard_file.unlink(missing_ok=True)
    before = os.umask(0)
    try:
        doctor_locks._empty(str(team.home), "dev", ["elsewhere.1.0a1b2c3d-1"])
    finally:
        os.umask(before)
    assert guard_file.stat().st_mode & 0o777 == 0o600
