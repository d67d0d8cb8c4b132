"""Any bytes under the name of a message: set aside with a reason, nothing deleted, and the mail beside it is shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agent_team_os.protocol import schemas
from agent_team_os.protocol.errors import BusError
from conftest import Team
from support import corpus
from support.broken import (
    BAD,
    GOOD,
    THREAD,
    WORDS,
    aside,
    box,
    bus,
    check_note,
    message,
    numbers,
    patience,
    place,
    plain,
    snapshot,
)


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_in_an_inbox(team: Team, tmp_path: Path, kind: str) -> None:
    """What is no message is moved into `.quarantine/` as it is, with a note that says why; the mail beside it stays."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    paths = [box(team) / f"{BAD}.json", box(team, "dev") / f"{BAD}.json"]
    for path in paths:
        corpus.write(kind, path, message(BAD), tmp_path)
        corpus.grow_old(path)
    before = [os.lstat(path) for path in paths]
    with patience():
        assert [letter["id"] for letter, _ in bus(team).inbox()] == [GOOD]
        assert [letter["id"] for letter, _ in bus(team).inbox()] == [GOOD]
    for path, status in zip(paths, before):
        after = os.lstat(aside(path))
        assert (after.st_ino, after.st_size, after.st_mode) == (status.st_ino, status.st_size, status.st_mode)
        assert check_note(aside(path))
        assert sorted(os.listdir(aside(path).parent)) == [path.name, f"{path.name}.why.json"]
        assert not os.path.lexists(path)


WRONG_MESSAGES = {
    "another id": message(GOOD),
    "another recipient": message(BAD, to="ops"),
    "recipient with a slug": message(BAD, to="dev/dev"),
    "version 0": message(BAD, version="0.9"),
    "version 3": message(BAD, version="3.0"),
    "id with an ending": message(BAD, id=f"{BAD}.json"),
    "id with a newline": message(BAD, id=f"{BAD}\n"),
    "sender with a path": message(BAD, **{"from": "../ops"}),
    "slug with a path": message(BAD, to_slug="../../x"),
    "thread with a path": message(BAD, thread_id="../../../x"),
    "attachment with a path": message(BAD, attachments=[{"name": "../../x", "size": 1, "sha256": "0" * 64}]),
    "sum with a path": message(BAD, attachments=[{"name": "x", "size": 1, "sha256": "../" + "0" * 61}]),
    "intent with spaces": message(BAD, intent="rm -rf"),
    **dict(corpus.wrong_fields(message(BAD), schemas.load("message"))),
}


def test_documents_that_are_no_messages(team: Team) -> None:
    """A document with a wrong, missing or foreign field is set aside, and the note names the field."""
    folder = box(team)
    place(folder / f"{GOOD}.json", message(GOOD))
    paths = {}
    for number, (fault, document) in enumerate(WRONG_MESSAGES.items()):
        name = f"msg-20260519T{number:06}Z-badbadba"
        changed = {**document, "id": name} if document.get("id") == BAD else document
        paths[fault] = place(folder / f"{name}.json", changed)
    assert [letter["id"] for letter, _ in bus(team).inbox()] == [GOOD]
    for fault, path in paths.items():
        why = check_note(folder / ".quarantine" / path.name)
        field = fault.removeprefix("no ").split(" = ")[0]
        assert field not in schemas.load("message")["properties"] or why.startswith(field), (fault, why)


@pytest.mark.parametrize("kind", corpus.EARLY)
def test_a_file_that_is_still_being_written(team: Team, tmp_path: Path, kind: str) -> None:
    """A young file that ends early is left where it is, and read when it is complete."""
    folder = box(team)
    path = folder / f"{BAD}.json"
    corpus.write(kind, path, message(BAD), tmp_path)
    before = os.lstat(path).st_ino
    os.utime(path)
    assert bus(team).inbox() == []
    assert os.lstat(path).st_ino == before
    assert not (folder / ".quarantine").exists()
    with pytest.raises(BusError), bus(team).reading(BAD):
        pass
    assert os.lstat(path).st_ino == before
    path.write_bytes(corpus.compact(message(BAD)))
    with bus(team).reading(BAD) as letter:
        assert letter["message"] == message(BAD)


@pytest.mark.parametrize("kind", corpus.WRONG)
def test_a_finished_file_is_not_waited_for(team: Team, tmp_path: Path, kind: str) -> None:
    """A file that is complete and wrong is set aside at once, however young it is."""
    path = box(team) / f"{BAD}.json"
    corpus.write(kind, path, message(BAD), tmp_path)
    os.utime(path)
    assert bus(team).inbox() == []
    if kind in ("100000 open levels", "no JSON"):  # as much as was read before it was refused could go on
        return
    assert check_note(path.parent / ".quarantine" / path.name)


