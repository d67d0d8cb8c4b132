"""The kind `github`: the suite of every task manager, with the real `gh` and the issues of a repository."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from agent_team_os.tasks.provider import PRIORITIES, InvalidTask, TaskProvider
from conftest import Team
from support.github import REPO, GitHub
from support.task_suite import TITLES, WRONG, Manager, TaskSuite, titles


@contextlib.contextmanager
def using(**environ: str) -> Iterator[None]:
    """Other variables as long as the `with` lasts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def github() -> Iterator[GitHub]:
    """A repository without issues, but for a pull request, and with most of the labels."""
    with GitHub().serving() as server:
        server.seed()
        server.add("Let people log in", ("bug",), pull_request={"url": "https://api.github.com/"})
        yield server


@pytest.fixture
def manager(github: GitHub, team: Team, monkeypatch: pytest.MonkeyPatch) -> Manager:
    """A domain whose tasks are in the repository."""
    environ = github.environ(team.root / "gh")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    def fill(count: int) -> None:
        for number in range(count):
            github.add(f"task {number}", ("priority:p2", "agent:dev"))

    failures: dict[str, Any] = {
        "no gh": lambda: using(PATH=str(team.home)),
        "not logged in": lambda: using(GH_TOKEN="", GH_ENTERPRISE_TOKEN=""),
        "a server error": lambda: github.failing(502, ""),
    }
    return Manager(team, {"kind": "github", "repo": REPO}, fill, failures, environ, many=100, writes=5)


class TestGitHub(TaskSuite):
    """All that a task manager has to do. What takes many calls of gh, which starts slowly, is done in fewer tests."""

    def test_titles_are_only_text(self, manager: Manager, provider: TaskProvider) -> None:  # type: ignore[override]
        """Titles in any script, and those that look like a command, come back letter for letter and do nothing."""
        made = [provider.create({"title": title}) for title in TITLES.values()]
        assert titles(made) == list(TITLES.values())
        assert manager.open().list({}) == made
        changed = provider.update(made[0]["id"], {"title": TITLES["markup"]})
        assert provider.get(made[0]["id"]).items() >= changed.items() >= {"title": TITLES["markup"]}.items()
        assert provider.update(made[0]["id"], {"title": TITLES["long"]})["title"] == TITLES["long"]

    def test_what_is_no_task_is_refused(self, provider: TaskProvider) -> None:  # type: ignore[override]
        """A field that is not what it must be is InvalidTask, in a new task and in a change, and nothing is done."""
        made = provider.create({"title": "as it was"})
        for kind, wrong in WRONG.items():
            with pytest.raises(InvalidTask):
                pytest.fail(f"{kind}: {provider.create({'title': 'x', **wrong})}")  # type: ignore[typeddict-item]
            with pytest.raises(InvalidTask):
                pytest.fail(f"{kind}: {provider.update(made['id'], wrong)}")  # type: ignore[arg-type]
        assert provider.list({}) == [made]

    def test_priorities(self, provider: TaskProvider) -> None:
        """Each priority is kept apart from the others, when made and when changed."""
        made = [provider.create({"title": "x", "priority": priority}) for priority in PRIORITIES]
        assert [task["priority"] for task in made] == list(PRIORITIES)
        for priority in (*PRIORITIES[1:], PRIORITIES[0]):
            assert provider.update(made[0]["id"], {"priority": priority})["priority"] == priority
        assert [task["priority"] for task in provider.list({})] == list(PRIORITIES)
