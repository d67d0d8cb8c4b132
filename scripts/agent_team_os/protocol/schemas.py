"""The schema files in schemas/, and the compiled check of each kind of document."""

from __future__ import annotations

import os

from . import schema, strictjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_cache: dict[str, schema.Check] = {}


def folder() -> str:
    """Where the schema files are: beside the package in a wheel, at the top of a clone otherwise."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    inside = os.path.join(package, "schemas")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(os.path.dirname(package)), "schemas")


def load(kind: str) -> Any:
    """The schema of a kind (`message`, `agent-map`, `intents/bug-fix`, …); FileNotFoundError if there is none."""
    with open(os.path.join(folder(), f"{kind}.schema.json"), "rb") as file:
        return strictjson.parse(file.read())


def checker(kind: str) -> schema.Check:
    """The compiled check of a kind of document, compiled once a process."""
    if kind not in _cache:
        root = load(kind)
        _cache[kind] = schema.compile_schema(root, root)
    return _cache[kind]


def is_intent(word: str) -> bool:
    """Whether the schema of messages lets a word be an intent."""
    root = load("message")
    return schema.compile_schema(root["properties"]["intent"], root)(word) is None


def field(document: Any, name: str) -> str:
    """`text: the project it is about`: the form and meaning of a payload field, as an intent's schema gives them."""
    part = document["properties"][name]
    return f"{'list of texts' if part['type'] == 'array' else 'text'}: {part.get('description', '')}"


def describe(wrong: schema.Wrong) -> str:
    """`payload.project: missing`: what a check found, in words."""
    steps, words = wrong
    return f"{'.'.join(map(str, steps))}: {words}" if steps else words
