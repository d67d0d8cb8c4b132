"""Killed or failed anywhere, a command leaves all of a task or none of it, and every other task as it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_team_os.tasks import load
from agent_team_os.tasks.provider import Place, TaskProviderFailed
from conftest import Team
from support import crash

VERBS = {"add": ["add", "new"], "done": ["done", "t-2"], "depend": ["depend", "t-1", "t-2"]}


def disturb(name: str, team: Team, faults: Callable[[int, crash.Point], list[str]]) -> int:
    """Run a verb on a file of two tasks with these faults, and judge what is left each time; how often that was."""
    team.map(agents={"ops": {}, "dev": {"domain": "side"}})
    for title in ("one", "two"):
        team.json("dev", "tasks", "add", title)
    old = team.json("dev", "tasks", "list")["tasks"]
    template = team.root.with_name("template")
    shutil.copytree(team.root, template)
    new = team.json("dev", "tasks", *VERBS[name]) and team.json("dev", "tasks", "list")["tasks"]

    with crash.Starter() as starter:

        def judge(outcome: crash.Outcome, _fault: str) -> None:
            done = starter.run(crash.Act(team.root / "dev", team.env, ["tasks", "list", "--json"]))
            assert done.status == 0, done.stderr
            left = json.loads(done.stdout)["tasks"]
            assert left in (old, new)
            if outcome.status == 0:
                assert left == new, "said yes and did nothing"
            # An error behind the rename leaves the new file, of which it is not known whether it is durable.

        act = crash.Act(team.root / "dev", team.env, ["tasks", *VERBS[name], "--json"])
        return crash.explore(starter, act, template, team.root, faults, judge)


@pytest.mark.parametrize("name", VERBS)
def test_killed_at_every_call(name: str, team: Team) -> None:
    """Whatever call a kill hits, the tasks are as before or as they should become."""
    assert disturb(name, team, crash.kill) >= 8


def test_failed_at_every_call(team: Team) -> None:
    """Whatever call a disk error hits, yes means done, and the tasks are as before or as they should become."""
    assert disturb("add", team, crash.some_errors) >= 4


# ---- The program `task` itself

MANY = 80  # tasks: more than it writes with one call
# `task`, killed at one call of an import; and whoever has started it, where FATE says so.
WRAPPED = """#!/bin/sh
case "$*" in
*import*)
    strace -qq -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={nth} task "$@" || status=$?
    [ -z "$status" ] || [ -z "{fate}" ] || kill -KILL $PPID
    exit ${{status:-0}} ;;
*) exec task "$@" ;;
esac
"""


class Mortal:
    """A domain of dev's with many tasks, and a `task` that is killed at the n-th call of a name."""

    def __init__(self, team: Team, program: Path) -> None:
        self.team = team
        self.program = program
        self.settings = {"kind": "taskwarrior", "program": str(program)}
        team.map(agents={"ops": {}, "dev": {"domain": "side"}}, domains={"side": {"task_provider": self.settings}})
        self.place = Place(str(team.home), "side")
        self.healthy = load.opened({"kind": "taskwarrior"}, self.place)
        made = self.healthy.create({"title": "task 0"})["id"]
        self.data = team.home / "tasks/side.taskwarrior/pending.data"
        line = self.data.read_text()
        self.data.write_text("".join(line.replace(made[:8], f"{number:08x}") for number in range(MANY)))
        self.before = self.healthy.list({})
        assert len(self.before) == MANY
        self.victim = self.before[3]

    def kill_at(self, call: str, nth: int, fate: str = "") -> None:
        """Let the next import be killed there."""
        self.program.write_text(WRAPPED.format(call=call, nth=nth, fate=fate))
        self.program.chmod(0o700)

    def check(self, *titles: str) -> str:
        """All tasks are as they were, but for one that has one of these titles; it is returned."""
        left = self.healthy.list({})
        (changed,) = [task for task in left if task["id"] == self.victim["id"]]
        others = [task for task in left if task is not changed]
        assert sorted(others, key=str) == sorted((task for task in self.before if task != self.victim), key=str)
        assert changed["title"] in titles
        assert {**changed, "title": "task 0"} == self.victim
        assert sorted(os.listdir(self.data.parent)) == ["backlog.data", "completed.data", "pending.data", "undo.data"]
        return changed["title"]


@pytest.mark.parametrize("call", ["write", "ftruncate", "fcntl", "openat", "close"])
def test_taskwarrior_killed_at_every_call(call: str, team: Team, tmp_path: Path) -> None:
    """Whatever call of `task` a kill hits, no task is lost, and the changed one is as before or as it should become."""
    mortal = Mortal(team, tmp_path / "task")
    provider, title, struck = load.opened(mortal.settings, mortal.place), "task 0", 0
    for nth in range(1, 200, 1 if call in ("write", "ftruncate") else 4):
        mortal.kill_at(call, nth)
        try:
            provider.update(mortal.victim["id"], {"title": f"kill {nth}"})
        except TaskProviderFailed:
            title = mortal.check(title, f"kill {nth}")
            struck += 1
        else:
            mortal.check(f"kill {nth}")
            break
    assert struck


def test_taskwarrior_killed_with_the_command(team: Team, tmp_path: Path) -> None:
    """When the command is killed with its `task`, the next one, even one that only looks, puts back what was lost."""
    mortal = Mortal(team, tmp_path / "task")
    for nth in range(1, 6):
        mortal.kill_at("write", nth, "both")
        done = team.run("dev", "tasks", "show", mortal.victim["id"])
        assert done.returncode == 0, done.stderr
        done = team.run("dev", "tasks", "depend", mortal.victim["id"], mortal.before[5]["id"])
        assert done.returncode == -signal.SIGKILL
        depends = mortal.healthy.get(mortal.victim["id"])["depends_on"]
        mortal.healthy.update(mortal.victim["id"], {"depends_on": []})
        assert depends in ([], [mortal.before[5]["id"]])
        mortal.check("task 0")
