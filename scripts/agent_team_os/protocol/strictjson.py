"""JSON as the protocol reads and writes it: stricter than the standard library, never a traceback.

Refused: duplicate keys, NaN and infinities, integers beyond 2**53, lone surrogates, more than 32 levels.
Such documents mean different things to different readers, and one of them is a shell script with jq.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_SPACE = " \t\n\r"
# What can be left of a value that was cut off: nothing, a word, a number, or an escape at the end.
_BEGUN = r"|t(ru?)?|f(a(ls?)?)?|n(ul?)?|-|\.|(\.[0-9]+)?[eE][+-]?|\\(u[0-9a-fA-F]{0,3})?|u[0-9a-fA-F]{0,4}"
MAX_LEVELS = 32
MAX_INTEGER = 2**53


class BadJSON(ValueError):
    """The text is no JSON document the protocol accepts.

    `line` and `column` count from 1 and are 0 where no place can be named; `early` is True when the text
    stops in the middle, as it does while somebody is still writing it.
    """

    def __init__(self, message: str, line: int = 0, column: int = 0, early: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.early = early

    def __str__(self) -> str:
        return f"{self.message} (line {self.line}, column {self.column})" if self.line else self.message


class TooLarge(BadJSON):
    """An integer that not every reader could hold."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                shown = key[:80].encode("utf-8", "backslashreplace").decode("utf-8")
                raise BadJSON(f'the key "{shown}" appears twice')
            seen.add(key)
    return document


def _integer(text: str) -> int:
    # The length first: int() of half a million digits takes seconds, and newer Pythons refuse it.
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise TooLarge(f"the integer {text[:20]} is beyond 2**53")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise BadJSON(f"the number {text[:20]} is too large")
    return number


def _constant(text: str) -> None:
    raise BadJSON(f"{text} is no JSON value")


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _walk(node: Any) -> None:
    """Refuse what only shows in the finished document: depth, and surrogates without their other half."""
    level, nodes = 0, [node]
    while nodes:
        level += 1
        below: list[Any] = []
        for item in nodes:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, (dict, list)):
                if level > MAX_LEVELS:
                    raise BadJSON(f"more than {MAX_LEVELS} levels")
                if isinstance(item, dict):
                    for key in item:
                        _check_text(key)
                below.extend(item.values() if isinstance(item, dict) else item)
        nodes = below


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadJSON("a lone surrogate") from None


def parse(data: bytes) -> Any:
    """The document in `data`; BadJSON if it is not exactly one."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        early = error.reason == "unexpected end of data"
        raise BadJSON(f"not UTF-8 at byte {error.start}", early=early) from None
    if text.startswith("\ufeff"):
        raise BadJSON("begins with a byte order mark")
    try:
        document, end = _decoder.raw_decode(text, _skip(text, 0))
        end = _skip(text, end)
        if end != len(text):
            raise json.JSONDecodeError("more text after the document", text, end)
    except json.JSONDecodeError as error:
        rest = text[error.pos :].rstrip(_SPACE)
        early = re.fullmatch(_BEGUN, rest) is not None or error.msg.startswith("Unterminated string")
        raise BadJSON(error.msg[0].lower() + error.msg[1:], error.lineno, error.colno, early) from None
    except TooLarge as error:
        # At the very end it may be the beginning of a number with a fraction.
        error.early = text[-1:] in "0123456789.eE+-"
        raise
    except RecursionError:
        raise BadJSON(f"more than {MAX_LEVELS} levels") from None
    # Both checks look at the bytes first: only text that could be guilty pays for the walk.
    if data.count(b"{") + data.count(b"[") > MAX_LEVELS or b"\\u" in data:
        _walk(document)
    return document


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def compact(document: Any) -> bytes:
    """The document as one line of UTF-8, without the newline."""
    return _encoder.encode(document).encode("utf-8")


def dump(document: Any) -> str:
    """The document as one line of text; half a character pair, as in the path of a home, becomes an escape."""
    return _encoder.encode(document).encode("utf-8", "backslashreplace").decode("utf-8")


def readable(document: dict[str, Any]) -> bytes:
    """The document with one top-level key a line: for files that people open, at the price of `compact`."""
    lines = [f"  {_encoder.encode(key)}: {_encoder.encode(value)}" for key, value in document.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8")


def position(text: str, path: Sequence[str | int]) -> tuple[int, int]:
    """Line and column (from 1) where the value at `path` begins in a text that `parse` accepted.

    A path that leads nowhere ends at the deepest value that exists, which is where a missing key belongs.
    """
    at = _skip(text, 0)
    for step in path:
        found = _child(text, at, step)
        if found < 0:
            break
        at = found
    before = text[:at]
    return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1


def _child(text: str, at: int, step: str | int) -> int:
    """Where member `step` of the container at `at` begins; -1 if it has none."""
    if text[at] != ("{" if isinstance(step, str) else "["):
        return -1
    at = _skip(text, at + 1)
    index = 0
    while text[at] not in "}]":
        key: str | int = index
        if isinstance(step, str):
            key, at = _decoder.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        if key == step:
            return at
        _, at = _decoder.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
        index += 1
    return -1
