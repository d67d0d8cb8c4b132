"""UserPromptSubmit: a sign of life, and a word about mail that came since the last one."""

from __future__ import annotations

from ..mail import known
from ..protocol import show
from . import announce

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from ..mail.known import Pending
    from .call import Call


def run(call: Call) -> Optional[dict[str, Any]]:
    """What is new, urgent and high mail in full lines and the rest as a count; None if nothing is.

    A session without an id is told nothing: nobody could remember what it has heard.
    """
    call.beat("active")
    if not call.session_id:
        return None
    mail = announce.pending(call)
    told = call.announced()
    news = [item for item in mail if item.id not in told]
    if not news:
        return None
    every = {item.id for item in mail}
    call.announce(every, every)
    return {"additionalContext": _words(call, news)}


def _words(call: Call, news: list[Pending]) -> str:
    pressing = [item for item in news if item.kind in ("urgent", "high")][: announce.MOST]
    copies = sum(item.kind == known.COPY for item in news)
    rest = len(news) - copies - len(pressing)
    text = [f"New mail for {call.session}: {announce.counts(news)}", *announce.framed(pressing)]
    if rest:
        text.append(f"{rest} {'more' if pressing else 'to look at'}: /inbox")
    return show.cut("\n".join(text), announce.MOST_CHARACTERS, "There is more: /inbox")
