"""Where hooks have nothing to do they say nothing and leave no trace, and nothing of ours ever breaks a session."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import Team, tree
from support.cli import ORDINARY, PATIENCE, PROGRAM
from support.hooks import LAUNCHER, launch, said
from support.sessions import Session, ids, put

EVENTS = ("SessionStart", "UserPromptSubmit", "UserPromptExpansion", "PreToolUse", "Stop", "SessionEnd")
TOLD = ("SessionStart", "UserPromptSubmit")
# What the events of Claude Code bring beside what all of them do.
MORE: dict[str, dict[str, Any]] = {
    "SessionStart": {"source": "startup", "model": "x"},
    "UserPromptSubmit": {"prompt": "Go on"},
    "UserPromptExpansion": {"expansion_type": "slash_command", "command_name": "other:inbox", "command_args": ""},
    "PreToolUse": {"tool_name": "Bash", "tool_input": {"command": "ls"}},
    "Stop": {"stop_hook_active": False},
    "SessionEnd": {"reason": "exit"},
}


# ---- nothing to do ------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS)
def test_an_anonymous_folder(event: str, team: Team) -> None:
    """In a folder of nobody's a hook prints nothing, and everything stays byte for byte as it was."""
    (team.root / "other").mkdir()
    (team.root / "env").write_text("X=1\n")
    put(team, 1, priority="urgent")
    put(team, 2, priority="hot")  # no message, and not set aside
    sent = team.ask("ops", "dev")
    Path(sent["path"]).rename(team.home / f"outbox/.spool/{sent['id']}.json")
    (team.home / "state/s-old.json").write_text("{}")
    os.utime(team.home / "state/s-old.json", (0, 0))
    team.map(drain={"enabled": True})
    before = tree(team.root)
    session = Session(team, folder="other", CLAUDE_ENV_FILE=str(team.root / "env"))
    assert session.fire(event, **MORE[event]) == {}
    assert tree(team.root) == before
    home = tree(team.home)
    done = launch(team.env, team.root / "other", event, {"session_id": "s-1", **MORE[event]})
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert tree(team.home) == home


@pytest.mark.parametrize("event", EVENTS)
def test_without_a_bus(event: str, team: Team) -> None:
    """Where there is no bus a hook says nothing and makes none."""
    shutil.rmtree(team.home)
    before = tree(team.root)
    assert Session(team).fire(event, **MORE[event]) == {}
    assert tree(team.root) == before


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("place", ["dev/.agent-team-os", "dev/a/b", "dev"])
def test_a_home_inside_the_project(place: str, event: str, team: Team) -> None:
    """A home that lies inside the project was brought by the project, and is not used, through a link neither."""
    home = team.root / place
    shutil.copytree(team.home, home, dirs_exist_ok=True)
    put(Team(team.root, home, team.env), 1, priority="urgent")
    (team.root / "link").symlink_to(home)
    (team.root / "project").symlink_to(team.root / "dev")
    before = tree(team.root)
    for named in (home, team.root / "link", team.root / "dev/../link"):
        for project in ({}, {"CLAUDE_PROJECT_DIR": str(team.root / "project")}):
            session = Session(team, AGENT_TEAM_OS_HOME=str(named), **project)
            assert session.fire(event, **MORE[event]) == {}
    assert tree(team.root) == before


def test_a_home_beside_the_project(team: Team) -> None:
    """A home whose path only begins like the project's is used."""
    home = team.root / "dev-home"
    team.home.rename(home)
    sent = put(Team(team.root, home, team.env), 1)
    assert ids(Session(team, AGENT_TEAM_OS_HOME=str(home)).start()) == [sent]


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("agent_id", ["a1", "../x", 5, ["a"]])
def test_a_subagent(event: str, agent_id: Any, team: Team) -> None:
    """In a subagent a hook does nothing: its session has been told."""
    put(team, 1, priority="urgent")
    team.map(drain={"enabled": True})
    before = tree(team.root)
    assert Session(team).fire(event, agent_id=agent_id, **MORE[event]) == {}
    assert tree(team.root) == before


@pytest.mark.parametrize(
    "event", ["PreCompact", "Notification", "PostToolUse", "sessionstart", "SessionStart ", "../SessionStart", "\n", ""]
)
def test_an_event_of_no_concern(event: str, team: Team) -> None:
    """An event nobody here knows is answered with nothing, and nothing is written."""
    put(team, 1)
    before = tree(team.root)
    assert Session(team).fire(event) == {}
    assert tree(team.root) == before
    done = team.run("dev", "hook", event, stdin='{"session_id":"s-1"}')
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tree(team.root) == before


