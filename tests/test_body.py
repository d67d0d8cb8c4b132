"""The small document for texts: fields, an empty line, free text; and how it meets the other sources of a payload."""

from __future__ import annotations

import os
import string
from typing import Any, Union

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent_team_os.protocol import body
from agent_team_os.protocol.errors import InvalidPayload
from conftest import Team, tree

PATIENT = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("", {}),
        ("\n\n", {}),
        ("summary: Login loops", {"summary": "Login loops"}),
        ("summary: Login loops\nproject: web\n", {"summary": "Login loops", "project": "web"}),
        ("a:\t x \t\n", {"a": "x"}),
        ("a:", {"a": ""}),
        ("a: \n", {"a": ""}),
        ("a: b: c", {"a": "b: c"}),
        ("url: http://x/y:1", {"url": "http://x/y:1"}),
        ("steps: one\nsteps: two", {"steps": ["one", "two"]}),
        ("steps: one\nx: y\nsteps: two\nsteps: three", {"steps": ["one", "two", "three"], "x": "y"}),
        ("a: one\n  two\n\tthree", {"a": "one\ntwo\nthree"}),
        ("a:\n  one\n  two", {"a": "one\ntwo"}),
        ("a: one\na: two\n  more", {"a": ["one", "two\nmore"]}),
        ("a: b\n\nfree text", {"a": "b", "text": "free text"}),
        ("a: b\n \t\nfree text", {"a": "b", "text": "free text"}),
        ("a: b\n\n\n  indented\n\nlast: line\n\n", {"a": "b", "text": "  indented\n\nlast: line"}),
        ("\nfree: text\nmore", {"text": "free: text\nmore"}),
        ("text: one\n\ntwo", {"text": ["one", "two"]}),
        ("a: b\r\nc: d\r\n\r\nfree\r\ntext\r\n", {"a": "b", "c": "d", "text": "free\ntext"}),
        ("_a-B9: x", {"_a-B9": "x"}),
        ("quote: \"as\" it's {\"is\":1}", {"quote": "\"as\" it's {\"is\":1}"}),
        ("a: 日本語 \x1b[31m", {"a": "日本語 \x1b[31m"}),
        ("n: 5\nyes: true", {"n": "5", "yes": "true"}),
    ],
)  # fmt: skip
def test_bodies(text: str, payload: dict[str, Any]) -> None:
    """Fields up to the first empty line, lists of what is repeated, continued lines joined, the rest as text."""
    assert body.parse(text) == payload
    assert list(body.parse(text)) == list(payload)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("just a sentence", 1),
        ("a: b\nno field", 2),
        ("  indented first", 1),
        ("http://example.com", 1),
        ("a:b", 1),
        (": x", 1),
        ("two words: x", 1),
        ("9a: x", 1),
        ("é: x", 1),
        ("a" * 64 + ": x", 1),
        ("a: b\nc: d\n- item", 3),
        ("\ufeffa: b", 1),
        ("a: b\nc\x0b: d", 2),
        ("a\n: b", 1),
        ("a: x\n\x1b[2J" + "y" * 5000, 2),
    ],
)
def test_what_is_no_body(text: str, line: int) -> None:
    """A line before the first empty one that is neither field nor continuation is refused with its number."""
    with pytest.raises(InvalidPayload) as caught:
        body.parse(text)
    assert f"line {line} " in caught.value.message
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 300
    assert "empty line" in caught.value.hint


@PATIENT
@given(
    st.text()
    | st.lists(st.sampled_from(["a: b", "a:", " x", "", "x", "\r", "a: b\r", "\t", ": ", "text: t"])).map("\n".join)
)
@example("a:\x85b")
@example("a: b\n\x1c\nc")
def test_any_text(text: str) -> None:
    """Any text is a payload of texts and lists of texts, or refused."""
    try:
        payload = body.parse(text)
    except InvalidPayload:
        return
    for value in payload.values():
        assert isinstance(value, str) or all(isinstance(part, str) for part in value)


NAME = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=63).filter(
    lambda name: name[0] in string.ascii_letters + "_" and name != "text"
)
LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")).map(str.strip)
VALUE = st.lists(LINE.filter(bool), min_size=1, max_size=3).map("\n".join)


@PATIENT
@given(st.dictionaries(NAME, VALUE | st.lists(VALUE, min_size=2, max_size=3), max_size=4), VALUE | st.just(""))
def test_what_is_written_is_read(fields: dict[str, Union[str, list[str]]], text: str) -> None:
    """Fields of one or many lines, given once or often, and free text come back as they were written."""
    lines = []
    for name, value in fields.items():
        for each in value if isinstance(value, list) else [value]:
            lines.append(f"{name}: " + each.replace("\n", "\n    "))
    assert body.parse("\n".join([*lines, "", text])) == {**fields, **({"text": text} if text else {})}


