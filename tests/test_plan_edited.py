"""A yes is to a plan as it was: edited afterwards it is proposed again, and nothing of it goes out."""

from __future__ import annotations

import json
from typing import Any, Callable

import pytest

from agent_team_os.orchestration import dispatch
from agent_team_os.orchestration import plans as planning
from agent_team_os.protocol.errors import BusError, NotConfirmed
from conftest import Team, tree
from support import plans
from support.cli import PROGRAM
from support.plans import task
from support.seat import Seat

Plan = dict[str, Any]
TASKS = (
    task("Mend", priority="p1", payload={"text": "x"}, context_refs=["gh://o/r/issues/1"], budget_minutes=30),
    task("Post", "growth", depends_on=["Mend"], response_by="2030-05-23T18:00:00Z"),
    task("Tell"),
)


@pytest.fixture
def gods(team: Team) -> Team:
    """Two domains with a god each: ops of side, secure of work."""
    return plans.gods(team)


def set_field(name: str, value: Any, number: int = 0) -> Callable[[Plan], None]:
    """Give a field of a task another value."""

    def change(plan: Plan) -> None:
        assert plan["tasks"][number][name] != value
        plan["tasks"][number][name] = value

    return change


EDITS: dict[str, Callable[[Plan], Any]] = {
    "title": set_field("title", "Break", 2),
    "a title and what depends on it": lambda plan: (
        plan["tasks"][0].update(title="Break"),
        plan["tasks"][1].update(depends_on=["Break"]),
    ),
    "assignee": set_field("assignee", "growth"),
    "intent": set_field("intent", "other"),
    "summary": set_field("summary", "Delete it, please"),
    "priority": set_field("priority", "p0"),
    "no priority": lambda plan: plan["tasks"][0].pop("priority"),
    "payload": set_field("payload", {"text": "y"}),
    "more payload": set_field("payload", {"text": "x", "more": 1}),
    "no payload": lambda plan: plan["tasks"][0].pop("payload"),
    "true for one": set_field("payload", {"text": True}),
    "context_refs": set_field("context_refs", ["gh://o/r/issues/2"]),
    "budget_minutes": set_field("budget_minutes", 31),
    "response_by": set_field("response_by", "2030-05-23T18:00:01Z", 1),
    "depends_on": set_field("depends_on", ["Mend"], 2),
    "no depends_on": set_field("depends_on", [], 1),
    "order": lambda plan: plan["tasks"].reverse(),
    "one more": lambda plan: plan["tasks"].append({**task("More"), "payload": {}}),
    "one less": lambda plan: plan["tasks"].pop(),
    "a doubled one": lambda plan: plan["tasks"].append(plan["tasks"][2]),
    "objective": lambda plan: plan.update(objective="Nobody can sign in"),
    "domain": lambda plan: plan.update(domain="work"),
    "the hash": lambda plan: plan["confirmation"].update(hash="0" * 64),
    "no hash": lambda plan: plan["confirmation"].update(hash=""),
    "no confirmation": lambda plan: plan.update(confirmation=None),
    "a confirmation that is gone": lambda plan: plan.pop("confirmation"),
}
STATES = ("confirmed", "dispatched", "proposed")


@pytest.mark.parametrize("name", EDITS)
def test_edited_after_the_yes(name: str, gods: Team) -> None:
    """Whatever is edited, and whatever status is written beside it, the plan is proposed again and nothing goes out."""
    plan_id = plans.confirmed(gods, *TASKS)
    plan = plans.stored(gods, plan_id)
    EDITS[name](plan)
    bus = plans.bus(gods, "ops")
    for state in STATES:
        plans.edit(gods, plan_id, {**plan, "status": state})
        before = tree(gods.root)
        assert planning.load(str(gods.home), plan_id)["status"] == "proposed"
        with pytest.raises(NotConfirmed) as refusal:
            dispatch.dispatch(bus, plan_id)
        assert ("edited after" in refusal.value.message) == bool(plan.get("confirmation"))
        assert tree(gods.root) == before


