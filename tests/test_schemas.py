"""The schemas say what a document is; the compiled checks, the code and the type checker's shapes say the same."""

from __future__ import annotations

import ast
import copy
import inspect
import json
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agent_team_os.protocol import documents, errors, schema, schemas, strictjson
from agent_team_os.protocol import message as messages
from support.cli import ROOT

PATIENT = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
FOLDER = ROOT / "schemas"
KINDS = sorted(
    str(path.relative_to(FOLDER)).removesuffix(".schema.json").replace("\\", "/")
    for path in FOLDER.rglob("*.schema.json")
)
PACKAGE = ROOT / "scripts/agent_team_os"
INTENTS = [
    ("bug-fix", ["project", "summary"]),
    ("feature-spec", ["project", "summary"]),
    ("refactor", ["project", "summary"]),
    ("code-review", ["target"]),
    ("architecture-review", ["target"]),
    ("question", ["question"]),
    ("handoff", ["state_summary", "next_steps"]),
    ("draft-post", ["topic"]),
    ("review-copy", ["topic"]),
    ("plan-campaign", ["topic"]),
    ("generate-screenshots", ["project", "summary", "deliverable"]),
]
LOW = sorted(path for layer in ("protocol", "storage", "mail", "hooks") for path in (PACKAGE / layer).rglob("*.py"))
# What hooks import of mail between people: the first at every start of a session, the others for /msg.
LOW += [
    PACKAGE / f"post/{name}.py"
    for name in ("notice", "box", "attached", "letter", "me", "page", "people", "reading", "spool")
]


def validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(schemas.load(kind))


def test_the_kinds() -> None:
    """There is a schema for each kind of document and for each intent the protocol names."""
    assert {"message", "agent-map", "thread", "registry-card", "session", "error"} <= set(KINDS)
    assert {"letter", "receipt", "entry", "grant"} <= set(KINDS)
    intents = {kind.removeprefix("intents/") for kind in KINDS if kind.startswith("intents/")}
    assert intents == {intent for intent, _ in INTENTS}


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_schemas(kind: str) -> None:
    """Each file is a schema of the one dialect, has a title and examples, and reads strictly."""
    document = schemas.load(kind)
    Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"] == kind.rpartition("/")[2] + ".schema.json"
    assert document["title"]
    assert document["examples"]
    assert document == strictjson.parse((FOLDER / f"{kind}.schema.json").read_bytes())


@pytest.mark.parametrize("kind", KINDS)
def test_examples_are_valid(kind: str) -> None:
    """Each example is valid by jsonschema and by the compiled check."""
    for example in schemas.load(kind)["examples"]:
        assert [error.message for error in validator(kind).iter_errors(example)] == []
        assert schemas.checker(kind)(example) is None


@pytest.mark.parametrize(("intent", "fields"), INTENTS)
def test_what_intents_require(intent: str, fields: list[str]) -> None:
    """An intent requires the fields the protocol names, each for itself, and lets others pass."""
    (example,) = schemas.load("intents/" + intent)["examples"]
    check = schemas.checker("intents/" + intent)
    assert sorted(example) == sorted(fields)
    assert check({**example, "more": 1}) is None
    for field in fields:
        assert check({name: value for name, value in example.items() if name != field}) == ((field,), "missing")
        assert check({**example, field: ""}) is not None


