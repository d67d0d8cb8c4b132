"""JSON means one thing to every reader, or it is refused; and no bytes at all make the parser fail otherwise."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from agent_team_os.protocol import strictjson
from agent_team_os.protocol.strictjson import BadJSON

PATIENT = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

LIMIT = 2**53
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-LIMIT, LIMIT),
    st.floats(-LIMIT, LIMIT),
    st.sampled_from([1e300, -5e-324]),
    TEXT,
)
VALUE = st.recursive(
    SCALAR,
    lambda parts: st.one_of(st.lists(parts, max_size=4), st.dictionaries(TEXT, parts, max_size=4)),
    max_leaves=12,
)
DOCUMENT = st.one_of(st.dictionaries(TEXT, VALUE, max_size=5), st.lists(VALUE, max_size=5))


def fault(data: bytes) -> Optional[BadJSON]:
    """What is wrong with `data`; None if it is accepted."""
    try:
        strictjson.parse(data)
    except BadJSON as error:
        return error
    return None


def same(one: Any, other: Any) -> bool:
    """Equal down to the type of each number: for Python, 1, 1.0 and True are one."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def nested(levels: int, opening: bytes = b"[", inside: bytes = b"", closing: bytes = b"]") -> bytes:
    return opening * levels + inside + closing * levels


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"a":1,"a":1}', '"a" appears twice'),
        (b'{"a":1,"\\u0061":2}', '"a" appears twice'),
        (b'[{"b":{"c":1,"d":2,"c":3}}]', '"c" appears twice'),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":Infinity}', "Infinity"),
        (b'{"a":-Infinity}', "-Infinity"),
        (b'{"a":1e400}', "too large"),
        (b'{"a":-1e400}', "too large"),
        (b'{"a":%d}' % (LIMIT + 1), "2**53"),
        (b'{"a":%d}' % (-LIMIT - 1), "2**53"),
        (b'{"a":%s}' % (b"9" * 5000), "2**53"),
        (b'{"a":-%s}' % (b"9" * 500_000), "2**53"),
        (b'{"a":"\\ud83d"}', "surrogate"),
        (b'{"a":"\\ude00"}', "surrogate"),
        (b'{"a":"\\ude00\\ud83d"}', "surrogate"),
        (b'{"\\ud83d":1}', "surrogate"),
        (b'[[[{"a":{"b":["\\ud83dx"]}}]]]', "surrogate"),
        (b'{"a":"\xed\xa0\xbd"}', "not UTF-8"),
        (b'{"a":"\xc0\x80"}', "not UTF-8"),
        (b'{"a":"caf\xe9"}', "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        ('{"a":1}'.encode("utf-16-le"), ""),
        (b'\xef\xbb\xbf{"a":1}', "byte order mark"),
        (nested(33), "32 levels"),
        (nested(33, b'{"a":', b"1", b"}"), "32 levels"),
        (b'{"a":' + nested(32) + b"}", "32 levels"),
        (nested(100_000), "32 levels"),
        (nested(100_000, b'{"a":', b"1", b"}"), "32 levels"),
        (b"[" * 100_000, "32 levels"),
        (b'{"a":1}{"a":1}', ""),
        (b'{"a":1} x', ""),
        (b'{"a":1}\0', ""),
        (b'\0{"a":1}', ""),
        (b'{"a":"\0"}', ""),
        (b'{"a":"\n"}', ""),
        (b'{"a":"\x1f"}', ""),
        (b'{"a":"\\x41"}', ""),
        (b"{'a':1}", ""),
        (b'{"a":1,}', ""),
        (b"[1,]", ""),
        (b"{a:1}", ""),
        (b'{"a":01}', ""),
        (b'{"a":+1}', ""),
        (b'{"a":.5}', ""),
        (b'{"a":0x10}', ""),
        (b'{"a":True}', ""),
        ('{"a":１}'.encode(), ""),
        ('{"a":\u00a01}'.encode(), ""),
        (b'{"a":\x0c1}', ""),
        (b"// a\n{}", ""),
        (b"", ""),
        (b" \n", ""),
    ],
)
def test_what_is_refused(data: bytes, words: str) -> None:
    """What two readers could take for two things is no JSON here, and the error says what it is, in one short line."""
    error = fault(data)
    assert error is not None
    assert words in error.message
    assert "\n" not in str(error)
    assert len(str(error)) < 200