def test_no_event_at_all(team: Team) -> None:
    """A launcher that is given no event succeeds in silence."""
    done = subprocess.run(
        ["sh", str(LAUNCHER)], cwd=team.root / "dev", env=team.env, input=b"{}", capture_output=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# ---- a broken map -------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS)
def test_a_broken_map(event: str, team: Team) -> None:
    """With a map that cannot be used SessionStart says so to the person, once; all other events are silent."""
    sent = put(team, 1, priority="urgent")
    (team.home / "AGENT_MAP.json").write_text('{"version": "2.0",\n "rules": 5}')
    session = Session(team)
    answer = session.fire(event, **MORE[event])
    if event == "SessionStart":
        assert set(answer) == {"systemMessage"}
        assert "AGENT_MAP.json, line 2, column 11: rules" in answer["systemMessage"]
        assert "ato doctor" in answer["systemMessage"]
    else:
        assert answer == {}
    log = team.home / "state/hook-errors.log"
    expected = 0 if event in ("UserPromptExpansion", "PreToolUse") else 1  # they are of commands that are not ours
    assert (len(log.read_text().splitlines()) if log.exists() else 0) == expected
    assert not session.memory.exists()
    assert not session.entry.exists()
    assert (team.home / f"inboxes/dev/{sent}.json").exists()


def test_a_map_that_was_mended(team: Team) -> None:
    """When the map is whole again the session is told at its next prompt of all that waits."""
    sent = put(team, 1, priority="urgent")
    path = team.home / "AGENT_MAP.json"
    good = path.read_bytes()
    session = Session(team)
    session.start()
    put(team, 2, priority="urgent")
    path.write_bytes(good[:-5])
    assert session.prompt() == ""
    path.write_bytes(good)
    assert len(ids(session.prompt())) == 1
    assert ids(session.start("clear"))[-1] == sent


def test_a_home_without_a_map(team: Team) -> None:
    """A home without a map knows nobody, and its hooks are silent."""
    for name in ("AGENT_MAP.json", "AGENT_MAP.json.bak"):
        (team.home / name).unlink()
    before = tree(team.root)
    for event in EVENTS:
        assert Session(team).fire(event, **MORE[event]) == {}
    assert tree(team.root) == before


# ---- any input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [b"", b"{", b"[]", b'"x"', b"null", b"\xff", b"\xef\xbb\xbf{}", b"[" * 100_000, b"{}{}", b'{"a":1,"a":2}',
     b'{"session_id": NaN}', b'{"cwd": 5}', b'{"cwd": "\\ud800"}', b'{"cwd": "/nowhere"}', b'{"cwd": "a\\u0000b"}',
     b'{"cwd": "/a\\u0000b"}', b'{"session_id": {"a": 1}, "source": [], "agent_id": null}'],
)  # fmt: skip
def test_any_input(given: bytes, team: Team) -> None:
    """Whatever comes in, the hook exits 0 and prints nothing but its own JSON."""
    for event in TOLD:
        done = launch(team.env, team.root / "dev", event, given)
        assert (done.returncode, done.stderr) == (0, b"")
        if done.stdout:
            assert json.loads(done.stdout)["hookSpecificOutput"]["hookEventName"] == event


@pytest.mark.parametrize("given", [{}, [], "x", None, 5, b""])
def test_fields_may_be_missing(given: Any, team: Team) -> None:
    """Without a session id, or without any input, the session is told; it is not entered."""
    sent = put(team, 1)
    done = launch(team.env, team.root / "dev", "SessionStart", given)
    assert ids(said(json.loads(done.stdout))) == [sent]
    assert not (team.home / "registry/dev.d").exists()
    assert {path.name for path in (team.home / "state").iterdir()} == {"@dev.json", "SessionStart.ran", "map.checked"}


# ---- any home -----------------------------------------------------------------------------------


