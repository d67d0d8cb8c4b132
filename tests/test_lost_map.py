"""A map that was lost: nothing takes its place, and the version before it stays until it is brought back."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from agent_team_os.mail import doctor
from agent_team_os.protocol import agentmap
from conftest import Team
from support import sessions


@pytest.fixture
def lost(team: Team) -> Path:
    """The map before the last change, of a team whose map has ops, dev and a setting; the map is gone."""
    team.map(x_mine=1)
    assert team.run("ops", "drain", "on").returncode == 0
    (team.home / "AGENT_MAP.json").unlink()
    return team.home / "AGENT_MAP.json.bak"


WRITERS = [["init"], ["join", "web"], ["join", "ops"], ["drain", "on", "--agent", "ops"], ["god", "on"]]


@pytest.mark.parametrize("verb", WRITERS, ids=" ".join)
def test_nothing_takes_the_place_of_a_lost_map(team: Team, lost: Path, verb: list[str]) -> None:
    """Where the map is missing and the one before is there, every verb is refused, and its hint brings it back."""
    good = lost.read_bytes()
    error = team.refused(4, "invalid-map", "ops", *verb)
    assert "AGENT_MAP.json is missing" in error["message"]
    subprocess.run(error["hint"].removeprefix("Bring that back: "), shell=True, check=True)
    assert (team.home / "AGENT_MAP.json").read_bytes() == lost.read_bytes() == good
    assert team.run("ops", "join", "ops").returncode == 0


def test_a_set_up_of_mail_between_people(team: Team, lost: Path, tmp_path: Path) -> None:
    """`msg setup` makes no new map in the place of a lost one either."""
    good = lost.read_bytes()
    done = team.run("ops", "msg", "setup", "--address", "a@b.example", "--store", str(tmp_path / "s"), "--yes")
    assert (done.returncode, "cp -p " in done.stderr) == (4, True), done.stderr
    assert not (team.home / "AGENT_MAP.json").exists()
    assert lost.read_bytes() == good


def test_a_session_is_told(team: Team, lost: Path) -> None:
    """A session that opens says that the map was lost, and what `/bus join` answers keeps the one before."""
    good = lost.read_bytes()
    session = sessions.Session(team)
    asked = {"command_name": "agent-team-os:bus", "command_source": "plugin", "command_args": "join dev"}
    for answer in (session.fire("SessionStart", source="startup"), session.fire("UserPromptExpansion", **asked)):
        assert "AGENT_MAP.json is missing" in json.dumps(answer)
    assert not (team.home / "AGENT_MAP.json").exists()
    assert lost.read_bytes() == good


@pytest.mark.parametrize("left", [None, b"", b"\0" * 512, b"\n \n"], ids=["gone", "empty", "zeros", "blank"])
def test_repair_brings_it_back(team: Team, lost: Path, left: bytes | None) -> None:
    """A map that is gone, or has nothing in it, is named as an error and brought back by a repair."""
    path, good = team.home / "AGENT_MAP.json", lost.read_bytes()
    if left is not None:
        path.write_bytes(left)
        team.refused(4, "invalid-map", "ops", "join", "ops")
    (found,) = [each for each in doctor.examine(str(team.home)) if each["code"].startswith("map-")]
    assert (found["severity"], "cp -p " in found["fix"]) == ("error", True), found
    assert any("is there again" in sentence for sentence in doctor.repair(str(team.home)))
    assert path.read_bytes() == lost.read_bytes() == good


@pytest.mark.parametrize("words", ["{", '{"version": "2.0", "rules": [', "[]"])
def test_repair_leaves_what_somebody_wrote(team: Team, lost: Path, words: str) -> None:
    """A map with something in it that is wrong is left to the person, and no verb overwrites the one before."""
    path, good = team.home / "AGENT_MAP.json", lost.read_bytes()
    path.write_text(words)
    for verb in WRITERS[1:3]:
        team.refused(4, "invalid-map", "ops", *verb)
    list(doctor.repair(str(team.home)))
    assert (path.read_text(), lost.read_bytes()) == (words, good)


@pytest.mark.parametrize(
    "now", [agentmap.starter(), {"version": "2.0", "rules": [], "agents": {}, "x": 1}], ids=["starter", "x"]
)
def test_an_emptied_map_does_not_overwrite_the_one_before(team: Team, lost: Path, now: object) -> None:
    """Where the map names nobody and the one before does, a change is refused, and its hint brings that back."""
    path, good = team.home / "AGENT_MAP.json", lost.read_bytes()
    path.write_text(json.dumps(now))
    error = team.refused(4, "invalid-map", "ops", "join", "web")
    assert lost.read_bytes() == good
    subprocess.run(error["hint"].removeprefix("Bring that back: ").partition(" (")[0], shell=True, check=True)
    (team.root / "web").mkdir()
    assert team.run("web", "join", "web").returncode == 0
    assert lost.read_bytes() == good
    assert json.loads(path.read_bytes())["x_mine"] == 1


def test_a_map_before_that_cannot_be_used(team: Team, lost: Path) -> None:
    """A damaged map before stays too: a person may still mend it. Moved away, there is a new beginning."""
    lost.write_text(lost.read_text()[:-20])
    error = team.refused(4, "invalid-map", "ops", "join", "ops")
    assert error["hint"].endswith("move " + str(lost) + " away.")
    assert list(doctor.repair(str(team.home))) == []
    lost.rename(team.home / "old")
    assert team.run("ops", "join", "ops").returncode == 0
