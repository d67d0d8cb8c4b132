"""One event as its handler sees it: what Claude Code gave, whose session it is, and what it remembers."""

from __future__ import annotations

from ..mail import memory
from ..protocol import ids, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Callable, Optional

    from ..mail.identity import Identity
    from ..mail.inbox import Aside
    from ..mail.known import Mail
    from ..protocol.documents import AgentMap

PLUGIN = "agent-team-os"
COMMANDS = ("inbox", "read", "send", "reply", "handoff", "thread", "bus", "god", "msg")


class Call:
    """An event in the workspace of an agent. Handlers add to `after` what is to happen once the answer was flushed."""

    def __init__(
        self,
        event: str,
        given: dict[str, Any],
        environ: Mapping[str, str],
        home: str,
        agent_map: AgentMap,
        who: Identity,
    ) -> None:
        self.event = event
        self.given = given
        self.environ = environ
        self.home = home
        self.map = agent_map
        self.who = who
        self.agent = who.agent or ""
        self.slug = who.slug or ""
        self.workspace = who.workspace
        self.session_id = session_id(given, environ)
        self.former = ""  # the agent whose session this was before
        self.unsaved = False  # whether the memory says more than what is on the disk
        self.memory = self._remember()
        self.after: list[Callable[[], None]] = []
        self.aside: Optional[Aside] = None  # what this hook may still set aside

    @property
    def session(self) -> str:
        """`agent/slug`."""
        return f"{self.agent}/{self.slug}"

    @property
    def pid(self) -> Optional[int]:
        """The process of the session, as Claude Code names it; else None, and its last sign of life counts."""
        named = self.environ.get("CLAUDE_PID", "")
        return (int(named) or None) if named.isascii() and named.isdecimal() and len(named) < 10 else None

    def beat(self, state: str) -> None:
        """A sign of life in the registry; `state` is active or idle. On a full disk there is none."""
        if self.session_id:
            from ..mail import registry

            try:
                if self.former not in ("", self.agent):
                    registry.leave(self.home, self.former, self.session_id)
                registry.beat(
                    self.home, self.agent, self.slug, self.session_id, self.workspace, self.pid,
                    self.memory["started"], state,
                )  # fmt: skip
            except OSError:
                pass

    def _remember(self) -> dict[str, Any]:
        """What earlier events of this session left, as `mail.memory` describes it; that of a new session at first.

        A session that has become another agent's starts anew, but for what its shells were told.
        """
        left = memory.load(self.home, self.session_id)
        if left.get("session") == self.session and show.seconds_of(left.get("started")) is not None:
            return left
        self.unsaved = True
        before = left.get("session")
        if isinstance(before, str) and ids.is_agent(before.partition("/")[0]):
            self.former = before.partition("/")[0]
        return {
            "session": self.session,
            "started": show.timestamp(),
            "announced": [],
            "exported": left.get("exported", []),
        }

    def keep(self) -> None:
        """Write the memory down for the next event; a session without an id has none."""
        memory.save(self.home, self.session_id, self.memory)

    def announced(self) -> set[str]:
        """The ids this session has been told of."""
        told = self.memory.get("announced")
        return {item for item in told if isinstance(item, str)} if isinstance(told, list) else set()

    def announce(self, told: Iterable[str], pending: Mail) -> None:
        """Remember, once the answer was flushed, that the session was told; what is pending no more is forgotten."""

        def remember() -> None:
            before = self.announced()
            now = before.union(told) & pending.keys()
            if now != before or self.unsaved:
                self.memory["announced"] = sorted(now)
                self.keep()

        self.after.append(remember)


def command_of(given: dict[str, Any]) -> str:
    """Which of our slash commands is expanded; empty for somebody else's."""
    name = given.get("command_name")
    plugin, _, verb = name.rpartition(":") if isinstance(name, str) else ("", "", "")
    return verb if plugin == PLUGIN and verb in COMMANDS else ""


def session_id(given: dict[str, Any], environ: Mapping[str, str]) -> str:
    """Claude Code's id of the session, from the input or the environment; empty if neither has one."""
    for found in (given.get("session_id"), environ.get("CLAUDE_CODE_SESSION_ID")):
        if ids.is_session_id(found):
            return str(found)
    return ""
