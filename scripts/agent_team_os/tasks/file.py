"""The kind `file`: the tasks of a domain in one file that people can read and edit, `tasks/<domain>.json`.

    {
      "version": "2.0",
      "next": 3,
      "tasks": [
        {"id":"t-1","title":"Login loops on Safari","status":"done"},
        {"id":"t-2","title":"Write the release notes","status":"todo","depends_on":["t-1"]}
      ]
    }

Changed under a guard, replaced in one step. Keys this program does not know are kept, of the file and of each task.
A file that is not what it should be is left as it is, and every call says the line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..protocol import home as layout
from ..protocol import schemas, show, strictjson
from ..protocol.errors import InvalidMap
from ..storage import files, lock
from . import check
from .provider import Changes, FieldMap, Filter, NewTask, Place, Task, TaskProviderFailed

MAX = 64 * 1_048_576  # bytes
MAPPING = FieldMap(
    status={"todo": "todo", "doing": "doing", "done": "done"},
    priority={"p0": "p0", "p1": "p1", "p2": "p2", "p3": "p3"},
    assignee="assignee",
    depends_on="depends_on",
    others={"due": "due", "refs": "refs", "thread_id": "thread_id", "note": "notes"},
)


def open(settings: Mapping[str, Any], place: Place) -> TaskFile:
    """The tasks of a domain; the kind has no settings."""
    more = sorted(settings.keys() - {"kind"})
    if more:
        raise InvalidMap(f'the task provider "file" has no setting "{more[0][:80]}"', "Take it out of AGENT_MAP.json.")
    return TaskFile(place)


class TaskFile:
    """A provider (see `provider.TaskProvider`)."""

    mapping = MAPPING

    def __init__(self, place: Place) -> None:
        self._place = place
        self._path = layout.tasks(place.home, place.domain)

    def list(self, wanted: Filter) -> list[Task]:
        """The tasks that fit, in the order made."""
        return [task for task in map(_task, self._read()["tasks"]) if check.fits(task, wanted)]

    def get(self, task_id: str) -> Task:
        """One task, with its remarks."""
        kept = _find(self._read(), task_id)
        return {**_task(kept), "notes": [note["text"] for note in kept.get("notes", ())]}

    def create(self, task: NewTask) -> Task:
        """Make a task; durable when this returns."""
        made = check.new(task)

        def change(document: dict[str, Any]) -> Task:
            check.dependencies("", made["depends_on"], _by_id(document))
            taken = [_number(each["id"]) for each in document["tasks"]]
            number = max([int(document.get("next", 1)), *(each + 1 for each in taken)])
            made["id"], document["next"] = f"t-{number}", number + 1
            document["tasks"].append({**made, "created": show.timestamp()})
            return made

        return self._change(change)

    def update(self, task_id: str, changes: Changes) -> Task:
        """Change a task; durable when this returns."""
        wanted: dict[str, Any] = {**check.changes(changes)}

        def change(document: dict[str, Any]) -> Task:
            kept = _find(document, task_id)
            if "depends_on" in wanted:
                check.dependencies(kept["id"], wanted["depends_on"], _by_id(document))
            if "note" in wanted:
                kept.setdefault("notes", []).append({"at": show.timestamp(), "text": wanted.pop("note")})
            kept.update(wanted)
            return _task(kept)

        return self._change(change)

    def close(self, task_id: str) -> Task:
        """Set a task to done."""
        return self.update(task_id, {"status": "done"})

    def _read(self) -> dict[str, Any]:
        """The file; an empty one where there is none, TaskProviderFailed for one that is not what it should be."""
        folder = os.path.dirname(self._path)
        if os.path.islink(folder):
            raise TaskProviderFailed(f"{folder} is a symbolic link, and the bus follows none", "Put a folder there.")
        try:
            data = files.read(self._path, MAX)
        except FileNotFoundError:
            return {"version": "2.0", "next": 1, "tasks": []}
        except files.BadFile as error:
            raise TaskProviderFailed(f"{self._path} cannot be read: {error.why}", "Put the file back.") from None
        fix = "Mend the file, or move it away to begin with an empty one; until then no task is read or written."
        try:
            document = strictjson.parse(data)
        except strictjson.BadJSON as error:
            where = f"{self._path}, line {error.line}, column {error.column}" if error.line else self._path
            raise TaskProviderFailed(f"{where}: {error.message}", fix) from None
        wrong = schemas.checker("tasks")(document) or _twice(document)
        if wrong is None:
            return document  # type: ignore[no-any-return]  # checked by its schema
        line, column = strictjson.position(data.decode("utf-8"), wrong[0])
        raise TaskProviderFailed(f"{self._path}, line {line}, column {column}: {schemas.describe(wrong)}", fix)

    def _change(self, change: Any) -> Task:
        """Let `change` edit the file in place and write it back; nothing is written when it raises."""
        try:
            files.make_folder(os.path.dirname(self._path))
            with lock.guard(self._place.home, "@tasks-" + lock.bucket(self._place.domain)):
                document = self._read()
                before = _text(document)
                task: Task = change(document)
                data = _text(document)
                # What nobody could read again is not written.
                if len(data) > MAX or schemas.checker("tasks")(document) is not None:
                    raise TaskProviderFailed(f"{self._path} is full", "Move it away to begin with an empty one.")
                if data != before:
                    files.replace(self._path, data)
                return task
        except OSError as error:
            what = f"{error.filename or self._path} cannot be written: {error.strerror}"
            raise TaskProviderFailed(what, "See: ato doctor") from None


def _twice(document: dict[str, Any]) -> tuple[tuple[str | int, ...], str] | None:
    """What is wrong when an id is there twice, as a check of a schema says it."""
    seen: set[str] = set()
    for number, kept in enumerate(document["tasks"]):
        if kept["id"] in seen:
            return ("tasks", number, "id"), f"{kept['id']} is there twice"
        seen.add(kept["id"])
    return None


def _number(task_id: str) -> int:
    return int(task_id.removeprefix("t-"))


def _find(document: dict[str, Any], task_id: str) -> dict[str, Any]:
    for kept in document["tasks"]:
        if kept["id"] == task_id:
            return kept  # type: ignore[no-any-return]  # checked by its schema
    raise check.unknown(task_id)


def _by_id(document: dict[str, Any]) -> dict[str, Task]:
    return {kept["id"]: _task(kept) for kept in document["tasks"]}


def _task(kept: dict[str, Any]) -> Task:
    """A task of the file with all its fields; a person may have left some out, and written times in their zone."""
    due = show.seconds_of(kept.get("due"))
    return {
        "id": kept["id"],
        "title": kept["title"],
        "status": kept.get("status", "todo"),
        "assignee": kept.get("assignee"),
        "priority": kept.get("priority", "p2"),
        "depends_on": list(kept.get("depends_on", ())),
        "due": None if due is None else show.timestamp(due),
        "refs": list(kept.get("refs", ())),
        "thread_id": kept.get("thread_id"),
    }


def _text(document: dict[str, Any]) -> bytes:
    """The file as people read it: a line for each task."""
    lines = []
    for key, value in document.items():
        text = strictjson.dump(value)
        if key == "tasks" and value:
            text = "[\n" + ",\n".join("    " + strictjson.dump(kept) for kept in value) + "\n  ]"
        lines.append(f"  {strictjson.dump(key)}: {text}")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8")