@pytest.mark.parametrize(
    ("pairs", "payload"),
    [
        ([], {}),
        ([("a", "1"), ("b", "2")], {"a": "1", "b": "2"}),
        ([("a", "1"), ("a", "1")], {"a": ["1", "1"]}),
        ([("a", "1"), ("b", "2"), ("a", ""), ("a", "3")], {"a": ["1", "", "3"], "b": "2"}),
    ],
)
def test_repeated_fields_are_lists(pairs: list[tuple[str, str]], payload: dict[str, Any]) -> None:
    """A field of one source is a text when given once, and a list when given more than once."""
    assert body.collect(pairs) == payload


# Through the program


def payload_of(team: Team, *options: str, stdin: Union[str, bytes, None] = None) -> Any:
    """The payload of a message with these options."""
    return team.json("ops", "send", "dev", "note", "--dry-run", *options, stdin=stdin)["payload"]


BODY = 'summary: Login loops\nsteps: one\nsteps: two\n\nIt\'s "odd" & `free`, $HOME\n'


def test_the_three_ways_to_give_a_body(team: Team) -> None:
    """A body comes from stdin or a file, and nothing in it is taken for anything else."""
    expected = {"summary": "Login loops", "steps": ["one", "two"], "text": 'It\'s "odd" & `free`, $HOME'}
    (team.root / "letter").write_text(BODY)
    assert payload_of(team, "--body", "-", stdin=BODY) == expected
    assert payload_of(team, "--body", "@../letter") == expected
    assert payload_of(team, "--body", "-", "--summary", "Login loops", "-f", "n=1", stdin=BODY) == {
        **expected,
        "n": "1",
    }


def test_sources_are_merged(team: Team) -> None:
    """Sources add up; one that says the same as another is fine, one that says something else is refused."""
    given = '{"project":"web","n":5,"list":["a","b"]}'
    merged = {"project": "web", "n": 5, "list": ["a", "b"], "summary": "x", "more": "=y"}
    same = ("--field", "project=web", "--field", "list=a", "--field", "list=b")
    assert payload_of(team, "--payload", given, "--summary", "x", "--field", "more==y", *same) == merged
    for clash in ("project=app", "n=5", "list=a"):
        error = team.refused(64, "usage", "ops", "send", "dev", "note", "--payload", given, "--field", clash)
        assert clash.partition("=")[0] in error["message"]
        assert "--payload" in error["message"]
        assert "--field" in error["message"]
    team.refused(64, "usage", "ops", "send", "dev", "note", "--body", "-", "--summary", "other", stdin=BODY)
    team.refused(64, "usage", "ops", "send", "dev", "note", "--body", "-", "--payload", "-", stdin=BODY)


def test_a_wrong_body_sends_nothing(team: Team) -> None:
    """A body that is none is refused with the number of its line, whatever it holds, and nothing is written."""
    for text in ("Hello there\n", "a: b\n\x1b[2J\n", b"a: caf\xe9\n", "a: b\n\n\x1b".encode("utf-16"), b"\xff\xfe"):
        error = team.refused(4, "invalid-payload", "ops", "send", "dev", "note", "--body", "-", stdin=text)
        assert error["message"].isprintable()
        assert "line" in error["message"] or "UTF-8" in error["message"]


def test_a_body_that_is_no_file(team: Team) -> None:
    """A body that cannot be read is refused at once: nothing there, a folder, a link, a FIFO, a word without an @."""
    os.mkfifo(team.root / "fifo")
    (team.root / "link").symlink_to("/dev/zero")
    for name in ("@../nothing", "@..", "@../fifo", "@../link", "@", "text", ""):
        team.refused(64, "usage", "ops", "send", "dev", "note", "--body", name)


def test_a_body_of_ten_megabytes(team: Team) -> None:
    """A body far larger than any payload is refused with a pointer to references and attachments."""
    before = tree(team.root)
    large = "summary: " + "x" * 10_000_000
    (team.root.parent / "large").write_text(large)
    for options, stdin in ((("--body", "-"), large), (("--body", f"@{team.root.parent}/large"), None)):
        done = team.run("ops", "send", "dev", "note", *options, stdin=stdin)
        assert done.returncode == 4
        assert "10240 bytes" in done.stderr
        assert "--attach" in done.stderr
    assert tree(team.root) == before


@pytest.mark.parametrize(("size", "status"), [(10_240, 0), (10_241, 4)])
@pytest.mark.parametrize("char", ["x", "é", '"', "\x01"])
def test_the_size_of_a_payload(team: Team, size: int, status: int, char: str) -> None:
    """A payload may have 10,240 bytes as compact UTF-8 JSON, and not one more."""
    each = len(f"{char}".encode()) if char not in '"\x01' else {'"': 2, "\x01": 6}[char]
    room = size - len('{"text":""}')
    text = char * (room // each) + "x" * (room % each)
    done = team.run("ops", "send", "dev", "note", "--body", "-", stdin="\n" + text)
    assert done.returncode == status, done.stderr
    assert f"{size} bytes" in done.stderr or status == 0
