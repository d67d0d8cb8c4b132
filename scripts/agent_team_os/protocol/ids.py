"""Ids and names: the only gate between text from outside and a path.

Every function that builds a path calls a check from here first, so nothing that is not an id ever reaches
the file system. Patterns are matched whole (`fullmatch`) and ASCII only.
"""

from __future__ import annotations

import os
import re
import time

from .errors import UnknownAgent, UnknownMessage, UnknownPlan, UnknownThread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

AGENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
MESSAGE = re.compile(r"msg-[0-9]{8}T[0-9]{6}Z-[a-z0-9]{8}")
THREAD = re.compile(r"thread-[0-9]{8}-[a-z0-9]{6}")
PLAN = re.compile(r"plan-[0-9]{8}-[a-z0-9]{6}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
MESSAGE_FILE = re.compile(r"msg-[0-9]{8}T[0-9]{6}Z-[a-z0-9]{8}\.json")

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SPACE = 36**8
# A second's first id is drawn from the lower part of the space and each next one lies a random step above,
# which leaves room for some thousand ids before the second is full.
_FIRST = _SPACE - _SPACE // 16
_STEP = _SPACE // 16 // 65536

_second = 0
_number = 0


def is_agent(text: object) -> bool:
    """True for a name an agent or a slug may have."""
    return isinstance(text, str) and AGENT.fullmatch(text) is not None


def is_message(text: object) -> bool:
    """True for a whole message id."""
    return isinstance(text, str) and MESSAGE.fullmatch(text) is not None


def is_thread(text: object) -> bool:
    """True for a whole thread id."""
    return isinstance(text, str) and THREAD.fullmatch(text) is not None


def is_session_id(text: object) -> bool:
    """True for an id Claude Code could have given a session."""
    return isinstance(text, str) and SESSION_ID.fullmatch(text) is not None


def check_agent(text: str) -> str:
    """Return `text`; UnknownAgent if it cannot be the name of an agent or of a session's slug."""
    if not is_agent(text):
        raise UnknownAgent(f'"{text[:80]}" is no agent name', "Names are a-z, 0-9, - and _, at most 63 characters.")
    return text


def check_message(text: str) -> str:
    """Return `text`; UnknownMessage if it is no message id."""
    if not is_message(text):
        raise UnknownMessage(f'"{text[:80]}" is no message id', "See the pending ones: ato inbox")
    return text


def check_thread(text: str) -> str:
    """Return `text`; UnknownThread if it is no thread id."""
    if not is_thread(text):
        raise UnknownThread(f'"{text[:80]}" is no thread id', "See the recent ones: ato thread")
    return text


def check_plan(text: str) -> str:
    """Return `text`; UnknownPlan if it is no plan id."""
    if PLAN.fullmatch(text) is None:
        raise UnknownPlan(f'"{text[:80]}" is no plan id', "See the plans: ato plan show")
    return text


def parse_address(text: str) -> tuple[str, Optional[str]]:
    """Split `agent` or `agent/slug` and check both halves."""
    agent, slash, slug = text.partition("/")
    return check_agent(agent), check_agent(slug) if slash else None


def session_name(agent: str, slug: Optional[str]) -> Optional[str]:
    """The address of one session, `agent/slug`; None without a slug."""
    return f"{agent}/{slug}" if slug else None


def _base36(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits


def _random(below: int) -> int:
    return int.from_bytes(os.urandom(8), "big") % below


def new_message_id() -> str:
    """A fresh id. Two made by one process sort in the order made, even when its clock is set back."""
    global _second, _number
    now = int(time.time())
    if now > _second:
        _second, _number = now, _random(_FIRST)
    else:
        _number += 1 + _random(_STEP)
        if _number >= _SPACE:
            _second, _number = _second + 1, _random(_FIRST)
    return time.strftime("msg-%Y%m%dT%H%M%SZ-", time.gmtime(_second)) + _base36(_number, 8)


def new_thread_id() -> str:
    """A fresh thread id."""
    return time.strftime("thread-%Y%m%d-", time.gmtime()) + _base36(_random(36**6), 6)


def new_plan_id() -> str:
    """A fresh plan id."""
    return time.strftime("plan-%Y%m%d-", time.gmtime()) + _base36(_random(36**6), 6)


def day_of(message_id: str) -> str:
    """`YYYY-MM-DD` (UTC) of a message id: the name of its outbox file."""
    return f"{message_id[4:8]}-{message_id[8:10]}-{message_id[10:12]}"


def slug_of(workspace: str) -> str:
    """The slug of a workspace: its folder's name, lowercased, other characters folded to `-`.

    `/` is `root`. A name without any ASCII letter or digit becomes `ws-` and a checksum, so that two such
    folders do not share a box by accident.
    """
    name = os.path.basename(os.path.normpath(workspace)) or "root"
    slug = re.sub(r"[^a-z0-9_-]", "-", name.lower()).lstrip("-_")[:63]
    if any(char.isalnum() for char in slug):
        return slug
    import zlib

    return f"ws-{zlib.crc32(os.fsencode(name)):08x}"


def matches(full: str, given: str) -> bool:
    """True if `given` is a prefix of the id, or of the random part people copy from a list."""
    return bool(given) and (full.startswith(given) or full.rpartition("-")[2].startswith(given))
