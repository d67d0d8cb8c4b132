"""plan propose: what could not be dispatched is refused with the reason; the rest is kept, and nothing is sent."""

from __future__ import annotations

import json
import stat
from typing import Any

import jsonschema
import pytest

from agent_team_os.orchestration import plans as planning
from agent_team_os.protocol.errors import BusError
from conftest import Team, tree
from support import plans
from support.plans import document, task

BUG = {"intent": "bug-fix", "payload": {"project": "web"}}


@pytest.fixture
def gods(team: Team) -> Team:
    """Two domains with a god each: ops of side, secure of work."""
    return plans.gods(team)


def circle(length: int) -> list[dict[str, Any]]:
    """Tasks of which each waits for the next, and the last for the first."""
    return [task(f"T{number}", depends_on=[f"T{(number + 1) % length}"]) for number in range(length)]


def without(name: str) -> dict[str, Any]:
    """A task that lacks a field."""
    return {key: value for key, value in task().items() if key != name}


# What is proposed, and the code and the words of the refusal.
WRONG: dict[str, tuple[Any, str, str]] = {
    "nobody": (document(task(assignee="nobody")), "unknown-agent", "nobody"),
    "nearly somebody": (document(task(assignee="grwth")), "unknown-agent", "Did you mean growth?"),
    "another domain": (document(task(assignee="lead")), "invalid-plan", "lead is of the domain work"),
    "the other god": (document(task(assignee="secure")), "invalid-plan", "ops is the god of side"),
    "no domain": (document(task(assignee="alex")), "invalid-plan", "alex is of no domain"),
    "the word god": (document(task(assignee="god")), "unknown-agent", "god"),
    "a session": (document(task(assignee="dev/web")), "invalid-plan", "dev/web"),
    "denied": (document(task(assignee="growth")), "routing-denied", "Ask lead"),
    "a circle of one": (document(*circle(1)), "invalid-plan", "wait for each other: T0"),
    "a circle of two": (document(*circle(2)), "invalid-plan", "wait for each other: T0, T1"),
    "a circle of five": (document(*circle(5), task("free")), "invalid-plan", "wait for each other: T0, T1, T2, T3, T4"),
    "a tail on a circle": (document(*circle(2), task("late", depends_on=["T0"])), "invalid-plan", "T0, T1"),
    "an unknown title": (document(task(depends_on=["Other"])), "invalid-plan", 'depends on "Other"'),
    "a title in other letters": (document(task("A"), task("B", depends_on=["a"])), "invalid-plan", 'depends on "a"'),
    "a number for a title": (document(task("A"), task("B", depends_on=["1"])), "invalid-plan", 'depends on "1"'),
    "a doubled title": (document(task("A"), task("A", "growth")), "invalid-plan", "another task has the same title"),
    "no project": (document(task(intent="bug-fix")), "invalid-payload", '"project"'),
    "a project of no text": (document(task(intent="bug-fix", payload={"project": 1})), "invalid-payload", "project"),
    "no topic": (document(task(), task("B", intent="draft-post")), "invalid-payload", "task 2 (B)"),
    "too large": (document(task(payload={"text": "x" * 10_240})), "invalid-payload", "10240"),
    "a secret": (document(task(payload={"key": "ghp_" + "a1B2c3D4e5" * 4})), "secret", "looks like"),
    "a secret in the summary": (document(task(summary="use ghp_" + "a1B2c3D4e5" * 4)), "secret", "looks like"),
    "no text": (document(task(payload={"text": "\ud83d"})), "invalid-payload", "UTF-8"),
    "no time": (document(task(response_by="tomorrow")), "invalid-message", "response_by"),
    "no day": (document(task(response_by="2026-02-30T00:00:00Z")), "invalid-message", "response_by"),
    "no budget": (document(task(budget_minutes=0)), "invalid-plan", "budget_minutes"),
    "half a minute": (document(task(budget_minutes=0.5)), "invalid-plan", "budget_minutes"),
    "an empty reference": (document(task(context_refs=[""])), "invalid-message", "context_refs"),
    "too many references": (document(task(context_refs=["x:y"] * 256)), "invalid-message", "context_refs"),
    "p4": (document(task(priority="p4")), "invalid-plan", "priority"),
    "a message's priority": (document(task(priority="urgent")), "invalid-plan", "priority"),
    "an intent of two words": (document(task(intent="bug fix")), "invalid-plan", "intent"),
    "an unknown key": (document(task(thread_id="thread-20260520-abc123")), "invalid-plan", "thread_id"),
    "a sender": (document(**{"god": "secure"}), "invalid-plan", "objective and tasks"),
    "a status": (document(status="confirmed"), "invalid-plan", "objective and tasks"),
    "a confirmation": (document(confirmation={"at": "", "session": "", "hash": ""}), "invalid-plan", "nothing else"),
    "an empty objective": (document(objective=""), "invalid-plan", "objective"),
    "no objective": ({"tasks": [task()]}, "invalid-plan", "objective"),
    "an objective in lines": (document(objective="a\nb"), "invalid-plan", "objective"),
    "an objective that drives": (document(objective="\x1b[2J"), "invalid-plan", "objective"),
    "an objective of no text": (document(objective=["a"]), "invalid-plan", "objective"),
    "no tasks": ({"objective": "x"}, "invalid-plan", "tasks"),
    "an empty list": ({"objective": "x", "tasks": []}, "invalid-plan", "tasks"),
    "tasks that are none": (document("Mend", 1, None), "invalid-plan", "tasks"),
    "one task": ({"objective": "x", "tasks": task()}, "invalid-plan", "tasks"),
    "too many": (document(*(task(f"T{number}") for number in range(201))), "invalid-plan", "tasks"),
    "a list": ([document()], "invalid-plan", "object"),
    "a text": ("Mend it", "invalid-plan", "object"),
    "nothing": (None, "invalid-plan", "object"),
    **{f"without {name}": (document(without(name)), "invalid-plan", name) for name in task()},
    **{f"{name} as a list": (document(task(**{name: [1]})), "invalid-plan", name) for name in task()},
    **{f"{name} as a text": (document(task(**{name: "A"})), "invalid-plan", name)
       for name in ("depends_on", "payload", "context_refs", "budget_minutes")},
    **{f"{name} in lines": (document(task(**{name: "a\nb"})), "invalid-plan", name)
       for name in ("title", "summary", "assignee", "intent")},
    "a title without end": (document(task("x" * 501)), "invalid-plan", "title"),
    "a title that drives": (document(task("\x9b31mred")), "invalid-plan", "title"),
    "a path": (document(task(assignee="../dev")), "invalid-plan", "assignee"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_refused(name: str, gods: Team) -> None:
    """What could not go out as it stands is refused with its reason, and nothing is kept."""
    gods.map(routing_rules={"ops": {"deny": ["growth"], "reason": "Ask lead"}} if name == "denied" else {})
    given, code, words = WRONG[name]
    bus = plans.bus(gods, "ops")
    before = tree(gods.root)
    with pytest.raises(BusError) as refusal:
        planning.propose(bus, given)
    assert refusal.value.code == code, refusal.value.message
    assert words in f"{refusal.value.message} {refusal.value.hint}"
    assert tree(gods.root) == before


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"context_refs": ["not a uri"]}, "invalid-task"),
        ({"context_refs": ["x:a\tb"]}, "invalid-task"),
        ({"context_refs": ["plan://plan-20260520-a1b2c3/1"]}, "invalid-plan"),
        ({"context_refs": ["ato://msg-20260520T091812Z-x7q3abcd"]}, "invalid-plan"),
        ({"response_by": "0001-01-01T00:00:00Z"}, "invalid-task"),
        ({"title": "   "}, "invalid-task"),
    ],
)
def test_what_no_task_manager_takes(more: dict[str, Any], code: str, gods: Team) -> None:
    """What could go out as a brief and not as a task is refused here, too, and not when half of the plan is out."""
    given = json.dumps(document(task("Before"), task(**more)))
    said = plans.refused(gods, 4, code, "ops", "propose", "-", stdin=given)
    assert "task 2" in said


