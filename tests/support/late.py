"""Messages with a deadline, and what is late on a bus.

sent = owe(team, "--response-by", PAST)  # a question of ops to dev
mine, theirs = late(team, "dev")  # the ids dev owes, and those owed to dev
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.mail import overdue
from agent_team_os.protocol import agentmap
from conftest import Team
from support import copied, state

PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
LATE = ("--escalate-after", PAST)
DAY = 86_400
_NOW = time.time()  # of this process: a message of one number has one id


def with_hub(team: Team) -> Team:
    """The bus, with lead on it as the hub of all."""
    team.join("lead")
    team.map(cc_awareness={"hub": "lead"})
    return team


def owe(team: Team, *options: str, sender: str = "ops", to: str = "dev") -> str:
    """Send a question, and return its id."""
    return str(team.ask(sender, to, *options)["id"])


def late(team: Team, agent: str) -> tuple[list[str], list[str]]:
    """What `ato overdue` lists: the ids of what an agent owes, and of what is owed to it."""
    found = team.json(agent, "overdue")
    assert found["agent"] == agent
    return [item["id"] for item in found["owed_by_me"]], [item["id"] for item in found["owed_to_me"]]


def listed(team: Team, agent: str) -> dict[str, list[str]]:
    """The same without a process of its own: of each message why it is late."""
    agent_map = agentmap.parse((team.home / "AGENT_MAP.json").read_bytes(), "")
    found, trouble = overdue.report(str(team.home), agent_map, agent)
    assert trouble is None
    return {item["id"]: item["why"] for item in (*found["owed_by_me"], *found["owed_to_me"])}


def in_hours(patch: pytest.MonkeyPatch, hours: float) -> None:
    """Let the clock of this process be ahead from now on."""
    now = time.time
    patch.setattr(time, "time", lambda: now() + hours * 3600)


def note(team: Team) -> Path:
    """Where the program keeps what it has learned of deadlines."""
    return team.home / "state/outbox.due"


def line(number: int, age: float = 0, sender: str = "ops", to: str = "dev", **fields: Any) -> dict[str, Any]:
    """A message, `age` seconds old, whose answer is late, with its required fields alone."""
    at = time.gmtime(_NOW - age)
    return {
        "id": f"msg-{time.strftime('%Y%m%dT%H%M%SZ', at)}-{number:08d}", "version": "1.0", "from": sender, "to": to,
        "thread_id": f"thread-20260520-{number:06d}", "ts": time.strftime("%Y-%m-%dT%H:%M:%SZ", at),
        "type": "request", "intent": "note", "payload": {"summary": f"number {number}"}, "response_by": PAST, **fields,
    }  # fmt: skip


def log(team: Team, *messages: dict[str, Any], end: str = "\n") -> Path:
    """Append messages to the outbox of the day of the first, as a simple client does; returns the file."""
    day = messages[0]["id"]
    path = team.home / f"outbox/{day[4:8]}-{day[8:10]}-{day[10:12]}.jsonl"
    with path.open("a") as file:
        file.write("\n".join(json.dumps(message, separators=(",", ":")) for message in messages) + end)
    return path


def told(team: Team) -> list[str]:
    """Who was told that an answer is missing, once for each time; that all mail is whole is checked."""
    copied.check(team.home)
    return [copy["to"] for copy in escalations(team)]


def escalations(team: Team) -> list[dict[str, Any]]:
    """The copies by which a hub was told of a missing answer, as the outbox has them."""
    return [
        message for message in state.outbox(team.home) if message.get("cc_of") and "escalated" in message["payload"]
    ]