def fill(team: Team, elsewhere: Path) -> dict[Path, str]:
    """Put the corpus into the two boxes of a session of dev, beside one good letter. Returns the broken files."""
    boxes = box(team), box(team, "dev")
    place(boxes[0] / f"{GOOD}.json", message(GOOD))
    found = {}
    for number, kind in enumerate((*corpus.KINDS, *list(WRONG_MESSAGES)[::8])):
        name = f"msg-20260519T{number:06}Z-corpus00"
        path = boxes[number % 2] / f"{name}.json"
        if kind in WRONG_MESSAGES:
            document = WRONG_MESSAGES[kind]
            place(path, {**document, "id": name} if document.get("id") == BAD else document)
        else:
            corpus.write(kind, path, message(name), elsewhere)
        corpus.grow_old(path)
        found[path] = kind
    return found


READERS = (
    ["inbox"],
    ["inbox", "--all"],
    ["inbox", "--json"],
    ["read"],
    ["read", "--peek"],
    ["read", "--json"],
    ["hook", "SessionStart"],
    ["doctor", "--repair"],
)


@pytest.mark.parametrize("verb", READERS, ids=" ".join)
def test_a_full_inbox_read_by_the_program(team: Team, tmp_path: Path, verb: list[str]) -> None:
    """With the whole corpus in its inbox a verb that reads shows the good letter and sets all the rest aside."""
    broken = fill(team, tmp_path)
    before = numbers(team.home / "inboxes")
    assert len(broken) > 90
    done = team.run("dev", *verb, stdin="{}")
    if "--json" in verb:
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        shown = document["pending"] if verb[0] == "inbox" else [document]
        assert [letter["id"] for letter in shown] == [GOOD]
        assert document.get("quarantined", len(broken)) == len(broken)
    else:
        plain(done)
        assert done.returncode == (4 if verb[0] == "doctor" and "bad-message" in done.stdout else 0), done.stderr
        assert WORDS in done.stdout or verb[0] == "doctor"
    assert [broken[path] for path in broken if os.path.lexists(path)] == []
    assert [broken[path] for path in broken if not os.path.lexists(aside(path))] == []
    assert all(check_note(aside(path)) for path in broken)
    assert before <= numbers(team.home / "inboxes")


OTHERS = (
    (["whoami"], 0),
    (["bus"], 0),
    (["thread"], 0),
    (["thread", THREAD], 1),
    (["trace", GOOD], 0),
    (["trace", "corpus00"], 1),
    (["trace", "msg-20260519T000003Z-corpus00"], 0),
    (["send", "dev", "note", "--summary", "x"], 0),
    (["reply", GOOD, "response"], 0),
    (["read", GOOD], 0),
    (["read", "msg-20260519T000003Z-corpus00"], 1),
    (["read", "corpus00"], 1),
)


@pytest.mark.parametrize(("verb", "status"), OTHERS, ids=[" ".join(verb) for verb, _ in OTHERS])
def test_a_full_inbox_beside_the_program(team: Team, tmp_path: Path, verb: list[str], status: int) -> None:
    """With the whole corpus in its inbox every other verb does what it does, and deletes nothing."""
    broken = fill(team, tmp_path)
    before = numbers(team.home / "inboxes")
    done = plain(team.run("dev", *verb))
    assert done.returncode == status, done.stderr
    assert before <= numbers(team.home / "inboxes")
    assert all(os.path.lexists(path) or os.path.lexists(aside(path)) for path in broken)


def test_the_doctor_names_every_broken_letter(team: Team, tmp_path: Path) -> None:
    """Without --repair the doctor names each file that is no message, and changes nothing."""
    broken = fill(team, tmp_path)
    before = snapshot(team.home)
    done = team.run("dev", "doctor", "--json")
    findings = json.loads(done.stdout)["findings"]
    named = {found["path"] for found in findings if found["severity"] == "error"}
    assert done.returncode == 4
    assert [kind for path, kind in broken.items() if str(path) not in named] == []
    assert snapshot(team.home) == before
    plain(team.run("dev", "doctor"))


def test_young_files_through_the_program(team: Team, tmp_path: Path) -> None:
    """Files that end early are passed over while they are young; the doctor is silent about them too."""
    folder = box(team)
    place(folder / f"{GOOD}.json", message(GOOD))
    paths = []
    for number, kind in enumerate(corpus.EARLY):
        name = f"msg-20260519T{number:06}Z-corpus00"
        paths.append(folder / f"{name}.json")
        corpus.write(kind, paths[-1], message(name), tmp_path)
    for path in paths:
        os.utime(path)
    done = team.run("dev", "inbox", "--json")
    assert json.loads(done.stdout)["count"] == 1
    for path in paths:
        os.utime(path)
    findings = json.loads(team.run("dev", "doctor", "--json").stdout)["findings"]
    assert [found for found in findings if found["code"] == "bad-message"] == []
    assert all(map(os.path.lexists, paths))
    for path in paths:
        place(path, message(path.stem))
    assert team.json("dev", "inbox")["count"] == 1 + len(paths)
