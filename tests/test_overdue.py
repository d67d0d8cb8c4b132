"""`ato overdue`: which answers are late, which work ran past its budget, and whose it is."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from agent_team_os.protocol import show
from agent_team_os.protocol.message import TYPES
from conftest import Team
from support.late import DAY, FUTURE, PAST, in_hours, late, line, listed, log, owe
from support.state import outbox

ANSWERS = ("response", "confirm", "decline", "question")
FIELDS = ("--summary", "So be it", "--field", "project=web", "--field", "question=Which?")


def answer(team: Team, message_id: str, kind: str, agent: str = "dev") -> None:
    """Answer a message, whatever the kind of answer needs."""
    team.json(agent, "reply", message_id, kind, *FIELDS)


# ---- Answers ------------------------------------------------------------------------------------


def test_what_an_item_says(team: Team) -> None:
    """Who owes an answer and who waits for it see the message with its times, which of them passed, and when."""
    by, after = "2020-01-02T10:00:00+02:00", "2020-01-01T10:00:00Z"
    sent = team.ask("ops", "dev", "--response-by", by, "--escalate-after", after, "--budget-minutes", "90")
    item = {
        "id": sent["id"], "thread_id": sent["thread_id"], "from": "ops", "to": "dev", "intent": "question",
        "summary": "Which branch?", "response_by": by, "escalate_after": after, "budget_minutes": 90,
        "why": ["escalate_after", "response_by"], "since": after,
    }  # fmt: skip
    assert team.json("dev", "overdue") == {"agent": "dev", "owed_by_me": [item], "owed_to_me": []}
    assert team.json("ops", "overdue") == {"agent": "ops", "owed_by_me": [], "owed_to_me": [item]}


def test_in_time_and_without_a_time(team: Team) -> None:
    """A message without a deadline is never late, nor is one whose deadline lies ahead; others see nothing of it."""
    team.join("lead")
    owe(team)
    owe(team, "--requires-response")
    owe(team, "--response-by", FUTURE, "--escalate-after", FUTURE)
    assert late(team, "dev") == late(team, "ops") == ([], [])
    message_id = owe(team, "--response-by", PAST)
    assert late(team, "dev") == ([message_id], [])
    assert late(team, "ops") == ([], [message_id])
    assert late(team, "lead") == ([], [])


@pytest.mark.parametrize("kind", sorted({*TYPES} - {"cc-notify"}))
def test_what_is_an_answer(kind: str, team: Team) -> None:
    """A response, confirm, decline or question of the recipient is an answer; an accept only promises one."""
    message_id = owe(team, "--response-by", PAST, "--escalate-after", PAST)
    answer(team, message_id, kind)
    assert late(team, "dev")[0] == ([] if kind in ANSWERS else [message_id])
    assert late(team, "ops")[1] == ([] if kind in ANSWERS else [message_id])


def test_answered_after_it_was_listed(team: Team) -> None:
    """An answer that comes too late ends it, and so does one to one of two messages in a thread."""
    first = team.ask("ops", "dev", "--response-by", PAST)
    assert late(team, "dev")[0] == [first["id"]]
    answer(team, first["id"], "response")
    assert late(team, "dev")[0] == []
    second = owe(team, "--response-by", PAST, "--thread", first["thread_id"])
    assert late(team, "dev")[0] == [second]
    assert late(team, "ops")[1] == [second]


def test_only_the_recipient_answers(team: Team) -> None:
    """What the sender writes behind its own message answers nothing."""
    sent = team.ask("ops", "dev", "--response-by", PAST)
    team.json("ops", "send", "dev", "note", "--summary", "x", "--type", "response", "--thread", sent["thread_id"])
    assert late(team, "dev")[0] == [sent["id"]]


def test_a_copy_is_never_late(team: Team) -> None:
    """A message that tells of another one has no deadline, whatever is written in it."""
    about = {"to": "dev", "intent": "note", "payload": {"summary": "x"}, "response_by": PAST}
    copies: list[dict[str, Any]] = [
        {**about, "type": "cc-notify"},
        {**about, "cc_of": owe(team)},
    ]
    team.run("ops", "send", "--batch", "-", stdin="".join(json.dumps(one) + "\n" for one in copies))
    assert len(outbox(team.home)) == 3
    assert late(team, "dev") == late(team, "ops") == ([], [])


def test_mail_for_one_session(team: Team) -> None:
    """What one session was asked is owed by its agent."""
    message_id = owe(team, "--response-by", PAST, to="dev/web")
    assert late(team, "dev")[0] == [message_id]


def test_the_longest_first(team: Team) -> None:
    """What is late longest stands first, by the instants and not by how they are written."""
    times = ("2020-01-01T12:00:00Z", "2020-01-01T12:00:00+03:00", "2020-01-01T11:00:00Z")
    sent = [owe(team, "--response-by", at) for at in times]
    assert late(team, "dev")[0] == [sent[1], sent[2], sent[0]]


# ---- Where the thread does not say --------------------------------------------------------------


@pytest.mark.parametrize("content", [None, "", "{", '{"id":"thread-20260520-abc123"}'])
def test_a_thread_that_cannot_be_read(content: str | None, team: Team) -> None:
    """Without its thread file the outbox says what was answered."""
    answered, owed = (team.ask("ops", "dev", "--response-by", PAST) for _ in range(2))
    answer(team, answered["id"], "response")
    for sent in (answered, owed):
        path = team.home / f"threads/{sent['thread_id']}.json"
        path.unlink() if content is None else path.write_text(content)
    assert late(team, "dev")[0] == [owed["id"]]


def test_a_message_of_version_1(team: Team) -> None:
    """A line of the outbox with nothing but required fields and a deadline counts; its answer ends it."""
    message = line(1)
    log(team, message)
    assert late(team, "dev")[0] == [message["id"]]
    reply = line(2, type="response", thread_id=message["thread_id"], response_by=None, sender="dev", to="ops")
    log(team, reply)
    assert late(team, "dev") == late(team, "ops") == ([], [])


@pytest.mark.parametrize("stamp", ["2020-02-30T00:00:00Z", "2020-01-01T25:00:00Z"])
def test_a_time_that_is_none(stamp: str, team: Team) -> None:
    """A deadline no calendar knows is none, and hides no other."""
    real = line(2)
    log(team, line(1, response_by=stamp), line(3, ts=stamp, response_by=None, budget_minutes=1), real)
    assert late(team, "dev")[0] == [real["id"]]


# ---- Budgets ------------------------------------------------------------------------------------


def test_a_budget_counts_from_when_it_was_read(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that nobody has begun is in its budget; read, it is late for both sides when the budget is over."""
    message_id = owe(team, "--budget-minutes", "90")
    in_hours(monkeypatch, 24)
    assert listed(team, "dev") == {}
    monkeypatch.undo()
    team.json("dev", "read", message_id)
    in_hours(monkeypatch, 1.4)
    assert listed(team, "dev") == {}
    in_hours(monkeypatch, 0.2)
    assert listed(team, "dev") == listed(team, "ops") == {message_id: ["budget"]}


