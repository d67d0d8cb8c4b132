"""The kind `mcp`: a task manager that only the model reaches, through MCP tools.

This program cannot call a tool of the session. So every method raises UseTool: which tool to call, with which
arguments by the mapping of the settings.

    {"kind": "mcp", "tools": {"create": "mcp__linear__create_issue", …}, "fields": {"title": "title", …},
     "status": {"todo": "Todo", …}, "priority": {"p0": "1", …}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ..protocol import frame, show
from ..protocol.errors import InvalidMap
from . import check
from .provider import (
    PRIORITIES,
    STATUSES,
    Changes,
    FieldMap,
    Filter,
    NewTask,
    Place,
    Task,
    UseTool,
)

TOOLS = ("create", "list", "get", "update", "close")
# What a field is called in the tools' arguments and answers where the settings do not say; null: they have none.
FIELDS = {
    "id": "id", "title": "title", "status": "status", "assignee": "assignee", "priority": "priority",
    "depends_on": "depends_on", "due": "due", "refs": "refs", "thread_id": "thread_id", "note": "note",
}  # fmt: skip
_TOOL = re.compile(r"[A-Za-z0-9_-]{1,128}")
_FIX = "See docs/task-providers.md for what the task provider mcp needs."


def open(settings: Mapping[str, Any], place: Place) -> Tools:
    """The tools and words of a manager; `close` may be missing, then `update` closes."""
    tools = settings.get("tools")
    if not isinstance(tools, dict) or any(
        name not in TOOLS or not isinstance(tool, str) or not _TOOL.fullmatch(tool) for name, tool in tools.items()
    ):
        raise InvalidMap('the task provider "mcp" needs tools: names of MCP tools by create, list, get, update', _FIX)
    missing = [name for name in TOOLS if name not in tools and name != "close"]
    if missing:
        raise InvalidMap(f'the task provider "mcp" has no tool for {missing[0]}', _FIX)
    unknown = sorted(settings.keys() - {"kind", "tools", "fields", "status", "priority"})
    if unknown:
        raise InvalidMap(f'the task provider "mcp" has no setting "{unknown[0][:80]}"', _FIX)
    fields = {**FIELDS, **_words(settings, "fields", tuple(FIELDS))}
    _check_different("fields", fields)
    if fields["id"] is None or fields["title"] is None:
        raise InvalidMap('the task provider "mcp" cannot do without id and title', _FIX)
    return Tools(tools, fields, _all(settings, "status", STATUSES), _all(settings, "priority", PRIORITIES))


def _words(settings: Mapping[str, Any], name: str, known: Sequence[str]) -> dict[str, Any]:
    """A table of the settings: what each of our words is there."""
    table = settings.get(name, {})
    if not isinstance(table, dict):
        raise InvalidMap(f'{name} of the task provider "mcp" is no object', _FIX)
    for word, there in table.items():
        fits = isinstance(there, (str, int))
        if name == "fields":
            fits = there is None or (isinstance(there, str) and there != "")
        if word not in known or not fits:
            raise InvalidMap(f'{name} of the task provider "mcp" cannot have "{word[:80]}"', _FIX)
    return table


def _check_different(name: str, table: Mapping[str, Any]) -> None:
    """InvalidMap for a table in which two of our words are the same there."""
    used = [there for there in table.values() if there is not None]
    twice = next((there for there in used if used.count(there) > 1), None)
    if twice is not None:
        raise InvalidMap(f'{name} of the task provider "mcp" has "{str(twice)[:80]}" for two things', _FIX)


def _all(settings: Mapping[str, Any], name: str, known: Sequence[str]) -> dict[Any, Any]:
    """A table that has either all words or is left out."""
    table = _words(settings, name, known) or {word: word for word in known}
    missing = [word for word in known if word not in table]
    if missing:
        raise InvalidMap(f'{name} of the task provider "mcp" lacks {missing[0]}', _FIX)
    _check_different(name, table)
    return {word: table[word] for word in known}


class Tools:
    """A provider (see `provider.TaskProvider`), none of whose methods returns."""

    def __init__(
        self, tools: Mapping[str, str], fields: Mapping[str, Any], status: dict[Any, Any], priority: dict[Any, Any]
    ) -> None:
        self._tools = tools
        self._fields = fields
        others = {name: fields[name] or "" for name in ("due", "refs", "thread_id", "note")}
        self.mapping = FieldMap(status, priority, fields["assignee"] or "", fields["depends_on"] or "", others)

    def list(self, wanted: Filter) -> list[Task]:
        """The tool that lists, with the filter."""
        given: dict[str, Any] = {**wanted}
        if "ref" in given:
            given["refs"] = given.pop("ref")
        self._use("list", given, "What it lists are the tasks asked for.")

    def get(self, task_id: str) -> Task:
        """The tool that shows one task."""
        self._use("get", self._id(task_id), "What it shows is the task asked for.")

    def create(self, task: NewTask) -> Task:
        """The tool that makes a task, with what is known of it."""
        made = {name: value for name, value in check.new(task).items() if value not in (None, [], "")}
        self._use("create", made, "The id it answers with is the task's.")

    def update(self, task_id: str, changes: Changes) -> Task:
        """The tool that changes a task; UseTool says when a list is replaced as a whole."""
        wanted = check.changes(changes)
        changed = [name for name in ("depends_on", "refs") if name in wanted and self._fields[name]]
        # A name of the map's that could say something stands in the arguments alone.
        lists = [str(self._fields[name]) if frame.is_plain(self._fields[name]) else name for name in changed]
        then = f"The task is changed when it says so.{self._whole(lists)}"
        self._use("update", {**self._id(task_id), **wanted}, then)

    def _whole(self, lists: Sequence[str]) -> str:
        if not lists:
            return ""
        return f" It replaces {' and '.join(lists)}: put in first what {self._tools['get']} says the task has there."

    def close(self, task_id: str) -> Task:
        """The tool that closes a task, or changes it to done."""
        if "close" in self._tools:
            self._use("close", self._id(task_id), "The task is done when it says so.")
        self.update(task_id, {"status": "done"})
        raise AssertionError  # update never returns

    def _id(self, task_id: str) -> dict[str, Any]:
        if not task_id or len(task_id) > 200 or show.one_line(task_id) != task_id:
            raise check.unknown(task_id)
        return {"id": task_id}

    def _use(self, name: str, values: Mapping[str, Any], then: str) -> NoReturn:
        """Say which tool to call, with fields of ours as it calls them, and which of them it has no place for."""
        tables: dict[str, Mapping[Any, Any]] = {"status": self.mapping.status, "priority": self.mapping.priority}
        arguments, lacking = {}, []
        for ours, value in values.items():
            there = self._fields[ours]
            if there is None:
                lacking.append(ours)
            else:
                arguments[there] = tables[ours][value] if ours in tables else value
        if lacking:
            then += f" It has no place for {', '.join(lacking)}."
        raise UseTool(self._tools[name], arguments, then)
