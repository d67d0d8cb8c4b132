"""A task manager of another package, with whatever ids and mistakes, loses no message."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import Team
from support.cli import PATIENCE, ROOT
from support.tasked import UNTAKEN, in_file, kept
from test_tasks_load import Installed

# The file, but with ids longer than a message has room for, and a mistake where the settings say so.
LONG = """
from agent_team_os.tasks.file import TaskFile

LONG = "x" * 300


class Long(TaskFile):
    fails = ""

    def list(self, wanted):
        if self.fails == "list":
            raise RuntimeError("no \\x1b[2Jluck")
        return [{**task, "id": LONG + task["id"]} for task in super().list(wanted)]

    def create(self, task):
        made = super().create(task)
        return {**made, "id": LONG + made["id"]}

    def get(self, task_id):
        return super().get(task_id.removeprefix(LONG))

    def update(self, task_id, changes):
        if self.fails == "update":
            return {}["luck"]
        return super().update(task_id.removeprefix(LONG), changes)


def open_long(settings, place):
    manager = Long(place)
    manager.fails = settings["fails"]
    return manager
"""


class Office:
    """A program with that manager, which dev has."""

    def __init__(self, folder: Path, team: Team) -> None:
        self.team = team
        self.installed = Installed(folder, team)
        self.installed.add("long", "long = long:open_long", LONG)

    def fails(self, where: str) -> None:
        """Let the manager make a mistake in a method."""
        self.team.map(agents={"ops": {}, "dev": {"task_provider": {"kind": "long", "fails": where}}}, domains={})

    def run(self, agent: str, *args: str) -> tuple[Any, str]:
        """The document that `ato ARGS --json` prints, and its warnings."""
        program = str(ROOT / "scripts/agent_team_os/__main__.py")
        done = subprocess.run(
            [str(self.installed.python), "-I", "-S", program, *args, "--json"], cwd=self.team.root / agent,
            env=self.team.env, capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout), done.stderr


@pytest.fixture
def office(team: Team, tmp_path: Path) -> Office:
    """Nothing was sent yet."""
    return Office(tmp_path / "environment", team)


def test_an_id_that_is_too_long(office: Office) -> None:
    """A message has no room for it: the task is found by the message's own reference."""
    office.fails("")
    sent, _ = office.run("ops", "send", "dev", "note", "--summary", "x", "--task")
    assert sent["task_id"] == office.team.stored(sent)["task_id"] == f"ato://{sent['id']}"
    office.run("dev", "read", sent["id"])
    _, said = office.run("dev", "reply", sent["id"], "accept")
    assert UNTAKEN not in said
    assert [task["status"] for task in in_file(office.team)] == ["doing"]
    assert kept(office.team) == []


def test_mistakes(office: Office) -> None:
    """Whatever a provider raises is said in one visible line; the message goes out and the change is kept."""
    office.fails("list")
    sent, said = office.run("ops", "send", "dev", "note", "--summary", "x", "--task")
    assert f"{UNTAKEN}: the task provider long has failed: RuntimeError: no <U+001B>[2Jluck. It is kept" in said
    office.fails("update")
    _, said = office.run("dev", "reply", sent["id"], "accept")
    assert f"{UNTAKEN}: the task provider long has failed: KeyError: 'luck'. It is kept" in said
    assert len(kept(office.team)) == 1
    office.fails("")
    office.run("ops", "tasks", "list")
    assert [task["status"] for task in in_file(office.team)] == ["doing"]
    assert kept(office.team) == []
