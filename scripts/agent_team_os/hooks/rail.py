"""PreToolUse: what a model may not do through a shell, because it takes a person: it is told so, in every mode.

A rail for a model that follows its tools. It looks at the words of a command, not at what a program in it does; the
commands themselves ask again whether a person is there (`mail.person`).
"""

from __future__ import annotations

import os
import re

from . import shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 1_000_000  # characters that are looked at
_OPTIONS = r"(?:-\S+ ){0,9}"
_ATO = rf"\b(?:ato|agent-team-os|agent_team_os)(?:/__main__\.py)? {_OPTIONS}"
# Before this word our program may also stand in a variable or a substitution.
_OURS = rf"(?:{_ATO}|\$\S{{0,99}} |[`)] )"
# What can type into a session, as a command and not as a folder or a part of another word.
_TYPIST = r"(?<![\w.-])(?:claude(?:-code)?|tmux|screen|expect|script)(?![\w./-])"
_COMMAND = r"(?<![\w./~-])/(?:agent-team-os:)?(?:god|bus resume)(?![\w./-])"
# What reads and runs nothing. In one plain command of theirs the words are looked for or written, not run.
_READERS = frozenset(("cat", "echo", "git", "grep", "head", "less", "ls", "printf", "rg", "tail", "vim"))
# Of our program's verbs.
_ALONE = ("hook", "resume", ("plan", "confirm"), ("plan", "launch"), ("msg", "verify"), ("msg", "device"))
# All patterns of a rule must be there, in any order.
_RULES = (
    ((r"(?<![\w-])hooks/run(?![\w./-])",), "calls a hook of this plugin by hand"),
    ((_ATO + r"hook\b",), "calls a hook of this plugin by hand"),
    ((_OURS + rf"plan {_OPTIONS}confirm\b",), "confirms a plan"),
    ((_OURS + rf"plan {_OPTIONS}launch\b",), "opens sessions"),
    ((_OURS + r"resume(?![\w./-])",), "lifts a halt"),
    ((_OURS + rf"msg {_OPTIONS}verify(?![\w./-])",), "says whose a key is"),
    ((_OURS + rf"msg {_OPTIONS}device {_OPTIONS}accept(?![\w./-])",), "hands your user's keys to a device"),
    ((_TYPIST, _COMMAND), "types a command into a session"),
)


def refusal(given: dict[str, Any]) -> str:
    """Why a Bash command is denied; empty for one that is not."""
    asked = given.get("tool_input")
    command = asked.get("command") if isinstance(asked, dict) else None
    if given.get("tool_name") != "Bash" or not isinstance(command, str):
        return ""
    if _is_plain(command):
        return ""
    # As a shell would take it: quotes, escapes and line ends between words make no difference.
    words = " ".join(re.sub(r"\\\n|[\\'\"]", "", command[:_MOST]).split())
    for patterns, what in _RULES:
        if all(re.search(pattern, words) for pattern in patterns):
            return (
                f"agent-team-os: this command {what}, which only a person may do. Do not look for another way: "
                "tell your user what you need. A person types /god confirm PLAN or /bus resume in a session, or runs "
                "ato plan confirm, ato plan launch, ato resume, ato msg verify or ato msg device accept at a terminal "
                "outside of any session."
            )
    return ""


def _is_plain(command: str) -> bool:
    """Whether it is one plain command that does nothing of this, whatever its words and its stdin say."""
    call = shell.parse(command)
    if call is None:
        return False
    program, *args = call[0]
    name = os.path.basename(program)
    if name in _READERS:
        return True
    verbs = [word for word in args if not word.startswith("-")]
    return name in ("ato", "agent-team-os") and not {*verbs[:1], tuple(verbs[:2])} & {*_ALONE}