# One value of each JSON type and the edges the schemas have.
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 7, 8, 1.0, 7.5, -0.0, 1e300, 2**53, 10485760, 10485761, 525600, 525601, "", "x", "dev",
    "a" * 63, "a" * 64, "é" * 255, "a" * 256, "-", "\n", "2.0", "1.1234", "urgent", "open", "exact",
    "2026-05-20T09:18:12Z", "msg-20260520T091812Z-x7q3abcd", "thread-20260520-abc123", [], [None], ["dev"],
    ["dev", "ops"], ["a", "b", "c"], [["a", "b"]], ["x"] * 300, {}, {"x": 1}, {"": None}, {"kind": ""},
    {"kind": "file"}, {"agent": "dev"},
]  # fmt: skip
CHARACTERS = st.one_of(st.sampled_from("aZ09-_./:@\n\0 é１"), st.characters(exclude_categories=["Cs"]))


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document, the document itself first."""
    found = [path]
    parts = document if isinstance(document, dict) else dict(enumerate(document if isinstance(document, list) else ()))
    for step, part in parts.items():
        found += places(part, (*path, step))
    return found


def mutate(draw: st.DrawFn, document: Any) -> Any:
    """The document with one thing changed: something deleted, replaced, added, or one character of a text."""
    path = draw(st.sampled_from(places(document)[1:] or [()]))
    if not path or not draw(st.integers(0, 20)):
        return draw(st.sampled_from(VALUES))
    document = copy.deepcopy(document)
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    step, value = path[-1], holder[path[-1]]
    way = draw(st.sampled_from(["delete", "replace", "add", "character", "character"]))
    if way == "character" and isinstance(value, str):
        at, char = draw(st.integers(0, len(value))), draw(CHARACTERS)
        holder[step] = value[:at] + draw(st.sampled_from([char, ""])) + value[at + draw(st.integers(0, 1)) :]
    elif way == "delete":
        del holder[step]
    elif way == "add" and isinstance(value, dict):
        name = draw(st.one_of(st.sampled_from(["x", "", "dev", "Dev", "a b"]), st.text(CHARACTERS, max_size=5)))
        value[name] = draw(st.sampled_from(VALUES))
    elif way == "add" and isinstance(value, list):
        value.insert(draw(st.integers(0, len(value))), draw(st.sampled_from(VALUES)))
    else:
        holder[step] = draw(st.sampled_from(VALUES))
    return document


@st.composite
def near_valid(draw: st.DrawFn, kind: str) -> Any:
    """An example of the schema with up to three things changed."""
    document = draw(st.sampled_from(schemas.load(kind)["examples"]))
    for _ in range(draw(st.integers(0, 3))):
        document = mutate(draw, document)
    return document


def agree(kind: str, document: Any) -> None:
    """Both give the same answer, and a fault the compiled check names is one jsonschema finds too."""
    wrong = schemas.checker(kind)(document)
    paths = {tuple(error.absolute_path) for error in validator(kind).iter_errors(document)}
    assert (wrong is None) == (not paths), (kind, document, wrong, paths)
    if wrong is not None:
        steps, words = wrong
        assert words
        assert any(steps[: len(path)] == path for path in paths), (document, wrong, paths)


@pytest.mark.parametrize("kind", KINDS)
def test_the_compiled_check_agrees_with_jsonschema(kind: str) -> None:
    """On examples with a few things changed, both accept, or both find the same part wrong."""

    @settings(PATIENT, max_examples=40 if kind.startswith("intents/") else 150)
    @given(near_valid(kind))
    def holds(document: Any) -> None:
        agree(kind, document)

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_each_field_with_each_value(kind: str) -> None:
    """Every value of each example, replaced by many others and taken away, gets the same answer of both."""
    check, valid = schemas.checker(kind), validator(kind).is_valid
    for example in schemas.load(kind)["examples"]:
        for path in places(example)[1:]:
            document = copy.deepcopy(example)
            holder = document
            for step in path[:-1]:
                holder = holder[step]
            for value in VALUES:
                holder[path[-1]] = value
                assert (check(document) is None) == valid(document), (path, value)
            del holder[path[-1]]
            assert (check(document) is None) == valid(document), path
            assert (check(value) is None) == valid(value)


JSON = st.recursive(
    st.one_of(st.sampled_from(VALUES), st.text(CHARACTERS, max_size=5)),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text("abe", max_size=2), part, max_size=3),
    max_leaves=6,
)


def distinct(items: st.SearchStrategy[Any], least: int, most: int) -> st.SearchStrategy[list[Any]]:
    """Lists without a value twice."""
    lists = st.lists(items, min_size=least, max_size=most)
    return lists.map(lambda values: [value for at, value in enumerate(values) if value not in values[:at]])


@st.composite
def small_schema(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    """A schema of the keywords in use, in any combination."""
    kinds = st.sampled_from(["object", "array", "string", "integer", "boolean", "null"])
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": kinds | distinct(kinds, 1, 3),
        "enum": distinct(st.sampled_from(["a", "b", "", None]), 1, 4),
        "pattern": st.sampled_from(["^a", "b(?![\\s\\S])", "^[ab]+(?![\\s\\S])", "."]),
        "required": distinct(st.sampled_from(["a", "b", ""]), 0, 3),
        "title": st.just("a title"),
    }
    keywords.update(
        {word: st.integers(0, 3) for word in ("minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum")}
    )
    if depth:
        below = small_schema(depth - 1)
        keywords["items"] = below
        keywords["propertyNames"] = below
        keywords["properties"] = st.dictionaries(st.sampled_from(["a", "b", ""]), below, max_size=2)
        keywords["additionalProperties"] = st.booleans() | below
        keywords["$ref"] = st.sampled_from(["#/$defs/one", "#/$defs/two"])
    words = draw(distinct(st.sampled_from(sorted(keywords)), 0, 4))
    return {word: draw(keywords[word]) for word in words}


@settings(PATIENT, max_examples=200)
@given(small_schema(), st.lists(JSON, min_size=1, max_size=5))
def test_the_compiler_agrees_with_jsonschema_on_any_schema(root: dict[str, Any], documents: list[Any]) -> None:
    """Whatever schema is made of the keywords in use, its compiled check gives jsonschema's answer."""
    root = {**root, "$defs": {"one": {"type": "string", "minLength": 1}, "two": {"items": {"$ref": "#/$defs/one"}}}}
    check, valid = schema.compile_schema(root, root), Draft202012Validator(root).is_valid
    for document in documents:
        assert (check(document) is None) == valid(document), document


