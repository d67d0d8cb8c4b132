"""Dispatch: the tasks of a confirmed plan into the task manager, and a brief for each to its assignee, once.

Nothing is written down on the way. What has gone out says so itself: a brief in the outbox, and a task in the manager,
bear the reference of the plan's task. So a dispatch that was killed anywhere is simply run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..bus import Bus
from ..mail import check, halt, outbox
from ..mail.delivery import Outgoing
from ..protocol import agentmap
from ..protocol.documents import Message
from ..protocol.errors import InvalidTask, Usage
from ..storage import lock
from ..tasks import check as task_check
from ..tasks import links, load, provider
from . import plans

_PATIENCE = 60.0  # seconds that one dispatch of a god waits for another, whose manager may be far away


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
    with lock.guard(bus.home, "@dispatch-" + lock.bucket(bus.agent), _PATIENCE):
        halt.check(bus.home)
        plans.check_confirmed(plan)
        plans.check_plan(bus.map, plan)
        check_tasks(plan)
        plan = plans.begin(bus.home, plan["id"])
        kept = links.retry(bus)
        result = _send(bus, plan)
        result["warnings"] += kept.warnings
        result["use_tool"] += kept.use_tool
        return {"id": plan["id"], "status": plans.finish(bus.home, plan), **result}


def _send(bus: Bus, plan: plans.Plan) -> dict[str, Any]:
    sent = briefs(bus.home, plan)
    out = {number: message.get("task_id") for number, message in sent.items()}
    rows: dict[int, dict[str, Any]] = {}
    tools: list[dict[str, Any]] = []
    warnings: list[str] = []
    for number in plans.order(plan):
        message = sent.get(number)
        if message is None:
            halt.check(bus.home)  # each time: the manager may have taken long
            message = plans.brief(plan, number)
            tools += _enter(bus, plan, number, message, out, warnings)
            check.message(message)
            warnings += bus.post_one(Outgoing(message))["warnings"]
            out[number] = message.get("task_id")
        rows[number] = {
            "title": plan["tasks"][number - 1]["title"],
            "assignee": message["to"],
            "task_id": out[number],
            "id": message["id"],
            "thread_id": message["thread_id"],
            "new": number not in sent,
        }
    return {
        "tasks": [rows[number] for number in sorted(rows)],
        "use_tool": tools,
        "warnings": list(dict.fromkeys(warnings)),
    }


def _enter(
    bus: Bus, plan: plans.Plan, number: int, message: Message, out: Mapping[int, str | None], warnings: list[str]
) -> list[dict[str, Any]]:
    """Have the task of a brief in its assignee's task manager, and let the two name each other.

    `out` are the ids of the tasks made before. Returns the calls that are left to the model.
    """
    task, tasks = plan["tasks"][number - 1], plan["tasks"]
    settings = agentmap.task_provider(bus.map, task["assignee"])
    waits = [
        task_id
        for other in _before(plan, number)
        # A manager cannot wait for a task in another one.
        if (task_id := out.get(other)) and agentmap.task_provider(bus.map, tasks[other - 1]["assignee"]) == settings
    ]
    if len(waits) < sum(out.get(other) is not None for other in _before(plan, number)):
        warnings.append(f"task {number} waits for one in another task manager, which no manager can know")
    mine = links.reference(message)  # by which the answers to the brief move it
    new: provider.NewTask = {**_new(plan, number), "depends_on": waits, "thread_id": message["thread_id"]}
    new["refs"] = [*new.get("refs", ()), mine]
    manager, ref = load.provider_of(bus.home, bus.map, task["assignee"]), plans.reference(plan["id"], number)
    try:
        there = load.ensure(manager, new, ref, bus.home)
        if mine not in there["refs"]:  # it was made by a dispatch that was killed before it could send
            there = manager.update(there["id"], {"refs": [*there["refs"], mine]})
    except provider.UseTool as use:
        return [{"tool": use.tool, "arguments": use.arguments, "then": use.then}]
    message["task_id"] = there["id"]
    if there["thread_id"]:  # of that dispatch
        message["thread_id"] = there["thread_id"]
    return []


def check_tasks(plan: plans.Plan) -> None:
    """InvalidTask for a task of a plan that no task manager takes."""
    for number in range(1, len(plan["tasks"]) + 1):
        try:
            task_check.new(_new(plan, number))
        except InvalidTask as error:
            error.message = f"task {number}: {error.message}"
            raise


def _new(plan: plans.Plan, number: int) -> provider.NewTask:
    """What the task manager gets of a task, but for its dependencies."""
    task = plan["tasks"][number - 1]
    return {
        "title": task["title"],
        "assignee": task["assignee"],
        "priority": task.get("priority", "p2"),
        "due": task.get("response_by"),
        "refs": task.get("context_refs", ()),
    }


def _before(plan: plans.Plan, number: int) -> list[int]:
    """The numbers of the tasks that a task waits for."""
    titles = plan["tasks"][number - 1].get("depends_on", ())
    return [other for other, task in enumerate(plan["tasks"], 1) if task["title"] in titles]


def briefs(home: str, plan: plans.Plan) -> dict[int, Message]:
    """The briefs of a plan that have been sent, by the number of their task."""
    found: dict[int, Message] = {}
    wanted = {plans.reference(plan["id"], number): number for number in range(1, len(plan["tasks"]) + 1)}
    proposed = "-".join((plan["id"][5:9], plan["id"][9:11], plan["id"][11:13]))  # no brief is older
    days = {day for day in outbox.days(home) if day >= proposed}
    for message in outbox.mentioning(home, f"plan://{plan['id']}/", days):
        if message["type"] == "brief" and message["from"] == plan["god"]:
            for uri in message.get("context_refs", ())[:1]:
                if uri in wanted:
                    found.setdefault(wanted[uri], message)
    return found
