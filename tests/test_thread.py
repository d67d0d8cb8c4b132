"""thread: one conversation, or the recent ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conftest import Team
from support.cli import ROOT

THREAD = json.loads((ROOT / "schemas/thread.schema.json").read_bytes())


def file_of(team: Team, thread_id: str) -> Path:
    """Where a thread is stored."""
    return team.home / "threads" / f"{thread_id}.json"


def a_conversation(team: Team) -> dict[str, Any]:
    """A bug fix that dev has taken on, as its first message's result."""
    sent: dict[str, Any] = team.json("ops", "send", "dev", "bug-fix", "--summary", "Loops", "--field", "project=web")
    team.json("dev", "reply", sent["id"], "accept", "--field", "text=on it\nnow")
    return sent


def dated(team: Team, count: int, **fields: Any) -> list[str]:
    """Threads without messages as files, each changed a second before the last; their ids, the newest first."""
    made = []
    for number in range(count):
        thread_id = f"thread-20260520-{number:06d}"
        document = {"id": thread_id, "subject": "x", "participants": [], "messages": [], "status": "open", **fields}
        path = file_of(team, thread_id)
        path.write_text(json.dumps(document))
        os.utime(path, (1_000_000 - number, 1_000_000 - number))
        made.append(thread_id)
    return made


def test_one_thread(team: Team) -> None:
    """`thread ID --json` is the stored thread, and each entry has the summary of its message."""
    sent = a_conversation(team)
    shown = team.json("dev", "thread", sent["thread_id"])
    jsonschema.validate(shown, THREAD)
    assert set(shown) == {"id", "subject", "participants", "messages", "status", "opened", "closed"}
    assert (shown["id"], shown["subject"], shown["status"]) == (sent["thread_id"], "Loops", "accepted")
    assert shown["participants"] == ["dev", "ops"]
    assert [set(entry) for entry in shown["messages"]] == [{"id", "from", "to", "type", "intent", "ts", "summary"}] * 2
    assert [entry["summary"] for entry in shown["messages"]] == ["Loops", "on it"]
    assert [entry["type"] for entry in shown["messages"]] == ["request", "accept"]
    first = shown["messages"][0]
    assert (first["id"], first["from"], first["to"], first["intent"]) == (sent["id"], "ops", "dev", "bug-fix")
    assert (shown["opened"], shown["closed"]) == (first["ts"], None)
    stored = json.loads(file_of(team, sent["thread_id"]).read_bytes())
    for entry in shown["messages"]:
        del entry["summary"]
    assert stored == shown


def test_by_part_of_the_id(team: Team) -> None:
    """A thread may be named by a unique prefix, or by the beginning of its last part."""
    sent = team.ask("ops", "dev")
    for cut in (slice(None, -1), slice(-6, None), slice(-6, -2)):
        assert team.json("dev", "thread", sent["thread_id"][cut])["id"] == sent["thread_id"]


@pytest.mark.parametrize("given", ["nonsense", "../../AGENT_MAP", "thread-20260520-zzzzzz", "/", "thread-\u202e"])
def test_a_thread_that_is_none(given: str, team: Team) -> None:
    """What names no thread is refused, pointing to the list."""
    error = team.refused(1, "unknown-thread", "dev", "thread", given)
    assert "ato thread" in error["hint"]


def test_a_prefix_of_several(team: Team) -> None:
    """A prefix of several threads names them instead of choosing one."""
    made = dated(team, 2)
    error = team.refused(1, "unknown-thread", "dev", "thread", "thread-2026")
    assert "fits 2 threads" in error["message"]
    assert all(thread_id in error["message"] for thread_id in made)


def test_the_recent_ones(team: Team) -> None:
    """`thread` lists the conversations changed last, the newest first, twenty at most."""
    made = dated(team, 22)
    shown = team.json("dev", "thread")
    assert set(shown) == {"threads"}
    assert [thread["id"] for thread in shown["threads"]] == made[:20]
    sent = team.ask("ops", "dev")
    assert [thread["id"] for thread in team.json("dev", "thread")["threads"]] == [sent["thread_id"], *made[:19]]
    for thread in shown["threads"]:
        jsonschema.validate(thread, THREAD)


