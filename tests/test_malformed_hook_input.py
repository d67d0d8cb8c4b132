"""Any bytes as input of a hook: it exits 0, and prints its own JSON or nothing."""

from __future__ import annotations

import json
import subprocess
from typing import Any, Optional

import pytest

from conftest import Team
from support import corpus
from support.broken import GOOD, box, message, place
from support.cli import PATIENCE
from support.hooks import fire

# What Claude Code may write, or what can be read all the same; no object counts as an empty one.
LENIENT = (
    "over 1 MiB", "empty", "array", "string", "number", "null", "true", "duplicate key", "duplicate key below",
    "duplicate key by an escape", "duplicate half of a pair", "duplicate key that drives a terminal", "NaN", "Infinity",
    "minus Infinity", "1e400", "2**53 + 1", "-2**53 - 1", "33 levels", "lone surrogate", "lone low surrogate",
    "lone surrogate as key", "surrogates in UTF-8", "UTF-16", "UTF-16 without a mark", "UTF-32", "byte order mark",
)  # fmt: skip


@pytest.mark.parametrize("kind", corpus.TEXTS)
def test_as_hook_input(team: Team, kind: str) -> None:
    """A hook that is given no JSON prints nothing; what our own files may not hold is no reason to be silent."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    given = corpus.text(kind, {"session_id": "s1", "cwd": str(team.root / "dev"), "hook_event_name": "SessionStart"})
    environ = {"AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": "dev"}
    printed = fire("SessionStart", given, environ, str(team.root / "dev"))
    if kind in LENIENT:
        assert printed is not None
        assert "You are dev" in printed
    else:
        assert printed is None
        assert not (team.home / "registry/dev.d").exists()


WRONG_VALUES: tuple[Any, ...] = (None, True, 5, 1.5, "", "\n", "\0", "../../x", "x" * 5000, [], ["x"], {}, {"a": 1})


FIELDS = ("session_id", "cwd", "agent_id", "source", "session_title", "hook_event_name", "transcript_path", "prompt")


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit", "Stop", "SessionEnd", "Nonsense", "", "../x"])
def test_hook_input_with_wrong_fields(team: Team, event: str) -> None:
    """Whatever the fields of a hook's input hold, it raises nothing, and enters no session under a wrong id."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    environ = {"AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": "dev"}
    for name in FIELDS:
        for value in WRONG_VALUES:
            given = json.dumps({"cwd": str(team.root / "dev"), name: value}).encode()
            printed = fire(event, given, environ, str(team.root / "dev"))
            assert printed is None or json.loads(printed)["hookSpecificOutput"]["hookEventName"] == event
            subagent = name == "agent_id" and value
            assert (printed is not None) is (event == "SessionStart" and not subagent), (name, value)
    assert list((team.home / "registry").glob("*.d/*")) == []
    assert not (team.home / "state/hook-errors.log").exists()


@pytest.mark.parametrize(
    "kind", ["no JSON", "trailing garbage", "raw NUL", "100000 levels", "cut at a half", "two documents"]
)
def test_as_hook_input_of_the_program(team: Team, kind: str) -> None:
    """The program given such input exits 0 and prints nothing at all."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    given = corpus.text(kind, {"session_id": "s1", "cwd": str(team.root / "dev")})
    for event in ("SessionStart", "SessionEnd"):
        done = team.run("dev", "hook", event, stdin=given)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_hook_input_that_is_no_json_is_logged(team: Team) -> None:
    """Input that cannot be read is an error of the hook's own: it leaves a line in the log."""
    assert team.run("dev", "hook", "SessionStart", stdin="no JSON").stdout == ""
    assert len((team.home / "state/hook-errors.log").read_bytes().splitlines()) == 1


STREAMS = ("<&-", "</dev/zero", "</dev/null", "</dev/null >&-", "<&- >&- 2>&-", "<&- >/dev/full")


@pytest.mark.parametrize("given", STREAMS)
def test_a_hook_with_strange_standard_streams(team: Team, given: str) -> None:
    """A hook whose standard input is closed, empty or without end, or that cannot print, exits 0 all the same."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    program = team.run("dev", "--version").args[:-1]
    done = subprocess.run(
        ["sh", "-c", f'"$@" {given}', "sh", *program, "hook", "SessionStart"],
        cwd=team.root / "dev", env=team.env, capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    printed: Optional[dict[str, Any]] = json.loads(done.stdout) if done.stdout else None
    assert printed is None or "hookSpecificOutput" in printed


def test_a_hook_in_a_folder_that_is_gone(team: Team) -> None:
    """A hook whose working directory was deleted exits 0."""
    program = team.run("dev", "--version").args[:-1]
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    command = ["sh", "-c", script, "sh", *program, "hook", "SessionStart"]
    done = subprocess.run(
        command, cwd=team.root, env=team.env, input=b"{}", capture_output=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
