"""Plans: what a god proposes, kept as it was proposed, and what a person said to it.

A plan is one file, `plans/<id>.json`. A confirmation names the hash of all that it lets happen; a plan that was edited
since has another hash and is proposed again, whatever its status says.
"""

from __future__ import annotations

import os

from ..mail import check, identity
from ..protocol import agentmap, ids, schemas, show, strictjson
from ..protocol import home as layout
from ..protocol import message as messages
from ..protocol.errors import BusError, CannotWrite, InvalidPlan, NotConfirmed, UnknownPlan, Usage
from ..storage import files, lock
from . import gods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

    from ..bus import Bus
    from ..protocol.documents import AgentMap, Message

    Plan = dict[str, Any]

_MOST = 4 * 1_048_576  # bytes
_GIVEN = ("objective", "tasks")
_ANEW = "Propose a new plan for the rest: ato plan propose -"
# References by which a task or a brief is found: they are ours to give.
_OWN = ("plan://", "ato://")
# The tasks' priorities are a task manager's, the briefs' are the bus's.
PRIORITY = dict(zip(("p0", "p1", "p2", "p3"), messages.PRIORITIES))


def propose(bus: Bus, given: Any, check_tasks: Callable[[Plan], None] = lambda _: None) -> Plan:
    """Keep a plan, `{objective, tasks}`; returns it with its id. Nothing goes out before a person has confirmed it.

    `check_tasks` raises what the task manager would say to its tasks.
    """
    if not isinstance(given, dict) or set(given) - set(_GIVEN):
        raise InvalidPlan("a plan is an object with objective and tasks, and nothing else", "See: ato plan propose -h")
    plan = {
        "id": ids.new_plan_id(),
        "version": messages.VERSION,
        "god": bus.agent,
        "domain": bus.map.get("agents", {}).get(bus.agent, {}).get("domain") or "",
        "objective": given.get("objective"),
        "proposed": show.timestamp(),
        "tasks": [_whole(task) for task in given["tasks"]] if isinstance(given.get("tasks"), list) else None,
        "status": "proposed",
        "confirmation": None,
    }
    check_god(bus.map, bus.agent)
    check_plan(bus.map, plan)
    check_tasks(plan)
    _make_folder(bus.home)
    _write(bus.home, plan)
    return plan


def _whole(task: Any) -> Any:
    """A task with what it need not say."""
    if not isinstance(task, dict):
        return task
    return {"priority": "p2", "depends_on": [], "payload": {}, "context_refs": [], **task}


def check_god(document: AgentMap, agent: str) -> None:
    """Usage if an agent is no god, or the god of no domain."""
    gods.check(document, agent)
    if not document.get("agents", {}).get(agent, {}).get("domain"):
        raise Usage(f"{agent} is the god of no domain", "A person gives it one in AGENT_MAP.json: agents, domain.")


def check_plan(document: AgentMap, plan: Plan) -> None:
    """InvalidPlan, or the refusal its briefs would meet, if a plan could not be dispatched as it is."""
    if schemas.checker("plan")(plan) is not None:
        raise InvalidPlan(check.explain("plan", plan), "What each field may be is in docs/orchestration.md.")
    titles = [task["title"] for task in plan["tasks"]]
    for number, task in enumerate(plan["tasks"], 1):
        where = f"task {number} ({task['title'][:60]})"
        if titles.count(task["title"]) > 1:
            raise InvalidPlan(f"{where}: another task has the same title", "depends_on could not tell them apart.")
        for title in task.get("depends_on", ()):
            if title not in titles:
                raise InvalidPlan(f'{where} depends on "{title[:60]}", which is no task of this plan')
        for uri in task.get("context_refs", ()):
            if uri.startswith(_OWN):
                raise InvalidPlan(f"{where}: {uri[:80]} names a task of the bus itself", "Leave that reference out.")
        domain = document.get("agents", {}).get(task["assignee"], {}).get("domain")
        if task["assignee"] in agentmap.agents(document) and domain != plan["domain"]:
            raise InvalidPlan(
                f"{where}: {task['assignee']} is of {f'the domain {domain}' if domain else 'no domain'}, "
                f"and {plan['god']} is the god of {plan['domain']}",
                "Ask the god of that domain by mail.",
            )
        try:
            identity.check_known(document, task["assignee"])
            agentmap.check_routing(document, plan["god"], task["assignee"])
            check.message(brief(plan, number))
        except BusError as error:
            error.message = f"{where}: {error.message}"
            if error.hint.startswith("Add -"):  # options of send, which a plan has no use for
                error.hint = "Give it in payload of this task."
            elif "--allow-secret" in error.hint:
                error.hint = "Say where the secret is instead of what it is."
            raise
    order(plan)


