"""A request that cannot be sent leaves no open task and no change that is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import Team
from support import crash, state
from support.tasked import answer, in_file, kept, listed, manage, request

MANY = [{"id": f"t-{number}", "title": "x" * 500} for number in range(11, 21)]
SEND = ["send", "dev", "note", "--summary", "Ship it", "--task", "--json"]


def today(team: Team) -> Path:
    """The outbox of today; of the later day where midnight passes meanwhile."""
    return max((team.home / "outbox").glob("*.jsonl"))


def pad(team: Team) -> None:
    """Let the outbox be larger than all other files."""
    for _ in range(3):
        team.ask("ops", "dev", question="x" * 9000)


def test_routing(team: Team) -> None:
    """Where the map forbids it nothing is made."""
    team.map(routing={"blocked_pairs": [["ops", "dev"]]})
    team.refused(2, "routing-denied", "ops", "send", "dev", "note", "--summary", "x", "--task")


def test_halted(team: Team) -> None:
    """While the bus is halted no task is made, and none is moved."""
    sent = request(team)
    assert team.run("ops", "halt").returncode == 0
    team.refused(2, "halted", "ops", "send", "dev", "note", "--summary", "x", "--task")
    team.refused(2, "halted", "dev", "reply", sent["id"], "accept")
    assert [task["status"] for task in in_file(team)] == ["todo"]


def test_an_invalid_message(team: Team) -> None:
    """What is no message makes no task."""
    team.refused(4, "invalid-payload", "ops", "send", "dev", "bug-fix", "--summary", "x", "--task")


def test_what_is_no_task(team: Team) -> None:
    """A deadline that no task manager takes is refused at once, and not promised for later."""
    arguments = ("dev", "note", "--summary", "x", "--task", "--response-by", "3026-05-20T09:18:12Z")
    assert request(team)["task_id"] == "t-1"  # so that the folders are there
    team.refused(4, "invalid-task", "ops", "send", *arguments)


def refuse(team: Team, limit: int | None = None) -> None:
    """A request that the disk does not take: said with 73, not sent, with no open task; a later one goes well."""
    before = state.check(team.home)
    with crash.Starter() as starter:
        done = starter.run(crash.Act(team.root / "ops", team.env, SEND, limit=limit))
    assert done.status == 73, done
    assert json.loads(done.stdout)["error"]["code"] == "cannot-write"
    assert state.check(team.home) == before
    assert kept(team) == []
    assert {task["status"] for task in in_file(team)} <= {"done"}
    for task in in_file(team):
        assert team.json("dev", "tasks", "show", task["id"])["notes"] == ["its message was not sent"]


def test_a_read_only_outbox(team: Team) -> None:
    """The task that was made is closed again where the outbox cannot be written."""
    pad(team)
    log = today(team)
    log.chmod(0o400)
    refuse(team)
    log.chmod(0o600)
    assert len(in_file(team)) == 1
    sent = request(team)
    assert [task["id"] for task in listed(team) if task["status"] == "todo"] == [sent["task_id"]]


def test_a_full_disk(team: Team) -> None:
    """So it is where the outbox finds no room any more."""
    pad(team)
    refuse(team, today(team).stat().st_size)
    assert len(in_file(team)) == 1


def test_a_disk_too_full_to_close_it(team: Team) -> None:
    """Where there is no room to close the task either, the next command about a task closes it."""
    pad(team)
    path = team.home / "tasks/_none.json"
    path.parent.mkdir(0o700)
    path.write_text(json.dumps({"version": "2.0", "tasks": MANY}))
    sizes = []
    for _ in range(2):
        request(team, summary="Ship it")
        sizes.append(path.stat().st_size)
    limit = 2 * sizes[1] - sizes[0]  # one more such task fits, and no remark
    with crash.Starter() as starter:
        done = starter.run(crash.Act(team.root / "ops", team.env, SEND, limit=limit))
    assert done.status == 73, done
    left = in_file(team)[-1]
    assert (left["id"], left["status"]) == ("t-23", "todo")
    assert len(kept(team)) == 1
    assert listed(team)[-1]["status"] == "done"
    assert kept(team) == []


def test_an_answer(team: Team) -> None:
    """An answer that the disk does not take moves no task and is not kept."""
    sent = request(team)
    log = today(team)
    log.chmod(0o400)
    done = team.run("dev", "reply", sent["id"], "accept")
    assert done.returncode == 73
    log.chmod(0o600)
    assert kept(team) == []
    assert [task["status"] for task in listed(team)] == ["todo"]
    answer(team, sent, "accept")
    assert [task["status"] for task in in_file(team)] == ["doing"]


@pytest.mark.parametrize("change", ["a link", "a file"])
def test_no_place_for_changes(change: str, team: Team) -> None:
    """Where the change cannot be kept nothing is sent and nothing made, and the path is named."""
    place = team.home / "tasks/changes"
    place.parent.mkdir(0o700)
    (team.root / "elsewhere").mkdir()
    if change == "a link":
        place.symlink_to(team.root / "elsewhere")
    else:
        place.touch()
    done = team.run("ops", *SEND)
    assert done.returncode == 73
    assert str(place) in json.loads(done.stdout)["error"]["message"]
    assert state.outbox(team.home) == []
    assert list((team.root / "elsewhere").iterdir()) == []
    assert in_file(team) == []


def test_a_manager_that_was_down(team: Team) -> None:
    """With its manager down a request that cannot be sent leaves nothing once the manager is back."""
    pad(team)
    log = today(team)
    log.chmod(0o400)
    manage(team, dev={"kind": "jira"})
    assert team.run("ops", *SEND).returncode == 73
    manage(team)
    log.chmod(0o600)
    assert listed(team) == []
    assert kept(team) == []
