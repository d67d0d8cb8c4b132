"""A copy neither delays nor fails the send it belongs to, and is sent if and only if its original is."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.protocol import ids
from conftest import Team, tree
from support import state
from support.cli import PATIENCE, PROGRAM, ROOT
from support.copied import AGENTS, DOMAINS, ask, copies, settled, spooled, waiting


@pytest.fixture
def domains(team: Team) -> Team:
    """A bus of two domains with a hub each."""
    team.map(agents=AGENTS, domains=DOMAINS)
    return team


# ---- A copy neither delays nor fails the send ---------------------------------------------------


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that runs `code` with the package at hand; its arguments are sys.argv[1:]."""
    setup = f"import os, signal, sys; sys.path.insert(0, {str(ROOT / 'scripts')!r})\n"
    command = [sys.executable, "-I", "-c", setup + code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def locked(team: Team, agent: str) -> Iterator[None]:
    """While a live process holds the lock of an agent's inbox."""
    holder = python(
        "from agent_team_os.storage import lock\n"
        "with lock.recipient(*sys.argv[1:]):\n    print('held', flush=True)\n    sys.stdin.read()\n",
        team.home, agent,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        yield
    finally:
        holder.communicate(timeout=PATIENCE)
    assert holder.returncode == 0


def test_a_hub_whose_lock_is_held(domains: Team) -> None:
    """A hub's lock is waited for a moment; then the send succeeds with a warning, and the next command delivers."""
    with locked(domains, "lead"):
        sent = ask(domains)
        (warning,) = [text for text in sent["warnings"] if sent["cc"][0] in text]
        assert "the lock lead for 0.2 s" in warning
        assert "next command" in warning
        assert [message["id"] for message in waiting(domains, "secure")] == [sent["id"]]
        assert [message["id"] for message in waiting(domains, "ops")] == sent["cc"][1:]
        assert waiting(domains, "lead") == []
        assert list(copies(domains)) == sent["cc"]
        assert spooled(domains) == [domains.home / f"outbox/.spool/{sent['cc'][0]}.json"]
        assert domains.run("dev", "inbox").returncode == 0
        settled(domains, sent)
    assert domains.run("dev", "inbox").returncode == 0
    settled(domains, sent)


@contextlib.contextmanager
def a_file_in_its_place(folder: Path) -> Iterator[None]:
    """While a file has the name of a folder."""
    folder.touch()
    yield
    folder.unlink()


@contextlib.contextmanager
def not_writable(folder: Path) -> Iterator[None]:
    """While nobody may write into a folder."""
    folder.mkdir(0o500)
    yield
    folder.chmod(0o700)


@pytest.mark.parametrize("trouble", [a_file_in_its_place, not_writable])
def test_a_hub_whose_inbox_cannot_be_written(trouble: Any, domains: Team) -> None:
    """The send succeeds with a warning, the outbox has the copy once however often it is tried, and it arrives."""
    with trouble(domains.home / "inboxes/lead"):
        sent = ask(domains)
        assert any(sent["cc"][0] in text and "next command" in text for text in sent["warnings"])
        for _ in range(2):
            assert list(copies(domains)) == sent["cc"]
            assert [message["id"] for message in waiting(domains, "secure")] == [sent["id"]]
            assert spooled(domains) == [domains.home / f"outbox/.spool/{sent['cc'][0]}.json"]
            assert domains.run("dev", "inbox").returncode == 0
        assert sent["thread_status"] == "open"
    assert domains.run("dev", "inbox").returncode == 0
    settled(domains, sent)


def test_a_send_that_is_refused_tells_nobody(domains: Team) -> None:
    """Where the message itself cannot be delivered, nothing is left of its copies."""
    ask(domains)
    domains.map(agents={**AGENTS, "max": {"domain": "work"}})
    (domains.home / "inboxes/max").touch()
    domains.refused(73, "cannot-write", "dev", "send", "max", "question", "--field", "question=Which?")


def test_a_copy_that_cannot_be_kept(domains: Team) -> None:
    """Where the disk has no room for a copy, the send goes on without it and warns; the other copy is made."""
    code = """
import errno, json
from agent_team_os.bus import Bus
bus = Bus.open({"AGENT_TEAM_OS_HOME": sys.argv[1], "AGENT_TEAM_OS_AGENT": "dev"}, "/")
real, made = os.open, []
def opened(path, flags, *rest, **options):
    if ".spool" in str(path) and flags & os.O_EXCL:
        made.append(path)
        if len(made) == 2:
            raise OSError(errno.ENOSPC, "no space left on device", path)
    return real(path, flags, *rest, **options)
os.open = opened
print(json.dumps(bus.send("secure", "news", {"text": "x"})))
"""
    sent = json.loads(python(code, domains.home).communicate(timeout=PATIENCE)[0])
    assert [copies(domains)[copy_id]["to"] for copy_id in sent["cc"]] == ["ops"]
    assert any(text.startswith("lead gets no copy") and "no space left" in text for text in sent["warnings"])
    assert list(copies(domains)) == sent["cc"]
    settled(domains, sent)


# ---- Kills and rivals ---------------------------------------------------------------------------

# Sends from dev to secure, and is stopped where the function named in argv[2] is called for the argv[3]rd time.
STOPPED = """
import importlib
from agent_team_os.bus import Bus
module, name = "agent_team_os.storage.files", sys.argv[2]
files, left = importlib.import_module(module), [int(sys.argv[3])]
real = getattr(files, name)
def call(*arguments):
    left[0] -= 1
    if not left[0]:
        print("stopped", flush=True)
        sys.stdin.read()
    return real(*arguments)
setattr(files, name, call)
bus = Bus.open({"AGENT_TEAM_OS_HOME": sys.argv[1], "AGENT_TEAM_OS_AGENT": "dev"}, "/")
print(*bus.send("secure", "news", {"text": "x"})["cc"])
"""
# The original's spool file, the draft of its thread and two spool files of copies are written, then the original's
# line, its link, that of its thread, and of each copy the line and the link.
STOPS = {
    "copy's spool file": ("write_all", 3),
    "line": ("write_all", 5),
    "link": ("publish", 1),
    "thread": ("publish", 2),
    "copy's line": ("write_all", 6),
    "copy's link": ("publish", 3),
    "last line": ("write_all", 7),
    "last link": ("publish", 4),
}


@contextlib.contextmanager
def stopped(team: Team, at: str) -> Iterator[subprocess.Popen[str]]:
    """A send from dev to secure that has come to this step."""
    process = python(STOPPED, team.home, *STOPS[at])
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "stopped\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


@pytest.mark.parametrize("at", STOPS)
def test_a_live_sender_is_left_alone(at: str, domains: Team) -> None:
    """As long as its sender lives, no other command finishes a copy or takes it back."""
    with stopped(domains, at) as sender:
        before = tree(domains.home / "outbox")
        assert domains.run("dev", "inbox").returncode == 0
        assert tree(domains.home / "outbox") == before
        sent = {"cc": sender.communicate(timeout=PATIENCE)[0].split()}
        assert sender.returncode == 0
    assert list(copies(domains)) == sent["cc"]
    assert len(sent["cc"]) == 2
    settled(domains, sent)


def killed(team: Team, at: str) -> list[str]:
    """The ids of message and copies that a send left in the spool which was killed at this step."""
    with stopped(team, at):
        pass
    left = [path.stem for path in spooled(team)]
    assert len(left) == 3
    return left


@contextlib.contextmanager
def held_by_another(team: Team, names: list[str]) -> Iterator[None]:
    """While another command is busy with these files of the spool."""
    with contextlib.ExitStack() as stack:
        for name in names:
            file = stack.enter_context((team.home / f"outbox/.spool/{name}.json").open("rb"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("first", [[0], [1], [2], [0, 1], [1, 2]], ids=str)
@pytest.mark.parametrize("at", ["line", "link"])
def test_whoever_recovers_what_first(at: str, first: list[int], domains: Team) -> None:
    """Message and copies of a killed send share its fate, in whatever order commands come upon them."""
    left = killed(domains, at)
    sent = at == "link"
    with held_by_another(domains, [name for number, name in enumerate(left) if number not in first]):
        assert domains.run("dev", "inbox").returncode == 0
        assert [path.stem for path in spooled(domains)] == [left[n] for n in range(3) if n not in first]
        assert state.boxes(domains.home).keys() == ({left[number] for number in first} if sent else set())
    assert domains.run("dev", "inbox").returncode == 0
    assert spooled(domains) == []
    assert sorted(message["id"] for message in state.outbox(domains.home)) == (left if sent else [])
    assert sorted(path.stem for paths in state.boxes(domains.home).values() for path in paths) == (left if sent else [])


@pytest.mark.parametrize("at", ["line", "link"])
def test_doctor_tells_the_fate_of_copies(at: str, domains: Team) -> None:
    """What a killed send left is named with what will come of it, and mended in that way."""
    left = killed(domains, at)
    words = "was sent and is not yet delivered" if at == "link" else "was never sent and will be taken back"
    found = json.loads(domains.run("dev", "doctor", "--json").stdout)["findings"]
    told = {finding["path"]: finding["what"] for finding in found if finding["code"] == "spool-left"}
    assert sorted(Path(path).stem for path in told) == left
    assert all(words in what for what in told.values())
    assert [path.stem for path in spooled(domains)] == left
    domains.run("dev", "doctor", "--repair")
    assert set(state.boxes(domains.home)) == set(left if at == "link" else [])


def test_a_copy_of_yesterday_s_message(domains: Team) -> None:
    """A copy is not sent before the line of its original, in the outbox of another day, is made durable."""
    sent = ask(domains)
    (copy,) = (message for message in waiting(domains, "lead") if message["cc_of"] == sent["id"])
    (today,) = (domains.home / "outbox").glob("*.jsonl")
    yesterday = today.with_name("2026-05-20.jsonl")
    today.rename(yesterday)
    old = f"msg-20260520T235959Z-{sent['id'][-8:]}"
    for path in (yesterday, *domains.home.rglob(f"{sent['id']}.json")):
        path.write_text(path.read_text().replace(sent["id"], old))
    late = {**copy, "id": ids.new_message_id(), "cc_of": old}
    (domains.home / f"outbox/.spool/{late['id']}.json").write_text(json.dumps(late))
    log = domains.root / "calls"
    command = ["strace", "-f", "-y", "-qq", "-o", str(log), "-e", "trace=fsync,write", *PROGRAM, "inbox"]
    subprocess.run(command, cwd=domains.root / "dev", env=domains.env, capture_output=True, check=True)
    calls = log.read_text().splitlines()
    durable = next(number for number, call in enumerate(calls) if "fsync" in call and yesterday.name in call)
    written = next(number for number, call in enumerate(calls) if "write" in call and today.name in call)
    assert durable < written
    assert late["id"] in {message["id"] for message in waiting(domains, "lead")}


def test_a_broken_copy_in_the_spool(domains: Team) -> None:
    """What cannot be a copy, or is one of nothing, is no copy somebody owes: it is taken away as ever."""
    sent = ask(domains)
    (real,) = waiting(domains, "lead")
    folder = domains.home / "outbox/.spool"
    of_nothing = {**real, "id": ids.new_message_id(), "cc_of": ids.new_message_id()}
    (folder / f"{of_nothing['id']}.json").write_text(json.dumps(of_nothing))
    for text in ("", "{", json.dumps({**real, "cc_of": sent["id"]})):
        (folder / f"{ids.new_message_id()}.json").write_text(text)
    os.mkfifo(folder / f"{ids.new_message_id()}.json")
    before = state.boxes(domains.home)
    assert domains.run("dev", "inbox").returncode == 0
    assert spooled(domains) == []
    assert state.boxes(domains.home) == before
    settled(domains, sent)


def test_a_copy_by_hand_that_cannot_be_taken_back(domains: Team) -> None:
    """Where a disk lets a message neither be sent nor be removed, a copy of sent mail is undecided, not refused."""
    sent = ask(domains)
    (domains.home / "inboxes/max").touch()
    domains.map(agents={**AGENTS, "max": {}})
    code = """
import errno
from agent_team_os.bus import Bus
from agent_team_os.protocol.errors import BusError
bus = Bus.open({"AGENT_TEAM_OS_HOME": sys.argv[1], "AGENT_TEAM_OS_AGENT": "dev"}, "/")
real = os.unlink
def unlink(path, *rest, **options):
    if ".spool" in str(path):
        raise OSError(errno.EIO, "input/output error", path)
    return real(path, *rest, **options)
os.unlink = unlink
for more in ({}, {"cc_of": sys.argv[2]}):
    try:
        bus.send("max", "news", {"text": "x"}, **more)
    except BusError as error:
        print(error.code)
"""
    process = python(code, domains.home, sent["id"])
    assert process.communicate(timeout=PATIENCE)[0].split() == ["cannot-write", "undecided"]
    (domains.home / "inboxes/max").unlink()
    assert domains.run("dev", "inbox").returncode == 0
    (late,) = waiting(domains, "max")
    assert late["cc_of"] == sent["id"]
    assert spooled(domains) == []


def test_senders_beside_commands_that_recover(domains: Team) -> None:
    """Senders that work while others look for what killed commands left: each copy is there once."""
    line = {"to": "secure", "intent": "news", "payload": {"text": "x"}}
    options: dict[str, Any] = {"env": domains.env, "cwd": domains.root / "dev", "stdout": subprocess.PIPE, "text": True}
    senders = [subprocess.Popen([*PROGRAM, "send", "--batch", "-"], stdin=subprocess.PIPE, **options) for _ in range(3)]
    for sender in senders:
        assert sender.stdin is not None
        sender.stdin.write((json.dumps(line) + "\n") * 10)
        sender.stdin.close()
        sender.stdin = None
    while any(sender.poll() is None for sender in senders):
        assert domains.run("dev", "inbox").returncode == 0
    results = [json.loads(line) for sender in senders for line in sender.communicate(timeout=PATIENCE)[0].splitlines()]
    assert len(results) == 30
    assert domains.run("dev", "inbox").returncode == 0
    assert sorted(copy_id for result in results for copy_id in result["cc"]) == sorted(copies(domains))
    assert len(copies(domains)) == 60
    assert all(len(paths) == 1 for paths in state.boxes(domains.home).values())
    assert len(state.boxes(domains.home)) == len(state.outbox(domains.home)) == 90
    assert spooled(domains) == []
