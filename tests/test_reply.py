"""reply: an answer goes to the sender, in the same thread, and archives what it answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from conftest import Team, tree

# The status a thread has, by the type of each message that went into it one after the other.
STORIES = [
    (["accept"], "accepted"),
    (["response"], "completed"),
    (["confirm"], "completed"),
    (["decline"], "declined"),
    (["question"], "open"),
    (["event"], "open"),
    (["accept", "event"], "accepted"),
    (["accept", "response"], "completed"),
    (["response", "event"], "open"),
    (["decline", "question"], "open"),
    (["decline", "accept"], "accepted"),
    (["response", "confirm"], "completed"),
]


def archive_of(sent: dict[str, Any]) -> Path:
    """Where a message lies once it was read."""
    path = Path(sent["path"])
    return path.parent / ".read" / path.name


def test_the_answer(team: Team) -> None:
    """A reply goes to the sender with thread and intent of the original, which is archived byte for byte."""
    sent = team.json("ops", "send", "dev", "bug-fix", "--summary", "Loops", "--field", "project=web")
    original = Path(sent["path"]).read_bytes()
    answer = team.json("dev", "reply", sent["id"], "response", "--summary", "Done")
    assert set(answer) == {"id", "thread_id", "to", "session", "path", "cc", "warnings", "thread_status"}
    assert (answer["to"], answer["session"], answer["thread_id"]) == ("ops", None, sent["thread_id"])
    assert answer["thread_status"] == "completed"
    stored = team.stored(answer)
    assert (stored["from"], stored["to"], stored["type"], stored["intent"]) == ("dev", "ops", "response", "bug-fix")
    assert (stored["in_reply_to"], stored["payload"]) == (sent["id"], {"summary": "Done"})
    assert not Path(sent["path"]).exists()
    assert archive_of(sent).read_bytes() == original
    assert [message["id"] for message in team.json("ops", "inbox")["pending"]] == [answer["id"]]


def test_every_option(team: Team) -> None:
    """A reply takes the same options as a send."""
    sent = team.ask("ops", "dev")
    (team.root / "dev/a.txt").write_text("a")
    answer = team.json(
        "dev", "reply", sent["id"], "accept", "--body", "-", "--payload", '{"a": 1}', "--field", "b=2",
        "--summary", "s", "--priority", "low", "--ref", "wiki://x", "--attach", "a.txt", "--requires-response",
        "--response-by", "2026-05-23T18:00:00Z", stdin="eta: Thursday\n\ntext",
    )  # fmt: skip
    stored = team.stored(answer)
    assert stored["payload"] == {"summary": "s", "a": 1, "eta": "Thursday", "text": "text", "b": "2"}
    assert (stored["priority"], stored["context_refs"], stored["requires_response"]) == ("low", ["wiki://x"], True)
    assert (stored["response_by"], stored["attachments"][0]["size"]) == ("2026-05-23T18:00:00Z", 1)


def test_what_a_person_reads(team: Team) -> None:
    """The line says to whom, and what the answer made of the thread."""
    sent = team.ask("ops", "dev")
    text = team.run("dev", "reply", sent["id"], "response").stdout
    assert text.startswith("Replied msg-")
    assert text.endswith(f" to ops ({sent['thread_id']}, completed).\n")


@pytest.mark.parametrize(("kinds", "status"), STORIES, ids=["-".join(kinds) for kinds, _ in STORIES])
def test_the_status_of_the_thread(kinds: list[str], status: str, team: Team) -> None:
    """Accept takes on, response and confirm complete, decline declines, and anything later reopens a closed thread."""
    sent = team.ask("ops", "dev")
    said = ""
    for kind in kinds:
        said = team.json("dev", "reply", sent["id"], kind, "--field", "question=?")["thread_status"]
    thread = json.loads((team.home / "threads" / f"{sent['thread_id']}.json").read_bytes())
    assert said == thread["status"] == status
    last = thread["messages"][-1]["ts"]
    assert thread["closed"] == (last if status in ("completed", "declined") else None)


def test_by_part_of_the_id(team: Team) -> None:
    """The original may be named by a prefix of its id, or by the beginning of its last part."""
    for cut in (slice(None, -1), slice(-8, None), slice(-8, -4)):
        sent = team.ask("ops", "dev")
        assert team.stored(team.json("dev", "reply", sent["id"][cut], "response"))["in_reply_to"] == sent["id"]


def test_a_message_that_was_read(team: Team) -> None:
    """A message that was read can still be answered, more than once, and stays where it is."""
    sent = team.ask("ops", "dev")
    team.json("dev", "read")
    for kind in ("accept", "response"):
        team.json("dev", "reply", sent["id"], kind)
    assert archive_of(sent).exists()
    assert len(team.json("ops", "inbox")["pending"]) == 2


def test_to_the_bare_sender(team: Team) -> None:
    """A reply goes to the sender's agent, whichever session wrote and whichever was written to."""
    sent = team.json("ops", "send", "dev/web", "question", "--field", "question=?", AGENT_TEAM_OS_SESSION="ops/hub")
    answer = team.json("dev", "reply", sent["id"], "response", AGENT_TEAM_OS_SESSION="dev/web")
    stored = team.stored(answer)
    assert (answer["to"], answer["session"], stored["delivery"]) == ("ops", None, "agent")
    assert "to_slug" not in stored
    assert archive_of(sent).parent == team.home / "inboxes/dev/@web/.read"
    assert archive_of(sent).exists()


