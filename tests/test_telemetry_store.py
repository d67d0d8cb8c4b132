"""The store of what was counted: private, set aside when it is damaged, and never a traceback."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from conftest import Team
from support.transcripts import said, write


@pytest.fixture
def used(team: Team) -> Team:
    """A bus on which ten tokens were counted."""
    write(team.root / ".claude/projects/-dev/s-1.jsonl", said("s-1", str(team.root / "dev"), "msg_1", input_tokens=10))
    assert tokens(team) == 10
    return team


def tokens(team: Team) -> int:
    """The sum that a pass comes to; nothing but it may be said."""
    done = team.run("dev", "telemetry", "--by", "day")
    assert (done.returncode, done.stderr) == (0, "")
    count: int = team.json("dev", "telemetry")["total"]["tokens"]
    return count


def store(team: Team) -> Path:
    """The database."""
    return team.home / "telemetry/usage.sqlite"


def test_it_is_private(used: Team) -> None:
    """The folder and all in it are for the user alone, whatever the modes were."""
    store(used).chmod(0o644)
    tokens(used)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store(used).parent.iterdir()}
    assert found == {"usage.sqlite": 0o600, "today.json": 0o600}
    assert stat.S_IMODE(store(used).parent.stat().st_mode) == 0o700
    assert used.json("dev", "doctor")["findings"] == []


def test_without_it_all_is_counted_again(used: Team) -> None:
    """Deleting it costs a new pass."""
    shutil.rmtree(store(used).parent)
    assert tokens(used) == 10


@pytest.mark.parametrize("damage", ["no database", "torn", "foreign", "newer", "folder", "link", "pipe", "emptied"])
def test_a_damaged_one_is_set_aside(used: Team, damage: str) -> None:
    """What is no store of ours gives way to a new one and is kept beside it; nothing is lost but what is gone."""
    path = store(used)
    before = path.read_bytes()
    if damage == "no database":
        path.write_bytes(b"no database at all" * 1000)
    elif damage == "torn":
        path.write_bytes(before[: len(before) // 2 - 500])
    elif damage == "foreign":
        path.unlink()
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE requests (key)")
        db.close()
    elif damage == "newer":
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
    elif damage == "emptied":
        with sqlite3.connect(path) as db:
            db.execute("DROP TABLE places")
        db.close()
    else:
        path.rename(path.with_name("other"))
        {"folder": os.mkdir, "link": lambda at: os.symlink("other", at), "pipe": os.mkfifo}[damage](path)
    assert tokens(used) == 10
    assert os.path.lexists(path.with_name("usage.sqlite.broken"))
    assert path.is_file()
    assert not path.is_symlink()
    assert tokens(used) == 10


def test_an_empty_file_is_a_new_store(used: Team) -> None:
    """A store that a kill left without anything in it is filled."""
    store(used).write_bytes(b"")
    assert tokens(used) == 10
    assert not os.path.lexists(store(used).with_name("usage.sqlite.broken"))


def test_a_disk_that_says_no_still_reports(used: Team) -> None:
    """Where nothing can be written what was counted before is told, with a word on why nothing new is in it."""
    write(used.root / ".claude/projects/-dev/s-1.jsonl", said("s-1", "/x", "msg_2", input_tokens=500))
    store(used).chmod(0o400)
    store(used).parent.chmod(0o500)
    done = used.run("dev", "telemetry", "--by", "model")
    store(used).parent.chmod(0o700)
    assert done.returncode == 0
    assert "10" in done.stdout
    assert "Nothing new was counted" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_made(team: Team) -> None:
    """A file or link in the place of the folder is refused in one line, and nothing is changed."""
    (team.home / "telemetry").write_text("mine")
    team.refused(73, "cannot-write", "dev", "telemetry")
    (team.home / "telemetry").unlink()
    (team.home / "telemetry").symlink_to(team.root)
    team.refused(73, "cannot-write", "dev", "telemetry")


def test_one_that_is_being_written_is_waited_for(used: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process writes, what it has written before is reported, and a word says so."""
    from agent_team_os.cli import telemetry
    from agent_team_os.telemetry import store as stores

    monkeypatch.setattr(stores, "WAIT", 0.05)
    write(used.root / ".claude/projects/-dev/s-2.jsonl", said("s-2", "/x", "msg_2", input_tokens=500))
    db = sqlite3.connect(store(used), isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    monkeypatch.chdir(used.root / "dev")
    for name, value in used.env.items():
        monkeypatch.setenv(name, value)
    assert telemetry.telemetry.callback is not None
    from click.testing import CliRunner

    done = CliRunner().invoke(telemetry.telemetry, ["--json"])
    db.execute("ROLLBACK")
    db.close()
    assert done.exit_code == 0, done.output
    assert '"tokens":10,' in done.stdout
    assert "another process is writing" in done.stderr


def test_a_transcript_that_cannot_be_read_is_named(used: Team) -> None:
    """A file that is closed to us is named, and the others count."""
    closed = used.root / ".claude/projects/-dev/closed\x1b[31m.jsonl"
    write(closed, said("s-2", "/x", "msg_2", input_tokens=500))
    closed.chmod(0)
    done = used.run("dev", "telemetry", "--json")
    assert done.returncode == 0
    assert "closed<U+001B>[31m.jsonl cannot be read and is not counted." in done.stderr
    assert '"tokens":10,' in done.stdout
    closed.chmod(0o600)
    assert tokens(used) == 510