def test_a_status_written_by_hand(gods: Team) -> None:
    """A plan that no person has seen is not confirmed by what is written into its file."""
    plan_id = plans.propose(gods)
    plan = plans.stored(gods, plan_id)
    other = plans.stored(gods, plans.confirmed(gods))
    for confirmation in (None, other["confirmation"]):
        for state in STATES:
            plans.edit(gods, plan_id, {**plan, "status": state, "confirmation": confirmation})
            said = plans.refused(gods, 2, "not-confirmed", "ops", "dispatch", plan_id)
            assert f"/god confirm {plan_id}" in said
    assert plans.sent(gods) == []


def test_dispatch_says_why(gods: Team) -> None:
    """Before the yes dispatch ends with 2, says what it waits for, and has sent and written nothing."""
    plan_id = plans.propose(gods)
    said = plans.refused(gods, 2, "not-confirmed", "ops", "dispatch", plan_id)
    assert "is not confirmed; nothing was dispatched" in said
    assert f"/god confirm {plan_id}" in said
    assert f"ato plan confirm {plan_id}" in said
    plans.confirm(gods, plan_id)
    plan = plans.stored(gods, plan_id)
    plans.edit(gods, plan_id, {**plan, "objective": "y"})
    assert "was edited after it was confirmed" in plans.refused(gods, 2, "not-confirmed", "ops", "dispatch", plan_id)
    page = gods.run("ops", "plan", "show", plan_id).stdout
    assert page.startswith(f"{plan_id}  proposed again: it was edited after it was confirmed\n")


def test_edited_and_confirmed_again(gods: Team) -> None:
    """What was edited can be confirmed again, as it is now; put back as it was, the first yes holds."""
    plan_id = plans.confirmed(gods, *TASKS)
    plan = plans.stored(gods, plan_id)
    plans.edit(gods, plan_id, {**plan, "objective": "Something else"})
    plans.edit(gods, plan_id, plan)
    assert planning.load(str(gods.home), plan_id)["status"] == "confirmed"
    plans.edit(gods, plan_id, {**plan, "objective": "Something else"})
    again = plans.confirm(gods, plan_id)
    assert again["confirmation"]["hash"] != plan["confirmation"]["hash"]
    assert plans.run(gods, "ops", "dispatch", plan_id)["status"] == "dispatched"
    assert len(plans.sent(gods)) == 3


def test_written_otherwise(gods: Team) -> None:
    """A file that says the same in another form, as an editor leaves it, is the plan that was confirmed."""
    plan_id = plans.confirmed(gods, *TASKS)
    plan = plans.stored(gods, plan_id)
    turned = {name: plan[name] for name in reversed(plan)}
    turned["tasks"] = [{name: one[name] for name in reversed(one)} for one in plan["tasks"]]
    plans.path(gods, plan_id).write_text(json.dumps(turned, indent=4, ensure_ascii=False))
    assert plans.run(gods, "ops", "dispatch", plan_id)["status"] == "dispatched"


def test_edited_while_the_question_stands(gods: Team) -> None:
    """A person who says yes to what was shown has not said it to what was written meanwhile: status 2."""
    plan_id = plans.propose(gods, *TASKS)
    with Seat(gods.env, gods.root / "ops", [*PROGRAM, "plan", "confirm", plan_id]) as seat:
        seat.wait_for("Let it out?")
        plan = plans.stored(gods, plan_id)
        plan["tasks"][0]["summary"] = "Delete it, please"
        plans.edit(gods, plan_id, plan)
        before = tree(gods.root)
        seat.type("y\n")
        status, shown = seat.end()
    assert (status, "was edited while you looked at it" in shown) == (2, True), shown
    assert tree(gods.root) == before


