"""The permission to run our helper: nothing hostile passes, and what passes runs the helper once and nothing else."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from agent_team_os.hooks import pre_tool_use
from support import shells
from support.hostile import HOSTILE
from support.shells import SHELLS, Place

PATIENT = settings(deadline=None, suppress_health_check=list(HealthCheck))
LINES = [(group, line) for group, lines in HOSTILE.items() for line in lines]
BARE = string.ascii_letters + string.digits + "_@%+=:,./-"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One place for all tests here: nothing that passes changes it."""
    return shells.build(tmp_path_factory.mktemp("place"))


# ---- The corpus ---------------------------------------------------------------------------------


def test_the_corpus_is_large() -> None:
    """There are at least 200 hostile lines, and none twice."""
    assert len(LINES) >= 200
    assert len({line for _, line in LINES}) == len(LINES)


@pytest.mark.parametrize("group", HOSTILE)
def test_no_hostile_line_passes(place: Place, group: str) -> None:
    """No line of the corpus passes without a question."""
    assert [line for line in HOSTILE[group] if place.passes(line)] == []


@pytest.mark.parametrize("group", HOSTILE)
def test_no_hostile_line_passes_for_a_helper_known_by_a_link(place: Place, group: str) -> None:
    """No line of the corpus passes either where the path we know the helper by leads through a link."""
    linked = f"{place.base}/plugin/scripts/ato"
    lines = [place.fill(line.replace("ATO", "BASE/plugin/scripts/ato")) for line in HOSTILE[group]]
    assert [line for line in lines if pre_tool_use.run(place.given(line), place.workspace, linked)] == []


# ---- Every character ----------------------------------------------------------------------------

ODD_CHARACTERS = [
    *map(chr, range(256)), *"\u00a0\u1680\u2000\u200b\u2028\u2029\u202e\u202f\u205f\u2060\u3000\ufeff\ufffd",
    "\u037e", "\uff1b", "\uff06", "\uff5c", "\uff04", "\ud800", "\udfff", "\U0001f600", "\u0430", "\u2800",
]  # fmt: skip

IMPOSSIBLE = {char for char in ODD_CHARACTERS if char == "\0" or "\ud800" <= char <= "\udfff"}


def test_outside_of_quotes_every_character_is_known(place: Place) -> None:
    """Of all characters only letters and digits of ASCII, ten signs and blanks may stand outside of quotes."""
    within = {char for char in ODD_CHARACTERS if place.passes(f"ATO trace a{char}b")}
    assert within == {*BARE, " ", "\t"}
    before = {char for char in ODD_CHARACTERS if place.passes(f"ATO trace {char}b")}
    assert before == {*BARE, " ", "\t"} - {"=", "-"}  # -b is no option
    after = {char for char in ODD_CHARACTERS if place.passes(f"ATO trace b{char}")}
    assert after == {*BARE, " ", "\t", "\n"}
    leading = {char for char in ODD_CHARACTERS if place.passes(f"{char}ATO whoami")}
    assert leading == {" "}
    following = {char for char in ODD_CHARACTERS if place.passes(f"ATO{char}whoami")}
    assert following == {" ", "\t"}


def test_in_quotes_every_character_is_known(place: Place) -> None:
    """In '…' everything may stand that a shell can pass on, in "…" nothing that any shell replaces."""
    single = {char for char in ODD_CHARACTERS if not place.passes(f"ATO trace 'a{char}b'")}
    assert single == {"'", *IMPOSSIBLE}
    double = {char for char in ODD_CHARACTERS if not place.passes(f'ATO trace "a{char}b"')}
    assert double == {*'"$`\\!', *IMPOSSIBLE}


def test_in_a_heredoc_every_character_is_known(place: Place) -> None:
    """In a heredoc everything may stand that a shell can pass on, and only a newline ends a line of it."""
    start = "ATO send dev note --body - <<'EOF'\n"
    refused = {char for char in ODD_CHARACTERS if not place.passes(f"{start}note: a{char}EOF {char}b\nEOF")}
    assert refused == IMPOSSIBLE
    ends = {char for char in ODD_CHARACTERS if place.passes(f"{start}note: a{char}EOF")}
    assert ends == {"\n"}
    behind = {char for char in ODD_CHARACTERS if place.passes(f"{start}note: a\nEOF{char}")}
    assert behind == {"\n"}
    delimiters = {char for char in ODD_CHARACTERS if place.passes(f"{start}--\nEOF".replace("EOF", char))}
    assert delimiters == {*string.ascii_letters, *string.digits, "_"}


