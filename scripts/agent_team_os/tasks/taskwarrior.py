"""The kind `taskwarrior`: the program `task`, on a folder of the bus or on the person's own.

All text goes to it as JSON on stdin, never as an argument, where `project:x` or `+tag` would be obeyed. What it has
beside our fields (projects, tags, other people's attributes) is kept when a task is changed.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..protocol import home as layout
from ..protocol import ids, show
from ..protocol.errors import InvalidMap
from . import check
from .provider import Changes, FieldMap, Filter, NewTask, Place, Priority, Task, TaskProviderFailed, UnknownTask
from .taskwarrior_program import Program

MAPPING = FieldMap(
    status={"todo": "pending", "doing": "pending, with start", "done": "completed"},
    # The order of uda.priority.values=H,M,,L: most tasks have none, and that is p2.
    priority={"p0": "H", "p1": "M", "p2": "", "p3": "L"},
    assignee="ato_agent",
    depends_on="depends",
    others={"due": "due", "refs": "ato_refs, with spaces between", "thread_id": "ato_thread", "note": "an annotation"},
)
_PRIORITY: dict[str, Priority] = {kept: priority for priority, kept in MAPPING.priority.items()}
_WHOLE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PART = re.compile(r"[0-9a-f][0-9a-f-]{3,35}")
Every = list[dict[str, Any]]
_OURS = ("pending", "waiting", "completed")  # neither what is deleted nor the templates of what comes again


def open(settings: Mapping[str, Any], place: Place) -> Taskwarrior:
    """`program` is the path of `task`, `data` its folder; else `task` of PATH, on a folder of the domain."""
    for name, value in settings.items():
        if name not in ("kind", "program", "data") or not isinstance(value, str) or not value or "\0" in value:
            what = f'the task provider "taskwarrior" cannot use "{name[:80]}"'
            raise InvalidMap(what, "Its settings are program, a path, and data, a folder.")
    folder = layout.tasks(place.home, place.domain, ".taskwarrior")
    data = os.path.abspath(os.path.expanduser(settings.get("data", folder)))
    return Taskwarrior(Program(settings.get("program", "task"), data, data == folder))


class Taskwarrior:
    """A provider (see `provider.TaskProvider`)."""

    mapping = MAPPING

    def __init__(self, program: Program) -> None:
        self._program = program

    def short(self, task_id: str) -> str:
        """An id as people type it: Taskwarrior shows the first eight characters, too."""
        return task_id[:8]

    def list(self, wanted: Filter) -> list[Task]:
        """The tasks that fit, in the order made."""
        return [task for task in map(_task, self._kept()) if check.fits(task, wanted)]

    def get(self, task_id: str) -> Task:
        """One task, with its remarks; a part of its id is enough that no other begins with."""
        kept = _find(self._kept(task_id if _WHOLE.fullmatch(task_id) else ""), task_id)
        remarks = [_decoded(str(note["description"])) for note in kept.get("annotations", ())]
        return {**_task(kept), "notes": remarks}

    def create(self, task: NewTask) -> Task:
        """Make a task; durable when this returns."""
        import uuid

        made = check.new(task)
        made["id"] = str(uuid.uuid4())
        with self._program.changing() as held:
            before = self._kept() if made["depends_on"] else []
            made["depends_on"] = _checked("", made["depends_on"], before)
            kept = {"uuid": made["id"], "status": "pending", "entry": _stamp()}
            return self._put(kept, {**made}, held)

    def update(self, task_id: str, changes: Changes) -> Task:
        """Change a task; durable when this returns."""
        wanted: dict[str, Any] = {**check.changes(changes)}
        with self._program.changing() as held:
            every = self._kept()
            kept = _find(every, task_id)
            if "depends_on" in wanted:
                wanted["depends_on"] = _checked(kept["uuid"], wanted["depends_on"], every)
            return self._put(kept, wanted, held)

    def close(self, task_id: str) -> Task:
        """Set a task to done."""
        return self.update(task_id, {"status": "done"})

    def _kept(self, task_filter: str = "") -> Every:
        """Taskwarrior's own tasks, the oldest first."""
        try:
            # It prints control characters of a text as they are.
            every = json.loads(self._program.export(task_filter), strict=False)
            kept = [task for task in every if task["status"] in _OURS]
            for task in kept:
                if not (isinstance(task["uuid"], str) and isinstance(task["description"], str)):
                    raise TypeError
        except (ValueError, TypeError, KeyError):  # no JSON, or JSON of something else
            what = f"{self._program.program} has printed something that is no list of tasks"
            raise TaskProviderFailed(what, "Is it Taskwarrior? See: task --version") from None
        return sorted(kept, key=lambda task: str(task.get("entry")))

    def _put(self, kept: dict[str, Any], wanted: dict[str, Any], held: int) -> Task:
        """Keep a task with changes; what is kept is read again."""
        changed = _changed(kept, wanted)
        self._program.put(json.dumps([changed], ensure_ascii=False).encode(), held)
        return _task(_find(self._kept(kept["uuid"]), kept["uuid"]))


