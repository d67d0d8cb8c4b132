"""A bus of two domains, and what must be true of the copies its hubs get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

from conftest import Team
from support import state

# Two domains with a hub each, and in each an agent that is none.
AGENTS = {
    "ops": {"domain": "work"},
    "secure": {"domain": "work"},
    "lead": {"domain": "side"},
    "dev": {"domain": "side"},
}
DOMAINS = {"work": {"hub": "ops"}, "side": {"hub": "lead"}}


def run(team: Team, agent: str, *args: str, stdin: Optional[str] = None) -> Any:
    """What `ato ARGS --json` prints for an agent, which needs no folder."""
    return team.json("dev", *args, stdin=stdin, AGENT_TEAM_OS_AGENT=agent)


def ask(team: Team, sender: str = "dev", to: str = "secure", *options: str) -> dict[str, Any]:
    """Send a question; what `send --json` says."""
    sent: dict[str, Any] = run(team, sender, "send", to, "question", "--field", "question=Which branch?", *options)
    return sent


def waiting(team: Team, agent: str) -> list[dict[str, Any]]:
    """The messages pending for an agent, as they lie there, the oldest first."""
    return [json.loads(path.read_bytes()) for path in sorted((team.home / "inboxes" / agent).glob("msg-*.json"))]


def copies(team: Team) -> dict[str, dict[str, Any]]:
    """All copies of the outbox by their id, each of which is there once."""
    found = [message for message in state.outbox(team.home) if message.get("cc_of")]
    by_id = {message["id"]: message for message in found}
    assert len(by_id) == len(found)
    return by_id


def spooled(team: Team) -> list[Path]:
    """What is left in the spool."""
    return sorted((team.home / "outbox/.spool").iterdir())


def settled(team: Team, sent: dict[str, Any]) -> None:
    """Assert that a send made copies, and that all mail is whole."""
    assert sent["cc"]
    assert set(sent["cc"]) <= copies(team).keys()
    check(team.home)


def check(home: Path) -> set[str]:
    """As `state.check`, but a copy is in no thread, and only where its original is; returns all ids."""
    sent = {message["id"]: message for message in state.outbox(home)}
    assert len(sent) == len(state.outbox(home)), "in the outbox twice"
    placed = state.boxes(home)
    assert placed.keys() == sent.keys(), f"outbox and inboxes differ in {placed.keys() ^ sent.keys()}"
    for name, paths in placed.items():
        assert len(paths) == 1, f"{name} lies in {paths}"
        assert json.loads(paths[0].read_bytes()) == sent[name]
        assert f"/inboxes/{sent[name]['to']}/" in str(paths[0])
    copied = {name: message["cc_of"] for name, message in sent.items() if message.get("cc_of")}
    assert sent.keys() >= set(copied.values()), "a copy without its original"
    entered = ((message["thread_id"], name) for name, message in sent.items() if name not in copied)
    assert sorted(state.threads(home).elements()) == sorted(entered)
    assert list((home / "outbox/.spool").iterdir()) == []
    return set(sent)