@pytest.mark.parametrize(
    ("data", "document"),
    [
        (b'{"a":%d,"b":%d}' % (LIMIT, -LIMIT), {"a": LIMIT, "b": -LIMIT}),
        (b"[1.0,-0.0,1e300,5e-324,1e-400]", [1.0, -0.0, 1e300, 5e-324, 0.0]),
        (b'["\\ud83d\\ude00","\xf0\x9f\x98\x80"]', ["😀", "😀"]),
        (b'["\\u0000\\u001b\x7f\xe2\x80\xae\xe2\x80\xa8"]', ["\0\x1b\x7f\u202e\u2028"]),
        (b'["\\"\\\\\\/\\b\\f\\n\\r\\t"]', ['"\\/\b\f\n\r\t']),
        (b' \t\r\n{ "a" : [ ] , "b":{ } }\n\n', {"a": [], "b": {}}),
        (b'{"":{"":1}}', {"": {"": 1}}),
        (b'[{"a":1},{"a":1}]', [{"a": 1}, {"a": 1}]),
        (b'{"A":1,"a":1}', {"A": 1, "a": 1}),
        (b'"text"', "text"),
        (b"null", None),
        (b"[" + b"[]," * 50 + b"[]]", [[] for _ in range(51)]),
        (b'{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}', {"a": "[" * 40}),
    ],
)
def test_what_is_accepted(data: bytes, document: object) -> None:
    """What means one thing is accepted, with control characters as they are."""
    assert same(strictjson.parse(data), document)


@pytest.mark.parametrize("pair", [(b"[", b"", b"]"), (b'{"a":', b"1", b"}"), (b'[{"a":', b"[]", b"}]")])
def test_depth(pair: tuple[bytes, bytes, bytes]) -> None:
    """Thirty-two levels are accepted and thirty-three refused, of lists, objects and both in turn."""
    opening, inside, closing = pair
    one = opening.count(b"[") + opening.count(b"{")
    own = inside.count(b"[")
    levels = (32 - own) // one
    padding = (b"[", b"]") if (32 - own) % one else (b"", b"")
    text = padding[0] + nested(levels, opening, inside, closing) + padding[1]
    assert fault(text) is None
    assert fault(b"[" + text + b"]") is not None
    assert fault(b'{"\\u0041":' + text + b"}") is not None
    assert fault(b"[[]," + text[1:]) is None or text[:1] != b"["  # a sibling adds nothing to the depth


def test_ten_thousand_siblings() -> None:
    """The number of brackets alone refuses nothing: many flat lists are fine, and not with a deep one among them."""
    flat = b",".join([b'{"a":["\\u0041"]}'] * 10_000)
    assert fault(b"[" + flat + b"]") is None
    assert fault(b"[" + flat + b"," + nested(32) + b"]") is not None


FRAGMENTS = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b",", b":", b'"', b'"a"', b"1", b"-", b".5", b"e9", b"null", b"true", b"NaN", b" ",
         b"\n", b"\\u", b"\\ud800", b"\\", b"\xef\xbb\xbf", b"\xff", b"\0", b"9007199254740993", b"1e999", b"/"]
    ),
    max_size=20,
).map(b"".join)  # fmt: skip


@settings(PATIENT, max_examples=400)
@given(st.one_of(FRAGMENTS, st.binary(max_size=60), DOCUMENT.map(lambda document: json.dumps(document).encode())))
@example(b'{"\\ud800":1,"\\ud800":2}')
def test_any_bytes(data: bytes) -> None:
    """Any bytes are accepted or BadJSON; what is accepted reads back equal after it was written."""
    if fault(data) is not None:
        return
    document = strictjson.parse(data)
    written = strictjson.compact(document)
    assert b"\n" not in written
    assert same(strictjson.parse(written), document)
    assert strictjson.compact(strictjson.parse(written)) == written


@PATIENT
@given(DOCUMENT, st.sampled_from([None, 0, 3, "\t"]), st.booleans())
def test_every_document_is_read(document: Any, indent: Any, ascii_only: bool) -> None:
    """However a valid document is laid out, it is read as what it is."""
    data = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    assert same(strictjson.parse(data), document)


@PATIENT
@given(st.dictionaries(TEXT, VALUE, max_size=5))
def test_the_readable_form(document: dict[str, Any]) -> None:
    """A file for people holds the same document, one top-level key a line."""
    data = strictjson.readable(document)
    assert same(strictjson.parse(data), document)
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == max(len(document), 1) + 2


@settings(PATIENT, max_examples=150)
@given(DOCUMENT, st.sampled_from([None, 1]), st.booleans(), st.data())
@example([True, False, None], None, True, None)
@example({"a": -1.5e-7}, None, True, None)
@example(["😀\\\n\x7f"], None, True, None)
@example(["😀é"], None, False, None)
@example([9876543210123456.5], None, False, None)
@example({"summary": "x", "n": -12}, 1, False, None)
def test_every_beginning_of_a_document_ends_early(document: Any, indent: Any, ascii_only: bool, data: Any) -> None:
    """A text somebody is still writing, cut at any byte, is told from one that is finished and wrong."""
    whole = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    cuts = range(len(whole)) if data is None or len(whole) < 60 else [data.draw(st.integers(0, len(whole) - 1))]
    for cut in cuts:
        error = fault(whole[:cut])
        assert error is not None
        assert error.early, whole[:cut]


