"""A god proposes, a person says yes, and only then work goes out: with the real client, and nothing between."""

from __future__ import annotations

import json
import re
from typing import Any

from e2e.office import Office
from support.client import Terminal
from support.model import Turn, bash

MEND: dict[str, Any] = {
    "title": "Mend the redirect",
    "assignee": "dev",
    "intent": "bug-fix",
    "summary": "Login loops on Safari",
    "payload": {"project": "web"},
    "priority": "p1",
}
CHECK: dict[str, Any] = {
    "title": "Check the redirect",
    "assignee": "dev",
    "intent": "code-review",
    "summary": "Nobody else is caught",
    "payload": {"target": "src/login"},
    "depends_on": ["Mend the redirect"],
}
POST: dict[str, Any] = {
    "title": "Write the post",
    "assignee": "secure",
    "intent": "draft-post",
    "summary": "Say it is mended",
    "payload": {"topic": "The login"},
}


def proposing(office: Office, *tasks: dict[str, Any]) -> Turn:
    """The model proposes a plan in the way the contract says."""
    plan = json.dumps({"objective": "Safari users can sign in again", "tasks": tasks}, indent=1)
    return bash(f"\"{office.helper}\" plan propose - <<'END_7F3A'\n{plan}\nEND_7F3A")


def propose(office: Office, terminal: Terminal, agent: str, key: str, *tasks: dict[str, Any]) -> str:
    """Let the model of a session propose a plan, and return its id."""
    before = set(office.plans())
    _, shown = office.prompt(terminal, key, "See to it", proposing(office, *tasks))
    (plan,) = set(office.plans()) - before
    assert f"Confirm it, as a person: /god confirm {plan}" in shown.newest
    assert all(task["title"] in shown.newest for task in tasks)
    assert office.plan(plan)["god"] == agent
    return plan


def progress(office: Office, agent: str) -> list[tuple[str, str]]:
    """The tasks of an agent's domain with their status."""
    return [(task["title"], task["status"]) for task in office.tasks(agent)]


def test_only_after_the_persons_yes(office: Office) -> None:
    """A dispatch without confirmation is refused before the model's eyes; after `/god confirm` the same call passes."""
    office.domain("product", "ops", "dev")
    terminal = office.terminal("ops")
    *_, request = office.agreed(terminal, "ops", "/god on", office.call("god", "on"))
    assert "god mode is on for ops" in request.newest
    assert "God mode is on: you orchestrate the domain product." in request.newest
    plan = propose(office, terminal, "ops", "ops", MEND, CHECK)

    dispatch = office.call("plan", "dispatch", plan)
    _, refused = office.prompt(terminal, "ops", "Go ahead, you may", dispatch)
    assert "Exit code 2" in refused.newest
    assert f"{plan} is not confirmed; nothing was dispatched" in refused.newest
    assert f'"{office.helper}" plan confirm {plan}' in refused.newest
    assert (office.plan(plan)["status"], office.pending("dev"), office.tasks("ops")) == ("proposed", [], [])

    confirm = office.call("plan", "confirm", plan)
    _, confirmed, done = office.agreed(terminal, "ops", f"/god confirm {plan}", confirm, dispatch)
    assert f"{plan}  confirmed, with the yes of ops/ops" in confirmed.newest
    assert "after 1" in confirmed.newest
    assert f"{plan}  dispatched: 2 briefs sent" in done.newest
    assert done.newest.count("dev has no live session") == 1
    assert office.plan(plan)["confirmation"]["session"] == "ops/ops"
    assert office.plan(plan)["status"] == "dispatched"
    mend, check = office.pending("dev")
    first, second = office.tasks("ops")
    for brief, task, given, number in ((mend, first, MEND, 1), (check, second, CHECK, 2)):
        assert (brief["type"], brief["from"], brief["intent"]) == ("brief", "ops", given["intent"])
        assert brief["payload"] == {**given["payload"], "title": given["title"], "summary": given["summary"]}
        assert brief["context_refs"] == [f"plan://{plan}/{number}"]
        assert (task["id"], task["thread_id"]) == (brief["task_id"], brief["thread_id"])
        assert (task["title"], task["assignee"], task["status"]) == (given["title"], "dev", "todo")
        assert brief["id"] in done.newest
    assert (mend["priority"], check["priority"]) == ("high", "normal")
    assert second["depends_on"] == [first["id"]]

    _, again = office.prompt(terminal, "ops", "Once more", dispatch)
    assert f"{plan}  dispatched: 0 briefs sent, 2 had gone out before" in again.newest
    assert len(office.pending("dev")) == len(office.tasks("ops")) == 2