def test_from_another_session(team: Team) -> None:
    """Any session of the agent may answer the mail of another one."""
    sent = team.ask("ops", "dev/web")
    team.json("dev", "reply", sent["id"], "response", AGENT_TEAM_OS_SESSION="dev/api")
    assert archive_of(sent).exists()


def test_dry_run_archives_nothing(team: Team) -> None:
    """`--dry-run` shows the answer and leaves everything as it is."""
    sent = team.ask("ops", "dev")
    before = tree(team.root)
    shown = team.json("dev", "reply", sent["id"], "decline", "--summary", "no", "--dry-run")
    assert (shown["dry_run"], shown["in_reply_to"], shown["to"]) == (True, sent["id"], "ops")
    assert tree(team.root) == before


@pytest.mark.parametrize(
    "rules",
    [
        {"routing": {"blocked_pairs": [["ops", "dev"]]}},
        {"routing_rules": {"dev": {"deny": ["ops"], "reason": "client data stays inside"}}},
    ],
)
def test_replies_obey_routing(rules: dict[str, Any], team: Team) -> None:
    """Who may not write to the sender may not answer either, and the original stays pending."""
    sent = team.ask("ops", "dev")
    team.map(**rules)
    error = team.refused(2, "routing-denied", "dev", "reply", sent["id"], "response")
    assert error["message"].startswith("dev may not write to ops")
    assert Path(sent["path"]).exists()


def test_routing_of_replies_has_a_direction(team: Team) -> None:
    """Who may not be written to may still answer."""
    sent = team.ask("ops", "dev")
    team.map(routing_rules={"ops": {"deny": ["dev"]}})
    team.json("dev", "reply", sent["id"], "response")


def test_a_sender_who_left(team: Team) -> None:
    """A sender the map no longer knows cannot be answered, and the original stays pending."""
    sent = team.ask("ops", "dev")
    team.map(rules=[{"pattern": "~/dev", "agent": "dev"}], agents={"dev": {}})
    error = team.refused(1, "unknown-agent", "dev", "reply", sent["id"], "response")
    assert "ops has not joined yet" in error["message"]


def test_a_message_that_is_none(team: Team) -> None:
    """What names no message, one of somebody else's, or several, is refused; a near one is offered."""
    sent = team.ask("ops", "dev")
    team.ask("ops", "dev")
    end = sent["id"][-8:]
    for given in ("nonsense", "../../x", "", "msg-20260520T091812Z-aaaaaaaa", "msg-"):
        team.refused(1, "unknown-message", "dev", "reply", given, "response")
    error = team.refused(1, "unknown-message", "dev", "reply", end[:6] + "__", "response")
    assert f"Did you mean {sent['id']}?" in error["message"]
    error = team.refused(1, "unknown-message", "dev", "reply", "msg-", "response")
    assert "fits 2 messages" in error["message"]
    assert sent["id"] in error["message"]
    team.refused(1, "unknown-message", "ops", "reply", sent["id"], "response")


def test_a_type_that_is_none(team: Team) -> None:
    """The type of an answer is one of the protocol's, or the command is misused."""
    sent = team.ask("ops", "dev")
    team.refused(64, "usage", "dev", "reply", sent["id"], "answer")
    team.refused(64, "usage", "dev", "reply", sent["id"])


def test_without_the_thread(team: Team) -> None:
    """A thread file that is lost does not keep a message from being answered."""
    sent = team.ask("ops", "dev")
    shutil.rmtree(team.home / "threads")
    answer = team.json("dev", "reply", sent["id"], "response")
    assert answer["thread_id"] == sent["thread_id"]
    assert archive_of(sent).exists()


def test_asking_back(team: Team) -> None:
    """An answer, also one that asks, need not repeat what its intent requires of the first message."""
    sent = team.json("ops", "send", "dev", "bug-fix", "--summary", "Loops", "--field", "project=web")
    back = team.json("dev", "reply", sent["id"], "question", "--field", "question=Which browser?")
    assert team.stored(back)["intent"] == "bug-fix"
    assert back["thread_status"] == "open"
