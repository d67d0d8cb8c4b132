"""Any bytes as agent map: it fails closed, in one line that names the place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agent_team_os.mail import doctor
from agent_team_os.protocol import schemas
from agent_team_os.protocol.errors import InvalidMap
from conftest import Team
from support import corpus
from support.broken import bus, one_line, patience, place, plain, snapshot


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_as_agent_map(team: Team, tmp_path: Path, kind: str) -> None:
    """A map that is none stops every verb with one line that names it, the doctor names it too, and nothing changes."""
    path = team.home / "AGENT_MAP.json"
    document = json.loads(path.read_bytes())
    path.unlink()
    corpus.write(kind, path, document, tmp_path)
    before = snapshot(team.home)
    with patience():
        with pytest.raises(InvalidMap) as caught:
            bus(team)
        (found,) = [each for each in doctor.examine(str(team.home)) if each["code"] == "map-invalid"]
    assert str(path) in caught.value.message
    assert len(caught.value.message) < 500
    assert (found["severity"], found["path"]) == ("error", str(path))
    assert snapshot(team.home) == before


@pytest.mark.parametrize(
    "kind",
    [*corpus.THINGS, "empty", "no JSON", "UTF-16", "duplicate key that drives a terminal", "duplicate half of a pair"],
)
def test_as_agent_map_of_the_program(team: Team, tmp_path: Path, kind: str) -> None:
    """The program refuses to send with such a map: exit status 4, one plain line, nothing written. A hook says so."""
    path = team.home / "AGENT_MAP.json"
    document = json.loads(path.read_bytes())
    path.unlink()
    corpus.write(kind, path, document, tmp_path)
    before = snapshot(team.home)
    assert "AGENT_MAP.json" in one_line(team.run("ops", "send", "dev", "note"), 4)
    assert snapshot(team.home) == before
    done = plain(team.run("ops", "hook", "SessionStart", stdin="{}"))
    document = json.loads(done.stdout)
    assert (done.returncode, set(document), done.stdout.count("\n")) == (0, {"systemMessage"}, 1)
    assert str(path) in document["systemMessage"]


MAP_FAULTS = dict(corpus.wrong_fields(schemas.load("agent-map")["examples"][0], schemas.load("agent-map")))


def test_maps_with_a_wrong_field(team: Team) -> None:
    """A field of the wrong type makes the whole map invalid, and is named."""
    for fault, document in MAP_FAULTS.items():
        place(team.home / "AGENT_MAP.json", document)
        field = fault.removeprefix("no ").split(" = ")[0]
        with pytest.raises(InvalidMap, match=f"line 1, column [0-9]+: {re.escape(field)}"):
            bus(team)
