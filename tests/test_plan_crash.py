"""A dispatch killed anywhere is run again, and each brief and each task is there exactly once."""

from __future__ import annotations

import json
from typing import Callable

import pytest

from conftest import Team
from support import crash, plans, state
from support.plans import task


def disturb(team: Team, faults: Callable[[int, crash.Point], list[str]]) -> int:
    """Kill a dispatch of two briefs with these faults, run it again and judge what is there; how often that was."""
    plans.gods(team)
    plan_id = plans.confirmed(team, task("Post", "growth", depends_on=["Mend"]), task("Mend", priority="p0"))
    template = team.root.rename(team.root.parent / "template")
    act = crash.Act(team.root / "ops", team.env, ["plan", "dispatch", plan_id, "--json"])
    with crash.Starter() as starter:

        def judge(_outcome: crash.Outcome, _fault: str) -> None:
            again = starter.run(act)
            assert again.status == 0, again.stderr
            result = json.loads(again.stdout)
            assert result["status"] == plans.stored(team, plan_id)["status"] == "dispatched"
            mend, post = plans.sent(team)
            assert [message["payload"]["title"] for message in (mend, post)] == ["Mend", "Post"]
            first, second = plans.tasks(team)
            assert [first["title"], second["title"]] == ["Mend", "Post"]
            assert second["depends_on"] == [first["id"]]
            for brief, made, row in ((mend, first, result["tasks"][1]), (post, second, result["tasks"][0])):
                assert (row["id"], row["task_id"]) == (brief["id"], brief["task_id"])
                assert (brief["task_id"], brief["thread_id"]) == (made["id"], made["thread_id"])
            state.check(team.home)

        return crash.explore(starter, act, template, team.root, faults, judge)


def test_killed_at_every_third_call(team: Team) -> None:
    """Whatever call a kill hits, the next dispatch sends what is missing and nothing twice."""
    assert disturb(team, lambda number, _point: ["kill"] * (number % 3 == 0)) >= 20


@pytest.mark.full
def test_killed_at_every_call(team: Team) -> None:
    """As above, at the calls between them too."""
    assert disturb(team, crash.kill) >= 60
