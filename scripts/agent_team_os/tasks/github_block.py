"""The end of an issue's body: a few lines of ours between two comments, for what GitHub's issues have no field for.

    <!-- agent-team-os: kept by the program; your own text goes above or below -->
    Depends on: #3, #5
    Due: 2026-06-01T12:00:00Z
    Thread: thread-20260501-k2m9x4
    Ref: https://example.com/spec
    <!-- /agent-team-os -->

Everything outside belongs to the person, and so does every line inside that reads as none of these: both stay.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..protocol import ids, show

START = "<!-- agent-team-os: kept by the program; your own text goes above or below -->"
END = "<!-- /agent-team-os -->"
_BLOCK = re.compile(r"^<!-- agent-team-os\b[^\n]*-->[ \t]*\r?$(.*?)^<!-- /agent-team-os -->", re.M | re.S)
_START = re.compile(r"^<!-- agent-team-os\b", re.M)
_LINE = re.compile(r"(Title|Depends on|Due|Thread|Ref): (.+)")
_NUMBERS = re.compile(r"#[1-9][0-9]*(?:, *#[1-9][0-9]*)*")
_IN_LINE = re.compile(r"[\\<>`]|&(?=#[0-9])")
_CODE = r"\\(?=u[0-9A-Fa-f]{4})"  # gh shows \u001b, four letters and all, as another text
_IN_NOTE = re.compile(_CODE + r"|&(?=#(?:38|92);)")
_GAP = "\n\n"


class Kept(NamedTuple):
    """What the block holds."""

    title: str | None = None  # one that is too long for GitHub
    depends_on: tuple[str, ...] = ()
    due: str | None = None
    thread_id: str | None = None
    refs: tuple[str, ...] = ()
    others: tuple[str, ...] = ()  # lines that a person wrote into it


def read(body: str) -> Kept:
    """What stands in the block of a body; nothing where there is none."""
    found = _find(body)
    lines = found.group(1).replace("\r\n", "\n").split("\n") if found else []
    refs: list[str] = []
    others: list[str] = []
    single: dict[str, str] = {}
    for line in lines:
        match = _LINE.fullmatch(line.strip())
        name = match.group(1) if match else ""
        value = _value(name, match.group(2)) if match else None
        if value is None or name in single:
            others += [line] if line.strip() else []
        elif name == "Ref":
            refs.append(value)
        else:
            single[name] = value
    depends_on = tuple(dict.fromkeys(re.findall("[0-9]+", single.get("Depends on", ""))))
    return Kept(single.get("Title"), depends_on, single.get("Due"), single.get("Thread"), tuple(refs), tuple(others))


def write(body: str, kept: Kept) -> str:
    """The body with this block in the place of its own, or at the end; without one when there is nothing to keep."""
    numbers = ", ".join("#" + number for number in kept.depends_on)
    lines = [f"Title: {_encoded(kept.title)}"] if kept.title else []
    lines += [f"Depends on: {numbers}"] if numbers else []
    lines += [f"{name}: {text}" for name, text in (("Due", kept.due), ("Thread", kept.thread_id)) if text]
    lines += ["Ref: " + _encoded(ref) for ref in kept.refs]
    lines += kept.others
    block = "\n".join([START, *lines, END]) if lines else ""
    found = _find(body)
    if not found:
        return body + _GAP + block if body and block else body or block
    before, after = body[: found.start()], body[found.end() :]
    return before + block + after if block else before.removesuffix(_GAP) + after


def outside(body: str) -> str:
    """What a person has written into a body."""
    found = _find(body)
    return body[: found.start()] + "\n".join(read(body).others) + body[found.end() :] if found else body


def _find(body: str) -> re.Match[str] | None:
    """The last block: what stands before it may quote one."""
    starts = [match.start() for match in _START.finditer(body)]
    return next((found for start in reversed(starts) if (found := _BLOCK.match(body, start))), None)


def _value(name: str, text: str) -> str | None:
    """What a line of ours says; None if a person has written it, and we do not understand it."""
    if name == "Depends on":
        return text if _NUMBERS.fullmatch(text) else None
    if name == "Due":
        seconds = show.seconds_of(text)
        return None if seconds is None else show.timestamp(int(seconds))
    if name == "Thread":
        return text if ids.is_thread(text) else None
    text = _decoded(text)
    return text if name == "Title" or text.split() == [text] else None


def note(text: str) -> str:
    """A note as a comment on GitHub, which gh will not change on its way back."""
    return _IN_NOTE.sub(_entity, text)


def noted(comment: str) -> str:
    """What a comment says, as GitHub shows it."""
    return re.sub("&#(38|92);", _character, comment)


def alike(title: str, shown: str) -> bool:
    """Whether this is the title that gh has shown so."""
    parts = re.split(_CODE + ".{5}", title)
    return re.fullmatch(".{1,6}".join(map(re.escape, parts)), shown, re.S) is not None


def passes(title: str) -> bool:
    """Whether gh shows a title as it is."""
    return re.search(_CODE, title) is None


def _encoded(text: str) -> str:
    """`text` with what Markdown or gh would change as HTML writes it, which people see as the character it is."""
    shown = _IN_LINE.sub(_entity, text)
    return "".join(char if char.isprintable() else f"&#{ord(char)};" for char in shown)


def _decoded(text: str) -> str:
    return re.sub("&#([0-9]{1,6});", _character, text)


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match.group())};"


def _character(match: re.Match[str]) -> str:
    return chr(int(match.group(1)))
