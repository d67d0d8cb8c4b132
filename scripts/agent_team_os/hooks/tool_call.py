"""A call of the Bash tool as the hooks see it: whether it is one of our verbs, and whether that takes a person."""

from __future__ import annotations

import os

from . import shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

NAMES = ("ato", "agentops", "agent-team-os")
# How a command begins that the client runs in place of one that the person was asked about; see `asking`.
ASKED = ": ato "
DENIED = (
    "agent-team-os: such a command only stands in for one that the user was asked about. Call the verb itself, as the "
    "only command: ato VERB"
)
# The options of each verb, and whether a value follows.
OPTIONS = {
    "join": {"--path": True, "--role": True, "--domain": True, "--capability": True},
    "drain": {"--agent": True},
    "god": {},
    "resume": {},
    "plan confirm": {},
    "plan launch": {"--open": False},
}


def verb_of(words: list[str]) -> str:
    """The verb among these words that a session needs a person for; empty for any other, and for its help."""
    if "--help" in words or "-h" in words:
        return ""
    found = " ".join(words[:2]) if words[:1] == ["plan"] else "".join(words[:1])
    if found not in OPTIONS or (found in ("drain", "god") and not {"on", "off"} & set(words[1:])):
        return ""
    return found


def command_of(given: Mapping[str, Any]) -> str:
    """The command of a Bash call; empty for any other tool."""
    asked = given.get("tool_input")
    command = asked.get("command") if isinstance(asked, dict) and given.get("tool_name") == "Bash" else None
    return command if isinstance(command, str) else ""


def names_us(command: str) -> bool:
    """Whether a command may have to do with this program at all."""
    return any(name in command for name in NAMES)


def stands_in(command: str) -> bool:
    """Whether a command looks like what the client runs in place of one that was asked about."""
    return command.lstrip().startswith(ASKED.strip())


def asks(command: str) -> Optional[list[str]]:
    """The words after the name of our program, if that is all a command calls and they take a person; else None."""
    call = shell.parse(command)
    if call is None or call[1] is not None or os.path.basename(call[0][0]) not in NAMES:
        return None
    words = [word for word in call[0][1:] if word != "--json"]  # what comes of it, the hook tells
    return words if verb_of(words) else None
