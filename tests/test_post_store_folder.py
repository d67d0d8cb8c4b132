"""A store in a folder: what others put there to do harm, disks that are away, full or read-only, and power cuts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_team_os.post import store as stores
from agent_team_os.post.store import Denied, Missing, Store, StoreFailed
from support import trace
from support.cli import ROOT

MAX, ALEX, EVE = "m" * 26, "a" * 26, "e" * 26
LETTER = f"v1/from/{MAX}/to/{ALEX}/0001.age"


# ---- What others may put there ------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one letter."""
    stores.make_folder_store(str(tmp_path / "store"))
    store = stores.open_store(str(tmp_path / "store"), {})
    store.put_new(LETTER, b"a letter")
    return store


def test_nothing_leads_out_of_the_store(store: Store, tmp_path: Path) -> None:
    """Links to files and folders, FIFOs, sockets and odd names are no objects: not read, not listed, not waited for."""
    root = tmp_path / "store"
    outside = tmp_path / "outside/to/x"
    outside.mkdir(parents=True)
    (outside / "1.age").write_bytes(b"private")
    mine = root / f"v1/from/{EVE}/to/x"
    mine.mkdir(parents=True)
    (mine / "link.age").symlink_to(outside / "1.age")
    (mine / "dangling.age").symlink_to("nowhere")
    (mine / "folder.age").mkdir()
    os.mkfifo(mine / "fifo.age")
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(mine)
        listener.bind("socket.age")
        os.chdir(ROOT)
    (root / "v1/from/linked").symlink_to(tmp_path / "outside")
    for odd in (b"bad\xff.age", b"two words.age", b".hidden.age", b"1.age#1", b"new\nline.age", b"-.age"):
        (mine / os.fsdecode(odd)).write_bytes(b"odd")
    assert store.keys("v1") == store.keys("v1/from") == [(LETTER, 8)]
    assert store.keys(f"v1/from/{EVE}") == store.keys("v1/from/linked") == store.keys("v1/from/linked/to") == []
    for name in ("link", "dangling", "folder", "fifo", "socket"):
        with pytest.raises(Missing):
            store.get(f"v1/from/{EVE}/to/x/{name}.age", 1000)
        assert store.size(f"v1/from/{EVE}/to/x/{name}.age") is None
        assert store.put_new(f"v1/from/{EVE}/to/x/{name}.age", b"new") is False
    with pytest.raises(Missing):
        store.get("v1/from/linked/to/x/1.age", 1000)
    with pytest.raises(StoreFailed):
        store.put_new("v1/from/linked/to/x/2.age", b"astray")
    assert [path.name for path in outside.iterdir()] == ["1.age"]


def test_what_is_being_written_is_not_seen(store: Store, tmp_path: Path) -> None:
    """What writers left behind that were killed is not listed, and is cleared away after a day."""
    stage = tmp_path / f"store/v1/from/{MAX}/.new"
    assert list(stage.iterdir()) == []
    old, new = stage / "0123456789abcdef", stage / "fedcba9876543210#1"
    for path in (old, new):
        path.write_bytes(b"half a let")
    os.utime(old, (0, 0))
    assert store.keys("v1") == [(LETTER, 8)]
    store.put_new(LETTER.replace("0001", "0002"), b"another")
    assert list(stage.iterdir()) == [new]


# ---- Where the folder is not what it was --------------------------------------------------------


def test_a_folder_that_is_away_is_no_empty_store(store: Store, tmp_path: Path) -> None:
    """Where the folder is missing, or a mount point without its disk, every call fails and nothing is made there."""
    root = tmp_path / "store"
    root.rename(tmp_path / "away")
    for missing in ("the folder is missing", "it has no folder v1"):
        for deed in (
            lambda: store.put_new(LETTER.replace("1.", "2."), b""),
            lambda: store.get(LETTER, 100),
            lambda: store.size(LETTER),
            lambda: store.keys("v1"),
            lambda: stores.open_store(store.url, {}),
        ):
            with pytest.raises(StoreFailed, match=missing) as refusal:
                deed()
            assert "mounted" in refusal.value.hint
        root.mkdir(exist_ok=True)
        assert list(root.iterdir()) == []
    root.rmdir()
    (tmp_path / "away").rename(root)
    assert store.get(LETTER, 100) == b"a letter"


