"""The roster: who there is, what each is for, and what waits for them."""

from __future__ import annotations

from ..protocol import agentmap
from . import inbox, registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..protocol.documents import AgentMap


def row(home: str, document: AgentMap, agent: str) -> dict[str, Any]:
    """What the roster says of an agent: `{name, role, domain, god, pending, state, last_seen, sessions}`."""
    about = agentmap.agents(document)[agent]
    state, last, live = registry.presence(home, agent)
    return {
        "name": agent,
        "role": about.get("role"),
        "domain": about.get("domain"),
        "god": agent in document.get("gods", ()),
        "pending": sum(len(inbox.names(box)) for box in inbox.boxes(home, agent)),
        "state": state,
        "last_seen": last,
        "sessions": live,
    }