def test_refused_on_the_command_line(gods: Team) -> None:
    """The same refusals come with their status and one plain line, whatever the plan is made of."""
    for name in ("nobody", "a circle of two", "a secret", "no project", "an unknown key"):
        given, code, words = WRONG[name]
        status = {"unknown-agent": 1}.get(code, 4)
        said = plans.refused(gods, status, code, "ops", "propose", "-", stdin=json.dumps(given))
        assert words in said
    for text, words in (
        ("{", "is no JSON"),
        ("", "is no JSON"),
        ("NaN", "is no JSON"),
        ('{"tasks": 1, "tasks": 2}', ""),
    ):
        assert words in plans.refused(gods, 4, "invalid-plan", "ops", "propose", "-", stdin=text)
    assert "no file none.json" in plans.refused(gods, 64, "usage", "ops", "propose", "none.json")
    assert "a folder" in plans.refused(gods, 4, "invalid-plan", "ops", "propose", ".")
    done = gods.run("ops", "plan", "propose", "-", stdin=json.dumps(document(task(assignee="\x1b[2J\u202e"))))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
    assert "\x1b" not in done.stderr
    assert "\u202e" not in done.stderr


def test_who_may_propose(gods: Team) -> None:
    """Only a god proposes: not the agents of its domain, and nobody without an agent."""
    assert "dev is no god" in plans.refused(gods, 64, "usage", "dev", "propose", "-", stdin=json.dumps(document()))
    (gods.root / "other").mkdir()
    plans.refused(gods, 1, "anonymous", "other", "propose", "-", stdin=json.dumps(document()))


