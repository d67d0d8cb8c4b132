"""What goes wrong around a hook hides no mail, leaves nothing behind and keeps nobody waiting."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import Any

import jsonschema
import pytest

from conftest import Team
from support.cli import ROOT
from support.hooks import hook, launch, said
from support.sessions import Session, ids, line, path_of, put

SESSION = json.loads((ROOT / "schemas/session.schema.json").read_bytes())
LIVE = {"CLAUDE_PID": str(os.getpid())}


def entry(session: Session) -> Any:
    return json.loads(session.entry.read_bytes())


def test_memory_of_a_live_session_is_swept(team: Team) -> None:
    """The memory of a session that lives stays, however long nothing came for it."""
    put(team, 1, priority="high")
    old = Session(team, "s-old", **LIVE)
    old.start()
    os.utime(old.memory, (0, 0))
    (team.home / "state/SessionStart.ran").unlink()
    Session(team, "s-new").start()
    assert old.prompt() == ""


def test_without_claude_pid_through_the_launcher(team: Team) -> None:
    """Where the client names no process, a session is live while its sign is fresh."""
    hook(team.env, team.root / "dev", "SessionStart", {"session_id": "s-1"})
    (row,) = [row for row in team.json("ops", "bus")["agents"] if row["name"] == "dev"]
    assert row["state"] == "live"


@pytest.mark.parametrize("folder", ["state", "registry", "outbox", "outbox/.spool", "inboxes/dev/@dev"])
def test_a_folder_nobody_may_read(folder: str, team: Team) -> None:
    """A folder beside the inbox that may not be read hides no mail."""
    sent = put(team, 1, priority="high")
    (team.home / folder).mkdir(exist_ok=True)
    (team.home / folder).chmod(0)
    try:
        done = launch(team.env, team.root / "dev", "SessionStart", {"session_id": "s-1"})
        assert done.stdout
        assert ids(said(json.loads(done.stdout))) == [sent]
    finally:
        (team.home / folder).chmod(0o700)


@pytest.mark.parametrize("verb", ["bus", "doctor"])
def test_verbs_with_a_state_folder_nobody_may_read(verb: str, team: Team) -> None:
    """`doctor` and `bus` do what they can without `state/`."""
    (team.home / "state").chmod(0)
    try:
        assert team.run("dev", verb).returncode in (0, 4)
    finally:
        (team.home / "state").chmod(0o700)


@pytest.mark.parametrize("prompt", [b'"\\ud83d"', b"12345678901234567890", b"[" * 40 + b"]" * 40])
def test_input_json_that_our_files_may_not_hold(prompt: bytes, team: Team) -> None:
    """Half a character pair, a long number or deep nesting in a field we do not use hides no mail."""
    sent = put(team, 1, priority="high")
    done = launch(team.env, team.root / "dev", "UserPromptSubmit", b'{"session_id":"s-1","prompt":' + prompt + b"}")
    assert sent in done.stdout.decode()


def test_temporary_files_of_a_disk_that_is_full(team: Team) -> None:
    """A note that cannot be written leaves nothing behind."""
    import subprocess

    from support.cli import PROGRAM

    put(team, 1)
    for _ in range(3):
        subprocess.run(
            ["bash", "-c", 'trap "" XFSZ; ulimit -f 0; exec "$@"', "bash", *PROGRAM, "hook", "SessionStart"],
            cwd=team.root / "dev", env=team.env, input=b'{"session_id":"s-1"}', capture_output=True, check=True,
        )  # fmt: skip
    assert [str(p) for p in team.home.rglob("*.tmp")] == []


def test_leftovers_in_the_registry_itself(team: Team) -> None:
    """What a killed writer of a card left is taken away after a week, like all else."""
    left = team.home / "registry/.dev.json.4711.tmp"
    left.touch()
    os.utime(left, (0, 0))
    Session(team).start()
    assert not left.exists()


@pytest.mark.parametrize("value", ["", "yesterday", "2026-05-20"])
def test_a_memory_with_a_start_that_is_no_time(value: str, team: Team) -> None:
    """A start that is no time in the memory does not make the session's entry invalid."""
    session = Session(team, **LIVE)
    session.memory.write_text(json.dumps({"session": "dev/dev", "started": value, "announced": []}))
    session.start()
    jsonschema.validate(entry(session), SESSION)


@pytest.mark.parametrize("named", ["0", "000"])
def test_process_zero(named: str, team: Team) -> None:
    """CLAUDE_PID=0 is no process."""
    session = Session(team, CLAUDE_PID=named)
    session.start()
    jsonschema.validate(entry(session), SESSION)


def test_a_card_without_a_session(team: Team) -> None:
    """A session that is not entered does not make the agent's card active for ever."""
    Session(team, None).start()
    Session(team, None).end()
    card = team.home / "registry/dev.json"
    assert not card.exists() or json.loads(card.read_bytes())["active"] is False


def test_the_quarantine_is_busy(team: Team) -> None:
    """While another process holds the guard of the quarantine, the good mail is announced."""
    from agent_team_os.storage import lock

    sent = put(team, 1, priority="high")
    put(team, 2, priority="hot")
    with lock.guard(str(team.home), "@quarantine"):
        done = launch(team.env, team.root / "dev", "SessionStart", {"session_id": "s-1"})
    assert sent in done.stdout.decode()


def test_a_clock_that_was_ahead(team: Team) -> None:
    """A SessionStart.ran from the future does not put off the sweep."""
    session = Session(team)
    session.start()
    ahead = time.time() + 300 * 86400
    os.utime(team.home / "state/SessionStart.ran", (ahead, ahead))
    old = team.home / "state/s-9.json"
    old.write_text("{}")
    os.utime(old, (0, 0))
    session.start()
    assert not old.exists()


def test_a_broken_map_without_a_state_folder(team: Team) -> None:
    """In a home of version 1, which has no `state/`, a broken map leaves its line too."""
    shutil.rmtree(team.home / "state")
    (team.home / "AGENT_MAP.json").write_text("{")
    Session(team).fire("SessionStart")
    assert (team.home / "state/hook-errors.log").exists()


def test_a_variable_file_that_is_a_link(team: Team) -> None:
    """Through a link the export does not pile up either."""
    (team.root / "real").touch()
    (team.root / "link").symlink_to(team.root / "real")
    session = Session(team, CLAUDE_ENV_FILE=str(team.root / "link"))
    for source in ("startup", "resume", "compact"):
        session.start(source)
    assert (team.root / "real").read_text().count("export") == 1


def test_a_variable_file_that_is_a_fifo(team: Team) -> None:
    """A FIFO as file for variables is not waited for."""
    os.mkfifo(team.root / "fifo")
    env = {**team.env, "CLAUDE_ENV_FILE": str(team.root / "fifo")}
    assert launch(env, team.root / "dev", "SessionStart", {"session_id": "s-1"}).stdout


def test_the_first_count_after_garbage(team: Team) -> None:
    """Garbage under a learned name is not counted, the first time neither."""
    sent = put(team, 1)
    session = Session(team)
    session.start()
    path_of(team, sent).write_text("garbage")
    assert line(session.start("clear"), "Inbox") == "Inbox: nothing pending."


def test_a_title_after_clear(team: Team) -> None:
    """A session that begins with /clear has a new id; it is called like its agent as any new one."""
    answer = Session(team, "new").fire("SessionStart", source="clear")["hookSpecificOutput"]
    assert answer.get("sessionTitle") == "dev"
