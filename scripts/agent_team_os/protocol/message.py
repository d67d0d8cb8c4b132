"""The message: what one is, how it is built, and what it is called in one line."""

from __future__ import annotations

from . import ids, show, strictjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .documents import Message

VERSION = "2.0"
TYPES = (
    "request", "response", "brief", "handoff", "question", "review-request",
    "event", "confirm", "accept", "decline", "cc-notify",
)  # fmt: skip
PRIORITIES = ("urgent", "high", "normal", "low")
# Only these open something, so only these must say what the intent needs.
INTENT_CHECKED = frozenset(("request", "brief", "question", "review-request", "handoff"))
MAX_PAYLOAD = 10_240  # bytes, compact UTF-8
MAX_MESSAGE = 1_048_576
_SUMMARY_KEYS = ("summary", "question", "state_summary", "topic", "target", "text")


class NotAMessage(ValueError):
    """The bytes are no valid message; `early` is True when they stop in the middle."""

    def __init__(self, why: str, early: bool = False) -> None:
        super().__init__(why)
        self.early = early


def build(sender: str, to: str, intent: str, payload: dict[str, Any], **fields: Any) -> Message:
    """A complete message with a fresh id; `fields` are those of schemas/message.schema.json.

    Nothing is checked here: who sends it checks the finished document.
    """
    message_id = ids.new_message_id()
    message: dict[str, Any] = {
        "id": message_id,
        "version": VERSION,
        "from": sender,
        "to": to,
        "thread_id": fields.pop("thread_id", None) or ids.new_thread_id(),
        "in_reply_to": fields.pop("in_reply_to", None),
        "ts": show.timestamp(),
        "type": fields.pop("type", None) or ("question" if intent == "question" else "request"),
        "intent": intent,
        "priority": fields.pop("priority", None) or "normal",
        "payload": payload,
        "context_refs": fields.pop("context_refs", None) or [],
        "attachments": fields.pop("attachments", None) or [],
        "requires_response": fields.pop("requires_response", None) or False,
        "response_by": fields.pop("response_by", None),
    }
    slug = fields.pop("to_slug", None)
    message["delivery"] = "session" if slug else "agent"
    if slug:
        message["to_slug"] = slug
    message.update({key: value for key, value in fields.items() if value is not None})
    return message  # type: ignore[return-value]  # checked as a document before anything is written


def parse(data: bytes, name: str = "", agent: str = "") -> Message:
    """The message in `data`; NotAMessage with the reason if it is none.

    `name` is the id the file is named after and `agent` whose box it lies in; a document that says
    otherwise was put there by mistake or malice.
    """
    try:
        document = strictjson.parse(data)
    except strictjson.BadJSON as error:
        raise NotAMessage(str(error), error.early) from None
    from . import schemas

    wrong = schemas.checker("message")(document)
    if wrong is not None:
        raise NotAMessage(schemas.describe(wrong))
    if name and document["id"] != name:
        raise NotAMessage(f'id: the file is named "{name}"')
    if agent and document["to"] != agent:
        raise NotAMessage(f'to: the file lies in the inbox of "{agent}"')
    return document  # type: ignore[no-any-return]  # checked by its schema


def summary(message: Message) -> str:
    """The message in one raw line: its summary, else the first field that says something."""
    payload = message["payload"]
    for key in (*_SUMMARY_KEYS, *payload):
        text = payload.get(key)
        if isinstance(text, str) and text.strip():
            return text.strip().split("\n", 1)[0]
    return ""


def rank(message: Message) -> int:
    """0 for urgent to 3 for low: what a list is sorted by first."""
    return PRIORITIES.index(message.get("priority", "normal"))


def slug(message: Message) -> Optional[str]:
    """The session it is for; None when it is for the whole agent."""
    return message.get("to_slug") or None