@pytest.mark.parametrize("status", ["open", "accepted", "completed", "declined"])
def test_by_status(status: str, team: Team) -> None:
    """`--status` lists only the threads with it, however many others are newer."""
    dated(team, 25, status="accepted" if status == "open" else "open")
    old = file_of(team, "thread-20250101-aaaaaa")
    old.write_text(file_of(team, "thread-20260520-000000").read_text().replace("thread-20260520-000000", old.stem))
    document = json.loads(old.read_text())
    old.write_text(json.dumps({**document, "status": status}))
    os.utime(old, (1, 1))
    assert [thread["id"] for thread in team.json("dev", "thread", "--status", status)["threads"]] == [old.stem]


def test_a_status_that_is_none(team: Team) -> None:
    """A status the protocol does not know is a misuse."""
    team.refused(64, "usage", "dev", "thread", "--status", "closed")


def test_no_threads_yet(team: Team) -> None:
    """An empty list is no error, and says how to begin."""
    assert team.json("dev", "thread") == {"threads": []}
    assert "ato send" in team.run("dev", "thread").stdout


def test_a_damaged_thread(team: Team) -> None:
    """A thread file that is damaged is named with the command that mends it, and hides no other thread."""
    sent = team.ask("ops", "dev")
    (damaged,) = dated(team, 1)
    for text in ("", "{", "[]", "{}", '{"id": 1}'):
        file_of(team, damaged).write_text(text)
        error = team.refused(4, "invalid-message", "dev", "thread", damaged)
        assert "ato doctor --repair" in error["hint"]
    assert [thread["id"] for thread in team.json("dev", "thread")["threads"]] == [sent["thread_id"]]


def test_a_damaged_thread_grows_again(team: Team) -> None:
    """The next message of a damaged thread rebuilds it from the outbox, and the damaged file is kept aside."""
    sent = a_conversation(team)
    path = file_of(team, sent["thread_id"])
    path.write_text("damage")
    team.json("dev", "reply", sent["id"], "response")
    thread = team.json("dev", "thread", sent["thread_id"])
    assert [entry["type"] for entry in thread["messages"]] == ["request", "accept", "response"]
    assert thread["status"] == "completed"
    assert (path.parent / ".quarantine" / path.name).read_text() == "damage"


def test_an_entry_without_its_message(team: Team) -> None:
    """An entry whose message the outbox does not have, as version 1 left some, is shown without a summary."""
    entry = {"id": "msg-20260520T091812Z-aaaaaaaa", "from": "ops", "to": "dev", "type": "request"}
    entry["ts"] = "2026-05-20T09:18:12Z"
    (thread_id,) = dated(team, 1, messages=[entry])
    assert team.json("dev", "thread", thread_id)["messages"] == [entry]
    assert "ops → dev" in team.run("dev", "thread", thread_id).stdout


def test_for_anybody(team: Team) -> None:
    """A folder of nobody's may look at threads: reading them needs no identity."""
    sent = team.ask("ops", "dev")
    (team.root / "other").mkdir()
    assert team.json("other", "thread", sent["thread_id"])["id"] == sent["thread_id"]


def test_what_a_person_reads(team: Team) -> None:
    """The text names subject, people, status and each message, and ends with the answer that is owed."""
    sent = a_conversation(team)
    last = team.json("dev", "thread", sent["thread_id"])["messages"][-1]["id"]
    text = team.run("ops", "thread", sent["thread_id"]).stdout.splitlines()
    assert text[0].startswith("Loops  dev, ops  accepted since ")
    assert text[1] == sent["thread_id"]
    assert ("ops → dev" in text[2], text[2].endswith("  Loops")) == (True, True)
    assert ("dev → ops" in text[3], text[3].endswith("  on it")) == (True, True)
    assert text[4] == f"Answer: ato reply {last[-8:]} response"
    listed = team.run("ops", "thread").stdout.splitlines()
    assert listed[0].startswith(f"{sent['thread_id']}  accepted")
    assert listed[-1] == f"Show one: ato thread {sent['thread_id'][-6:]}"
