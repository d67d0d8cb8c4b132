"""A request sent with `--task` brings its recipient a task, and the answers move it on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import Team, tree
from support.tasked import NOWHERE, about_tasks, answer, in_file, kept, listed, manage, request

TOOLS = {name: f"mcp__tracker__{name}_issue" for name in ("create", "list", "get", "update")}


def test_a_request_makes_a_task(team: Team) -> None:
    """The task has what the request says, and the message names it; nothing waits for the manager."""
    sent = request(
        team, "--priority", "urgent", "--response-by", "2027-01-02T03:04:05+02:00", "--ref", "gh://owner/repo/issues/1",
        "--requires-response",
    )  # fmt: skip
    [task] = listed(team)
    assert task == {
        "id": "t-1", "title": "Login loops on Safari", "status": "todo", "assignee": "dev", "priority": "p0",
        "depends_on": [], "due": "2027-01-02T01:04:05Z", "refs": ["gh://owner/repo/issues/1", f"ato://{sent['id']}"],
        "thread_id": sent["thread_id"], "blocked": False,
    }  # fmt: skip
    assert sent["task_id"] == "t-1"
    assert team.stored(sent)["task_id"] == "t-1"
    assert about_tasks(sent) == []
    assert kept(team) == []


@pytest.mark.parametrize(("priority", "there"), [("high", "p1"), ("normal", "p2"), ("low", "p3")])
def test_priorities(priority: str, there: str, team: Team) -> None:
    """The urgency of a message is that of its task."""
    request(team, "--priority", priority)
    assert [task["priority"] for task in in_file(team)] == [there]


def test_a_person_is_told(team: Team) -> None:
    """Without --json the line that says what was sent names the task."""
    done = team.run("ops", "send", "dev", "note", "--summary", "x", "--task")
    assert done.returncode == 0
    assert done.stdout.endswith(", task t-1.\n")
    [message] = (team.home / "inboxes/dev").glob("msg-*.json")
    done = team.run("dev", "reply", message.stem, "accept")
    assert done.stdout.endswith(", task t-1.\n")


def test_to_one_session(team: Team) -> None:
    """A request to one session of an agent makes the agent's task."""
    sent = request(team, to="dev/web")
    assert [(task["id"], task["assignee"]) for task in in_file(team)] == [(sent["task_id"], "dev")]


def test_in_the_manager_of_the_recipient(team: Team) -> None:
    """The task is in the recipient's manager: its own, else its domain's, whatever the sender has."""
    team.join("growth")
    team.map(
        agents={
            "ops": {"domain": "work"},
            "dev": {"domain": "side", "task_provider": {"kind": "file"}},
            "growth": {"domain": "side"},
        },
        domains={"work": {"task_provider": NOWHERE}, "side": {"task_provider": {"kind": "taskwarrior"}}},
    )
    assert about_tasks(request(team)) == []
    assert [task["title"] for task in in_file(team, "side")] == ["Login loops on Safari"]
    assert not (team.home / "tasks/side.taskwarrior").exists()
    sent = request(team, to="growth", summary="Write the release notes")
    [task] = listed(team, "growth")
    assert (task["title"], task["assignee"]) == ("Write the release notes", "growth")
    assert task["id"] == sent["task_id"]
    assert len(in_file(team, "side")) == 1
    assert not (team.home / "tasks/work.json").exists()


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (["accept"], "doing"), (["accept", "response"], "done"), (["response"], "done"), (["confirm"], "done"),
        (["accept", "decline"], "todo"), (["decline"], "todo"),
    ],
)  # fmt: skip
def test_answers_move_it(kinds: list[str], status: str, team: Team) -> None:
    """Accept starts the task, response and confirm close it; each answer says which task it moved."""
    sent = request(team)
    for kind in kinds:
        assert answer(team, sent, kind)["task_id"] == "t-1"
    [task] = in_file(team)
    assert task["status"] == status
    assert task["assignee"] == ("ops" if kinds[-1] == "decline" else "dev")
    assert kept(team) == []


def test_declined(team: Team) -> None:
    """A task that is declined goes back to who has asked, with the reason as a remark on one line."""
    sent = request(team)
    answer(team, sent, "decline", "--field", "reason=No time  before\tMay\nreally")
    task = team.json("dev", "tasks", "show", "t-1")
    assert (task["status"], task["assignee"], task["notes"]) == (
        "todo", "ops", ["declined by dev: No time before May"],
    )  # fmt: skip


def test_declined_without_a_word(team: Team) -> None:
    """A decline needs no reason, and then says who it was."""
    answer(team, request(team), "decline")
    assert team.json("dev", "tasks", "show", "t-1")["notes"] == ["declined by dev"]


def test_asking_back(team: Team) -> None:
    """A question back moves nothing, nor does the answer of who has asked; the answer to that closes the task."""
    sent = request(team)
    asked = answer(team, sent, "question", "--summary", "Which Safari?")
    assert "task_id" not in asked
    told = answer(team, asked, "response", "--summary", "17", agent="ops")
    assert "task_id" not in told
    assert [task["status"] for task in in_file(team)] == ["todo"]
    assert answer(team, told, "accept")["task_id"] == "t-1"
    assert [task["status"] for task in in_file(team)] == ["doing"]
    assert answer(team, told, "response")["task_id"] == "t-1"
    assert [task["status"] for task in in_file(team)] == ["done"]


