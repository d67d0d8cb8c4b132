"""Any bytes under any name: no hang, no traceback, nothing deleted, and the mail beside it is shown."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from agent_team_os.bus import Bus
from agent_team_os.hooks import dispatch
from agent_team_os.mail import doctor, outbox, registry, threads, tracing
from agent_team_os.protocol import home as layout
from agent_team_os.protocol import ids, schemas
from agent_team_os.protocol.errors import BusError, CannotWrite, InvalidAttachment, InvalidMap, InvalidMessage
from agent_team_os.storage import files, lock
from conftest import Team
from support import corpus
from support.cli import PATIENCE

DOCUMENT = {name: schemas.load(name)["examples"][0] for name in ("message", "thread", "registry-card", "session")}
GOOD, BAD = "msg-20260520T091812Z-goodgood", "msg-20260520T091812Z-badbadba"
THREAD = "thread-20260520-abc123"
WORDS = "The good letter"
# Too large for a message, a map or a card, and no fault in a thread or a line of the outbox.
SMALL_KINDS = tuple(kind for kind in corpus.KINDS if kind != "over 1 MiB")
PLAIN = tuple(kind for kind in corpus.TEXTS if kind != "over 1 MiB")


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """What happens inside must end: a file without end, or one nobody writes, is not waited for."""

    def give_up(*_: object) -> None:
        pytest.fail("it hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(20)
    try:
        yield
    except UnicodeError as error:  # shown as it is, half a pair of surrogates would end the test run
        raise AssertionError(ascii(str(error))) from None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def bus(team: Team, agent: str = "dev", folder: str = "dev") -> Bus:
    """The bus as an agent sees it, in this process."""
    return Bus.open({"AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": agent}, str(team.root / folder))


def message(message_id: str, **changes: Any) -> dict[str, Any]:
    """A valid message from ops to dev."""
    payload = {"project": "web", "summary": WORDS if message_id == GOOD else f"{message_id} is broken"}
    return {**DOCUMENT["message"], "attachments": [], "id": message_id, "payload": payload, **changes}


def place(path: Path, document: object) -> Path:
    """Write a document under a name, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(corpus.compact(document))
    return path


