"""A store that is away, slow, full or read-only: what is sent waits, says why, and goes out when it can."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import disk, mailed
from support.cli import ORDINARY, PATIENCE, PROGRAM, ato
from support.client import until
from support.hooks import hook
from support.imports import VERB
from support.imports import started as modules_of
from support.people import Person
from support.proxy import Proxy

S3 = {
    "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
}  # fmt: skip


def use(one: Person, url: str) -> None:
    """Let the map name another store."""
    path = one.home / "AGENT_MAP.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "org": {"store": url}}))


def waits(one: Person, why: str, **env: str) -> None:
    """Send to alex; it works at once, a sync fails, and the outbox says why; all of what was sent is still there."""
    before = len(one.json("outbox")["waiting"])
    assert one.said("alex", "Later", "--attach", "a.csv", **env) == "Sent to alex@bonnard.ai (1 attachment, 3B)\n"
    done = one.run("sync", **env)
    assert done.returncode == 70, done
    assert why in done.stderr, done.stderr
    assert "What waits stays" in done.stderr
    said = one.json("outbox", **env)
    assert len(said["waiting"]) == before + 1
    assert all(why in (letter["why"] or "") for letter in said["waiting"]), said["waiting"]
    assert why in said["error"]
    assert why in one.said("outbox", **env)
    assert [path.read_text() for path in one.mail.glob("spool/*/0")] == ["a,b"] * (before + 1)


def arrives(sender: Person, reader: Person, count: int) -> None:
    """All that waited goes out now, once."""
    result = sender.sync()
    assert (result["error"], result["pushed"]) == (None, {"alex@bonnard.ai": count}), result
    assert sender.json("outbox")["waiting"] == []
    assert reader.sync()["fetched"] == {"max@bonnard.ai": count}
    assert [letter["text"] for letter in reader.json("read")["letters"]] == ["Later"] * count
    assert (sender.sync()["pushed"], reader.sync()["fetched"]) == ({}, {})


@pytest.fixture
def both(tmp_path: Path) -> tuple[Person, Person]:
    """max, who has a file to send, and alex."""
    max_, alex = mailed.pair(tmp_path)
    max_.file("a.csv", "a,b")
    return max_, alex


# ---- A store that cannot be written -------------------------------------------------------------


def test_a_folder_that_is_away(both: tuple[Person, Person], tmp_path: Path) -> None:
    """While the folder of a store is gone letters wait, no folder is made in its place, and all goes on after."""
    max_, alex = both
    (tmp_path / "store").rename(tmp_path / "away")
    waits(max_, "There is no store in")
    waits(max_, "There is no store in")
    assert not (tmp_path / "store").exists()
    (tmp_path / "away").rename(tmp_path / "store")
    arrives(max_, alex, 2)


def test_an_endpoint_nobody_listens_at(both: tuple[Person, Person], tmp_path: Path) -> None:
    """While an S3 endpoint refuses connections letters wait; with another store they go there."""
    max_, alex = both
    use(max_, "s3://team/mail")
    waits(max_, "is away", **S3)
    use(max_, f"file://{tmp_path}/store")
    arrives(max_, alex, 1)


def test_a_store_that_takes_nothing(both: tuple[Person, Person], tmp_path: Path) -> None:
    """What cannot be written waits, and what others have sent is fetched all the same."""
    max_, alex = both
    alex.said("max", "Before")
    assert alex.sync()["pushed"] == {"max@bonnard.ai": 1}
    place = tmp_path / f"store/v1/from/{mailed.uid(max_)}"
    place.rename(tmp_path / "aside")
    place.write_text("no folder")
    waits(max_, str(tmp_path / "store"))
    assert [letter["text"] for letter in max_.json("list")["letters"]] == ["Before"]
    place.unlink()
    (tmp_path / "aside").rename(place)
    arrives(max_, alex, 1)


@pytest.mark.skipif("os.environ.get('CI') != 'true' and not disk.is_here()", reason=disk.NEEDS)
def test_full_and_read_only_disks(both: tuple[Person, Person], tmp_path: Path) -> None:
    """A full and a read-only store keep letters waiting; with a full disk under the home a send keeps nothing."""
    max_, alex = both
    with disk.Disk() as it:
        ballast = it.root / "ballast"
        shutil.copytree(tmp_path / "store", it.root / "store")
        for one in both:
            use(one, f"file://{it.root}/store")
        _fill(ballast)
        waits(max_, "is full")
        ballast.unlink()
        subprocess.run(["mount", "-o", "remount,ro", str(it.root)], check=True)
        waits(max_, "is read-only")
        subprocess.run(["mount", "-o", "remount,rw", str(it.root)], check=True)
        arrives(max_, alex, 2)
        shutil.copytree(max_.home, it.root / "bus")
        max_.file("b.csv", "b" * 300_000)
        _fill(ballast)
        env = {**max_.environment, "AGENT_TEAM_OS_HOME": str(it.root / "bus")}
        done = ato(env, max_.root, "msg", "--json", "alex", "x", "--attach", "b.csv")
        assert done.returncode == 73, done
        assert "No space left" in json.loads(done.stdout)["error"]["message"]
        assert list((it.root / "bus/people/spool").iterdir()) == []


def _fill(path: Path) -> None:
    """Take all the room there is on a disk."""
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 1024):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


# ---- A store that is slow -----------------------------------------------------------------------


@pytest.fixture
def hanging() -> Iterator[Proxy]:
    """A store that takes every request and answers none."""
    with Proxy("http://127.0.0.1:9") as proxy:
        proxy.hangs = True
        yield proxy


def test_a_store_that_hangs_holds_nobody_up(both: tuple[Person, Person], hanging: Proxy) -> None:
    """With a store that never answers no command waits for it but msg sync, and read for a file that is not here."""
    max_, _ = both
    mailed.lay(max_, max_, "Here", 1)
    mailed.lay(max_, max_, "Here too", 2, read=True)
    use(max_, "s3://team/mail")
    env = {**S3, "AWS_ENDPOINT_URL": hanging.url}
    for words in (
        ["alex", "Later"], ["alex", "Later", "--attach", "a.csv"], ["list"], ["list", "--all"], ["read", "1"],
        ["read", "2"], ["users"], ["outbox"],
    ):  # fmt: skip
        max_.said(*words, **env)
    Person(max_.name, max_.root, env).typed("verify", "alex")
    for command in ("whoami", "doctor", "bus"):
        ato({**max_.environment, **env}, max_.root, command)
    (max_.root / "work").mkdir()
    hook({**max_.environment, **env}, max_.root / "work", "SessionStart", {"session_id": "s-1"})
    given = {"command_name": "agent-team-os:msg", "command_source": "plugin", "command_args": "read 1"}
    hook({**max_.environment, **env}, max_.root / "work", "UserPromptExpansion", {"session_id": "s-1", **given})
    assert hanging.seen == []
    # Those that start a sync in the background return while it hangs.
    max_.said("alex", "And one more")
    (max_.mail / "started").touch()
    done = max_.run("alex", "And the last", background=True, **env)
    assert done.returncode == 0
    until(lambda: bool(hanging.seen), lambda: "the sync in the background")
    assert len(mailed.documents(max_)) == 4


def test_a_file_that_is_not_here(both: tuple[Person, Person], tmp_path: Path) -> None:
    """A letter is read without its file while the store is away, stays unread for that, and the file comes later."""
    max_, alex = both
    mailed.write(max_, alex, "With a file", "--attach", "a.csv")
    mailed.lay(alex, max_, "Without", 2)
    for path in alex.mail.glob("files/*"):
        path.unlink()
    (tmp_path / "store").rename(tmp_path / "away")
    done = alex.run("--json", "read")
    assert done.returncode == 0, done
    one, other = json.loads(done.stdout)["letters"]
    assert (one["text"], other["text"]) == ("With a file", "Without")
    (part,) = one["attachments"]
    assert part["saved"] is None
    assert "There is no store in" in part["fault"]
    assert [letter["text"] for letter in alex.json("list")["letters"] if letter["read_at"] is None] == ["With a file"]
    (tmp_path / "away").rename(tmp_path / "store")
    assert "Saved to: ~/.claude/shared/inbox/a.csv" in alex.said("read")


def test_who_comes_while_a_sync_is_at_work(both: tuple[Person, Person]) -> None:
    """Of syncs in the background one waits for its turn, and sends what came after the one at work had looked."""
    max_, _ = both
    command = [*ORDINARY, *PROGRAM, "msg", "sync", "--once"]
    with (max_.home / "locks/@people-sync.guard").open("a") as at_work:
        fcntl.flock(at_work, fcntl.LOCK_EX)
        with subprocess.Popen(command, cwd=max_.root, env=max_.environment, stdout=subprocess.PIPE) as first:
            until(lambda: _is_held(max_.home / "locks/@people-next.guard"), lambda: "the one that waits")
            max_.said("alex", "Later")
            second = subprocess.run(
                command, cwd=max_.root, env=max_.environment, capture_output=True, timeout=PATIENCE, check=False
            )
            assert second.returncode == 3, second
            assert first.poll() is None
            fcntl.flock(at_work, fcntl.LOCK_UN)
            assert first.wait(PATIENCE) == 0
    assert max_.json("outbox")["waiting"] == []


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


# ---- Without the packages -----------------------------------------------------------------------

PACKAGES = ("obstore", "pyrage", "nacl", "apprise")


def test_what_a_send_imports(both: tuple[Person, Person]) -> None:
    """A send and a list import nothing of what the network, encryption and notices need."""
    max_, _ = both
    (max_.mail / "started").unlink()
    for words in (["alex", "Hi", "--attach", "a.csv"], ["list"], ["outbox"], ["users"]):
        seen = modules_of(VERB, "msg", *words, cwd=str(max_.root), env=max_.environment).modules
        heavy = {name.partition(".")[0] for name in seen} & {*PACKAGES, "asyncio", "concurrent", "subprocess", "ssl"}
        assert not heavy, (words, heavy)


@pytest.fixture
def bare(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `ato msg` under a Python whose environment lacks the packages of the extra."""
    python = tmp_path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(os.path.realpath(sys.executable))
    theirs = Path(sysconfig.get_path("purelib"))
    ours = tmp_path / f"venv/lib/{theirs.parent.name}/site-packages"
    ours.mkdir(parents=True)
    for path in theirs.iterdir():
        if not path.name.lower().startswith(PACKAGES):
            (ours / path.name).symlink_to(path)

    def run(one: Person, *args: str) -> subprocess.CompletedProcess[str]:
        (one.mail / "started").unlink(missing_ok=True)
        return subprocess.run(
            [str(python), *PROGRAM[1:], "msg", *args], cwd=one.root, env=one.environment, capture_output=True,
            text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip

    return run


def test_without_the_packages(
    both: tuple[Person, Person], bare: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Without the packages a line says what to install; what needs none works, and goes out when they are there."""
    max_, alex = both
    mailed.write(alex, max_, "Hello")
    new = Person("new", tmp_path / "new")
    new.root.mkdir()
    for who, words in ((max_, ["sync"]), (new, ["setup", "--address", "a@b.c", "--store", str(tmp_path / "store")])):
        done = bare(who, *words)
        assert done.returncode == 70, done
        assert "agent-team-os[msg]" in done.stderr
        assert done.stderr.count("\n") == 1
    assert list(new.root.iterdir()) == []
    for words in (["alex", "Later", "--attach", "a.csv"], ["list"], ["read", "1"], ["outbox"], ["users"]):
        done = bare(max_, *words)
        assert done.returncode == 0, (words, done)
    arrives(max_, alex, 1)
