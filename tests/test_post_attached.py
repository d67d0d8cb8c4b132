"""The files of a letter: what travels, what is refused before anything is written, and where a reader finds them."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.post import attached
from agent_team_os.protocol import agentmap
from agent_team_os.protocol.errors import CannotWrite, InvalidAttachment
from conftest import tree
from support import trace
from support.cli import ORDINARY, PATIENCE, ROOT
from support.sync_order import Lint

LIMIT = 10 * 1_048_576
HERE = f"import os, sys; sys.path[:0] = [{str(ROOT / 'scripts')!r}]; from agent_team_os.post import attached\n"
REFUSED = """
from agent_team_os.protocol.errors import InvalidAttachment
try:
    attached.take(sys.argv[2:], sys.argv[1])
except InvalidAttachment as error:
    print(error.message)
"""


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """The folder of a letter that waits."""
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


def about(name: str, data: bytes) -> dict[str, Any]:
    """What a letter says of a file."""
    return {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def save(folder: Path, name: str, data: bytes) -> Path:
    """Save a file as a reader does."""
    return Path(attached.save(data, about(name, data), str(folder)))


def refusal(spool: Path, *paths: Path, code: str = "") -> str:
    """What `take` says when it refuses, in a process that modes of files bind, and that does `code` before."""
    command = [*ORDINARY, sys.executable, "-I", "-c", HERE + code + REFUSED, str(spool), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stderr == ""
    return done.stdout


# ---- taking -------------------------------------------------------------------------------------


def test_what_is_taken(tmp_path: Path, spool: Path) -> None:
    """Each file is copied under its number, readable by nobody else, with its name, size and sum told in order."""
    contents = {"Bericht für März.pdf": b"\x00\xff", "line\nbreak": b"", ".env": b"A=1", "CLAUDE.md": b"# x"}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o755)
    paths = [str(tmp_path / name) for name in contents]
    assert attached.take([*paths, paths[0]], str(spool)) == [
        *(about(name, data) for name, data in contents.items()),
        about("Bericht für März.pdf", b"\x00\xff"),
    ]
    assert sorted(os.listdir(spool)) == ["0", "1", "2", "3", "4"]
    assert [(spool / str(number)).read_bytes() for number in range(5)] == [*contents.values(), b"\x00\xff"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in spool.iterdir()} == {0o600}


def test_the_bytes_at_the_time_of_sending(tmp_path: Path, spool: Path) -> None:
    """What is written into the file afterwards does not change the copy."""
    path = tmp_path / "a"
    path.write_bytes(b"before")
    attached.take([str(path)], str(spool))
    path.write_bytes(b"after!")
    assert (spool / "0").read_bytes() == b"before"


def test_the_limits(tmp_path: Path, spool: Path) -> None:
    """Twenty files of 10 MiB may travel; one file more, or one byte more in one, and nothing is written."""
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, LIMIT + 1)
    small = tmp_path / "small"
    small.touch()
    with pytest.raises(InvalidAttachment, match="10485761 bytes, more than the 10485760 allowed"):
        attached.take([str(small), str(path)], str(spool))
    with pytest.raises(InvalidAttachment, match="21 files, more than 20"):
        attached.take([str(small)] * 21, str(spool))
    assert os.listdir(spool) == []
    os.truncate(path, LIMIT)
    assert attached.take([str(path), *[str(small)] * 19], str(spool))[0]["size"] == LIMIT
    assert len(os.listdir(spool)) == 20


def test_one_limit_for_all() -> None:
    """How large a file may be stands in one place of the program."""
    sources = (ROOT / "scripts/agent_team_os").rglob("*.py")
    named = [path.name for path in sources if re.search(r"\b10 \* (1_048_576|1024)|10_485_760", path.read_text())]
    assert named == ["attachments.py"]


@pytest.mark.parametrize(
    "kind",
    ["missing", "empty", "folder", "under", "fifo", "device", "link", "dangling", "socket", "NUL", "bytes", "a\\b"],
)
def test_what_cannot_travel(kind: str, tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no file, or has no name that can be told, is refused, and nothing of the file before it is written."""
    monkeypatch.chdir(tmp_path)
    fine, path = tmp_path / "fine", tmp_path / kind
    fine.write_bytes(b"x")
    given = {"empty": "", "under": "fine/x", "device": "/dev/zero", "NUL": "a\0b", "bytes": os.fsdecode(b"caf\xe9")}
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("fine")
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind in ("bytes", "a\\b"):
        Path(given.get(kind, kind)).touch()
    with pytest.raises(InvalidAttachment) as caught:
        attached.take([str(fine), given.get(kind, kind)], str(spool))
    assert caught.value.message
    assert caught.value.hint
    assert os.listdir(spool) == []


