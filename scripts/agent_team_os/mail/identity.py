"""Who is asking: from the environment, the session a folder belongs to, or the folder itself."""

from __future__ import annotations

import os

from ..protocol import agentmap, ids
from ..protocol.errors import UnknownAgent
from ..storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NamedTuple, Optional

    from ..protocol.documents import AgentMap, Session

    class Identity(NamedTuple):
        """Who somebody is: the agent, None in an anonymous workspace, and the words for why."""

        agent: Optional[str]
        slug: Optional[str]
        workspace: str
        why: str

else:
    from collections import namedtuple

    Identity = namedtuple("Identity", "agent slug workspace why")


def of_workspace(document: AgentMap, environ: Mapping[str, str], workspace: str) -> Identity:
    """Who a session in this workspace is: the variable, else the map's rule, else nobody."""
    named = environ.get("AGENT_TEAM_OS_AGENT")
    if named:
        agent: Optional[str] = check_known(document, named)
        why = "AGENT_TEAM_OS_AGENT"
    else:
        agent, why = agentmap.agent_for(document, workspace)
    return Identity(agent, ids.slug_of(os.path.realpath(workspace)) if agent else None, workspace, why)


def of_command(home: str, document: AgentMap, environ: Mapping[str, str], cwd: str) -> Identity:
    """Who a command is run by.

    The session that exported AGENT_TEAM_OS_SESSION, else the nearest live session whose workspace contains
    the working directory, else the working directory itself. A session does not count for a folder below it
    that the map gives to another agent. UnknownAgent if a variable names nobody.
    """
    session = environ.get("AGENT_TEAM_OS_SESSION")
    if session and not environ.get("AGENT_TEAM_OS_AGENT"):
        session = _since(home, environ, session)
        agent, slug = ids.parse_address(session)
        return Identity(check_known(document, agent), slug, cwd, "AGENT_TEAM_OS_SESSION")
    here, near = of_workspace(document, environ, cwd), _nearest(home, document, cwd)
    there = of_workspace(document, environ, near["workspace_path"]) if near else here
    another = here.agent not in (None, there.agent) and here.why != "fallback"
    return here if another else there


def _since(home: str, environ: Mapping[str, str], session: str) -> str:
    """What the session is now that started as this one: `/bus join` may have given it to another agent."""
    session_id = environ.get("CLAUDE_CODE_SESSION_ID", "")
    if not ids.is_session_id(session_id):
        return session
    from . import memory

    return memory.moved_to(home, session_id, session) or session


def _nearest(home: str, document: AgentMap, cwd: str) -> Optional[Session]:
    """The live session with the longest workspace path that contains the working directory."""
    from . import registry

    place = os.path.realpath(cwd) + "/"
    best: Optional[Session] = None
    for name in files.names(os.path.join(home, "registry")):
        if not name.endswith(".d") or not ids.is_agent(name[:-2]):
            continue
        for session in registry.sessions(home, name[:-2]):
            path = os.path.realpath(session["workspace_path"]).rstrip("/") + "/"
            longer = best is None or len(path) > len(os.path.realpath(best["workspace_path"])) + 1
            if place.startswith(path) and longer and registry.is_live(session):
                best = session
    return best


def check_known(document: AgentMap, name: str) -> str:
    """Return `name`; UnknownAgent, with the nearest known name, if the map does not know it."""
    known = agentmap.agents(document)
    if name in known:
        return name
    import difflib

    names = sorted(known)
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "") or "nobody yet"
    near = difflib.get_close_matches(name[:80], names, 1, 0.6)
    if near:
        raise UnknownAgent(f'no agent "{name[:80]}". Did you mean {near[0]}? (known: {listed})')
    ids.check_agent(name)
    raise UnknownAgent(
        f"{name} has not joined yet: open Claude Code in its folder and type /bus join {name} (known: {listed})",
        f"Or, in a terminal: cd into its folder and run: ato join {name}",
    )
