"""What a model needs to know before it writes: who it writes as, to whom, and what the message must hold."""

from __future__ import annotations

from ..mail import registry
from ..protocol import agentmap, frame, ids, schemas
from ..protocol.message import TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..bus import Bus

_TYPES = ("accept", "response", "decline", "question", "confirm")


def brief(bus: Bus, verb: str, words: Sequence[str]) -> str:
    """Facts for `/send TO INTENT …`, `/reply ID TYPE …`, `/handoff TO …`; a BusError for what would be refused."""
    lines = [f"You write as {bus.agent}/{bus.who.slug}."]
    if not words:
        others = sorted(agentmap.agents(bus.map).keys() - {bus.agent})
        lines.append(f"Known agents: {', '.join(others[:40]) or 'no other yet'}.")
    elif verb == "reply":
        message, _ = bus.find(words[0])
        bus.may_write(message["from"])
        if words[1:] and words[1] not in TYPES:
            lines.append(f"The second word is no type of an answer; one is: {', '.join(_TYPES)}.")
        lines.append(f"The answer goes to {message['from']}, in {message['thread_id']}.")
        lines.append(frame.frame([frame.line(message)]))
    else:
        agent, slug = bus.may_write(words[0])
        lines.append(f"{ids.session_name(agent, slug) or agent} is an agent you may write to.")
        lines += registry.warnings(bus.home, agent, slug)
        lines.append(_needs(words[1] if verb == "send" and len(words) > 1 else verb))
    return "\n".join(lines)


def _needs(intent: str) -> str:
    """Which payload fields an intent asks for."""
    if intent == "send":
        return "No intent is given yet: bug-fix, question, … or any word of your own."
    if not schemas.is_intent(intent):
        return "The second word can be no intent. An intent is a word like bug-fix: a-z and 0-9, joined by -."
    try:
        schema = schemas.load("intents/" + intent)
    except FileNotFoundError:
        return f"The intent {intent} asks for no payload fields."
    fields = [f"{name} ({schemas.field(schema, name)})" for name in schema["required"]]
    return f"The intent {intent} needs these payload fields: {'; '.join(fields)}."
