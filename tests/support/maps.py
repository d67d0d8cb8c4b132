"""What the tests of the agent map share: whether one agent may write to another, and what a change must keep."""

from __future__ import annotations

from typing import Any, Optional

from agent_team_os.protocol import agentmap
from agent_team_os.protocol.errors import RoutingDenied


def denied(document: dict[str, Any], sender: str, to: str) -> Optional[tuple[str, str]]:
    """What a refusal says; None if the way is free."""
    try:
        agentmap.check_routing(document, sender, to)
    except RoutingDenied as error:
        return error.message, error.hint
    return None


def kept(before: Any, after: Any, path: str = "") -> None:
    """All keys of `before` stand in `after` in the same order, ahead of new ones, and lists go on as they began."""
    if isinstance(before, dict):
        assert list(after)[: len(before)] == list(before), path
        for key in before:
            kept(before[key], after[key], f"{path}.{key}")
    elif isinstance(before, list):
        for index, item in enumerate(before):
            kept(item, after[index], f"{path}.{index}")
    elif not path.endswith(".enabled"):
        assert (before, type(before)) == (after, type(after)), path