def box(team: Team, slug: str = "") -> Path:
    folder = team.home / "inboxes/dev" / (f"@{slug}" if slug else "")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def snapshot(root: Path) -> dict[str, tuple[int, int, int, int]]:
    """Of all below a folder: mode, file, size and time of change. The guards of locks are left out."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = os.path.join(folder, name)
            if not path.endswith(".guard"):
                status = os.lstat(path)
                time = 0 if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
                found[path] = status.st_mode, status.st_ino, 0 if name in folders else status.st_size, time
    return found


def numbers(root: Path) -> set[int]:
    """The file numbers of all that lies below a folder."""
    return {number for _, number, _, _ in snapshot(root).values()}


def aside(path: Path) -> Path:
    """Where a file is when it was set aside."""
    return path.parent / ".quarantine" / path.name


def check_note(path: Path) -> str:
    """The reason in the note beside a file that was set aside."""
    note = json.loads(Path(f"{path}.why.json").read_bytes())
    assert note["file"] == path.name
    assert note["at"]
    assert isinstance(note["why"], str)
    return str(note["why"])


def plain(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """What every run must be: no traceback, no internal error, nothing that drives a terminal."""
    printed = done.stdout + done.stderr
    assert "Traceback" not in printed
    assert done.returncode != 70, printed
    assert [line for line in printed.split("\n") if not line.isprintable()] == []
    return done


def one_line(done: subprocess.CompletedProcess[str], status: int) -> str:
    """The one plain line of an error with this status."""
    plain(done)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("ato: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 1000
    return done.stderr


# In an inbox


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
    assert done.returncode == (73 if name == ".read" else 0)
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


# As agent map


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_as_agent_map(team: Team, tmp_path: Path, kind: str) -> None:
    """A map that is none stops every verb with one line that names it, the doctor names it too, and nothing changes."""
    path = team.home / "AGENT_MAP.json"
    document = json.loads(path.read_bytes())
    path.unlink()
    corpus.write(kind, path, document, tmp_path)
    before = snapshot(team.home)
    with patience():
        with pytest.raises(InvalidMap) as caught:
            bus(team)
        (found,) = [each for each in doctor.examine(str(team.home)) if each["code"] == "map-invalid"]
    assert str(path) in caught.value.message
    assert len(caught.value.message) < 500
    assert (found["severity"], found["path"]) == ("error", str(path))
    assert snapshot(team.home) == before


@pytest.mark.parametrize(
    "kind",
    [*corpus.THINGS, "empty", "no JSON", "UTF-16", "duplicate key that drives a terminal", "duplicate half of a pair"],
)
def test_as_agent_map_of_the_program(team: Team, tmp_path: Path, kind: str) -> None:
    """The program refuses to send with such a map: exit status 4, one plain line, nothing written."""
    path = team.home / "AGENT_MAP.json"
    document = json.loads(path.read_bytes())
    path.unlink()
    corpus.write(kind, path, document, tmp_path)
    before = snapshot(team.home)
    assert "AGENT_MAP.json" in one_line(team.run("ops", "send", "dev", "note"), 4)
    assert snapshot(team.home) == before
    assert team.run("ops", "hook", "SessionStart", stdin="{}").stdout == ""


MAP_FAULTS = dict(corpus.wrong_fields(schemas.load("agent-map")["examples"][0], schemas.load("agent-map")))


def test_maps_with_a_wrong_field(team: Team) -> None:
    """A field of the wrong type makes the whole map invalid, and is named."""
    for fault, document in MAP_FAULTS.items():
        place(team.home / "AGENT_MAP.json", document)
        field = fault.removeprefix("no ").split(" = ")[0]
        with pytest.raises(InvalidMap, match=f"line 1, column [0-9]+: {re.escape(field)}"):
            bus(team)


# As thread


def conversation(team: Team) -> tuple[str, Path]:
    """A thread of one message, and its file."""
    sent = bus(team, "ops", "ops").send("dev", "note", {"summary": "first"})
    return sent["thread_id"], Path(layout.thread(str(team.home), sent["thread_id"]))


@pytest.mark.parametrize("kind", SMALL_KINDS)
def test_as_thread(team: Team, tmp_path: Path, kind: str) -> None:
    """A thread that cannot be read is set aside and rebuilt by the next letter in it; until then it says so."""
    thread_id, path = conversation(team)
    document = json.loads(path.read_bytes())
    path.unlink()
    corpus.write(kind, path, document, tmp_path)
    before = os.lstat(path)
    with patience():
        with pytest.raises(InvalidMessage, match="cannot be read"):
            bus(team).thread(thread_id)
        assert bus(team).recent_threads() == []
        assert ("bad-thread", str(path)) in [(found["code"], found["path"]) for found in doctor.examine(str(team.home))]
        if "sparse" in kind:  # as far as a sender can tell this thread is full
            with pytest.raises(InvalidMessage, match="is full"):
                bus(team, "ops", "ops").send("dev", "note", {}, thread_id=thread_id)
            assert any("written anew" in done for done in doctor.repair(str(team.home)))
        sent = bus(team, "ops", "ops").send("dev", "note", {"summary": "second"}, thread_id=thread_id)
    assert sent["warnings"] == ["dev has no live session (never seen); it will see this when it opens."]
    thread = threads.load(str(team.home), thread_id)
    assert thread is not None
    assert [entry["id"] for entry in thread["messages"]] == sorted([document["messages"][0]["id"], sent["id"]])
    assert thread["subject"] == "first"
    aside = path.parent / ".quarantine" / path.name
    assert os.lstat(aside).st_ino == before.st_ino
    assert check_note(aside)


@pytest.mark.parametrize("kind", SMALL_KINDS)
def test_the_doctor_rebuilds_a_thread(team: Team, tmp_path: Path, kind: str) -> None:
    """`doctor --repair` sets a broken thread aside and writes it anew from the outbox, as it was."""
    _, path = conversation(team)
    document = json.loads(path.read_bytes())
    path.unlink()
    corpus.write(kind, path, document, tmp_path)
    before = os.lstat(path).st_ino
    with patience():
        assert list(doctor.repair(str(team.home)))
        assert [found for found in doctor.examine(str(team.home)) if "thread" in found["code"]] == []
    assert json.loads(path.read_bytes()) == document
    assert os.lstat(path.parent / ".quarantine" / path.name).st_ino == before


def test_threads_through_the_program(team: Team, tmp_path: Path) -> None:
    """Among broken threads the good one is listed and shown, each of the others is refused in one line."""
    good, _ = conversation(team)
    broken = {}
    for number, kind in enumerate((*SMALL_KINDS, "another id")):
        name = f"thread-20260520-{number:06}"
        path = team.home / "threads" / f"{name}.json"
        document = {**DOCUMENT["thread"], "id": name}
        place(path, DOCUMENT["thread"]) if kind == "another id" else corpus.write(kind, path, document, tmp_path)
        broken[name] = kind
    before = snapshot(team.home)
    assert [thread["id"] for thread in team.json("ops", "thread")["threads"]] == [good]
    plain(team.run("ops", "thread"))
    for number in range(0, len(broken), 20):
        assert "cannot be read" in one_line(team.run("ops", "thread", f"thread-20260520-{number:06}"), 4)
    assert snapshot(team.home) == before
    findings = json.loads(team.run("ops", "doctor", "--json").stdout)["findings"]
    named = {Path(found["path"]).stem for found in findings if found["code"] == "bad-thread"}
    assert [kind for name, kind in broken.items() if name not in named] == []


THREAD_FAULTS = dict(corpus.wrong_fields(DOCUMENT["thread"], schemas.load("thread")))


def test_threads_with_a_wrong_field(team: Team) -> None:
    """A thread with a field of the wrong type is no thread."""
    path = Path(layout.thread(str(team.home), THREAD))
    accepted = []
    for fault, document in THREAD_FAULTS.items():
        place(path, document)
        try:
            threads.load(str(team.home), THREAD)
        except files.BadFile:
            continue
        accepted.append(fault)
    assert accepted == []


# In the registry


def live_session(agent: str = "dev", session_id: str = "s1") -> dict[str, Any]:
    """A session that lives: its process is this one."""
    return {
        **DOCUMENT["session"], "agent": agent, "session": f"{agent}/web", "session_id": session_id, "pid": os.getpid(),
        "host": lock.host(), "workspace_path": "/", "last_seen": "2099-01-01T00:00:00Z",
    }  # fmt: skip


def test_a_live_session_would_count(team: Team) -> None:
    """The session and the card that the next tests break do count while they are whole."""
    place(team.home / "registry/dev.d/s1.json", live_session())
    place(team.home / "registry/dev.json", {**DOCUMENT["registry-card"], "last_seen": "2001-01-01T00:00:00Z"})
    (row,) = [row for row in bus(team).roster() if row["name"] == "dev"]
    assert (row["state"], len(row["sessions"]), row["last_seen"]) == ("live", 1, "2099-01-01T00:00:00Z")


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_in_the_registry(team: Team, tmp_path: Path, kind: str) -> None:
    """A card or session that cannot be read counts as none, and does not keep the next session from being entered."""
    card, session = team.home / "registry/dev.json", team.home / "registry/dev.d/s1.json"
    session.parent.mkdir(parents=True)
    corpus.write(kind, card, DOCUMENT["registry-card"], tmp_path)
    corpus.write(kind, session, live_session(), tmp_path)
    with patience():
        (row,) = [row for row in bus(team).roster() if row["name"] == "dev"]
        assert (row["state"], row["sessions"], row["last_seen"]) == ("offline", [], None)
        sent = bus(team, "ops", "ops").send("dev", "note", {})
        assert "never seen" in sent["warnings"][0]
        doctor.examine(str(team.home))
        registry.register(str(team.home), "dev", "web", "s1", "/", os.getpid())
    (row,) = [row for row in bus(team).roster() if row["name"] == "dev"]
    assert (row["state"], len(row["sessions"])) == ("live", 1)


def test_the_registry_through_the_program(team: Team, tmp_path: Path) -> None:
    """Among broken cards and sessions of many agents all verbs work, and nobody is live but who is."""
    names = {f"a{number:03}": kind for number, kind in enumerate(corpus.KINDS)}
    team.map(rules=[{"pattern": f"~/{name}", "agent": name} for name in ("ops", "dev", *names)])
    faults = dict(corpus.wrong_fields(live_session(), schemas.load("session")))
    for name, kind in names.items():
        folder = team.home / f"registry/{name}.d"
        folder.mkdir(parents=True)
        corpus.write(kind, team.home / f"registry/{name}.json", {**DOCUMENT["registry-card"], "name": name}, tmp_path)
        corpus.write(kind, folder / "s1.json", live_session(name), tmp_path)
        place(folder / "s2.json", live_session("other", "s2"))
        place(folder / "not an id.json", live_session(name))
    for number, document in enumerate(faults.values()):
        place(team.home / f"registry/dev.d/f{number}.json", document)
    place(
        team.home / "registry/dev.d/good.json",
        {**live_session("dev", "good"), "workspace_path": str(team.root / "dev")},
    )
    rows = {row["name"]: row for row in team.json("ops", "bus")["agents"]}
    assert [name for name, row in rows.items() if row["sessions"] or row["state"] != "offline"] == ["dev"]
    assert [session["session_id"] for session in rows["dev"]["sessions"]] == ["good"]
    for verb in (["whoami"], ["bus"], ["send", "dev", "note"], ["inbox"], ["doctor"]):
        assert plain(team.run("ops", *verb)).returncode == 0 or verb == ["doctor"]


@pytest.mark.parametrize("kind", [*corpus.THINGS, "no JSON", "empty"])
def test_a_session_starts_beside_broken_entries(team: Team, tmp_path: Path, kind: str) -> None:
    """SessionStart announces the mail although card, entry, state and log are broken."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    (team.home / "registry/dev.d").mkdir(parents=True)
    corpus.write(kind, team.home / "registry/dev.json", DOCUMENT["registry-card"], tmp_path)
    corpus.write(kind, team.home / "registry/dev.d/s1.json", live_session(), tmp_path)
    corpus.write(kind, team.home / "state/s1.json", {"announced": []}, tmp_path)
    done = team.run("dev", "hook", "SessionStart", stdin='{"session_id":"s1"}')
    assert done.returncode == 0
    assert WORDS in done.stdout


