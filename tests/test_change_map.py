"""A verb that changes the agent map keeps all a person wrote into it, and loses no change of another."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.protocol import schemas
from conftest import Team, tree
from support.cli import ato
from support.maps import kept

BY_HAND: dict[str, Any] = {
    "zebra": {"kept": [1, 2.5, None, {"deep": "ünïcödé \u202e"}]},
    "rules": [{"note": "first", "agent": "ops", "pattern": "~/ops", "colour": "red", "match": "exact"}],
    "version": "2.0",
    "agents": {
        "ops": {"zz": 1, "role": "boss", "aa": {"b": 1, "a": 2}},
        "dev": {"drain": {"max_blocks": 2, "more": True}, "nick": "d"},
    },
    "$comment": "mine",
    "fallback": None,
    "routing": {"later": [], "blocked_pairs": []},
    "apple": 1,
}


@pytest.mark.parametrize(
    ("verb", "change"),
    [
        (["join", "web", "--role", "tester"], ("agents", "web", {"role": "tester"})),
        (["drain", "on"], ("agents", "ops", {**BY_HAND["agents"]["ops"], "drain": {"enabled": True}})),
        (
            ["drain", "off", "--agent", "dev"],
            ("agents", "dev", {"drain": {"max_blocks": 2, "more": True, "enabled": False}, "nick": "d"}),
        ),
    ],
    ids=["join", "drain on", "drain off"],
)
def test_the_map_is_rewritten_with_care(team: Team, verb: list[str], change: tuple[str, str, Any]) -> None:
    """A verb that changes the map keeps unknown keys and the order of all, and leaves the map before as .bak."""
    path = team.home / "AGENT_MAP.json"
    text = json.dumps(BY_HAND, indent=7, ensure_ascii=True)
    path.write_text(text)
    (team.root / "web").mkdir()
    done = team.run("web" if verb[0] == "join" else "ops", *verb)
    assert done.returncode == 0, done.stderr
    after = json.loads(path.read_bytes())
    kept(BY_HAND, after)
    part, name, expected = change
    assert after[part][name] == expected
    assert after["rules"][1:] == (
        [{"pattern": "~/web", "match": "prefix", "agent": "web"}] if verb[0] == "join" else []
    )
    assert Path(f"{path}.bak").read_text() == text
    assert path.stat().st_mode & 0o777 == Path(f"{path}.bak").stat().st_mode & 0o777 == 0o600


def test_what_changes_nothing_writes_nothing(team: Team) -> None:
    """Joining where one lives already and setting drain to what it is leave the file as the person wrote it."""
    path = team.home / "AGENT_MAP.json"
    document = json.loads(path.read_bytes())
    document["agents"]["ops"]["drain"] = {"enabled": True}
    path.write_text(json.dumps(document, indent=1))
    before = tree(team.root)
    for verb in (["join", "ops"], ["drain", "on"], ["drain", "status"]):
        assert team.run("ops", *verb).returncode == 0
    assert tree(team.root) == before


def test_the_map_is_read_again_before_it_is_changed(team: Team) -> None:
    """Twenty agents that join at once are all in the map afterwards, each once."""
    names = [f"agent-{number}" for number in range(20)]
    running = []
    for name in names:
        (team.root / name).mkdir()
        code = [*ato(team.env, team.root, "--version").args[:-1], "join", name]
        running.append(subprocess.Popen(code, cwd=team.root / name, env=team.env, stdout=subprocess.DEVNULL))
    assert [process.wait(60) for process in running] == [0] * 20
    document = json.loads((team.home / "AGENT_MAP.json").read_bytes())
    assert sorted(rule["agent"] for rule in document["rules"]) == sorted([*names, "dev", "ops"])
    assert set(names) < set(document["agents"])


def test_a_map_of_version_1(team: Team) -> None:
    """A map of version 1.x works as it is, and keeps its version and words when one joins."""
    old = copy.deepcopy(schemas.load("agent-map")["examples"][1])
    assert old["version"] == "1.2"
    old["rules"][0]["pattern"] = str(team.root / "ops")
    old["rules"].append({"pattern": str(team.root / "dev"), "agent": "dev"})
    old["routing_rules"]["dev"] = {"deny": ["ops"], "reason": "one way"}
    (team.home / "AGENT_MAP.json").write_text(json.dumps(old))
    (team.root / "else").mkdir()
    assert team.json("dev", "whoami")["agent"] == "dev"
    assert team.json("else", "whoami")["rule"] == "fallback"
    assert team.json("ops", "send", "dev", "note")["to"] == "dev"
    assert "one way" in team.refused(2, "routing-denied", "dev", "send", "ops", "note")["message"]
    assert team.run("else", "join", "new").returncode == 0
    after = json.loads((team.home / "AGENT_MAP.json").read_bytes())
    kept(old, after)
    assert after["rules"][-1]["agent"] == "new"
