"""SessionEnd: take the session out of the registry."""

from __future__ import annotations

from ..mail import identity, registry
from ..protocol import ids
from ..storage import home as homes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def run(home: str, given: dict[str, Any], environ: Mapping[str, str], workspace: str) -> None:
    """Mark the session gone, if this workspace has an agent and the session was entered."""
    session_id = given.get("session_id")
    if not ids.is_session_id(session_id):
        return
    who = identity.of_workspace(homes.read_map(home), environ, workspace)
    if who.agent is not None:
        registry.leave(home, who.agent, str(session_id))
