"""The kind `taskwarrior`, with the real program `task`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Team
from support.cli import ORDINARY
from support.task_suite import Manager, TaskSuite


def task(data: Path, *args: str, given: str = "") -> str:
    """What the program prints when a person runs it on a folder, with no settings but these."""
    env = {"HOME": str(data), "PATH": os.environ["PATH"], "TASKRC": os.devnull, "TASKDATA": str(data)}
    quiet = ("rc.confirmation=off", "rc.verbose=nothing", "rc.gc=off", "rc.recurrence=off")
    done = subprocess.run(["task", *quiet, *args], input=given, capture_output=True, text=True, env=env, check=True)
    return done.stdout


@contextlib.contextmanager
def failing(manager: Manager, program: Path, script: str = "") -> Iterator[None]:
    """Another program in the place of `task`; without a script there is none."""
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)
    manager.settings["program"] = str(program)
    yield
    manager.settings["program"] = "task"


@pytest.fixture
def manager(team: Team, tmp_path: Path) -> Manager:
    """The data folder of a domain."""
    data = team.home / "tasks/side.taskwarrior"

    def fill(count: int) -> None:
        data.mkdir(parents=True)
        tasks = [
            {"uuid": f"{number:08x}-0000-4000-8000-000000000000", "description": f"task {number}",
             "entry": f"20260520T{number // 3600:02d}{number // 60 % 60:02d}{number % 60:02d}Z", "ato_agent": "dev"}
            for number in range(count)
        ]  # fmt: skip
        task(data, "rc.uda.ato_agent.type=string", "import", "-", given=json.dumps(tasks))

    program = tmp_path / "program"
    made = Manager(team, {"kind": "taskwarrior", "program": "task"}, fill, {})
    made.failures = {
        "no program": lambda: failing(made, tmp_path / "none"),
        "a program that fails": lambda: failing(made, program, "echo broken >&2; exit 1"),
        "a program that crashes": lambda: failing(made, program, "kill -SEGV $$"),
        "another program of that name": lambda: failing(made, program, "echo 'task: Task \"export\" does not exist'"),
        "other JSON": lambda: failing(made, program, 'echo \'[{"name":"x"}]\''),
    }
    return made


class TestTaskwarrior(TaskSuite):
    """All that every provider does."""


@pytest.fixture
def own(team: Team) -> Path:
    """The person's own Taskwarrior, that dev's domain uses: its folder."""
    data = team.root / ".task"
    data.mkdir()
    settings = {"kind": "taskwarrior", "data": "~/.task"}
    team.map(agents={"ops": {}, "dev": {"domain": "side"}}, domains={"side": {"task_provider": settings}})
    return data


def test_the_own_data_of_a_person(team: Team, own: Path) -> None:
    """What a person made with `task` is listed, and keeps all it has when it is changed; nothing else is made."""
    mine = {
        "uuid": "0a0b0c0d-0000-4000-8000-000000000000", "description": "[water] the plants", "status": "pending",
        "entry": "20260520T091812Z", "project": "home.garden", "tags": ["green"], "priority": "H", "estimate": "2.5",
        "scheduled": "20260601T000000Z", "annotations": [{"entry": "20260520T091813Z", "description": "[daily]"}],
    }  # fmt: skip
    task(own, "rc.uda.estimate.type=numeric", "import", "-", given=json.dumps(mine))
    (listed,) = team.json("dev", "tasks", "list")["tasks"]
    assert (listed["title"], listed["priority"], listed["assignee"]) == ("[water] the plants", "p0", None)
    assert team.json("dev", "tasks", "show", "0a0b")["notes"] == ["[daily]"]
    team.json("dev", "tasks", "start", "0a0b0c0d")
    (left,) = json.loads(task(own, "export"))
    assert {name: left[name] for name in mine} == mine
    assert left["start"]
    assert sorted(os.listdir(own)) == ["backlog.data", "completed.data", "pending.data", "undo.data"]
    assert not (team.home / "tasks").exists()


def test_what_is_no_task_of_anybody(team: Team, own: Path) -> None:
    """Deleted tasks and the templates of recurring ones are not listed, and their ids are of no task."""
    tasks = [
        {"uuid": "00000001-0000-4000-8000-000000000000", "description": "gone", "status": "deleted",
         "end": "20260520T091812Z"},
        {"uuid": "00000002-0000-4000-8000-000000000000", "description": "weekly", "status": "recurring",
         "recur": "weekly", "due": "20260601T000000Z"},
        {"uuid": "00000003-0000-4000-8000-000000000000", "description": "later", "status": "waiting",
         "wait": "20300601T000000Z"},
    ]  # fmt: skip
    task(own, "import", "-", given=json.dumps(tasks))
    assert [one["title"] for one in team.json("dev", "tasks", "list")["tasks"]] == ["later"]
    team.refused(1, "unknown-task", "dev", "tasks", "show", "00000001")
    team.refused(1, "unknown-task", "dev", "tasks", "done", "00000002-0000-4000-8000-000000000000")
    assert team.json("dev", "tasks", "start", "00000003")["status"] == "doing"
    assert len(json.loads(task(own, "export"))) == 3


def test_settings_of_the_person_do_not_matter(team: Team, own: Path) -> None:
    """Hooks, prompts, colours and contexts of the person's ~/.taskrc and environment change nothing."""
    hooks = team.root / ".task/hooks"
    hooks.mkdir()
    (hooks / "on-add.refuse").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "on-add.refuse").chmod(0o700)
    (team.root / ".taskrc").write_text(
        "data.location=/nowhere\nhooks=on\nreport.next.filter=none\njson.array=off\ncontext=work\ncontext.work=+work\n"
    )
    env = {"TASKRC": str(team.root / ".taskrc"), "TASKDATA": "/nowhere", "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    made = team.json("dev", "tasks", "add", "日本 🎉", "--due", "2026-05-23T18:00+02:00", **env)
    assert (made["title"], made["due"]) == ("日本 🎉", "2026-05-23T16:00:00Z")
    assert team.json("dev", "tasks", "list", **env)["tasks"] == [{**made, "blocked": False}]
    assert team.json("dev", "tasks", "list")["tasks"] == [{**made, "blocked": False}]


def test_what_a_person_wrote_may_be_odd(team: Team, own: Path) -> None:
    """A task with control characters, or with no agent and no thread in our attributes, is a task like others; its
    numbers stay when it is changed, also those that are 0.
    """
    odd = {
        "uuid": "0a0b0c0d-0000-4000-8000-000000000000", "description": "a\x1b[31mred\x07", "ato_agent": "Max M\x1b[2J",
        "ato_thread": "thread 1", "status": "pending", "recur": "weekly", "imask": 0, "due": "20300601T000000Z",
        "parent": "0a0b0c0e-0000-4000-8000-000000000000",
    }  # fmt: skip
    types = ("rc.uda.ato_agent.type=string", "rc.uda.ato_thread.type=string")
    task(own, *types, "import", "-", given=json.dumps(odd))
    assert b"\x1b" in (own / "pending.data").read_bytes()
    (listed,) = team.json("dev", "tasks", "list")["tasks"]
    assert (listed["title"], listed["assignee"], listed["thread_id"]) == (odd["description"], None, None)
    assert "\x1b" not in team.run("dev", "tasks", "list").stdout
    said = team.run("dev", "tasks", "start", "0a0b").stdout
    assert "\x1b" not in said
    assert "p2, nobody)" in said
    (left,) = json.loads(task(own, *types, "export"), strict=False)
    assert {name: left[name] for name in odd} == odd
    assert left["start"]


def test_part_of_an_id(team: Team, own: Path) -> None:
    """The first characters of an id are enough when no other begins so; the list shows eight."""
    tasks = [{"uuid": f"00000{number}-0000-4000-8000-000000000000", "description": "x"} for number in (100, 101, 200)]
    task(own, "import", "-", given=json.dumps(tasks))
    assert team.json("dev", "tasks", "show", "000002")["id"] == tasks[2]["uuid"]
    error = team.refused(1, "unknown-task", "dev", "tasks", "done", "000001")
    assert "fits 2 tasks" in error["message"]
    team.json("dev", "tasks", "depend", "000002", "00000100")
    assert "00000200" in team.run("dev", "tasks", "list").stdout
    assert "waits for 00000100" in team.run("dev", "tasks", "list").stdout
    made = team.json("dev", "tasks", "add", "y", "--depends", "00000101")
    assert made["depends_on"] == [tasks[1]["uuid"]]


def test_people_see_the_tasks_with_their_own_task(manager: Manager) -> None:
    """In the folder of a domain `task` shows priority, due time, start and end as a person knows them."""
    provider = manager.open()
    made = provider.create({"title": "x", "priority": "p1", "due": "2026-05-23T16:00:00Z", "assignee": "dev"})
    provider.update(made["id"], {"status": "doing", "note": "begun"})
    data = manager.team.home / "tasks/side.taskwarrior"
    (kept,) = json.loads(task(data, "export"))
    assert (kept["status"], kept["priority"], kept["due"]) == ("pending", "M", "20260523T160000Z")
    assert (kept["ato_agent"], kept["annotations"][0]["description"]) == ("dev", "begun")
    assert kept["start"]
    provider.close(made["id"])
    (kept,) = json.loads(task(data, "export"))
    assert kept["status"] == "completed"
    assert kept["end"]
    assert "start" not in kept
    for path in (data, *data.iterdir()):
        assert path.stat().st_mode & 0o077 == 0


def test_a_folder_of_the_person_s_that_is_not_there(team: Team, own: Path) -> None:
    """A data folder a person has named and that is not there is not made: it may be a slip."""
    own.rmdir()
    for args in (["list"], ["add", "x"]):
        error = team.refused(70, "task-provider", "dev", "tasks", *args)
        assert "is no folder" in error["message"]


def test_a_path_of_any_kind(team: Team) -> None:
    """A data folder may have spaces and other characters in its name."""
    data = team.root / "a b: (c) rc.x=y é"
    data.mkdir()
    team.map(agents={"ops": {}, "dev": {"task_provider": {"kind": "taskwarrior", "data": str(data)}}})
    made = team.json("dev", "tasks", "add", "x")
    assert team.json("dev", "tasks", "list")["tasks"][0]["id"] == made["id"]
    assert (data / "pending.data").stat().st_size


def test_without_the_program(team: Team, own: Path, tmp_path: Path) -> None:
    """Where `task` is not installed every verb says so and how to install it, and changes nothing."""
    for name in ORDINARY[:1]:
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    for args in (["list"], ["show", "0a0b"], ["add", "x"], ["start", "0a0b"], ["done", "0a0b"]):
        error = team.refused(70, "task-provider", "dev", "tasks", *args, PATH=str(tmp_path))
        assert "no program task" in error["message"]
        assert "apt install taskwarrior" in error["hint"]