def test_kept(gods: Team) -> None:
    """A plan is kept with all that was given and what need not be said, valid by its schema, for its owner alone."""
    given = document(
        task("Mend", **BUG, priority="p0", response_by="2026-05-23T18:00:00+02:00", budget_minutes=90),
        task("Post", "growth", depends_on=["Mend"], context_refs=["gh://o/r/issues/1"]),
        task("Mine", "ops"),
    )
    made = plans.run(gods, "ops", "propose", "-", stdin=json.dumps(given))
    assert set(made) == {"id", "status", "tasks"}
    plan = plans.stored(gods, made["id"])
    assert made == {name: plan[name] for name in made}
    rest = {"priority": "p2", "depends_on": [], "payload": {}, "context_refs": []}
    assert plan["tasks"] == [{**rest, **one} for one in given["tasks"]]
    assert (plan["god"], plan["domain"], plan["objective"]) == ("ops", "side", given["objective"])
    assert (plan["status"], plan["confirmation"], "dispatch" in plan) == ("proposed", None, False)
    assert stat.S_IMODE(plans.path(gods, made["id"]).stat().st_mode) == 0o600
    assert stat.S_IMODE((gods.home / "plans").stat().st_mode) == 0o700
    example = {**plans.SCHEMA["examples"][0], "version": "1.0"}
    jsonschema.validate(example, plans.SCHEMA)


def test_nothing_goes_out(gods: Team) -> None:
    """Proposing writes one file and nothing else: no message, no thread, no task."""
    before = tree(gods.root)
    plan_id = plans.propose(gods, task(), task("Post", "growth"))
    new = set(tree(gods.root)) - set(before)
    assert {name.partition("/")[2] for name in new} == {"plans", f"plans/{plan_id}.json"}


def test_from_a_file(gods: Team) -> None:
    """The plan may come from a file; two of the same content are two plans."""
    (gods.root / "ops/plan.json").write_text(json.dumps(document()))
    first, second = (plans.run(gods, "ops", "propose", "plan.json")["id"] for _ in range(2))
    assert first != second
    assert plans.stored(gods, first)["tasks"] == plans.stored(gods, second)["tasks"]


def test_what_a_person_reads(gods: Team) -> None:
    """Without --json the plan is printed as it is decided on, with what to do next."""
    done = gods.run(
        "ops", "plan", "propose", "-", stdin=json.dumps(document(task(), task("B", depends_on=[task()["title"]])))
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    plan_id = lines[0].split()[0]
    assert lines[0] == f"{plan_id}  proposed"
    assert lines[-1] == (
        f"Confirm it, as a person: /god confirm {plan_id}, or at a terminal: ato plan confirm {plan_id}"
    )
    assert "       after 1" in lines
