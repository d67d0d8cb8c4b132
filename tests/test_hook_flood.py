"""Whatever number of bad files others put into the home, one hook deals with a few of them and shows all good mail."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_team_os.mail import due, known, owed, registry
from conftest import Team
from support.sessions import Session, put

MANY = 450
MOST = 200


def junk(folder: Path, name: Callable[[int], str], text: str = "[]") -> None:
    """Fill a folder with MANY files that are nothing; as if they had lain there for a while."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(MANY):
        (folder / name(number)).write_text(text)


def message_name(number: int) -> str:
    """The name of a message, older than every real one."""
    return f"msg-20200101T000000Z-{number:08d}.json"


def aside(team: Team) -> int:
    """How many files of dev's inbox were set aside."""
    folder = team.home / "inboxes/dev/.quarantine"
    return len([path for path in folder.glob("msg-*") if not path.name.endswith(".why.json")])


@pytest.mark.parametrize("event", ["start", "prompt", "stop"])
def test_bad_files_in_an_inbox(team: Team, event: str) -> None:
    """One hook sets aside 200 bad files at most and shows the good message among them; the next ones do the rest."""
    if event == "stop":
        assert team.run("dev", "drain", "on").returncode == 0
    box = team.home / "inboxes/dev"
    junk(box, message_name)
    sent = put(team, 1)
    session = Session(team)

    def ask() -> str:
        said = {"start": session.start, "prompt": session.prompt, "stop": session.stop}[event]()
        return said if isinstance(said, str) else json.dumps(said)

    said = ask()
    assert "1 pending" in said or "1 message is unhandled" in said
    assert sent in said or event == "prompt"
    assert aside(team) == MOST
    later = put(team, 2)
    ask()
    assert aside(team) == 2 * MOST
    assert later in known.pending(str(team.home), "dev", [str(box)])
    assert aside(team) == MANY
    assert {path.name for path in box.glob("msg-*")} == {f"{sent}.json", f"{later}.json"}


def test_what_is_left_is_not_opened_again(team: Team) -> None:
    """A bad file that waits for its turn is remembered as that, until it had its turn."""
    junk(team.home / "inboxes/dev", message_name)
    session = Session(team)
    for left in (MANY - MOST, MANY - 2 * MOST, 0):
        session.prompt()
        note = team.home / "state/@dev.json"
        kinds = list(json.loads(note.read_bytes()).values()) if note.exists() else []
        assert kinds.count("bad") == left


def test_a_list_in_a_slash_command(team: Team) -> None:
    """`/inbox` sets aside as many, and lists the good message; a command sets aside the rest."""
    junk(team.home / "inboxes/dev", message_name)
    sent = put(team, 1)
    asked = {"command_name": "agent-team-os:inbox", "command_source": "plugin", "command_args": ""}
    assert sent in json.dumps(Session(team).fire("UserPromptExpansion", **asked))
    assert aside(team) == MOST
    assert [one["id"] for one in team.json("dev", "inbox")["pending"]] == [sent]
    assert aside(team) == MANY


def test_leftovers_of_sends(team: Team) -> None:
    """One hook finishes 200 leftovers at most, commands all; folders that cannot be removed keep no other from it."""
    spool = team.home / "outbox/.spool"
    junk(spool, message_name, "")
    session = Session(team)
    session.prompt()
    assert len(list(spool.iterdir())) == MANY - MOST
    assert team.run("dev", "inbox").returncode == 0
    assert list(spool.iterdir()) == []
    for number in range(MANY):
        (spool / message_name(number)).mkdir()
    left = spool / "msg-20200101T000001Z-aaaaaaaa.json"
    left.touch()
    for _ in range(40):
        if not left.exists():
            break
        session.prompt()
    assert not left.exists()


def test_entries_of_sessions(team: Team) -> None:
    """Of very many entries of sessions those written last are read, and few that are old are removed at once."""
    session = Session(team)
    session.start()
    folder = team.home / "registry/dev.d"
    junk(folder, lambda number: f"x-{number}.json")
    for path in folder.glob("x-*"):
        os.utime(path, (1, 1))
    os.utime(session.entry)
    assert [one["session_id"] for one in registry.sessions(str(team.home), "dev")] == ["s-1"]
    before = len(list(folder.iterdir()))
    registry.forget(str(team.home))
    assert len(list(folder.iterdir())) == before - MOST
    assert session.entry.exists()


def test_new_lines_of_the_outbox(team: Team) -> None:
    """A look learns so many bytes of the outbox at most, and later ones the rest."""
    for _ in range(3):
        team.ask("ops", "dev", "--response-by", "2020-01-01T00:00:00Z")
    watch = due.Watch(str(team.home))
    watch.look(most=1_000)
    found = len(watch.open)
    assert found < 3
    for _ in range(5):
        watch.look(most=1_000)
    assert len(watch.open) == 3


def test_requests_that_are_owed(team: Team) -> None:
    """Of very many requests that were read and not answered, the threads of a few are read."""
    sent = team.ask("ops", "dev", "--requires-response")
    message = team.stored(sent)
    archive = team.home / "inboxes/dev/.read"
    archive.mkdir(exist_ok=True)
    day = time.strftime("msg-%Y%m%dT%H%M%SZ", time.gmtime())
    for number in range(MANY):
        one = {**message, "id": f"{day}-{number:08d}"}
        (archive / f"{one['id']}.json").write_text(json.dumps(one))
    assert len(owed.requests(str(team.home), "dev", "dev")) == owed.MOST == MOST
