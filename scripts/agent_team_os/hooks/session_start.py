"""SessionStart: enter the session into the registry and tell it who it is and what waits."""

from __future__ import annotations

import contextlib
import os

from ..mail import delivery, identity, inbox, registry
from ..protocol import agentmap, frame, ids, show
from ..protocol import message as messages
from ..protocol.errors import LockBusy
from ..storage import files
from ..storage import home as homes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

    from ..protocol.documents import AgentMap

SHOWN = 5
MOST_PERSONA = 4096


def run(home: str, given: dict[str, Any], environ: Mapping[str, str], workspace: str) -> Optional[str]:
    """The announcement for a session of this workspace; None where nobody lives."""
    document = homes.read_map(home)
    who = identity.of_workspace(document, environ, workspace)
    if who.agent is None or who.slug is None:
        return None
    delivery.recover(home)
    session_id = given.get("session_id")
    if ids.is_session_id(session_id):
        export(environ, f"{who.agent}/{who.slug}")
        # A registry that cannot be written, on a full disk say, must not hide the mail.
        with contextlib.suppress(OSError, LockBusy):
            registry.register(home, who.agent, who.slug, str(session_id), workspace, os.getppid())
    return announcement(home, document, who)


def export(environ: Mapping[str, str], session: str) -> None:
    """Tell the shells of this session which one they belong to, through the file Claude Code reads."""
    path = environ.get("CLAUDE_ENV_FILE")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"export AGENT_TEAM_OS_SESSION={session}\n")


def announcement(home: str, document: AgentMap, who: identity.Identity) -> str:
    """Who the session is and why, what waits for it, and what to do with it."""
    agent = who.agent or ""
    about = agentmap.agents(document).get(agent, {})
    letters = [message for message, _ in inbox.listing(home, agent, inbox.seen_by(home, agent, who.slug))]
    copies = [message for message in letters if message["type"] == "cc-notify"]
    mail = [message for message in letters if message["type"] != "cc-notify"]
    mail.sort(key=lambda message: message["id"], reverse=True)
    mail.sort(key=messages.rank)
    role = f" ({show.one_line(about['role'], 80)})" if about.get("role") else ""
    place = show.one_line(agentmap.short(who.workspace))
    lines = [
        f"You are {agent}{role} on the agent-team-os bus, session {agent}/{who.slug}; "
        f"the folder {place} is mapped to you by {show.one_line(who.why)}.",
        f"Inbox: {counts(mail)}." + (f" {len(copies)} for your information." if copies else ""),
    ]
    if mail:
        lines.append(frame.frame(frame.line(message) for message in mail[:SHOWN]))
        if len(mail) > SHOWN:
            lines.append(f"{len(mail) - SHOWN} more: /inbox")
    lines.append("Commands: /inbox /read /reply /send /handoff /thread /bus")
    text = persona(home, about.get("persona_file"))
    if text:
        lines += ["How your user wants you to work as this agent:", text]
    return "\n".join(lines)


def counts(mail: list[Any]) -> str:
    """`2 pending, 1 high`."""
    if not mail:
        return "nothing pending"
    parts = [f"{len(mail)} pending"]
    for priority in ("urgent", "high"):
        number = sum(message.get("priority") == priority for message in mail)
        if number:
            parts.append(f"{number} {priority}")
    return ", ".join(parts)


def persona(home: str, name: Optional[str]) -> str:
    """The agent's persona; empty for a file that is missing, too large or outside the home."""
    if not name:
        return ""
    path = os.path.realpath(os.path.join(home, name))
    if not path.startswith(os.path.realpath(home) + "/"):
        return ""
    try:
        return show.visible(files.read(path, MOST_PERSONA).decode("utf-8"), lines=True).strip()
    except (FileNotFoundError, files.BadFile, UnicodeDecodeError):
        return ""
