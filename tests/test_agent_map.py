"""Whom the agent map knows: nobody at first, and two hundred agents as well as two."""

from __future__ import annotations

import json

from agent_team_os.protocol import agentmap
from conftest import Team


def test_the_starter_map() -> None:
    """The map a person begins with is valid and knows nobody."""
    document = agentmap.parse(json.dumps(agentmap.starter()).encode(), "")
    assert agentmap.agents(document) == {}
    assert document["version"] == "2.0"


def test_who_the_map_knows() -> None:
    """Agents are those described, those a rule names and the fallback; none that is only denied something."""
    document = {
        "agents": {"a": {"role": "x"}},
        "rules": [{"pattern": "~", "agent": "b"}, {"pattern": "~/a", "agent": "a"}],
        "fallback": "c",
        "routing_rules": {"d": {"deny": ["e"]}},
        "gods": ["f"],
    }
    assert agentmap.agents(document) == {"a": {"role": "x"}, "b": {}, "c": {}}


def test_two_hundred_agents(team: Team) -> None:
    """A map of two hundred agents works, and an error that names them stays one short line."""
    names = [f"worker-{number:03}" for number in range(200)]
    document = json.loads((team.home / "AGENT_MAP.json").read_bytes())
    document["rules"] += [{"pattern": f"~/w/{name}", "agent": name} for name in names]
    document["agents"].update({name: {"role": "x" * 200} for name in names})
    team.map(**document)
    assert team.json("ops", "send", names[-1], "note")["to"] == names[-1]
    assert len(team.json("ops", "bus")["agents"]) == 202
    for unknown in ("worker-2000", "zzz", "worker", "W" * 60):
        done = team.run("ops", "send", unknown, "note")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert len(done.stderr) < 500
    assert "and 190 more" in team.run("ops", "send", "zzz", "note").stderr
    assert "Did you mean worker-111?" in team.run("ops", "send", "worker-1111", "note").stderr
