"""What is shown of foreign text: everything a person can see stays, everything else becomes visible."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent_team_os.protocol import show, strictjson
from support.attacks import ATTACKS, BLANK, SELECTORS, unseen

PATIENT = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_become_visible(attack: str) -> None:
    """Nothing that a terminal obeys or a person cannot see passes, and what was there is told by its number."""
    text = ATTACKS[attack]
    for shown in (
        show.visible(text),
        show.visible(text, lines=True),
        show.one_line("x" + text + "x"),
        show.value(text),
    ):
        assert unseen(shown) == []
        assert "<U+" in shown
    if attack != "half a pair":  # no document holds one
        assert unseen(show.value({text: [text, {"a": text}]})) == []
        assert unseen(show.value([text, "two"]).replace("\n", "")) == []


@pytest.mark.parametrize("lines", [False, True])
def test_every_character(lines: bool) -> None:
    """Of all characters, each is shown as itself, as a space or by its number, and none that is unseen."""
    # Beyond the third plane there is nothing but tags, selectors, and what is unassigned or private: a part will do.
    codes = (*range(0x34000), *range(0x34000, 0xE0000, 257), *range(0xE0000, 0xE1000), *range(0xE1000, 0x110000, 257))
    every = [chr(code) for code in codes if chr(code) != "|"]
    for char, shown in zip(every, show.visible("|".join(every), lines).split("|")):
        if shown == char:
            seen = char.isascii() and char.isprintable()
            assert seen or char in SELECTORS or (lines and char in "\n\t") or not unseen(char), hex(ord(char))
        else:
            assert shown == f"<U+{ord(char):04X}>" or (shown == " " and unicodedata.category(char) == "Zs"), hex(
                ord(char)
            )


def test_what_prints_stays() -> None:
    """A letter, mark, number or symbol that has a shape is shown as it is, whatever its script."""
    changed = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code))[0] in "LMNPS"
        and chr(code) not in BLANK
        and chr(code) not in SELECTORS
        and show.visible(chr(code)) != chr(code)
    ]
    assert changed == []


@pytest.mark.parametrize(
    "text",
    [
        'plain text, with punctuation: <tag> & "quotes" `code` $x \\n',
        "Zürich, naïve, Ærø, Łódź, cafe\u0301",
        "日本語のテキスト、中文，한국어",
        "Ελληνικά, кириллица, עברית, العربية, हिन्दी, ไทย",
        "emoji 🎉 ☺️ ☎︎ 1️⃣ 👍🏽 🇨🇭",
        "→ … – — “quotes” ✓ ½ ²",
        "",
    ],
)
def test_plain_text_is_unchanged(text: str) -> None:
    """What people write in any language, emoji with one variation selector included, is shown as it is."""
    assert show.visible(text) == text
    assert show.one_line(text) == text
    assert show.value(text) == text


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u3000", "\u202f", "\u1680"])
def test_spaces_are_spaces(space: str) -> None:
    """A wide or narrow space is shown as a space."""
    assert show.visible(f"a{space}b") == "a b"


def test_newlines_and_tabs() -> None:
    """Newlines and tabs stay where a text may have lines, and become visible elsewhere."""
    assert show.visible("a\n\tb", lines=True) == "a\n\tb"
    assert show.visible("a\n\tb") == "a<U+000A><U+0009>b"
    assert show.value("a\n\tb") == "a\n\tb"
    assert show.value(["a\nb", "c"]) == "- a\n  b\n- c"
    assert show.one_line("a\n\tb\n") == "a <U+0009>b"


ANY = st.one_of(
    st.text(), st.text(st.sampled_from("ab \n\t\r\0\x1b\x9b\u202e\ufe0f\ufe0e\u200d\u2028\U000e0041é😀\ud800"))
)


@PATIENT
@given(ANY, st.integers(0, 40))
def test_one_line(text: str, width: int) -> None:
    """One line is one line of what can be seen, at most as wide as asked, and ends in … where it was cut."""
    line = show.one_line(text, width)
    assert unseen(line) == []
    whole = show.one_line(text)
    assert line == whole if not width or len(whole) <= width else (len(line) == width and line[-1] == "…")


@PATIENT
@given(ANY)
def test_any_text(text: str) -> None:
    """Whatever a text holds, nothing unseen is shown, and a shown text is shown as it is."""
    for shown in (show.visible(text), show.visible(text, lines=True).replace("\n", "").replace("\t", "")):
        assert unseen(shown) == []
        assert show.visible(shown) == shown


@PATIENT
@given(st.text())
@example("".join(ATTACKS.values()))
def test_any_text_as_json(text: str) -> None:
    """As JSON, too, nothing unseen is shown, and it says what it said."""
    document = strictjson.dump({"text": text})
    shown = show.escaped(document)
    assert unseen(shown) == []
    assert json.loads(shown) == json.loads(document)


NO_SURROGATES = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@PATIENT
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-5, 5)
        | st.floats(allow_nan=False, allow_infinity=False)
        | NO_SURROGATES,
        lambda part: st.lists(part, max_size=3) | st.dictionaries(NO_SURROGATES, part, max_size=3),
        max_leaves=6,
    )
)
def test_any_value(item: Any) -> None:
    """Any payload value is shown without anything unseen but newlines and tabs of texts."""
    shown = show.value(item)
    assert unseen(shown.replace("\n", "").replace("\t", "")) == []
    if not isinstance(item, (str, list)):
        assert "\n" not in shown


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ([], "[]"),
        ({}, "{}"),
        (["a", 1], '["a",1]'),
        ({"é": "日本"}, '{"é":"日本"}'),
        (["one", "two"], "- one\n- two"),
        ("", ""),
    ],
)
def test_values(item: Any, shown: str) -> None:
    """A text is shown as it is, a list of texts as lines, anything else as JSON."""
    assert show.value(item) == shown


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0B"), (1, "1B"), (1023, "1023B"), (1024, "1.0KB"), (4300, "4.2KB"), (217088, "212KB"), (10485760, "10.0MB"),
     (3 * 2**30, "3.0GB"), (5000 * 2**30, "5000GB")],
)  # fmt: skip
def test_sizes(count: int, words: str) -> None:
    """A number of bytes is told in the largest unit that leaves a number before the point."""
    assert show.size(count) == words


@PATIENT
@given(st.integers(0, 2**45))
def test_sizes_are_near_the_truth(count: int) -> None:
    """A size in units is at most five percent off."""
    words = show.size(count)
    number = float(words.rstrip("BKMG"))
    factor = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}[words.lstrip("0123456789.")]
    assert abs(number * factor - count) <= count / 20


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (86399, "23 h"), (86400, "1 day"),
     (172800, "2 days"), (40 * 86400, "40 days")],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    """A span of time is told in its largest unit, rounded down."""
    assert show.duration(seconds) == words


@pytest.mark.parametrize(
    ("passed", "words"),
    [(0, "just now"), (9, "just now"), (-9, "just now"), (30, "30 s ago"), (720, "12 min ago"), (3 * 3600, "3 h ago"),
     (2 * 86400, "2 days ago"), (86400, "1 day ago"), (-3 * 3600, "in 3 h"), (-60, "in 1 min")],
)  # fmt: skip
def test_ages(passed: float, words: str) -> None:
    """A time is told as how long ago it was, or in how long it will be."""
    now = 1779268692.0
    assert show.age(show.timestamp(now - passed), now) == words


@pytest.mark.parametrize("stamp", [None, 5, "", "yesterday", ["2026-05-20T09:18:12Z"]])
def test_no_time(stamp: object) -> None:
    """What is no time is shown as a question mark."""
    assert show.age(stamp) == "?"
    assert show.day_time(stamp) == "?"
    assert show.seconds_of(stamp) is None


@pytest.fixture
def zurich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A person whose clock is on central European time."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zurich")
def test_times_for_a_person() -> None:
    """A time is told in the person's zone, with the year when it is not this one."""
    year = datetime.now().year
    summer = datetime(year, 5, 23)
    assert show.day_time(f"{year}-05-23T18:00:00+02:00") == f"{summer:%a} 23 May 18:00"
    assert show.day_time(f"{year}-05-23T16:00Z") == f"{summer:%a} 23 May 18:00"
    assert show.day_time(f"{year}-05-03T16:05Z") == f"{datetime(year, 5, 3):%a} 3 May 18:05"
    assert show.day_time("2001-12-31T23:30:00Z") == "Tue 1 Jan 2002 00:30"


