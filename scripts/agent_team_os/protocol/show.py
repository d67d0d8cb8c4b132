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

# They count as printable and show nothing: joiners, Hangul fillers, the empty braille cell, vowel marks.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_TIME = re.compile(
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


def _hidden(char: str, before: str) -> bool:
    """Printable by Unicode's word, invisible all the same; variation selectors pass singly, after a base."""
    if "\ufe00" <= char <= "\ufe0f":
        return char < "\ufe0e" or not before or "\ufe00" <= before <= "\ufe0f" or before.isspace()
    return char in _BLANK or "\U000e0100" <= char <= "\U000e01ef"


def one_line(text: str, width: int = 0) -> str:
    """`text` on one visible line, cut with … to `width` characters where that is given."""
    line = visible(" ".join(text.split("\n")).strip())
    return line if not width or len(line) <= width else line[: width - 1] + "…"


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
    found = _TIME.fullmatch(stamp) if isinstance(stamp, str) else None
    if found is None:
        return None
    import datetime  # not time.strptime: its first call costs 12 ms of imports

    year, month, day, hour, minute, second, part, sign, zone_hours, zone_minutes = found.groups()
    offset = int(zone_hours or 0) * 60 + int(zone_minutes or 0)
    if offset >= 24 * 60 or int(zone_minutes or 0) > 59:
        return None
    try:
        moment = datetime.datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=datetime.timezone.utc
        )
    except ValueError:
        return None
    return moment.timestamp() + float(part or 0) - (-offset if sign == "-" else offset) * 60


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