# ---- The input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"tool_name": "bash"},
        {"tool_name": "BASH"},
        {"tool_name": "Bash "},
        {"tool_name": "PowerShell"},
        {"tool_name": "Write"},
        {"tool_name": ""},
        {"tool_name": None},
        {"tool_name": ["Bash"]},
        {"agent_id": "a-1"},
        {"agent_id": ""},
        {"agent_id": 0},
        {"tool_input": None},
        {"tool_input": []},
        {"tool_input": "ATO whoami"},
        {"tool_input": {}},
        {"tool_input": {"command": None}},
        {"tool_input": {"command": 1}},
        {"tool_input": {"command": ["ATO", "whoami"]}},
        {"tool_input": {"command": {"ATO": "whoami"}}},
        {"tool_input": {"Command": "ATO whoami"}},
        {"tool_input": {"command": "ATO whoami", "dangerouslyDisableSandbox": True}},
        {"tool_input": {"command": "ATO whoami", "dangerouslyDisableSandbox": "yes"}},
        {"tool_input": {"command": "ATO whoami", "run_in_background": True}},
        {"tool_input": {"command": "ATO whoami", "run_in_background": 1}},
    ],
    ids=json.dumps,
)
def test_another_input_does_not_pass(place: Place, changes: dict[str, Any]) -> None:
    """Only a command for Bash itself passes, in the foreground, in the sandbox, and not of a subagent."""
    filled = json.loads(json.dumps(changes).replace("ATO", place.helper))
    assert place.passes("ATO whoami")
    assert not place.passes("ATO whoami", **filled)


@pytest.mark.parametrize("name", ["tool_name", "tool_input"])
def test_a_missing_field_does_not_pass(place: Place, name: str) -> None:
    """Without a tool's name or its input nothing passes."""
    document = place.given("ATO whoami")
    del document[name]
    assert not pre_tool_use.run(document, place.workspace, place.helper)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@settings(PATIENT, max_examples=200)
@given(JSON, JSON, JSON, JSON, st.sampled_from(["ATO whoami", "ATO send a b -a a.txt", "ATO read --save x", ""]))
@example("Bash", None, "/\ud800", None, "ATO send a b -a x")
@example("Bash", None, "/\0", None, "ATO send a b -a x")
def test_no_input_breaks_it(place: Place, tool: Any, agent: Any, cwd: Any, asked: Any, line: str) -> None:
    """Whatever the input holds, the answer is yes or no."""
    for document in (
        {"tool_name": tool, "agent_id": agent, "cwd": cwd, "tool_input": asked},
        {"tool_name": "Bash", "cwd": cwd, "tool_input": {"command": asked}},
        place.given(line, agent_id=agent, cwd=cwd),
        asked,
    ):
        assert pre_tool_use.run(document, place.workspace, place.helper) in (True, False)
    for odd in ("", "ws", "/\0", "/\ud800", "/", "//"):
        assert pre_tool_use.run(place.given(line), odd, place.helper) in (True, False)
        assert pre_tool_use.run(place.given(line), place.workspace, odd) is False


# ---- Real shells --------------------------------------------------------------------------------

# What means something to some shell, and what looks like it.
SIGNS = [
    *" \t\n'\"\\$`!;&|<>()[]{}*?~#=^%@+:,./-_\r\x01\x0b\x0c\x7f\x81\xa0",
    *(
        "''",
        "$(",
        "$((",
        "${",
        "$'",
        "=ls",
        "==ls",
        ":=ls",
        "x=ls",
        "<<",
        "<<'EOF'",
        "EOF",
        "\nEOF\n",
        "&&",
        ">x",
        "2>x",
    ),
    *("{a,b}", "*b", "~root", "!!", "\\\n", "; touch x", "$(touch x)", "`touch x`", "$x", "${x}", "a", "b", "x", "2"),
    *("é", "ā", "日", "\U0001f600", "\u2028", "\u3000", "；", "touch x"),
]
TEXT = st.lists(st.sampled_from(SIGNS) | st.characters(exclude_categories=["Cs"]), max_size=6).map("".join)


