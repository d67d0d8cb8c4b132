"""What is kept of deadlines is derived: nothing is lost with it, nothing is believed of it, and little is looked at."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.mail import due
from conftest import Team
from support.cli import ORDINARY, PATIENCE, ROOT
from support.late import DAY, PAST, in_hours, late, line, listed, log, note, owe
from support.sessions import Session


def look(team: Team) -> set[str]:
    """The ids that are watched after a look; it is kept."""
    watch = due.Watch(str(team.home))
    watch.look()
    watch.keep()
    return set(watch.open)


def kept(team: Team) -> dict[str, Any]:
    """The note."""
    document: dict[str, Any] = json.loads(note(team).read_bytes())
    return document


# ---- It may be lost or be anything --------------------------------------------------------------

OPEN = {
    "from": "ops", "to": "dev", "thread_id": "thread-20260520-abc123", "intent": "note", "ts": PAST, "summary": "x",
    "response_by": PAST, "escalate_after": None, "budget_minutes": None,
}  # fmt: skip
MESSAGE = "msg-20260520T091812Z-x7q3abcd"
ODD: list[Any] = [None, [], {}, "x"]
SHAPES: list[Any] = [
    *ODD, 5, {"days": {}}, {"open": {}}, {"days": [], "open": {}}, {"days": {}, "open": []},
    {"days": {"today": 5}, "open": {}}, {"days": {"2026-05-20": "5"}, "open": {}},
    {"days": {"2026-05-20": -1}, "open": {}}, {"days": {"2026-05-20": True}, "open": {}},
    {"days": {"2026-05-20": 5.5}, "open": {}}, {"days": {}, "open": {"../x": OPEN}},
    *({"days": {}, "open": {MESSAGE: each}} for each in ODD),
    *(
        {"days": {}, "open": {MESSAGE: {**OPEN, name: value}}}
        for name, value in (
            ("from", "../x"), ("to", None), ("thread_id", "../../x"), ("intent", 5), ("ts", None), ("summary", ["x"]),
            ("response_by", "tomorrow"), ("response_by", 5), ("escalate_after", {}), ("budget_minutes", "90"),
            ("budget_minutes", True), ("budget_minutes", -1),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("shape", [b"", b"{", b"\0" * 99, b"[" * 9999, *(json.dumps(each).encode() for each in SHAPES)])
def test_a_note_of_another_shape(shape: bytes, team: Team) -> None:
    """Whatever lies in the place of the note, all is learned anew, and the note is whole again."""
    message_id = owe(team, "--response-by", PAST)
    assert listed(team, "dev") == {message_id: ["response_by"]}
    good = kept(team)
    note(team).write_bytes(shape)
    assert listed(team, "dev") == {message_id: ["response_by"]}
    assert kept(team) == good


@pytest.mark.parametrize("kind", ["gone", "folder", "link", "fifo"])
def test_no_note(kind: str, team: Team) -> None:
    """Without a file of its own all is learned anew each time, and nothing outside is written."""
    message_id = owe(team, "--response-by", PAST)
    assert late(team, "dev")[0] == [message_id]
    note(team).unlink()
    outside = team.root / "outside"
    outside.write_text("{}")
    if kind == "folder":
        note(team).mkdir()
    elif kind == "link":
        note(team).symlink_to(outside)
    elif kind == "fifo":
        os.mkfifo(note(team))
    assert late(team, "dev")[0] == [message_id]
    assert late(team, "ops")[1] == [message_id]
    assert outside.read_text() == "{}"


def test_a_disk_that_takes_no_note(team: Team) -> None:
    """Where the note cannot be written the list is the same."""
    message_id = owe(team, "--response-by", PAST)
    (team.home / "state").chmod(0o500)
    assert late(team, "dev")[0] == [message_id]
    (team.home / "state").chmod(0o700)
    assert "Overdue" in Session(team).start()
    assert note(team).stat().st_mode & 0o777 == 0o600


def test_a_note_of_yesterday(team: Team) -> None:
    """An older note is brought up to date: what came since is found, what was answered since is not listed."""
    first = owe(team, "--response-by", PAST)
    look(team)
    before = note(team).read_bytes()
    second = owe(team, "--response-by", PAST)
    team.json("dev", "reply", first, "response", "--summary", "x")
    assert late(team, "dev")[0] == [second]
    note(team).write_bytes(before)
    assert late(team, "dev")[0] == [second]


def test_what_is_done_is_watched_no_more(team: Team) -> None:
    """The note keeps what is open: neither what has no deadline, nor what was answered after it."""
    owe(team)
    message_id = owe(team, "--response-by", PAST)
    assert look(team) == {message_id}
    team.json("dev", "reply", message_id, "decline", "--summary", "x")
    assert late(team, "ops") == ([], [])
    assert kept(team)["open"] == {}


# ---- What is looked at --------------------------------------------------------------------------


def test_only_what_is_new_is_read(team: Team) -> None:
    """Nothing that was looked at is looked at again, and a second look changes nothing."""
    message = line(1)
    path = log(team, message)
    assert look(team) == {message["id"]}
    path.write_text(path.read_text().replace(message["id"], line(2)["id"]))
    before = note(team).stat()
    assert look(team) == {message["id"]}
    assert note(team).stat().st_ino == before.st_ino
    log(team, line(3))
    assert look(team) == {message["id"], line(3)["id"]}


def test_what_the_start_of_a_session_costs(team: Team) -> None:
    """Where nothing is new a session opens no outbox file, takes no lock for it, and reads no thread."""
    old = [line(number, age=number * DAY, response_by=None) for number in range(1, 50)]
    for message in old:
        log(team, message)
    given = json.dumps({"session_id": "s-1"}).encode()
    hook = [sys.executable, "-I", "-S", str(ROOT / "scripts/agent_team_os/hooks/__main__.py"), "SessionStart"]
    trace = ["strace", "-f", "-qq", "-e", "trace=file", "-o", str(team.root / "trace"), *hook]
    for _ in range(2):
        subprocess.run(
            trace, cwd=team.root / "dev", env=team.env, input=given, check=True, capture_output=True, timeout=PATIENCE
        )
    calls = (team.root / "trace").read_text().splitlines()
    days = [call for call in calls if ".jsonl" in call]
    assert len(days) == len(old)
    assert not [call for call in days if "open" in call.split("(")[0]]
    assert not [call for call in calls if "/threads/" in call]
    assert len([call for call in calls if "outbox.due" in call]) == 1


def test_a_file_that_shrank(team: Team) -> None:
    """An outbox that is shorter than it was is looked at anew, and what is in it no more is forgotten."""
    path = log(team, line(1), line(2), line(3))
    assert len(look(team)) == 3
    text = path.read_text().splitlines(keepends=True)
    path.write_text(text[0])
    assert look(team) == {line(1)["id"]}
    path.write_text(text[2].replace("number", "no."))
    assert look(team) == {line(3)["id"]}
    path.write_text("")
    assert look(team) == set()
    log(team, line(4))
    assert look(team) == {line(4)["id"]}


def test_a_file_that_is_another(team: Team) -> None:
    """Where a line does not end where one did the file is looked at anew."""
    path = log(team, line(1))
    look(team)
    path.write_text("")
    log(team, line(2, payload={"summary": "longer than the other one was"}))
    assert look(team) == {line(2)["id"]}


def test_a_day_that_is_gone(team: Team) -> None:
    """A day without a file has no messages."""
    path = log(team, line(1, age=2 * DAY))
    log(team, line(2))
    assert len(look(team)) == 2
    path.unlink()
    assert look(team) == {line(2)["id"]}
    assert len(kept(team)["days"]) == 1


def test_growing_old(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 60 days a message is forgotten with its day."""
    log(team, line(1, age=50 * DAY))
    assert len(look(team)) == 1
    in_hours(monkeypatch, 12 * 24)
    assert look(team) == set()
    assert kept(team)["days"] == {}


