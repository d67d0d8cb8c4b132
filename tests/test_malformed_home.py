"""Anything in the folders of the bus: archives, folders that are files, foreign names, folders nobody may read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_team_os.mail import doctor, tracing
from agent_team_os.protocol import home as layout
from agent_team_os.protocol.errors import BusError
from conftest import Team
from support import corpus
from support.broken import BAD, GOOD, WORDS, box, bus, check_note, message, numbers, patience, place, plain


@pytest.mark.parametrize("kind", [*corpus.THINGS, "no JSON", "array", "empty"])
def test_a_broken_file_where_a_message_is_archived(team: Team, tmp_path: Path, kind: str) -> None:
    """A letter whose place in the archive is taken is shown and set aside, and what took the place stays."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    taken = box(team) / ".read" / f"{GOOD}.json"
    taken.parent.mkdir()
    corpus.write(kind, taken, message(GOOD, payload={"summary": "another"}), tmp_path)
    before = numbers(box(team))
    with patience(), bus(team).reading(GOOD) as letter:
        assert letter["message"]["payload"]["summary"] == WORDS
    assert before <= numbers(box(team))
    assert bus(team).inbox() == []
    assert "before" in check_note(box(team) / ".quarantine" / f"{GOOD}.json")


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_in_an_archive(team: Team, tmp_path: Path, kind: str) -> None:
    """What is no message in the archive is not shown, stays where it is, and the doctor names it."""
    path = box(team) / ".read" / f"{BAD}.json"
    path.parent.mkdir()
    corpus.write(kind, path, message(BAD), tmp_path)
    corpus.grow_old(path)
    with patience():
        with pytest.raises(BusError, match="cannot be read"):
            bus(team).find(BAD)
        assert tracing.trace(str(team.home), BAD)["state"] == "read"
        assert str(path) in {found["path"] for found in doctor.examine(str(team.home))}
    assert os.path.lexists(path)


@pytest.mark.parametrize("name", [".read", ".quarantine", "@dev", ".done"])
def test_a_file_where_a_folder_should_be(team: Team, tmp_path: Path, name: str) -> None:
    """Where a plain file has the name of a folder the mail is still shown, and what cannot be done is said plainly."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    corpus.write("array", box(team) / f"{BAD}.json", message(BAD), tmp_path)
    (box(team) / name).write_text("x")
    assert [letter["id"] for letter in team.json("dev", "inbox")["pending"]] == [GOOD]
    done = plain(team.run("dev", "read"))
    assert WORDS in done.stdout
    assert done.returncode == 0
    assert ("Still in the inbox." in done.stdout) == (name == ".read")
    assert (box(team) / name).read_text() == "x"
    assert (
        str(box(team) / name) in plain(team.run("dev", "doctor")).stdout.replace("~", str(team.root)) or name == ".done"
    )


FOLDERS = ("", *layout.FOLDERS, "inboxes/dev", "inboxes/dev/@dev", "registry/dev.d")


def test_foreign_names(team: Team) -> None:
    """Names that are none of ours are left alone in every folder, and never drive a terminal."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    assert team.run("dev", "send", "ops", "note").returncode == 0
    made = []
    for folder in FOLDERS:
        (team.home / folder).mkdir(exist_ok=True)
        for name in corpus.FOREIGN_NAMES:
            path = team.home / folder / name
            path.mkdir() if name.startswith("@") else path.write_text("{}")
            made.append(path)
    before = numbers(team.home)
    verbs = (
        ["inbox"],
        ["inbox", "--all"],
        ["read", "--peek"],
        ["thread"],
        ["bus"],
        ["trace", GOOD],
        ["doctor"],
        ["send", "ops", "note"],
    )
    for verb in (*verbs, ["hook", "SessionStart"]):
        done = plain(team.run("dev", *verb, stdin="{}"))
        assert done.returncode == 0, (verb, done.stderr)
    assert team.json("dev", "inbox", "--all")["count"] == 1
    assert before <= numbers(team.home)
    assert all(map(os.path.lexists, made))


@pytest.mark.parametrize("folder", ["inboxes", "inboxes/dev", "registry", "threads", "outbox", "locks", "state"])
def test_folders_nobody_may_read(team: Team, folder: str) -> None:
    """With a folder that may not be read every verb does what it can, or says plainly what it cannot."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    assert team.run("dev", "hook", "SessionStart", stdin='{"session_id":"s1"}').returncode == 0
    (team.home / folder).chmod(0)
    try:
        for verb in (["inbox"], ["bus"], ["trace", GOOD], ["send", "ops", "note"]):
            done = plain(team.run("dev", *verb))
            assert done.returncode == 0 or done.stderr.startswith("ato: "), verb
        assert plain(team.run("dev", "doctor")).returncode in (0, 4)
        assert team.run("dev", "hook", "SessionStart", stdin='{"session_id":"s1"}').returncode == 0
    finally:
        (team.home / folder).chmod(0o700)
