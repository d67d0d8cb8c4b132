"""The store of what was counted: private, set aside when it is damaged, and never a traceback."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest

from agent_team_os.storage import lock
from conftest import Team
from support.cli import PATIENCE, PROGRAM
from support.client import until
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


DAMAGES = ["no database", "torn", "foreign", "newer", "folder", "link", "pipe", "emptied", "narrow"]


@pytest.mark.parametrize("damage", DAMAGES)
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
    elif damage == "narrow":
        with sqlite3.connect(path) as db:
            db.execute("ALTER TABLE requests DROP COLUMN searches")
        db.close()
    else:
        path.rename(path.with_name("other"))
        {"folder": os.mkdir, "link": lambda at: os.symlink("other", at), "pipe": os.mkfifo}[damage](path)
    there = os.lstat(path)
    for _ in range(2):
        done = used.run("dev", "telemetry", "--json")
        assert '"tokens":10,' in done.stdout
        assert done.stderr.count("\n") == 1
        assert f"was set aside as {path}.broken-1. What only it knew is in no sum." in done.stderr
    assert os.lstat(f"{path}.broken-1").st_ino == there.st_ino
    assert path.is_file()
    assert not path.is_symlink()


def test_what_was_set_aside_is_never_overwritten(used: Team) -> None:
    """Each damaged store keeps its bytes under a name of its own, with its journal, until a person removes it."""
    path = store(used)
    for number, damage in enumerate((b"first" * 1000, b"second" * 1000), 1):
        path.write_bytes(damage)
        assert used.json("dev", "telemetry")["total"]["tokens"] == 10
        assert Path(f"{path}.broken-{number}").read_bytes() == damage
    path.unlink()
    path.symlink_to("elsewhere")
    path.with_name("usage.sqlite-journal").write_bytes(b"third")
    assert "usage.sqlite.broken-3 and 2 more" in used.run("dev", "telemetry").stderr
    assert Path(f"{path}.broken-3-journal").read_bytes() == b"third"
    assert Path(f"{path}.broken-1").read_bytes() == b"first" * 1000
    for left in path.parent.glob("usage.sqlite.broken-*"):
        left.unlink()
    assert tokens(used) == 10


def test_the_new_store_of_a_faster_process_stays(used: Team) -> None:
    """Who has met the damage waits for the one that is setting it aside, and takes its new store for what it is."""
    path = store(used)
    path.write_bytes(b"damaged" * 1000)
    number = path.stat().st_ino
    with lock.guard(str(used.home), "@telemetry"):
        waiting = subprocess.Popen(
            [*PROGRAM, "telemetry", "--json"], cwd=used.root / "dev", env=used.env, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        until(lambda: any(str(used.home / "locks/@telemetry.guard") == name for name in opened(waiting.pid)),
              lambda: "the one that waits")  # fmt: skip
        assert path.stat().st_ino == number
        path.rename(path.with_name("usage.sqlite.broken-7"))
        path.touch(0o600)
        number = path.stat().st_ino
    output, _ = waiting.communicate(timeout=PATIENCE)
    assert '"tokens":10,' in output
    assert path.stat().st_ino == number
    assert [entry.name for entry in path.parent.glob("usage.sqlite.broken*")] == ["usage.sqlite.broken-7"]


def opened(pid: int) -> list[str]:
    """The files that a process has open."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(os.readlink(entry))
    return found


def test_an_error_that_is_no_damage_sets_nothing_aside(used: Team) -> None:
    """What SQLite refuses for another reason than damage is an error, and the store stays where it is."""
    from agent_team_os.protocol.errors import CannotWrite
    from agent_team_os.telemetry import store as stores

    number = store(used).stat().st_ino
    for wrong in ("SELECT nothing FROM", "SELECT * FROM nowhere", "SELECT abs(-9223372036854775808)"):
        with pytest.raises(CannotWrite):
            stores.using(str(used.home), lambda db, wrong=wrong: db.execute(wrong).fetchall())  # type: ignore[misc]
    assert store(used).stat().st_ino == number
    assert tokens(used) == 10


def test_an_empty_file_is_a_new_store(used: Team) -> None:
    """A store that a kill left without anything in it is filled."""
    store(used).write_bytes(b"")
    assert tokens(used) == 10
    assert not list(store(used).parent.glob("usage.sqlite.broken*"))


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
