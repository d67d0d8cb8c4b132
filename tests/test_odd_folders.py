"""Folders with odd names work, and drive no terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from conftest import Team, tree
from support.cli import ato


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