@st.composite
def quoted(draw: st.DrawFn) -> str:
    """A word in any quotes that can hold it, or in none; now and then in ones that cannot."""
    text = draw(TEXT)
    form = draw(st.sampled_from(["single", "double", "bare", "glued", "any"]))
    if form == "bare":
        return "".join(char for char in text if char in BARE) or "b"
    if form == "double":
        return '"' + "".join(char for char in text if char not in '"$`\\!') + '"'
    if form == "glued":
        return "".join(f'"{char}"' if char == "'" else f"'{char}'\"\"" for char in text)
    return "'" + (text if form == "any" else text.replace("'", "")) + "'"


@st.composite
def heredoc(draw: st.DrawFn) -> str:
    """The end of a command with a heredoc, mostly one that is understood."""
    word = draw(st.sampled_from(["EOF", "E", "0", "_x"]))
    quote = draw(st.sampled_from(["'", "'", '"', '"', ""]))
    operator = draw(st.sampled_from(["<<"] * 6 + ["<<-", "<< ", "2<<", "<<<"]))
    line = st.sampled_from(["", word + "x", " " + word, "\t" + word, word + "\r", "a\\", "\\", word + "\x0c"]) | TEXT
    body = "".join(text + "\n" for text in draw(st.lists(line, max_size=4)))
    end = draw(st.sampled_from(["\n", "", "", " ", "\n\n", "\ntouch x\n", ";touch x"]))
    return f"{operator}{quote}{word}{quote}{draw(st.sampled_from(['', ' ', '; touch x']))}\n{body}{word}{end}"


@st.composite
def command(draw: st.DrawFn) -> str:
    """A command that is nearly understood: honest words and hostile ones, and then a slip of the hand."""
    blank = st.sampled_from([" ", " ", "  ", "\t"])
    word = st.sampled_from(["-s", "--json", "a=b", "2", "--field=x", "dev", "-", "''", "a==ls", "x=~"]) | quoted()
    text = draw(st.sampled_from(["ATO", "'ATO'", '"ATO"', " ATO"]))
    for _ in range(draw(st.integers(0, 4))):
        text += draw(blank) + draw(word)
    text += draw(st.sampled_from(["", "", " ", "\n"]) | heredoc().map(" ".__add__))
    if draw(st.booleans()):
        at, sign = draw(st.integers(0, len(text))), draw(st.sampled_from([*SIGNS, ""]))
        text = text[:at] + sign + text[at + draw(st.integers(0, 1)) :]
    return text


@settings(PATIENT, max_examples=400)
@given(command(), st.booleans())
@example("ATO trace a==ls", False)
@example("ATO trace 'a''b'", False)
@example("ATO trace '\x01\x7f\x81\u0101'", False)
@example("ATO send 2 <<'EOF'\n\\\n$x\nEOF\x0c\nEOF", True)
def test_a_shell_runs_what_is_understood(place: Place, line: str, evaluated: bool) -> None:
    """What is understood of a random command is what real shells make of it: one process with these very words."""
    event(str(place.agrees(line, evaluated)))


@pytest.mark.full
@settings(PATIENT, max_examples=5_000)
@given(command(), st.booleans())
def test_a_shell_runs_what_is_understood_at_length(place: Place, line: str, evaluated: bool) -> None:
    """The same for many more commands."""
    place.agrees(line, evaluated)


@pytest.mark.parametrize("name", SHELLS)
def test_the_traps_catch(place: Place, name: str) -> None:
    """The place that a good command leaves as it was shows a second command, a second call and a changed file."""
    seen = place.observe(name, place.fill("ATO whoami; touch x; ATO trace b >new; nonsense"), False)
    (place.base / "ws/new").unlink()
    assert [args for args, _ in seen.calls] in ([["whoami"], ["trace", "b"]], [["trace", "b"], ["whoami"]])
    assert seen.traps == [f"{place.base}/traps/touch"]
    assert seen.files == [f"{place.base}/ws/new"]
    assert "nonsense" in seen.stderr
