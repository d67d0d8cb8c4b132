"""What hooks keep on the disk: signs of life, the memory of sessions, and nothing that grows for ever."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conftest import Team
from support import corpus
from support.cli import ROOT
from support.hooks import hook
from support.sessions import Session, ids, line, put

SESSION = json.loads((ROOT / "schemas/session.schema.json").read_bytes())
CARD = json.loads((ROOT / "schemas/registry-card.schema.json").read_bytes())
LIVE = {"CLAUDE_PID": str(os.getpid())}
DAY = 86_400


def shown(team: Team) -> str:
    """What `bus` says of dev."""
    (row,) = [row for row in team.json("ops", "bus")["agents"] if row["name"] == "dev"]
    return str(row["state"])


# ---- signs of life ------------------------------------------------------------------------------


def entry(session: Session) -> dict[str, Any]:
    """What the registry says of a session."""
    found: dict[str, Any] = json.loads(session.entry.read_bytes())
    return found


def age(session: Session) -> None:
    """Let a session have been seen last in 2020."""
    session.entry.write_text(json.dumps({**entry(session), "last_seen": "2020-05-20T09:18:12Z"}))


def test_each_event_is_a_sign_of_life(team: Team) -> None:
    """Start, prompt and stop renew when a session was seen; it is active from a prompt on and idle from a stop on."""
    session = Session(team, **LIVE)
    session.start()
    first = entry(session)
    assert (first["state"], first["pid"]) == ("active", os.getpid())
    states = {"Stop": "idle", "UserPromptSubmit": "active", "SessionStart": "active"}
    for event in ("Stop", "UserPromptSubmit", "Stop", "SessionStart"):
        age(session)
        session.fire(event)
        renewed = entry(session)
        assert renewed["state"] == states[event]
        assert renewed["last_seen"] >= first["last_seen"]
        assert {**renewed, "state": "active", "last_seen": first["last_seen"]} == first
    session.end()
    assert not session.entry.exists()


def test_a_stop_as_the_roster_shows_it(team: Team) -> None:
    """`bus` shows an agent whose session waits for its user as idle, and as live when a prompt has come."""
    session = Session(team, **LIVE)
    session.start()
    assert shown(team) == "live"
    session.stop()
    assert shown(team) == "idle"
    session.prompt()
    assert shown(team) == "live"


def test_a_session_keeps_when_it_started(team: Team) -> None:
    """However often a session goes on, resumed days later too, the registry says when it first began."""
    session = Session(team)
    session.start()
    memory = json.loads(session.memory.read_bytes())
    session.memory.write_text(json.dumps({**memory, "started": "2020-05-20T09:18:12Z"}))
    session.end()
    session.start("resume")
    session.prompt()
    assert entry(session)["session_started"] == "2020-05-20T09:18:12Z"


def test_when_hooks_ran(team: Team) -> None:
    """`bus --json` tells when each hook last ran here, and names none that did not."""
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    session = Session(team)
    session.start()
    session.prompt()
    hooks = team.json("dev", "bus")["hooks"]
    assert set(hooks["ran"]) == {"SessionStart", "UserPromptSubmit"}
    assert all(at >= before for at in hooks["ran"].values())
    assert hooks["error"] is None
    assert "Hooks: " in team.run("dev", "bus").stdout


# ---- the process of a session -------------------------------------------------------------------


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs and is no parent of any hook."""
    with subprocess.Popen([sys.executable, "-I", "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.terminate()


def test_the_process_the_client_names(other: subprocess.Popen[bytes], team: Team) -> None:
    """The process of a session is the one CLAUDE_PID names; the session is live as long as that is, and no longer."""
    given = {"session_id": "s-1"}
    hook({**team.env, "CLAUDE_PID": str(other.pid)}, team.root / "dev", "SessionStart", given)
    session = Session(team)
    assert entry(session)["pid"] == other.pid
    assert shown(team) == "live"
    other.kill()
    other.wait()
    assert shown(team) == "offline"
    hook({**team.env, **LIVE}, team.root / "dev", "UserPromptSubmit", given)
    assert entry(session)["pid"] == os.getpid()
    assert shown(team) == "live"


@pytest.mark.parametrize("named", ["", "x", "-5", "1.5", "9" * 30, "9" * 10, "0x10", " 1"])
def test_a_process_number_that_is_none(named: str, team: Team) -> None:
    """Where CLAUDE_PID is no number of a process the session is entered all the same, by an entry that is read."""
    session = Session(team, CLAUDE_PID=named)
    session.start()
    jsonschema.validate(entry(session), SESSION)
    assert entry(session)["pid"] in (None, os.getppid())
    assert shown(team) == "live"


# ---- the memory of a session --------------------------------------------------------------------


def check_remembers_again(session: Session) -> None:
    """With its memory spoiled a session is told all again, is entered validly, and from then on told once."""
    sent = put(session.team, 1, priority="high")
    assert ids(session.prompt()) == [sent]
    jsonschema.validate(entry(session), SESSION)
    assert ids(session.start("resume")) == []
    jsonschema.validate(json.loads((session.team.home / "registry/dev.json").read_bytes()), CARD)
    assert session.prompt() == ""
    session.stop()


@pytest.mark.parametrize("kind", [kind for kind in corpus.KINDS if kind not in ("folder", "empty folder")])
def test_a_memory_that_is_none(kind: str, team: Team, tmp_path: Path) -> None:
    """Whatever lies where the memory of a session belongs, the session is told, and remembered from then on."""
    session = Session(team)
    corpus.write(kind, session.memory, {"session": "ops/ops", "announced": [put(team, 1)]}, tmp_path)
    check_remembers_again(session)


@pytest.mark.parametrize("kind", ["folder", "empty folder"])
def test_a_folder_for_a_memory(kind: str, team: Team, tmp_path: Path) -> None:
    """Where a folder lies in the place of the memory nothing can be remembered, and the mail is said each time."""
    session = Session(team)
    corpus.write(kind, session.memory, {}, tmp_path)
    sent = put(team, 1, priority="high")
    assert ids(session.start()) == ids(session.prompt()) == [sent]


NONSENSE: tuple[Any, ...] = (None, 5, True, "msg-20260520T091812Z-00000001", {}, {"a": 1}, [5, None, [], {}, "x"], [[]])
MEMORIES: tuple[dict[str, Any], ...] = (
    *({name: value} for name in ("announced", "exported", "blocked", "session") for value in NONSENSE),
    *({"blocked": value} for value in ([0, True], ["x", 1], [0], [None, None])),
    *({"started": value} for value in NONSENSE if not isinstance(value, str)),
    {"deep": [[[[[]]]]]},
)


@pytest.mark.parametrize("fields", MEMORIES, ids=str)
def test_a_memory_of_nonsense(fields: dict[str, Any], team: Team) -> None:
    """A memory whose fields have other types than ours breaks nothing, with drain and exported variables neither."""
    team.map(drain={"enabled": True, "max_blocks": 2})
    session = Session(team, CLAUDE_ENV_FILE=str(team.root / "env"))
    memory = {"session": "dev/dev", "started": "2026-05-20T09:18:12Z", "announced": [], "exported": [], **fields}
    session.memory.write_text(json.dumps(memory))
    sent = put(team, 1, priority="high")
    assert ids(session.prompt()) == [sent]
    assert session.prompt() == ""
    assert session.start("resume").startswith("You are dev ")
    assert [bool(session.stop()) for _ in range(4)] == [True, True, False, False]
    jsonschema.validate(entry(session), SESSION)


# ---- what is left behind ------------------------------------------------------------------------


def aged(path: Path, days: float) -> Path:
    """Let a file have been changed so many days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    stamp = time.time() - days * DAY
    os.utime(path, (stamp, stamp))
    return path


def names(folder: Path) -> set[str]:
    """What is in a folder."""
    return {path.name for path in folder.iterdir()}


def test_sessions_of_long_ago(team: Team) -> None:
    """What sessions left in `state/` and `registry/` is taken away a week after they are gone, in passing."""
    for days in (6.9, 7.1, 400):
        aged(team.home / f"state/s-{days:.0f}{days > 7:d}.json", days)
        aged(team.home / f"state/.s-{days:.0f}{days > 7:d}.json.4711.tmp", days)
        aged(team.home / f"registry/dev.d/s-{days:.0f}{days > 7:d}.json", days)
        aged(team.home / f"registry/ops.d/.s-{days:.0f}{days > 7:d}.json.4711.tmp", days)
    session = Session(team)
    session.start()
    ours = {"s-1.json", "map.checked", "SessionStart.ran"}
    assert names(team.home / "state") == {"s-70.json", ".s-70.json.4711.tmp", *ours}
    assert names(team.home / "registry/dev.d") == {"s-70.json", "s-1.json"}
    assert names(team.home / "registry/ops.d") == {".s-70.json.4711.tmp"}


def test_a_live_session_of_long_ago(team: Team) -> None:
    """The entry of a session that lives stays, however long ago it was last seen."""
    old = Session(team, "s-old", **LIVE)
    old.start()
    aged(old.entry, 30)
    (team.home / "state/SessionStart.ran").unlink()
    Session(team).start()
    assert old.entry.exists()


def test_what_hooks_remember_of_all(team: Team) -> None:
    """The log of errors, when hooks ran, and mail stay, however old they are."""
    kept = [aged(team.home / path, 30) for path in (
        "state/hook-errors.log", "state/Stop.ran", "state/map.checked", "registry/ops.json", "threads/x", "outbox/x",
    )]  # fmt: skip
    sent = put(team, 1)
    aged(team.home / f"inboxes/dev/{sent}.json", 30)
    text = Session(team).start()
    assert ids(text) == [sent]
    assert all(path.exists() for path in kept)


def test_foreign_things_are_left_alone(team: Team) -> None:
    """A folder or link in `state/` stops nobody, and what a link leads to stays."""
    (team.home / "state/folder").mkdir()
    target = aged(team.root / "dev/precious", 30)
    (team.home / "state/link").symlink_to(target)
    os.utime(team.home / "state/link", (0, 0), follow_symlinks=False)
    os.utime(team.home / "state/folder", (0, 0))
    sent = put(team, 1)
    assert ids(Session(team).start()) == [sent]
    assert target.exists()
    assert (team.home / "state/folder").is_dir()


def test_the_look_for_leftovers_is_rare(team: Team) -> None:
    """Within an hour of the last start nobody looks for leftovers again."""
    Session(team).start()
    old = aged(team.home / "state/s-9.json", 30)
    Session(team).start("resume")
    assert old.exists()
    aged(team.home / "state/SessionStart.ran", 0.05)
    Session(team).start("resume")
    assert not old.exists()


def test_state_does_not_grow(team: Team) -> None:
    """A hundred events of one session leave as many files as one of each, and no temporary one."""
    session = Session(team)

    def events() -> set[str]:
        session.start()
        session.prompt()
        session.stop()
        return {str(path.relative_to(team.home)) for path in team.home.rglob("*") if path.is_file()}

    put(team, 1)
    first = events()
    for _ in range(33):
        assert events() == first
    assert not [name for name in first if name.endswith(".tmp")]


# ---- a home that lacks something ----------------------------------------------------------------


@pytest.mark.parametrize("missing", ["state", "registry", "inboxes", "outbox", "outbox/.spool", "locks", "threads"])
def test_a_folder_that_is_missing(missing: str, team: Team) -> None:
    """A home that lacks a folder, as one of version 1 does, announces what there is."""
    sent = put(team, 1, priority="high")
    shutil.rmtree(team.home / missing)
    expected = [] if missing == "inboxes" else [sent]
    session = Session(team)
    assert ids(session.start()) == expected
    assert session.prompt() == ""
    assert session.entry.exists()


@pytest.mark.parametrize("folder", ["state", "registry", "locks", "threads", "outbox", "inboxes"])
def test_a_folder_that_cannot_be_written(folder: str, team: Team) -> None:
    """A folder that may not be written takes nothing away from the announcement."""
    sent = put(team, 1, priority="high")
    (team.home / folder).chmod(0o500)
    try:
        answer = hook(team.env, team.root / "dev", "SessionStart", {"session_id": "s-1"})
        assert ids(answer["hookSpecificOutput"]["additionalContext"]) == [sent]
    finally:
        (team.home / folder).chmod(0o700)


def test_the_error_log_does_not_grow(team: Team) -> None:
    """What went wrong is one line in `state/hook-errors.log`, which starts anew at 256 KB."""
    good = (team.home / "AGENT_MAP.json").read_text()
    (team.home / "AGENT_MAP.json").write_text("{")
    log = team.home / "state/hook-errors.log"
    session = Session(team)
    for event in ("SessionStart", "UserPromptSubmit", "Stop", "SessionEnd"):
        session.fire(event)
    lines = log.read_text().splitlines()
    assert [each.split()[1] for each in lines] == ["SessionStart", "UserPromptSubmit", "Stop", "SessionEnd"]
    assert all("AGENT_MAP.json, line 1" in each for each in lines)
    log.write_text("x\n" * 140_000)
    for _ in range(3):
        session.fire("SessionStart")
        assert log.stat().st_size <= 262_144
    assert "AGENT_MAP.json" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    (team.home / "AGENT_MAP.json").write_text(good)
    assert team.json("dev", "bus")["hooks"]["error"] == log.read_text().splitlines()[-1]
    assert line(team.run("dev", "bus").stdout, "Last hook error: ").count("SessionStart") == 1
