"""A change that is made twice, and two answers at once, leave one task in one state."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import Team
from support import state
from support.tasked import NOWHERE, answer, in_file, kept, listed, manage, no_such_kind, request


def again(team: Team, saved: Path) -> None:
    """Let changes wait that were made already, as after a power cut."""
    for path in saved.iterdir():
        shutil.copy(path, team.home / "tasks/changes")
    assert listed(team)
    assert kept(team) == []


def test_every_change_twice(team: Team, tmp_path: Path) -> None:
    """Made again, all of them or the last one, the changes of a request leave its task as it is, with one remark."""
    saved = tmp_path / "saved"
    with no_such_kind(team):
        sent = request(team)
        answer(team, sent, "accept")
        declined = answer(team, sent, "decline", "--summary", "No time")
        shutil.copytree(team.home / "tasks/changes", saved)
    [task] = listed(team)
    assert (task["status"], task["assignee"]) == ("todo", "ops")
    whole = in_file(team)
    again(team, saved)
    assert in_file(team) == whole
    for path in saved.iterdir():
        if path.stem != declined["id"]:
            path.unlink()
    again(team, saved)
    assert in_file(team) == whole
    assert [note["text"] for note in whole[0]["notes"]] == ["declined by dev: No time"]


def test_in_a_program(team: Team, tmp_path: Path) -> None:
    """So they do in Taskwarrior."""
    manage(team, dev=NOWHERE)
    sent = request(team)
    answer(team, sent, "decline", "--summary", "No time")
    shutil.copytree(team.home / "tasks/changes", tmp_path / "saved")
    manage(team, dev={"kind": "taskwarrior"})
    [task] = listed(team)
    again(team, tmp_path / "saved")
    assert listed(team) == [task]
    assert team.json("dev", "tasks", "show", task["id"])["notes"] == ["declined by dev: No time"]


def test_declined_twice(team: Team) -> None:
    """Two declines with two reasons leave both."""
    sent = request(team)
    for reason in ("No time", "Still none"):
        answer(team, sent, "decline", "--summary", reason)
    assert [note["text"] for note in in_file(team)[0]["notes"]] == [
        "declined by dev: No time", "declined by dev: Still none",
    ]  # fmt: skip


@pytest.mark.parametrize("down", [False, True])
def test_answers_at_once(down: bool, team: Team) -> None:
    """Answers from several processes at once are all sent, and the task is what the last of them says."""
    sent = request(team)
    if down:
        manage(team, dev=NOWHERE)
    kinds = ("accept", "response", "decline", "confirm")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda kind: answer(team, sent, kind), kinds))
    manage(team)
    last = state.outbox(team.home)[-1]["type"]
    meant = {"accept": "doing", "response": "done", "decline": "todo", "confirm": "done"}
    assert [task["status"] for task in listed(team)] == [meant[last]]
    assert len(state.check(team.home)) == 5
    assert kept(team) == []


def test_requests_at_once(team: Team) -> None:
    """Requests to one agent from several processes at once make one task each, which its message names."""
    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(lambda number: request(team, summary=f"number {number}"), range(6)))
    named = {one["task_id"]: [f"ato://{one['id']}"] for one in sent}
    assert {task["id"]: task["refs"] for task in in_file(team)} == named
    assert len(in_file(team)) == 6
