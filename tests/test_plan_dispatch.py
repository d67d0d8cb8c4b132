"""plan dispatch: a task and a brief for each task of a confirmed plan, that name each other, once."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import jsonschema
import pytest

from conftest import Team, tree
from support import plans
from support.cli import ORDINARY, PATIENCE, PROGRAM, ROOT
from support.plans import task

MESSAGE = json.loads((ROOT / "schemas/message.schema.json").read_bytes())
TASKS = (  # those others wait for come later here
    task("Tell", depends_on=["Post", "Mend"], priority="p3", response_by="2030-05-23T18:00:00+02:00"),
    task("Post", "growth", depends_on=["Mend"], priority="p1", context_refs=["gh://o/r/issues/1"]),
    task("Mend", intent="bug-fix", payload={"project": "web", "text": "Safari"}, priority="p0", budget_minutes=90),
    task("Look"),
)
TOOLS = {"create": "mcp__linear__create", "list": "mcp__linear__list", "get": "mcp__l__get", "update": "mcp__l__update"}
MCP = {"kind": "mcp", "tools": TOOLS, "priority": {"p0": 1, "p1": 2, "p2": 3, "p3": 4}}


@pytest.fixture
def gods(team: Team) -> Team:
    """Two domains with a god each: ops of side, secure of work."""
    return plans.gods(team)


def dispatched(team: Team, plan_id: str, agent: str = "ops") -> Any:
    """What `plan dispatch --json` says of a plan that has now gone out."""
    done = plans.run(team, agent, "dispatch", plan_id)
    assert (done["id"], done["status"]) == (plan_id, "dispatched")
    assert plans.stored(team, plan_id)["status"] == "dispatched"
    return done


def test_the_briefs(gods: Team) -> None:
    """Each task goes to its assignee as a brief with its fields, first those others wait for, each in a thread."""
    plan_id = plans.confirmed(gods, *TASKS)
    result = dispatched(gods, plan_id)
    briefs = plans.sent(gods)
    assert [brief["payload"]["title"] for brief in briefs] == ["Mend", "Post", "Tell", "Look"]
    by_title = {brief["payload"]["title"]: brief for brief in briefs}
    for brief in briefs:
        jsonschema.validate(brief, MESSAGE)
        assert (brief["from"], brief["type"], brief["requires_response"]) == ("ops", "brief", True)
        assert json.loads((gods.home / f"threads/{brief['thread_id']}.json").read_bytes())["status"] == "open"
    mend, post, tell, look = (by_title[title] for title in ("Mend", "Post", "Tell", "Look"))
    assert [brief["to"] for brief in (mend, post, tell, look)] == ["dev", "growth", "dev", "dev"]
    assert [brief["intent"] for brief in (mend, post)] == ["bug-fix", "note"]
    assert [brief["priority"] for brief in (mend, post, tell, look)] == ["urgent", "high", "low", "normal"]
    assert mend["payload"] == {"project": "web", "text": "Safari", "title": "Mend", "summary": "Mend, please"}
    assert [mend.get("budget_minutes"), post.get("budget_minutes")] == [90, None]
    assert [tell["response_by"], mend["response_by"]] == ["2030-05-23T18:00:00+02:00", None]
    assert mend["context_refs"] == [f"plan://{plan_id}/3"]
    assert post["context_refs"] == [f"plan://{plan_id}/2", "gh://o/r/issues/1"]
    assert len({brief["thread_id"] for brief in briefs}) == 4
    assert [row["title"] for row in result["tasks"]] == ["Tell", "Post", "Mend", "Look"]
    for row in result["tasks"]:
        brief = by_title[row["title"]]
        assert row == {
            "title": row["title"], "assignee": brief["to"], "task_id": brief["task_id"], "id": brief["id"],
            "thread_id": brief["thread_id"], "new": True,
        }  # fmt: skip
    assert (result["use_tool"], set(result)) == ([], {"id", "status", "tasks", "use_tool", "warnings"})


def test_the_tasks(gods: Team) -> None:
    """The task manager has each task, what it waits for, the thread of its brief, and both their references."""
    plan_id = plans.confirmed(gods, *TASKS)
    dispatched(gods, plan_id)
    briefs = {brief["payload"]["title"]: brief for brief in plans.sent(gods)}
    made = {each["title"]: each for each in plans.tasks(gods)}
    assert list(made) == ["Mend", "Post", "Tell", "Look"]
    for title, each in made.items():
        brief = briefs[title]
        assert (each["id"], each["thread_id"]) == (brief["task_id"], brief["thread_id"])
        assert (each["assignee"], each["status"]) == (brief["to"], "todo")
        assert sorted(each["refs"]) == sorted([*brief["context_refs"], f"ato://{brief['id']}"])
    assert [made[title]["priority"] for title in ("Mend", "Post", "Tell", "Look")] == ["p0", "p1", "p3", "p2"]
    assert made["Mend"]["depends_on"] == made["Look"]["depends_on"] == []
    assert made["Post"]["depends_on"] == [made["Mend"]["id"]]
    assert sorted(made["Tell"]["depends_on"]) == sorted([made["Mend"]["id"], made["Post"]["id"]])
    assert [made["Tell"]["due"], made["Mend"].get("due")] == ["2030-05-23T16:00:00Z", None]
    assert plans.tasks(gods, "work") == []


def test_again(gods: Team) -> None:
    """A repeated dispatch sends nothing and changes nothing, also after the briefs were read and the tasks done."""
    plan_id = plans.confirmed(gods, *TASKS)
    first = dispatched(gods, plan_id)
    before = tree(gods.home)
    again = dispatched(gods, plan_id)
    assert tree(gods.home) == before
    assert again["tasks"] == [{**row, "new": False} for row in first["tasks"]]
    page = gods.run("ops", "plan", "dispatch", plan_id).stdout
    assert page.startswith(f"{plan_id}  dispatched: 0 briefs sent, 4 had gone out before\n")
    read = gods.json("dev", "read")["id"]
    file = gods.home / "tasks/side.json"
    file.write_text(file.read_text().replace('"todo"', '"done"'))
    before = tree(gods.home)
    assert dispatched(gods, plan_id)["tasks"] == again["tasks"]
    assert tree(gods.home) == before
    assert read in [row["id"] for row in again["tasks"]]


def test_progress_is_shown(gods: Team) -> None:
    """plan show says of each task that has gone out how its thread stands."""
    plan_id = plans.confirmed(gods, task("Mend"), task("Post", "growth"))
    assert "[" not in gods.run("ops", "plan", "show", plan_id).stdout
    result = dispatched(gods, plan_id)
    page = gods.run("ops", "plan", "show", plan_id).stdout
    assert page.startswith(f"{plan_id}  dispatched, with the yes of ops/ops")
    assert "Mend  [open]" in page
    assert "Post  [open]" in page
    assert f"ato plan launch {plan_id}" in page
    assert gods.run("dev", "reply", result["tasks"][0]["id"], "response", "--summary", "done").returncode == 0
    page = gods.run("ops", "plan", "show", plan_id).stdout
    assert "Mend  [open]" not in page
    assert "Post  [open]" in page


def test_what_is_printed(gods: Team) -> None:
    """For people dispatch prints a line a brief, with assignee, id, task and title."""
    plan_id = plans.confirmed(gods, task("Mend"), task("Post", "growth"))
    done = gods.run("ops", "plan", "dispatch", plan_id[-6:])
    assert done.returncode == 0, done.stderr
    first, second = plans.sent(gods)
    assert done.stdout.splitlines()[:3] == [
        f"{plan_id}  dispatched: 2 briefs sent",
        f"  dev     {first['id']}  {first['task_id']}  Mend",
        f"  growth  {second['id']}  {second['task_id']}  Post",
    ]


def test_two_at_once(gods: Team) -> None:
    """Of dispatches at once none sends what another does: each brief and each task is there once."""
    plan_id = plans.confirmed(gods, *TASKS)
    command = [*ORDINARY, *PROGRAM, "plan", "dispatch", plan_id, "--json"]
    running = [
        subprocess.Popen(command, cwd=gods.root / "ops", env=gods.env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        for _ in range(4)
    ]
    results = [(process.communicate(timeout=PATIENCE)[0], process.returncode) for process in running]
    assert {status for _, status in results} <= {0, 3}
    new = [row["id"] for said, status in results if status == 0 for row in json.loads(said)["tasks"] if row["new"]]
    assert sorted(new) == sorted(brief["id"] for brief in plans.sent(gods))
    assert len(new) == len(plans.tasks(gods)) == 4


def test_a_manager_that_fails_midway(gods: Team) -> None:
    """Where the task manager fails no brief goes out for what it did not take; dispatch goes on when it works again."""
    gods.map(agents={**plans.AGENTS, "growth": {"domain": "side", "task_provider": {"kind": "none-such"}}})
    plan_id = plans.confirmed(gods, *TASKS)
    done = gods.run("ops", "plan", "dispatch", plan_id, "--json")
    assert done.returncode == 4
    assert "none-such" in done.stdout
    assert [brief["payload"]["title"] for brief in plans.sent(gods)] == ["Mend"]
    assert plans.stored(gods, plan_id)["status"] == "confirmed"
    gods.map(agents=plans.AGENTS)
    result = dispatched(gods, plan_id)
    assert [row["new"] for row in result["tasks"]] == [True, True, False, True]
    assert [brief["payload"]["title"] for brief in plans.sent(gods)] == ["Mend", "Post", "Tell", "Look"]
    made = {each["title"]: each for each in plans.tasks(gods)}
    assert sorted(made["Tell"]["depends_on"]) == sorted([made["Mend"]["id"], made["Post"]["id"]])


def test_a_task_file_that_is_broken(gods: Team) -> None:
    """With a task file that cannot be read or understood nothing goes out, and when it is mended all of it does."""
    plan_id = plans.confirmed(gods, *TASKS)
    (gods.home / "tasks").mkdir(mode=0o700, exist_ok=True)
    file = gods.home / "tasks/side.json"
    for text, mode in (("{", 0o600), ('{"version":"2.0","next":1,"tasks":[]}', 0)):
        file.write_text(text)
        file.chmod(mode)
        done = gods.run("ops", "plan", "dispatch", plan_id)
        assert (done.returncode, done.stdout, str(file) in done.stderr) == (70, "", True), done.stderr
        assert "Traceback" not in done.stderr
        file.chmod(0o600)
        assert file.read_text() == text
        assert plans.sent(gods) == []
    dispatched(gods, plan_id)
    assert len(plans.sent(gods)) == len(plans.tasks(gods)) == 4


def test_an_inbox_that_cannot_be_written(gods: Team) -> None:
    """A brief that could not be sent leaves its task; the next dispatch sends it in that task's thread, once."""
    plan_id = plans.confirmed(gods, *TASKS)
    box = gods.home / "inboxes/growth"
    box.write_text("no folder")
    assert gods.run("ops", "plan", "dispatch", plan_id).returncode == 73
    box.unlink()
    assert [each["title"] for each in plans.tasks(gods)] == ["Mend", "Post"]
    thread = plans.tasks(gods)[1]["thread_id"]
    dispatched(gods, plan_id)
    assert [each["title"] for each in plans.tasks(gods)] == ["Mend", "Post", "Tell", "Look"]
    (post,) = [brief for brief in plans.sent(gods) if brief["to"] == "growth"]
    assert post["thread_id"] == thread == plans.tasks(gods)[1]["thread_id"]


