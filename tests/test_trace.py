"""trace: where a message is, told from what lies on the disk."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.storage import journal
from conftest import Team, tree

GONE = "msg-20260520T091812Z-aaaaaaaa"


def states(team: Team, message_id: str, agent: str = "dev") -> tuple[str, list[str]]:
    """The state of a message and what its events are, the shape of all of it checked."""
    found = team.json(agent, "trace", message_id)
    assert set(found) == {"id", "state", "events"}
    assert found["id"] == message_id
    for event in found["events"]:
        assert set(event) == {"what", "at", "path"}
        assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}Z", event["at"])
        assert Path(event["path"]).exists()
    return found["state"], [event["what"] for event in found["events"]]


def test_pending_read_replied(team: Team) -> None:
    """A message is pending, then read, then replied, and each step is an event with its file."""
    sent = team.ask("ops", "dev/web")
    pending = ["sent by ops to dev/web", "pending in the inbox of dev"]
    assert states(team, sent["id"]) == ("pending", pending)
    team.json("dev", "read", sent["id"])
    assert states(team, sent["id"], "ops") == ("read", [pending[0], "read in the inbox of dev"])
    answer = team.json("dev", "reply", sent["id"], "accept")
    state, events = states(team, sent["id"], "ops")
    assert (state, events[2:]) == ("replied", [f"answered by dev with accept {answer['id']}"])
    assert states(team, answer["id"])[0] == "pending"


def test_pending_and_replied(team: Team) -> None:
    """An event's path leads to the file it is told from."""
    sent = team.ask("ops", "dev")
    found: dict[str, Any] = team.json("dev", "trace", sent["id"])
    (log,) = (team.home / "outbox").glob("*.jsonl")
    assert [event["path"] for event in found["events"]] == [str(log), sent["path"]]
    assert found["events"][0]["at"] == team.stored(sent)["ts"]


def test_spooled(team: Team) -> None:
    """A send that has not finished is spooled: its file is there and somebody holds it."""
    path = team.home / "outbox/.spool" / f"{GONE}.json"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert states(team, GONE) == ("spooled", ["spooled"])
    finally:
        os.close(descriptor)


def test_quarantined(team: Team) -> None:
    """A file that is no message and was set aside is quarantined."""
    (team.home / "inboxes/dev" / f"{GONE}.json").write_text('{"id": 1}')
    assert states(team, GONE)[0] == "pending"
    team.json("dev", "inbox")
    assert states(team, GONE) == ("quarantined", ["quarantined in the inbox of dev"])


def test_gone(team: Team) -> None:
    """A message only the outbox still knows is gone."""
    sent = team.ask("ops", "dev")
    shutil.rmtree(team.home / "inboxes/dev")
    assert states(team, sent["id"]) == ("gone", ["sent by ops to dev"])


def test_archive_of_version_1(team: Team) -> None:
    """A message that a 1.x program archived in `.done/` was read."""
    sent = team.ask("ops", "dev")
    done = team.home / "inboxes/dev/.done"
    done.mkdir()
    os.rename(sent["path"], done / f"{sent['id']}.json")
    assert states(team, sent["id"])[0] == "read"


def test_by_part_of_the_id(team: Team) -> None:
    """A message may be named by a unique prefix or by the beginning of its last part, also one that is gone."""
    sent = team.ask("ops", "dev")
    for cut in (slice(None, -1), slice(-8, None), slice(-8, -4)):
        assert team.json("ops", "trace", sent["id"][cut])["id"] == sent["id"]
    os.unlink(sent["path"])
    assert team.json("ops", "trace", sent["id"][-8:])["state"] == "gone"


@pytest.mark.parametrize("given", ["nonsense", GONE, "..", "../../AGENT_MAP.json", "*", "", "msg-2\n"])
def test_a_message_that_is_none(given: str, team: Team) -> None:
    """What names no message of anybody is refused."""
    team.ask("ops", "dev")
    team.refused(1, "unknown-message", "dev", "trace", given)


def test_a_prefix_of_several(team: Team) -> None:
    """A prefix of several messages names them instead of choosing one."""
    sent = [team.ask("ops", "dev")["id"], team.ask("dev", "ops")["id"]]
    error = team.refused(1, "unknown-message", "dev", "trace", "msg-2")
    assert "fits 2 messages" in error["message"]
    assert all(message_id in error["message"] for message_id in sent)


def test_for_anybody_without_a_trace(team: Team) -> None:
    """Looking needs no identity and leaves nothing behind."""
    sent = team.ask("ops", "dev")
    (team.root / "other").mkdir()
    before = tree(team.root)
    assert team.json("other", "trace", sent["id"])["state"] == "pending"
    text = team.run("other", "trace", sent["id"]).stdout
    assert text.splitlines()[0] == f"{sent['id']}  pending"
    assert f"~/.agent-team-os/inboxes/dev/{sent['id']}.json" in text
    assert tree(team.root) == before


def test_a_line_that_was_cut_off(team: Team) -> None:
    """A line of the audit log that ends early is no sent message, and hides none."""
    sent = team.ask("ops", "dev")
    (log,) = (team.home / "outbox").glob("*.jsonl")
    line = log.read_bytes()
    cut = json.dumps({**team.stored(sent), "id": sent["id"][:-1] + "_"})
    log.write_bytes(line + line[:80] + b"\n" + cut.encode()[:-3])
    assert states(team, sent["id"])[0] == "pending"


def test_an_answer_of_another_day_and_thread(team: Team) -> None:
    """An answer is found wherever it was written, also by a client that keeps no threads."""
    sent = team.ask("ops", "dev")
    message = team.stored(sent)
    answer = {
        **message, "id": "msg-20990101T000000Z-aaaaaaaa", "thread_id": "thread-20990101-aaaaaa",
        "from": "dev", "to": "ops", "type": "response", "in_reply_to": sent["id"],
    }  # fmt: skip
    (team.home / "outbox/2099-01-01.jsonl").write_text(json.dumps(answer, separators=(",", ":")) + "\n")
    for given in (sent["id"], sent["id"][-8:]):
        assert team.json("dev", "trace", given)["state"] == "replied"


def test_something_else_in_the_place_of_a_day(team: Team) -> None:
    """A folder or a link with the name of an outbox file hides nothing else and keeps no file open."""
    sent = team.ask("ops", "dev")
    (team.home / "outbox/2020-01-01.jsonl").mkdir()
    (team.home / "outbox/2020-01-02.jsonl").symlink_to("2020-01-02.jsonl")
    assert team.json("dev", "trace", sent["id"][-8:-2])["state"] == "pending"
    assert [thread["id"] for thread in team.json("dev", "thread")["threads"]] == [sent["thread_id"]]
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert list(journal.lines(str(team.home / "outbox/2020-01-01.jsonl"))) == []
    assert len(os.listdir("/proc/self/fd")) == before
