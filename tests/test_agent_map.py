"""The agent map: who lives where, who may write to whom, and that nothing is sent while it is wrong."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent_team_os.protocol import agentmap, schemas
from agent_team_os.protocol.errors import InvalidMap, RoutingDenied
from agent_team_os.storage import process
from conftest import Team, tree
from support.cli import ORDINARY, ato, environment

PATIENT = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def lives_in(workspace: Path, *rules: tuple[str, Optional[str], str], fallback: Optional[str] = None) -> Optional[str]:
    """The agent of a workspace by rules of pattern, match and agent, which must not depend on their order."""
    written: list[dict[str, str]] = [
        {"pattern": pattern, "agent": agent, **({"match": match} if match else {})} for pattern, match, agent in rules
    ]
    found = {
        agentmap.agent_for({"version": "2.0", "rules": order, "fallback": fallback}, str(workspace))[0]
        for order in (written, written[::-1])
    }
    assert len(found) == 1, found
    return found.pop()


# Identity


def test_exact_wins_over_everything_longer(tmp_path: Path) -> None:
    """An exact rule wins over a prefix for the same folder and over a glob with a longer pattern."""
    place = tmp_path / "web"
    rules = [(str(place), "exact", "one"), (str(place), "prefix", "two"), (f"{tmp_path}/[w][e][b]", "glob", "three")]
    assert lives_in(place, *rules) == "one"
    assert lives_in(place / "src", *rules) == "three"


def test_an_exact_rule_is_for_its_folder_alone(tmp_path: Path) -> None:
    """An exact rule says nothing of what lies below its folder or above it."""
    assert lives_in(tmp_path / "web" / "src", (str(tmp_path / "web"), "exact", "dev")) is None
    assert lives_in(tmp_path, (str(tmp_path / "web"), "exact", "dev")) is None


def test_the_longest_pattern_wins(tmp_path: Path) -> None:
    """Of several prefixes and globs that match, the longest pattern wins."""
    rules = [
        (str(tmp_path), "prefix", "all"),
        (f"{tmp_path}/code", None, "code"),
        (f"{tmp_path}/code/*/web", "glob", "web"),
        (f"{tmp_path}/*", "glob", "any"),
    ]
    for folder, agent in (("code/me/web/src", "web"), ("code/me", "code"), ("x/y", "any"), (".", "all")):
        assert lives_in(tmp_path / folder, *rules) == agent


def test_of_two_equal_rules_the_first_wins(tmp_path: Path) -> None:
    """Of two rules with the same pattern the one that stands first in the map wins, and is named."""
    rules = [{"pattern": str(tmp_path), "agent": name} for name in ("one", "two")]
    assert agentmap.agent_for({"rules": rules}, str(tmp_path)) == ("one", f"rule 1 ({tmp_path})")


def test_a_prefix_ends_at_a_path_boundary(tmp_path: Path) -> None:
    """`/me/work` covers itself and what is below, and not `/me/workshop`; a slash at its end changes nothing."""
    for pattern in (f"{tmp_path}/work", f"{tmp_path}/work/"):
        rule = (pattern, "prefix", "ops")
        assert lives_in(tmp_path / "work", rule) == "ops"
        assert lives_in(tmp_path / "work/a/b", rule) == "ops"
        assert lives_in(tmp_path / "workshop", rule) is None
        assert lives_in(tmp_path, rule) is None


def test_the_root_covers_everything(tmp_path: Path) -> None:
    """A rule for `/` covers every folder, and loses against any other rule."""
    assert lives_in(tmp_path, ("/", "prefix", "root")) == "root"
    assert lives_in(Path("/"), ("/", "prefix", "root"), ("/", "exact", "top")) == "top"
    assert lives_in(tmp_path, ("/", "prefix", "root"), (str(tmp_path), "prefix", "here")) == "here"


def test_home_is_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in a pattern is the person's home, in all three kinds of rule."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert lives_in(tmp_path / "work/x", ("~/work", "prefix", "ops")) == "ops"
    assert lives_in(tmp_path, ("~", "exact", "me")) == "me"
    assert lives_in(tmp_path / "code/a/web", ("~/code/*/web", "glob", "dev")) == "dev"
    assert lives_in(tmp_path / "~" / "work", ("~/work", "prefix", "ops")) is None


@pytest.mark.parametrize("match", ["exact", "prefix", "glob"])
def test_symbolic_links_are_resolved_on_both_sides(tmp_path: Path, match: str) -> None:
    """A rule for a link covers the folder it leads to, and a rule for the folder covers a workspace behind a link."""
    (tmp_path / "real/web").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "web").symlink_to("link/web")
    name = "w?b" if match == "glob" else "web"
    for pattern in (f"{tmp_path}/real/{name}", f"{tmp_path}/link/{name}"):
        for place in ("real/web", "link/web", "web", "real/../link/web"):
            assert lives_in(tmp_path / place, (pattern, match, "dev")) == "dev"
    assert lives_in(tmp_path / "real/web", (f"{tmp_path}/web", "exact", "dev")) == "dev"
    assert lives_in(tmp_path / "web2", (f"{tmp_path}/web", "prefix", "dev")) is None


@pytest.mark.parametrize(
    ("pattern", "folder", "covered"),
    [
        ("code/*/web", "code/me/web", True),
        ("code/*/web", "code/me/web/src/deep", True),
        ("code/*/web", "code/me/you/web", False),
        ("code/*/web", "code/web", False),
        ("code/*/web", "code/me/website", False),
        ("code/**/web", "code/web", True),
        ("code/**/web", "code/a/b/c/web/x", True),
        ("code/**/web", "code/a/b/c", False),
        ("code/**", "code", True),
        ("code/w?b", "code/web", True),
        ("code/w?b", "code/w/b", False),
        ("code/[vw]eb", "code/web", True),
        ("code/[!w]eb", "code/web", False),
        ("code/*.d", "code/x.d", True),
        ("code/*", "code/.hidden", True),
        ("Code/*", "code/x", False),
    ],
)
def test_globs(tmp_path: Path, pattern: str, folder: str, covered: bool) -> None:
    """`*` and `?` stay within one folder name, `**` crosses any number, and what is below a match matches too."""
    assert lives_in(tmp_path / folder, (f"{tmp_path}/{pattern}", "glob", "dev")) == ("dev" if covered else None)


def translate(pattern: list[str]) -> re.Pattern[str]:
    """A glob as one regular expression over the whole path, for the same answer in another way."""
    one = {"*": "[^/]*", "?": "[^/]", "[ab]": "[ab]"}
    text = ""
    for name in pattern:
        part = "".join(one.get(piece, re.escape(piece)) for piece in re.findall(r"\[ab\]|.", name))
        text += "(?:/[^/]+)*" if name == "**" else "/" + part
    return re.compile(text + "(?:/.*)?", re.DOTALL)


@PATIENT
@given(
    st.lists(st.sampled_from(["a", "b", "*", "**", "?", "a*", "*b", "[ab]"]), min_size=1, max_size=5),
    st.lists(st.sampled_from(["a", "b", "ab", "xb", "a\n"]), min_size=1, max_size=6),
)
def test_globs_agree_with_a_regular_expression(pattern: list[str], parts: list[str]) -> None:
    """Folder by folder gives the answer that one expression over the whole path gives."""
    path = "/" + "/".join(parts)
    expected = translate(pattern).fullmatch(path) is not None
    assert agentmap.matches({"match": "glob"}, "/" + "/".join(pattern), path) == expected


def test_many_wildcards(team: Team) -> None:
    """A glob of many `**` that nearly matches is decided, however deep the folder is."""
    for pattern in ("/" + "**/" * 20 + "x", "/" + "**/a/" * 12 + "x", "/" + "*a" * 30 + "/x"):
        team.map(rules=[{"pattern": pattern, "match": "glob", "agent": "ops"}])
        folder = team.root / "/".join("a" * 24)
        folder.mkdir(parents=True, exist_ok=True)
        assert team.json(str(folder), "whoami")["agent"] is None


def test_a_folder_with_wildcards_in_its_name(team: Team) -> None:
    """A folder called `a[1] *x?` joins as itself: in a prefix rule such characters mean nothing."""
    name = "a[1] *x?"
    (team.root / name / "src").mkdir(parents=True)
    (team.root / "a1 x").mkdir()
    assert team.run(name, "join", "odd").returncode == 0
    assert team.json(f"{name}/src", "whoami")["agent"] == "odd"
    assert team.json("a1 x", "whoami")["agent"] is None


def test_fallback(tmp_path: Path) -> None:
    """Where no rule matches the fallback lives; without one the folder is anonymous."""
    rule = (str(tmp_path / "web"), None, "dev")
    assert lives_in(tmp_path / "x", rule, fallback="ops") == "ops"
    assert lives_in(tmp_path / "web", rule, fallback="ops") == "dev"
    assert lives_in(tmp_path / "x", rule) is None
    assert agentmap.agent_for({"fallback": "ops"}, str(tmp_path)) == ("ops", "fallback")


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


# Routing


def denied(document: dict[str, Any], sender: str, to: str) -> Optional[tuple[str, str]]:
    """What a refusal says; None if the way is free."""
    try:
        agentmap.check_routing(document, sender, to)
    except RoutingDenied as error:
        return error.message, error.hint
    return None


def test_everybody_may_write_to_everybody() -> None:
    """Without rules the mesh is full, for oneself too."""
    document = {
        "agents": {"a": {}, "b": {}},
        "routing": {},
        "routing_rules": {"a": {"reason": "none"}, "b": {"deny": []}},
    }
    assert [denied(document, one, other) for one in "ab" for other in "ab"] == [None] * 4


def test_a_blocked_pair_is_symmetric() -> None:
    """A pair blocks both directions and nothing else; nobody is blocked from writing to itself by a pair."""
    document = {"routing": {"blocked_pairs": [["a", "b"], ["c", "c"]]}}
    blocked = {(one, other) for one in "abc" for other in "abc" if denied(document, one, other)}
    assert blocked == {("a", "b"), ("b", "a")}


def test_a_denial_is_one_way() -> None:
    """`deny` forbids the way it names and not the way back."""
    document = {"routing_rules": {"a": {"deny": ["b", "c"]}}}
    blocked = {(one, other) for one in "abc" for other in "abc" if denied(document, one, other)}
    assert blocked == {("a", "b"), ("a", "c")}


@pytest.mark.parametrize(
    ("document", "message", "hint"),
    [
        (
            {"routing_rules": {"a": {"deny": ["b"], "reason": "why not"}}},
            "a may not write to b (why not)",
            "AGENT_MAP.json",
        ),
        ({"routing_rules": {"a": {"deny": ["b"]}}}, "a may not write to b", "AGENT_MAP.json"),
        (
            {"routing": {"blocked_pairs": [["b", "a"]]}, "routing_rules": {"b": {"reason": "theirs"}}},
            "a may not write to b (theirs)",
            "AGENT_MAP.json",
        ),
        (
            {
                "routing": {"blocked_pairs": [["b", "a"]]},
                "routing_rules": {"b": {"reason": "theirs"}, "a": {"reason": "ours"}},
            },
            "a may not write to b (ours)",
            "AGENT_MAP.json",
        ),
        ({"routing_rules": {"a": {"deny": ["b"]}}, "cc_awareness": {"hub": "h"}}, "a may not write to b", "through h"),
        (
            {
                "routing_rules": {"a": {"deny": ["b"]}},
                "agents": {"a": {"domain": "d"}},
                "domains": {"d": {"hub": "lead"}},
                "cc_awareness": {"hub": "h"},
            },
            "a may not write to b",
            "through lead",
        ),
        ({"routing_rules": {"a": {"deny": ["b"]}}, "cc_awareness": {"hub": "b"}}, "a may not", "AGENT_MAP.json"),
        ({"routing_rules": {"a": {"deny": ["b"]}}, "cc_awareness": {"hub": "a"}}, "a may not", "AGENT_MAP.json"),
        ({"routing_rules": {"a": {"deny": ["b"]}}, "cc_awareness": {"hub": None}}, "a may not", "AGENT_MAP.json"),
    ],
)
def test_a_refusal_names_reason_and_hub(document: dict[str, Any], message: str, hint: str) -> None:
    """A refusal gives the reason of the rule and the hub to go through, of the domain before that of all."""
    said = denied(document, "a", "b")
    assert said is not None
    assert message in said[0]
    assert hint in said[1]


SPELLINGS: list[dict[str, Any]] = [
    {"routing": {"blocked_pairs": [["dev", "ops"]]}, "routing_rules": {"ops": {"reason": "client data\x1b[31m"}}},
    {"routing_rules": {"ops": {"deny": ["dev"], "reason": "client data\x1b[31m"}}},
]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=["blocked_pairs", "deny"])
def test_routing_through_the_program(team: Team, spelling: dict[str, Any]) -> None:
    """Both spellings refuse every kind of letter with exit status 2, reason and hub, and nothing is written."""
    team.join("lead")
    team.map(**spelling, cc_awareness={"hub": "lead"})
    handoff = ["handoff", "dev", "--state-summary", "x", "--next-step", "y"]
    for verb in (["send", "dev", "note"], ["send", "dev/web", "note", "--dry-run"], handoff):
        error = team.refused(2, "routing-denied", "ops", *verb)
        assert error["message"] == "ops may not write to dev (client data<U+001B>[31m)"
        assert error["hint"] == "Go through lead."
    done = team.run("ops", "send", "dev", "note")
    assert done.returncode == 2
    assert done.stderr == "ato: ops may not write to dev (client data<U+001B>[31m). Go through lead.\n"
    assert team.run("dev", "send", "ops", "note").returncode == (2 if "routing" in spelling else 0)


@pytest.mark.parametrize("spelling", SPELLINGS, ids=["blocked_pairs", "deny"])
def test_replies_obey_routing(team: Team, spelling: dict[str, Any]) -> None:
    """An answer is refused like any letter, and the message it was to answer stays pending."""
    sent = team.ask("dev", "ops")
    team.map(**spelling)
    team.refused(2, "routing-denied", "ops", "reply", sent["id"], "response")
    assert team.json("ops", "inbox")["count"] == 1


def test_routing_is_checked_after_the_recipient_and_before_the_document(team: Team) -> None:
    """An unknown recipient is named first, then routing refuses, and only then the payload is looked at."""
    team.map(routing={"blocked_pairs": [["ops", "dev"], ["ops", "gone"]]})
    team.refused(1, "unknown-agent", "ops", "send", "gone", "bug-fix")
    team.refused(2, "routing-denied", "ops", "send", "dev", "bug-fix")
    team.refused(4, "invalid-payload", "dev", "send", "dev", "bug-fix")


# A map that is wrong

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


# Rewriting the map

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


def kept(before: Any, after: Any, path: str = "") -> None:
    """All keys of `before` stand in `after` in the same order, ahead of new ones, and lists go on as they began."""
    if isinstance(before, dict):
        assert list(after)[: len(before)] == list(before), path
        for key in before:
            kept(before[key], after[key], f"{path}.{key}")
    elif isinstance(before, list):
        for index, item in enumerate(before):
            kept(item, after[index], f"{path}.{index}")
    elif not path.endswith(".enabled"):
        assert (before, type(before)) == (after, type(after)), path


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


def test_drain_is_a_switch_of_each_agent(team: Team) -> None:
    """Drain is off, until it is turned on for one agent, from its folder or by name; the others keep theirs."""

    def state(agent: str) -> bool:
        enabled: bool = team.json(agent, "drain", "status")["enabled"]
        return enabled

    assert (state("ops"), state("dev")) == (False, False)
    said = team.json("ops", "drain", "on")
    assert said == {"agent": "ops", "enabled": True, "scope": "pending", "min_priority": "low", "max_blocks": 3}
    assert (state("ops"), state("dev")) == (True, False)
    assert team.json("ops", "drain", "on", "--agent", "dev")["agent"] == "dev"
    assert team.json("ops", "drain", "off")["enabled"] is False
    assert (state("ops"), state("dev")) == (False, True)
    team.refused(1, "unknown-agent", "ops", "drain", "on", "--agent", "nobody")
    team.refused(64, "usage", "ops", "drain", "maybe")


def test_whose_drain_settings_count() -> None:
    """An agent's own settings come before everybody's, and those before the defaults, key by key."""
    document = {"drain": {"enabled": True, "max_blocks": 5}, "agents": {"a": {"drain": {"enabled": False}}}}
    assert agentmap.drain_of(document, "a") == {
        "enabled": False, "scope": "pending", "min_priority": "low", "max_blocks": 5,
    }  # fmt: skip
    assert agentmap.drain_of(document, "b")["enabled"] is True
    assert agentmap.drain_of({}, "b")["enabled"] is False


# Version 1


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


# Two homes


def test_two_homes_stay_apart(tmp_path: Path) -> None:
    """An agent of one home is unknown in the other; AGENT_TEAM_OS_HOME wins over AB_HOME, and that over ~."""
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    own = environment(tmp_path)
    old = {**own, "AB_HOME": str(tmp_path / "old")}
    new = {**old, "AGENT_TEAM_OS_HOME": "~/new"}
    for env, name in ((own, "a"), (old, "b"), (new, "c")):
        assert ato(env, tmp_path / name, "join", name).returncode == 0
    homes = [tmp_path / ".agent-team-os", tmp_path / "old", tmp_path / "new"]
    for env, name, home in zip((own, old, new), "abc", homes):
        who = json.loads(ato(env, tmp_path / name, "whoami", "--json").stdout)
        assert (who["agent"], who["home"]) == (name, str(home))
        assert os.listdir(home / "inboxes") == [name]
        before = tree(tmp_path)
        for other in set("abc") - {name}:
            done = ato(env, tmp_path / name, "send", other, "note")
            assert done.returncode == 1
            assert f"{other} has not joined yet" in done.stderr
            assert json.loads(ato(env, tmp_path / other, "whoami", "--json").stdout)["agent"] is None
        assert tree(tmp_path) == before
        assert ato(env, tmp_path / name, "send", name, "note").returncode == 0
    assert [len(list(home.glob("inboxes/*/msg-*"))) for home in homes] == [1, 1, 1]


# Many agents


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


# Folders with odd names


@pytest.mark.parametrize(
    "name", ["esc\x1b[31m", "two\nlines", "right\u202eleft", "tag\U000e0041", "tab\there", "ünïcödé"]
)
def test_odd_folder_names(team: Team, name: str) -> None:
    """A folder whose name could drive a terminal can join, and its name is made visible wherever it is shown."""
    (team.root / name).mkdir()
    for verb in (["whoami"], ["join", "odd"], ["whoami"], ["inbox"], ["bus"], ["doctor"], ["send", "ops", "note"]):
        done = team.run(name, *verb)
        assert done.returncode in (0, 1), done.stderr
        for line in (done.stdout + done.stderr).split("\n"):
            assert line.isprintable(), (verb, line)
        assert name.isprintable() or name not in done.stdout + done.stderr, verb
    assert team.json(name, "whoami")["agent"] == "odd"


def test_a_folder_name_that_is_no_text(team: Team) -> None:
    """A folder whose name is not UTF-8 cannot stand in the map: joining is refused in plain words, with no change."""
    folder = os.fsencode(team.root) + b"/caf\xe9"
    os.mkdir(folder)
    before = tree(team.home)
    done = ato(team.env, Path(os.fsdecode(folder)), "join", "odd")
    assert done.returncode in (4, 64), done.stderr
    assert done.stderr.count("\n") == 1
    assert "report" not in done.stderr
    assert tree(team.home) == before


def test_a_home_whose_name_is_no_text(team: Team) -> None:
    """Where the path of the home is not UTF-8 every verb works, and what --json prints can be read."""
    home = os.fsdecode(os.fsencode(team.root) + b"/caf\xe9")
    for verb in (["join", "odd"], ["whoami"], ["send", "odd", "note"], ["bus"], ["inbox"], ["thread"], ["doctor"]):
        done = team.run("dev", *verb, "--json", AGENT_TEAM_OS_HOME=home)
        assert done.returncode == 0, done.stdout
        assert json.loads(done.stdout)
        assert team.run("dev", *verb, AGENT_TEAM_OS_HOME=home).returncode == 0
    assert len(list(Path(home).glob("inboxes/odd/msg-*"))) == 2


def test_a_session_in_a_folder_whose_name_is_no_text(team: Team) -> None:
    """A session in a folder whose name is not UTF-8 is told of its mail like any other."""
    sent = team.ask("ops", "dev")
    folder = os.fsencode(team.root) + b"/caf\xe9"
    os.mkdir(folder)
    env = {**team.env, "AGENT_TEAM_OS_AGENT": "dev"}
    done = ato(env, Path(os.fsdecode(folder)), "hook", "SessionStart", stdin='{"session_id":"s1"}')
    assert done.returncode == 0
    assert sent["id"] in done.stdout


KEYS = st.sampled_from(["version", "rules", "agents", "pattern", "agent", "routing", "routing_rules", "deny", "x"])
MAPS = st.recursive(
    st.none() | st.integers(-9, 9) | st.sampled_from(["2.0", "dev", "~", "", "prefix"]) | st.text(max_size=4),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(KEYS, part, max_size=4),
    max_leaves=8,
)


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
