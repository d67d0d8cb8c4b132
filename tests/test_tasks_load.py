"""Which task manager an agent has: its own, its domain's, or the file; and those that other packages bring."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.protocol.errors import InvalidMap, LockBusy
from agent_team_os.storage import lock
from agent_team_os.tasks import load
from agent_team_os.tasks.file import TaskFile
from agent_team_os.tasks.mcp import Tools
from agent_team_os.tasks.provider import UseTool
from agent_team_os.tasks.taskwarrior import Taskwarrior
from conftest import Team
from support.cli import PATIENCE, ROOT
from test_tasks_mcp import SETTINGS as LINEAR

# A provider of another package, that keeps its tasks in memory, which is enough for one command.
TRACKER = '''
"""A task manager."""

from agent_team_os.tasks import check
from agent_team_os.tasks.provider import FieldMap, TaskProviderFailed

WORDS = {"todo": "todo", "doing": "doing", "done": "done"}


class Tracker:
    mapping = FieldMap(WORDS, {f"p{n}": str(n) for n in range(4)}, "assignee", "depends_on", {})

    def __init__(self, team):
        self.team = team

    def list(self, wanted):
        made = self.create({"title": f"a task of {self.team}"})
        return [made] if check.fits(made, wanted) else []

    def get(self, task_id):
        raise check.unknown(task_id)

    def create(self, task):
        return {**check.new(task), "id": "tracker-1"}

    def update(self, task_id, changes):
        raise TaskProviderFailed("the tracker is closed", "Come back tomorrow.")

    def close(self, task_id):
        return self.update(task_id, {"status": "done"})


def open_tracker(settings, place):
    return Tracker(f"{settings['team']} for {place.domain}")
'''


def provider(agent: str, **agent_map: Any) -> Any:
    """The provider of an agent."""
    return load.provider_of("/nowhere", agent_map, agent)


def test_the_nearest_setting_counts() -> None:
    """An agent's own setting goes before its domain's, that before the file; another agent's does not matter."""
    agents = {"dev": {"domain": "side"}, "ops": {"domain": "side", "task_provider": LINEAR}, "max": {}}
    domains = {"side": {"task_provider": {"kind": "taskwarrior"}}, "work": {"task_provider": LINEAR}}
    assert isinstance(provider("ops", agents=agents, domains=domains), Tools)
    assert isinstance(provider("dev", agents=agents, domains=domains), Taskwarrior)
    assert isinstance(provider("dev", agents=agents), TaskFile)
    assert isinstance(provider("max", agents=agents, domains=domains), TaskFile)
    assert isinstance(provider("nobody"), TaskFile)


@pytest.mark.parametrize("kind", ["jira", "File", "", "../file", "load", "agent_team_os.tasks.file"])
def test_a_kind_that_nobody_offers(kind: str) -> None:
    """An unknown kind is an invalid map, and the kinds there are are named."""
    with pytest.raises(InvalidMap) as refusal:
        provider("dev", agents={"dev": {"task_provider": {"kind": kind}}})
    assert "file, github, mcp, taskwarrior" in refusal.value.message


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "file", "path": "/tmp/x"}, {"kind": "taskwarrior", "data": ""}, {"kind": "taskwarrior", "program": 1},
        {"kind": "taskwarrior", "data": "a\0b"}, {"kind": "taskwarrior", "rc": "x"}, {"kind": "mcp"},
    ],
)  # fmt: skip
def test_settings_a_kind_cannot_use(settings: dict[str, Any]) -> None:
    """A setting that means nothing is an invalid map, not silently ignored."""
    with pytest.raises(InvalidMap):
        provider("dev", agents={"dev": {"task_provider": settings}})


def test_a_map_with_a_wrong_kind_still_carries_mail(team: Team) -> None:
    """Only what needs a task manager is refused when its settings are wrong."""
    team.map(agents={"ops": {}, "dev": {"task_provider": {"kind": "jira"}}})
    team.refused(4, "invalid-map", "dev", "tasks", "list")
    team.ask("ops", "dev")
    assert team.json("dev", "inbox")["count"] == 1


# ---- A look, and a change that rests on it


