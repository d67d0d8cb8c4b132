"""Which agent lives in a folder: the rules of the map, how they match, and which of them wins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_team_os.protocol import agentmap
from conftest import Team

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
