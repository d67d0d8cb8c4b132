"""Killed or failed anywhere, a request with a task and its answers leave message and task as one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from conftest import Team
from support import crash, state
from support.tasked import answer, in_file, kept, request

SEND = ["send", "dev", "note", "--summary", "Login loops on Safari", "--task", "--json"]


class Left(NamedTuple):
    """What the next command about a task finds: the messages that are new, and the tasks."""

    new: list[dict[str, Any]]
    tasks: list[dict[str, Any]]


class Deed(NamedTuple):
    """A command of an agent, what it needs beforehand, by which its arguments are known, what must hold; its calls."""

    agent: str
    prepare: Callable[[Team], list[str]]
    judge: Callable[[Left], None]
    least: int


def a_request(_team: Team) -> list[str]:
    """A request, in a home that never had a task."""
    return SEND


def one_more(team: Team) -> list[str]:
    """A request while the change of another one is kept."""
    path = team.home / "tasks/_none.json"
    path.parent.mkdir()
    path.write_text("{")
    request(team, summary="Write the release notes")
    path.unlink()
    return SEND


def an_accept(team: Team) -> list[str]:
    """An accept of a request."""
    return ["reply", request(team)["id"], "accept", "--json"]


def a_decline(team: Team) -> list[str]:
    """A decline of a request that was accepted."""
    sent = request(team)
    answer(team, sent, "accept")
    return ["reply", sent["id"], "decline", "--summary", "No time", "--json"]


def task_of_its_own(left: Left) -> None:
    """A request that was sent has exactly one task, which it names; one that was not has none that is open."""
    mine = [task for task in left.tasks if task["title"] == "Login loops on Safari"]
    assert len(mine) <= 1, "two tasks"
    assert left.new or all(task["status"] == "done" for task in mine), "a task without its message"
    for message in left.new:
        [task] = mine
        assert task["refs"] == [f"ato://{message['id']}"]
        assert (task["status"], task["assignee"]) == ("todo", "dev")
        assert message["task_id"] in (task["id"], *task["refs"])


def and_the_other(left: Left) -> None:
    """As before, and the task that was kept is there once."""
    task_of_its_own(left)
    others = [task["status"] for task in left.tasks if task["title"] == "Write the release notes"]
    assert others == ["todo"]


def begun(left: Left) -> None:
    """The task is begun exactly when the accept was sent."""
    [task] = left.tasks
    assert (task["status"], task["assignee"]) == ("doing" if left.new else "todo", "dev")


def given_back(left: Left) -> None:
    """The task is given back, with the reason said once, exactly when the decline was sent."""
    [task] = left.tasks
    notes = [note["text"] for note in task.get("notes", ())]
    expected = ("todo", "ops", ["declined by dev: No time"]) if left.new else ("doing", "dev", [])
    assert (task["status"], task["assignee"], notes) == expected


DEEDS = {
    "request": Deed("ops", a_request, task_of_its_own, 35),
    "one-more": Deed("ops", one_more, and_the_other, 40),
    "accept": Deed("dev", an_accept, begun, 40),
    "decline": Deed("dev", a_decline, given_back, 40),
}


def judge(starter: crash.Starter, deed: Deed, team: Team, before: set[str], outcome: crash.Outcome) -> None:
    """What is left after the next command about a task is what it must be."""
    done = starter.run(crash.Act(team.root / "dev", team.env, ["tasks", "list", "--json"]))
    assert (done.status, done.stderr) == (0, "")
    assert [path for path in kept(team) if path.suffix == ".json"] == [], "kept for ever"
    new = state.check(team.home) - before
    assert len(new) <= 1
    if outcome.status == 0:
        assert new, "said yes and sent nothing"
    elif outcome.status not in (-9, 75):
        assert outcome.status == 73
        assert not new, "said no and sent it"
    tasks = in_file(team)
    shown = [(task["id"], task["status"]) for task in json.loads(done.stdout)["tasks"]]
    assert shown == [(task["id"], task["status"]) for task in tasks]
    deed.judge(Left([message for message in state.outbox(team.home) if message["id"] in new], tasks))


def disturb(deed: Deed, team: Team, faults: Callable[[int, crash.Point], list[str]]) -> int:
    """Do a deed with each of these faults at each call and judge what is left each time; how often that was."""
    args = deed.prepare(team)
    template = team.root.rename(team.root.parent / "template")
    before = state.check(template / ".agent-team-os")
    act = crash.Act(team.root / deed.agent, team.env, args)
    with crash.Starter() as starter:

        def look(outcome: crash.Outcome, _fault: str) -> None:
            judge(starter, deed, team, before, outcome)

        return crash.explore(starter, act, template, team.root, faults, look)


OFTEN = ("request", "accept")
SELDOM = tuple(pytest.param(name, marks=pytest.mark.full) for name in DEEDS if name not in OFTEN)


@pytest.mark.parametrize("name", [*OFTEN, *SELDOM])
def test_killed_at_every_call(name: str, team: Team) -> None:
    """Whatever call a kill hits, after the next command about a task each message that was sent has its task."""
    assert disturb(DEEDS[name], team, crash.kill) >= DEEDS[name].least


@pytest.mark.parametrize("name", OFTEN)
def test_failed_at_every_other_call(name: str, team: Team) -> None:
    """Whatever call a disk error hits, once or for good, yes means sent, and a no leaves no open task."""
    assert disturb(DEEDS[name], team, crash.some_errors) >= DEEDS[name].least // 4


@pytest.mark.parametrize("name", OFTEN)
def test_undecided(name: str, team: Team) -> None:
    """Where a disk leaves open whether a message was sent, the next command decides for its task too."""
    deed = DEEDS[name]
    args = deed.prepare(team)
    template = team.root.rename(team.root.parent / "template")
    act = crash.Act(team.root / deed.agent, team.env, args)
    with crash.Starter() as starter:
        crash.fresh(template, team.root)
        [link] = [point for point in crash.points(starter.watch(act), team.root) if _is_delivery(point)]
        crash.fresh(template, team.root)
        before = state.check(team.home)
        # The line is in the outbox, the message not in the inbox, and the line cannot be taken back.
        done = starter._trace(act, [f"{link.call}:error=EIO:when={link.nth}", "ftruncate:error=EIO:when=1+"])
        assert (done.status, json.loads(done.stdout)["error"]["code"]) == (75, "undecided"), done
        judge(starter, deed, team, before, done)
    assert len(state.outbox(team.home)) == len(before) + 1


def _is_delivery(point: crash.Point) -> bool:
    return point.call.startswith("link") and "/inboxes/" in point.text


@pytest.mark.full
@pytest.mark.parametrize("name", DEEDS)
def test_failed_in_every_way_at_every_call(name: str, team: Team) -> None:
    """As above, with each error at each call."""
    assert disturb(DEEDS[name], team, crash.every_error) >= 3 * DEEDS[name].least
