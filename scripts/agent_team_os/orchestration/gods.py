"""The god mode of an agent, kept in the agent map."""

from __future__ import annotations

from ..protocol.errors import Usage
from . import notice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from ..bus import Bus


def switch(bus: Bus, on: Optional[bool]) -> dict[str, Any]:
    """Turn the god mode of this agent on or off, or leave it; returns `{agent, god, enabled}`.

    Only an agent listed in `gods` can have it on.
    """
    agent = bus.agent
    god = agent in bus.map.get("gods", ())
    if on:
        check(bus.map, agent)
    if on is not None and god:

        def change(document: dict[str, Any]) -> None:
            about = document.setdefault("agents", {}).setdefault(agent, {})
            about.setdefault("god", {})["enabled"] = on

        bus.change_map(change)
    return {"agent": agent, "god": god, "enabled": notice.is_on(bus.map, agent)}


def check(document: dict[str, Any], agent: str) -> None:
    """Usage if an agent is no god."""
    if agent not in document.get("gods", ()):
        raise Usage(f"{agent} is no god", f'A person makes it one in AGENT_MAP.json: "gods": ["{agent}"]')
