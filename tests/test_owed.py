"""Drain with the scope `owed`: what was read and asked for an answer keeps a session until there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Team
from support.attacks import unseen
from support.cli import ROOT
from support.desk import Desk, drain, framed, grow_still, ids_in

DAY = 86_400
ANSWERS = ("response", "decline", "question", "confirm")
NO_ANSWERS = ("accept", "request", "event", "brief", "review-request", "handoff")


@pytest.fixture
def dev(team: Team) -> Desk:
    """A session of dev that may not stop while it owes an answer."""
    drain(team, scope="owed", max_blocks=7)
    return Desk(team, "dev")


@pytest.fixture
def ops(team: Team) -> Desk:
    """A session of ops."""
    return Desk(team, "ops")


def ask(ops: Desk, to: str = "dev", **fields: Any) -> str:
    """Send a request that wants an answer, and return its id."""
    fields = {"requires_response": True, **fields}
    return str(ops.bus().send(to, "note", {"summary": "Please"}, **fields)["id"])


def owes(dev: Desk) -> set[str]:
    """The ids that keep the session from stopping, all of which are counted."""
    reason = dev.reason()
    found = set(ids_in(reason))
    assert reason.startswith(f"{len(found)} message") or not reason
    return found


# ---- What is an answer --------------------------------------------------------------------------


def test_read_and_not_answered(dev: Desk, ops: Desk) -> None:
    """A request that wants an answer is owed when it is read as it was when it was pending."""
    message_id = ask(ops)
    assert owes(dev) == {message_id}
    dev.read(message_id)
    assert owes(dev) == {message_id}
    assert framed(dev.reason())[0].startswith("normal note from ops")


@pytest.mark.parametrize("kind", [*ANSWERS, *NO_ANSWERS])
def test_what_is_an_answer(kind: str, dev: Desk, ops: Desk) -> None:
    """A response, decline, question or confirm is an answer; an accept only promises one, and the rest is news."""
    original = dev.read(ask(ops))
    dev.bus().reply(original, kind, {"project": "web", "summary": "So be it", "question": "Which?"})
    assert owes(dev) == (set() if kind in ANSWERS else {original["id"]})


def test_accepted_and_then_answered(dev: Desk, ops: Desk) -> None:
    """After an accept the answer itself lets the session go."""
    original = dev.read(ask(ops))
    dev.bus().reply(original, "accept", {"summary": "On it"})
    assert owes(dev) == {original["id"]}
    dev.bus().reply(original, "response", {"summary": "Done"})
    assert owes(dev) == set()


def test_what_asks_for_nothing(dev: Desk, ops: Desk) -> None:
    """Mail that wants no answer is handled when it is read; a copy never asks for one."""
    dev.read(ask(ops, requires_response=False))
    dev.read(dev.put(1, type="cc-notify", requires_response=True))
    assert owes(dev) == set()


def test_only_our_own_answer_counts(dev: Desk, ops: Desk) -> None:
    """What the other side writes into the thread answers nothing for us."""
    original = dev.read(ask(ops))
    more = ops.bus().send("dev", "note", {"summary": "Also"}, type="response", thread_id=original["thread_id"])
    dev.read(more["id"])
    assert owes(dev) == {original["id"]}


def test_an_earlier_answer_does_not_count(dev: Desk, ops: Desk) -> None:
    """Asked again in the same thread, the session owes again."""
    first = dev.read(ask(ops))
    dev.bus().reply(first, "response", {"summary": "Done"})
    second = ask(ops, thread_id=first["thread_id"])
    dev.read(second)
    assert owes(dev) == {second}


def test_an_answer_in_another_thread(dev: Desk, ops: Desk) -> None:
    """An answer to something else answers nothing here."""
    first, second = dev.read(ask(ops)), dev.read(ask(ops))
    dev.bus().reply(first, "response", {"summary": "Done"})
    assert owes(dev) == {second["id"]}


def test_an_answer_by_reply(dev: Desk, ops: Desk) -> None:
    """The command line's reply to a message that is still pending archives and answers it."""
    message_id = ask(ops)
    dev.team.json("dev", "reply", message_id, "decline", "--summary", "No time")
    assert owes(dev) == set()


def test_a_thread_without_a_file(dev: Desk, ops: Desk) -> None:
    """Without the file of its thread a request is still owed."""
    original = dev.read(ask(ops))
    (dev.team.home / f"threads/{original['thread_id']}.json").unlink()
    assert owes(dev) == {original["id"]}


