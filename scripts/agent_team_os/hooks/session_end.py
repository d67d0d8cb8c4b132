"""SessionEnd: take the session out of the registry."""

from __future__ import annotations

from ..mail import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .call import Call


def run(call: Call) -> None:
    """Mark the session gone, if it was entered."""
    if call.session_id:
        registry.leave(call.home, call.agent, call.session_id)
