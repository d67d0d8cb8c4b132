"""Attachments: files that travel with a message, once for all messages, checked and never overwriting."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.mail.attachments import safe_name
from conftest import Team, tree

LIMIT = 10 * 1_048_576


def send(team: Team, *paths: str, to: str = "dev") -> dict[str, Any]:
    """Send files from the folder of ops and return the stored message."""
    options = [part for path in paths for part in ("--attach", path)]
    return team.stored(team.json("ops", "send", to, "note", *options))


def file(team: Team, name: str, content: bytes) -> str:
    """Make a file in the folder of ops and return its sum."""
    (team.root / "ops" / name).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def blob(team: Team, sha256: str) -> Path:
    """Where the bytes with this sum are stored."""
    return team.home / "attachments" / sha256


def take(team: Team, message: dict[str, Any], folder: Path | str, *options: str) -> list[str]:
    """The paths `read --save` has written."""
    saved: list[str] = team.json("dev", "read", message["id"], "--save", str(folder), *options)["saved"]
    return saved


def renamed(team: Team, message: dict[str, Any], *names: str) -> dict[str, Any]:
    """Make a message with these attachment names, as a foreign program could write them, of one that was sent."""
    items = [{**message["attachments"][0], "name": name} for name in names]
    forged = {**message, "id": message["id"][:-8] + "forged00", "attachments": items}
    (team.home / "inboxes/dev" / f"{forged['id']}.json").write_text(json.dumps(forged))
    return forged


# ---- sending ------------------------------------------------------------------------------------


def test_what_is_sent(team: Team) -> None:
    """The message names the file, its type, size and sum; the bytes lie under that sum, readable by nobody else."""
    sums = [file(team, "trace ü.har", b"\x00\xff"), file(team, "page.html", b"<p>"), file(team, "empty", b"")]
    message = send(team, "trace ü.har", str(team.root / "ops/page.html"), "../ops/empty")
    assert message["attachments"] == [
        {"name": "trace ü.har", "media_type": "application/octet-stream", "size": 2, "sha256": sums[0]},
        {"name": "page.html", "media_type": "text/html", "size": 3, "sha256": sums[1]},
        {"name": "empty", "media_type": "application/octet-stream", "size": 0, "sha256": sums[2]},
    ]
    assert [blob(team, sha256).read_bytes() for sha256 in sums] == [b"\x00\xff", b"<p>", b""]
    assert {stat.S_IMODE(blob(team, sha256).stat().st_mode) for sha256 in sums} == {0o600}
    assert len(list((team.home / "attachments").iterdir())) == 3


def test_the_limit(team: Team) -> None:
    """A file of 10 MiB travels; one byte more is refused and stored nowhere."""
    sha256 = file(team, "large", b"\0" * LIMIT)
    message = send(team, "large")
    assert message["attachments"][0]["size"] == LIMIT
    assert blob(team, sha256).stat().st_size == LIMIT
    file(team, "large", b"\0" * (LIMIT + 1))
    error = team.refused(4, "invalid-attachment", "ops", "send", "dev", "note", "--attach", "large")
    assert "10485761 bytes, more than the 10485760 allowed" in error["message"]


def test_the_limit_holds_for_each_file(team: Team) -> None:
    """Several files may be more than 10 MiB together."""
    file(team, "one", b"1" * LIMIT)
    file(team, "two", b"2" * LIMIT)
    message = send(team, "one", "two")
    assert len(message["attachments"]) == 2


def test_stored_once(team: Team) -> None:
    """The same bytes are stored once, under whatever name and in however many messages they are sent."""
    sha256 = file(team, "a", b"same")
    file(team, "b", b"same")
    first = send(team, "a", "b", "a")
    inode = blob(team, sha256).stat().st_ino
    second = send(team, "b", to="dev/web")
    assert [item["sha256"] for item in first["attachments"] + second["attachments"]] == [sha256] * 4
    assert [path.name for path in (team.home / "attachments").iterdir()] == [sha256]
    assert blob(team, sha256).stat().st_ino == inode
    assert list((team.home / "outbox/.spool").iterdir()) == []


def test_the_bytes_at_the_time_of_sending(team: Team) -> None:
    """What is changed after the send does not change what was sent."""
    file(team, "a", b"before")
    message = send(team, "a")
    file(team, "a", b"after!")
    assert Path(take(team, message, team.root / "dev/out")[0]).read_bytes() == b"before"


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo", "device", "link", "dangling", "socket", "unreadable"])
def test_nothing_but_regular_files(kind: str, team: Team) -> None:
    """What is no regular file is refused at once, with the file beside it: nothing of the message is sent."""
    file(team, "fine", b"x")
    path = team.root / "ops" / kind
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
    elif kind == "unreadable":
        path.write_bytes(b"x")
        path.chmod(0)
    given = "/dev/zero" if kind == "device" else kind
    error = team.refused(4, "invalid-attachment", "ops", "send", "dev", "note", "--attach", "fine", "--attach", given)
    assert given in error["message"]
    assert error["hint"]


def test_a_name_that_is_not_utf8(team: Team) -> None:
    """A file whose name is no text cannot be described and is refused."""
    name = os.fsdecode(b"caf\xe9")
    (team.root / "ops" / name).touch()
    error = team.refused(4, "invalid-attachment", "ops", "send", "dev", "note", "--attach", name)
    assert "not UTF-8" in error["message"]


def test_a_name_no_message_may_hold(team: Team) -> None:
    """A file name with a backslash, which no message may hold, is refused, not sent and then set aside."""
    file(team, "a\\b", b"x")
    team.refused(4, "invalid-message", "ops", "send", "dev", "note", "--attach", "a\\b")


def test_too_many(team: Team) -> None:
    """A message holds at most 64 attachments."""
    file(team, "a", b"x")
    options = ["--attach", "a"] * 65
    team.refused(4, "invalid-message", "ops", "send", "dev", "note", *options)
    assert len(team.json("ops", "send", "dev", "note", *options[2:], "--dry-run")["attachments"]) == 64


# ---- taking out ---------------------------------------------------------------------------------


def test_taking_out(team: Team) -> None:
    """`read --save` writes each file with its bytes, makes the folder, and says where they are."""
    file(team, "a.txt", b"a")
    file(team, "ü.bin", b"\x00" * 100_000)
    message = send(team, "a.txt", "ü.bin")
    shown = team.json("dev", "read", message["id"], "--save", "new/folder")
    assert shown == {**message, "archived": True, "saved": ["new/folder/a.txt", "new/folder/ü.bin"]}
    folder = team.root / "dev/new/folder"
    assert (folder / "a.txt").read_bytes() == b"a"
    assert (folder / "ü.bin").read_bytes() == b"\x00" * 100_000
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "ü.bin"]


def test_a_message_without_any(team: Team) -> None:
    """To take out of a message without attachments is to read it."""
    sent = team.ask("ops", "dev")
    assert team.json("dev", "read", sent["id"], "--save", "out")["saved"] == []


def test_never_overwriting(team: Team) -> None:
    """What has the name already stays: the file gets a number, and so does the second of one name."""
    file(team, "a.tar.gz", b"new")
    message = send(team, "a.tar.gz", "a.tar.gz")
    folder = team.root / "dev"
    (folder / "a.tar.gz").write_bytes(b"old")
    (folder / "a.tar (1).gz").mkdir()
    saved = take(team, message, ".")
    assert [os.path.basename(path) for path in saved] == ["a.tar (2).gz", "a.tar (3).gz"]
    assert (folder / "a.tar.gz").read_bytes() == b"old"
    for path in saved:
        assert (folder / path).read_bytes() == b"new"


def test_never_following_links(team: Team) -> None:
    """A link that has the name already is not written through, neither where it leads nowhere."""
    file(team, "a.txt", b"new")
    message = send(team, "a.txt", "a.txt")
    folder, outside = team.root / "dev/out", team.root / "outside.txt"
    folder.mkdir()
    outside.write_bytes(b"old")
    (folder / "a.txt").symlink_to(outside)
    (folder / "a (1).txt").symlink_to(team.root / "nowhere.txt")
    assert take(team, message, folder) == [f"{folder}/a (2).txt", f"{folder}/a (3).txt"]
    assert outside.read_bytes() == b"old"
    assert not (team.root / "nowhere.txt").exists()


def test_never_leaving_the_folder(team: Team) -> None:
    """A message whose attachment is named like a path is no message: it is set aside and nothing is written."""
    file(team, "a.txt", b"x")
    message = send(team, "a.txt")
    for name in ("../evil", "/evil", "a/b", "..", ".", "", "a\\b", "a\0b"):
        forged = renamed(team, message, name)
        before = tree(team.root / "dev")
        done = team.run("dev", "read", forged["id"], "--save", ".")
        assert done.returncode == 1, name
        assert tree(team.root / "dev") == before
        assert not (team.root / "evil").exists()
    assert team.json("dev", "inbox")["quarantined"] == 8


def saved_names(team: Team, *names: str) -> list[str]:
    """The names under which attachments of these names are saved; all of them, and nothing else."""
    file(team, "a.txt", b"x")
    folder = team.root / "dev/out"
    saved = [Path(path).name for path in take(team, renamed(team, send(team, "a.txt"), *names), folder)]
    assert sorted(saved) == sorted(path.name for path in folder.iterdir())
    assert len(saved) == len(names)
    return saved


def test_names_that_agents_read(team: Team) -> None:
    """A saved file never has a name that an agent reads by itself when it works in the folder."""
    assert saved_names(team, "CLAUDE.md", "claude.local.MD", "AGENTS.md", "CLAUDE.md ", "SKILL.md.") == [
        "CLAUDE.md.txt",
        "claude.local.MD.txt",
        "AGENTS.md.txt",
        "CLAUDE.md (1).txt",
        "SKILL.md.txt",
    ]


def test_odd_names(team: Team) -> None:
    """A saved file has a name that shows as it is, means the same to every system, and is not too long."""
    for name in saved_names(team, "a\nb\x1b[31m.txt", "gnp\u202etxt.exe", " ", "...", "x" * 255, "-rf", "a:b*c?.txt"):
        assert name.isprintable()
        assert name.strip(" .")
        assert not set(name) & set('/\\:*?"<>|')
        assert len(name) <= 210


def test_names_that_shells_read(team: Team) -> None:
    """A saved file never has a name with a dot in front that a shell or another program reads by itself."""
    names = [".bashrc", ".env", ".mcp.json", ".gitconfig"]
    assert saved_names(team, *names) == [f"{name}.txt" for name in names]


@pytest.mark.parametrize("name", ["a.txt", "Bericht für März.pdf", "x (1).tar.gz", "README.md", "日本.txt"])
def test_ordinary_names(name: str) -> None:
    """An ordinary name stays as it is."""
    assert safe_name(name) == name


def test_a_folder_that_cannot_be_written(team: Team) -> None:
    """Where nothing can be saved the message stays pending."""
    file(team, "a.txt", b"x")
    message = send(team, "a.txt")
    (team.root / "dev/file").touch()
    (team.root / "dev/closed").mkdir(mode=0o500)
    for folder in ("file", "file/sub", "closed"):
        error = team.refused(73, "cannot-write", "dev", "read", message["id"], "--save", folder)
        assert folder in error["message"]


def test_nothing_but_the_files(team: Team) -> None:
    """In the folder nothing is left but what was saved, and the bus keeps its copy."""
    sha256 = file(team, "a.txt", b"x")
    message = send(team, "a.txt")
    take(team, message, "out", "--peek")
    take(team, message, "out")
    assert sorted(path.name for path in (team.root / "dev/out").iterdir()) == ["a (1).txt", "a.txt"]
    assert blob(team, sha256).read_bytes() == b"x"


# ---- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"bad!", b"dat", b"", None])
def test_a_damaged_blob(damage: bytes | None, team: Team) -> None:
    """Bytes that no longer have their sum, or are gone, are never handed out; sending the file again heals them."""
    sha256 = file(team, "a.txt", b"data")
    message = send(team, "a.txt")
    if damage is None:
        blob(team, sha256).unlink()
    else:
        blob(team, sha256).write_bytes(damage)
    error = team.refused(4, "invalid-attachment", "dev", "read", message["id"], "--save", "out")
    assert ("missing" if damage is None else "damaged") in error["message"]
    assert "send it again" in error["hint"]

    text = team.run("dev", "read", message["id"], "--peek").stdout
    assert f"a.txt (4B, {'missing' if damage is None else 'damaged'})" in text
    send(team, "a.txt")
    assert blob(team, sha256).read_bytes() == b"data"
    assert Path(team.root / "dev" / take(team, message, "out")[0]).read_bytes() == b"data"


def test_a_blob_that_is_no_file(team: Team) -> None:
    """A link or FIFO under the name of a blob is not followed, not waited for, and healed by sending again."""
    sha256 = file(team, "a.txt", b"data")
    message = send(team, "a.txt")
    outside = team.root / "outside"
    outside.write_bytes(b"data")
    for number in range(2):
        blob(team, sha256).unlink()
        if number:
            os.mkfifo(blob(team, sha256))
        else:
            blob(team, sha256).symlink_to(outside)
        team.refused(4, "invalid-attachment", "dev", "read", message["id"], "--save", "out")
        send(team, "a.txt")
        assert stat.S_ISREG(blob(team, sha256).lstat().st_mode)
        assert blob(team, sha256).read_bytes() == b"data"
    assert outside.read_bytes() == b"data"


def test_damage_hides_no_text(team: Team) -> None:
    """A message whose attachment is gone can still be read."""
    sha256 = file(team, "a.txt", b"data")
    message = send(team, "a.txt")
    blob(team, sha256).unlink()
    assert team.json("dev", "read", message["id"]) == {**message, "archived": True}
