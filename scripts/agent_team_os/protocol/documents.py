"""The shapes of the documents, for the type checker and the reader; never imported at run time.

The truth is in schemas/; these name the same fields.
"""

from __future__ import annotations

import sys
from typing import Any, Optional, TypedDict

if sys.version_info >= (3, 11):
    from typing import NotRequired
else:
    from typing_extensions import NotRequired

Attachment = TypedDict("Attachment", {"name": str, "media_type": NotRequired[str], "size": int, "sha256": str})

Message = TypedDict(
    "Message",
    {
        "id": str,
        "version": str,
        "from": str,
        "to": str,
        "to_slug": NotRequired[Optional[str]],
        "thread_id": str,
        "in_reply_to": NotRequired[Optional[str]],
        "ts": str,
        "type": str,
        "intent": str,
        "priority": NotRequired[str],
        "payload": dict[str, Any],
        "context_refs": NotRequired[list[str]],
        "attachments": NotRequired[list[Attachment]],
        "requires_response": NotRequired[bool],
        "response_by": NotRequired[Optional[str]],
        "delivery": NotRequired[str],
        "cc_of": NotRequired[Optional[str]],
        "task_id": NotRequired[Optional[str]],
        "budget_minutes": NotRequired[Optional[int]],
        "escalate_after": NotRequired[Optional[str]],
    },
)

ThreadEntry = TypedDict(
    "ThreadEntry",
    {
        "id": str,
        "from": str,
        "to": str,
        "type": str,
        "intent": NotRequired[str],
        "ts": str,
        "summary": NotRequired[str],
    },
)

Thread = TypedDict(
    "Thread",
    {
        "id": str,
        "subject": str,
        "participants": list[str],
        "messages": list[ThreadEntry],
        "status": str,
        "opened": NotRequired[Optional[str]],
        "closed": NotRequired[Optional[str]],
    },
)


class Session(TypedDict):
    """One session of an agent, live or not."""

    agent: str
    session: str
    slug: str
    session_id: str
    pid: NotRequired[Optional[int]]
    host: NotRequired[Optional[str]]
    workspace_path: str
    session_started: NotRequired[Optional[str]]
    last_seen: str
    state: NotRequired[str]


class Card(TypedDict):
    """An agent's registry card."""

    name: str
    active: bool
    last_seen: NotRequired[Optional[str]]
    workspace_path: NotRequired[Optional[str]]
    session_started: NotRequired[Optional[str]]


class Finding(TypedDict):
    """One thing `doctor` found."""

    code: str
    severity: str
    path: str
    what: str
    fix: str


AgentMap = dict[str, Any]
