"""What every task provider has to do: one suite of tests, run against each manager that can run.

class TestFile(TaskSuite):
    @pytest.fixture
    def manager(self, team: Team) -> Manager: ...

A test file for a provider makes a class of `TaskSuite` and gives it the fixture `manager`: the settings a person would
write into the agent map, and what only that manager's own means can do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agent_team_os.tasks import load
from agent_team_os.tasks.provider import (
    PRIORITIES,
    STATUSES,
    InvalidTask,
    TaskProvider,
    TaskProviderFailed,
    UnknownTask,
    blocked,
)
from support.task_manager import (
    BARE,
    CHANGES,
    DUE,
    EMPTY,
    FULL,
    NO_IDS,
    REFS,
    THREAD,
    TITLES,
    WRITE,
    WRONG,
    Manager,
    fields,
    titles,
)

__all__ = ["TITLES", "WRONG", "Manager", "TaskSuite", "titles"]


class TaskSuite:
    """The tests; a subclass gives the fixture `manager`."""

    @pytest.fixture
    def provider(self, manager: Manager) -> TaskProvider:
        """The manager, empty."""
        return manager.open()

    # ---- Making and finding

    def test_it_begins_empty(self, provider: TaskProvider) -> None:
        """A manager nobody has used has no tasks."""
        assert provider.list({}) == []

    def test_a_task_comes_back_as_it_was_made(self, manager: Manager, provider: TaskProvider) -> None:
        """A task with all its fields is the same when made, when read by its id, and in the list, in any process."""
        made = provider.create(FULL)  # type: ignore[arg-type]
        assert fields(made) == {**BARE, **FULL}
        assert provider.get(made["id"]).items() >= made.items()
        assert manager.open().list({}) == [made]
        assert manager.run("list")["tasks"] == [{**made, "blocked": False}]

    def test_a_title_is_enough(self, provider: TaskProvider) -> None:
        """A task with nothing but a title waits to be begun, is nobody's, and is as urgent as most."""
        made = provider.create({"title": "Login loops"})
        assert fields(made) == {**BARE, "title": "Login loops"}

    def test_a_due_time_is_kept_to_the_second_in_utc(self, provider: TaskProvider) -> None:
        """A due time of any zone comes back as the same moment in UTC."""
        assert provider.create({"title": "x", "due": "2026-05-23T18:00+02:00"})["due"] == DUE

    def test_tasks_are_listed_in_the_order_made(self, provider: TaskProvider) -> None:
        """The list has the oldest first, whatever has become of them since."""
        made = [provider.create({"title": f"task {number}"}) for number in range(5)]
        provider.close(made[1]["id"])
        provider.update(made[3]["id"], {"title": "task three"})
        assert titles(provider.list({})) == ["task 0", "task 1", "task 2", "task three", "task 4"]

    def test_filters(self, provider: TaskProvider) -> None:
        """Each filter gives the tasks that fit, several together those that fit all."""
        one = provider.create({"title": "one", "assignee": "dev", "refs": REFS, "thread_id": THREAD})
        two = provider.create({"title": "two", "assignee": "ops", "refs": REFS[:1]})
        three = provider.create({"title": "three", "assignee": "dev"})
        provider.update(two["id"], {"status": "doing"})
        provider.close(three["id"])
        assert titles(provider.list({"status": "todo"})) == ["one"]
        assert titles(provider.list({"status": "doing"})) == ["two"]
        assert titles(provider.list({"status": "done"})) == ["three"]
        assert titles(provider.list({"assignee": "dev"})) == ["one", "three"]
        assert titles(provider.list({"assignee": "nobody"})) == []
        assert titles(provider.list({"ref": REFS[0]})) == ["one", "two"]
        assert provider.list({"ref": REFS[1]}) == [one]
        assert titles(provider.list({"ref": REFS[0][:-1]})) == []
        assert titles(provider.list({"thread_id": THREAD})) == ["one"]
        assert titles(provider.list({"status": "done", "assignee": "dev"})) == ["three"]
        assert titles(provider.list({"status": "done", "assignee": "ops"})) == []

    @pytest.mark.parametrize("kind", TITLES)
    def test_titles_are_only_text(self, kind: str, manager: Manager, provider: TaskProvider) -> None:
        """A title in any script, and one that looks like a command, comes back letter for letter and does nothing."""
        made = provider.create({"title": TITLES[kind]})
        assert fields(made) == {**BARE, "title": TITLES[kind]}
        other = manager.run("add", "--", TITLES[kind])
        assert titles(provider.list({})) == [TITLES[kind]] * 2
        assert provider.update(other["id"], {"title": "plain"})["title"] == "plain"
        assert provider.update(other["id"], {"title": TITLES[kind]})["title"] == TITLES[kind]

    @pytest.mark.parametrize("kind", WRONG)
    def test_what_is_no_task_is_refused(self, kind: str, provider: TaskProvider) -> None:
        """A field that is not what it must be is InvalidTask, in a new task and in a change, and nothing is done."""
        made = provider.create({"title": "as it was"})
        with pytest.raises(InvalidTask):
            provider.create({"title": "x", **WRONG[kind]})  # type: ignore[typeddict-item]
        with pytest.raises(InvalidTask):
            provider.update(made["id"], WRONG[kind])  # type: ignore[arg-type]
        assert provider.list({}) == [made]

    def test_ids_of_nothing(self, provider: TaskProvider) -> None:
        """An id of no task is UnknownTask, whatever it looks like, and nothing is done."""
        made = provider.create({"title": "as it was"})
        for wrong in NO_IDS:
            if wrong == made["id"]:
                continue
            with pytest.raises(UnknownTask):
                provider.get(wrong)
            with pytest.raises(UnknownTask):
                provider.update(wrong, {"title": "x"})
            with pytest.raises(UnknownTask):
                provider.close(wrong)
        assert provider.list({}) == [made]

    # ---- Changing

    @pytest.mark.parametrize("name", CHANGES)
    def test_a_change_of_one_field_leaves_the_others(self, name: str, manager: Manager, provider: TaskProvider) -> None:
        """A change sets what it names, keeps the rest, and touches no other task."""
        other = provider.create(FULL)  # type: ignore[arg-type]
        made = provider.create(FULL)  # type: ignore[arg-type]
        changed = provider.update(made["id"], {name: CHANGES[name]})  # type: ignore[misc]
        assert changed == {**made, name: CHANGES[name]}
        assert manager.open().list({}) == [other, changed]

    @pytest.mark.parametrize("name", EMPTY)
    def test_a_field_can_be_emptied(self, name: str, provider: TaskProvider) -> None:
        """What a task need not have can be taken away again."""
        made = provider.create(FULL)  # type: ignore[arg-type]
        assert provider.update(made["id"], {name: EMPTY[name]}) == {**made, name: EMPTY[name]}  # type: ignore[misc]

    def test_all_at_once(self, provider: TaskProvider) -> None:
        """Several fields are changed together."""
        made = provider.create(FULL)  # type: ignore[arg-type]
        assert provider.update(made["id"], CHANGES) == {**made, **CHANGES}  # type: ignore[arg-type]

    @pytest.mark.parametrize("priority", PRIORITIES)
    def test_priorities(self, priority: Any, provider: TaskProvider) -> None:
        """Each priority is kept apart from the others, when made and when changed."""
        made = provider.create({"title": "x", "priority": priority})
        assert made["priority"] == priority
        for other in PRIORITIES:
            assert provider.update(made["id"], {"priority": other})["priority"] == other

    def test_from_any_status_to_any_other(self, provider: TaskProvider) -> None:
        """A task can go from each status to each."""
        made = provider.create({"title": "x"})
        for before in STATUSES:
            for after in STATUSES:
                provider.update(made["id"], {"status": before})
                assert provider.update(made["id"], {"status": after}) == {**made, "status": after}

    def test_closing_twice(self, provider: TaskProvider) -> None:
        """A task that is closed is done; closing it again changes nothing."""
        made = provider.create(FULL)  # type: ignore[arg-type]
        assert provider.close(made["id"]) == {**made, "status": "done"}
        assert provider.close(made["id"]) == {**made, "status": "done"}

    def test_remarks(self, provider: TaskProvider) -> None:
        """A note changes no field, is kept beside those before it, and is read with the task; it may have lines."""
        made = provider.create(FULL)  # type: ignore[arg-type]
        words = ["declined: no time", TITLES["markup"], "two\nlines 🎉"]
        for note in words:
            assert fields(provider.update(made["id"], {"note": note})) == fields(made)
        provider.update(made["id"], {"note": "and begun", "status": "doing"})
        got = provider.get(made["id"])
        assert got["notes"] == [*words, "and begun"]
        assert got["status"] == "doing"

    # ---- Depending

    def test_what_waits_is_derived(self, manager: Manager, provider: TaskProvider) -> None:
        """A task is blocked as long as one it depends on is not done, and is so again when that is reopened."""

        def waits() -> dict[str, bool]:
            tasks = {task["id"]: task for task in manager.open().list({})}
            return {task["title"]: blocked(task, tasks) for task in tasks.values()}

        first = provider.create({"title": "first"})
        second = provider.create({"title": "second", "depends_on": [first["id"]]})
        third = provider.create({"title": "third"})
        changed = provider.update(third["id"], {"depends_on": [first["id"], second["id"]]})
        assert sorted(changed["depends_on"]) == sorted([first["id"], second["id"]])
        assert waits() == {"first": False, "second": True, "third": True}
        provider.close(first["id"])
        assert waits() == {"first": False, "second": False, "third": True}
        assert titles(manager.run("list", "--blocked")["tasks"]) == ["third"]
        provider.update(first["id"], {"status": "todo"})
        assert waits() == {"first": False, "second": True, "third": True}
        assert provider.update(third["id"], {"depends_on": []})["depends_on"] == []
        assert waits() == {"first": False, "second": True, "third": False}

    def test_no_task_waits_for_itself(self, provider: TaskProvider) -> None:
        """A dependency on itself, directly or over others, is InvalidTask; one on nothing is UnknownTask."""
        first = provider.create({"title": "first"})
        second = provider.create({"title": "second", "depends_on": [first["id"]]})
        third = provider.create({"title": "third", "depends_on": [second["id"]]})
        for wrong in (first, second, third):
            with pytest.raises(InvalidTask):
                provider.update(first["id"], {"depends_on": [wrong["id"]]})
        for unknown in NO_IDS[1:4]:
            with pytest.raises(UnknownTask):
                provider.update(first["id"], {"depends_on": [unknown]})
            with pytest.raises(UnknownTask):
                provider.create({"title": "x", "depends_on": [unknown]})
        assert provider.list({}) == [first, second, third]

    # ---- Many, at once, and broken

    def test_many(self, manager: Manager, provider: TaskProvider) -> None:
        """Among many tasks all are listed, and each is found, made and changed."""
        manager.fill(manager.many)
        every = provider.list({})
        assert titles(every) == [f"task {number}" for number in range(manager.many)]
        assert len({task["id"] for task in every}) == manager.many
        assert len(provider.list({"assignee": "dev", "status": "todo"})) == manager.many
        made = provider.create({"title": "one more", "depends_on": [every[-1]["id"]]})
        assert provider.close(every[0]["id"])["status"] == "done"
        assert provider.get(made["id"]).items() >= made.items()
        listed = manager.run("list")["tasks"]
        assert len(listed) == manager.many + 1
        assert (listed[0]["status"], listed[-1]["blocked"]) == ("done", True)

    def test_two_writers_at_once(self, manager: Manager, provider: TaskProvider) -> None:
        """Of what two processes do at once, in different tasks and in one, nothing is lost."""
        shared = provider.create({"title": "shared"})
        manager.at_once(WRITE, shared["id"])
        expected = {f"{name} {number}" for name in ("one", "two") for number in range(manager.writes)}
        assert set(titles(provider.list({}))) == {"shared", *expected}
        assert len(provider.list({})) == 1 + len(expected)
        got = provider.get(shared["id"])
        assert (got["assignee"], got["priority"]) == ("dev", "p0")
        assert set(got["notes"]) == expected

    def test_a_manager_that_fails(self, manager: Manager, provider: TaskProvider) -> None:
        """A manager that is missing or fails is TaskProviderFailed, with what to do next, and nothing is done."""
        made = provider.create(FULL)  # type: ignore[arg-type]
        ways: dict[str, Callable[[], Any]] = {
            "list": lambda: manager.open().list({}),
            "get": lambda: manager.open().get(made["id"]),
            "create": lambda: manager.open().create({"title": "x"}),
            "update": lambda: manager.open().update(made["id"], {"title": "x"}),
            "close": lambda: manager.open().close(made["id"]),
        }
        assert manager.failures
        for what, failing in manager.failures.items():
            for name, way in ways.items():
                with failing(), pytest.raises(TaskProviderFailed) as failure:
                    way()
                assert failure.value.message, f"{what}, {name}"
                assert failure.value.hint, f"{what}, {name}: {failure.value.message}"
        assert manager.open().list({}) == [made]

    # ---- For callers

    def test_a_task_is_ensured_once(self, manager: Manager, provider: TaskProvider) -> None:
        """Ensured again, also after it was changed or done, a task with that reference is the one there is."""
        home, ref = str(manager.team.home), "agent-team-os:msg-20260520T091812Z-x7q3abcd"
        made = load.ensure(provider, {"title": "x", "refs": REFS[:1]}, ref, home)
        assert sorted(made["refs"]) == sorted([ref, REFS[0]])
        assert load.ensure(manager.open(), {"title": "y"}, ref, home) == made
        done = provider.close(made["id"])
        assert load.ensure(manager.open(), {"title": "x"}, ref, home) == done
        assert load.ensure(provider, {"title": "x"}, ref + "2", home)["id"] != made["id"]
        assert len(provider.list({})) == 2

    def test_the_table_of_the_mapping(self, provider: TaskProvider) -> None:
        """A provider says how each status and priority is kept, no two alike, and where every other field is."""
        mapping = provider.mapping
        assert list(mapping.status) == list(STATUSES)
        assert list(mapping.priority) == list(PRIORITIES)
        assert len(set(mapping.status.values())) == len(STATUSES)
        assert len(set(mapping.priority.values())) == len(PRIORITIES)
        assert mapping.assignee
        assert mapping.depends_on
        assert set(mapping.others) >= {"due", "refs", "thread_id", "note"}
