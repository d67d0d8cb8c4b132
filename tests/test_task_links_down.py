"""A task manager that is down never loses a message: what it means for the task is kept, said, and made later."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agent_team_os.bus import Bus
from agent_team_os.orchestration import plans
from conftest import Team
from support.tasked import (
    DOWN,
    NOWHERE,
    UNTAKEN,
    about_tasks,
    answer,
    in_file,
    kept,
    listed,
    manage,
    no_such_kind,
    request,
    untaken,
)


@pytest.mark.parametrize("how", DOWN)
def test_nothing_is_lost(how: str, team: Team) -> None:
    """Request and answers go out with a warning, and the next look at the tasks makes all of it, in its order."""
    with DOWN[how](team):
        sent = request(team)
        assert len(untaken(sent)) == 1
        assert sent["task_id"] == team.stored(sent)["task_id"] == f"ato://{sent['id']}"
        assert len(untaken(answer(team, sent, "decline", "--summary", "No time"))) == 1
        assert len(untaken(answer(team, sent, "accept"))) == 1
        assert len(kept(team)) == 3
    [task] = listed(team)
    assert (task["title"], task["status"], task["assignee"]) == ("Login loops on Safari", "doing", "ops")
    assert task["refs"] == [f"ato://{sent['id']}"]
    assert kept(team) == []
    assert answer(team, sent, "response")["task_id"] == f"ato://{sent['id']}"
    assert [task["status"] for task in listed(team)] == ["done"]


def test_it_is_said_in_words(team: Team) -> None:
    """A person is told what keeps the manager, and that the change is kept, on stderr with a status of 0."""
    manage(team, dev=NOWHERE)
    done = team.run("ops", "send", "dev", "note", "--summary", "x", "--task")
    assert done.returncode == 0
    assert 'no task provider "jira"' in done.stderr
    assert "It is kept, and the next command about a task tries again" in done.stderr


def look(team: Team, _sent: dict[str, Any]) -> list[str]:
    """The list of tasks, of somebody else."""
    return team.run("ops", "tasks", "list").stderr.splitlines()


def send(team: Team, _sent: dict[str, Any]) -> list[str]:
    """One more request with a task for the same agent."""
    return about_tasks(request(team, summary="Ship it"))


def reply(team: Team, sent: dict[str, Any]) -> list[str]:
    """One more answer about a task of the same agent."""
    return about_tasks(answer(team, sent, "accept"))


def dispatch(team: Team, _sent: dict[str, Any]) -> list[str]:
    """A plan goes out."""
    bus = Bus.open({**team.env, "AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": "ops"}, "/")
    task = {"title": "x", "assignee": "growth", "intent": "note", "summary": "x"}
    plan = plans.propose(bus, {"objective": "x", "tasks": [task]})
    plans.confirm(bus.home, bus.map, plan["id"], "s-1", plans.digest(plan))
    warnings: list[str] = team.json("ops", "plan", "dispatch", plan["id"])["warnings"]
    return [warning for warning in warnings if "session" not in warning]


NEXT = {"a look": look, "a request": send, "an answer": reply, "a dispatch": dispatch}


@pytest.mark.parametrize("name", NEXT)
def test_the_next_command_about_a_task(name: str, team: Team) -> None:
    """Whichever command about a task comes next tries again: it says that the manager is still down, or all is made."""
    team.join("growth")
    agents: dict[str, Any] = {"ops": {"domain": "side"}, "dev": {}, "growth": {"domain": "side"}}
    sent = request(team)
    down = {**agents, "dev": {"task_provider": NOWHERE}}
    team.map(agents=down, gods=["ops"], domains={"side": {}})
    second = request(team, summary="Write the release notes")
    waiting = kept(team)
    said = NEXT[name](team, sent)
    assert [UNTAKEN in line for line in said].count(True) == 1, said
    assert set(waiting) <= set(kept(team))
    team.map(agents=agents)
    assert [line for line in NEXT[name](team, sent) if UNTAKEN in line] == []
    assert kept(team) == []
    made = [task for task in in_file(team) if f"ato://{second['id']}" in task["refs"]]
    assert [task["title"] for task in made] == ["Write the release notes"]


def test_one_manager_that_is_down(team: Team) -> None:
    """It keeps no other agent's changes, whichever of them is asked first."""
    agents = ("alex", "growth", "secure")
    for agent in agents:
        team.join(agent)
    manage(team, **dict.fromkeys(agents, NOWHERE))
    sent = {agent: request(team, to=agent) for agent in agents}
    manage(team, alex=NOWHERE, growth={}, secure=NOWHERE)
    team.map(agents={"ops": {}, "dev": {}, "alex": {"task_provider": NOWHERE}, "growth": {}, "secure": {}})
    done = team.run("ops", "tasks", "list", "--json")
    assert done.stderr.count(UNTAKEN) == 1
    made = json.loads(done.stdout)["tasks"]
    assert {task["assignee"] for task in made} == {"growth", "secure"}
    assert [path.stem for path in kept(team)] == [sent["alex"]["id"]]


def test_the_order_within_a_second(team: Team) -> None:
    """Changes kept by many processes in one second are made in the order in which they were sent."""
    with no_such_kind(team):
        sent = [request(team, summary=f"number {number}") for number in range(2)]
        for one in sent:
            for kind in ("accept", "decline", "accept", "response"):
                answer(team, one, kind)
        assert len(kept(team)) == 10
    tasks = {task["title"]: task for task in listed(team)}
    assert {title: task["status"] for title, task in tasks.items()} == dict.fromkeys(tasks, "done")
    assert list(tasks) == ["number 0", "number 1"]


def test_many_at_once(team: Team) -> None:
    """Requests from several processes at once, with the manager down, make one task each when it is back."""
    with no_such_kind(team), ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(lambda number: request(team, summary=f"number {number}"), range(8)))
        assert all(len(untaken(one)) == 1 for one in sent)
    with ThreadPoolExecutor(4) as pool:  # and so do several that try again at once
        list(pool.map(lambda _: team.run("dev", "tasks", "list"), range(4)))
    assert {ref for task in listed(team) for ref in task["refs"]} == {f"ato://{one['id']}" for one in sent}
    assert len(in_file(team)) == 8
    assert kept(team) == []


def test_a_task_that_was_made_meanwhile(team: Team) -> None:
    """A change of a task that is refused for good, as one that is gone, is said once and not tried for ever."""
    sent = request(team)
    with no_such_kind(team):
        answer(team, sent, "accept")
    path = team.home / "tasks/_none.json"
    path.write_text('{"version":"2.0","tasks":[]}')
    done = team.run("dev", "tasks", "list")
    assert 'the task t-1 was not changed: there is no task "t-1"' in done.stderr
    assert kept(team) == []
    assert team.run("dev", "tasks", "list").stderr == ""


def test_a_disk_that_cannot_be_written(team: Team) -> None:
    """Where nothing can be written the tasks are listed all the same, and the change waits."""
    with no_such_kind(team):
        sent = request(team)
    for path in (team.home / "locks").glob("@changes-*"):
        path.chmod(0o400)
    assert listed(team) == []
    for path in (team.home / "locks").glob("@changes-*"):
        path.chmod(0o600)
    assert [task["refs"] for task in listed(team)] == [[f"ato://{sent['id']}"]]
