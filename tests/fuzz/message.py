"""The parsers of messages and of JSON: any bytes are refused with their own error, or are what the schema says."""

from __future__ import annotations

import json
import math
import os
from typing import Any

from jsonschema import Draft202012Validator

from agent_team_os.protocol import frame, ids, message, schemas, strictjson
from agent_team_os.protocol import home as layout

_VALID = Draft202012Validator(schemas.load("message")).is_valid


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(pairs)


def _constant(text: str) -> None:
    raise AssertionError(text)


def check_limits(item: Any, levels: int = 0) -> None:
    """Raise if a document holds what some reader could not."""
    if isinstance(item, (dict, list)):
        assert levels < 32
        for value in item.values() if isinstance(item, dict) else item:
            check_limits(value, levels + 1)
    elif isinstance(item, float):
        assert math.isfinite(item)
    elif isinstance(item, int):
        assert abs(item) <= 2**53


def check(data: bytes) -> None:
    """Raise if these bytes are parsed wrongly."""
    try:
        document = strictjson.parse(data)
    except strictjson.BadJSON as error:
        str(error).encode()  # it becomes the reason in a note
        document = None
    else:
        assert document == json.loads(data, object_pairs_hook=_object, parse_constant=_constant)
        assert strictjson.parse(strictjson.compact(document)) == document
        check_limits(document)
    try:
        found = message.parse(data)
    except message.NotAMessage as error:
        str(error).encode("utf-8")
        assert document is None or not _VALID(document)
        return
    assert found == document
    assert _VALID(document)
    assert message.parse(strictjson.readable(document), found["id"], found["to"]) == found
    for path in (
        layout.pending("/home", found["to"], message.slug(found), found["id"]),
        layout.outbox("/home", ids.day_of(found["id"])),
        layout.thread("/home", found["thread_id"]),
        *(layout.attachment("/home", attachment["sha256"]) for attachment in found.get("attachments", ())),
    ):
        assert path.isascii()
        assert path.isprintable()
        assert os.path.normpath(path) == path
        assert path.startswith("/home/")
    for name in ("in_reply_to", "cc_of"):
        assert found.get(name) is None or ids.MESSAGE.fullmatch(str(found.get(name)))
    assert 0 <= message.rank(found) < len(message.PRIORITIES)
    assert frame.line(found).isprintable()
