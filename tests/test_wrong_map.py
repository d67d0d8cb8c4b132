"""Nothing is sent while the agent map is wrong, and what is wrong is named with its place."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent_team_os.protocol import agentmap, schemas
from agent_team_os.protocol.errors import InvalidMap
from conftest import Team
from support.cli import ORDINARY
from support.maps import denied

PATIENT = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
BROKEN = {
    "cut off": ('{\n  "version": "2.0",\n  "rules": [', None),
    "comma": ('{\n  "version": "2.0",\n  "rules": [],\n}', None),
    "text": ('{\n  "version": "2.0",\n  "fallback": ops\n}', "ops"),
    "twice": ('{\n  "version": "2.0",\n  "version": "2.0"\n}', None),
    "two maps": ('{"version": "2.0"}\n{"version": "2.0"}', None),
    "match": ('{"version": "2.0", "rules": [\n  {"pattern": "~/x",\n   "match": "regex", "agent": "dev"}]}', '"regex"'),
    "agent": ('{"version": "2.0",\n "rules": [{"pattern":"~","agent":"a"},\n   {"pattern": "x"}]}', '{"pattern": "x"}'),
    "name": ('{"version": "2.0",\n "agents": {"ops": {}, "D é v": {"role": "x"}}}', '{"role": "x"}'),
    "pair": ('{"version": "2.0", "routing": {"blocked_pairs": [["a", "b"],\n ["a"]]}}', '["a"]]'),
    "deny": ('{"version": "2.0", "routing_rules": {"a": {"deny":\n\t"b"}}}', '"b"'),
    "blocks": ('{"version": "2.0",\r\n"drain": {"max_blocks": 8}}', "8"),
    "version": ('{\n"rules": [], "version": "3.0"}', '"3.0"'),
    "no version": (' \n {"rules": []}', "{"),
    "list": ('\n[{"version": "2.0"}]', "["),
}  # fmt: skip
KEYS = st.sampled_from(["version", "rules", "agents", "pattern", "agent", "routing", "routing_rules", "deny", "x"])
MAPS = st.recursive(
    st.none() | st.integers(-9, 9) | st.sampled_from(["2.0", "dev", "~", "", "prefix"]) | st.text(max_size=4),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(KEYS, part, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_wrong_map_names_the_place(fault: str) -> None:
    """What is wrong is named with file, line and column, in one short line, and what to do about it."""
    text, marker = BROKEN[fault]
    with pytest.raises(InvalidMap) as caught:
        agentmap.parse(text.encode(), "/x/AGENT_MAP.json")
    message = caught.value.message
    assert message.startswith("/x/AGENT_MAP.json")
    assert "\n" not in message
    assert len(message) < 300
    assert "doctor" in caught.value.hint
    if marker:
        before = text[: text.index(marker)].split("\n")
        assert f"line {len(before)}, column {len(before[-1]) + 1}:" in message
    elif fault != "twice":
        assert re.search(r"line \d+, column \d+:", message)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_wrong_map_fails_closed(team: Team, fault: str) -> None:
    """With a map that is wrong nothing is sent: exit status 4, one line that names the place, nothing written."""
    path = team.home / "AGENT_MAP.json"
    path.write_text(BROKEN[fault][0])
    error = team.refused(4, "invalid-map", "ops", "send", "dev", "note")
    assert str(path) in error["message"]


def test_with_a_wrong_map_no_verb_writes(team: Team) -> None:
    """Every verb that needs the map says what is wrong with it and changes nothing, the map least of all."""
    sent = team.ask("ops", "dev")
    (team.home / "AGENT_MAP.json").write_text(BROKEN["match"][0])
    for verb in (
        ["inbox"], ["read"], ["read", sent["id"]], ["send", "dev", "note"], ["reply", sent["id"], "response"],
        ["handoff", "dev"], ["thread"], ["trace", sent["id"]], ["whoami"], ["bus"], ["join", "dev"], ["drain", "on"],
        ["init"],
    ):  # fmt: skip
        error = team.refused(4, "invalid-map", "dev", *verb)
        assert re.search(r"line 3, column 13: rules[.0-9]*[.]match", error["message"])


def test_a_wrong_map_is_told_in_one_line(team: Team) -> None:
    """Whatever the map holds, the error is one short line of visible text."""
    path = team.home / "AGENT_MAP.json"
    for key in ("\x1b[2J\n\u202e", "x" * 100_000):
        path.write_text(json.dumps({"version": "2.0", "agents": {key: {}}}))
        done = team.run("ops", "send", "dev", "note")
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr.count("\n") == 1
        assert done.stderr.rstrip("\n").isprintable()
        assert len(done.stderr) < 1000


def test_a_map_nobody_may_read(team: Team) -> None:
    """A map without read permission is no empty map: nothing is sent."""
    path = team.home / "AGENT_MAP.json"
    path.chmod(0)
    readable = subprocess.run([*ORDINARY, "cat", path], capture_output=True, check=False).returncode == 0
    done = team.run("ops", "send", "dev", "note")
    assert done.returncode == (0 if readable else 4)
    assert readable or "cannot be read: permission denied" in done.stderr


@PATIENT
@given(st.dictionaries(KEYS, MAPS).map(lambda document: {"version": "2.0", **document}) | MAPS)
@example({"version": "2.0", "rules": [{"pattern": "~", "agent": "a", "match": None}]})
@example({"version": "2.0", "rules": [{"pattern": "~", "agent": "a"}], "routing_rules": {"a": {"deny": ["nobody"]}}})
@example({"version": "2.0", "rules": [{"pattern": "/\0", "agent": "a"}]})
@example({"version": "2.0", "rules": [{"pattern": "/\0/*", "agent": "a", "match": "glob"}]})
def test_any_document(document: Any) -> None:
    """Whatever JSON stands in the map, it is refused with its place, or it answers every question."""
    data = json.dumps(document).encode()
    if schemas.checker("agent-map")(document) is not None:
        with pytest.raises(InvalidMap, match=r"^/x, line 1, column "):
            agentmap.parse(data, "/x")
        return
    found = agentmap.parse(data, "/x")
    agentmap.agent_for(found, "/nowhere")
    for name in (*agentmap.agents(found), "nobody"):
        agentmap.drain_of(found, name)
        denied(found, name, "nobody")
