"""Drain is off until it is turned on, for each agent by itself."""

from __future__ import annotations

from agent_team_os.protocol import agentmap
from conftest import Team


def test_drain_is_a_switch_of_each_agent(team: Team) -> None:
    """Drain is off, until it is turned on for one agent, from its folder or by name; the others keep theirs."""

    def state(agent: str) -> bool:
        enabled: bool = team.json(agent, "drain", "status")["enabled"]
        return enabled

    assert (state("ops"), state("dev")) == (False, False)
    said = team.json("ops", "drain", "on")
    assert said == {"agent": "ops", "enabled": True, "scope": "pending", "min_priority": "low", "max_blocks": 3}
    assert (state("ops"), state("dev")) == (True, False)
    assert team.json("ops", "drain", "on", "--agent", "dev")["agent"] == "dev"
    assert team.json("ops", "drain", "off")["enabled"] is False
    assert (state("ops"), state("dev")) == (False, True)
    team.refused(1, "unknown-agent", "ops", "drain", "on", "--agent", "nobody")
    team.refused(64, "usage", "ops", "drain", "maybe")


def test_whose_drain_settings_count() -> None:
    """An agent's own settings come before everybody's, and those before the defaults, key by key."""
    document = {"drain": {"enabled": True, "max_blocks": 5}, "agents": {"a": {"drain": {"enabled": False}}}}
    assert agentmap.drain_of(document, "a") == {
        "enabled": False, "scope": "pending", "min_priority": "low", "max_blocks": 5,
    }  # fmt: skip
    assert agentmap.drain_of(document, "b")["enabled"] is True
    assert agentmap.drain_of({}, "b")["enabled"] is False
