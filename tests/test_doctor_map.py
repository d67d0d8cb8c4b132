"""What `doctor` says of the agent map: unknown names and keys, rules that lead nowhere, and a map that was lost."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.mail.doctor import agents
from support.breakages.maps import map_a_folder, map_broken, map_gone
from support.cli import ROOT
from support.homes import codes, edit_map, examine, healthy


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bus in which nothing is wrong."""
    return healthy(tmp_path, monkeypatch)


def test_the_map_of_the_schema_has_no_unknown_keys(home: Path) -> None:
    """Names of agents and domains, and the settings of a task provider, are no unknown keys."""
    schema = json.loads((ROOT / "schemas" / "agent-map.schema.json").read_bytes())
    provider = {"kind": "github", "repository": "me/web"}
    for document in (*schema["examples"], {"version": "2.0", "domains": {"any-name": {"task_provider": provider}}}):
        assert list(agents.unknown_key(str(home), json.dumps(document), document)) == []


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"routing_rules": {"dev": {"deny": ["opps"]}}}, '"opps"'),
        ({"routing_rules": {"def": {"deny": ["ops"]}}}, '"deny"'),
        ({"domains": {"work": {"hub": "opps"}}}, '"opps"'),
        ({"gods": ["ops", "opps"]}, '"opps"'),
        ({"cc_awareness": {"hub": "opps"}}, '"opps"'),
    ],
)
def test_every_place_that_names_an_agent(keys: dict[str, Any], line: str, home: Path) -> None:
    """Wherever the map names an agent it does not have, the finding says where, in which line, and who was meant."""
    path = edit_map(home, **keys)
    [finding] = examine(home)
    assert finding["code"] == "map-unknown-agent"
    assert next(iter(keys)) in finding["what"]
    assert "Did you mean" in finding["what"]
    number = int(finding["what"].partition("(line ")[2].partition(")")[0])
    # The key of a rule has its line where its value begins.
    assert line.strip('"') in "".join(Path(path).read_text().split("\n")[number - 1 : number + 1])


def test_globs_that_lead_somewhere(home: Path) -> None:
    """A glob is fine when some folder matches it; one with ** is not walked."""
    for pattern in (f"{home.parent}/d*", f"{home.parent}/*v", f"{home.parent}/**/x", str(home.parent / "dev")):
        edit_map(home, fallback="ops", rules=[{"pattern": pattern, "match": "glob", "agent": "dev"}])
        assert codes(home) == set(), pattern


def test_a_lost_map_comes_back_from_the_one_before(home: Path) -> None:
    """Where the map is gone or broken and the one before is good, the command that brings it back is given."""
    for breaks in (map_gone, map_broken, map_a_folder):
        breaks(home)
        [finding] = examine(home)
        command = finding["fix"].rpartition(": ")[2]
        assert "cp -p " in command
        subprocess.run(command, shell=True, check=True)
        assert codes(home) <= {"map-unknown-agent", "rule-without-folder", "mail-stranded"}