@pytest.mark.parametrize("kind", [*corpus.THINGS, "no JSON", "empty"])
def test_a_hook_with_a_broken_log(team: Team, tmp_path: Path, kind: str) -> None:
    """A hook that fails and finds no place to say so still ends, and prints nothing."""
    (team.home / "AGENT_MAP.json").write_text("[")
    corpus.write(kind, team.home / "state/hook-errors.log", {"x": 1}, tmp_path)
    done = team.run("dev", "hook", "SessionStart", stdin="{}")
    assert (done.returncode, done.stdout) == (0, "")


# In the outbox


LINES = tuple(kind for kind in PLAIN if b"\n" not in corpus.text(kind, message(BAD)))


@pytest.mark.parametrize("kind", LINES)
def test_as_line_of_the_outbox(team: Team, kind: str) -> None:
    """A line that is no message is named with its number and passed over; the lines around it count."""
    thread_id, _ = conversation(team)
    (path,) = (team.home / "outbox").glob("*.jsonl")
    first = path.read_bytes()
    path.write_bytes(first + b"\n" + corpus.text(kind, message(BAD)) + b"\n" + corpus.compact(message(GOOD)) + b"\n")
    findings = [found for found in doctor.examine(str(team.home)) if found["code"] == "bad-outbox-line"]
    if corpus.text(kind, message(BAD)).strip():
        (found,) = findings
        assert f"Line 3 of {path}" in found["what"]
        assert "nor are these" not in found["what"]
    else:
        assert findings == []
    sent = bus(team, "ops", "ops").send("dev", "note", {"summary": "second"}, thread_id=thread_id)
    assert outbox.find(str(team.home), sent["id"]) is not None
    assert path.read_bytes().startswith(first)
    (team.home / "threads" / f"{thread_id}.json").unlink()
    list(doctor.repair(str(team.home)))
    assert len(bus(team).thread(thread_id)["messages"]) == 2
    assert tracing.trace(str(team.home), sent["id"])["state"] == "pending"


