"""Any bytes in the registry: such an entry counts as none, and stops nobody."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.mail import doctor, registry
from agent_team_os.protocol import schemas
from agent_team_os.storage import process
from conftest import Team
from support import corpus
from support.broken import DOCUMENT, GOOD, WORDS, box, bus, message, patience, place, plain


def live_session(agent: str = "dev", session_id: str = "s1") -> dict[str, Any]:
    """A session that lives: its process is this one."""
    return {
        **DOCUMENT["session"], "agent": agent, "session": f"{agent}/web", "session_id": session_id, "pid": os.getpid(),
        "host": process.host(), "workspace_path": "/", "last_seen": "2099-01-01T00:00:00Z",
    }  # fmt: skip


def test_a_live_session_would_count(team: Team) -> None:
    """The session and the card that the next tests break do count while they are whole."""
    place(team.home / "registry/dev.d/s1.json", live_session())
    place(team.home / "registry/dev.json", {**DOCUMENT["registry-card"], "last_seen": "2001-01-01T00:00:00Z"})
    (row,) = [row for row in bus(team).roster() if row["name"] == "dev"]
    assert (row["state"], len(row["sessions"]), row["last_seen"]) == ("live", 1, "2099-01-01T00:00:00Z")


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_in_the_registry(team: Team, tmp_path: Path, kind: str) -> None:
    """A card or session that cannot be read counts as none, and does not keep the next session from being entered."""
    card, session = team.home / "registry/dev.json", team.home / "registry/dev.d/s1.json"
    session.parent.mkdir(parents=True)
    corpus.write(kind, card, DOCUMENT["registry-card"], tmp_path)
    corpus.write(kind, session, live_session(), tmp_path)
    with patience():
        (row,) = [row for row in bus(team).roster() if row["name"] == "dev"]
        assert (row["state"], row["sessions"], row["last_seen"]) == ("offline", [], None)
        sent = bus(team, "ops", "ops").send("dev", "note", {})
        assert "never seen" in sent["warnings"][0]
        doctor.examine(str(team.home))
        registry.beat(str(team.home), "dev", "web", "s1", "/", os.getpid(), "2026-05-20T09:18:12Z", "active")
    (row,) = [row for row in bus(team).roster() if row["name"] == "dev"]
    assert (row["state"], len(row["sessions"])) == ("live", 1)


def test_the_registry_through_the_program(team: Team, tmp_path: Path) -> None:
    """Among broken cards and sessions of many agents all verbs work, and nobody is live but who is."""
    names = {f"a{number:03}": kind for number, kind in enumerate(corpus.KINDS)}
    team.map(rules=[{"pattern": f"~/{name}", "agent": name} for name in ("ops", "dev", *names)])
    faults = dict(corpus.wrong_fields(live_session(), schemas.load("session")))
    for name, kind in names.items():
        folder = team.home / f"registry/{name}.d"
        folder.mkdir(parents=True)
        corpus.write(kind, team.home / f"registry/{name}.json", {**DOCUMENT["registry-card"], "name": name}, tmp_path)
        corpus.write(kind, folder / "s1.json", live_session(name), tmp_path)
        place(folder / "s2.json", live_session("other", "s2"))
        place(folder / "not an id.json", live_session(name))
    for number, document in enumerate(faults.values()):
        place(team.home / f"registry/dev.d/f{number}.json", document)
    place(
        team.home / "registry/dev.d/good.json",
        {**live_session("dev", "good"), "workspace_path": str(team.root / "dev")},
    )
    rows = {row["name"]: row for row in team.json("ops", "bus")["agents"]}
    assert [name for name, row in rows.items() if row["sessions"] or row["state"] != "offline"] == ["dev"]
    assert [session["session_id"] for session in rows["dev"]["sessions"]] == ["good"]
    for verb in (["whoami"], ["bus"], ["send", "dev", "note"], ["inbox"], ["doctor"]):
        assert plain(team.run("ops", *verb)).returncode == 0 or verb == ["doctor"]


@pytest.mark.parametrize("kind", [*corpus.THINGS, "no JSON", "empty"])
def test_a_session_starts_beside_broken_entries(team: Team, tmp_path: Path, kind: str) -> None:
    """SessionStart announces the mail although card, entry, state and log are broken."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    (team.home / "registry/dev.d").mkdir(parents=True)
    corpus.write(kind, team.home / "registry/dev.json", DOCUMENT["registry-card"], tmp_path)
    corpus.write(kind, team.home / "registry/dev.d/s1.json", live_session(), tmp_path)
    corpus.write(kind, team.home / "state/s1.json", {"announced": []}, tmp_path)
    done = team.run("dev", "hook", "SessionStart", stdin='{"session_id":"s1"}')
    assert done.returncode == 0
    assert WORDS in done.stdout


@pytest.mark.parametrize("kind", [*corpus.THINGS, "no JSON", "empty"])
def test_a_hook_with_a_broken_log(team: Team, tmp_path: Path, kind: str) -> None:
    """A hook that fails and finds no place to note it still ends, and tells the person of the map."""
    (team.home / "AGENT_MAP.json").write_text("[")
    corpus.write(kind, team.home / "state/hook-errors.log", {"x": 1}, tmp_path)
    done = plain(team.run("dev", "hook", "SessionStart", stdin="{}"))
    assert (done.returncode, done.stderr) == (0, "")
    assert set(json.loads(done.stdout)) == {"systemMessage"}