def test_the_time_of_reading_is_that_of_the_move(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of an archived message may be as old as it likes: it was read when it was archived."""
    message_id = owe(team, "--budget-minutes", "90")
    team.json("dev", "read", message_id)
    os.utime(team.home / f"inboxes/dev/.read/{message_id}.json", (0, 0))
    in_hours(monkeypatch, 1.4)
    assert listed(team, "dev") == {}


def test_a_message_that_was_set_aside_was_not_read(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in quarantine nobody has begun."""
    message_id = owe(team, "--budget-minutes", "90")
    aside = team.home / "inboxes/dev/.quarantine"
    aside.mkdir()
    (team.home / f"inboxes/dev/{message_id}.json").rename(aside / f"{message_id}.json")
    in_hours(monkeypatch, 24)
    assert listed(team, "dev") == {}


def test_a_budget_counts_from_the_accept(team: Team) -> None:
    """Whoever accepts begins then, and not when the message was read."""
    message = line(1, age=10 * 3600, response_by=None, budget_minutes=120)
    about = {"thread_id": message["thread_id"], "response_by": None, "sender": "dev", "to": "ops"}
    log(team, message)
    (team.home / f"inboxes/dev/{message['id']}.json").write_text(json.dumps(message))
    team.json("dev", "read", message["id"])
    assert listed(team, "dev") == {}
    accept = line(2, age=3 * 3600, type="accept", **about)
    log(team, accept, line(3, age=1800, type="accept", **about))
    assert listed(team, "dev") == listed(team, "ops") == {message["id"]: ["budget"]}
    (item,) = team.json("dev", "overdue")["owed_by_me"]
    assert item["since"] == show.timestamp((show.seconds_of(accept["ts"]) or 0) + 2 * 3600)


@pytest.mark.parametrize("kind", ["accept", *ANSWERS, "event"])
def test_what_ends_a_budget(kind: str, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response, confirm or decline ends the work; a question answers, and the work goes on."""
    message_id = owe(team, "--budget-minutes", "90", "--response-by", PAST)
    answer(team, message_id, kind)
    in_hours(monkeypatch, 2)
    why = {"accept": ["response_by", "budget"], "event": ["response_by", "budget"], "question": ["budget"]}.get(kind)
    assert listed(team, "dev") == listed(team, "ops") == ({message_id: why} if why else {})


@pytest.mark.parametrize(("days", "owed"), [(0, True), (59.9, True), (61.1, False), (400, False)])
def test_how_old(days: float, owed: bool, team: Team) -> None:
    """What was sent more than 60 days ago is nobody's deadline any more."""
    message = line(1, age=days * DAY)
    log(team, message)
    assert late(team, "dev")[0] == ([message["id"]] if owed else [])


# ---- The command --------------------------------------------------------------------------------


def test_in_a_folder_of_nobody_s(team: Team) -> None:
    """Nobody owes nothing: an anonymous workspace is refused as by other verbs, with a home and without."""
    (team.root / "web").mkdir()
    team.refused(1, "anonymous", "web", "overdue")
    team.refused(1, "anonymous", "web", "overdue", AGENT_TEAM_OS_HOME=str(team.root / "none"))


def run(team: Team, agent: str, **env: str) -> list[str]:
    """The lines `ato overdue` prints."""
    done: subprocess.CompletedProcess[str] = team.run(agent, "overdue", **env)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_what_a_person_reads(team: Team) -> None:
    """Each side reads who, what, why with the date and how long ago, the id, and the next command."""
    assert run(team, "dev") == ["dev  nothing is overdue"]
    sent = team.ask("ops", "dev", "--response-by", PAST, "--escalate-after", "2020-01-02T00:00:00Z")
    theirs, mine = run(team, "ops", TZ="UTC"), run(team, "dev", TZ="UTC")
    assert mine[:3] == ["dev  owes 1, is owed 0", "Owed by dev", "  question from ops: Which branch?"]
    assert theirs[:3] == ["ops  owes 0, is owed 1", "Owed to ops", "  question to dev: Which branch?"]
    assert mine[3].startswith(f"          {sent['id']}  answer was due Wed 1 Jan 2020 00:00, ")
    assert mine[3].endswith(" days ago; was to be escalated Thu 2 Jan 2020 00:00")
    assert mine[4:] == [f"          Next: ato reply {sent['id'][-8:]} response"]
    assert theirs[4:] == [f"          Next: ato thread {sent['thread_id'][-6:]}"]
    message = line(1, age=3 * 3600 + 60, response_by=None, budget_minutes=120)
    reply = line(2, age=3 * 3600, type="accept", thread_id=message["thread_id"], sender="dev", to="ops")
    log(team, message, {**reply, "response_by": None})
    (words,) = [each for each in run(team, "dev") if message["id"] in each]
    assert "  ran past its budget of 120 min " in words
    assert words.endswith(", 1 h ago")


def test_what_a_model_reads(team: Team) -> None:
    """What the sender wrote stands in a frame, on one line, with nothing in it that drives a terminal."""
    team.ask("ops", "dev", "--response-by", PAST, question="Which?\x1b[2J\u202e <system>")
    first, sentence, *framed = run(team, "dev", CLAUDECODE="1")
    assert first == "dev  owes 1, is owed 0"
    mark = sentence.split("lines marked ")[1][:6]
    assert len(framed) == 4
    assert all(words.startswith(f"{mark}| ") for words in framed)
    assert framed[1].endswith(": Which?<U+001B>[2J<U+202E> <U+003C>system>")
