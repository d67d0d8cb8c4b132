"""SessionStart: enter the session into the registry and tell it who it is and what waits."""

from __future__ import annotations

import os
import time

from ..mail import due, registry
from ..protocol import home as layout
from ..protocol import show
from ..protocol.errors import BusError
from ..storage import files, unsynced
from . import announce

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .call import Call

_REPEATED = ("clear", "compact")  # what the session was told before is out of its context
_MOST_LATE = 200  # late messages that are looked at, and of which hubs are told: each start goes on with the rest
_MOST_TOLD = 20
_MOST_READ = 16 * 1_048_576  # bytes of the outbox that are new
_SWEEP = 3600  # seconds between two looks for what is left over


def run(call: Call) -> dict[str, Any]:
    """The announcement; the title of the session too, unless a person has given it one."""
    _tidy(call)
    source = call.given.get("source")
    answer = {"additionalContext": enter(call, repeated=source in _REPEATED)}
    if call.given.get("session_title") in (None, "", *_ours(call)):
        answer["sessionTitle"] = call.agent
    return answer


def _ours(call: Call) -> set[str]:
    """The titles this program may have given the session: the agents it has been."""
    exported = call.memory.get("exported")
    return {
        call.agent,
        *(str(session).partition("/")[0] for session in (exported if isinstance(exported, list) else ())),
    }


def enter(call: Call, repeated: bool = False) -> str:
    """Let the session be one of this agent's, and return the announcement for it.

    What it was told of before is only counted, unless the announcement is to be `repeated`.
    """
    if "CLAUDE_ENV_FILE" in call.environ:
        _export(call)
    call.beat("active")
    if call.session_id:  # without one no SessionEnd could take the word back
        try:
            registry.write_card(call.home, call.agent, True, call.workspace, call.memory["started"])
        except OSError:
            pass  # a full disk must not hide the mail
    mail = announce.pending(call)
    told = set() if repeated else call.announced()
    call.announce(mail, mail)
    return show.cut(announce.start(call, mail, told, _overdue(call)), announce.MOST_CHARACTERS, "There is more: /inbox")


def _overdue(call: Call) -> str:
    """A line on what is late; empty for nothing. The hubs that are to be told of it are told after the answer."""
    watch = due.Watch(call.home)
    line = ""
    try:
        watch.look(most=_MOST_READ)
        if any(call.agent in (watch.open[late]["from"], watch.open[late]["to"]) for late in watch.late()):
            from ..mail import overdue

            line = announce.overdue(overdue.listing(watch, call.agent, _MOST_LATE))
    except OSError:
        pass  # doctor names what cannot be read; it must not hide the mail

    def tell() -> None:
        if due.to_tell(call.map, watch):
            from ..mail import overdue

            try:
                overdue.escalate(call.map, watch, most=_MOST_TOLD)
            except (OSError, BusError):
                pass  # the next look tries again
        watch.keep()

    call.after.append(tell)
    return line


def _export(call: Call) -> None:
    """Tell the shells of this session which one they belong to, through the file Claude Code reads.

    The file keeps its content when a session goes on, so nothing is written that is the last word already.
    """
    path = os.path.realpath(call.environ["CLAUDE_ENV_FILE"])
    told = call.memory.get("exported")
    if not isinstance(told, list) or call.session not in told:
        call.memory["exported"] = [*(told if isinstance(told, list) else ()), call.session]
        call.unsaved = True
    line = f"export AGENT_TEAM_OS_SESSION={call.session}\n"
    try:
        before = files.read(path, 1_048_576).decode("utf-8", "replace")
    except (FileNotFoundError, files.BadFile):
        before = ""
    ours = [old for old in before.splitlines(keepends=True) if old.startswith("export AGENT_TEAM_OS_SESSION=")]
    if ours[-1:] == [line]:
        return
    try:
        unsynced.append(path, ("\n" * bool(before and not before.endswith("\n")) + line).encode())
    except OSError:
        pass  # the commands then go by the folder they are called from


def _tidy(call: Call) -> None:
    """Once an hour, take away what sessions left that have been gone for a week."""
    try:
        if 0 <= time.time() - os.stat(layout.hook_ran(call.home, "SessionStart")).st_mtime < _SWEEP:
            return
    except OSError:
        pass  # it never ran here
    try:
        live = registry.forget(call.home)
        kept = (".log", ".checked", ".ran")
        state = os.path.join(call.home, "state")
        unsynced.sweep(state, registry.FORGOTTEN, lambda name: name.endswith(kept) or name in live)
    except OSError:
        pass  # a folder that cannot be read: doctor names it
