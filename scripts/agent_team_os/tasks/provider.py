"""The interface to a task manager: what a task is, what a provider can do with it, and how it fails.

A provider of another package is found by the entry point group `agent_team_os.task_providers`; its name is the
`kind` in the agent map, and what it names is called as `open(settings, place)` (see `Open`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, NotRequired, Protocol, TypedDict

from ..protocol.errors import InvalidTask, TaskProviderFailed, UnknownTask

__all__ = ["InvalidTask", "TaskProviderFailed", "UnknownTask"]  # what a provider raises

Status = Literal["todo", "doing", "done"]
Priority = Literal["p0", "p1", "p2", "p3"]
STATUSES: tuple[Status, ...] = ("todo", "doing", "done")
REFERENCE = "ato://"  # and the id of the message that a task was made for
OURS = (REFERENCE, "plan://")  # references that only this program gives to a task
PRIORITIES: tuple[Priority, ...] = ("p0", "p1", "p2", "p3")  # p0 is the most urgent; a message's urgent to low


class NewTask(TypedDict, total=False):
    """What a task begins with: `title` is required, `status` is todo."""

    title: str
    assignee: str | None  # an agent
    priority: Priority  # p2 unless told
    depends_on: Sequence[str]  # ids of tasks of the same provider
    due: str | None  # ISO-8601 with a zone
    refs: Sequence[str]  # URIs
    thread_id: str | None


class Task(TypedDict):
    """A task as every provider gives it, all fields there; `due` is in UTC, to the second, and ends with Z."""

    id: str  # the provider's own, as it is typed
    title: str
    status: Status
    assignee: str | None
    priority: Priority
    depends_on: list[str]
    due: str | None
    refs: list[str]
    thread_id: str | None
    notes: NotRequired[list[str]]  # the remarks, oldest first; only `get` gives them


class Changes(TypedDict, total=False):
    """What `update` sets; what is not named stays. `depends_on` and `refs` replace the whole list.

    `note` is no field of a task: a line for whoever looks at it, kept where the manager keeps remarks.
    """

    title: str
    status: Status
    assignee: str | None
    priority: Priority
    depends_on: Sequence[str]
    due: str | None
    refs: Sequence[str]
    thread_id: str | None
    note: str


class Filter(TypedDict, total=False):
    """Which tasks `list` gives; all of them must fit. `ref` is one of the task's refs."""

    status: Status
    assignee: str
    thread_id: str
    ref: str


class FieldMap(NamedTuple):
    """How the fields are kept in the manager: the one table of a provider."""

    status: Mapping[Status, str]
    priority: Mapping[Priority, str]
    assignee: str
    depends_on: str
    others: Mapping[str, str]  # due, refs, thread_id, note


class Place(NamedTuple):
    """For whom a provider is opened."""

    home: str  # the bus home
    domain: str  # a domain of the map; `_none` for agents that have none


class TaskProvider(Protocol):
    """A task manager.

    Every method raises TaskProviderFailed when the manager is missing, refuses or cannot be understood, and has
    then changed nothing that it could take back; UnknownTask for an id it does not have, also among dependencies;
    InvalidTask for what is no task (`check` has this and the search for circles). Two processes may call at once,
    and neither loses what the other did. Text of a task is text, whatever it looks like. Where strangers can write
    tasks, the references in OURS are given only of tasks that none of them can have written.
    """

    mapping: FieldMap

    def list(self, wanted: Filter) -> list[Task]:
        """The tasks that fit, in the order made."""

    def get(self, task_id: str) -> Task:
        """One task."""

    def create(self, task: NewTask) -> Task:
        """Make a task and return it as it is kept."""

    def update(self, task_id: str, changes: Changes) -> Task:
        """Change a task and return it as it is kept."""

    def close(self, task_id: str) -> Task:
        """Set a task to done; one that is done already stays so."""


class Open(Protocol):
    """What an entry point names: gives a provider for `settings`, the object `task_provider` of the agent map.

    Opening looks at the settings only; it raises InvalidMap for those it cannot use, and asks no manager.
    """

    def __call__(self, settings: Mapping[str, Any], place: Place) -> TaskProvider: ...


class UseTool(Exception):
    """Instead of an answer, by a provider that only the model can reach: the tool it has to call, and with what."""

    def __init__(self, tool: str, arguments: dict[str, Any], then: str = "") -> None:
        super().__init__(tool)
        self.tool = tool
        self.arguments = arguments
        self.then = then  # a sentence: what to do with the tool's answer


def blocked(task: Task, all_tasks: Mapping[str, Task]) -> bool:
    """Whether a task waits for another: one it depends on is not done. Derived, never kept.

    A dependency that is no longer there does not block.
    """
    return task["status"] != "done" and any(
        all_tasks[other]["status"] != "done" for other in task["depends_on"] if other in all_tasks
    )
