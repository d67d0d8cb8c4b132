"""UserPromptSubmit: a sign of life, and a word about mail that came since the last one."""

from __future__ import annotations

from ..mail import known
from ..protocol import show
from . import announce

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from ..mail.known import Mail
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
    news = {message_id: kind for message_id, kind in mail.items() if message_id not in told}
    if not news:
        return None
    call.announce(mail, mail)
    return {"additionalContext": _words(call, news)}


def _words(call: Call, news: Mail) -> str:
    pressing = {message_id: kind for message_id, kind in news.items() if kind in ("urgent", "high")}
    shown = known.first(pressing, announce.MOST)
    copies = sum(kind == known.COPY for kind in news.values())
    rest = len(news) - copies - len(shown)
    text = [f"New mail for {call.session}: {announce.counts(news)}", *announce.framed(announce.opened(call, shown))]
    if rest:
        text.append(f"{rest} {'more' if shown else 'to look at'}: /inbox")
    return show.cut("\n".join(text), announce.MOST_CHARACTERS, "There is more: /inbox")