UNKNOWN: dict[str, Any] = {
    "const": 1, "oneOf": [{}], "anyOf": [{}], "allOf": [{}], "not": {}, "if": {}, "then": {}, "else": {},
    "format": "date-time", "uniqueItems": True, "contains": {}, "prefixItems": [{}], "multipleOf": 2,
    "exclusiveMinimum": 0, "exclusiveMaximum": 1, "minProperties": 1, "maxProperties": 1, "patternProperties": {},
    "dependentRequired": {}, "unevaluatedProperties": False, "$dynamicRef": "#x", "require": ["a"], "maxlength": 5,
}  # fmt: skip
AROUND: dict[str, Callable[[Any], Any]] = {
    "top level": lambda part: part,
    "properties": lambda part: {"properties": {"a": {}, "b": part}},
    "additionalProperties": lambda part: {"additionalProperties": part},
    "propertyNames": lambda part: {"propertyNames": part},
    "items": lambda part: {"items": part},
    "$defs": lambda part: {"$defs": {"x": part}, "properties": {"a": {"$ref": "#/$defs/x"}}},
    "deep": lambda part: {"items": {"properties": {"a": {"additionalProperties": {"items": part}}}}},
}


@pytest.mark.parametrize("where", AROUND)
@pytest.mark.parametrize("word", UNKNOWN)
def test_unknown_keywords_are_refused(word: str, where: str) -> None:
    """A keyword the compiler does not know is refused when the schema is compiled, wherever it stands."""
    root = AROUND[where]({"type": "object", word: UNKNOWN[word]})
    with pytest.raises(ValueError, match=word.replace("$", "[$]")):
        schema.compile_schema(root, root)


@pytest.mark.parametrize("values", [[1], [True], [1.5], [["a"]], [{}], ["a", 0]])
def test_enums_of_what_python_compares_otherwise_are_refused(values: list[Any]) -> None:
    """An enum of anything but texts and null is refused: for Python 1, 1.0 and true are equal."""
    with pytest.raises(ValueError, match="enum"):
        schema.compile_schema({"enum": values}, {})


def test_the_compiler_is_small() -> None:
    """The compiler stays under 150 lines: more would have to be a well-kept package."""
    lines = (PACKAGE / "protocol/schema.py").read_bytes().count(b"\n")
    assert lines < 150


