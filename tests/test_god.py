"""The god mode: only a listed god has it, its contract is said where it is on, and `god` is whom a domain writes to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import Team
from support import plans
from support.desk import HELPER, Desk, framed


@pytest.fixture
def gods(team: Team) -> Team:
    """Two domains with a god each: ops of side, secure of work."""
    return plans.gods(team)


def enabled(team: Team, agent: str) -> Any:
    """What the map says of an agent's mode; None for nothing."""
    document = json.loads((team.home / "AGENT_MAP.json").read_bytes())
    return document["agents"][agent].get("god", {}).get("enabled")


# ---- The switch ---------------------------------------------------------------------------------


def test_the_switch(gods: Team) -> None:
    """`god on` and `god off`, at a terminal, turn the mode of a god in the map and nothing else; `status` nothing."""
    before = json.loads((gods.home / "AGENT_MAP.json").read_bytes())
    assert gods.json("ops", "god") == {"agent": "ops", "god": True, "enabled": False}
    assert json.loads((gods.home / "AGENT_MAP.json").read_bytes()) == before
    assert "god mode is on for ops" in plans.at_terminal(gods, "ops", "god", "on")[1]
    after = json.loads((gods.home / "AGENT_MAP.json").read_bytes())
    assert after["agents"].pop("ops") == {"domain": "side", "god": {"enabled": True}}
    assert before["agents"].pop("ops") == {"domain": "side"}
    assert after == before
    assert gods.json("ops", "god", "status")["enabled"] is True
    assert gods.run("ops", "god").stdout == "god mode is on for ops. Gods: ops, secure.\n"
    assert "god mode is off for ops" in plans.at_terminal(gods, "ops", "god", "off")[1]
    assert enabled(gods, "ops") is False


def test_only_a_god(gods: Team) -> None:
    """An agent that the map does not list among the gods cannot turn the mode on, whoever says it is one."""
    status, shown = plans.at_terminal(gods, "dev", "god", "on")
    assert (status, "dev is no god" in shown, '"gods": ["dev"]' in shown) == (64, True, True)
    assert plans.at_terminal(gods, "dev", "god", "off")[0] == 0
    assert enabled(gods, "dev") is None
    gods.map(agents={**plans.AGENTS, "dev": {"domain": "side", "god": {"enabled": True}}})
    assert gods.json("dev", "god") == {"agent": "dev", "god": False, "enabled": False}
    assert "dev is no god" in Desk(gods, "dev").command("/god on")
    assert "God mode" not in Desk(gods, "dev").start()
    (gods.root / "other").mkdir()
    assert plans.at_terminal(gods, "other", "god", "on")[0] == 1


def test_the_slash_command(gods: Team) -> None:
    """In a session god mode is switched after a yes, and /god says how it is; another word changes nothing."""
    ops = Desk(gods, "ops")
    assert ops.command("/god") == "god mode is off for ops. Gods: ops, secure."
    on = ops.does("ato god on")
    assert on.startswith("god mode is on for ops.")
    assert "God mode is on: you orchestrate the domain side." in on
    assert enabled(gods, "ops") is True
    for words in ("onn", "on now", "ON", "--all", "on --all", "confirm", "confirm a b"):
        assert "This did not work" in ops.command(f"/god {words}"), words
        assert enabled(gods, "ops") is True
    assert ops.does("ato god off") == "god mode is off for ops. Gods: ops, secure."
    assert enabled(gods, "ops") is False


def test_the_plans_of_a_god(gods: Team) -> None:
    """/god shows a god the plans it has proposed, and not those of another."""
    mine = plans.propose(gods)
    gods.join("secure")
    theirs = plans.propose(gods, plans.task(assignee="lead"), agent="secure")
    page = Desk(gods, "ops").command("/god")
    assert [line.split()[:2] for line in framed(page)] == [[mine, "proposed"]]
    assert theirs not in page


# ---- The contract -------------------------------------------------------------------------------