def test_a_file_that_may_not_be_read(tmp_path: Path, spool: Path) -> None:
    """A file whose mode forbids it is refused by name."""
    path = tmp_path / "closed"
    path.write_bytes(b"x")
    path.chmod(0)
    assert f"{path} cannot be attached: permission denied" in refusal(spool, path)
    assert os.listdir(spool) == []


@pytest.mark.parametrize(("more", "why"), [(1, "changed while it was being sent"), (LIMIT, "more than the 10485760")])
def test_a_file_that_grows(more: int, why: str, tmp_path: Path, spool: Path) -> None:
    """A file that somebody is still writing is refused, not sent half."""
    path = tmp_path / "log"
    path.write_bytes(b"x" * 100)
    grow = f"""
        if event == "open" and given[0] == sys.argv[2]:
            opened.append(given)
            if len(opened) == 2:
                os.truncate(sys.argv[2], {more + 100})
    """
    assert why in refusal(spool, path, code=f"opened = []\ndef hook(event, given):\n{grow}\nsys.addaudithook(hook)\n")


def test_durable(tmp_path: Path, spool: Path) -> None:
    """When it returns, the copies and their names survive a power cut."""
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(b"x")
    code = HERE + "attached.take(sys.argv[2:], sys.argv[1]); os.write(1, b'done')"
    argv = [sys.executable, "-I", "-B", "-c", code, str(spool), *map(str, paths)]
    with trace.Traced(argv, cwd=tmp_path, env={}) as run:
        calls = run.finish().calls
        assert (run.status, run.stdout()) == (0, "done"), run.stderr()
    assert {call.paths[0] for call in calls if call.name == "fsync"} == {str(spool), f"{spool}/0", f"{spool}/1"}
    assert Lint(spool, {"."}).look(calls) == []


# ---- saving -------------------------------------------------------------------------------------


