"""The kind `file`: tasks in a file of the bus home, as safe as mail and readable by people."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from conftest import Team
from support.cli import ROOT
from support.task_suite import Manager, TaskSuite

SCHEMA = json.loads((ROOT / "schemas/tasks.schema.json").read_bytes())


def path_of(team: Team) -> Path:
    """The file of dev's domain."""
    return team.home / "tasks/side.json"


@contextlib.contextmanager
def holding(path: Path, content: bytes) -> Iterator[None]:
    """Other content in the file as long as the `with` lasts; afterwards it must still be there."""
    before = path.read_bytes()
    path.write_bytes(content)
    yield
    assert path.read_bytes() == content
    path.write_bytes(before)


@contextlib.contextmanager
def linked(path: Path) -> Iterator[None]:
    """A symbolic link in the place of the file."""
    real = path.with_name("real.json")
    path.rename(real)
    path.symlink_to(real)
    yield
    assert path.is_symlink()
    real.replace(path)


@pytest.fixture
def manager(team: Team) -> Manager:
    """The file of a domain."""

    def fill(count: int) -> None:
        tasks = [{"id": f"t-{number + 1}", "title": f"task {number}", "assignee": "dev"} for number in range(count)]
        path_of(team).parent.mkdir()
        path_of(team).write_text(json.dumps({"version": "2.0", "tasks": tasks}))

    path = path_of(team)
    failures = {
        "half a file": lambda: holding(path, b'{\n"version":"2.0",\n"tasks":['),
        "no JSON": lambda: holding(path, b"- [ ] buy milk\n"),
        "another document": lambda: holding(path, b'{"version":"2.0","subject":"x"}'),
        "a later version": lambda: holding(path, b'{"version":"3.0","tasks":[]}'),
        "an id twice": lambda: holding(
            path, b'{"version":"2.0","tasks":[{"id":"t-1","title":"a"},\n{"id":"t-1","title":"b"}]}'
        ),
        "a link": lambda: linked(path),
    }
    return Manager(team, {"kind": "file"}, fill, failures)


class TestFile(TaskSuite):
    """All that every provider does."""


def test_the_file_is_for_people(team: Team) -> None:
    """The file has a line for each task, is nobody else's to read, and is valid by its schema."""
    for title in ("one", "two"):
        team.json("dev", "tasks", "add", title)
    path = team.home / "tasks/_none.json"
    lines = [line.strip() for line in path.read_text().splitlines()]
    assert [line.partition(",")[0] for line in lines if line.startswith('{"id"')] == ['{"id":"t-1"', '{"id":"t-2"']
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    jsonschema.validate(json.loads(path.read_bytes()), SCHEMA)


def test_what_a_person_wrote_is_kept(manager: Manager) -> None:
    """A task may be written by hand with an id and a title; keys of others stay, in the file and in each task."""
    path = path_of(manager.team)
    path.parent.mkdir()
    mine = {"id": "t-7", "title": "by hand", "due": "2026-05-23T18:00+02:00", "mood": "good"}
    path.write_text(json.dumps({"version": "2.0", "owner": "max", "tasks": [mine]}))
    provider = manager.open()
    assert provider.get("t-7") == {
        "id": "t-7", "title": "by hand", "status": "todo", "assignee": None, "priority": "p2", "depends_on": [],
        "due": "2026-05-23T16:00:00Z", "refs": [], "thread_id": None, "notes": [],
    }  # fmt: skip
    provider.update("t-7", {"status": "doing"})
    document = json.loads(path.read_bytes())
    assert document["owner"] == "max"
    assert document["tasks"] == [{**mine, "status": "doing"}]


def test_no_id_is_given_twice(manager: Manager) -> None:
    """Numbers go up, past those a person wrote, and the number of a task that was taken out is not used again."""
    path, provider = path_of(manager.team), manager.open()
    assert [provider.create({"title": "x"})["id"] for _ in range(2)] == ["t-1", "t-2"]
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "tasks": document["tasks"][:1]}))
    assert provider.create({"title": "x"})["id"] == "t-3"
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "tasks": [*document["tasks"], {"id": "t-40", "title": "by hand"}]}))
    assert provider.create({"title": "x"})["id"] == "t-41"


def test_a_dependency_that_is_gone_does_not_block(manager: Manager) -> None:
    """A task whose dependency a person has taken out is not blocked, and can be changed."""
    path, provider = path_of(manager.team), manager.open()
    path.parent.mkdir()
    path.write_text(json.dumps({"version": "2.0", "tasks": [{"id": "t-2", "title": "x", "depends_on": ["t-1"]}]}))
    assert manager.run("list")["tasks"][0]["blocked"] is False
    other = provider.create({"title": "y"})
    assert manager.run("depend", "t-2", other["id"])["depends_on"] == ["t-1", other["id"]]


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b'{\n"version":"2.0",\n"tasks":[\n', "line 4"),
        (b'{"version":"2.0",\n"tasks":[{"id":"t-1","title":"a"},\n{"id":"t-2","title":7}]}', "line 3"),
        (b'{"version":"2.0",\n"tasks":[{"id":"t-1","title":"a"},\n\n{"id":"t-1","title":"b"}]}', "line 4"),
        (b'{"version":"2.0","tasks":[{"id":"t-1","title":"a","status":"blocked"}]}', "line 1"),
        (b'\xff', "byte 0"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_with_its_line(content: bytes, where: str, team: Team) -> None:
    """A file that is wrong stays as it is; every verb names it with the line and what to do."""
    path = team.home / "tasks/_none.json"
    path.parent.mkdir()
    path.write_bytes(content)
    for args in (["list"], ["show", "t-1"], ["add", "x"], ["done", "t-1"]):
        error = team.refused(70, "task-provider", "dev", "tasks", *args)
        assert str(path) in error["message"]
        assert where in error["message"]
        assert "Mend the file" in error["hint"]
    assert path.read_bytes() == content


def test_a_linked_folder_is_refused(team: Team, tmp_path: Path) -> None:
    """No task goes through a symbolic link in the place of the folder."""
    (tmp_path / "elsewhere").mkdir()
    (team.home / "tasks").symlink_to(tmp_path / "elsewhere")
    team.run("dev", "tasks", "add", "x")
    assert team.run("dev", "tasks", "add", "x").returncode in (70, 73)
    assert team.run("dev", "tasks", "list").returncode in (70, 73)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_what_cannot_be_written_is_not_done(team: Team) -> None:
    """Where the folder cannot be written the task is not made, and that is said."""
    team.json("dev", "tasks", "add", "one")
    folder = team.home / "tasks"
    folder.chmod(0o500)
    error = team.refused(70, "task-provider", "dev", "tasks", "add", "two")
    folder.chmod(0o700)
    assert "cannot be written" in error["message"]
    assert [task["title"] for task in team.json("dev", "tasks", "list")["tasks"]] == ["one"]
