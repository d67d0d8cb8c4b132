"""A session as its person uses it: slash commands and stops, what it is told, and mail for it.

desk = Desk(team, "dev")
desk.put(1, priority="high")
assert "New mail" in desk.prompt()
assert "block 1 of 3" in desk.reason()
assert "1 pending" in desk.command("/inbox")
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any, Optional
from unittest import mock

from agent_team_os.bus import Bus
from agent_team_os.protocol.documents import Message
from conftest import Team
from support import asking
from support.cli import ROOT
from support.hooks import said
from support.sessions import Session

HELPER = f'"{ROOT}/scripts/ato"'


class Desk(Session):
    """A session of an agent in the folder of that name."""

    def __init__(self, team: Team, agent: str, session_id: Optional[str] = "s-1", **env: str) -> None:
        super().__init__(team, session_id, agent, **env)
        self.agent = agent

    def reason(self, **given: Any) -> str:
        """Why the session may not stop; empty if it may."""
        answer = self.stop(**given)
        assert answer == {} or (set(answer) == {"decision", "reason"} and answer["decision"] == "block")
        return said(answer)

    def stops(self, times: int) -> list[bool]:
        """Whether each of so many stops in a row is blocked."""
        return [self.reason() != "" for _ in range(times)]

    def command(self, line: str) -> str:
        """What the model is told of a slash command of ours, as typed; empty for nothing."""
        name, _, arguments = line.partition(" ")
        return said(self.expand(f"agent-team-os:{name[1:]}", arguments))

    def expand(self, name: str, arguments: Any) -> dict[str, Any]:
        """The document the expansion of any command prints."""
        return self.fire(
            "UserPromptExpansion",
            expansion_type="slash_command", command_name=name, command_args=arguments, command_source="plugin",
        )  # fmt: skip

    def does(self, call: str) -> str:
        """What the model is told of a call of the program that takes a person, after their yes."""
        env: dict[str, Any] = {name: value for name, value in self.env.items() if self.team.env.get(name) != value}
        if self.id is None:
            env["CLAUDE_CODE_SESSION_ID"] = None
        return asking.done(self.team, call, os.path.relpath(self.folder, self.team.root), session=self.id, **env)

    def put(self, number: int, box: str = "", age: float = 0, sender: str = "ops", **fields: Any) -> str:
        """A pending message, `age` seconds old, in a box of the agent, and its id: the higher, the newer."""
        at = time.gmtime(time.time() - age)
        message = {
            "id": f"msg-{time.strftime('%Y%m%dT%H%M%SZ', at)}-{number:08d}", "version": "2.0", "from": sender,
            "to": self.agent, "thread_id": f"thread-20260520-{number:06d}",
            "ts": time.strftime("%Y-%m-%dT%H:%M:%SZ", at), "type": "request", "intent": "note",
            "payload": {"summary": f"number {number}"}, **fields,
        }  # fmt: skip
        folder = self.team.home / "inboxes" / self.agent / box
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{message['id']}.json").write_text(json.dumps(message))
        return str(message["id"])

    def bus(self) -> Bus:
        """The verbs, as this agent."""
        with mock.patch.dict(os.environ, self.env, clear=True):  # as in `fire`
            return Bus.open(self.env, str(self.folder))

    def read(self, message_id: str) -> Message:
        """Read a message, which archives it."""
        with self.bus().reading(message_id) as letter:
            message: Message = letter["message"]
        return message

    def path(self, message_id: str) -> Path:
        """Where a message of the agent lies."""
        (found,) = (self.team.home / "inboxes" / self.agent).rglob(f"{message_id}.json")
        return found

    def announced(self) -> set[str]:
        """The ids of the messages that the next prompt tells of, however: nothing is told twice."""
        return set(ids_in(self.prompt()))


def ids_in(text: str) -> list[str]:
    """The message ids in a text, in their order."""
    return re.findall(r"msg-[0-9]{8}T[0-9]{6}Z-[a-z0-9]{8}", text)


def framed(text: str) -> list[str]:
    """The lines of a text that stand in a frame, without its marks; each frame has a mark of its own."""
    marks = re.findall(r"on the lines marked ([0-9a-f]{6,})\.", text)
    assert len(marks) == len(set(marks))
    found = (re.match(r"([0-9a-f]{6,})\| ?(.*)", line, re.DOTALL) for line in text.split("\n"))
    return [match[2] for match in found if match and match[1] in marks]


def drain(team: Team, agent: str = "dev", **settings: Any) -> None:
    """Turn the drain of one agent on in the map, with settings of its own."""
    path = team.home / "AGENT_MAP.json"
    agents = json.loads(path.read_bytes())["agents"]
    agents.setdefault(agent, {})["drain"] = {"enabled": True, **settings}
    team.map(agents=agents)


def grow_still(folder: Path, seconds: float = 60) -> None:
    """Let a folder look as if nothing had changed in it for a while."""
    at = time.time() - seconds
    os.utime(folder, (at, at))