@PATIENT
@given(st.floats(0, 4e9))
def test_timestamps_read_back(seconds: float) -> None:
    """A time as we write it reads back as the same whole second."""
    assert show.seconds_of(show.timestamp(seconds)) == int(seconds)


@st.composite
def stamps(draw: st.DrawFn) -> str:
    """A time with a zone in one of the forms the schemas allow, true or not."""
    moment = draw(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)))
    text = moment.strftime("%Y-%m-%dT%H:%M")
    if draw(st.booleans()):
        text += moment.strftime(":%S")
        if draw(st.booleans()):
            text += "." + draw(st.text("0123456789", min_size=1, max_size=9))
    hours, minutes = draw(st.integers(0, 14)), draw(st.sampled_from([0, 30, 45]))
    colon = draw(st.sampled_from([":", ""]))
    return text + draw(st.sampled_from(["Z", f"+{hours:02}{colon}{minutes:02}", f"-{hours:02}{colon}{minutes:02}"]))


def exact(stamp: str) -> float:
    """The same by the standard library, which knows fractions of 3 and 6 digits alone."""
    head, point, rest = stamp.partition(".")
    digits = ""
    while point and rest[:1].isdigit():
        digits, rest = digits + rest[0], rest[1:]
    moment = datetime.fromisoformat(head + rest)
    assert moment.tzinfo is not None
    passed = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return passed / timedelta(seconds=1) + (float("0." + digits) if digits else 0.0)