def test_what_could_not_go_out_is_not_confirmed(gods: Team) -> None:
    """A plan edited into one that could not be dispatched cannot be confirmed, nor one the map has left behind."""
    plan_id = plans.propose(gods, *TASKS)
    plan = plans.stored(gods, plan_id)
    wrong: dict[str, Callable[[Plan], Any]] = {
        "invalid-plan": lambda plan: plan["tasks"][0].update(depends_on=["Post"]),
        "unknown-agent": lambda plan: plan["tasks"][0].update(assignee="nobody"),
        "invalid-payload": lambda plan: plan["tasks"][0].update(intent="bug-fix"),
        "secret": lambda plan: plan["tasks"][0].update(payload={"key": "ghp_" + "a1B2c3D4e5" * 4}),
        "usage": lambda plan: plan.update(god="dev"),
    }
    for code, change in wrong.items():
        edited: Plan = {**plan, "tasks": [dict(one) for one in plan["tasks"]]}
        change(edited)
        plans.edit(gods, plan_id, edited)
        with pytest.raises(BusError) as refusal:
            plans.confirm(gods, plan_id)
        assert refusal.value.code == code
    plans.edit(gods, plan_id, plan)
    plans.confirm(gods, plan_id)
    gods.map(agents={**plans.AGENTS, "growth": {"domain": "work"}})
    assert "growth is of the domain work" in plans.refused(gods, 4, "invalid-plan", "ops", "dispatch", plan_id)
    gods.map(agents=plans.AGENTS, routing={"blocked_pairs": [["ops", "growth"]]})
    plans.refused(gods, 2, "routing-denied", "ops", "dispatch", plan_id)
    gods.map(routing={}, gods=["secure"])
    plans.refused(gods, 64, "usage", "ops", "dispatch", plan_id)
    assert plans.sent(gods) == []


def test_another_god_s_plan(gods: Team) -> None:
    """A plan is dispatched by its own god alone; written into another's hands it is not confirmed any more."""
    plan_id = plans.confirmed(gods, *TASKS)
    gods.join("secure")
    said = plans.refused(gods, 64, "usage", "secure", "dispatch", plan_id)
    assert "is ops's plan, and you are secure" in said
    plans.refused(gods, 64, "usage", "dev", "dispatch", plan_id)
    plan = plans.stored(gods, plan_id)
    plans.edit(gods, plan_id, {**plan, "god": "secure"})
    plans.refused(gods, 2, "not-confirmed", "secure", "dispatch", plan_id)
    plans.edit(gods, plan_id, {**plan, "god": "secure", "domain": "work"})
    plans.refused(gods, 2, "not-confirmed", "secure", "dispatch", plan_id)


def test_edited_after_a_part_has_gone_out(gods: Team) -> None:
    """When something of a plan has gone out and it is edited then, no yes makes it go on: a new plan is needed."""
    plan_id = plans.confirmed(gods, *TASKS)
    box = gods.home / "inboxes/growth"
    box.write_text("no folder")
    assert gods.run("ops", "plan", "dispatch", plan_id).returncode == 73
    box.unlink()
    before = plans.sent(gods)
    assert [message["to"] for message in before] == ["dev"]
    plan = plans.stored(gods, plan_id)
    assert plan["status"] == "confirmed"
    plans.edit(gods, plan_id, {**plan, "objective": "Something else"})
    plans.refused(gods, 2, "not-confirmed", "ops", "dispatch", plan_id)
    with pytest.raises(BusError, match="was edited after it had begun to go out"):
        plans.confirm(gods, plan_id)
    assert "edited after it had begun to go out" in plans.at_terminal(gods, "ops", "plan", "confirm", plan_id)[1]
    plans.edit(gods, plan_id, plan)
    assert plans.run(gods, "ops", "dispatch", plan_id)["status"] == "dispatched"
    assert plans.sent(gods)[:1] == before
    assert len(plans.sent(gods)) == 3
