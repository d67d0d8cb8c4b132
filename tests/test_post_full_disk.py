"""A disk that takes no more: what was begun leaves nothing behind, and one large file keeps no other back."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_team_os.post import pull
from agent_team_os.storage import files
from support import letters
from support.letters import Writer

SMALL, LARGE = b"name,registrar\n", b"12:00 start\n" * 5000
ROOM = 30_000  # bytes a file may have: more than anything but LARGE needs


@contextlib.contextmanager
def room(size: int = ROOM) -> Iterator[None]:
    """The kernel lets nobody in here, nor what is started here, write more than this into one file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def contents(folder: Path) -> dict[str, bytes]:
    """What is in a folder, by name; of a folder in it nothing."""
    return {path.name: b"" if path.is_dir() else path.read_bytes() for path in folder.iterdir()}


# ---- One file -----------------------------------------------------------------------------------


def _all(path: str, data: bytes) -> None:
    files.replace_all({f"{path}.small": b"x", path: data, f"{path}.third": b"x"})


WRITERS: dict[str, Callable[[str, bytes], object]] = {
    "begin": files.begin, "create": files.create, "replace": files.replace, "replace_all": _all,
    "put_new": files.put_new, "put": lambda path, data: files.put(os.path.dirname(path), "x", data),
}  # fmt: skip
REPLACING = ("replace", "replace_all")


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("done", [0, 10])
def test_what_was_cut_short_is_gone(name: str, done: int, tmp_path: Path) -> None:
    """A write that ends at its first or at its tenth byte says so, and the folder is as it was before."""
    path = tmp_path / "x.json"
    if name in REPLACING:
        path.write_bytes(b"old")
        (tmp_path / "x.json.small").write_bytes(b"old")
        (tmp_path / ".x.json.tmp").write_bytes(b"of a writer that was killed")
    after = {name: data for name, data in contents(tmp_path).items() if not name.startswith(".")}
    with room(max(done, 1) if name == "replace_all" else done), pytest.raises(OSError, match="too large"):
        WRITERS[name](str(path), b"x" * 11)
    assert contents(tmp_path) == after
    opened = WRITERS[name](str(path), b"new")
    if name == "begin":
        assert isinstance(opened, int)
        os.close(opened)
    assert not [left for left in contents(tmp_path) if left.startswith(".")]


@pytest.mark.parametrize("name", ["create", "replace", "replace_all", "put_new"])
def test_what_is_not_durable_is_gone(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that reports its fullness at the fsync is no fuller afterwards, and the error is the one it gave."""

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        WRITERS[name](str(tmp_path / "x.json"), b"new")
    assert contents(tmp_path) == {}


def test_what_cannot_take_its_place_is_gone(tmp_path: Path) -> None:
    """Of several files those before the one whose name is a folder's are replaced; no other one is left behind."""
    (tmp_path / "b").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace_all({str(tmp_path / name): b"new" for name in "abc"})
    assert contents(tmp_path) == {"a": b"new", "b": b""}


def test_a_file_of_another_stays(tmp_path: Path) -> None:
    """A name that is taken is an error, and the file that has it is not touched."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    for writer in (files.begin, files.create):
        with pytest.raises(FileExistsError):
            writer(str(path), b"new")
    assert files.put_new(str(path), b"new") is False
    assert contents(tmp_path) == {"x": b"old"}


# ---- Letters ------------------------------------------------------------------------------------


@pytest.fixture
def alex(tmp_path: Path) -> Writer:
    """alex, to whom max has sent a letter with a large and a small file and one with a small one; none has come."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    max_.send(alex, "one", max_.file("large.log", LARGE), max_.file("small.csv", SMALL))
    max_.send(alex, "two", max_.file("other.csv", SMALL))
    max_.sync()
    return alex


def waiting(one: Writer) -> list[str]:
    """The attachments that were fetched, by letter and number, and whatever else lies with them."""
    return sorted(path.name for path in (one.person.mail / "files").iterdir())


def test_a_sync_with_no_room_for_one(alex: Writer) -> None:
    """A sync that has no room for a file takes in all letters and the files of the others, and leaves no half."""
    with room():
        assert alex.sync()["fetched"] == {"max@bonnard.ai": 2}
    assert alex.texts() == ["one", "two"]
    assert [name.rpartition(".")[2] for name in waiting(alex)] == ["0"]
    one, other = alex.read()
    assert (one.faults, other.faults) == ({}, {})
    assert alex.saved() == {"large.log": LARGE, "small.csv": SMALL, "other.csv": SMALL}


def test_a_reading_with_no_room_for_one(alex: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`msg read` shows all, saves what there is room for, names what is missing and keeps that one for later."""
    with monkeypatch.context() as without:  # as when there was no time for it
        without.setattr(pull, "attachments", lambda _: None)
        alex.sync()
    assert not (alex.person.mail / "files").exists()
    with room():
        done = alex.person.run("--json", "read")
    assert done.returncode == 0, done.stderr
    one, two = json.loads(done.stdout)["letters"]
    assert (one["text"], two["text"]) == ("one", "two")
    large, small = one["attachments"]
    assert "File too large" in large["fault"]
    assert "people/files" in large["fault"]
    assert (large["saved"], small["fault"], two["attachments"][0]["fault"]) == (None, None, None)
    assert alex.saved() == {"small.csv": SMALL, "other.csv": SMALL}
    assert "msg read 1" in done.stderr
    assert letters.unread(alex) == 1
    assert [name.rpartition(".")[2] for name in waiting(alex)] == ["1"]
    assert alex.person.run("read").returncode == 0
    assert alex.saved() == {"large.log": LARGE, "small.csv": SMALL, "other.csv": SMALL}
    assert letters.unread(alex) == 0