@pytest.mark.parametrize("thread", ["", "{", "[]", '{"id":"thread-20260520-abc123"}', "\0", "[" * 9999])
def test_a_broken_thread(thread: str, dev: Desk, ops: Desk) -> None:
    """A thread that cannot be read keeps the request owed and hides none of the others."""
    first, second = dev.read(ask(ops)), dev.read(ask(ops))
    (dev.team.home / f"threads/{first['thread_id']}.json").write_text(thread)
    assert owes(dev) == {first["id"], second["id"]}


# ---- Whose, how old, how pressing ---------------------------------------------------------------


def test_by_session(dev: Desk, ops: Desk) -> None:
    """What only one session was asked is owed by that session; what the agent was asked, by all its sessions."""
    (dev.team.root / "dev/web").mkdir()
    web = Desk(dev.team, "dev", "s-2")
    web.folder = dev.team.root / "dev/web"
    ours, theirs = ask(ops), ask(ops, "dev/web")
    dev.read(ours)
    web.read(theirs)
    assert owes(dev) == {ours}
    assert owes(web) == {ours, theirs}


@pytest.mark.parametrize(("days", "owed"), [(0, True), (13.9, True), (14.1, False), (400, False)])
def test_how_old(days: float, owed: bool, dev: Desk) -> None:
    """What was sent more than two weeks ago is owed no more."""
    message_id = dev.put(1, age=days * DAY, requires_response=True)
    dev.read(message_id)
    assert owes(dev) == ({message_id} if owed else set())


