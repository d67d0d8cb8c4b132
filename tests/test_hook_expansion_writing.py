"""UserPromptExpansion of /send, /reply and /handoff: the facts a model needs before it writes, and nothing is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import Team, tree
from support import foreign
from support.cli import ROOT
from support.desk import Desk, framed

INTENTS = sorted(path.name.partition(".")[0] for path in (ROOT / "schemas/intents").glob("*.json"))


@pytest.fixture
def dev(team: Team) -> Desk:
    """A session of dev."""
    return Desk(team, "dev")


def refused(page: str) -> str:
    """The one framed line of a page that says a command did not work."""
    assert page.startswith("This did not work.")
    (line,) = framed(page)
    return line


@pytest.mark.parametrize(
    "line", ["/send", "/send ops", "/send ops bug-fix Login loops", "/handoff ops", "/reply {id} accept"]
)
def test_nothing_is_sent(line: str, dev: Desk) -> None:
    """Whatever is typed, the hook itself sends, reads and archives nothing."""
    message_id = dev.put(1)
    before = {name: entry for name, entry in tree(dev.team.root).items() if "/state" not in name}
    page = dev.command(line.format(id=message_id))
    assert page.startswith("You write as dev/dev.")
    assert {name: entry for name, entry in tree(dev.team.root).items() if "/state" not in name} == before


@pytest.mark.parametrize("line", ["/send", "/handoff", "/send  \t"])
def test_without_a_recipient(line: str, team: Team) -> None:
    """Without a recipient the model is told who there is, but for the agent itself."""
    team.map(agents={"ops": {}, "dev": {}, "growth": {}})
    assert Desk(team, "dev").command(line).split("\n")[1] == "Known agents: growth, ops."


@pytest.mark.parametrize("verb", ["send", "handoff"])
@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("opps", "Did you mean ops?"),
        ("growth", "growth has not joined yet"),
        ("growth", "/bus join growth"),
        ("ops/Web!", "no agent name"),
        ("../ops", "no agent"),
        ("god", "dev is in no domain, so god is nobody"),
        ("ops;id", "no agent"),
    ],
)
def test_recipients_nobody_knows(verb: str, to: str, words: str, dev: Desk) -> None:
    """An unknown recipient is an error with the nearest name, or with how that agent joins."""
    assert words in refused(dev.command(f"/{verb} {to} bug-fix"))


@pytest.mark.parametrize("line", ["/send ops bug-fix", "/handoff ops", "/reply {id} accept"])
def test_routing(line: str, team: Team) -> None:
    """What routing forbids is refused before anything is written, with the reason and the hub to go through."""
    dev = Desk(team, "dev")
    message_id = dev.put(1)
    team.map(
        agents={"ops": {}, "dev": {"domain": "side"}, "lead": {}},
        domains={"side": {"hub": "lead"}},
        routing_rules={"dev": {"deny": ["ops"], "reason": "client data stays inside"}},
    )
    words = refused(dev.command(line.format(id=message_id)))
    assert "client data stays inside" in words
    assert "lead" in words


def test_a_session_to_write_to(dev: Desk) -> None:
    """A recipient may be one session, and who is there to read it is said."""
    page = dev.command("/send ops/web bug-fix")
    assert "ops/web is an agent you may write to." in page
    assert "ops has no live session (never seen); it will see this when it opens." in page


# ---- What the intent needs ----------------------------------------------------------------------


@pytest.mark.parametrize("intent", INTENTS)
def test_the_fields_of_an_intent(intent: str, dev: Desk) -> None:
    """The context names every field the intent requires and no other, and a message of these fields is accepted."""
    schema = json.loads((ROOT / f"schemas/intents/{intent}.schema.json").read_bytes())
    page = dev.command(f"/send ops {intent}" if intent != "handoff" else "/handoff ops")
    (needs,) = [
        line for line in page.split("\n") if line.startswith(f"The intent {intent} needs these payload fields: ")
    ]
    payload: dict[str, Any] = {}
    for part in needs.partition("fields: ")[2].split("; "):
        name, _, about = part.partition(" (")
        assert about.startswith(("text: ", "list of texts: ")), part
        payload[name] = ["x"] if about.startswith("list") else "x"
    assert set(payload) == set(schema["required"])
    bus = dev.bus()
    assert bus.send("ops", intent, payload, dry_run=True)["payload"] == payload
    kind = "handoff" if intent == "handoff" else None
    assert bus.send("ops", intent, payload, type=kind, dry_run=True)["dry_run"] is True


def test_an_intent_of_ones_own(dev: Desk) -> None:
    """An intent without a schema asks for nothing; without an intent the model is told that one is missing."""
    assert "The intent lunch asks for no payload fields." in dev.command("/send ops lunch")
    assert "No intent is given yet" in dev.command("/send ops")


@pytest.mark.parametrize(
    "intent", ["Bug-Fix", "bug_fix", "What's", "-x", "--priority", "../message", "bug-", "é", "x" * 64]
)
def test_what_is_no_intent(intent: str, dev: Desk) -> None:
    """A second word that can be no intent is told as that: not as an agent, nor as an intent that asks for nothing."""
    page = dev.command(f"/send ops {intent} about it")
    assert "no agent name" not in page
    assert "asks for no payload fields" not in page
    assert "intent" in page


# ---- What is answered ---------------------------------------------------------------------------


def test_the_original(dev: Desk) -> None:
    """/reply shows to whom the answer goes, in which thread, and the original, framed."""
    message_id = dev.put(1, priority="high", intent="bug-fix", payload={"summary": foreign.ONE_LINE})
    for given in (message_id, message_id[-8:]):
        page = dev.command(f"/reply {given} response done with it")
        assert "The answer goes to ops, in thread-20260520-000001." in page.split("\n")
        foreign.check(page)
        (line,) = framed(page)
        assert line.startswith("high bug-fix from ops")
        assert line.endswith(f"({message_id})")


def test_an_original_that_was_read(dev: Desk) -> None:
    """What was read can still be answered."""
    message_id = dev.put(1)
    dev.read(message_id)
    assert message_id in framed(dev.command(f"/reply {message_id}"))[0]


@pytest.mark.parametrize(
    ("given", "words"), [("zzz", 'dev has no message "zzz"'), ("0", "fits 2 messages"), ("00000012", "Did you mean")]
)
def test_an_original_that_is_none(given: str, words: str, dev: Desk) -> None:
    """An id that fits no message, or more than one, is an error that says so."""
    dev.put(11)
    dev.put(22)
    assert words in refused(dev.command(f"/reply {given} accept"))


def test_a_sender_who_is_gone(dev: Desk) -> None:
    """An answer to somebody the map no longer knows is refused before it is written."""
    message_id = dev.put(1, sender="growth")
    assert "growth has not joined yet" in refused(dev.command(f"/reply {message_id} accept"))


@pytest.mark.parametrize("verb", ["send ops bug-fix", "handoff ops", "reply {id} accept"])
def test_the_text_behind_it(verb: str, dev: Desk) -> None:
    """The rest of what the person typed is the model's business: none of it is repeated, and it changes nothing."""
    message_id = dev.put(1)
    line = f"/{verb.format(id=message_id)}"
    page = dev.command(line)
    for text in foreign.TEXTS.values():
        again = dev.command(f"{line} {text}")
        assert foreign.CANARY not in again
        assert again.partition("\n")[0] == page.partition("\n")[0]
        assert len(again) == len(page)