def test_a_plan_that_was_edited_is_no_longer_confirmed(office: Office) -> None:
    """The yes is for the plan that the person saw: what a model writes into the file afterwards needs another."""
    office.domain("product", "ops", "dev")
    plan = office.propose("ops", MEND, CHECK)
    terminal = office.terminal("ops", "--allowedTools", "Bash")
    confirm = office.call("plan", "confirm", plan)
    office.agreed(terminal, "ops", f"/god confirm {plan}", confirm)
    assert office.plan(plan)["status"] == "confirmed"
    edit = bash(f"sed -i 's/Login loops on Safari/Delete the login/' {office.home}/plans/{plan}.json")
    _, _, refused, shown = office.prompt(
        terminal, "ops", "Go on", edit, office.call("plan", "dispatch", plan), office.call("plan", "show", plan)
    )
    assert "Delete the login" in office.plan(plan)["tasks"][0]["summary"]
    assert "Exit code 2" in refused.newest
    assert f"{plan} was edited after it was confirmed; nothing was dispatched" in refused.newest
    assert f"{plan}  proposed again: it was edited after it was confirmed" in shown.newest
    assert (office.pending("dev"), office.tasks("ops")) == ([], [])
    *_, seen = office.agreed(terminal, "ops", f"/god confirm {plan}", confirm)
    assert "Delete the login" in seen.newest
    assert office.plan(plan)["status"] == "confirmed"


def test_two_gods(office: Office) -> None:
    """Each god plans for its domain, the person says yes to both, work goes out, and progress comes back by itself."""
    office.join("growth", "secure")
    office.domain("product", "ops", "dev")
    office.domain("brand", "growth", "secure")
    ops, growth = office.terminal("ops"), office.terminal("me", folder="growth")
    _, refused = office.prompt(growth, "me", "Post it", proposing(office, {**POST, "payload": {}}))
    assert 'task 1 (Write the post): a draft-post needs payload field "topic"' in refused.newest
    assert "Give it in payload of this task." in refused.newest
    _, refused = office.prompt(growth, "me", "Do it all", proposing(office, POST, MEND))
    assert "Exit code 4" in refused.newest
    assert "task 2 (Mend the redirect): dev is of the domain product, and growth is the god of brand" in refused.newest
    assert office.plans() == []
    first = propose(office, ops, "ops", "ops", MEND, CHECK)
    second = propose(office, growth, "growth", "me", POST)
    confirm, dispatch = (office.call("plan", verb, first) for verb in ("confirm", "dispatch"))
    *_, done = office.agreed(ops, "ops", "Let it out", confirm, dispatch)
    assert f"{first}  dispatched: 2 briefs sent" in done.newest
    assert office.plan(second)["status"] == "proposed"
    _, refused = office.prompt(ops, "ops", "And the other", office.call("plan", "dispatch", second))
    assert f"{second} is growth's plan, and you are ops" in refused.newest
    confirm, dispatch = (office.call("plan", verb, second) for verb in ("confirm", "dispatch"))
    *_, done = office.agreed(growth, "me", "Let it out", confirm, dispatch)
    assert f"{second}  dispatched: 1 brief sent" in done.newest
    assert progress(office, "ops") == [("Mend the redirect", "todo"), ("Check the redirect", "todo")]
    assert progress(office, "growth") == [("Write the post", "todo")]

    brief, _ = office.pending("dev")
    end = brief["id"][-8:]
    office.model.say(office.call("read", end), office.call("reply", end, "accept"), "Begun.", key="dev")
    office.headless("dev", "What is there to do?")
    start, read, accepted = office.model.asked("dev")
    assert f"high brief/bug-fix from ops, just now: Login loops on Safari ({brief['id']})" in start.text
    assert "|   summary  Login loops on Safari" in read.newest
    assert "Replied msg-" in accepted.newest
    assert progress(office, "ops") == [("Mend the redirect", "doing"), ("Check the redirect", "todo")]
    fixed = office.call("reply", end, "response", body="summary: The cookie lacked SameSite=None\ncommit: 3f2a9c1")
    office.model.say(fixed, "Mended.", key="dev")
    office.headless("dev", "Mend it")
    assert progress(office, "ops") == [("Mend the redirect", "done"), ("Check the redirect", "todo")]
    assert progress(office, "growth") == [("Write the post", "todo")]

    ask = office.call("send", "ops", "question", body="question: When may I post it?")
    _, sent = office.prompt(growth, "me", "Ask ops when", ask)
    assert "Sent msg-" in sent.newest
    inbox, listed = office.prompt(ops, "ops", "/inbox", office.call("tasks", "list"))
    assert re.search(r"response/bug-fix +from dev +just now +The cookie lacked SameSite=", inbox.newest)
    assert re.search(r"question +from growth +just now +When may I post it\?", inbox.newest)
    assert "product  0 begun, 1 to do, 0 waiting, 1 done" in listed.newest
    for agent, god in (("dev", "ops"), ("secure", "growth")):
        office.model.say(office.call("send", "god", "note", "-s", f"'{agent} asks'"), "Asked.", key=agent)
        office.headless(agent, "Tell your god")
        (note,) = [item for item in office.pending(god) if item["payload"].get("summary") == f"{agent} asks"]
        assert (note["from"], note["to"]) == (agent, god)
