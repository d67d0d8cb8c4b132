"""What a session is told of its mail: the words that the events share."""

from __future__ import annotations

import os
import time

from ..mail import inbox, known
from ..orchestration import notice
from ..protocol import agentmap, frame, show
from ..protocol import home as layout
from ..protocol.message import PRIORITIES
from ..storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Callable

    from ..mail.known import Mail
    from .call import Call

SHOWN = 5  # messages shown in full at the start of a session
MOST_CHARACTERS = 9000  # of one context: Claude Code puts one over 10,000 into a file
MOST_OF_PEOPLE = 5000  # characters of it for mail from people
MOST = 20  # lines in any later word
MAX_PERSONA = 4096  # bytes
COMMANDS = "Commands: /inbox /read /reply /send /handoff /thread /bus /god /msg"


def pending(call: Call) -> Mail:
    """The mail of the session."""
    call.aside = call.aside or inbox.Aside(inbox.PER_HOOK)
    return known.pending(call.home, call.agent, inbox.seen_by(call.home, call.agent, call.slug), call.aside)


def who(call: Call) -> str:
    """Who the session is, and why: what could say something of folder, role and rule is framed."""
    role = show.one_line(agentmap.agents(call.map).get(call.agent, {}).get("role") or "", 80)
    place, why = agentmap.short(call.workspace), call.who.why
    if all(map(frame.is_plain, (role, place, why))):
        return (
            f"You are {call.agent}{f' ({role})' if role else ''} on the agent-team-os bus, session {call.session}; "
            f"the folder {place} is mapped to you by {why}."
        )
    lines = [f"Your role: {role}."] if role else []
    lines.append(f"The folder {show.one_line(place)} is mapped to you by {show.one_line(why)}.")
    return f"You are {call.agent} on the agent-team-os bus, session {call.session}.\n{frame.frame(lines, frame.FOUND)}"


def counts(mail: Mail) -> str:
    """`2 pending, 1 high. 1 copy for your information.`"""
    kinds = list(mail.values())
    copies = kinds.count(known.COPY)
    number = len(kinds) - copies
    parts = [f"{number} pending" if number else "nothing pending"]
    parts += [f"{kinds.count(kind)} {kind}" for kind in PRIORITIES[:2] if kind in kinds]
    noun = "copy" if copies == 1 else "copies"
    return ", ".join(parts) + "." + (f" {copies} {noun} for your information." if copies else "")


def opened(call: Call, shown: list[str]) -> list[str]:
    """A line for each of these messages; with one missing that is gone, or that is no message any more."""
    boxes = inbox.seen_by(call.home, call.agent, call.slug)
    folders = [*boxes, *(f"{box}/{archive}" for box in boxes for archive in (layout.READ, layout.DONE))]
    messages = [known.open_again(folders, message_id) for message_id in shown]
    if None in messages:
        known.forget(call.home, call.agent)
    return [frame.line(message) for message in messages if message is not None]


def framed(lines: list[str]) -> list[str]:
    """These lines in a frame; nothing if there are none."""
    return [frame.frame(lines)] if lines else []


def start(call: Call, mail: Mail, told: set[str], late: str = "", again: bool = False) -> str:
    """The whole announcement, with a line on what is late; messages the session was told of before are only counted."""
    letters = {message_id: kind for message_id, kind in mail.items() if kind != known.COPY}
    news = {message_id: kind for message_id, kind in letters.items() if message_id not in told} if told else letters
    shown = known.first(news, SHOWN)
    lines = opened(call, shown)
    if len(lines) < len(shown) and not again:
        return start(call, pending(call), told, late, again=True)
    text = [who(call), f"Inbox: {counts(mail)}", *([late] if late else []), *framed(lines)]
    if len(letters) > len(shown):
        text.append(f"{len(letters) - len(shown)} {'more' if news else 'seen before'}: /inbox")
    text += from_people(call.home, call.environ, call.after)
    text.append(COMMANDS)
    text += notice.lines(call.map, call.agent, f'"{layout.launcher()}"')
    persona = _persona(call)
    return "\n".join([*text, persona] if persona else text)


def from_people(home: str, environ: Mapping[str, str], after: list[Callable[[], None]]) -> list[str]:
    """Unread mail from people as the last sync left it, framed; another sync starts behind the answer.

    Nothing, and nothing is imported, where nobody has set up mail between people.
    """
    if not os.path.isdir(os.path.join(home, "people")):
        return []
    from ..post import notice as post

    def sync() -> None:
        post.refresh(home, environ)

    after.append(sync)
    ato = f'"{layout.launcher()}"'
    words = post.for_session(home, ato)
    return [show.cut(words, MOST_OF_PEOPLE, f"There is more: {ato} msg read")] if words else []


def overdue(found: dict[str, Any]) -> str:
    """What is late, as `mail.overdue.listing` found it, in one line with nothing but names; empty for nothing."""
    mine, theirs = found["owed_by_me"], found["owed_to_me"]
    parts = [f"you owe {_answers(mine)} ({_longest(mine, 'from')})"] if mine else []
    if theirs:
        number = len(theirs) if mine else _answers(theirs)
        parts.append(f"{number} {'is' if len(theirs) == 1 else 'are'} owed to you ({_longest(theirs, 'to')})")
    return f"Overdue: {'; '.join(parts)}. See: /bus overdue" if parts else ""


def _answers(items: list[Any]) -> str:
    return "1 answer" if len(items) == 1 else f"{len(items)} answers"


def _longest(items: list[Any], side: str) -> str:
    late = show.duration(max(0, time.time() - (show.seconds_of(items[0]["since"]) or 0)))
    return f"{'the longest: ' if len(items) > 1 else ''}{items[0][side]}, {late} late"


def _persona(call: Call) -> str:
    """The agent's persona, framed; empty for a file that is missing, too large, no text or outside the home."""
    name = agentmap.agents(call.map).get(call.agent, {}).get("persona_file")
    if not name:
        return ""
    path = os.path.realpath(os.path.join(call.home, name))
    if not path.startswith(os.path.realpath(call.home) + "/"):
        return ""
    try:
        text = show.visible(files.read(path, MAX_PERSONA).decode("utf-8"), lines=True).strip()
    except (FileNotFoundError, files.BadFile, UnicodeDecodeError):
        return ""
    name = name if frame.is_plain(name) else "its persona file"
    return frame.frame([text], frame.PERSONA.replace("{name}", name)) if text else ""