def test_the_contract(gods: Team) -> None:
    """A session of a god starts with the contract while its mode is on: domain, helper, and whom else to ask."""
    ops = Desk(gods, "ops")
    assert "God mode" not in ops.start()
    ops.does("ato god on")
    for source in ("startup", "resume", "clear", "compact"):
        (line,) = [line for line in ops.start(source).split("\n") if line.startswith("God mode is on")]
    assert "the domain side" in line
    assert f"{HELPER} plan propose" in line
    assert f"{HELPER} plan dispatch" in line
    assert f"{HELPER} tasks list" in line
    assert "only your user's own /god confirm PLAN" in line
    assert "Do none of the work yourself" in line
    assert "ask secure by mail" in line
    assert "God mode" not in ops.prompt()
    assert "God mode" not in Desk(gods, "dev", "s-2").start()
    ops.does("ato god off")
    assert "God mode" not in ops.start("clear")


def test_a_god_no_more(gods: Team) -> None:
    """The mode ends with the listing, also where the switch is still on."""
    ops = Desk(gods, "ops")
    ops.does("ato god on")
    gods.map(gods=["secure"])
    assert "God mode" not in ops.start()
    plans.refused(gods, 64, "usage", "ops", "propose", "-", stdin=json.dumps(plans.document()))


def test_a_god_of_no_domain(gods: Team) -> None:
    """A god without a domain is told so at its start, and what it proposes is refused with what to do."""
    gods.map(agents={**plans.AGENTS, "ops": {"god": {"enabled": True}}})
    assert "the domain of none yet" in Desk(gods, "ops").start()
    said = plans.refused(gods, 64, "usage", "ops", "propose", "-", stdin=json.dumps(plans.document()))
    assert "ops is the god of no domain" in said


# ---- to: god ------------------------------------------------------------------------------------


def note(team: Team, sender: str, to: str = "god") -> dict[str, Any]:
    """Send a note to whoever is meant and return it as it lies in the inbox."""
    return team.stored(team.json(sender, "send", to, "note", "--summary", "x"))


def test_to_god(gods: Team) -> None:
    """Mail to `god` goes to the god of the sender's own domain, by its name, also to one of its sessions."""
    assert note(gods, "dev")["to"] == "ops"
    gods.join("lead", "--domain", "work")
    assert note(gods, "lead")["to"] == "secure"
    message = note(gods, "dev", "god/web")
    assert (message["to"], message["to_slug"]) == ("ops", "web")
    line = json.dumps({"to": "god", "intent": "note", "payload": {"summary": "x"}})
    done = gods.run("dev", "send", "--batch", "-", stdin=line)
    assert json.loads(done.stdout)["to"] == "ops"
    handed = gods.json("dev", "handoff", "god", "--state-summary", "half", "--next-step", "rest")
    assert handed["to"] == "ops"


def test_a_god_nobody_is(gods: Team) -> None:
    """Without a domain, or in one without a god, `god` is nobody, and the refusal says which of the two it is."""
    gods.join("alex")
    assert "alex is in no domain" in gods.refused(1, "unknown-agent", "alex", "send", "god", "note")["message"]
    gods.map(gods=["secure"])
    assert "the domain side has no god" in gods.refused(1, "unknown-agent", "dev", "send", "god", "note")["message"]
    gods.map(gods=[])
    gods.refused(1, "unknown-agent", "dev", "send", "god", "note")


def test_routing_to_god(gods: Team) -> None:
    """What the map forbids it forbids by this name as well."""
    gods.map(routing_rules={"dev": {"deny": ["ops"], "reason": "Ask growth"}})
    error = gods.refused(2, "routing-denied", "dev", "send", "god", "note", "--summary", "x")
    assert "Ask growth" in error["message"]


def test_god_is_no_name(gods: Team) -> None:
    """No agent can take the name that stands for its god."""
    gods.refused(64, "usage", "dev", "join", "god")