def test_who_ensures_a_task_holds_others_off(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody looks for the task of a reference nobody else makes it; other references are free."""
    home, provider = str(team.home), load.provider_of(str(team.home), {}, "dev")
    monkeypatch.setattr(load, "_PATIENCE", 0.0)
    with lock.guard(home, "@task-" + lock.bucket("x:1")):
        with pytest.raises(LockBusy):
            load.ensure(provider, {"title": "x"}, "x:1", home)
        assert load.ensure(provider, {"title": "x"}, "x:2", home)["refs"] == ["x:2"]
    assert [task["refs"] for task in provider.list({})] == [["x:2"]]


def test_who_adds_dependencies_holds_others_off(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody adds to what tasks wait for nobody else does, whichever way the task is named."""
    home, provider = str(team.home), load.provider_of(str(team.home), {}, "dev")
    made = [provider.create({"title": "x"})["id"] for _ in range(2)]
    monkeypatch.setattr(load, "_PATIENCE", 0.0)
    with lock.guard(home, "@task-" + lock.bucket("depend")), pytest.raises(LockBusy):
        load.depend(provider, made[0], made[1:], home)
    assert load.depend(provider, made[0], made[1:], home)["depends_on"] == made[1:]


def test_a_task_only_the_model_can_make_is_asked_for(team: Team) -> None:
    """Where only the model can look for a task, ensuring it asks for the tool that makes it, with the reference."""
    tools = load.provider_of(str(team.home), {"agents": {"dev": {"task_provider": LINEAR}}}, "dev")
    with pytest.raises(UseTool) as asked:
        load.ensure(tools, {"title": "x", "refs": ["file:///a"]}, "x:1", str(team.home))
    assert asked.value.tool == LINEAR["tools"]["create"]
    assert asked.value.arguments["refs"] == ["file:///a", "x:1"]


# ---- A provider of another package


class Installed:
    """An environment of its own in which the program is started, as its launcher starts it."""

    def __init__(self, folder: Path, team: Team) -> None:
        self.team = team
        (folder / "bin").mkdir(parents=True)
        (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
        self.python = folder / "bin/python"
        self.python.symlink_to(Path(sys.executable).resolve())
        self.packages = folder / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
        self.packages.mkdir(parents=True)
        for package in Path(sysconfig.get_path("purelib")).iterdir():
            (self.packages / package.name).symlink_to(package)

    def add(self, name: str, points: str, code: str = TRACKER) -> None:
        """Install a package with entry points, as pip leaves it."""
        (self.packages / f"{name}.py").write_text(code)
        about = self.packages / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[{load.GROUP}]\n{points}\n")

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """`ato tasks ARGS` of dev."""
        command = [str(self.python), "-I", "-S", str(ROOT / "scripts/agent_team_os/__main__.py"), "tasks", *args]
        return subprocess.run(
            command, cwd=self.team.root / "dev", env=self.team.env, capture_output=True, text=True, check=False,
            timeout=PATIENCE,
        )  # fmt: skip


@pytest.fixture
def installed(team: Team, tmp_path: Path) -> Installed:
    """A program whose environment has no provider yet; dev's domain asks for a tracker."""
    settings = {"kind": "tracker", "team": "blue"}
    team.map(
        agents={"ops": {}, "dev": {"domain": "side"}},
        domains={"side": {"task_provider": settings}},
    )
    return Installed(tmp_path / "environment", team)


def test_a_provider_of_another_package(installed: Installed) -> None:
    """A package that is installed beside the program brings a kind, by an entry point, with settings of its own."""
    installed.add("tracker", "tracker = tracker:open_tracker\nother = tracker:nothing")
    done = installed.run("list", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (task,) = json.loads(done.stdout)["tasks"]
    assert (task["id"], task["title"]) == ("tracker-1", "a task of blue for side")
    assert "Added tracker-1." in installed.run("add", "x").stdout
    done = installed.run("start", "tracker-1", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (70, "task-provider")
    assert "the tracker is closed" in done.stdout


def test_a_provider_that_is_not_installed(installed: Installed) -> None:
    """Without the package its kind is unknown, and those that are installed are named."""
    installed.add("another", "board = another:open_tracker")
    done = installed.run("list")
    assert done.returncode == 4
    assert 'no task provider "tracker" (there are: board, file, github, mcp, taskwarrior)' in done.stderr


def test_a_provider_that_cannot_be_loaded(installed: Installed) -> None:
    """A package that breaks when it is imported is one line that says so, and no traceback."""
    installed.add("tracker", "tracker = tracker:open_tracker", "import nothing_of_that_name")
    done = installed.run("list")
    assert (done.returncode, done.stderr.count("\n")) == (70, 1)
    assert "nothing_of_that_name" in done.stderr


def test_two_packages_with_one_kind(installed: Installed) -> None:
    """Of two packages that bring the same kind none is taken by chance."""
    installed.add("tracker", "tracker = tracker:open_tracker")
    installed.add("another", "tracker = another:open_tracker")
    done = installed.run("list")
    assert done.returncode == 4
    assert "more than one package" in done.stderr


def test_a_package_cannot_replace_what_is_built_in(installed: Installed) -> None:
    """The kinds of this program stay its own."""
    installed.add("tracker", "file = tracker:open_tracker")
    installed.team.map(domains={"side": {"task_provider": {"kind": "file"}}})
    assert json.loads(installed.run("list", "--json").stdout) == {"tasks": []}
    assert not os.path.lexists(installed.team.home / "tasks")


def test_the_provider_of_the_docs_works(installed: Installed) -> None:
    """The provider docs/task-providers.md shows, installed under the entry point it shows, keeps tasks."""
    page = (ROOT / "docs/task-providers.md").read_text()
    ((_, point),) = re.findall(r"```toml\n\[project.entry-points.\"(.*)\"\]\n(.*)\n```", page)
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    kind, _, entry = point.replace('"', "").partition(" = ")
    installed.add(entry.partition(":")[0], f"{kind} = {entry}", code)
    settings = {"kind": kind, "path": "~/notes.json"}
    installed.team.map(domains={"side": {"task_provider": settings}})
    for args in (["add", "first"], ["add", "second", "--depends", "note-1"], ["start", "note-1"]):
        done = installed.run(*args)
        assert done.returncode == 0, done.stderr
    tasks = json.loads(installed.run("list", "--json").stdout)["tasks"]
    assert [(task["title"], task["status"], task["blocked"]) for task in tasks] == [
        ("first", "doing", False),
        ("second", "todo", True),
    ]
    (installed.team.root / "notes.json").write_text("no JSON")
    assert installed.run("list").returncode == 70
