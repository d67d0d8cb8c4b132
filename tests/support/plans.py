"""A bus with two gods, plans on it, and the ways a person and a model say yes to them.

gods(team)  # ops is the god of side, where dev and growth work; secure that of work
plan_id = propose(team, task("Mend", "dev"), task("Post", "growth", depends_on=["Mend"]))
confirm(team, plan_id)  # as by a person; how a person does it is for test_person.py
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional
from unittest import mock

import jsonschema

from agent_team_os.bus import Bus
from agent_team_os.orchestration import plans
from conftest import ERROR, Team, tree
from support.cli import PROGRAM, ROOT
from support.seat import Seat

SCHEMA = json.loads((ROOT / "schemas/plan.schema.json").read_bytes())
AGENTS: dict[str, Any] = {
    "ops": {"domain": "side"},
    "dev": {"domain": "side"},
    "growth": {"domain": "side"},
    "secure": {"domain": "work"},
    "lead": {"domain": "work"},
    "alex": {},
}


def gods(team: Team, **changes: Any) -> Team:
    """Two domains with a god each, and alex in none; `changes` are top-level keys of the map."""
    team.map(**{"agents": AGENTS, "gods": ["ops", "secure"], **changes})
    return team


def task(title: Any = "Mend the redirect", assignee: Any = "dev", **more: Any) -> dict[str, Any]:
    """A task of a plan."""
    return {"title": title, "assignee": assignee, "intent": "note", "summary": f"{title}, please", **more}


def document(*tasks: Any, **more: Any) -> dict[str, Any]:
    """A plan as a god writes it."""
    return {"objective": "Safari users can sign in again", "tasks": list(tasks or (task(),)), **more}


def propose(team: Team, *tasks: Any, agent: str = "ops") -> str:
    """Propose a plan and return its id."""
    made = run(team, agent, "propose", "-", stdin=json.dumps(document(*tasks)))
    assert made["status"] == "proposed"
    return str(made["id"])


def run(team: Team, agent: str, *args: str, stdin: str = "", **env: str) -> Any:
    """The document of `ato plan ARGS --json`."""
    done = team.run(agent, "plan", *args, "--json", stdin=stdin, **env)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def refused(team: Team, status: int, code: str, agent: str, *args: str, stdin: str = "", **env: str) -> str:
    """What the refusal of `ato plan ARGS` says, with its hint; it has this status and code and nothing has changed."""
    before = tree(team.root)
    done = team.run(agent, "plan", *args, "--json", stdin=stdin, **env)
    assert (done.returncode, done.stderr) == (status, ""), done.stdout + done.stderr
    error = json.loads(done.stdout)
    jsonschema.validate(error, ERROR)
    assert error["error"]["code"] == code, error
    assert tree(team.root) == before
    return f"{error['error']['message']} / {error['error']['hint']}"


def path(team: Team, plan_id: str) -> Path:
    """Where a plan is kept."""
    return team.home / f"plans/{plan_id}.json"


def stored(team: Team, plan_id: str) -> dict[str, Any]:
    """A plan as it is kept, valid by the schema."""
    plan: dict[str, Any] = json.loads(path(team, plan_id).read_bytes())
    jsonschema.validate(plan, SCHEMA)
    return plan


def edit(team: Team, plan_id: str, plan: dict[str, Any]) -> None:
    """Write another content into the file of a plan, as anybody can."""
    path(team, plan_id).write_text(json.dumps(plan))


def bus(team: Team, agent: str) -> Bus:
    """The verbs, as an agent."""
    with mock.patch.dict(os.environ, team.env, clear=True):
        return Bus.open(team.env, str(team.root / agent))


def confirm(team: Team, plan_id: str) -> dict[str, Any]:
    """Let a plan be confirmed, as it is when a person has said yes."""
    return plans.confirm(str(team.home), bus(team, "ops").map, plan_id, "ops/ops")


def confirmed(team: Team, *tasks: Any) -> str:
    """A plan of ops that a person has said yes to."""
    plan_id = propose(team, *tasks)
    confirm(team, plan_id)
    return plan_id


def at_terminal(
    team: Team, agent: str, *args: str, answer: str = "y\n", above: Optional[Mapping[str, str]] = None, **env: str
) -> tuple[int, str]:
    """The status of `ato ARGS` typed at a terminal outside of any session, and what it shows there."""
    with Seat({**team.env, **env}, team.root / agent, [*PROGRAM, *args], above=above) as seat:
        seat.type(answer)
        return seat.end()


def sent(team: Team) -> list[dict[str, Any]]:
    """All briefs in the outbox, in the order sent; each lies pending in the inbox of its recipient, once."""
    lines = [line for day in sorted((team.home / "outbox").glob("*.jsonl")) for line in day.read_text().splitlines()]
    briefs = [message for message in map(json.loads, lines) if message["type"] == "brief"]
    pending = sorted(path.stem for path in (team.home / "inboxes").rglob("msg-*.json") if _is_brief(path))
    assert pending == sorted(message["id"] for message in briefs)
    return briefs


def _is_brief(file: Path) -> bool:
    return bool(json.loads(file.read_bytes())["type"] == "brief")


def tasks(team: Team, domain: str = "side") -> list[dict[str, Any]]:
    """The tasks in the file of a domain."""
    file = team.home / f"tasks/{domain}.json"
    return list(json.loads(file.read_bytes())["tasks"]) if file.exists() else []
