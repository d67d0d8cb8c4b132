"""Who a command is run by: the variables first, then the nearest live session, then the folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.storage import process
from conftest import Team


def test_an_anonymous_folder(team: Team) -> None:
    """A folder nobody lives in is told so, with what to do; only asking who one is succeeds there."""
    (team.root / "nowhere").mkdir()
    assert team.json("nowhere", "whoami")["agent"] is None
    for verb in (["inbox"], ["read"], ["send", "dev", "note"], ["reply", "x", "response"], ["handoff", "dev"]):
        error = team.refused(1, "anonymous", "nowhere", *verb)
        assert "nowhere" in error["message"]
        assert "ato join" in error["hint"]


def test_the_variable_for_the_agent(team: Team) -> None:
    """AGENT_TEAM_OS_AGENT wins over the rule and AGENT_TEAM_OS_SESSION, and is named; an unknown name is refused."""
    who = team.json("dev", "whoami", AGENT_TEAM_OS_AGENT="ops", AGENT_TEAM_OS_SESSION="dev/x")
    assert (who["agent"], who["session"], who["rule"]) == ("ops", "ops/dev", "AGENT_TEAM_OS_AGENT")
    assert team.json("dev", "whoami", AGENT_TEAM_OS_AGENT="")["agent"] == "dev"
    assert "nobody" in team.refused(1, "unknown-agent", "dev", "inbox", AGENT_TEAM_OS_AGENT="nobody")["message"]


def test_the_variable_for_the_session(team: Team) -> None:
    """AGENT_TEAM_OS_SESSION says agent and slug wherever the command is run; a wrong one is refused."""
    who = team.json("ops", "whoami", AGENT_TEAM_OS_SESSION="dev/web")
    assert (who["agent"], who["slug"], who["rule"]) == ("dev", "web", "AGENT_TEAM_OS_SESSION")
    for wrong in ("nobody/web", "dev/", "/web", "dev/web/x", "dev/../ops", "../dev"):
        team.refused(1, "unknown-agent", "ops", "inbox", AGENT_TEAM_OS_SESSION=wrong)


def test_who_one_is_by_the_map(team: Team) -> None:
    """Without any session the folder decides: the rule gives the agent, the folder's name the slug."""
    who = team.json("dev", "whoami")
    assert who == {
        "agent": "dev", "session": "dev/dev", "slug": "dev", "rule": "rule 2 (~/dev)", "home": str(team.home),
    }  # fmt: skip


def start(team: Team, folder: str, session_id: str) -> Path:
    """Start a session in a folder as Claude Code does; it lives as long as this test. Returns its registry file."""
    given = json.dumps({"session_id": session_id, "cwd": str(team.root / folder), "source": "startup"})
    assert team.run(folder, "hook", "SessionStart", stdin=given).returncode == 0
    (path,) = team.home.glob(f"registry/*.d/{session_id}.json")
    return path


def test_the_nearest_live_session(team: Team) -> None:
    """A command below the workspace of a live session belongs to it, to the nearest one where there are two."""
    (team.root / "dev/src/deep").mkdir(parents=True)
    (team.root / "dev2").mkdir()
    assert team.json("dev/src/deep", "whoami")["session"] == "dev/deep"
    start(team, "dev", "outer")
    assert team.json("dev/src/deep", "whoami")["session"] == "dev/dev"
    start(team, "dev/src", "inner")
    assert team.json("dev/src/deep", "whoami")["session"] == "dev/src"
    assert team.json("dev", "whoami")["session"] == "dev/dev"
    assert team.json("dev2", "whoami")["agent"] is None
    assert team.json("dev/src", "whoami", AGENT_TEAM_OS_SESSION="ops/x")["session"] == "ops/x"


def dead_process() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-I", "-c", ""]) as process:
        pass
    return process.pid


@pytest.mark.parametrize(
    ("changes", "live"),
    [
        ({}, True),
        ({"pid": "dead"}, False),
        ({"pid": 2**53}, False),
        ({"pid": None, "host": "elsewhere"}, True),
        ({"pid": None, "host": "elsewhere", "last_seen": "2020-01-01T00:00:00Z"}, False),
        ({"last_seen": "2020-01-01T00:00:00Z"}, False),
        ({"agent": "ops"}, False),
    ],
    ids=str,
)
def test_only_live_sessions_count(team: Team, changes: dict[str, Any], live: bool) -> None:
    """A session counts while its process runs, on another machine while its sign is fresh, and only as its agent's."""
    (team.root / "dev/deep").mkdir()
    path = start(team, "dev", "s1")
    session = {**json.loads(path.read_bytes()), **changes}
    assert session["host"] in ("elsewhere", process.host())
    if session["pid"] == "dead":
        session["pid"] = dead_process()
    path.write_text(json.dumps(session))
    assert team.json("dev/deep", "whoami")["session"] == ("dev/dev" if live else "dev/deep")


def test_a_session_that_ended_does_not_count(team: Team) -> None:
    """After SessionEnd its workspace decides nothing any more."""
    (team.root / "dev/deep").mkdir()
    start(team, "dev", "s1")
    assert team.run("dev", "hook", "SessionEnd", stdin='{"session_id":"s1"}').returncode == 0
    assert team.json("dev/deep", "whoami")["session"] == "dev/deep"