WRONG_VALUE = (
    "NaN", "Infinity", "1e400", "9007199254740993", '"\\ud800"', "'x'", "nil", '"\n"', '"\\x"', "[1,]", '{"a":}',
    "{1:2}", '{"a":1,"a":2}', "01", "[1 2]", "{} {}", "]", "", nested(33).decode(),
)  # fmt: skip


@PATIENT
@given(st.dictionaries(TEXT, VALUE, max_size=3), st.sampled_from(WRONG_VALUE), st.sampled_from(["", "\n", " \t\r\n"]))
def test_a_finished_document_that_is_wrong_does_not_end_early(document: dict[str, Any], wrong: str, end: str) -> None:
    """A document that has its last bracket and is wrong is never taken for one that is still being written."""
    assume("bad" not in document)
    text = json.dumps({**document, "bad": 0})
    error = fault((text[:-2] + wrong + "}" + end).encode())
    assert error is not None
    assert not error.early


@PATIENT
@given(DOCUMENT, st.sampled_from(["x", "}", "]", "{}", "[", '"', ",", "\0", "null", "\ufeff"]))
def test_more_after_the_document_is_not_early(document: Any, more: str) -> None:
    """What follows a finished document makes it wrong, and no waiting makes it right."""
    error = fault((json.dumps(document) + more).encode())
    assert error is not None
    assert not error.early


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b'{"a":1,\n "b" 2}', 2, 6),
        (b'{\n\n  "a": nil}', 3, 8),
        ('{"é😀":1,\n"日本": x}'.encode(), 2, 7),
        (b'{"a":1}\n\nx', 3, 1),
    ],
)
def test_the_place_of_an_error(data: bytes, line: int, column: int) -> None:
    """A mistake in the grammar is named with its line and column, counted in characters from 1."""
    error = fault(data)
    assert error is not None
    assert (error.line, error.column) == (line, column)
    assert f"(line {line}, column {column})" in str(error)


class Writer:
    """Writes a document with blanks of its own choice and notes where each value begins."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.text = ""
        self.places: dict[tuple[Any, ...], int] = {}

    def blank(self) -> None:
        self.text += self.draw(st.sampled_from(["", "", "", " ", "\n", "\r\n", "\t", "\n\n  "]))

    def string(self, text: str) -> None:
        self.text += json.dumps(text, ensure_ascii=self.draw(st.booleans()))

    def value(self, document: Any, path: tuple[Any, ...] = ()) -> None:
        self.blank()
        self.places[path] = len(self.text)
        if isinstance(document, dict):
            self.text += "{"
            for number, (key, item) in enumerate(document.items()):
                self.text += "," if number else ""
                self.blank()
                self.string(key)
                self.blank()
                self.text += ":"
                self.value(item, (*path, key))
            self.blank()
            self.text += "}"
        elif isinstance(document, list):
            self.text += "["
            for index, item in enumerate(document):
                self.text += "," if index else ""
                self.value(item, (*path, index))
            self.blank()
            self.text += "]"
        elif isinstance(document, str):
            self.string(document)
        else:
            self.text += json.dumps(document)
        self.blank()


@st.composite
def written(draw: st.DrawFn) -> Writer:
    writer = Writer(draw)
    writer.value(draw(DOCUMENT))
    return writer


def line_and_column(text: str, at: int) -> tuple[int, int]:
    lines = text[: at + 1].split("\n")
    return len(lines), len(lines[-1])


@PATIENT
@given(written())
def test_position_finds_every_value(writer: Writer) -> None:
    """The line and column of each value of a document are where its first character was written."""
    strictjson.parse(writer.text.encode())
    for path, at in writer.places.items():
        assert strictjson.position(writer.text, path) == line_and_column(writer.text, at), path


@PATIENT
@given(written(), st.sampled_from([("nowhere at all",), (99,), (99, "x"), ("nowhere at all", 0)]))
def test_position_of_what_is_missing(writer: Writer, beyond: tuple[Any, ...]) -> None:
    """A path that goes on where the document ends leads to the deepest value there is."""
    for path, at in writer.places.items():
        assume((*path, beyond[0]) not in writer.places)
        assert strictjson.position(writer.text, (*path, *beyond)) == line_and_column(writer.text, at)


def test_what_cannot_be_written() -> None:
    """What could not be read back is not written either."""
    for document in (float("nan"), float("inf"), {"a": [float("-inf")]}):
        with pytest.raises(ValueError, match="JSON"):
            strictjson.compact(document)
    with pytest.raises(UnicodeEncodeError):
        strictjson.compact(["\ud800"])
