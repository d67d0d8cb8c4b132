"""What a task may be, the same for every provider: asked before a manager is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..protocol import ids, show
from .provider import PRIORITIES, STATUSES, Changes, Filter, InvalidTask, NewTask, Task, UnknownTask

MAX_TITLE = 500  # characters
MAX_NOTE = 10_000
MAX_REF = 4096
MAX_REFS = 1024  # more than a message has


def new(task: NewTask) -> Task:
    """The task with all its fields, as it is to be kept, its id still empty; InvalidTask if it is none."""
    given: Any = task
    if "title" not in given:
        raise InvalidTask("a task needs a title", "Say in one line what is to be done.")
    empty: Task = {
        "id": "", "title": "", "status": "todo", "assignee": None, "priority": "p2", "depends_on": [], "due": None,
        "refs": [], "thread_id": None,
    }  # fmt: skip
    return {**empty, **_checked(given)}  # type: ignore[typeddict-item]  # of the fields of a new task


def changes(wanted: Changes) -> Changes:
    """What is to be changed, as it is to be kept; InvalidTask if a field is not what it must be."""
    return _checked(wanted)  # type: ignore[return-value]  # the same keys


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(given.keys() - _FIELDS.keys())
    if unknown:
        raise InvalidTask(f'a task has no field "{unknown[0][:80]}"', f"It has: {', '.join(_FIELDS)}")
    return {name: _FIELDS[name](value) for name, value in given.items()}


def _title(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > MAX_TITLE or not _prints(text):
        what = f'a title is one line of 1 to {MAX_TITLE} characters, and this is "{show.one_line(text, 60)}"'
        raise InvalidTask(what, "Put what is longer into a file, and name it with a ref.")
    return text


def _note(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_NOTE or not _prints(value, "\n\t"):
        raise InvalidTask(f"a note is text of 1 to {MAX_NOTE} characters", "Put what is longer into a file.")
    return value.strip()


def _prints(text: str, also: str = "") -> bool:
    """Whether a text has no control characters, no lines but those allowed, and no halves of characters."""
    return not any(
        (char < " " and char not in also) or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029"
        or "\ud800" <= char <= "\udfff" for char in text
    )  # fmt: skip


def _one_of(name: str, allowed: Sequence[str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in allowed:
            raise InvalidTask(f"{show.one_line(str(value), 40)} is no {name}", f"It is one of {', '.join(allowed)}.")
        return str(value)

    return check


def _assignee(value: Any) -> str | None:
    if value is None or ids.is_agent(value):
        return value  # type: ignore[no-any-return]  # a text, or none
    raise InvalidTask(f'"{show.one_line(str(value), 40)}" is no agent name', "Give the name of an agent: ato bus")


def _due(value: Any) -> str | None:
    seconds = show.seconds_of(value)
    if value is None:
        return None
    # From 1980 to 2999, as most managers have it; another time makes Taskwarrior's whole list unreadable.
    if seconds is None or not 315_532_800 <= seconds < 32_503_680_000:
        what = f'"{show.one_line(str(value), 40)}" is no time with a zone between 1980 and 2999'
        raise InvalidTask(what, "Write it like 2026-05-23T18:00:00+02:00.")
    return show.timestamp(int(seconds))


def _refs(value: Any) -> list[str]:
    refs: list[Any] = list(value) if isinstance(value, (list, tuple)) else [None]
    if len(refs) > MAX_REFS:
        raise InvalidTask(f"a task has at most {MAX_REFS} refs, and these are {len(refs)}")
    for ref in refs:
        if not isinstance(ref, str) or not 0 < len(ref) <= MAX_REF or not _prints(ref) or ref.split() != [ref]:
            shown = show.one_line(str(ref), 60)
            raise InvalidTask(f'"{shown}" is no URI', "Write it like file:///…, with %20 for a space.")
    return list(dict.fromkeys(refs))


def _thread(value: Any) -> str | None:
    if value is None or ids.is_thread(value):
        return value  # type: ignore[no-any-return]  # a text, or none
    raise InvalidTask(f'"{show.one_line(str(value), 40)}" is no thread id', "See the recent ones: ato thread")


def _depends_on(value: Any) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(other, str) for other in value):
        raise InvalidTask("depends_on is a list of task ids")
    return list(dict.fromkeys(value))


_FIELDS: dict[str, Callable[[Any], Any]] = {
    "title": _title, "status": _one_of("status", STATUSES), "assignee": _assignee,
    "priority": _one_of("priority", PRIORITIES), "depends_on": _depends_on, "due": _due, "refs": _refs,
    "thread_id": _thread, "note": _note,
}  # fmt: skip


def fits(task: Task, wanted: Filter) -> bool:
    """Whether a task passes a filter."""
    return (
        ("status" not in wanted or task["status"] == wanted["status"])
        and ("assignee" not in wanted or task["assignee"] == wanted["assignee"])
        and ("thread_id" not in wanted or task["thread_id"] == wanted["thread_id"])
        and ("ref" not in wanted or wanted["ref"] in task["refs"])
    )


def dependencies(task_id: str, depends_on: Sequence[str], tasks: Mapping[str, Task]) -> None:
    """UnknownTask if one of these is none of the tasks; InvalidTask if the task would wait for itself over them.

    `task_id` is empty for a task that is still to be made. A dependency the task has already may be gone.
    """
    before = tasks[task_id]["depends_on"] if task_id in tasks else []
    for other in depends_on:
        if other not in tasks and other not in before:
            raise unknown(other)
    seen: set[str] = set()
    ahead = list(depends_on)
    while ahead:
        other = ahead.pop()
        if other == task_id:
            raise InvalidTask(f"{task_id} would wait for itself", "See what it waits for: ato tasks show ID")
        if other not in seen and other in tasks:
            seen.add(other)
            ahead += tasks[other]["depends_on"]


def unknown(task_id: str) -> UnknownTask:
    """The error for an id that is none."""
    return UnknownTask(f'there is no task "{show.one_line(task_id, 60)}"', "See the tasks: ato tasks list")
