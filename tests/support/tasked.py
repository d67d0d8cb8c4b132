"""Requests that bring a task, and what becomes of it.

sent = request(team)
answer(team, sent, "accept")
[task] = in_file(team)
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conftest import Team

UNTAKEN = "the task manager did not take the change"
NOWHERE = {"kind": "jira"}  # a kind that nobody offers


def request(
    team: Team, *options: str, sender: str = "ops", to: str = "dev", summary: str = "Login loops on Safari"
) -> dict[str, Any]:
    """Send a request with a task, and return what `send --json` says."""
    sent: dict[str, Any] = team.json(sender, "send", to, "note", "--summary", summary, "--task", *options)
    return sent


def answer(team: Team, sent: dict[str, Any], kind: str, *options: str, agent: str = "dev") -> dict[str, Any]:
    """Answer a message, and return what `reply --json` says."""
    replied: dict[str, Any] = team.json(agent, "reply", sent["id"], kind, *options)
    return replied


def listed(team: Team, agent: str = "dev") -> list[dict[str, Any]]:
    """The tasks of an agent's manager, by the next command about a task."""
    tasks: list[dict[str, Any]] = team.json(agent, "tasks", "list")["tasks"]
    return tasks


def in_file(team: Team, domain: str = "_none") -> list[dict[str, Any]]:
    """The tasks of a domain as its file has them; no command is run."""
    path = team.home / f"tasks/{domain}.json"
    tasks: list[dict[str, Any]] = json.loads(path.read_bytes())["tasks"] if path.exists() else []
    return tasks


def kept(team: Team) -> list[Path]:
    """The changes that wait for a task manager, and what else lies among them."""
    return sorted((team.home / "tasks/changes").glob("*"))


def manage(team: Team, **settings: dict[str, Any]) -> None:
    """Give agents a task manager each."""
    names = ("ops", "dev", *(settings.keys() - {"ops", "dev"}))
    team.map(agents={name: {"task_provider": settings[name]} if name in settings else {} for name in names})


def untaken(sent: dict[str, Any]) -> list[str]:
    """The warnings of a change that was kept."""
    return [warning for warning in sent["warnings"] if UNTAKEN in warning]


def about_tasks(sent: dict[str, Any]) -> list[str]:
    """The warnings that are not about sessions."""
    return [warning for warning in sent["warnings"] if "session" not in warning]


@contextlib.contextmanager
def unreadable(team: Team) -> Iterator[None]:
    """The task file may not be read."""
    path = _made(team)
    path.chmod(0o000)
    yield
    path.chmod(0o600)


@contextlib.contextmanager
def broken(team: Team) -> Iterator[None]:
    """The task file is half a file."""
    path = _made(team)
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    yield
    assert path.read_bytes() == whole[:-4]
    path.write_bytes(whole)


@contextlib.contextmanager
def no_such_kind(team: Team) -> Iterator[None]:
    """The map names a kind of manager that nobody offers."""
    manage(team, dev=NOWHERE)
    yield
    manage(team)


@contextlib.contextmanager
def no_program(team: Team) -> Iterator[None]:
    """The manager is a program that is not installed, and then is."""
    manage(team, dev={"kind": "taskwarrior", "program": str(team.root / "nothing")})
    yield
    manage(team, dev={"kind": "taskwarrior", "program": "task"})


DOWN = {how.__name__: how for how in (unreadable, broken, no_such_kind, no_program)}


def _made(team: Team) -> Path:
    path = team.home / "tasks/_none.json"
    path.parent.mkdir(0o700, exist_ok=True)
    path.write_text('{"version": "2.0", "tasks": []}\n')
    path.chmod(0o600)
    return path
