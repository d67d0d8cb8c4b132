"""Sessions as Claude Code opens them, event by event in this process, and mail for them.

dev = Session(team)  # session s-1 in the folder of dev
put(team, 3, priority="high")  # a pending message; the higher the number, the newer
text = dev.start("resume")  # what the model is told, empty for nothing
ids(text)  # the messages that are shown, in order
dev.prompt()  # the same of UserPromptSubmit
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional
from unittest import mock

from support.hooks import fire, said

if TYPE_CHECKING:
    from conftest import Team

OURS = {"hookEventName", "additionalContext", "sessionTitle", "permissionDecision", "permissionDecisionReason"}


class Session:
    """One session of an agent; `env` are variables its hooks find beside HOME and PATH."""

    def __init__(self, team: Team, session_id: Optional[str] = "s-1", folder: str = "dev", **env: str) -> None:
        self.team = team
        self.id = session_id
        self.folder = team.root / folder
        self.env = {**team.env, **env}

    def fire(self, event: str, **given: Any) -> dict[str, Any]:
        """The document that an event prints, empty for nothing; its form is checked."""
        known = {"hook_event_name": event, "cwd": str(self.folder), "transcript_path": "/x/y.jsonl"}
        if self.id is not None:
            known["session_id"] = self.id
        with mock.patch.dict(os.environ, self.env, clear=True):  # the home of `~` is the process's, not the hook's
            printed = fire(event, json.dumps({**known, **given}).encode(), self.env, str(self.folder))
        if printed is None:
            return {}
        assert printed.endswith("}\n")
        assert printed.count("\n") == 1
        document: dict[str, Any] = json.loads(printed)
        assert set(document) <= {"hookSpecificOutput", "decision", "reason", "systemMessage"}
        assert document.get("hookSpecificOutput", {"hookEventName": event})["hookEventName"] == event
        assert set(document.get("hookSpecificOutput", ())) <= OURS
        return document

    def start(self, source: Optional[str] = "startup", **given: Any) -> str:
        """What SessionStart tells the model; a source of None is one that is missing."""
        return said(self.fire("SessionStart", **({"source": source} if source else {}), **given))

    def prompt(self, **given: Any) -> str:
        """What UserPromptSubmit tells the model."""
        return said(self.fire("UserPromptSubmit", prompt="Go on", **given))

    def stop(self, **given: Any) -> dict[str, Any]:
        """What Stop decides."""
        return self.fire("Stop", **{"stop_hook_active": False, **given})

    def end(self) -> None:
        """The session ends, and nothing is said of it."""
        assert self.fire("SessionEnd", reason="exit") == {}

    @property
    def entry(self) -> Path:
        """Where it is registered."""
        return self.team.home / f"registry/dev.d/{self.id}.json"

    @property
    def memory(self) -> Path:
        """Where its hooks keep what they remember."""
        return self.team.home / f"state/{self.id}.json"


def document(number: int, **fields: Any) -> dict[str, Any]:
    """A message from ops to dev; the higher the number, the newer."""
    return {
        "id": f"msg-20260520T091812Z-{number:08d}", "version": "2.0", "from": "ops", "to": "dev",
        "thread_id": "thread-20260520-abc123", "ts": "2026-05-20T09:18:12Z", "type": "request", "intent": "note",
        "payload": {"summary": f"number {number}"}, **fields,
    }  # fmt: skip


def put(team: Team, number: int, box: str = "dev", **fields: Any) -> str:
    """Lay a message into a box; returns its id."""
    message = document(number, **fields)
    path = team.home / "inboxes" / box / f"{message['id']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(message))
    return str(message["id"])


def path_of(team: Team, message_id: str, box: str = "dev") -> Path:
    """Where a pending message lies."""
    return team.home / "inboxes" / box / f"{message_id}.json"


def framed(text: str) -> tuple[str, list[str]]:
    """The boundary of the frame around mail, and the lines in it."""
    (opening,) = [line for line in text.split("\n") if line.startswith("Mail from other agents follows")]
    found = re.search(r"lines marked ([0-9a-f]{6,})\.", opening)
    assert found
    mark = found[1]
    return mark, [line[len(mark) + 2 :] for line in text.split("\n") if line.startswith(f"{mark}| ")]


def ids(text: str) -> list[str]:
    """The ids of the messages that are shown in full lines, in order; none where there is no frame."""
    if "Mail from other agents" not in text:
        return []
    return [line.rpartition("(")[2][:-1] for line in framed(text)[1]]


def line(text: str, beginning: str) -> str:
    """The one line that begins so."""
    (found,) = [each for each in text.split("\n") if each.startswith(beginning)]
    return found
