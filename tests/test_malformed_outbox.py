"""Any bytes in the outbox: what is no message is named and passed over, and sending goes on."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path

import pytest

from agent_team_os.mail import doctor, outbox, tracing
from agent_team_os.protocol import home as layout
from agent_team_os.protocol import ids
from agent_team_os.protocol.errors import CannotWrite
from conftest import Team
from support import corpus
from support.broken import BAD, GOOD, PLAIN, box, bus, conversation, message, one_line, patience, place, plain

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
