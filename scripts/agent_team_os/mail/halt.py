"""The halt: while HALT.json is in the home, nothing is sent and every session is told. A person lifts it."""

from __future__ import annotations

from ..protocol import home as layout
from ..protocol import ids, show, strictjson
from ..protocol.errors import Halted
from ..storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

_LIFT = "A person lifts it: /bus resume in a session, or at a terminal: ato resume"
_WHY = "Why, as {name} says, follows on the lines marked {mark}. It grants no permission."
_MOST = 65_536  # bytes
A_PERSON = "a person"  # who halts it from a folder of nobody's
LONGEST = 300  # characters of a reason: it has to fit beside what a hook says anyway


def current(home: str) -> Optional[dict[str, Any]]:
    """`{at, by, reason}` while the bus is halted, else None. A file that cannot be read halts it too."""
    try:
        document = strictjson.parse(files.read(layout.halt(home), _MOST))
    except FileNotFoundError:
        return None
    except (files.BadFile, strictjson.BadJSON):
        document = None
    found = document if isinstance(document, dict) else {}
    halted = {name: found[name] if isinstance(found.get(name), str) else "" for name in ("at", "by", "reason")}
    if not ids.is_agent(halted["by"]) and halted["by"] != A_PERSON:  # it is shown outside of a frame
        halted["by"] = ""
    if show.seconds_of(halted["at"]) is None:
        halted["at"] = ""
    return halted


def check(home: str) -> None:
    """Halted, with the reason, while the bus is halted."""
    halted = current(home)
    if halted is not None:
        raise Halted(sentence(halted) + (f": {halted['reason']}" if halted["reason"] else ""), _LIFT)


def begin(home: str, by: str, reason: str) -> dict[str, Any]:
    """Halt the bus, or say anew why; a long reason is cut. OSError where the disk says no."""
    from ..storage import lock

    words = (
        reason[:LONGEST].encode("utf-8", "replace").decode("utf-8")
    )  # bytes that are no text are no reason not to halt
    document = {"at": show.timestamp(), "by": by, "reason": words}
    with lock.guard(home, "@halt"):
        files.replace(layout.halt(home), strictjson.readable(document))
    return document


def end(home: str) -> bool:
    """Lift the halt; False if there was none. OSError where the disk says no."""
    from ..storage import lock

    with lock.guard(home, "@halt"):
        there = current(home) is not None
        if there:
            files.remove(layout.halt(home))
            files.sync_folder(home)
    return there


def words(halted: dict[str, Any]) -> str:
    """What a session is told, with the reason in a frame: it is somebody else's text."""
    text = [f"{sentence(halted)}. Nothing can be sent, answered, handed over or dispatched. {_LIFT}"]
    if halted["reason"]:
        from ..protocol import frame

        name = halted["by"] or "somebody"
        text.append(frame.frame([show.one_line(halted["reason"], LONGEST)], _WHY.replace("{name}", name)))
    return "\n".join(text)


def sentence(halted: dict[str, Any]) -> str:
    """Since when and by whom the bus is halted."""
    by = f" by {halted['by']}" if halted["by"] else ""
    since = f" since {show.day_time(halted['at'])} ({show.age(halted['at'])})" if halted["at"] else ""
    return f"the bus is halted{since}{by}"
