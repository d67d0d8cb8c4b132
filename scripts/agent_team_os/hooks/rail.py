"""PreToolUse: what a model may not do through a shell, because it takes a person: it is told so, in every mode.

A rail for a model that follows its tools. It looks at the words of a command, not at what a program in it does; the
commands themselves ask again whether a person is there (`mail.person`).
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 1_000_000  # characters that are looked at
_ATO = r"(?:ato|agent-team-os|agent_team_os)(?:/__main__\.py)?"
_RULES = (
    (r"hooks/run\b", "calls a hook of this plugin by hand"),
    (rf"\b{_ATO} (?:-\S+ )*hook\b", "calls a hook of this plugin by hand"),
    (r"\bplan (?:-\S+ )*confirm\b", "confirms a plan"),
    (r"\bplan (?:-\S+ )*launch\b", "opens sessions"),
    (rf"\b{_ATO} (?:-\S+ )*resume\b", "lifts a halt"),
    (r"\b(?:claude|tmux|screen|expect|script)\b.*(?:/(?:agent-team-os:)?god\b|/(?:agent-team-os:)?bus resume\b)",
     "types a command into a session"),
)  # fmt: skip


def refusal(given: dict[str, Any]) -> str:
    """Why a Bash command is denied; empty for one that is not."""
    asked = given.get("tool_input")
    command = asked.get("command") if isinstance(asked, dict) else None
    if given.get("tool_name") != "Bash" or not isinstance(command, str):
        return ""
    # As a shell would take it: quotes, escapes and line ends between words make no difference.
    words = " ".join(re.sub(r"\\\n|[\\'\"]", "", command[:_MOST]).split())
    for pattern, what in _RULES:
        if re.search(pattern, words):
            return (
                f"agent-team-os: this command {what}, which only a person may do. Do not look for another way: "
                "tell your user what you need. A person types /god confirm PLAN or /bus resume in a session, or runs "
                "ato plan confirm, ato plan launch or ato resume at a terminal outside of any session."
            )
    return ""