@PATIENT
@given(stamps())
@example("2026-05-23T18:00:00+02:00")
@example("2024-02-29T00:00Z")
@example("1969-12-31T23:59:59.999999999-0030")
def test_times_with_a_zone(stamp: str) -> None:
    """A time with a zone is the same second as for the standard library."""
    seconds = show.seconds_of(stamp)
    assert seconds is not None
    assert abs(seconds - exact(stamp)) < 1e-5


WRONG_TIMES = (
    "2026-13-01T00:00Z", "2026-00-01T00:00Z", "2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "2026-05-00T00:00:00Z",
    "2026-05-23T24:00:00Z", "2026-05-23T18:60:00Z", "2026-05-23T18:00:61Z", "2026-05-23T18:00:99Z", "0000-01-01T00:00Z",
    "2026-05-23T18:00:00", "2026-05-23T18:00", "2026-05-23", "2026-05-23T18:00:00+", "2026-05-23T18:00:00+2",
    "2026-05-23T18:00:00+99:00", "2026-05-23T18:00:00+02:60", "2026-05-23T18:00:00-0260", "2026-05-23T18:00:00+02:00Z",
    "2026-05-23T18:00:00Z\n", " 2026-05-23T18:00:00Z", "2026-05-23T18:00:00z", "2026-05-23 18:00:00Z", "18:00Z", "Z",
    "+", "-", "２０２６-05-23T18:00:00Z", "2026-05-23T18:00:nanZ", "2026-05-23T18:00:infZ", "2026-05-23T18:00:1e9Z",
    "2026-05-23T18:00x30Z", "2026-05-23T18:00:-5Z", "2026-05-23T18:00:00,5Z", "2026-05-23T18:00:00+٠٢:00",
    "2026-05-23T18:00:00+02:0", "2026-05-23T18:00:00+02:000", "2026-05-23T18:00:00 Z", "2026-05-23T18:00: 1Z",
)  # fmt: skip


@pytest.mark.parametrize("stamp", WRONG_TIMES)
def test_wrong_times(stamp: str) -> None:
    """What only looks like a time with a zone is none."""
    assert show.seconds_of(stamp) is None


@PATIENT
@given(st.data())
def test_near_times(data: st.DataObject) -> None:
    """A time with one character changed is none, or the standard library's time."""
    stamp = data.draw(stamps())
    at = data.draw(st.integers(0, len(stamp) - 1))
    stamp = stamp[:at] + data.draw(st.sampled_from([*"0123456789:+-.TZ", ""])) + stamp[at + 1 :]
    seconds = show.seconds_of(stamp)
    assert show.age(stamp) == "?" if seconds is None else show.age(stamp, 0.0)
    if seconds is not None:
        try:
            expected = exact(stamp)
        except ValueError as error:
            pytest.fail(f"{stamp} is no time: {error}")
        assert abs(seconds - expected) < 1e-5


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00+14:00", "9999-12-31T23:59:59.999999999-14:00"])
def test_the_first_and_last_times(stamp: str) -> None:
    """The ends of the calendar can be shown."""
    assert show.seconds_of(stamp) is not None
    assert show.day_time(stamp) != "?"
    assert "days" in show.age(stamp)


@PATIENT
@given(st.text(st.sampled_from("x🎉\n"), max_size=120), st.integers(10, 60))
@example("x" * 50, 50)
@example("x" * 51, 50)
@example("🎉" * 26, 50)
@example("x" + "🎉" * 25, 50)
@example("\n" * 60, 50)
def test_cut(text: str, most: int) -> None:
    """A text that is too long in UTF-16 is cut at a line where it has one, else within it, and ends in what follows."""
    cut = show.cut(text, most, "more")
    assert len(cut.encode("utf-16-le")) // 2 <= most
    if len(text.encode("utf-16-le")) // 2 <= most:
        assert cut == text
    else:
        kept = cut.removesuffix("\nmore")
        assert kept != cut
        assert text.startswith(kept.removesuffix("…"))
        assert not kept or text[len(kept.removesuffix("…")) :][:1] == "\n" or kept.endswith("…")