def test_the_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are saved below the folder of Claude Code, which people are told with `~`."""
    monkeypatch.setenv("HOME", "/home/alex")
    assert attached.inbox({}) == attached.inbox({"CLAUDE_CONFIG_DIR": ""}) == "/home/alex/.claude/shared/inbox"
    path = os.path.join(attached.inbox({}), "domain-research.csv")
    assert agentmap.short(path) == "~/.claude/shared/inbox/domain-research.csv"
    assert attached.inbox({"CLAUDE_CONFIG_DIR": "/srv/claude/"}) == "/srv/claude/shared/inbox"


def test_saving(tmp_path: Path) -> None:
    """The folder is made, and holds the file alone, with its bytes and no right to run it."""
    path = save(tmp_path / "new/inbox", "a.csv", b"a,b")
    assert path == tmp_path / "new/inbox/a.csv"
    assert os.listdir(path.parent) == ["a.csv"]
    assert path.read_bytes() == b"a,b"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("data", [b"", b"datA", b"data!"])
def test_other_bytes_than_were_sent(data: bytes, tmp_path: Path) -> None:
    """Bytes without the size and the sum that the letter tells are never written."""
    with pytest.raises(InvalidAttachment, match=r"a\.txt does not hold the bytes that were sent"):
        attached.save(data, about("a.txt", b"data"), str(tmp_path / "inbox"))
    with pytest.raises(InvalidAttachment):
        attached.save(b"data", {**about("a.txt", b"data"), "size": 5}, str(tmp_path / "inbox"))
    assert not (tmp_path / "inbox").exists()


HOSTILE = {
    "../x": ".._x.txt", "..": "attachment", ".": "attachment", "": "attachment", " ": "attachment",
    "/etc/passwd": "_etc_passwd", "a\\..\\b": "a_.._b", ".bashrc": ".bashrc.txt", ".mcp.json": ".mcp.json.txt",
    "CLAUDE.md": "CLAUDE.md.txt", "claude.MD ": "claude.MD.txt", "AGENTS.md.": "AGENTS.md.txt",
    "SKILL.md": "SKILL.md.txt", "\u017fKILL.md": "\u017fKILL.md.txt", "S\u212aILL.md": "S\u212aILL.md.txt",
    "a\0b": "a_b", "a\nb\x1b[31m": "a_b_[31m", "gnp\u202etxt.exe": "gnp_txt.exe", "\ud800.txt": "_.txt",
    "x" * 300 + ".csv": "x" * 196 + ".csv", "CON": "CON", "-rf": "-rf",
}  # fmt: skip


def test_hostile_names(tmp_path: Path) -> None:
    """No name leads out of the folder, drives a terminal, or is one that a shell or an agent reads by itself."""
    folder = tmp_path / "a/b/inbox"
    saved = {name: save(folder, name, name.encode("utf-8", "surrogatepass")) for name in HOSTILE}
    assert {path.parent for path in saved.values()} == {folder}
    assert sorted(os.listdir(folder)) == sorted(path.name for path in saved.values())
    assert len(set(saved.values())) == len(HOSTILE)
    assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(tmp_path / "a") == ["b"]
    assert os.listdir(tmp_path / "a/b") == ["inbox"]
    for name, path in saved.items():
        numbered = name in ("..", ".", "", " ") and path.name.startswith("attachment")
        assert numbered or path.name == HOSTILE[name]
        assert path.read_bytes() == name.encode("utf-8", "surrogatepass")


def test_never_overwriting(tmp_path: Path) -> None:
    """Whatever has the name stays as it is, be it a file, a folder or a link, and no link is followed."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"new")  # the very bytes that are saved
    folder = tmp_path / "inbox"
    (folder / "a (1).csv").mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"old")
    (folder / "a (2).csv").symlink_to(outside)
    (folder / "a (3).csv").symlink_to("nowhere")
    before = tree(folder)
    assert save(folder, "a.csv", b"new") == folder / "a (4).csv"
    assert {path: about for path, about in tree(folder).items() if path in before and path != "."} == {
        path: about for path, about in before.items() if path != "."
    }
    assert (folder / "a (4).csv").read_bytes() == b"new"
    assert len(os.listdir(folder)) == 5


def test_saved_twice(tmp_path: Path) -> None:
    """A file that holds these bytes already, under its name or its name with a number, is not saved again."""
    folder = tmp_path / "inbox"
    first, second = save(folder, "a.csv", b"one"), save(folder, "a.csv", b"two")
    before = tree(folder)
    assert save(folder, "a.csv", b"one") == first == folder / "a.csv"
    assert save(folder, "a.csv", b"two") == second == folder / "a (1).csv"
    assert tree(folder) == before
    first.write_bytes(b"1ne")  # as somebody edits it
    assert save(folder, "a.csv", b"one") == folder / "a (2).csv"


def test_a_link_in_the_place_of_the_folder(tmp_path: Path) -> None:
    """The inbox may be no link, as its name would say nothing of where files go; a folder above it may be one."""
    (tmp_path / "real").mkdir()
    (tmp_path / "inbox").symlink_to("real")
    for name in ("inbox", "inbox/"):
        with pytest.raises(CannotWrite, match="it is a symbolic link"):
            attached.save(b"x", about("a.csv", b"x"), f"{tmp_path}/{name}")
    assert os.listdir(tmp_path / "real") == []
    assert save(tmp_path / "inbox/inbox", "a.csv", b"x").resolve() == tmp_path / "real/inbox/a.csv"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Where a file is in the way the refusal names the folder."""
    (tmp_path / "file").touch()
    for name in ("file", "file/inbox"):
        with pytest.raises(CannotWrite, match=f"cannot save into .*{name}: "):
            save(tmp_path / name, "a.csv", b"x")


def test_memory(tmp_path: Path, spool: Path) -> None:
    """However many files travel, and when one is saved again, 10 MiB are in memory at most three times at once."""
    data = b"x" * LIMIT
    path = save(tmp_path / "inbox", "a", data)
    tracemalloc.start()
    try:
        attached.take([str(path)] * 5, str(spool))
        assert tracemalloc.get_traced_memory()[1] < 2.1 * LIMIT
        assert save(tmp_path / "inbox", "a", data) == path
        assert tracemalloc.get_traced_memory()[1] < 2.1 * LIMIT  # beside `data`, which was there before
    finally:
        tracemalloc.stop()
