"""Any bytes in the spool: nothing is delivered that was not sent, and nothing that was sent is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_team_os.mail import doctor, tracing
from agent_team_os.protocol import ids
from conftest import Team
from support import corpus
from support.broken import BAD, GOOD, bus, message, patience, place


@pytest.mark.parametrize("kind", corpus.TEXTS)
def test_in_the_spool(team: Team, kind: str) -> None:
    """What a killed command left and the outbox does not know is taken back, whatever it holds."""
    path = team.home / f"outbox/.spool/{BAD}.json"
    path.write_bytes(corpus.text(kind, message(BAD)))
    corpus.grow_old(path)
    assert "spool-left" in {found["code"] for found in doctor.examine(str(team.home))}
    assert path.exists()
    assert bus(team).inbox() == []
    assert not path.exists()
    assert list((team.home / "inboxes").rglob("msg-*")) == []
    assert list((team.home / "outbox").glob("*.jsonl")) == []


@pytest.mark.parametrize("kind", corpus.THINGS)
def test_things_in_the_spool(team: Team, tmp_path: Path, kind: str) -> None:
    """What nobody can have spooled delivers nothing and holds nobody up."""
    path = team.home / f"outbox/.spool/{BAD}.json"
    corpus.write(kind, path, message(BAD), tmp_path)
    corpus.grow_old(path)
    with patience():
        doctor.examine(str(team.home))
        assert bus(team).inbox() == []
        sent = bus(team, "ops", "ops").send("dev", "note", {})
        assert [letter["id"] for letter, _ in bus(team).inbox()] == [sent["id"]]
        list(doctor.repair(str(team.home)))
    assert [path.name for path in (team.home / "inboxes").rglob("msg-*")] == [f"{sent['id']}.json"]


@pytest.mark.parametrize("kind", ["empty", "cut at a half", "only NUL bytes", "another letter"])
def test_a_damaged_spool_file_of_a_sent_message(team: Team, kind: str) -> None:
    """A sent message is not lost when its spool file was damaged: it is delivered, or set aside and traced."""
    line = message(GOOD)
    place(team.home / f"outbox/{ids.day_of(GOOD)}.jsonl", line)
    path = team.home / f"outbox/.spool/{GOOD}.json"
    path.write_bytes(corpus.compact(message(BAD)) if kind == "another letter" else corpus.text(kind, line))
    corpus.grow_old(path)
    shown = [letter for letter, _ in bus(team).inbox()]
    assert shown in ([line], [])
    assert not path.exists()
    state = tracing.trace(str(team.home), GOOD)["state"]
    assert state == ("pending" if shown else "quarantined")
    assert shown or "quarantined" in {found["code"] for found in doctor.examine(str(team.home))}
