"""`/god on|off|status|confirm PLAN`: how the god stands, and which call makes the client ask the person."""

from __future__ import annotations

from .. import text
from ..orchestration import gods, notice, pages, plans
from ..protocol import show
from ..protocol.errors import Usage
from . import announce

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from .user_prompt_expansion import Asked

    Say = Callable[[str], None]


def run(asked: Asked, say: Say) -> None:
    """Carry out the command, or say what carries it out."""
    what = asked.words.pop(0) if asked.words else "status"
    asked.flags()
    from .user_prompt_expansion import to_ask

    if what == "confirm":
        asked.at_most(1)
        if not asked.words:
            raise Usage("/god confirm needs a plan", f"See the plans: {asked.ato} plan show")
        to_ask(asked, say, "plan", "confirm", asked.words[0])
    elif what in ("on", "off"):
        asked.at_most(0)
        to_ask(asked, say, "god", what)
    elif what == "status":
        asked.at_most(0)
        _status(asked, say)
    else:
        raise Usage(f'/god knows on, off, status and confirm PLAN, not "{what[:40]}"')


def _status(asked: Asked, say: Say) -> None:
    state = gods.switch(asked.bus, None)
    lines = [pages.god(asked.bus.map, state["agent"], state["enabled"])]
    lines += notice.lines(asked.bus.map, state["agent"], asked.ato)
    found = [plan for plan in plans.recent(asked.bus.home) if plan["god"] == state["agent"]]
    if found:
        lines.append(text.framed(pages.listing(found, asked.ato)))
    say(show.cut("\n".join(lines), announce.MOST_CHARACTERS, f"The list goes on: {asked.ato} plan show"))
