"""Providers that other packages bring: found by their entry point, and blamed for what goes wrong in them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from agent_team_os.tasks import load
from conftest import Team
from support.cli import PATIENCE, ROOT

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

    def run(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`ato tasks ARGS` of dev."""
        command = [str(self.python), "-I", "-S", str(ROOT / "scripts/agent_team_os/__main__.py"), "tasks", *args]
        return subprocess.run(
            command, cwd=self.team.root / "dev", env={**self.team.env, **env}, capture_output=True, text=True,
            check=False, timeout=PATIENCE,
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
    for wrong in ({"kind": kind}, {**settings, "path": 1}, {**settings, "folder": "~"}):
        installed.team.map(domains={"side": {"task_provider": wrong}})
        done = installed.run("list", "--json")
        assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (4, "invalid-map")


# ---- What goes wrong in it


@pytest.mark.parametrize("verb", [["list"], ["show", "x"], ["add", "x"], ["start", "x"], ["done", "x"]], ids=" ".join)
def test_what_breaks_in_it_is_its_own(verb: list[str], installed: Installed) -> None:
    """Whatever a method of another package raises is a failure of its kind, also what looks like one of the disk."""
    raising = "def broken(self, *args):\n    raise OSError(5, 'no net')\n\n\n"
    methods = "".join(f"Tracker.{name} = broken\n" for name in ("list", "get", "create", "update", "close"))
    installed.add("tracker", "tracker = tracker:open_tracker", f"{TRACKER}\n\n{raising}{methods}")
    done = installed.run(*verb, "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (70, "task-provider"), done.stderr
    assert error["message"].startswith("the task provider tracker has failed: OSError: ")
    assert "settings" in error["hint"]
    traced = installed.run(*verb, AGENT_TEAM_OS_DEBUG="1")
    assert "in broken" in traced.stderr


def test_what_breaks_when_it_is_opened(installed: Installed) -> None:
    """So is what goes wrong while it is opened."""
    installed.add("tracker", "tracker = tracker:open_tracker")
    installed.team.map(domains={"side": {"task_provider": {"kind": "tracker"}}})  # without its team
    done = installed.run("list")
    assert done.returncode == 70
    assert "the task provider tracker has failed: KeyError: 'team'" in done.stderr
    assert "report this" not in done.stderr


@pytest.mark.parametrize(
    "answer",
    ["None", "[]", '{"id": "x", "title": "x"}', '{**FULL, "status": "open"}', '{**FULL, "assignee": 7}',
     '{**FULL, "depends_on": None}', '{**FULL, "due": "soon"}', '{**FULL, "notes": "none"}', '{**FULL, "id": ""}'],
)  # fmt: skip
def test_what_is_no_task_is_its_failure(answer: str, installed: Installed) -> None:
    """An answer that is no task with all its fields is a failure of the kind, in every verb."""
    full = "FULL = {**check.new({'title': 'x'}), 'id': 'x'}"
    code = f"{TRACKER}\n\n{full}\n\n\ndef answer(*args):\n    return {answer}\n"
    methods = "".join(f"Tracker.{name} = answer\n" for name in ("get", "create", "update", "close"))
    listing = "Tracker.list = lambda self, wanted: [answer()]\n"
    installed.add("tracker", "tracker = tracker:open_tracker", f"{code}\n\n{methods}{listing}")
    for verb in (["list"], ["show", "x"], ["add", "x"], ["start", "x"], ["done", "x"]):
        done = installed.run(*verb)
        assert done.returncode == 70
        assert "the task provider tracker has given" in done.stderr


def test_what_it_says_of_ids_is_kept(installed: Installed) -> None:
    """A method `short` is how its ids are shown, as with the kinds of this program."""
    installed.add(
        "tracker", "tracker = tracker:open_tracker", f"{TRACKER}\n\nTracker.short = lambda self, task_id: task_id[-1]\n"
    )
    assert installed.run("add", "x").stdout.startswith("Added 1.\n")


def test_nothing_it_gives_is_hidden(installed: Installed) -> None:
    """An assignee that is no agent name may be anything, and is shown with its control characters visible."""
    odd = "Tracker.create = lambda self, task: {**check.new(task), 'id': 'x', 'assignee': 'a\\x1b[2J'}\n"
    installed.add("tracker", "tracker = tracker:open_tracker", f"{TRACKER}\n\n{odd}")
    said = installed.run("add", "x").stdout
    assert "\x1b" not in said
    assert "p2, a<U+001B>[2J)" in said
