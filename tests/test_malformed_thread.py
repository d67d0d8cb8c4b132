"""Any bytes as a thread: refused in one line, and rebuilt from the outbox."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agent_team_os.mail import doctor, threads
from agent_team_os.protocol import home as layout
from agent_team_os.protocol import schemas
from agent_team_os.protocol.errors import InvalidMessage
from agent_team_os.storage import files
from conftest import Team
from support import corpus
from support.broken import (
    DOCUMENT,
    SMALL_KINDS,
    THREAD,
    bus,
    check_note,
    conversation,
    one_line,
    patience,
    place,
    plain,
    snapshot,
)


@pytest.mark.parametrize("kind", SMALL_KINDS)
def test_as_thread(team: Team, tmp_path: Path, kind: str) -> None:
    """A thread that cannot be read is set aside and rebuilt by the next letter in it; until then it says so."""
    thread_id, path = conversation(team)
    document = json.loads(path.read_bytes())
    path.unlink()
    corpus.write(kind, path, document, tmp_path)
    before = os.lstat(path)
    with patience():
        with pytest.raises(InvalidMessage, match="cannot be read"):
            bus(team).thread(thread_id)
        assert bus(team).recent_threads() == []
        assert ("bad-thread", str(path)) in [(found["code"], found["path"]) for found in doctor.examine(str(team.home))]
        if "sparse" in kind:  # as far as a sender can tell this thread is full
            with pytest.raises(InvalidMessage, match="is full"):
                bus(team, "ops", "ops").send("dev", "note", {}, thread_id=thread_id)
            assert any("written anew" in done for done in doctor.repair(str(team.home)))
        sent = bus(team, "ops", "ops").send("dev", "note", {"summary": "second"}, thread_id=thread_id)
    assert sent["warnings"] == ["dev has no live session (never seen); it will see this when it opens."]
    thread = threads.load(str(team.home), thread_id)
    assert thread is not None
    assert [entry["id"] for entry in thread["messages"]] == sorted([document["messages"][0]["id"], sent["id"]])
    assert thread["subject"] == "first"
    aside = path.parent / ".quarantine" / path.name
    assert os.lstat(aside).st_ino == before.st_ino
    assert check_note(aside)


@pytest.mark.parametrize("kind", SMALL_KINDS)
def test_the_doctor_rebuilds_a_thread(team: Team, tmp_path: Path, kind: str) -> None:
    """`doctor --repair` sets a broken thread aside and writes it anew from the outbox, as it was."""
    _, path = conversation(team)
    document = json.loads(path.read_bytes())
    path.unlink()
    corpus.write(kind, path, document, tmp_path)
    before = os.lstat(path).st_ino
    with patience():
        assert list(doctor.repair(str(team.home)))
        assert [found for found in doctor.examine(str(team.home)) if "thread" in found["code"]] == []
    assert json.loads(path.read_bytes()) == document
    assert os.lstat(path.parent / ".quarantine" / path.name).st_ino == before


def test_threads_through_the_program(team: Team, tmp_path: Path) -> None:
    """Among broken threads the good one is listed and shown, each of the others is refused in one line."""
    good, _ = conversation(team)
    broken = {}
    for number, kind in enumerate((*SMALL_KINDS, "another id")):
        name = f"thread-20260520-{number:06}"
        path = team.home / "threads" / f"{name}.json"
        document = {**DOCUMENT["thread"], "id": name}
        place(path, DOCUMENT["thread"]) if kind == "another id" else corpus.write(kind, path, document, tmp_path)
        broken[name] = kind
    before = snapshot(team.home)
    assert [thread["id"] for thread in team.json("ops", "thread")["threads"]] == [good]
    plain(team.run("ops", "thread"))
    for number in range(0, len(broken), 20):
        assert "cannot be read" in one_line(team.run("ops", "thread", f"thread-20260520-{number:06}"), 4)
    assert snapshot(team.home) == before
    findings = json.loads(team.run("ops", "doctor", "--json").stdout)["findings"]
    named = {Path(found["path"]).stem for found in findings if found["code"] == "bad-thread"}
    assert [kind for name, kind in broken.items() if name not in named] == []


THREAD_FAULTS = dict(corpus.wrong_fields(DOCUMENT["thread"], schemas.load("thread")))


def test_threads_with_a_wrong_field(team: Team) -> None:
    """A thread with a field of the wrong type is no thread."""
    path = Path(layout.thread(str(team.home), THREAD))
    accepted = []
    for fault, document in THREAD_FAULTS.items():
        place(path, document)
        try:
            threads.load(str(team.home), THREAD)
        except files.BadFile:
            continue
        accepted.append(fault)
    assert accepted == []