def test_a_later_message_of_the_thread(team: Team) -> None:
    """The answer to a later message without a task moves the last task that came before it."""
    first = request(team)
    thread = ("--thread", first["thread_id"])
    request(team, *thread, summary="Write the release notes")
    reminder = team.ask("ops", "dev", *thread)
    request(team, *thread, summary="Ship it")
    assert answer(team, reminder, "accept")["task_id"] == "t-2"
    assert [task["status"] for task in in_file(team)] == ["todo", "doing", "todo"]


def test_an_earlier_message_of_the_thread(team: Team) -> None:
    """The answer to what was asked before the task came does not close it."""
    asked = team.ask("ops", "dev")
    request(team, "--thread", asked["thread_id"])
    assert "task_id" not in answer(team, asked, "response", "--summary", "main")
    assert [task["status"] for task in in_file(team)] == ["todo"]


def test_others_in_the_thread(team: Team) -> None:
    """In a thread of several agents an answer moves the task between those two, and no other's."""
    team.join("growth")
    mine = request(team)
    thread = ("--thread", mine["thread_id"])
    request(team, *thread, to="growth")
    question = team.ask("growth", "dev", *thread)
    assert "task_id" not in answer(team, question, "response", "--summary", "main")
    reminder = team.ask("ops", "dev", *thread)
    assert answer(team, reminder, "response", "--summary", "done")["task_id"] == "t-1"
    assert [(task["assignee"], task["status"]) for task in in_file(team)] == [("dev", "done"), ("growth", "todo")]


def test_a_thread_that_cannot_be_read(team: Team) -> None:
    """Where the thread's file is broken the outbox says which task a message is about."""
    sent = request(team)
    reminder = team.ask("ops", "dev", "--thread", sent["thread_id"])
    (team.home / "threads" / f"{sent['thread_id']}.json").write_text("{")
    assert answer(team, reminder, "response", "--summary", "done")["task_id"] == "t-1"
    assert [task["status"] for task in in_file(team)] == ["done"]


def test_a_task_that_is_gone(team: Team) -> None:
    """An answer about a task that a person has taken out is sent, with one warning, and nothing is kept."""
    sent = request(team)
    path = team.home / "tasks/_none.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "tasks": []}))
    [warning] = about_tasks(answer(team, sent, "accept"))
    assert warning.startswith('the task t-1 was not changed: there is no task "t-1"')
    assert kept(team) == []


def test_without_a_task_no_manager_is_asked(team: Team) -> None:
    """Messages that bring no task, and their answers, do not care for any manager."""
    manage(team, ops=NOWHERE, dev=NOWHERE)
    sent = team.ask("ops", "dev")
    for kind in ("accept", "response", "confirm", "decline"):
        assert about_tasks(answer(team, sent, kind)) == []
    assert not (team.home / "tasks").exists()


def test_a_dry_run(team: Team) -> None:
    """A dry run makes no task, and that of an answer moves none."""
    before = tree(team.root)
    assert request(team, "--dry-run")["dry_run"] is True
    assert tree(team.root) == before
    sent = request(team)
    before = tree(team.root)
    assert answer(team, sent, "accept", "--dry-run")["dry_run"] is True
    assert tree(team.root) == before


def test_not_in_a_batch(team: Team) -> None:
    """A batch takes no --task."""
    team.refused(64, "usage", "ops", "send", "--batch", "-", "--task", stdin='{"to":"dev"}\n')


def tracker(**more: Any) -> dict[str, Any]:
    """A manager that only the model reaches."""
    return {"kind": "mcp", "tools": TOOLS, **more}


def test_only_the_model_reaches_it(team: Team) -> None:
    """Where the model has to call the tools, the answers say which and with what, and nothing is kept."""
    manage(team, dev=tracker(status={"todo": "Todo", "doing": "Doing", "done": "Done"}))
    sent = request(team)
    reference = f"ato://{sent['id']}"
    assert sent["task_id"] == team.stored(sent)["task_id"] == reference
    [call] = sent["use_tool"]
    assert call["tool"] == TOOLS["create"]
    assert call["arguments"]["title"] == "Login loops on Safari"
    assert reference in call["arguments"]["refs"]
    for kind, status in (("accept", "Doing"), ("decline", "Todo"), ("response", "Done")):
        [call] = answer(team, sent, kind)["use_tool"]
        assert (call["tool"], call["arguments"]["id"]) == (TOOLS["update"], reference)
        assert call["arguments"]["status"] == status
        assert call["then"].startswith(f"Instead of {reference} give the id of the task that has it")
    assert kept(team) == []


def test_the_model_is_told(team: Team) -> None:
    """Without --json the tool and its arguments are printed."""
    manage(team, dev=tracker())
    done = team.run("ops", "send", "dev", "note", "--summary", "Ship it", "--task")
    assert done.returncode == 0
    assert TOOLS["create"] in done.stdout
    assert '"title":"Ship it"' in done.stdout
    assert "use_tool" not in request(team, to="ops", sender="dev")


def test_the_task_of_somebody_else(team: Team) -> None:
    """A message that names a task of another conversation, as any sender can write it, moves that task nowhere."""
    sent = request(team)
    team.join("growth")
    line = {"to": "dev", "intent": "note", "payload": {"summary": "x"}, "task_id": sent["task_id"]}
    foreign = json.loads(team.run("growth", "send", "--batch", "-", stdin=json.dumps(line)).stdout)
    for kind in ("accept", "decline"):
        done = team.run("dev", "reply", foreign["id"], kind)
        assert done.returncode == 0
        assert "it was not made for the message that names it" in done.stderr
    [task] = in_file(team)
    assert (task["status"], task["assignee"]) == ("todo", "dev")
    assert kept(team) == []