def order(plan: Plan) -> list[int]:
    """The numbers of the tasks, from 1, each behind those it depends on; InvalidPlan if some wait for each other."""
    numbers = {task["title"]: number for number, task in enumerate(plan["tasks"], 1)}
    waits = {
        number: {numbers[title] for title in task.get("depends_on", ())} for number, task in enumerate(plan["tasks"], 1)
    }
    found: list[int] = []
    while waits:
        free = [number for number, on in waits.items() if on <= set(found)]
        if not free:
            names = ", ".join(plan["tasks"][number - 1]["title"][:60] for number in waits)
            raise InvalidPlan(f"these tasks wait for each other: {names}", "Take one depends_on away.")
        found.append(free[0])
        del waits[free[0]]
    return found


def brief(plan: Plan, number: int) -> Message:
    """The message that hands task `number` to its assignee, not yet sent; its first reference says whose it is."""
    task = plan["tasks"][number - 1]
    return messages.build(
        plan["god"],
        task["assignee"],
        task["intent"],
        {**task.get("payload", {}), "title": task["title"], "summary": task["summary"]},
        type="brief",
        priority=PRIORITY[task.get("priority", "p2")],
        context_refs=[reference(plan["id"], number), *task.get("context_refs", ())],
        requires_response=True,
        response_by=task.get("response_by"),
        budget_minutes=task.get("budget_minutes"),
    )


def reference(plan_id: str, number: int) -> str:
    """How briefs and tasks name the task of a plan that they are."""
    return f"plan://{plan_id}/{number}"


