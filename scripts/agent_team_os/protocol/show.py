"""The one renderer of text from elsewhere: what a terminal or a model may be shown.

Message text is data from somebody else. Control characters drive terminals, bidirectional marks reorder
what a person reads, invisible characters hide instructions from the person and not from the model. All of
them become visible as `<U+202E>`; everything that prints stays as it is.
"""

from __future__ import annotations

import re
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

# What shows nothing, whatever the Unicode of this Python says of it: all that is Default_Ignorable_Code_Point there,
# but for the variation selectors and the plane of tags (see `_hidden`), and what is printable and blank by design: the
# empty braille cell, the object replacement, joiners and selectors of single scripts, Egyptian controls and blanks,
# the Khitan filler, fills and rotations of sign writing, the null notehead.
_INVISIBLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x2D7F, 0x2D7F), (0x3164, 0x3164),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFC), (0x1107F, 0x1107F), (0x13430, 0x13442), (0x16FE4, 0x16FE4),
    (0x1BC9D, 0x1BC9D), (0x1BCA0, 0x1BCA3), (0x1D159, 0x1D159), (0x1D173, 0x1D17A), (0x1DA9B, 0x1DA9F),
    (0x1DAA1, 0x1DAAF),
)  # fmt: skip
_BLANK = frozenset(chr(code) for first, last in _INVISIBLE for code in range(first, last + 1))
_OPENING = "<\ufe64\uff1c"  # the sign that opens a tag, and its small and wide forms
_TIME = (
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2})(?::([0-9]{2})([.][0-9]{1,9})?)?"
    r"(?:Z|([+-])([0-9]{2}):?([0-9]{2}))"
)
_SIZES = ("B", "KB", "MB", "GB")


def visible(text: str, lines: bool = False) -> str:
    """`text` with everything that does not print made visible; newlines and tabs stay only with `lines`."""
    if text.isascii() and text.isprintable():
        return text
    shown = []
    before = ""
    for char in text:
        if (char.isprintable() and not _hidden(char, before)) or (lines and char in "\n\t"):
            shown.append(char)
        elif char.isspace() and ord(char) > 0x7F and char not in "\x85\u2028\u2029":
            shown.append(" ")  # no-break and wide spaces are spaces
        else:
            shown.append(f"<U+{ord(char):04X}>")
        before = char
    return "".join(shown)


def escaped(text: str) -> str:
    """A JSON text with JSON's own escapes for what `visible` does not let pass, and for what opens a tag.

    It says the same, drives nothing, and no tag stands in it by which a model's own program speaks to it.
    """
    if text.isascii() and text.isprintable():
        return text.replace("<", "\\u003c")
    shown = []
    before = ""
    for char in text:
        if char.isprintable() and not _hidden(char, before) and char not in _OPENING:
            shown.append(char)
        else:
            units = char.encode("utf-16-be", "surrogatepass").hex()
            shown += ["\\u" + units[at : at + 4] for at in range(0, len(units), 4)]
        before = char
    return "".join(shown)


def _hidden(char: str, before: str) -> bool:
    """Printable by Unicode's word, invisible all the same; variation selectors pass singly, after a base."""
    if "\ufe00" <= char <= "\ufe0f":
        return char < "\ufe0e" or not before or "\ufe00" <= before <= "\ufe0f" or before.isspace()
    return char in _BLANK or "\U000e0000" <= char <= "\U000e0fff"


def one_line(text: str, width: int = 0) -> str:
    """`text` on one visible line, cut with … to `width` characters where that is given."""
    line = visible(" ".join(text.split("\n")).strip())
    return line if not width or len(line) <= width else line[: width - 1] + "…"


def _whole(text: str) -> str:
    """A text that was cut, without the beginning of a `<U+202E>` at its end."""
    at = text.rfind("<", -9)
    return text if at < 0 or ">" in text[at:] else text[:at]


def value(item: Any) -> str:
    """A payload value as a person reads it: text as it is, a list of texts as lines, the rest as JSON."""
    from . import strictjson

    if isinstance(item, str):
        return visible(item, lines=True)
    if isinstance(item, list) and item and all(isinstance(part, str) for part in item):
        return "\n".join("- " + visible(part, lines=True).replace("\n", "\n  ") for part in item)
    return visible(strictjson.compact(item).decode("utf-8"))