def test_a_line_that_is_not_whole(team: Team) -> None:
    """A line counts when its end is there, and the next one behind it too; one that is no message is left out."""
    text = json.dumps(line(1), separators=(",", ":"))
    path = log(team, line(2))
    with path.open("a") as file:
        file.write(text[:50])
    assert look(team) == {line(2)["id"]}
    with path.open("a") as file:
        file.write(text[50:])
    assert look(team) == {line(2)["id"]}
    with path.open("a") as file:
        file.write('\n{"response_by":"\n\n')
    log(team, line(3))
    assert look(team) == {line(1)["id"], line(2)["id"], line(3)["id"]}


def test_long_lines(team: Team) -> None:
    """A message is found wherever the pieces end in which a file is read, behind lines of any length too."""
    found = set()
    for number in range(40):
        message = line(number, payload={"summary": "x" * (number * 3001)})
        log(team, line(100 + number, response_by=None), message)
        found.add(message["id"])
    path = log(team, line(200))
    with path.open("a") as file:
        file.write("x" * (9 << 20) + "\n")
    log(team, line(201))
    assert look(team) == {*found, line(200)["id"], line(201)["id"]}
    assert kept(team)["days"] == {path.stem: path.stat().st_size}


@pytest.mark.parametrize("kind", ["folder", "link", "fifo", "other names"])
def test_what_is_no_outbox_file(kind: str, team: Team) -> None:
    """What only has the name of a day's file, or nearly, is passed over."""
    path = log(team, line(1, age=DAY))
    log(team, line(2))
    if kind == "other names":
        for name in ("x.jsonl", "2999-01-01.jsonl.bak", "2999-1-1.jsonl", "999.jsonl"):
            path.rename(path.with_name(name))
            path = path.with_name(name)
    else:
        path.rename(path.with_name("aside"))
        make: Any = {"folder": Path.mkdir, "fifo": os.mkfifo, "link": lambda name: name.symlink_to("aside")}[kind]
        make(path)
    assert look(team) == {line(2)["id"]}
    assert look(team) == {line(2)["id"]}


def test_a_line_that_is_taken_back(team: Team) -> None:
    """What its sender can still take back is not looked at yet; taken back, it was never there."""
    log(team, line(1))
    with log(team, line(2)).open("rb+") as sender:
        fcntl.flock(sender, fcntl.LOCK_EX)
        assert look(team) == set()
        sender.seek(0)
        first = sender.readline()
        sender.truncate(len(first))
    log(team, line(3))
    assert look(team) == {line(1)["id"], line(3)["id"]}


def test_many_at_once(team: Team) -> None:
    """Sessions that start and agents that ask while mail comes in leave a note that knows it all."""
    program = [*ORDINARY, sys.executable, "-I", "-S", str(ROOT / "scripts/agent_team_os/__main__.py")]
    asking = [
        subprocess.Popen([*program, "overdue"], cwd=team.root / "dev", env=team.env, stdout=subprocess.DEVNULL)
        for _ in range(4)
    ]
    sent = [owe(team, "--response-by", PAST) for _ in range(4)]
    for process in asking:
        assert process.wait(PATIENCE) == 0
    assert set(late(team, "dev")[0]) == set(sent)
    assert set(kept(team)["open"]) == set(sent)
