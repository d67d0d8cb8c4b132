"""Which task manager an agent has: its own, its domain's, or the file; and looks that a change rests on."""

from __future__ import annotations

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
from test_tasks_mcp import SETTINGS as LINEAR


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
        {"kind": "github"}, {"kind": "github", "repo": "owner/name", "hots": "git.example.com"},
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