def size(count: int) -> str:
    """A number of bytes in human units, as in `4.2KB`."""
    amount = float(count)
    for unit in _SIZES:
        if amount < 1024 or unit == _SIZES[-1]:
            break
        amount /= 1024
    return f"{amount:.0f}{unit}" if unit == "B" or amount >= 100 else f"{amount:.1f}{unit}"


def timestamp(seconds: Optional[float] = None) -> str:
    """Now, or the given time, as the protocol writes it: ISO-8601, UTC, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def seconds_of(stamp: object) -> Optional[float]:
    """Seconds since 1970 of an ISO-8601 time with a zone, as the schemas allow it; None if it is none."""
    if not isinstance(stamp, str):
        return None
    part, zone = 0.0, 0
    if len(stamp) == 20 and stamp[4::3] == "--T::Z":  # as this program writes it: no pattern need be compiled
        digits = [stamp[:4], stamp[5:7], stamp[8:10], stamp[11:13], stamp[14:16], stamp[17:19]]
        if not "".join(digits).isdecimal() or not stamp.isascii():
            return None
        numbers = [int(text) for text in digits]
    else:
        found = re.fullmatch(_TIME, stamp)
        if found is None:
            return None
        *numbers, zone_hours, zone_minutes = (int(text or 0) for text in found.group(1, 2, 3, 4, 5, 6, 9, 10))
        if zone_hours >= 24 or zone_minutes >= 60:
            return None
        part, zone = float(found[7] or 0), (zone_hours * 60 + zone_minutes) * (-60 if found[8] == "-" else 60)
    year, month, day, hour, minute, second = numbers
    if not (year > 0 and 0 < month < 13 and 0 < day <= _length(year, month)):
        return None
    if not (hour < 24 and minute < 60 and second < 60):
        return None
    return float(((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) + part - zone


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01; not asked of `datetime` or `time.strptime`, whose import takes longer than all the rest."""
    before = year - 1
    return (
        before * 365 + before // 4 - before // 100 + before // 400 - 719_163
        + sum(_length(year, earlier) for earlier in range(1, month)) + day
    )  # fmt: skip


def _length(year: int, month: int) -> int:
    """Days of a month."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def age(stamp: object, now: Optional[float] = None) -> str:
    """How long ago a time is: `just now`, `12 min ago`, `3 h ago`, `2 days ago`, `in 3 h`; `?` for no time."""
    then = seconds_of(stamp)
    if then is None:
        return "?"
    passed = (time.time() if now is None else now) - then
    span = duration(abs(passed))
    if span == "0 s" or abs(passed) < 10:
        return "just now"
    return f"{span} ago" if passed > 0 else f"in {span}"


def duration(seconds: float) -> str:
    """A span of time in its largest useful unit."""
    for length, unit in ((86400, "day"), (3600, "h"), (60, "min")):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
    return f"{int(seconds)} s"


def day_time(stamp: object) -> str:
    """A time for a person, in their zone: `Sat 23 May 18:00`, with the year when it is not this one."""
    then = seconds_of(stamp)
    if then is None:
        return "?"
    local = time.localtime(then)
    year = "" if local.tm_year == time.localtime().tm_year else f" {local.tm_year}"
    return (
        time.strftime("%a ", local)
        + f"{local.tm_mday} "
        + time.strftime("%b", local)
        + year
        + time.strftime(" %H:%M", local)
    )


def calls(text: str, ato: str) -> str:
    """A hint of ours with each `ato VERB` in it called by its path: on PATH there need be none."""
    return re.sub(r"(?<![\w./\"-])ato (?=[a-z])", lambda _: ato + " ", text)


def units(text: str) -> int:
    """How long Claude Code finds a text: in UTF-16 units, of which a rare character has two."""
    return len(text) + sum(char > "\uffff" for char in text)


def cut(text: str, most: int, rest: str) -> str:
    """`text` if it has at most `most` units, else its first lines and the line `rest`, together at most that.

    A single line that is too long is cut itself.
    """
    if units(text) <= most:
        return text
    room = most - units(rest) - 3
    kept = text[:room]
    while units(kept) > room:
        kept = kept[: len(kept) - (units(kept) - room + 1) // 2]
    kept = _whole(kept)
    lines, _, last = kept.rpartition("\n")
    if not lines or units(last) > room // 2:  # a line that is most of it is cut itself
        return f"{kept}…\n{rest}"
    return f"{lines}\n{rest}"
