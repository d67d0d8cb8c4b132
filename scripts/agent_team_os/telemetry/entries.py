"""One line of a transcript: the request it tells of, with everything that is summed, or what names a thread."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

MOST = 1_000_000_000  # tokens of one kind in one request; more is no count
END = 32_503_680_000.0  # the year 3000 in seconds since 1970; what is later is no time of a request
_LONGEST = 200  # characters of a name
# How this program names the thread of a message that was read, answered or sent: on the page of the message, which a
# model reads behind the marks of a frame, in the line about what went out, and in a document on one line. What a
# sender wrote stands indented, and what a search finds has a place in front of it.
_PAGE = re.compile(
    r"^(?:[0-9a-f]{6}\| )?Thread {4}(?P<read>thread-[0-9]{8}-[a-z0-9]{6})$"
    r"|^(?:Sent|Replied|Handed over) \S+ to \S+ \((?P<sent>thread-[0-9]{8}-[a-z0-9]{6})[,)]",
    re.M | re.A,
)
_DOCUMENT = re.compile(r"^\{.*\}\r?$", re.M)
_MEMBER = re.compile(r'"thread_id":"(thread-[0-9]{8}-[a-z0-9]{6})"')

_USUAL = (None, "", "standard", "global", "not_available")


class BrokenLine(ValueError):
    """The line had to be read and cannot be."""


class Request(NamedTuple):
    """A request as one line tells it. Tokens of the five kinds are apart: none is part of another."""

    key: str  # the same in every copy
    at: float | None  # seconds since 1970
    session: str
    model: str
    terms: str  # on which it was made, where they are not the usual ones: `speed=fast`
    side: bool
    copied: bool  # by a fork, from the transcript of the session that made it
    cwd: str
    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    searches: int

    @property
    def tokens(self) -> int:
        """All of them together."""
        return self.input + self.output + self.cache_read + self.cache_write_5m + self.cache_write_1h


def parse(line: bytes) -> dict[str, Any]:
    """The entry on a line; BrokenLine if it is no JSON, an empty one if it is no object."""
    try:
        entry = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise BrokenLine from None
    return entry if isinstance(entry, dict) else {}


def thread(entry: dict[str, Any]) -> str:
    """The thread of the message that the session has read, answered or sent; empty for none, and for a listing."""
    named: set[str] = set()
    for text in _read(entry):
        named.update(found["read"] or found["sent"] for found in _PAGE.finditer(text))
        for document in _DOCUMENT.findall(text):
            named.update(_MEMBER.findall(document))
    return named.pop() if len(named) == 1 else ""


def _read(entry: dict[str, Any]) -> Iterator[str]:
    """What tools returned, and what a hook gave a command as context; not what a person or the model wrote."""
    if entry.get("type") == "attachment":
        given = entry.get("attachment")
        if isinstance(given, dict) and given.get("type") == "hook_additional_context":
            yield from _texts(given.get("content"))
    elif entry.get("type") == "user":
        message = entry.get("message")
        blocks = message.get("content") if isinstance(message, dict) else None
        for block in blocks if isinstance(blocks, list) else ():
            if isinstance(block, dict) and block.get("type") == "tool_result":
                yield from _texts(block.get("content"))


def _texts(content: object) -> Iterator[str]:
    for part in content if isinstance(content, list) else [content]:
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, str):
            yield text


def when(entry: dict[str, Any]) -> float | None:
    """The time of an entry in seconds since 1970; None if it has none, or one before that or after the year 2999."""
    try:
        moment = datetime.fromisoformat(entry["timestamp"])
        at = moment.timestamp() if moment.tzinfo else -1.0
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return at if 0 <= at < END else None


def request(entry: dict[str, Any], line: bytes, owner: str, stem: str) -> Request | None:
    """The request an entry tells of, None if it tells of none.

    Its session is the one the entry names as its own, else the `owner` of a subagent's file, else the one the entry
    stands in, else the `stem` of the file's name.

    BrokenLine for counts that are none. A request without any token is none: the client writes such for its own
    error messages.
    """
    message = entry.get("message")
    if entry.get("type") != "assistant" or not isinstance(message, dict):
        return None
    usage = message.get("usage")
    if not isinstance(usage, dict):
        return None
    written = _count(usage, "cache_creation_input_tokens")
    kinds = usage.get("cache_creation")
    short = long = 0
    if isinstance(kinds, dict):
        short, long = _count(kinds, "ephemeral_5m_input_tokens"), _count(kinds, "ephemeral_1h_input_tokens")
    tools = usage.get("server_tool_use")
    made = Request(
        _key(entry, message, line),
        when(entry),
        _name(entry.get("requestSessionId")) or owner or _name(entry.get("sessionId")) or stem,
        _name(message.get("model")) or "unknown",
        _terms(usage),
        entry.get("isSidechain") is True,
        entry.get("requestSessionId", entry.get("sessionId")) != entry.get("sessionId"),
        _text(entry.get("cwd")),
        _count(usage, "input_tokens"),
        _count(usage, "output_tokens"),
        _count(usage, "cache_read_input_tokens"),
        max(short, written - long),  # what is of no kind is of the usual one
        long,
        _count(tools, "web_search_requests") if isinstance(tools, dict) else 0,
    )
    return made if made.tokens or made.searches else None


def _key(entry: dict[str, Any], message: dict[str, Any], line: bytes) -> str:
    for kind, given in (("", message.get("id")), ("request ", entry.get("requestId")), ("line ", entry.get("uuid"))):
        if isinstance(given, str) and given:
            return kind + (_text(given) if len(given) <= _LONGEST else _digest(given.encode("utf-8", "replace")))
    return "bytes " + _digest(line)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _terms(usage: dict[str, Any]) -> str:
    terms = []
    for key in ("speed", "service_tier", "inference_geo"):
        given = usage.get(key)
        if given not in _USUAL and isinstance(given, str):
            terms.append(f"{key}={_name(given)}")
    return " ".join(terms)


def _count(numbers: dict[str, Any], name: str) -> int:
    value = numbers.get(name)
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= MOST:
        raise BrokenLine
    return value


def _name(value: object) -> str:
    return _text(value)[:_LONGEST]


def _text(value: object) -> str:
    """A text that can be stored; empty for anything else."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
