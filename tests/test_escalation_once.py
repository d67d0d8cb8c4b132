"""A missing answer is told to the hub once: by many at once, over a kill or an error anywhere, and without the note."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.mail import copies, delivery, due, overdue
from agent_team_os.protocol import agentmap, strictjson
from agent_team_os.protocol.errors import LockBusy
from agent_team_os.storage import lock, spool
from conftest import Team
from support import crash, state
from support.cli import ORDINARY, PATIENCE, PROGRAM
from support.late import FUTURE, LATE, PAST, escalations, late, listed, note, owe, told, with_hub


@pytest.fixture
def bus(team: Team) -> Team:
    """A bus on which lead is the hub of all."""
    return with_hub(team)


def escalate(team: Team, wait: float = 0) -> None:
    """Tell the hubs of what is late, from what is in the outbox alone."""
    note(team).unlink(missing_ok=True)
    watch = due.Watch(str(team.home))
    watch.look()
    overdue.escalate(agentmap.parse((team.home / "AGENT_MAP.json").read_bytes(), ""), watch, wait)


def test_the_outbox_remembers(bus: Team) -> None:
    """Whether a hub was told is known without the note, when the copy was read, and when another is the hub now."""
    owe(bus, *LATE)
    escalate(bus)
    bus.json("lead", "read")
    escalate(bus)
    bus.join("growth")
    bus.map(cc_awareness={"hub": "growth"})
    escalate(bus)
    assert told(bus) == ["lead"]


def test_a_note_that_is_not_true(bus: Team) -> None:
    """What only the note says is not told: neither a message nobody sent nor a time nobody set."""
    message_id = owe(bus, "--escalate-after", FUTURE)
    listed(bus, "dev")
    document = json.loads(note(bus).read_bytes())
    entry = document["open"][message_id]
    entry["escalate_after"] = PAST
    document["open"][message_id[:-8] + "aaaaaaaa"] = entry
    note(bus).write_text(json.dumps(document))
    late(bus, "dev")
    assert told(bus) == []
    assert late(bus, "dev") == ([], [])


def test_one_at_a_time(bus: Team) -> None:
    """As long as somebody else is at it nobody tells a hub."""
    owe(bus, *LATE)
    with lock.guard(str(bus.home), "@due"), pytest.raises(LockBusy):
        escalate(bus)
    assert escalations(bus) == []
    escalate(bus)
    assert told(bus) == ["lead"]


def test_many_at_once(bus: Team) -> None:
    """Of many commands and sessions that see it at the same moment one tells the hub."""
    for _ in range(3):
        owe(bus, *LATE)
    command = [*ORDINARY, *PROGRAM]
    given = json.dumps({"session_id": "s-1"}).encode()
    started = []
    for args in (["overdue"], ["hook", "SessionStart"]) * 4:
        process = subprocess.Popen(
            [*command, *args], cwd=bus.root / "dev", env=bus.env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        started.append(process)
    for process in started:
        process.communicate(given, timeout=PATIENCE)
        assert process.returncode == 0
    assert len({copy["cc_of"] for copy in escalations(bus)}) == 3
    assert told(bus) == ["lead"] * 3


@contextlib.contextmanager
def left_behind(bus: Team) -> Iterator[spool.Entry]:
    """A copy in the spool whose sender is killed when the `with` ends, before its line was written."""
    message_id = owe(bus, *LATE)
    original = next(message for message in state.outbox(bus.home) if message["id"] == message_id)
    copy = copies.tell("lead", original, escalated=original["escalate_after"])  # type: ignore[arg-type]  # a dict
    entry = spool.begin(str(bus.home), copy["id"])
    try:
        entry.write(strictjson.readable(copy))  # type: ignore[arg-type]  # a TypedDict is a dict
        yield entry
    finally:
        entry.close()


def test_somebody_was_killed_over_it(bus: Team) -> None:
    """What a killed process has left in the spool is sent, and nothing beside it, also by who waited for its lock."""
    with left_behind(bus):
        pass
    escalate(bus)
    assert told(bus) == ["lead"]


def test_somebody_is_finishing_it(bus: Team) -> None:
    """While another process is about to send what a killed one has left nothing is sent beside it."""
    with left_behind(bus):
        escalate(bus)
        assert escalations(bus) == []
    delivery.recover(str(bus.home))
    assert told(bus) == ["lead"]


def test_half_a_file_is_no_copy(bus: Team) -> None:
    """What was not written to its end will not be sent by anybody, and keeps nobody from sending."""
    with left_behind(bus) as entry:
        path = Path(entry.path)
        path.write_bytes(path.read_bytes()[:-9])
        escalate(bus)
    delivery.recover(str(bus.home))
    assert told(bus) == ["lead"]


# ---- Killed or failed anywhere ------------------------------------------------------------------


def explored(bus: Team, faults: Any) -> int:
    """Disturb `ato overdue` at its calls; whatever happens, after the next ones the hub was told once."""
    owe(bus, *LATE)
    template = bus.root.rename(bus.root.parent / "template")
    act = crash.Act(bus.root / "ops", bus.env, ["overdue", "--json"])
    with crash.Starter() as starter:

        def judge(outcome: crash.Outcome, fault: str) -> None:
            assert outcome.status in (-9, 0, 73, 75), outcome.stderr
            for agent in ("dev", "ops"):
                done = starter.run(crash.Act(bus.root / agent, bus.env, ["overdue", "--json"]))
                assert (done.status, done.stderr) == (0, "")
                assert len(json.loads(done.stdout)["owed_by_me"]) == (agent == "dev")
            assert told(bus) == ["lead"]

        return crash.explore(starter, act, template, bus.root, faults, judge)


def test_killed_at_every_call(bus: Team) -> None:
    """Whatever call a kill hits, the hub is told once in the end."""
    assert explored(bus, crash.kill) >= 20


def test_failed_at_every_other_call(bus: Team) -> None:
    """Whatever call a disk error hits, once or for good, the hub is told once in the end."""
    assert explored(bus, crash.some_errors) >= 8


@pytest.mark.full
def test_failed_in_every_way_at_every_call(bus: Team) -> None:
    """As above, with each error at each call."""
    assert explored(bus, crash.every_error) >= 60