def test_only_setup_makes_a_store(tmp_path: Path) -> None:
    """Setup makes the last folder of a path and what belongs in it, never one whose parent is missing, and it may be
    run again; a folder someone has filled stays as it is."""
    with pytest.raises(StoreFailed, match="There is no folder"):
        stores.make_folder_store(str(tmp_path / "missing/store"))
    assert list(tmp_path.iterdir()) == []
    tmp_path.chmod(0o750)
    root = tmp_path / "a store"
    stores.make_folder_store(str(root))
    assert root.stat().st_mode & 0o777 == 0o750
    (root / "note.txt").write_text("something else")
    stores.open_store(str(root), {}).put_new(LETTER, b"a letter")
    stores.make_folder_store(f"file://{tmp_path}/a%20store")
    assert stores.open_store(f"file://{tmp_path}/a%20store", {}).get(LETTER, 100) == b"a letter"
    assert (root / "note.txt").read_text() == "something else"
    (tmp_path / "file").write_text("no folder")
    for path in (tmp_path / "file", tmp_path / "file/store"):
        with pytest.raises(StoreFailed):
            stores.make_folder_store(str(path))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A store on a disk of 256 KiB."""
    if os.geteuid() != 0:
        pytest.fail("a small disk is mounted for this, which takes root")
    root = tmp_path / "disk"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=1777", "tmpfs", root], check=True)
    try:
        stores.make_folder_store(str(root))
        yield root
    finally:
        subprocess.run(["umount", "-l", root], check=True)


def test_a_full_disk(small: Path) -> None:
    """A letter for which there is no room leaves nothing behind, and one that fits is kept afterwards."""
    store = stores.open_store(str(small), {})
    for deed in (store.put_new, store.replace):
        with pytest.raises(StoreFailed, match="is full: could not keep v1/from") as refusal:
            deed(LETTER, bytes(1 << 20))
        assert "Make room" in refusal.value.hint
    assert store.keys("v1") == []
    assert store.put_new(LETTER, b"a letter") is True
    assert store.keys("v1") == [(LETTER, 8)]


def test_a_read_only_disk(small: Path) -> None:
    """A store that became read-only says so when something shall be kept, and can still be read."""
    store = stores.open_store(str(small), {})
    store.put_new(LETTER, b"a letter")
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    for deed in (store.put_new, store.replace):
        with pytest.raises(StoreFailed, match="is read-only: could not keep v1/from") as refusal:
            deed(LETTER.replace(MAX, EVE), b"new")
        assert not isinstance(refusal.value, Denied)
    assert store.get(LETTER, 100) == b"a letter"
    assert store.keys("v1") == [(LETTER, 8)]


def test_a_disk_without_hard_links(tmp_path: Path) -> None:
    """A file system that cannot give a name only once is no place for a store, and is said to be none."""
    script = f"""
import sys; sys.path.insert(0, {str(ROOT / "scripts")!r})
from agent_team_os.post.store import StoreFailed, make_folder_store, open_store
make_folder_store(sys.argv[1])
store = open_store(sys.argv[1], {{}})
try:
    store.put_new({LETTER!r}, b"a letter")
except StoreFailed as error:
    print(type(error).__name__, error.message, store.keys("v1"))
"""
    argv = [sys.executable, "-c", script, str(tmp_path / "store")]
    with trace.Traced(argv, cwd=tmp_path, env=dict(os.environ), fail=["?link,?linkat:error=EPERM"]) as run:
        run.finish()
        assert run.stdout().startswith("StoreFailed The file system of"), run.stderr()
        assert run.stdout().endswith(" []\n")
    assert list((tmp_path / f"store/v1/from/{MAX}/.new").iterdir()) == []


# ---- Durable ------------------------------------------------------------------------------------


def test_what_is_said_to_be_kept_is_durable(tmp_path: Path) -> None:
    """An object is synced before it gets its name, and its name and those of new folders before the call returns."""
    root = tmp_path / "store"
    script = f"""
import os, sys; sys.path.insert(0, {str(ROOT / "scripts")!r})
from agent_team_os.post.store import make_folder_store, open_store
make_folder_store(sys.argv[1])
store = open_store(sys.argv[1], {{}})
assert store.put_new({LETTER!r}, b"a letter")
os.write(1, b"kept")
store.replace({LETTER!r}, b"another")
os.write(1, b"replaced")
"""
    argv = [sys.executable, "-c", script, str(root)]
    dirty: set[str] = set()  # files written to, and folders in which names were made, since their last fsync
    order = []
    with trace.Traced(argv, cwd=tmp_path, env=dict(os.environ)) as run:
        for call in run:
            if isinstance(call, trace.Ended):
                continue
            paths = [path for path in call.paths if path.startswith(str(tmp_path))]
            if call.name == "write" and call.args.startswith("1<"):
                order.append("said")
                assert not {path for path in dirty if "/.new" not in path}, f"not durable when it was said: {dirty}"
            elif not call.done or not paths:
                continue
            elif call.name == "write":
                dirty.add(paths[0])
            elif call.name in ("fsync", "fdatasync"):
                dirty.discard(paths[0])
            elif call.name in ("mkdir", "mkdirat"):
                dirty.add(os.path.dirname(paths[-1]))
            elif call.name.startswith(("link", "rename")):
                if paths[-1].endswith(".age"):
                    assert paths[0] not in dirty, f"not durable when it got its name: {call}"
                    order.append(call.name[: len("link") if call.name.startswith("link") else len("rename")])
                elif paths[0] in dirty:
                    dirty.add(paths[-1])
                dirty.add(os.path.dirname(paths[-1]))
    assert order == ["link", "said", "rename", "said"]