def digest(plan: Plan) -> str:
    """The hash of all that a confirmation lets happen."""
    what = {name: plan[name] for name in ("id", "god", "domain", "objective", "tasks")}
    import json
    from hashlib import sha256

    return sha256(json.dumps(what, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def status(plan: Plan) -> str:
    """`proposed`, `confirmed` or `dispatched`; proposed if it was edited since it was confirmed."""
    confirmation = plan.get("confirmation")
    if not confirmation or confirmation["hash"] != digest(plan):
        return "proposed"
    return "dispatched" if plan["status"] == "dispatched" else "confirmed"


def is_spoilt(plan: Plan) -> bool:
    """Whether a plan was edited after it had begun to go out: nobody could say any more what of it has."""
    return bool(plan.get("dispatch")) and plan["dispatch"]["hash"] != digest(plan)


def load(home: str, given: str) -> Plan:
    """A plan by its id, a prefix of it or of its random part, with the status it has."""
    found = [name for name in names(home) if ids.matches(name, given)]
    if given in found:
        found = [given]
    if len(found) > 1:
        raise UnknownPlan(f'"{given[:80]}" could be {", ".join(sorted(found)[:3])}', "Give more of it.")
    if not found:
        raise UnknownPlan(f'no plan "{given[:80]}"', "See the plans: ato plan show")
    return _read(home, found[0])


def names(home: str) -> list[str]:
    """The ids of all plans, unsorted."""
    found = (name[:-5] for name in files.names(os.path.join(home, "plans")) if name.endswith(".json"))
    return [name for name in found if ids.PLAN.fullmatch(name)]


def recent(home: str, most: int = 20) -> list[Plan]:
    """The plans proposed last, the newest first; those that cannot be read are left out."""
    found = []
    for name in names(home):
        try:
            found.append(_read(home, name))
        except InvalidPlan:
            continue
    return sorted(found, key=lambda plan: str(plan["proposed"]), reverse=True)[:most]


def _read(home: str, plan_id: str) -> Plan:
    path = layout.plan(home, plan_id)
    try:
        plan = strictjson.parse(files.read(path, _MOST))
    except FileNotFoundError:
        raise UnknownPlan(f'no plan "{plan_id}"', "See the plans: ato plan show") from None
    except (files.BadFile, strictjson.BadJSON) as error:
        raise InvalidPlan(f"{path}: {error}", "Mend it, or propose it anew.") from None
    wrong = schemas.checker("plan")(plan)
    if wrong is None and plan["id"] != plan_id:
        wrong = ("id",), f'the file is named "{plan_id}"'
    if wrong is not None:
        raise InvalidPlan(f"{path}: {schemas.describe(wrong)}", "Mend it, or propose it anew.")
    plan["status"] = status(plan)
    return plan  # type: ignore[no-any-return]  # checked by its schema


def confirm(home: str, document: AgentMap, given: str, session: str, shown: Optional[str] = None) -> Plan:
    """Write down that a person has said yes to a plan as it is now; the caller has made sure that it was a person.

    With the digest of what the person was `shown` it is refused if it was edited since. A plan that could not be
    dispatched is refused here too. One that is confirmed already stays as it was.
    """
    with lock.guard(home, "@plans"):
        plan = load(home, given)
        if given not in (plan["id"], plan["id"].rpartition("-")[2]):
            raise UnknownPlan(f'"{given[:80]}" is only a part of a name', f"Give all of it: {plan['id']}")
        if shown is not None and digest(plan) != shown:
            raise NotConfirmed(f"{plan['id']} was edited while you looked at it", f"Look again: ato plan show {given}")
        check_god(document, plan["god"])
        check_plan(document, plan)
        if is_spoilt(plan):
            raise InvalidPlan(f"{plan['id']} was edited after it had begun to go out", _ANEW)
        if plan["status"] == "proposed":
            plan["confirmation"] = {"at": show.timestamp(), "session": session, "hash": digest(plan)}
            plan["status"] = "confirmed"
            _write(home, plan)
    return plan


def check_confirmed(plan: Plan) -> None:
    """NotConfirmed for a plan that waits for its yes."""
    if is_spoilt(plan):
        raise NotConfirmed(f"{plan['id']} was edited after it had begun to go out; nothing more of it does", _ANEW)
    if status(plan) == "proposed":
        edited = plan.get("confirmation") is not None
        why = "was edited after it was confirmed" if edited else "is not confirmed"
        raise NotConfirmed(
            f"{plan['id']} {why}; nothing was dispatched",
            f"Ask your user to type: /god confirm {plan['id']} (or at a terminal: ato plan confirm {plan['id']})",
        )


def begin(home: str, plan_id: str) -> Plan:
    """Write down that a confirmed plan goes out from now on, and return it; NotConfirmed for any other."""
    with lock.guard(home, "@plans"):
        plan = load(home, plan_id)
        check_confirmed(plan)
        if not plan.get("dispatch"):
            plan["dispatch"] = {"at": show.timestamp(), "hash": digest(plan)}
            _write(home, plan)
    return plan


def finish(home: str, plan: Plan) -> str:
    """Write down that all of a plan has gone out, and return its status; it stays what it is if edited meanwhile."""
    with lock.guard(home, "@plans"):
        now = load(home, plan["id"])
        if now["status"] == "confirmed" and digest(now) == digest(plan):
            now["status"] = "dispatched"
            _write(home, now)
    return str(now["status"])


def _make_folder(home: str) -> None:
    folder = os.path.join(home, "plans")
    try:
        files.make_folder(folder)
    except OSError as error:
        raise CannotWrite(f"cannot make {folder}: {error.strerror}", "See: ato doctor") from None


def _write(home: str, plan: Plan) -> None:
    path = layout.plan(home, plan["id"])
    try:
        files.replace(path, strictjson.readable(plan))
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}", "See: ato doctor") from None
