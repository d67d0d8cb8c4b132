"""Any bytes in every other file of the home: what is kept for later, notes, guards and the names of temporary files."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest

from agent_team_os.bus import Bus
from agent_team_os.mail import doctor, hook_log, tracing
from agent_team_os.protocol.errors import BusError, CannotWrite, LockBusy
from agent_team_os.storage import lock, quarantine
from conftest import Team
from support import corpus
from support.attacks import unseen
from support.broken import BAD, GOOD, WORDS, aside, box, bus, message, patience, place
from support.desk import Desk, drain, ids_in
from support.sessions import Session, ids, put


def check_works(team: Team) -> None:
    """After a repair ops writes to dev, in a new thread, and dev reads it."""
    list(doctor.repair(str(team.home)))
    sent = bus(team, "ops", "ops").send("dev", "note", {"summary": WORDS})
    assert sent["thread_status"] == "open"
    with bus(team).reading(sent["id"]) as letter:
        assert letter["message"]["payload"]["summary"] == WORDS
    assert tracing.trace(str(team.home), sent["id"])["state"] == "read"


@pytest.mark.parametrize("folder", [".done", "@dev/.read"])
@pytest.mark.parametrize("kind", corpus.KINDS)
def test_in_every_archive(team: Team, tmp_path: Path, kind: str, folder: str) -> None:
    """What is no message in any archive is not shown, stays where it is, and the doctor names it."""
    path = box(team) / folder / f"{BAD}.json"
    path.parent.mkdir(parents=True)
    corpus.write(kind, path, message(BAD), tmp_path)
    corpus.grow_old(path)
    with patience():
        with pytest.raises(BusError, match="cannot be read"):
            bus(team).find(BAD)
        assert str(path) in {found["path"] for found in doctor.examine(str(team.home))}
        list(doctor.repair(str(team.home)))
    assert os.path.lexists(path)


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_as_the_reason_in_a_quarantine(team: Team, tmp_path: Path, kind: str) -> None:
    """A note that says why a file was set aside, and says nothing that can be read, hides neither file nor mail."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    (box(team) / f"{BAD}.json").write_text("[]")
    assert len(bus(team).inbox()) == 1
    path = aside(box(team) / f"{BAD}.json")
    note = Path(f"{path}.why.json")
    note.unlink()
    corpus.write(kind, note, {"file": path.name, "at": "2026-05-20T09:18:12Z"}, tmp_path)
    with patience():
        assert len(bus(team).inbox()) == 1
        [found] = [found for found in doctor.examine(str(team.home)) if found["code"] == "quarantined"]
        tracing.trace(str(team.home), BAD)
    assert (found["path"], unseen(found["what"])) == (str(path), [])


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_as_what_is_owed(team: Team, tmp_path: Path, kind: str) -> None:
    """Whatever lies where it is kept what an archive asks for, a request that was read is owed."""
    drain(team, scope="owed", max_blocks=7)
    dev = Desk(team, "dev")
    message_id = dev.put(1, requires_response=True)
    dev.read(message_id)
    corpus.write(kind, team.home / "state/@dev.owed.json", {"boxes": {}}, tmp_path)
    with patience():
        for _ in range(2):
            assert ids_in(dev.reason()) == [message_id]
    assert not (team.home / "state/hook-errors.log").exists()


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_as_the_map_that_was_valid(team: Team, tmp_path: Path, kind: str) -> None:
    """Whatever lies where a valid map is remembered, a valid map is used and a wrong one is not."""
    path = team.home / "state/map.checked"
    path.unlink()
    corpus.write(kind, path, {"version": "2.0"}, tmp_path)
    sent = put(team, 1)
    with patience():
        assert ids(Session(team).start()) == [sent]
        (team.home / "AGENT_MAP.json").write_bytes(b'{"version":"3.0"}')
        assert set(Session(team).fire("SessionStart")) == {"systemMessage"}
        assert Session(team, "s-2").prompt() == ""


@pytest.mark.parametrize("kind", [*corpus.THINGS, "empty", "UTF-16", "raw NUL", "raw escape character", "over 1 MiB"])
def test_as_the_log_of_errors(team: Team, tmp_path: Path, kind: str) -> None:
    """Whatever lies where hooks note what went wrong, it is shown as nothing or as a line, and hooks go on."""
    corpus.write(kind, team.home / "state/hook-errors.log", {"x": 1}, tmp_path)
    sent = put(team, 1)
    with patience():
        assert hook_log.last_error(str(team.home)) is None
        assert ids(Session(team).start()) == [sent]
        (team.home / "AGENT_MAP.json").write_text("[")
        Session(team).prompt()
        last = hook_log.last_error(str(team.home))
    assert last is None or " UserPromptSubmit InvalidMap: " in last


@pytest.mark.parametrize("kind", corpus.THINGS)
def test_as_the_sign_that_a_hook_ran(team: Team, tmp_path: Path, kind: str) -> None:
    """Whatever lies where it is kept when a hook last ran, the hook announces the mail."""
    for event in ("SessionStart", "UserPromptSubmit"):
        corpus.write(kind, team.home / f"state/{event}.ran", {}, tmp_path)
    first = put(team, 1, priority="high")
    with patience():
        assert ids(Session(team).start()) == [first]
        second = put(team, 2, priority="high")
        assert ids(Session(team).prompt()) == [second]
        assert "SessionStart" in hook_log.ran(str(team.home))


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_as_a_persona(team: Team, tmp_path: Path, kind: str) -> None:
    """Whatever lies where the persona of an agent is, its mail is announced, and all of it can be seen."""
    (team.home / "personas").mkdir()
    corpus.write(kind, team.home / "personas/dev.md", {"x": 1}, tmp_path)
    team.map(agents={"ops": {}, "dev": {"persona_file": "personas/dev.md"}})
    sent = put(team, 1)
    with patience():
        text = Session(team).start()
        doctor.examine(str(team.home))
    assert sent in text
    assert unseen(text.replace("\n", "").replace("\t", "")) == []


