"""Each message is announced once to each session, and counts as announced only when the words were handed over."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Optional

import pytest

from agent_team_os.hooks import dispatch
from conftest import Team
from support.cli import ORDINARY, PATIENCE
from support.hooks import LAUNCHER, hook, launch, said
from support.sessions import Session, ids, line, path_of, put

REPEATED = ("clear", "compact")
ONCE = ("startup", "resume", "fork", None)


def announced(session: Session) -> list[str]:
    """The ids the session is remembered to have been told of."""
    found: list[str] = json.loads(session.memory.read_bytes())["announced"]
    return found


# ---- at the start -------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ONCE)
def test_the_same_event_twice(source: Optional[str], team: Team) -> None:
    """The same event twice leaves one entry and shows no message twice, though it is still counted."""
    sent = [put(team, number) for number in range(2)]
    session = Session(team)
    assert ids(session.start(source)) == sent[::-1]
    for _ in range(2):
        again = session.start(source)
        assert again.startswith("You are dev ")
        assert line(again, "Inbox: ") == "Inbox: 2 pending."
        assert "2 seen before: /inbox" in again.split("\n")
        assert not any(message in again for message in sent)
    assert [path.name for path in session.entry.parent.iterdir()] == ["s-1.json"]
    assert announced(session) == sent
    assert session.prompt() == ""


@pytest.mark.parametrize("source", REPEATED)
def test_after_what_was_said_is_gone(source: str, team: Team) -> None:
    """After clear and compact the announcement is repeated in full, each time, and the next prompt is silent."""
    sent = put(team, 1)
    session = Session(team)
    session.start()
    for _ in range(2):
        assert ids(session.start(source)) == [sent]
        assert session.prompt() == ""
    assert ids(session.start("resume")) == []


def test_what_came_since(team: Team) -> None:
    """A session that goes on is shown what came since, and told that there is more."""
    session = Session(team)
    put(team, 1, priority="urgent")
    session.start()
    new = put(team, 2, priority="low")
    text = session.start("resume")
    assert ids(text) == [new]
    assert line(text, "Inbox: ") == "Inbox: 2 pending, 1 urgent."
    assert "1 more: /inbox" in text.split("\n")


def test_all_that_is_counted_is_announced(team: Team) -> None:
    """What was only counted at the start, copies among it, counts as announced: no later prompt speaks of it."""
    for number in range(9):
        put(team, number, priority=("urgent", "low")[number % 2])
    put(team, 9, type="cc-notify")
    session = Session(team)
    assert len(ids(session.start())) == 5
    assert session.prompt() == ""
    assert ids(session.start("resume")) == []
    assert len(announced(session)) == 10


def test_a_session_that_comes_back(team: Team) -> None:
    """A session that ended and is resumed remembers what it was told."""
    sent = put(team, 1)
    session = Session(team)
    assert ids(session.start()) == [sent]
    session.end()
    assert ids(session.start("resume")) == []
    assert session.prompt() == ""


def test_two_sessions_of_one_agent(team: Team) -> None:
    """Of two sessions of one agent each is told once of shared mail, whichever comes first."""
    old = put(team, 1, priority="high")
    first, second = Session(team, "s-1"), Session(team, "s-2")
    assert ids(first.start()) == ids(second.start()) == [old]
    new = put(team, 2, priority="high")
    assert ids(second.prompt()) == ids(first.prompt()) == [new]
    assert first.prompt() == second.prompt() == ""


def test_a_session_that_joins_another_agent(team: Team) -> None:
    """A session that becomes another agent's is that agent's alone and told of its mail, and so when it comes back."""
    mine, theirs = put(team, 1), put(team, 1, "ops", to="ops")
    assert mine == theirs, "the same id in both boxes: who was told is what counts"
    assert ids(Session(team).start()) == [mine]
    entries = [team.home / f"registry/{agent}.d/s-1.json" for agent in ("dev", "ops")]
    assert ids(Session(team, folder="ops").start()) == [theirs]
    assert [entry.exists() for entry in entries] == [False, True]
    assert ids(Session(team).start()) == [mine]
    assert [entry.exists() for entry in entries] == [True, False]


def test_what_is_read_is_forgotten(team: Team) -> None:
    """The memory of a session holds no id that is pending no more."""
    session = Session(team)
    gone, stays = put(team, 1), put(team, 2)
    session.start()
    assert announced(session) == [gone, stays]
    assert team.run("dev", "read", gone).returncode == 0
    new = put(team, 3)
    session.prompt()
    assert announced(session) == [stays, new]


def test_without_an_id_all_is_told_each_time(team: Team) -> None:
    """A session without an id has no memory: it is told all at each start, and nothing at a prompt."""
    sent = put(team, 1, priority="urgent")
    session = Session(team, None)
    for _ in range(2):
        assert ids(session.start()) == [sent]
        assert session.prompt() == ""


@pytest.mark.parametrize("given", [None, "", "../../x", "a/b", 5, ["s-1"], "x" * 129, "s-1\n"])
def test_the_id_in_the_environment(given: object, team: Team) -> None:
    """An id that is missing from the input, or is none, is taken from the environment."""
    sent = put(team, 1)
    session = Session(team, CLAUDE_CODE_SESSION_ID="from-env")
    assert ids(said(session.fire("SessionStart", session_id=given))) == [sent]
    assert (team.home / "registry/dev.d/from-env.json").exists()
    assert ids(said(session.fire("SessionStart", session_id=given))) == []
    assert ids(session.start()) == [sent], "the input's own id comes first"


# ---- marked after the words were handed over ----------------------------------------------------


class Listening(io.BytesIO):
    """A stdout that notes, at each write and flush, whether the memory already has the ids."""

    def __init__(self, memory: Path) -> None:
        super().__init__()
        self.memory = memory
        self.early: list[bool] = []

    def _look(self) -> None:
        self.early.append(self.memory.exists() and bool(json.loads(self.memory.read_bytes()).get("announced")))

    def write(self, data: object) -> int:
        """Note it, and take what is written."""
        self._look()
        return super().write(data)  # type: ignore[arg-type]  # whatever a caller writes

    def flush(self) -> None:
        """Note it."""
        self._look()


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit"])
def test_marked_after_the_flush(event: str, team: Team) -> None:
    """Until the words were written and flushed no id counts as announced; then all do."""
    sent = put(team, 1, priority="high")
    session = Session(team)
    stdout = Listening(session.memory)
    environ = {"AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": "dev"}
    dispatch.run(event, environ, str(session.folder), io.BytesIO(b'{"session_id":"s-1"}'), stdout)
    assert sent.encode() in stdout.getvalue()
    assert len(stdout.early) >= 2
    assert not any(stdout.early)
    assert announced(session) == [sent]


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit"])
@pytest.mark.parametrize("output", [">/dev/full", ">&-", "| true"])
def test_words_that_nobody_took(event: str, output: str, team: Team) -> None:
    """Words that could not be handed over, to a full disk, a closed stdout or a reader that is gone, are said again."""
    sent = put(team, 1, priority="urgent")
    given = {"session_id": "s-1", "cwd": str(team.root / "dev")}
    script = f'cat >"$0"; sh "$1" "$2" {output} <"$0"'
    if output == "| true":  # its reader says that it reads no more before the hook begins
        script = 'cat >"$0"; mkfifo go; { read -r _ <go; sh "$1" "$2" <"$0"; } | { exec <&-; echo >go; }'
    done = subprocess.run(
        [*ORDINARY, "bash", "-c", script, str(team.root / "given"), str(LAUNCHER), event],
        cwd=team.root / "dev", env=team.env, input=json.dumps(given).encode(), capture_output=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    log = (team.home / "state/hook-errors.log").read_text()
    assert event in log
    assert log.count("\n") == 1
    assert ids(said(hook(team.env, team.root / "dev", event, given))) == [sent]
    assert said(hook(team.env, team.root / "dev", "UserPromptSubmit", given)) == ""


def test_words_without_a_memory(team: Team) -> None:
    """Where nothing can be remembered the words are still said, and said again."""
    sent = put(team, 1, priority="high")
    given = {"session_id": "s-1", "cwd": str(team.root / "dev")}
    (team.home / "state").chmod(0o500)
    try:
        for event in ("SessionStart", "UserPromptSubmit", "UserPromptSubmit"):
            done = launch(team.env, team.root / "dev", event, given)
            assert ids(said(json.loads(done.stdout))) == [sent]
    finally:
        (team.home / "state").chmod(0o700)


# ---- through the launcher -----------------------------------------------------------------------


def test_once_through_the_launcher(team: Team) -> None:
    """The same through the launcher the plugin names: start, prompt, new mail, prompt, compact."""
    sent = put(team, 1, priority="high")
    folder, given = team.root / "dev", {"session_id": "s-1"}
    env = {**team.env, "CLAUDE_PROJECT_DIR": str(folder), "CLAUDE_PID": str(os.getpid())}
    start = hook(env, team.root, "SessionStart", {**given, "source": "startup"})
    assert start["hookSpecificOutput"]["sessionTitle"] == "dev"
    assert ids(said(start)) == [sent]
    assert said(hook(env, team.root, "UserPromptSubmit", given)) == ""
    new = put(team, 2, priority="urgent")
    assert ids(said(hook(env, team.root, "UserPromptSubmit", given))) == [new]
    assert said(hook(env, team.root, "UserPromptSubmit", given)) == ""
    assert ids(said(hook(env, team.root, "SessionStart", {**given, "source": "compact"}))) == [new, sent]
    path_of(team, new).unlink()
    assert ids(said(hook(env, team.root, "SessionStart", {**given, "source": "clear"}))) == [sent]
