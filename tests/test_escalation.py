"""`escalate_after` has passed without an answer: the hub is told, by whoever comes first."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest

from agent_team_os.storage import lock
from conftest import Team
from support import copied
from support.late import DAY, FUTURE, LATE, PAST, escalations, late, line, log, owe, told, with_hub
from support.sessions import Session


@pytest.fixture
def bus(team: Team) -> Team:
    """A bus on which lead is the hub of all."""
    return with_hub(team)


# ---- What is sent, and to whom ------------------------------------------------------------------


def test_what_the_hub_is_told(bus: Team) -> None:
    """The hub gets a copy that says who owes whom what since when, and it wants no answer."""
    sent = bus.ask("ops", "dev", *LATE, "--priority", "high", "--response-by", FUTURE)
    assert late(bus, "dev")[0] == [sent["id"]]
    (copy,) = copied.waiting(bus, "lead")
    assert (copy["from"], copy["type"], copy["intent"], copy["priority"]) == ("ops", "cc-notify", "cc-notify", "low")
    assert (copy["cc_of"], copy["thread_id"]) == (sent["id"], sent["thread_id"])
    assert (copy["requires_response"], copy["response_by"], copy["context_refs"]) == (False, None, [])
    assert copy["payload"] == {
        "from": "ops", "to": "dev", "type": "question", "intent": "question", "priority": "high",
        "summary": "Which branch?", "escalated": PAST,
    }  # fmt: skip
    assert told(bus) == ["lead"]
    assert late(bus, "lead") == ([], [])
    assert "1 copy for your information" in Session(bus, folder="lead").start()


HUBS: list[tuple[str, dict[str, Any], Optional[str]]] = [
    ("nobody is one", {}, None),
    ("of all", {"cc_awareness": {"hub": "lead"}}, "lead"),
    ("of all, copies off", {"cc_awareness": {"hub": "lead", "enabled": False}}, "lead"),
    ("of the domain", {"domains": {"side": {"hub": "lead"}}, "cc_awareness": {"hub": "ops"}}, "lead"),
    ("of the sender's domain", {"domains": {"work": {"hub": "lead"}}}, None),
    ("of a domain without one", {"domains": {"side": {}}, "cc_awareness": {"hub": "lead"}}, "lead"),
    ("is the sender", {"cc_awareness": {"hub": "ops"}}, None),
    ("is the recipient", {"domains": {"side": {"hub": "dev"}}, "cc_awareness": {"hub": "lead"}}, None),
    ("is no agent", {"cc_awareness": {"hub": "growth"}}, None),
    ("denied", {"cc_awareness": {"hub": "lead"}, "routing_rules": {"ops": {"deny": ["lead"]}}}, None),
    ("blocked", {"cc_awareness": {"hub": "lead"}, "routing": {"blocked_pairs": [["lead", "ops"]]}}, None),
    ("denied to another", {"cc_awareness": {"hub": "lead"}, "routing_rules": {"dev": {"deny": ["lead"]}}}, "lead"),
]


@pytest.mark.parametrize(("keys", "hub"), [case[1:] for case in HUBS], ids=[case[0] for case in HUBS])
def test_which_hub(keys: dict[str, Any], hub: Optional[str], team: Team) -> None:
    """The hub of the recipient's domain is told, else that of all; none that is sender, recipient, nobody or denied."""
    team.join("lead")
    domains = {"ops": {"domain": "work"}, "dev": {"domain": "side"}, "lead": {}}
    message = line(1, escalate_after=PAST)
    log(team, message)
    (team.home / f"inboxes/dev/{message['id']}.json").write_text(json.dumps(message))
    team.map(agents=domains, **keys)
    assert late(team, "dev")[0] == [message["id"]]
    assert [copy["to"] for copy in escalations(team)] == ([hub] if hub else [])
    assert [message["cc_of"] for message in copied.waiting(team, "lead")] == ([message["id"]] if hub else [])


def test_a_hub_that_comes_later(bus: Team) -> None:
    """Where there was no hub the next one the map names is told."""
    bus.map(cc_awareness={})
    owe(bus, *LATE)
    late(bus, "dev")
    bus.map(cc_awareness={"hub": "lead"})
    late(bus, "dev")
    assert told(bus) == ["lead"]


def test_not_yet_and_not_any_more(bus: Team) -> None:
    """Nobody is told before the time, of a message without it, after an answer, or of one older than 60 days."""
    owe(bus, "--escalate-after", FUTURE, "--response-by", PAST)
    answered = owe(bus, *LATE)
    bus.json("dev", "reply", answered, "question", "--summary", "Which one?")
    kept = owe(bus, *LATE, "--budget-minutes", "90")
    bus.json("dev", "reply", kept, "question", "--summary", "Which one?")
    old = line(1, age=61 * DAY, escalate_after=PAST)
    late(bus, "dev")
    assert told(bus) == []
    log(bus, old)
    late(bus, "dev")
    assert escalations(bus) == []


def test_an_accept_is_no_answer(bus: Team) -> None:
    """What was only promised is escalated all the same, and its thread stays as it is."""
    sent = bus.ask("ops", "dev", *LATE)
    bus.json("dev", "reply", sent["id"], "accept", "--summary", "On it")
    late(bus, "dev")
    assert told(bus) == ["lead"]
    thread = bus.json("ops", "thread", sent["thread_id"])
    assert (thread["status"], len(thread["messages"])) == ("accepted", 2)


def test_beside_the_copy_between_domains(team: Team) -> None:
    """The copy that every message between two domains makes is no word that its answer is missing."""
    team.map(agents=copied.AGENTS, domains=copied.DOMAINS)
    sent = copied.ask(team, "secure", "dev", *LATE)
    assert len(sent["cc"]) == 2
    for _ in range(2):
        copied.run(team, "dev", "overdue")
    assert told(team) == ["lead"]


# ---- Who does it --------------------------------------------------------------------------------


def test_the_start_of_any_session(bus: Team) -> None:
    """The hook of an agent that has nothing to do with it tells the hub, once, after what it says."""
    owe(bus, *LATE)
    bus.join("growth")
    for agent in ("growth", "dev", "ops"):
        text = Session(bus, folder=agent).start()
        assert "Inbox: " in text
    assert told(bus) == ["lead"]
    assert not (bus.home / "state/hook-errors.log").exists()


def test_a_hook_in_trouble_is_silent(bus: Team) -> None:
    """Where the copy cannot be sent the session starts as ever, no error is left, and the next look sends it."""
    owe(bus, *LATE)
    box = bus.home / "inboxes/lead"
    box.rename(bus.home / "aside")
    box.write_text("no folder")
    assert "Overdue: you owe 1 answer" in Session(bus).start()
    with lock.guard(str(bus.home), "@due"):
        Session(bus).start()
    assert not (bus.home / "state/hook-errors.log").exists()
    done = bus.run("dev", "overdue")
    assert (done.returncode, done.stderr.startswith("a hub could not be told: ")) == (0, True)
    assert "owes 1" in done.stdout
    assert escalations(bus) == []
    box.unlink()
    (bus.home / "aside").rename(box)
    Session(bus).start()
    assert told(bus) == ["lead"]


def test_a_halted_bus(bus: Team) -> None:
    """While the bus is halted nobody is told; afterwards the next one tells."""
    owe(bus, *LATE)
    (bus.home / "HALT.json").write_text('{"at":"2020-01-01T00:00:00Z","by":"ops","reason":"Stop"}')
    late(bus, "dev")
    Session(bus).start()
    assert escalations(bus) == []
    (bus.home / "HALT.json").unlink()
    late(bus, "dev")
    assert told(bus) == ["lead"]