@pytest.mark.parametrize("kind", [kind for kind in LINES if corpus.text(kind, message(BAD)).strip()])
def test_as_torn_last_line_of_the_outbox(team: Team, kind: str) -> None:
    """A last line without its newline is tolerated; the next letter begins a line of its own and is whole."""
    conversation(team)
    (path,) = (team.home / "outbox").glob("*.jsonl")
    with path.open("ab") as file:
        file.write(corpus.text(kind, message(BAD)))
    assert [found for found in doctor.examine(str(team.home)) if "outbox" in found["code"]] == []
    sent = bus(team, "ops", "ops").send("dev", "note", {"summary": "second"})
    assert outbox.find(str(team.home), sent["id"]) is not None
    lines = path.read_bytes().split(b"\n")
    assert [len(lines), lines[1], lines[3]] == [4, corpus.text(kind, message(BAD)), b""]
    assert json.loads(lines[2])["id"] == sent["id"]


def test_outbox_lines_through_the_program(team: Team) -> None:
    """With the whole corpus in its outbox a bus sends, reads, answers and tells its story."""
    sent = team.ask("ops", "dev")
    path = next((team.home / "outbox").glob("*.jsonl"))
    with path.open("ab") as file:
        file.writelines(corpus.text(kind, message(BAD)) + b"\n" for kind in LINES)
        file.write(b"\n" + corpus.text("random bytes", {}))
    assert team.json("dev", "reply", sent["id"], "response")["thread_status"] == "completed"
    assert team.json("dev", "trace", sent["id"])["state"] == "replied"
    assert len(team.json("dev", "thread", sent["thread_id"])["messages"]) == 2
    findings = json.loads(team.run("dev", "doctor", "--json").stdout)["findings"]
    (found,) = [found for found in findings if found["code"] == "bad-outbox-line"]
    assert found["what"].startswith(f"Line {3 if LINES[0] == 'empty' else 2} of {path} is no message")
    plain(team.run("dev", "doctor"))