def test_growing_old(dev: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two weeks pass in an archive too in which nothing changes."""
    message_id = dev.put(1, age=13 * DAY, requires_response=True)
    dev.read(message_id)
    grow_still(dev.team.home / "inboxes/dev/.read")
    assert owes(dev) == {message_id}
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 2 * DAY)
    assert owes(dev) == set()


def test_the_least_priority_of_what_is_read(team: Team) -> None:
    """The least priority counts for what was read as for what is pending."""
    drain(team, scope="owed", min_priority="high", max_blocks=7)
    dev = Desk(team, "dev")
    high = dev.put(1, priority="high", requires_response=True)
    normal = dev.put(2, requires_response=True)
    dev.read(high)
    dev.read(normal)
    assert owes(dev) == {high}


def test_with_the_scope_pending_nothing_is_owed(team: Team) -> None:
    """By default only unread mail keeps a session."""
    drain(team)
    dev = Desk(team, "dev")
    dev.read(dev.put(1, requires_response=True))
    assert owes(dev) == set()


def test_reading_is_not_handling(dev: Desk) -> None:
    """To read what wants an answer does not start the count again: it is the same set."""
    message_id = dev.put(1, requires_response=True)
    assert dev.stops(5) == [True] * 5
    dev.read(message_id)
    assert dev.stops(4) == [True, True, False, False]


def test_the_prompt_is_not_told_of_what_is_owed(dev: Desk) -> None:
    """What was read is no new mail, before a block that lists it and after."""
    dev.start()
    message_id = dev.put(1, priority="high", requires_response=True)
    dev.read(message_id)
    assert dev.prompt() == ""
    assert message_id in dev.reason()
    assert dev.prompt() == ""


# ---- An archive that others write ---------------------------------------------------------------


def version_1(team: Team, script: str) -> list[str]:
    """What the helpers of version 1 print, a line each."""
    done = subprocess.run(
        ["bash", "-euc", f'. "$0"; {script}', str(ROOT / "tests/support/v1.sh")],
        env={**os.environ, "BUS": str(team.home)}, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.parametrize("folder", [".read", ".done"])
def test_read_by_version_1(folder: str, dev: Desk) -> None:
    """What a client of version 1 archived, in either of the folders it knows, is owed like any other."""
    message_id = dev.put(1, requires_response=True, version="1.0")
    version_1(dev.team, f"v1_read dev {message_id} {folder} >/dev/null")
    assert owes(dev) == {message_id}


def test_sent_and_answered_by_version_1(dev: Desk) -> None:
    """A message of version 1 that asks for nothing is not owed, and a thread of version 1 tells of no answer."""
    (message_id,) = version_1(dev.team, "v1_send ops dev request note Please")
    dev.read(message_id)
    assert owes(dev) == set()


def test_archived_within_one_tick(dev: Desk) -> None:
    """Two messages archived within one tick of the folder's clock are both owed."""
    archive = dev.team.home / "inboxes/dev/.read"
    first, second = dev.put(1, requires_response=True), dev.put(2, requires_response=True)
    dev.read(first)
    tick = time.time_ns()
    os.utime(archive, ns=(tick, tick))
    assert owes(dev) == {first, second}
    dev.path(second).rename(archive / f"{second}.json")
    os.utime(archive, ns=(tick, tick))
    assert owes(dev) == {first, second}


def test_taken_out_of_the_archive(dev: Desk) -> None:
    """A message that somebody took out of the archive is owed no more."""
    message_id = dev.put(1, requires_response=True)
    dev.read(message_id)
    assert owes(dev) == {message_id}
    dev.path(message_id).unlink()
    assert owes(dev) == set()


@pytest.mark.parametrize("junk", ["{}", "", '{"id":"msg-20260520T091812Z-00000001"}', "\0"])
def test_what_is_no_message_in_an_archive(junk: str, dev: Desk) -> None:
    """A broken file in the archive, or a foreign one, hides none of the others and stays where it is."""
    message_id = dev.put(1, requires_response=True)
    dev.read(message_id)
    archive = dev.team.home / "inboxes/dev/.read"
    name = f"{message_id[:-8]}zzzzzzzz.json"
    (archive / name).write_text(junk)
    (archive / "notes.txt").write_text("mine")
    assert owes(dev) == {message_id}
    assert (archive / name).read_text() == junk


# ---- What is remembered -------------------------------------------------------------------------

_opened: list[str] = []


def _note(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(args[0], str) and "/msg-" in args[0]:
        _opened.append(args[0])


@pytest.fixture(scope="module")
def opened() -> list[str]:
    """The paths of the messages this process opens from now on."""
    sys.addaudithook(_note)
    return _opened


def test_nothing_is_opened_twice(dev: Desk, opened: list[str]) -> None:
    """In an archive where nothing has changed no message is opened a second time, but for the lines that are shown."""
    shown = dev.put(1, requires_response=True)
    for number in range(2, 30):
        dev.read(dev.put(number))
    dev.read(shown)
    grow_still(dev.team.home / "inboxes/dev/.read")
    assert owes(dev) == {shown}
    opened.clear()
    assert owes(dev) == {shown}
    assert {Path(path).stem for path in opened} <= {shown}


def damaged(document: Any) -> Iterator[Any]:
    """The document with one of its values or keys replaced by nonsense, in every way once."""
    if isinstance(document, dict):
        for key, item in document.items():
            yield from ({**document, key: other} for other in damaged(item))
            yield {**{name: value for name, value in document.items() if name != key}, "../../../etc": item}
    elif isinstance(document, list):
        for at, item in enumerate(document):
            yield from ([*document[:at], other, *document[at + 1 :]] for other in damaged(item))
        yield [*document, "x"]
    yield from ("nonsense", "../x", -1, None, {"a": 1}, ["x"], ["x", "y"])


def test_a_memory_of_nonsense(dev: Desk) -> None:
    """Whatever the memory has come to, it breaks no hook and hides no pending mail."""
    owed, pending = dev.put(1, requires_response=True), dev.put(2)
    dev.read(owed)
    grow_still(dev.team.home / "inboxes/dev/.read")
    drain(dev.team, scope="owed", max_blocks=7)
    assert owes(dev) == {owed, pending}
    path = dev.team.home / "state/@dev.owed.json"
    memory = json.loads(path.read_bytes())
    log = dev.team.home / "state/hook-errors.log"
    wrong = []
    for number, document in enumerate([*damaged(memory), *({"dev": value} for value in damaged({}))]):
        path.write_text(json.dumps(document))
        reason = Desk(dev.team, "dev", f"n-{number}").reason()
        if pending not in reason or log.exists() or unseen(reason.replace("\n", "")):
            wrong.append((document, log.read_text() if log.exists() else reason))
            log.unlink(missing_ok=True)
    assert number > 30
    assert wrong == []


@pytest.mark.parametrize("junk", [b"", b"{", b"\xff", b"[]", b"9" * 5000, b"[" * 100_000])
def test_a_memory_that_is_none(junk: bytes, dev: Desk) -> None:
    """A memory that cannot be read is learned again."""
    message_id = dev.put(1, requires_response=True)
    dev.read(message_id)
    grow_still(dev.team.home / "inboxes/dev/.read")
    assert owes(dev) == {message_id}
    (dev.team.home / "state/@dev.owed.json").write_bytes(junk)
    assert owes(dev) == {message_id}


def test_without_an_archive(dev: Desk) -> None:
    """An agent that never read anything owes nothing."""
    assert owes(dev) == set()
    (dev.team.home / "inboxes/dev/.read").write_text("no folder")
    assert owes(dev) == set()
    assert not (dev.team.home / "state/hook-errors.log").exists()