def test_somebody_else_s_mail(gods: Team) -> None:
    """What others wrote under a reference of the plan, and what the god wrote otherwise, stands for no brief."""
    plan_id = plans.confirmed(gods, *TASKS)
    ref = ["--ref", f"plan://{plan_id}/3"]
    for agent, to, kind in (("dev", "growth", "brief"), ("ops", "dev", "request")):
        gods.json(agent, "send", to, "note", "--summary", "Mend", "--type", kind, *ref)
    gods.json("ops", "send", "dev", "note", "--summary", "x", "--type", "brief", "--ref", "x:y", *ref)
    dispatched(gods, plan_id)
    assert [brief["payload"].get("title") for brief in plans.sent(gods)] == [None, None, "Mend", "Post", "Tell", "Look"]


def test_a_manager_only_the_model_reaches(gods: Team) -> None:
    """With the provider mcp the briefs go out and dispatch says which tool to call with what for each task."""
    gods.map(domains={"side": {"task_provider": MCP}})
    plan_id = plans.confirmed(gods, *TASKS)
    before = tree(gods.root)
    result = dispatched(gods, plan_id)
    assert tree(gods.root) != before
    uses = {use["arguments"]["title"]: use for use in result["use_tool"]}
    assert list(uses) == ["Mend", "Post", "Tell", "Look"]
    briefs = {brief["payload"]["title"]: brief for brief in plans.sent(gods)}
    for title, use in uses.items():
        assert set(use) == {"tool", "arguments", "then"}
        assert use["tool"] == "mcp__linear__create"
        assert use["arguments"]["thread_id"] == briefs[title]["thread_id"]
        assert use["arguments"]["assignee"] == briefs[title]["to"]
        brief = briefs[title]
        assert sorted(use["arguments"]["refs"]) == sorted([*brief["context_refs"], f"ato://{brief['id']}"])
        assert briefs[title].get("task_id") is None
    assert [uses[title]["arguments"]["priority"] for title in uses] == [1, 2, 4, 3]
    assert plans.tasks(gods) == []
    second = plans.confirmed(gods, *TASKS)
    page = gods.run("ops", "plan", "dispatch", second)
    assert page.stdout.count("mcp__linear__create") == 4
    assert dispatched(gods, second)["use_tool"] == []
