"""tasks: list, show, add, start, done, depend."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from ..mail import identity
from ..protocol.errors import BusError
from ..tasks import links, load, page
from ..tasks.provider import PRIORITIES, STATUSES, Filter, NewTask, Task, TaskProvider, UnknownTask, UseTool, blocked
from . import content, here, output

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group()
@_AS_JSON
@click.pass_context
def tasks(context: click.Context, as_json: bool) -> None:
    """List, make and change the tasks of this agent's domain.

    The map says in which task manager they are.
    """
    context.obj = as_json


class _Here:
    """The asking agent's task manager, and how the answer is wanted."""

    def __init__(self, as_json: bool, writes: bool = False) -> None:
        self.bus = here.open_bus()
        self.as_json = as_json or click.get_current_context().obj
        agent = self.bus.agent
        if writes:
            self.bus.make()
        kept = links.retry(self.bus)
        output.warn(kept.warnings)
        for asked in kept.use_tool:
            output.note_page(page.use_tool(UseTool(**asked)))  # beside the answer, which may be the one document
        self.provider: TaskProvider = load.provider_of(self.bus.home, self.bus.map, agent)
        self.short: Callable[[str], str] = getattr(self.provider, "short", str)

    def around(self, task: Task) -> dict[str, Task]:
        """A task and those it depends on that are still there, by id."""
        found = {task["id"]: task}
        for other in task["depends_on"]:
            with contextlib.suppress(UnknownTask):
                found[other] = self.provider.get(other)
        return found

    def every(self, some: list[Task]) -> dict[str, Task]:
        """These tasks and all they depend on, by id."""
        found = {task["id"]: task for task in some}
        if any(other not in found for task in some for other in task["depends_on"]):
            found.update((task["id"], task) for task in self.provider.list({}))
        return found

    def report(self, what: str, task: Task) -> None:
        """Say what was done."""
        if self.as_json:
            output.emit(task)
            return
        every = {}
        with contextlib.suppress(BusError):  # it is done, whatever else cannot be found out
            every = self.around(task)
        output.show_page(page.changed(what, task, every, output.program(), self.short))


@contextlib.contextmanager
def _asking(as_json: bool, writes: bool = False) -> Iterator[_Here]:
    """The manager; where only the model can reach it, the tool it has to call is the answer."""
    here_ = _Here(as_json, writes)
    try:
        yield here_
    except UseTool as asked:
        if here_.as_json:
            output.emit({"use_tool": {"tool": asked.tool, "arguments": asked.arguments, "then": asked.then}})
        else:
            output.show_page(page.use_tool(asked))


@tasks.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Only tasks with this status.")
@click.option("--assignee", metavar="A", help="Only tasks of this agent.")
@click.option("--blocked", "only_blocked", is_flag=True, help="Only tasks that wait for others.")
@_AS_JSON
def list_(status: Any, assignee: str | None, only_blocked: bool, as_json: bool) -> None:
    """List the tasks, what is begun first.

    With --json all of them, in the order made.
    """
    with _asking(as_json) as at:
        wanted: Filter = {}
        if status:
            wanted["status"] = status
        if assignee is not None:
            wanted["assignee"] = identity.check_known(at.bus.map, assignee)
        listed = at.provider.list(wanted)
        every = at.every(listed)
        if only_blocked:
            listed = [task for task in listed if blocked(task, every)]
        if at.as_json:
            output.emit({"tasks": [_with_blocked(task, every) for task in listed]})
            return
        name = at.bus.map.get("agents", {}).get(at.bus.agent, {}).get("domain") or "no domain"
        if listed:
            output.show_page(page.tasks(name, listed, every, output.program(), at.short, output.bold))
        else:
            output.show_page(page.none(name, bool(wanted or only_blocked), output.program()))


@tasks.command()
@click.argument("task_id", metavar="ID")
@_AS_JSON
def show(task_id: str, as_json: bool) -> None:
    """Show a task with its remarks and what it waits for."""
    with _asking(as_json) as at:
        task = at.provider.get(task_id)
        every = at.around(task)
        if at.as_json:
            output.emit(_with_blocked(task, every))
        else:
            output.show_page(page.task(task, every, output.program(), at.short))


@tasks.command()
@click.argument("title")
@click.option("--assignee", metavar="A", help="The agent whose task it is.")
@click.option("--priority", type=click.Choice(PRIORITIES), help="p0 is the most urgent. Default: p2.")
@click.option("--due", metavar="ISO", help="Until when, like 2026-05-23T18:00:00+02:00.")
@click.option("--depends", multiple=True, metavar="ID", help="A task that must be done before; repeat for each.")
@click.option("--ref", multiple=True, metavar="URI", help="What it is about: a URI, or a path here.")
@_AS_JSON
def add(
    title: str, assignee: str | None, priority: Any, due: str | None, depends: tuple[str, ...], ref: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Make a task.

    TITLE says in one line what is to be done.
    """
    with _asking(as_json, writes=True) as at:
        task: NewTask = {"title": title, "depends_on": depends, "refs": [content.reference(text) for text in ref]}
        if assignee is not None:
            task["assignee"] = identity.check_known(at.bus.map, assignee)
        if priority:
            task["priority"] = priority
        if due is not None:
            task["due"] = due
        at.report("Added", at.provider.create(task))


@tasks.command()
@click.argument("task_id", metavar="ID")
@_AS_JSON
def start(task_id: str, as_json: bool) -> None:
    """Say that a task is begun."""
    with _asking(as_json, writes=True) as at:
        was = ""
        if not at.as_json:
            with contextlib.suppress(UseTool):  # it does not matter to the tool that starts one
                was = at.provider.get(task_id)["status"]
        at.report("Reopened" if was == "done" else "Started", at.provider.update(task_id, {"status": "doing"}))


@tasks.command()
@click.argument("task_id", metavar="ID")
@_AS_JSON
def done(task_id: str, as_json: bool) -> None:
    """Close a task."""
    with _asking(as_json, writes=True) as at:
        at.report("Closed", at.provider.close(task_id))


@tasks.command()
@click.argument("task_id", metavar="ID")
@click.argument("on", nargs=-1, required=True)
@_AS_JSON
def depend(task_id: str, on: tuple[str, ...], as_json: bool) -> None:
    """Let a task wait for others.

    Task ID is blocked until the tasks ON are done.
    """
    with _asking(as_json, writes=True) as at:
        at.report("Changed", load.depend(at.provider, task_id, on, at.bus.home))


def show_tools(wanted: list[dict[str, Any]]) -> None:
    """Say which tools the model has to call, as `tasks.links` gives them."""
    for asked in wanted:
        output.show_page(page.use_tool(UseTool(**asked)))


def _with_blocked(task: Task, every: Mapping[str, Task]) -> dict[str, Any]:
    return {**task, "blocked": blocked(task, every)}
