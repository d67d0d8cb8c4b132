"""What takes a person, in a session: the client asks, with our page, and after the yes the hook does it.

    PreToolUse   the model calls `ato plan confirm NAME`: the answer is `ask`, and in place of that command the client
                 is to run `: ato TOOL_USE_ID DIGEST plan confirm NAME`, which does nothing
    PostToolUse  comes only if the person said yes; it reads there what was asked, and does it

Nothing is kept between the two that a second call could use: the command carries the id of the one call that it stands
for, and a digest of what the page showed. A model that writes such a command itself is denied. A call that nobody can
be asked about gets no answer here, and the verb refuses by itself.
"""

from __future__ import annotations

import re

from ..mail import person
from ..protocol.errors import BusError
from . import acts, tool_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Callable, Optional

_WIDE, _SHORT, _HIGHEST = 70, 6, 400  # characters of a line, and lines of a page, on the screen
_TOO_LONG = "it is too long for the question of the client"
_CALL = re.compile(r"[A-Za-z0-9_-]{1,128}")  # ids of tool calls


def ask(
    given: dict[str, Any], words: list[str], environ: Mapping[str, str], home: str, workspace: str
) -> Optional[dict[str, Any]]:
    """PreToolUse: the question for the person; None where nobody can be asked, or the verb would refuse anyway."""
    call_id = given.get("tool_use_id")
    if not isinstance(call_id, str) or not _CALL.fullmatch(call_id):
        return None
    try:
        folder = given.get("cwd")
        act = acts.open_act(words, environ, home, workspace, folder if isinstance(folder, str) else "")
    except BusError:
        return None
    if person.attended(environ, person.TABLE[act.name]):
        return None
    import shlex

    instead = tool_call.ASKED + shlex.join([call_id, acts.digest(act), *act.words])
    page = acts.page(act)
    high = sum(len(line) // _WIDE + 1 for line in page)
    if high > _HIGHEST:
        return {"permissionDecision": "deny", "permissionDecisionReason": acts.refuse(act, _TOO_LONG).words()}
    if high > _SHORT:  # of a long reason the client shows the beginning alone, of a command all
        instead += " -- " + shlex.quote("\n".join(["", *page, ""]).replace("'", "\u2019"))
        page = [*page[:2], "All of it stands above: press Page Up to read it."]
    return {
        "permissionDecision": "ask",
        "permissionDecisionReason": "\n".join(page),
        "updatedInput": {"command": instead, "description": act.title},
    }


def carry_out(
    given: dict[str, Any], environ: Mapping[str, str], home: str, workspace: str, say: Callable[[str], None]
) -> None:
    """PostToolUse: do what the person said yes to, and say what came of it. Nothing for any other command."""
    import shlex

    try:
        call_id, digest, *words = shlex.split(tool_call.command_of(given)[len(tool_call.ASKED) :])
    except ValueError:
        return
    if "--" in words:  # and then the page
        words = words[: words.index("--")]
    if call_id != given.get("tool_use_id") or not tool_call.verb_of(words):
        return
    try:
        act = acts.open_act(words, environ, home, workspace)
        why = person.attended(environ, person.TABLE[act.name])
        if not why and acts.digest(act) != digest:
            why = "it is no longer what you were shown"
        if why:
            raise acts.refuse(act, why)
        act.do(given, environ, say)
    except BusError as error:
        from .user_prompt_expansion import refusal

        say(refusal(error))
