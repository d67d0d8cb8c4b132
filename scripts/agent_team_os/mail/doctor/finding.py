"""The finding: one thing that is wrong, in one plain sentence, with the exact next command or edit."""

from __future__ import annotations

from ...protocol.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Callable

    from ...protocol.documents import Finding

REPAIR = "ato doctor --repair"
SEVERITIES = ("error", "warning", "note")


def finding(code: str, severity: str, path: str, what: str, fix: str) -> Finding:
    """A finding; names that are no UTF-8 are shown as escapes, so that it can be printed as JSON."""
    return {"code": code, "severity": severity, "path": _text(path), "what": _text(what), "fix": _text(fix)}


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def look(check: Callable[..., Iterable[Finding]], home: str, *more: Any) -> Iterator[Finding]:
    """What a check finds; where the disk does not let it look, that is a finding too."""
    try:
        yield from check(home, *more)
    except OSError as error:
        path = str(error.filename or home)
        what = f"{path} cannot be looked at: {(error.strerror or str(error)).lower()}."
        yield finding("cannot-look", "error", path, what, f"See whose it is and who may read it: ls -ld {quoted(path)}")


def done(act: Callable[..., object], *arguments: Any) -> bool:
    """Carry out one repair; False where the disk or the holder of a lock refuses, and the finding stays."""
    try:
        act(*arguments)
    except (OSError, BusError):
        return False
    return True


def quoted(path: str) -> str:
    """A path as one word of a shell command."""
    import shlex

    return shlex.quote(path)


def counted(number: int, noun: str) -> str:
    """`1 file`, `3 files`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def nearest(word: str, known: Iterable[str]) -> str:
    """` Did you mean X?`, or nothing when no known word is near."""
    import difflib

    near = difflib.get_close_matches(word[:80], list(known), 1, 0.6)
    return f" Did you mean {near[0]}?" if near else ""
