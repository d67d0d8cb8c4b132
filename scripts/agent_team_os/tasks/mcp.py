"""The kind `mcp`: a task manager that only the model reaches, through MCP tools.

This program cannot call a tool of the session. So every method raises UseTool: which tool to call, with which
arguments by the mapping of the settings. `from_tool` reads a tool's answer back into a task.

    {"kind": "mcp", "tools": {"create": "mcp__linear__create_issue", …}, "fields": {"title": "title", …},
     "status": {"todo": "Todo", …}, "priority": {"p0": "1", …}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ..protocol import show
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
    TaskProviderFailed,
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
    fields = _words(settings, "fields", tuple(FIELDS))
    if fields.get("id", "id") is None or fields.get("title", "title") is None:
        raise InvalidMap('the task provider "mcp" cannot do without id and title', _FIX)
    return Tools(
        tools, {**FIELDS, **fields}, _all(settings, "status", STATUSES), _all(settings, "priority", PRIORITIES)
    )


def _words(settings: Mapping[str, Any], name: str, known: Sequence[str]) -> dict[str, Any]:
    """A table of the settings: what each of our words is there, no two alike."""
    table = settings.get(name, {})
    if not isinstance(table, dict):
        raise InvalidMap(f'{name} of the task provider "mcp" is no object', _FIX)
    for word, there in table.items():
        if word not in known or not (isinstance(there, (str, int)) or (name == "fields" and there is None)):
            raise InvalidMap(f'{name} of the task provider "mcp" cannot have "{word[:80]}"', _FIX)
    used = [there for there in table.values() if there is not None]
    if len(set(used)) != len(used):
        raise InvalidMap(f'{name} of the task provider "mcp" has one word for two things', _FIX)
    return table


def _all(settings: Mapping[str, Any], name: str, known: Sequence[str]) -> dict[Any, Any]:
    """A table that has either all words or is left out."""
    table = _words(settings, name, known) or {word: word for word in known}
    missing = [word for word in known if word not in table]
    if missing:
        raise InvalidMap(f'{name} of the task provider "mcp" lacks {missing[0]}', _FIX)
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
        lists = [str(self._fields[name]) for name in ("depends_on", "refs") if name in wanted and self._fields[name]]
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

    def from_tool(self, result: Any) -> Task:
        """The task in a tool's answer, an object by the mapping; TaskProviderFailed for what is none."""
        fields = self._fields
        if not isinstance(result, dict) or not all(result.get(fields[name]) for name in ("id", "title")):
            what = f"a tool's answer needs {fields['id']} and {fields['title']}"
            raise TaskProviderFailed(what, "Set fields of the task provider in AGENT_MAP.json.")
        found = {name: result.get(there) if there else None for name, there in fields.items()}
        due = show.seconds_of(found["due"])
        return {
            "id": str(found["id"]),
            "title": str(found["title"]),
            "status": self._ours("status", found["status"], self.mapping.status, "todo"),
            "assignee": str(found["assignee"]) if found["assignee"] else None,
            "priority": self._ours("priority", found["priority"], self.mapping.priority, "p2"),
            "depends_on": [str(other) for other in found["depends_on"] or ()],
            "due": None if due is None else show.timestamp(due),
            "refs": [str(ref) for ref in found["refs"] or ()],
            "thread_id": str(found["thread_id"]) if found["thread_id"] else None,
        }

    def _ours(self, name: str, there: Any, table: Mapping[Any, Any], absent: str) -> Any:
        if there is None:
            return absent
        ours = [word for word, theirs in table.items() if theirs == there]
        if not ours:
            what = f'the task manager has the {name} "{show.one_line(str(there), 40)}", which the settings do not name'
            raise TaskProviderFailed(what, f"Set {name} of the task provider in AGENT_MAP.json.")
        return ours[0]

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