@pytest.mark.parametrize("name", ["AGENT_MAP.json.bak", "AGENT_MAP.schema.json", ".AGENT_MAP.json.tmp"])
@pytest.mark.parametrize("kind", corpus.THINGS)
def test_beside_the_map(team: Team, tmp_path: Path, name: str, kind: str) -> None:
    """Whatever lies beside the map, it is changed or left as it is, in plain words, and it stays valid."""
    (team.home / name).unlink(missing_ok=True)
    corpus.write(kind, team.home / name, {}, tmp_path)
    with patience():
        with contextlib.suppress(CannotWrite):
            bus(team).drain("dev", True)
        document = json.loads((team.home / "AGENT_MAP.json").read_bytes())
        assert document["agents"].keys() == {"ops", "dev"}
        assert Bus.open({"AGENT_TEAM_OS_HOME": str(team.home)}, "/").init() is False
    check_works(team)


@pytest.mark.parametrize("kind", corpus.THINGS)
@pytest.mark.parametrize("name", ["dev", "@quarantine", "@agent-map"])
def test_as_a_guard(team: Team, tmp_path: Path, kind: str, name: str) -> None:
    """Whatever lies where the guard of a lock should be, nobody waits for it, and a repair makes way."""
    path = team.home / f"locks/{name}.guard"
    path.unlink(missing_ok=True)
    corpus.write(kind, path, {}, tmp_path)
    with patience():
        (box(team) / f"{BAD}.json").write_text("[]")
        bus(team).inbox()
        with contextlib.suppress(CannotWrite):
            bus(team, "ops", "ops").send("dev", "note", {})
        with contextlib.suppress(CannotWrite):
            bus(team).drain("dev", True)
    check_works(team)
    assert bus(team).drain("dev", False)["enabled"] is False
    bus(team).inbox()
    assert not (box(team) / f"{BAD}.json").exists()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of a second tells busy from free, and helpers of version 1 that died, as well as seconds do."""
    monkeypatch.setattr(lock, "WAIT", 0.2)
    monkeypatch.setattr(lock, "LEASE", 0.1)


@pytest.mark.parametrize("kind", corpus.THINGS)
@pytest.mark.parametrize("name", ["dev.lock", "dev.lock/unknown", "dev.lock/new\nline\x1b[2J"])
def test_as_the_lock_of_an_inbox(team: Team, tmp_path: Path, hasty: None, kind: str, name: str) -> None:
    """Something unknown in a lock folder, or in its place, makes a send fail and nothing else; a repair makes way."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    path = team.home / "locks" / name
    path.parent.mkdir(exist_ok=True)
    corpus.write(kind, path, {}, tmp_path)
    corpus.grow_old(team.home / "locks/dev.lock")
    with patience():
        with contextlib.suppress(LockBusy):
            bus(team, "ops", "ops").send("dev", "note", {})
        with bus(team).reading(GOOD) as letter:
            assert letter["message"]["payload"]["summary"] == WORDS
        doctor.examine(str(team.home))
        check_works(team)


@pytest.mark.parametrize("kind", corpus.THINGS)
@pytest.mark.parametrize("ending", [".blob", ".draft"])
def test_beside_a_spool_file(team: Team, tmp_path: Path, kind: str, ending: str) -> None:
    """Whatever a killed send seems to have left beside its spool file holds nobody up."""
    path = team.home / f"outbox/.spool/{BAD}{ending}"
    corpus.write(kind, path, {}, tmp_path)
    corpus.grow_old(path)
    with patience():
        sent = bus(team, "ops", "ops").send("dev", "note", {})
        assert [letter["id"] for letter, _ in bus(team).inbox()] == [sent["id"]]
        doctor.examine(str(team.home))
    check_works(team)


@pytest.mark.parametrize("kind", corpus.THINGS)
def test_as_a_temporary_file(team: Team, tmp_path: Path, kind: str) -> None:
    """Whatever has the name under which a thread is written anew, what is sent in it is delivered all the same."""
    first = bus(team, "ops", "ops").send("dev", "note", {})
    corpus.write(kind, team.home / f"threads/.{first['thread_id']}.json.tmp", {}, tmp_path)
    with patience():
        second = bus(team, "ops", "ops").send("dev", "note", {}, thread_id=first["thread_id"])
        assert [letter["id"] for letter, _ in bus(team).inbox()] == [first["id"], second["id"]]
        doctor.examine(str(team.home))
    check_works(team)


@pytest.mark.parametrize("kind", corpus.THINGS)
def test_in_a_quarantine(team: Team, tmp_path: Path, kind: str) -> None:
    """Whatever lies in a quarantine already stays there, and another file of its name is set aside beside it."""
    folder = box(team) / ".quarantine"
    folder.mkdir()
    corpus.write(kind, folder / f"{BAD}.json", {}, tmp_path)
    number = (folder / f"{BAD}.json").lstat().st_ino
    (box(team) / f"{BAD}.json").write_text("[]")
    with patience():
        assert bus(team).inbox() == []
        doctor.examine(str(team.home))
    assert (folder / f"{BAD}.json").lstat().st_ino == number
    assert (folder / f"{BAD}.json.1").read_text() == "[]"
    assert quarantine.held(str(box(team))) == [f"{BAD}.json", f"{BAD}.json.1"]
