"""`/god on|off|status|confirm PLAN`: the one slash command that may say yes to a plan, if a person has typed it."""

from __future__ import annotations

from .. import text
from ..mail import person
from ..orchestration import gods, notice, pages, plans
from ..protocol import show
from ..protocol.errors import NotConfirmed, Usage
from . import announce

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Optional

    from .user_prompt_expansion import Asked

    Say = Callable[[str], None]


def run(asked: Asked, say: Say) -> None:
    """Carry out the command and say what came of it."""
    what = asked.words.pop(0) if asked.words else "status"
    asked.flags()
    if what == "confirm":
        _confirm(asked, say)
    elif what in ("on", "off", "status"):
        asked.at_most(0)
        _switch(asked, say, {"on": True, "off": False, "status": None}[what])
    else:
        raise Usage(f'/god knows on, off, status and confirm PLAN, not "{what[:40]}"')


def _switch(asked: Asked, say: Say, on: Optional[bool]) -> None:
    state = gods.switch(asked.bus, on)
    lines = [pages.god(asked.bus.map, state["agent"], state["enabled"])]
    lines += notice.lines(asked.bus.map, state["agent"], asked.ato)
    found = [plan for plan in plans.recent(asked.bus.home) if plan["god"] == state["agent"]] if on is None else []
    if found:
        lines.append(text.framed(pages.listing(found, asked.ato)))
    say(show.cut("\n".join(lines), announce.MOST_CHARACTERS, f"The list goes on: {asked.ato} plan show"))


def _confirm(asked: Asked, say: Say) -> None:
    asked.at_most(1)
    if not asked.words:
        raise Usage("/god confirm needs a plan", f"See the plans: {asked.ato} plan show")
    must_be_typed(asked, f"/god confirm {asked.words[0][:40]}")
    session = f"{asked.bus.agent}/{asked.bus.who.slug}"
    plan = plans.confirm(asked.bus.home, asked.bus.map, asked.words[0], session)
    page = text.framed(pages.plan(asked.bus.home, plan, {}, asked.ato))
    say(show.cut(page, announce.MOST_CHARACTERS, f"The plan goes on: {asked.ato} plan show {plan['id']}"))


def must_be_typed(asked: Asked, command: str) -> None:
    """NotConfirmed unless a person has typed the command in an attended session."""
    why = person.typed(asked.environ)
    if why:
        raise NotConfirmed(f"this takes a person, and {why}", f"Ask your user to type: {command}")
