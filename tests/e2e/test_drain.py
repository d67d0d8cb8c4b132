"""Drain: where it is on, a turn does not end while mail is unhandled; but the person can always leave."""

from __future__ import annotations

import json
import re

from e2e.office import Office
from support.model import Model, Turn

BLOCK = "Stop hook feedback:"


def drain(office: Office, **settings: object) -> None:
    """Turn drain on for all agents."""
    office.map(drain={"enabled": True, **settings})


def blocks(model: Model) -> list[str]:
    """What the model was told each time it was not let go."""
    return [request.newest for request in model.asked("dev") if BLOCK in request.newest]


def test_it_blocks_with_the_list_and_relents(office: Office, model: Model) -> None:
    """Each block lists what is unhandled and how to handle it, until it has blocked as often as it may."""
    drain(office, max_blocks=2)
    high = office.send("ops", "dev", "Login loops", "--priority", "high")
    low = office.send("ops", "dev", "A typo")
    done = office.headless("dev", "Good morning")
    first, second = blocks(model)
    for number, text in enumerate((first, second), 1):
        assert f"2 messages are unhandled (block {number} of 2)." in text
        assert f'Read each: "{office.helper}" read ID.' in text
        assert f"| high note from ops, just now: Login loops ({high})\n" in text
        assert text.index(high) < text.index(low)
    assert len(model.asked("dev")) == 3
    assert len(office.pending("dev")) == 2
    office.headless("dev", "And now?", "--resume", done.session)
    assert len(blocks(model)) == 2  # the same mail: its blocks are used up, and a new prompt brings no new ones
    new = office.send("ops", "dev", "Another", "--priority", "urgent")
    office.headless("dev", "And now?", "--resume", done.session)
    assert len(blocks(model)) == 4
    assert "3 messages are unhandled (block 1 of 2)." in blocks(model)[2]
    memory = json.loads((office.home / f"state/{done.session}.json").read_bytes())
    assert memory["blocked"][1] == 2
    assert memory["announced"] == sorted([high, low, new])


def test_a_turn_that_handles_its_mail_ends(office: Office, model: Model) -> None:
    """The model does what the block says, without a question: it reads, and where an answer is owed it answers."""
    drain(office, scope="owed")
    message_id = office.send("ops", "dev", "Login loops", "--requires-response")
    end = message_id[-8:]
    reply = office.call("reply", end, "response", body="summary: Mended in 3f2a9c1")
    model.say("Nothing to do.", office.call("read", end), "Read.", reply, "Answered.", key="dev")
    done = office.headless("dev", "Good morning")
    first, second = blocks(model)
    assert f"({message_id})" in first
    assert f"({message_id})" in second
    assert done.text == "Answered."
    assert done.document["permission_denials"] == []
    assert office.archived("dev") == [message_id]
    (answer,) = office.pending("ops")
    assert answer["in_reply_to"] == message_id


def test_it_counts_from_a_priority(office: Office, model: Model) -> None:
    """What is less pressing than the least that counts lets the turn end, and a message of that priority does not."""
    drain(office, min_priority="high", max_blocks=1)
    office.send("ops", "dev", "A typo")
    office.headless("dev", "Good morning")
    assert blocks(model) == []
    high = office.send("ops", "dev", "Login loops", "--priority", "high")
    office.headless("dev", "Good morning")
    (text,) = blocks(model)
    assert high in text
    assert "A typo" not in text
    assert len(office.pending("dev")) == 2


def test_it_is_silent_when_off(office: Office, model: Model) -> None:
    """Off is how it is at first; off for an agent goes before on for all."""
    office.send("ops", "dev", "Login loops", "--priority", "urgent")
    office.headless("dev", "Good morning")
    drain(office)
    office.ato("dev", "drain", "off")
    office.headless("dev", "Good evening")
    assert office.map()["agents"]["dev"]["drain"]["enabled"] is False
    assert len(model.asked("dev")) == 2
    assert blocks(model) == []


def test_a_subagent_ends_when_it_is_done(office: Office, model: Model) -> None:
    """Only the session itself is kept from ending: what it delegates is not, and is not told of the mail."""
    drain(office, max_blocks=1)
    message_id = office.send("ops", "dev", "Login loops")
    task = {"description": "look", "prompt": "LOOK AROUND", "subagent_type": "general-purpose"}
    model.when(lambda request: "LOOK AROUND" in request.newest and "Delegate" not in request.text, "Looked.", 1)
    model.say(Turn(tools=(("Agent", task),)), key="dev")
    done = office.headless("dev", "Delegate", "--allowedTools", "Agent")
    below = [request for request in model.asked("dev") if "Delegate" not in request.text]
    assert len(below) == 1
    assert message_id not in below[0].text
    assert len(blocks(model)) == 1
    memory = json.loads((office.home / f"state/{done.session}.json").read_bytes())
    assert memory["blocked"][1] == 1


def test_the_person_can_always_leave(office: Office, model: Model) -> None:
    """Esc ends a turn that was just kept from ending, /exit the session, with the mail as it was."""
    drain(office)
    message_id = office.send("ops", "dev", "Login loops")
    model.when(BLOCK, Turn("Never.", delay=60))
    terminal = office.terminal("dev")
    terminal.submit("Good morning")
    model.wait_for(BLOCK, "dev")
    terminal.wait_for("esc to interrupt")
    terminal.key("Escape")
    office.idle(terminal)
    assert len(blocks(model)) == 1
    assert message_id in blocks(model)[0]
    terminal.wait_for(re.compile(r"^❯", re.MULTILINE))
    terminal.key("C-u")
    terminal.submit("/exit")
    terminal.wait_end()
    assert [message["id"] for message in office.pending("dev")] == [message_id]
    assert office.sessions("dev") == []