@pytest.mark.parametrize("event", TOLD)
@pytest.mark.parametrize(
    "damage",
    ["map", "map-folder", "modes", "inboxes", "registry", "locks", "state", "outbox", "env-file", "home-file",
     "home-link", "read-only"],
)  # fmt: skip
def test_any_home(damage: str, event: str, team: Team) -> None:
    """Whatever the home has come to, a hook exits 0, says nothing on stderr, and at most a systemMessage."""
    env = {}
    put(team, 1, priority="urgent")
    if damage == "map":
        (team.home / "AGENT_MAP.json").write_text("{")
    elif damage == "map-folder":
        (team.home / "AGENT_MAP.json").unlink()
        (team.home / "AGENT_MAP.json").mkdir()
    elif damage == "modes":
        team.home.chmod(0o777)
    elif damage in ("inboxes", "registry", "locks", "state", "outbox"):
        shutil.rmtree(team.home / damage)
        (team.home / damage).touch()
    elif damage == "env-file":
        env = {"CLAUDE_ENV_FILE": str(team.root / "dev")}
    elif damage == "home-file":
        env = {"AGENT_TEAM_OS_HOME": str(team.home / "AGENT_MAP.json")}
    elif damage == "home-link":
        (team.root / "loop").symlink_to("loop")
        env = {"AGENT_TEAM_OS_HOME": str(team.root / "loop")}
    else:
        (team.home / "registry").chmod(0o500)
        (team.home / "locks").chmod(0o500)
    done = launch({**team.env, **env}, team.root / "dev", event, {"session_id": "s-1", **MORE[event]})
    (team.home / "registry").chmod(0o700)
    (team.home / "locks").chmod(0o700)
    assert (done.returncode, done.stderr) == (0, b"")
    if damage in ("modes", "home-file", "home-link"):
        assert done.stdout == b""
    if done.stdout:
        document = json.loads(done.stdout)
        assert set(document) == ({"systemMessage"} if damage.startswith("map") else {"hookSpecificOutput"})
    assert done.stdout or damage not in ("registry", "locks", "state", "env-file", "read-only")


# ---- any process --------------------------------------------------------------------------------

LAUNCHED = ["sh", str(LAUNCHER)]
CALLED = [*PROGRAM, "hook"]


def running(team: Team, command: list[str], event: str, folder: str, script: str) -> subprocess.CompletedProcess[bytes]:
    """Run what handles an event, with a script around it; that it succeeds without a traceback is checked."""
    done = subprocess.run(
        ["sh", "-c", script, "sh", *ORDINARY, *command, event],
        cwd=team.root / folder, env=team.env, input=b'{"session_id":"s-1"}', capture_output=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("event", TOLD)
@pytest.mark.parametrize("script", ['"$@" <&-', '"$@" >&-', '"$@" >/dev/full', '"$@" 2>&-', '"$@" <&- >&- 2>&-'])
def test_any_streams(script: str, event: str, team: Team) -> None:
    """With stdin, stdout or stderr closed or full, the hook still exits 0."""
    put(team, 1, priority="urgent")
    running(team, CALLED, event, "dev", script)
    assert running(team, LAUNCHED, event, "dev", script).stderr == b""


@pytest.mark.parametrize("script", ['"$@" </', '"$@" </dev/zero', '"$@" 0>stdin'])
def test_an_input_nobody_can_read(script: str, team: Team) -> None:
    """A folder, a file without end or one that is open for writing as stdin is answered with nothing."""
    done = running(team, LAUNCHED, "SessionStart", "dev", script)
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("event", EVENTS)
def test_no_environment(event: str, team: Team) -> None:
    """Without any variable, HOME and PATH neither, the hook exits 0, and so does the launcher."""
    for command in ([*PROGRAM, "hook", event], ["/bin/sh", str(LAUNCHER), event]):
        done = subprocess.run(
            command, cwd=team.root, env={}, input=json.dumps(MORE[event]).encode(), capture_output=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")


def test_without_a_home_of_the_user(team: Team) -> None:
    """Without HOME, but with a bus that is named, the session is told."""
    sent = put(team, 1)
    env = {"PATH": team.env["PATH"], "AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": "dev"}
    done = launch(env, team.root / "dev", "SessionStart", {"session_id": "s-1"})
    assert ids(said(json.loads(done.stdout))) == [sent]


@pytest.mark.parametrize("event", TOLD)
def test_a_folder_that_is_gone(event: str, team: Team) -> None:
    """A hook that runs in a folder somebody has removed exits 0 and says nothing."""
    (team.root / "gone").mkdir()
    done = running(team, CALLED, event, "gone", 'rmdir ../gone; exec "$@"')
    assert (done.stdout, done.stderr) == (b"", b"")