def _find(every: Sequence[dict[str, Any]], given: str) -> dict[str, Any]:
    """The one task whose id begins so."""
    found = [kept for kept in every if kept["uuid"].startswith(given)] if _PART.fullmatch(given) else []
    if len(found) > 1:
        raise UnknownTask(f'"{given}" fits {len(found)} tasks', "Give more of the id: ato tasks list --json")
    if not found:
        raise check.unknown(given)
    return found[0]


def _checked(task_id: str, depends_on: Sequence[str], every: Sequence[dict[str, Any]]) -> list[str]:
    """The whole ids of what a task is to depend on, if it may."""
    tasks = {kept["uuid"]: _task(kept) for kept in every}
    before = tasks[task_id]["depends_on"] if task_id else []
    whole = [other if other in before else _find(every, other)["uuid"] for other in depends_on]
    check.dependencies(task_id, whole, tasks)
    return list(dict.fromkeys(whole))


def _task(kept: dict[str, Any]) -> Task:
    """A task of Taskwarrior's as every provider gives it."""
    done = kept["status"] == "completed"
    others = kept.get("depends", [])
    agent, thread = kept.get("ato_agent"), kept.get("ato_thread")  # anybody may have written them
    return {
        "id": kept["uuid"],
        "title": _decoded(kept["description"]),
        "status": "done" if done else "doing" if kept.get("start") else "todo",
        "assignee": agent if ids.is_agent(agent) else None,
        "priority": _PRIORITY.get(kept.get("priority", ""), "p2"),
        "depends_on": others.split(",") if isinstance(others, str) else list(others),
        "due": _iso(kept.get("due")),
        "refs": _decoded(kept.get("ato_refs", "")).split(),
        "thread_id": thread if ids.is_thread(thread) else None,
    }


def _changed(kept: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Taskwarrior's own task with our fields set."""
    values = {name: value for name, value in kept.items() if name not in ("id", "urgency")}  # both are derived
    plain = {"assignee": "ato_agent", "thread_id": "ato_thread", "depends_on": "depends"}
    for name, value in wanted.items():
        if name in plain:
            values[plain[name]] = value
        elif name == "title":
            values["description"] = _encoded(value)
        elif name == "priority":
            values["priority"] = MAPPING.priority[value]
        elif name == "due":
            values["due"] = value and re.sub("[-:]", "", value)
        elif name == "refs":
            values["ato_refs"] = _encoded(" ".join(value))
        elif name == "note":
            note = {"entry": _stamp(), "description": _encoded(value)}
            values["annotations"] = [*values.get("annotations", ()), note]
        elif name == "status":
            _set_status(values, value)
    return {name: value for name, value in values.items() if value not in (None, "", [])}  # 0 is a value


def _set_status(values: dict[str, Any], status: str) -> None:
    waiting = values["status"] == "waiting" and status == "todo"
    values["status"] = "completed" if status == "done" else "waiting" if waiting else "pending"
    values["end"] = (values.get("end") or _stamp()) if status == "done" else None
    values["start"] = (values.get("start") or _stamp()) if status == "doing" else None
    if status == "doing":
        values.pop("wait", None)  # what is begun waits for no day


def _encoded(text: str) -> str:
    """Text in which Taskwarrior finds none of its own words for brackets, which it would replace."""
    return re.sub("&((?:amp;)*(?:open|close);)", r"&amp;\1", text)


def _decoded(text: str) -> str:
    return re.sub("&amp;((?:amp;)*(?:open|close);)", r"&\1", text)


def _stamp() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def _iso(stamp: str | None) -> str | None:
    """`20260523T160000Z` as `2026-05-23T16:00:00Z`; None for no time."""
    found = re.fullmatch(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", stamp or "")
    iso = "{}-{}-{}T{}:{}:{}Z".format(*found.groups()) if found else None
    return iso if show.seconds_of(iso) is not None else None
