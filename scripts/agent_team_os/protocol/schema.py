"""A small JSON Schema compiler: the fast answer to "is this document valid?".

jsonschema is the truth and writes the messages a person sees; importing it costs more than reading a thousand
messages. A keyword this compiler does not know is refused, never ignored; a property test holds the two equal.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

    # None for a valid value, else the steps to the wrong part and what is wrong with it.
    Wrong = tuple[tuple[str | int, ...], str]
    Check = Callable[[Any], Optional[Wrong]]

_NOTES = {"$schema", "$id", "$comment", "$defs", "title", "description", "examples", "default"}


def compile_schema(schema: dict[str, Any], root: dict[str, Any]) -> Check:
    """Turn a schema into a function; it raises on a keyword, or a form of one, that is not supported."""
    checks = [_KEYWORDS[word](schema, root) for word in schema if word in _KEYWORDS]
    unknown = schema.keys() - _KEYWORDS.keys() - _NOTES - {"properties", "additionalProperties"}
    if unknown:
        raise ValueError(f"schema keywords {sorted(unknown)} are not supported")
    if "properties" in schema or "additionalProperties" in schema:
        checks.append(_fields(schema.get("properties", {}), schema.get("additionalProperties", True), root))

    if len(checks) == 2:  # the common case, unrolled: every field of every message in a listing passes here
        first, second = checks
        return lambda value: first(value) or second(value)

    def check(value: Any) -> Optional[Wrong]:
        for part in checks:
            wrong = part(value)
            if wrong is not None:
                return wrong
        return None

    return checks[0] if len(checks) == 1 else check


def _fields(properties: dict[str, Any], others: Any, root: dict[str, Any]) -> Check:
    known = {name: compile_schema(part, root) for name, part in properties.items()}
    extra = compile_schema(others, root) if isinstance(others, dict) else None

    def check(value: Any) -> Optional[Wrong]:
        for name, item in value.items() if isinstance(value, dict) else ():
            part = known.get(name, extra)
            if part is not None:
                wrong = part(item)
                if wrong is not None:
                    return (name, *wrong[0]), wrong[1]
            elif others is False:
                return (name,), "no such field"
        return None

    return check


def _type(schema: Any, _root: object) -> Check:
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    kinds = tuple(_TYPES[name] for name in names)
    wrong = (), f"must be {' or '.join(names)}"
    if "integer" not in names:
        return lambda value: None if type(value) in kinds else wrong
    # In JSON Schema 1.0 is an integer.
    return lambda value: None if type(value) in kinds or (type(value) is float and value.is_integer()) else wrong


def _enum(schema: Any, _root: object) -> Check:
    values = schema["enum"]
    if not all(isinstance(value, str) or value is None for value in values):
        raise ValueError("enum of anything but strings and null is not supported")  # 1, 1.0, true: == in Python
    allowed = ", ".join(map(str, values))
    return lambda value: None if value in values else ((), f"must be one of {allowed}")


def _pattern(schema: Any, _root: object) -> Check:
    search = re.compile(schema["pattern"]).search
    words = f"must be {schema['title']}" if "title" in schema else f"must match {schema['pattern']}"
    return lambda value: None if not isinstance(value, str) or search(value) else ((), words)


def _required(schema: Any, _root: object) -> Check:
    names = schema["required"]

    def check(value: Any) -> Optional[Wrong]:
        missing = [name for name in names if name not in value] if isinstance(value, dict) else ()
        return ((missing[0],), "missing") if missing else None

    return check


def _items(schema: Any, root: Any) -> Check:
    part = compile_schema(schema["items"], root)

    def check(value: Any) -> Optional[Wrong]:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            wrong = part(item)
            if wrong is not None:
                return (index, *wrong[0]), wrong[1]
        return None

    return check


def _names(schema: Any, root: Any) -> Check:
    part = compile_schema(schema["propertyNames"], root)

    def check(value: Any) -> Optional[Wrong]:
        for name in value if isinstance(value, dict) else ():
            wrong = part(name)
            if wrong is not None:
                return (name,), f"the name {wrong[1]}"
        return None

    return check


def _bound(word: str, kinds: Any, measure: Callable[[Any], Any], sign: int, words: str) -> Callable[[Any, Any], Check]:
    def maker(schema: Any, _root: object) -> Check:
        limit = schema[word]

        def check(value: Any) -> Optional[Wrong]:
            bad = isinstance(value, kinds) and not isinstance(value, bool) and (measure(value) - limit) * sign > 0
            return ((), f"must {words} {limit}") if bad else None

        return check

    return maker


_TYPES = {
    "object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None),
}  # fmt: skip
_BOUNDS = (
    ("minLength", str, len, -1, "not be shorter than"), ("maxLength", str, len, 1, "not be longer than"),
    ("minItems", list, len, -1, "not have fewer items than"), ("maxItems", list, len, 1, "not have more items than"),
    ("minimum", (int, float), lambda number: number, -1, "not be below"),
    ("maximum", (int, float), lambda number: number, 1, "not be above"),
)  # fmt: skip
_KEYWORDS: dict[str, Callable[[Any, Any], Check]] = {
    "$ref": lambda schema, root: compile_schema(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root),
    "type": _type, "enum": _enum, "pattern": _pattern, "required": _required, "items": _items,
    "propertyNames": _names, **{bound[0]: _bound(*bound) for bound in _BOUNDS},
}  # fmt: skip