def test_the_lists_in_the_code_are_those_of_the_schemas() -> None:
    """Types and priorities stand in the code as they stand in the schemas, in the same order."""
    fields = schemas.load("message")["properties"]
    assert fields["type"]["enum"] == list(messages.TYPES)
    assert fields["priority"]["enum"] == list(messages.PRIORITIES)
    assert fields["delivery"]["enum"] == ["agent", "session"]
    assert schemas.load("thread")["properties"]["messages"]["items"]["properties"]["type"]["enum"] == list(
        messages.TYPES
    )
    assert schemas.load("agent-map")["$defs"]["drain"]["properties"]["min_priority"]["enum"] == list(
        messages.PRIORITIES
    )


def test_error_codes() -> None:
    """The error schema lists the codes of the error classes, and each exit status is one the protocol knows."""
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, errors.BusError)]
    listed = schemas.load("error")["properties"]["error"]["properties"]["code"]["enum"]
    assert sorted(listed) == sorted(each.code for each in classes)
    assert {each.status for each in classes} <= {1, 2, 3, 4, 64, 70, 73, 75}
    for each in classes:
        assert schemas.checker("error")(each("what", "hint").document()) is None


@pytest.mark.parametrize(
    ("shape", "part"),
    [
        (documents.Message, schemas.load("message")),
        (documents.Attachment, schemas.load("message")["properties"]["attachments"]["items"]),
        (documents.Thread, schemas.load("thread")),
        (documents.Session, schemas.load("session")),
        (documents.Card, schemas.load("registry-card")),
    ],
    ids=["message", "attachment", "thread", "session", "card"],
)
def test_the_shapes_for_the_type_checker(shape: Any, part: dict[str, Any]) -> None:
    """A TypedDict has the keys of its schema, and requires the same ones."""
    hints = typing.get_type_hints(shape, include_extras=True)
    assert set(hints) == set(part["properties"])
    required = {name for name, hint in hints.items() if typing.get_origin(hint) is not typing.NotRequired}
    assert required == set(part["required"])


def test_what_is_wrong_in_words() -> None:
    """A fault is told as the steps to it and what it is."""
    assert schemas.describe((("payload", "steps", 3), "missing")) == "payload.steps.3: missing"
    assert schemas.describe(((), "must be object")) == "must be object"


# What the schemas and everything else below the hooks may cost: Python 3.9, standard library, light modules.

LIGHT = ("json", "re")
HEAVY = [
    "typing", "dataclasses", "pathlib", "enum", "subprocess", "logging", "inspect", "asyncio", "socket", "ssl",
    "tempfile", "shutil", "urllib", "http", "email", "datetime", "random", "hashlib", "uuid", "importlib.metadata",
    "pkgutil", "unittest", "threading", "multiprocessing", "concurrent", "click", "jsonschema", "portalocker",
    "typing_extensions",
]  # fmt: skip


@pytest.mark.parametrize("path", LOW, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_everything_below_the_hooks_is_python_39(path: Path) -> None:
    """A module that hooks import has no syntax and no evaluated annotation newer than Python 3.9."""
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    names = [
        node.names[0].name for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]
    bare = all(isinstance(node, ast.Expr) for node in tree.body)
    assert bare or names == ["annotations"]
    for node in ast.walk(tree):
        assert not isinstance(node, (ast.Match, ast.TryStar))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "zip":
            assert not node.keywords, f"line {node.lineno}: zip(strict=…) is Python 3.10"


def loaded(code: str) -> set[str]:
    """The modules a fresh interpreter without site packages has after running `code`."""
    command = [sys.executable, "-I", "-S", "-c", code + "\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_everything_below_the_hooks_is_light() -> None:
    """All that hooks import loads without any package, and none of the modules that cost a hook its time."""
    parts = (path.relative_to(ROOT / "scripts").with_suffix("").parts for path in LOW)
    names = [".".join(part) for part in parts if part[-1] not in ("__init__", "documents")]
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r})\nimport " + ", ".join(names)
    ours = loaded(code) - loaded("import " + ", ".join(LIGHT))
    assert set(names) <= ours
    assert "agent_team_os.protocol.documents" not in ours
    assert sorted(ours.intersection(HEAVY)) == []
