"""What the program prints, and how it leaves.

In a session a model reads it. So there is no way out but these: `emit` for JSON, `show_page` and `note_page` for pages,
whose middle is framed, `say` and `note` for words of ours, framed with any value that could say something, `warn`, and
`own` where every value was checked to be a name.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from ..protocol import frame, show, strictjson
from ..protocol import home as layout
from ..protocol.errors import BusError, CannotWrite
from ..storage import home as homes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .. import text

_LONGEST = 800  # characters of an error's sentence
_broken: list[Any] = []
_emitted = False  # whether the one document of --json was printed


def prepare() -> None:
    """Make printing work in any locale: what an encoding lacks is shown as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a text file at start


def say(words: str, *values: object) -> None:
    """A line of the result on stdout: words of ours, with a value for each {}; CannotWrite where there is no stdout."""
    _write(_said(words, values) + "\n")


def own(lines: str) -> None:
    """Lines of the result in which nothing but names, ids and numbers stand beside our own words."""
    _write((frame.harmless(lines) if _for_model() else lines) + "\n")


def _said(words: str, values: tuple[object, ...]) -> str:
    if _for_model():
        return frame.said(words, *values)
    return words.format(*(show.one_line(str(value)) for value in values))


def emit(document: Any) -> None:
    """The result as the one JSON document on stdout."""
    global _emitted
    _emitted = True
    encoding = getattr(sys.stdout, "encoding", "") or ""
    text = strictjson.dump(document)
    if encoding.lower().replace("-", "") != "utf8":  # JSON has escapes of its own for what an encoding lacks
        import json

        text = json.dumps(document, separators=(",", ":"))
    _write(show.escaped(text) + "\n")


def show_page(page: text.Page) -> None:
    """A page on stdout; nothing for an empty one."""
    if page.head or page.mail or page.foot:
        _write(_rendered(page) + "\n")


def _rendered(page: text.Page) -> str:
    """A page: in a frame where a session's shell passes it on to a model, plain for a person."""
    from .. import text

    return text.framed(page) if _for_model() else text.plain(page)


def program() -> str:
    """How the reader calls this program: a model by its path, since it may be on no PATH of a plugin's user."""
    return f'"{layout.launcher()}"' if _for_model() else "ato"


def _for_model() -> bool:
    return bool(os.environ.get("CLAUDECODE") or os.environ.get("AGENT_TEAM_OS_SESSION"))


def bold(text: str) -> str:
    """The text, bold on a terminal that wants it and plain everywhere else."""
    if sys.stdout is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[1m{text}\x1b[0m"


def _write(text: str) -> None:
    if sys.stdout is None:
        raise CannotWrite("there is no standard output to show this on")
    try:
        sys.stdout.write(text)
    except OSError as error:
        _give_up(error)


def flush() -> None:
    """Hand what was printed to the system; CannotWrite if it does not take it."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        _give_up(error)


def _give_up(error: OSError) -> NoReturn:
    # Its buffer still holds the text, so it must neither be flushed again nor be collected.
    _broken.append(sys.stdout)
    sys.stdout = None
    raise CannotWrite(f"cannot write to standard output: {error.strerror}") from None


def note(words: str, *values: object) -> None:
    """A notice on stderr: words of ours, with a value for each {}."""
    _note(_said(words, values))


def warn(warnings: Iterable[str]) -> None:
    """Warnings on stderr, a line each, which may quote anybody."""
    lines = [show.one_line(warning) for warning in warnings]
    if lines:
        _note(frame.frame(lines, frame.SAID) if _for_model() else "\n".join(lines))


def note_page(page: text.Page) -> None:
    """A page on stderr, beside the one document on stdout or behind it."""
    _note(_rendered(page))


def _note(text: str) -> None:
    """Lines on stderr, behind what stdout was given before, also where both are one pipe."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError):  # what is not taken stays in the buffer, and `flush` says so
            sys.stdout.flush()
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(text, file=sys.stderr, flush=True)


def unread() -> None:
    """Behind any verb but those of `msg`: whether mail from people waits, as the last sync left it; and ask for one."""
    if sys.argv[1:2] in (["msg"], ["hook"]):
        return
    home = layout.find(os.environ)
    with contextlib.suppress(OSError, BusError):
        if not os.path.isdir(os.path.join(home, "people")) or not homes.check(home):
            return  # most people, for whom not even an import is due
        from ..post import notice

        model = _for_model()
        words = notice.for_person(home, f"{program()}" if model else "agentops", quoted=not model)
        if words:
            _note(frame.harmless(words) if model else words)
        notice.refresh(home, os.environ)


def failure(code: str, message: str, hint: str, status: int) -> int:
    """Report an error: as the one JSON document where --json was asked for, else in one line on stderr."""
    # What click lays out over several lines, and what a file or an argument brought in, on one short line.
    message, hint = show.one_line(" ".join(message.split()), _LONGEST), show.one_line(hint, _LONGEST)
    if "--json" in sys.argv and not _emitted:
        with contextlib.suppress(CannotWrite):
            emit({"error": {"code": code, "message": message, "hint": hint}})
            flush()
    else:
        stop = "" if message.endswith((".", "?", "!")) or not hint else "."
        words = f"ato: {message}{stop} {show.calls(hint, program())}".rstrip()
        _note(frame.frame([words], frame.REFUSAL) if _for_model() else words)
    return status


def leave(status: int) -> NoReturn:
    """End the process at once: nothing is left to tidy, and the interpreter's own tidying costs 5 ms."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):  # `flush` has said so where it matters
                stream.flush()
    os._exit(status)