@pytest.mark.parametrize("kind", corpus.THINGS)
def test_as_file_of_the_outbox(team: Team, tmp_path: Path, kind: str) -> None:
    """Something else under the name of a day's outbox keeps nobody from sending and reading; the doctor names it."""
    sent = bus(team, "ops", "ops").send("dev", "note", {"summary": "x"})
    other = team.home / "outbox/2026-05-20.jsonl"
    corpus.write(kind, other, message(GOOD), tmp_path)
    if "sparse" in kind:  # a quarter shows as well who copies what is behind him with each step
        os.truncate(other, corpus.GIGABYTE // 4)
    place(box(team) / f"{GOOD}.json", message(GOOD))
    with patience():
        assert len(bus(team).inbox()) == 2
        assert bus(team, "ops", "ops").send("dev", "note", {})["id"]
        with contextlib.suppress(OSError):  # the story cannot be told where a part of it cannot be read
            assert tracing.trace(str(team.home), GOOD)["state"] == "pending"
        with contextlib.suppress(OSError):
            assert bus(team).thread(sent["thread_id"])["messages"][0]["summary"] == "x"
        findings = {found["path"] for found in doctor.examine(str(team.home))}
    # What has no newline is a torn last line, which is no fault; for root that is true of mode 000 too.
    assert str(other) in findings or "sparse" in kind or kind == "mode 000"
    done = plain(team.run("dev", "trace", GOOD))
    assert done.returncode == 0 or one_line(done, 73)


@pytest.mark.parametrize("kind", corpus.THINGS)
def test_as_todays_outbox(team: Team, tmp_path: Path, kind: str) -> None:
    """Where today's outbox cannot be written nothing is sent, and nothing is left that could be delivered."""
    path = Path(layout.outbox(str(team.home), ids.day_of(ids.new_message_id())))
    corpus.write(kind, path, message(GOOD), tmp_path)
    if stat.S_ISREG(os.lstat(path).st_mode):  # a plain file takes a line, whatever it holds
        return
    with patience(), pytest.raises(CannotWrite):
        bus(team, "ops", "ops").send("dev", "note", {})
    assert bus(team).inbox() == []
    assert os.listdir(team.home / "outbox/.spool") == []


# In the spool


@pytest.mark.parametrize("kind", corpus.TEXTS)
def test_in_the_spool(team: Team, kind: str) -> None:
    """What a killed command left and the outbox does not know is taken back, whatever it holds."""
    path = team.home / f"outbox/.spool/{BAD}.json"
    path.write_bytes(corpus.text(kind, message(BAD)))
    corpus.grow_old(path)
    assert "spool-left" in {found["code"] for found in doctor.examine(str(team.home))}
    assert path.exists()
    assert bus(team).inbox() == []
    assert not path.exists()
    assert list((team.home / "inboxes").rglob("msg-*")) == []
    assert list((team.home / "outbox").glob("*.jsonl")) == []


@pytest.mark.parametrize("kind", corpus.THINGS)
def test_things_in_the_spool(team: Team, tmp_path: Path, kind: str) -> None:
    """What nobody can have spooled delivers nothing and holds nobody up."""
    path = team.home / f"outbox/.spool/{BAD}.json"
    corpus.write(kind, path, message(BAD), tmp_path)
    corpus.grow_old(path)
    with patience():
        doctor.examine(str(team.home))
        assert bus(team).inbox() == []
        sent = bus(team, "ops", "ops").send("dev", "note", {})
        assert [letter["id"] for letter, _ in bus(team).inbox()] == [sent["id"]]
        list(doctor.repair(str(team.home)))
    assert [path.name for path in (team.home / "inboxes").rglob("msg-*")] == [f"{sent['id']}.json"]


@pytest.mark.parametrize("kind", ["empty", "cut at a half", "only NUL bytes", "another letter"])
def test_a_damaged_spool_file_of_a_sent_message(team: Team, kind: str) -> None:
    """A sent message is not lost when its spool file was damaged: it is delivered, or set aside and traced."""
    line = message(GOOD)
    place(team.home / f"outbox/{ids.day_of(GOOD)}.jsonl", line)
    path = team.home / f"outbox/.spool/{GOOD}.json"
    path.write_bytes(corpus.compact(message(BAD)) if kind == "another letter" else corpus.text(kind, line))
    corpus.grow_old(path)
    shown = [letter for letter, _ in bus(team).inbox()]
    assert shown in ([line], [])
    assert not path.exists()
    state = tracing.trace(str(team.home), GOOD)["state"]
    assert state == ("pending" if shown else "quarantined")
    assert shown or "quarantined" in {found["code"] for found in doctor.examine(str(team.home))}


# As attachment


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_as_attachment(team: Team, tmp_path: Path, kind: str) -> None:
    """An attachment whose bytes are not those that were sent is not taken out, and the letter says so."""
    content = {"content": "of the attachment"}
    place(team.root / "data.json", content)
    sent = bus(team, "ops", "ops").send("dev", "note", {}, attach=[str(team.root / "data.json")])
    (blob,) = (team.home / "attachments").iterdir()
    blob.unlink()
    corpus.write(kind, blob, content, tmp_path)
    target = tmp_path / "out"
    target.mkdir()
    with patience():
        with pytest.raises(InvalidAttachment, match="damaged"):
            bus(team).save(bus(team).find(sent["id"])[0], str(target))
        assert "blob-damaged" in {found["code"] for found in doctor.examine(str(team.home))}
    assert os.listdir(target) == []


@pytest.mark.parametrize(
    "kind", ["FIFO", "link to /dev/zero", "link to a valid file", "folder", "1 GB sparse", "empty"]
)
def test_as_attachment_of_the_program(team: Team, tmp_path: Path, kind: str) -> None:
    """`read --save` of a damaged attachment: exit status 4, one line, nothing saved, and the letter stays pending."""
    place(team.root / "data.json", {"a": 1})
    sent = team.ask("ops", "dev", "--attach", "../data.json")
    (blob,) = (team.home / "attachments").iterdir()
    blob.unlink()
    corpus.write(kind, blob, {"a": 1}, tmp_path)
    assert "data.json is damaged" in one_line(team.run("dev", "read", sent["id"], "--save", "out"), 4)
    assert not (team.root / "dev/out").exists() or os.listdir(team.root / "dev/out") == []
    assert team.json("dev", "inbox")["count"] == 1
    assert "damaged" in plain(team.run("dev", "read", sent["id"], "--peek")).stdout


@pytest.mark.parametrize("kind", corpus.THINGS)
def test_what_cannot_be_attached(team: Team, tmp_path: Path, kind: str) -> None:
    """Only plain files that can be read, of at most 10 MiB, travel; for anything else nothing is sent."""
    path = tmp_path / "thing"
    corpus.write(kind, path, {}, tmp_path)
    before = snapshot(team.home)
    if kind == "mode 000" and os.access(path, os.R_OK):
        return  # root may read what nobody may
    with patience(), pytest.raises(InvalidAttachment):
        bus(team, "ops", "ops").send("dev", "note", {}, attach=[str(path)])
    assert snapshot(team.home) == before


# As input


# A batch, below, meets all texts. What is not UTF-8 or has no field is no body either.
INPUTS = {
    "--payload": (*list(corpus.EARLY)[::2], *list(corpus.WRONG)[::3], *corpus.THINGS),
    "--body": ("UTF-16", "Latin-1", "random bytes", "array", "over 1 MiB", *corpus.THINGS),
}


@pytest.mark.parametrize("option", INPUTS)
def test_as_payload_and_body(team: Team, tmp_path: Path, option: str) -> None:
    """A payload or body that is none, in a file, is refused in one line, and nothing is written."""
    before = snapshot(team.home)
    for number, kind in enumerate(INPUTS[option]):
        path = tmp_path / f"input-{number}"
        corpus.write(kind, path, {"summary": "x"}, tmp_path)
        done = team.run("ops", "send", "dev", "note", option, f"@{path}")
        assert done.returncode in (4, 64), (kind, done.stderr)
        one_line(done, done.returncode)
    assert snapshot(team.home) == before


def test_as_payload_by_stdin(team: Team) -> None:
    """A payload that is none, by stdin or as an argument, is refused in one line, and nothing is written."""
    before = snapshot(team.home)
    for kind in list(corpus.WRONG)[1::3]:
        given = corpus.text(kind, {"summary": "x"})
        one_line(team.run("ops", "send", "dev", "note", "--payload", "-", stdin=given), 4)
    for kind in ("NaN", "duplicate key", "duplicate half of a pair", "33 levels", "array", "cut at a half", "no JSON"):
        given = corpus.text(kind, {"summary": "x"})
        one_line(team.run("ops", "send", "dev", "note", "--payload", given.decode()), 4)
    assert snapshot(team.home) == before


BATCH_FAULTS: dict[str, dict[str, Any]] = {
    f"{name} = {str(value)[:20]!r}": {"to": "dev", "intent": "note", "payload": {}, name: value}
    for name in ("to", "intent", "payload", "from", "to_slug", "type", "priority", "context_refs", "requires_response",
                 "response_by", "thread_id", "in_reply_to", "cc_of", "task_id", "budget_minutes", "escalate_after")
    for value in (True, 7, 1.5, "\n", "../../x", [5], ["\n"], {"a": 1}, "x" * 5000)
    if not (name == "payload" and isinstance(value, dict)) and not (name == "requires_response" and value is True)
    and not (name == "budget_minutes" and value == 7)
    and not (name == "task_id" and isinstance(value, str) and len(value) < 256)
    and not (name == "context_refs" and value == ["\n"])
}  # fmt: skip


def test_as_batch(team: Team) -> None:
    """Each bad line of a batch gets its error, the good ones between are sent, and the first error's status is left."""
    good = corpus.compact({"to": "dev", "intent": "note", "payload": {}})
    bad = [corpus.text(kind, {"to": "dev", "intent": "note", "payload": {}}) for kind in corpus.TEXTS]
    bad = [line for line in bad if b"\n" not in line and line.strip()]
    bad += [corpus.compact(document) for document in BATCH_FAULTS.values()]
    bad += [b'{"to":"dev"}', b'{"to":"dev","intent":"note","payload":{},"id":"x"}', b"{}"]
    lines = [line for each in bad for line in (each, good)]
    done = team.run("ops", "send", "--batch", "-", stdin=b"\n".join(lines))
    assert done.returncode == 4
    assert "Traceback" not in done.stdout + done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(lines), done.stderr
    accepted = [line[:200] for line, result in zip(bad, results[::2]) if "error" not in result]
    assert accepted == []
    assert [result["line"] for result in results[::2]] == list(range(1, len(lines), 2))
    assert all("id" in result for result in results[1::2])
    assert team.json("dev", "inbox")["count"] == len(bad)
    assert sum(path.read_bytes().count(b"\n") for path in (team.home / "outbox").glob("*.jsonl")) == len(bad)


# As hook input


@pytest.mark.parametrize("kind", corpus.TEXTS)
def test_as_hook_input(team: Team, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that is given no JSON prints nothing; JSON that is no object counts as an empty one."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    given = corpus.text(kind, {"session_id": "s1", "cwd": str(team.root / "dev"), "hook_event_name": "SessionStart"})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    environ = {"AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": "dev"}
    printed = dispatch.run("SessionStart", environ, str(team.root / "dev"))
    if kind in ("over 1 MiB", "empty", "array", "string", "number", "null", "true"):
        assert printed is None or WORDS in json.loads(printed)["hookSpecificOutput"]["additionalContext"]
    else:
        assert printed is None
        assert not (team.home / "registry/dev.d").exists()


WRONG_VALUES: tuple[Any, ...] = (None, True, 5, 1.5, "", "\n", "\0", "../../x", "x" * 5000, [], ["x"], {}, {"a": 1})


def test_hook_input_with_wrong_fields(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the fields of a hook's input hold, it raises nothing, and enters no session under a wrong id."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    environ = {"AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": "dev"}
    for event in ("SessionStart", "SessionEnd", "Nonsense", "", "../x"):
        for name in ("session_id", "cwd", "agent_id", "source", "hook_event_name", "transcript_path"):
            for value in WRONG_VALUES:
                given = json.dumps({"cwd": str(team.root / "dev"), name: value}).encode()
                monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
                printed = dispatch.run(event, environ, str(team.root / "dev"))
                assert printed is None or json.loads(printed)["hookSpecificOutput"]["hookEventName"] == event
    assert list((team.home / "registry").rglob("*.json")) == []


@pytest.mark.parametrize(
    "kind", ["no JSON", "UTF-16", "NaN", "100000 levels", "cut at a half", "duplicate half of a pair"]
)
def test_as_hook_input_of_the_program(team: Team, kind: str) -> None:
    """The program given such input exits 0 and prints nothing at all."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    given = corpus.text(kind, {"session_id": "s1", "cwd": str(team.root / "dev")})
    for event in ("SessionStart", "SessionEnd"):
        done = team.run("dev", "hook", event, stdin=given)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_hook_input_that_is_no_json_is_logged(team: Team) -> None:
    """Input that cannot be read is an error of the hook's own: it leaves a line in the log."""
    assert team.run("dev", "hook", "SessionStart", stdin="no JSON").stdout == ""
    assert len((team.home / "state/hook-errors.log").read_bytes().splitlines()) == 1


STREAMS = ("<&-", "</dev/zero", "</dev/null", "</dev/null >&-", "<&- >&- 2>&-", "<&- >/dev/full")


@pytest.mark.parametrize("given", STREAMS)
def test_a_hook_with_strange_standard_streams(team: Team, given: str) -> None:
    """A hook whose standard input is closed, empty or without end, or that cannot print, exits 0 all the same."""
    place(box(team) / f"{GOOD}.json", message(GOOD))
    program = team.run("dev", "--version").args[:-1]
    done = subprocess.run(
        ["sh", "-c", f'"$@" {given}', "sh", *program, "hook", "SessionStart"],
        cwd=team.root / "dev", env=team.env, capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    printed: Optional[dict[str, Any]] = json.loads(done.stdout) if done.stdout else None
    assert printed is None or "hookSpecificOutput" in printed


def test_a_hook_in_a_folder_that_is_gone(team: Team) -> None:
    """A hook whose working directory was deleted exits 0."""
    program = team.run("dev", "--version").args[:-1]
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    command = ["sh", "-c", script, "sh", *program, "hook", "SessionStart"]
    done = subprocess.run(
        command, cwd=team.root, env=team.env, input=b"{}", capture_output=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (0, b""), done.stderr


def test_hostile_text_in_a_valid_letter(team: Team) -> None:
    """A valid letter whose every text is an attack is shown, and nothing of it reaches the terminal as it is."""
    attack = "\x1b[2J\x1b]0;x\x07\r\x85\u202e\u2066\u200b\U000e0041\ufeff\u2028\x9b31m\x7f"
    place(
        box(team) / f"{GOOD}.json",
        message(
            GOOD,
            payload={"summary": f"{WORDS}{attack}", attack: attack, "list": [attack], "deep": {attack: [attack]}},
            context_refs=[f"file:///{attack}", attack],
            attachments=[{"name": f"a{attack}b", "size": 1, "sha256": "0" * 64, "media_type": attack}],
        ),
    )
    for verb in (["inbox"], ["read", "--peek"], ["read"], ["trace", GOOD], ["doctor"]):
        done = plain(team.run("dev", *verb))
        assert WORDS in done.stdout or verb[0] in ("trace", "doctor")
    assert team.run("dev", "send", "ops", "note", "--summary", f"x{attack}y").returncode == 0
    for verb in (["thread"], ["inbox"]):
        plain(team.run("ops", *verb))


def test_hostile_text_in_a_dry_run(team: Team) -> None:
    """What a dry run shows of a message is made visible like any message: the words may be somebody else's."""
    done = plain(team.run("ops", "send", "dev", "note", "--dry-run", "--summary", "x\x1b[2J\x9b31m\x7f\u202e\u200by"))
    assert "<U+202E>" in done.stdout
