"""Dispatch: the tasks of a confirmed plan into the task manager, and a brief for each to its assignee, once.

Nothing is written down on the way. What has gone out says so itself: a brief in the outbox, and a task in the manager,
bear the reference of the plan's task. So a dispatch that was killed anywhere is simply run again.
"""

from __future__ import annotations

from typing import Any

from ..bus import Bus
from ..mail import check, halt, outbox
from ..mail.delivery import Outgoing
from ..protocol.documents import Message
from ..protocol.errors import BusError, Usage
from ..storage import lock
from ..tasks import load, provider
from . import plans


def dispatch(bus: Bus, given: str) -> dict[str, Any]:
    """Send a plan of this agent out; a repeated one goes on where the last one stopped.

    Returns `{id, status, tasks: [{title, assignee, task_id, id, thread_id, new}], use_tool: [{tool, arguments, then}],
    warnings}`: `id` is that of the brief, `new` says whether it was sent just now, `use_tool` what the model has to do
    where only it can reach the task manager. NotConfirmed for a plan without the yes of a person.
    """
    plan = plans.load(bus.home, given)
    if plan["god"] != bus.agent:
        raise Usage(f"{plan['id']} is {plan['god']}'s plan, and you are {bus.agent}", "Each god dispatches its own.")
    plans.check_god(bus.map, bus.agent)
    with lock.guard(bus.home, "@dispatch"):
        halt.check(bus.home)
        plans.check_confirmed(plan)
        plans.check_plan(bus.map, plan)
        plan = plans.begin(bus.home, plan["id"])
        result = _send(bus, plan)
        return {"id": plan["id"], "status": plans.finish(bus.home, plan), **result}


def _send(bus: Bus, plan: plans.Plan) -> dict[str, Any]:
    manager = load.provider_of(bus.home, bus.map, bus.agent)
    sent = briefs(bus.home, plan)
    task_ids: dict[str, str] = {}
    tools: list[dict[str, Any]] = []
    rows: dict[int, dict[str, Any]] = {}
    warnings: list[str] = []
    for number in plans.order(plan):
        task = plan["tasks"][number - 1]
        message = sent.get(number)
        if message is None:
            one = Outgoing(plans.brief(plan, number))
            _enter(bus.home, manager, plan, number, one.message, task_ids, tools)
            check.message(one.message)
            (result,) = bus.post([one])
            if isinstance(result, BusError):
                raise result
            warnings += result["warnings"]
            message = one.message
        task_id = message.get("task_id")
        if task_id:
            task_ids[task["title"]] = task_id
        rows[number] = {
            "title": task["title"],
            "assignee": task["assignee"],
            "task_id": task_id,
            "id": message["id"],
            "thread_id": message["thread_id"],
            "new": number not in sent,
        }
    return {"tasks": [rows[number] for number in sorted(rows)], "use_tool": tools, "warnings": warnings}


def _enter(
    home: str,
    manager: provider.TaskProvider,
    plan: plans.Plan,
    number: int,
    message: Message,
    task_ids: dict[str, str],
    tools: list[dict[str, Any]],
) -> None:
    """Have the task of a brief in the task manager, and let the two name each other."""
    task = plan["tasks"][number - 1]
    new: provider.NewTask = {
        "title": task["title"],
        "assignee": task["assignee"],
        "priority": task.get("priority", "p2"),
        "depends_on": [task_ids[title] for title in task.get("depends_on", ()) if title in task_ids],
        "due": task.get("response_by"),
        "refs": message["context_refs"][1:],
        "thread_id": message["thread_id"],
    }
    try:
        there = load.ensure(manager, new, plans.reference(plan["id"], number), home)
    except provider.UseTool:  # only the model can look; it is told to make the task, and its number is not known here
        tools += _tool(manager, {**new, "refs": message["context_refs"]})
        return
    message["task_id"] = there["id"]
    if there["thread_id"]:  # it was made by a dispatch that was killed before it could send
        message["thread_id"] = there["thread_id"]


def _tool(manager: provider.TaskProvider, new: provider.NewTask) -> list[dict[str, Any]]:
    """The call that makes a task in a manager that only the model can reach."""
    try:
        manager.create(new)
    except provider.UseTool as use:
        return [{"tool": use.tool, "arguments": use.arguments, "then": use.then}]
    return []


def briefs(home: str, plan: plans.Plan) -> dict[int, Message]:
    """The briefs of a plan that have been sent, by the number of their task."""
    found: dict[int, Message] = {}
    wanted = {plans.reference(plan["id"], number): number for number in range(1, len(plan["tasks"]) + 1)}
    for message in outbox.mentioning(home, f"plan://{plan['id']}/"):
        if message["type"] == "brief" and message["from"] == plan["god"]:
            for uri in message.get("context_refs", ())[:1]:
                if uri in wanted:
                    found.setdefault(wanted[uri], message)
    return found
