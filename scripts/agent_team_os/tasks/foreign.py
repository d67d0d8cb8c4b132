"""A provider of another package: what goes wrong in it is a failure of its kind, and no mistake of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..protocol import show
from ..protocol.errors import BusError
from .provider import (
    PRIORITIES,
    STATUSES,
    Changes,
    Filter,
    NewTask,
    Open,
    Place,
    Task,
    TaskProvider,
    TaskProviderFailed,
    UseTool,
)

_FIX = "Look at its settings in AGENT_MAP.json, or tell who made it"


class Foreign:
    """A provider (see `provider.TaskProvider`) around that of another package.

    Opening it and its methods raise nothing but BusError and UseTool, and give nothing but tasks.
    """

    def __init__(self, kind: str, entry: Open, settings: Mapping[str, Any], place: Place) -> None:
        self._kind = kind
        with self._blamed():
            self._provider: TaskProvider = entry(settings, place)
            self.mapping = self._provider.mapping

    def short(self, task_id: str) -> str:
        """An id as it is shown; the whole one where the provider does not say."""
        with self._blamed():
            shorten: Callable[[str], str] = getattr(self._provider, "short", str)
            return str(shorten(task_id))

    def get(self, task_id: str) -> Task:
        """One task."""
        with self._blamed():
            return self._task(self._provider.get(task_id))

    def create(self, task: NewTask) -> Task:
        """Make a task."""
        with self._blamed():
            return self._task(self._provider.create(task))

    def update(self, task_id: str, changes: Changes) -> Task:
        """Change a task."""
        with self._blamed():
            return self._task(self._provider.update(task_id, changes))

    def close(self, task_id: str) -> Task:
        """Set a task to done."""
        with self._blamed():
            return self._task(self._provider.close(task_id))

    @contextlib.contextmanager
    def _blamed(self) -> Iterator[None]:
        try:
            yield
        except (BusError, UseTool):
            raise
        except Exception as error:
            what = f"the task provider {self._kind} has failed: {type(error).__name__}: {error}"
            raise TaskProviderFailed(what, f"{_FIX}; AGENT_TEAM_OS_DEBUG=1 shows where.") from error

    def _task(self, answer: Any) -> Task:
        """What the provider has given, if it is a task."""
        if not isinstance(answer, dict):
            raise TaskProviderFailed(f"the task provider {self._kind} has given something that is no task", f"{_FIX}.")
        for name, fits in _SHAPE.items():
            if not fits(answer.get(name)):
                what = f"the task provider {self._kind} has given a task whose {name} is missing or cannot be one"
                raise TaskProviderFailed(what, f"{_FIX}.")
        return answer  # type: ignore[return-value]  # of that shape

    # The last one: in the methods below it `list` would be this, not the type.
    def list(self, wanted: Filter) -> list[Task]:
        """The tasks that fit."""
        with self._blamed():
            return [self._task(task) for task in self._provider.list(wanted)]


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _optional(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_SHAPE: dict[str, Callable[[Any], bool]] = {
    "id": _text,
    "title": _text,
    "status": STATUSES.__contains__,
    "assignee": _optional,
    "priority": PRIORITIES.__contains__,
    "depends_on": _texts,
    "due": lambda value: value is None or show.seconds_of(value) is not None,
    "refs": _texts,
    "thread_id": _optional,
    "notes": lambda value: value is None or _texts(value),
}
