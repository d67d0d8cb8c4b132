"""The small document a message's text can be written as: fields, an empty line, free text.

    summary: Login loops on Safari
    project: web
    steps: open the page
    steps: sign in
      with a second account

    Free text, which becomes the field `text`.

A repeated field makes a list, an indented line continues the one before. Written for people and models who
would otherwise have to quote JSON for a shell.
"""

from __future__ import annotations

import re

from .errors import InvalidPayload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FIELD = re.compile(r"([A-Za-z_][A-Za-z0-9_-]{0,62}):(?:[ \t]+(.*)|)")


def parse(text: str) -> dict[str, Any]:
    """The payload of a document; InvalidPayload naming the first line that is neither field nor continuation."""
    fields: list[tuple[str, str]] = []
    lines = text.replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            rest = "\n".join(lines[number:]).strip("\n")
            if rest.strip():
                fields.append(("text", rest))
            break
        found = _FIELD.fullmatch(line)
        if found:
            fields.append((found[1], (found[2] or "").strip()))
        elif line[0] in " \t" and fields:
            name, value = fields[-1]
            fields[-1] = name, f"{value}\n{line.strip()}" if value else line.strip()
        else:
            raise InvalidPayload(
                f'line {number} of the body is no "field: value": {line[:60]!r}',
                "Put an empty line before free text.",
            )
    return collect(fields)


def collect(fields: list[tuple[str, str]]) -> dict[str, Any]:
    """Fields of one source as a payload: a name given more than once becomes a list."""
    payload: dict[str, Any] = {}
    for name, value in fields:
        if name not in payload:
            payload[name] = value
        elif isinstance(payload[name], list):
            payload[name].append(value)
        else:
            payload[name] = [payload[name], value]
    return payload
