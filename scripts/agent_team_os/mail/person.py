"""Whether a person said it, and the table of all that only a person may say.

What Claude Code leaves in the environment (seen with 2.1.332): hooks and shells alike have the variables of MARKS, and
CLAUDE_PID is the client, which overwrites what it was started with. CLAUDE_CODE_ENTRYPOINT is `cli` and
CLAUDE_CODE_SESSION_ATTENDED is `1` where somebody sits there; `claude -p` has `sdk-cli` and `0`. A hook is started by
the client itself, while a shell of the model stands between.

A process of the same user that hides where it comes from can still write the files itself; SECURITY.md says so.
"""

from __future__ import annotations

import os
import sys
from collections import namedtuple

from ..protocol.errors import NotConfirmed
from ..storage import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NamedTuple

    class Rule(NamedTuple):
        """Who may do something: in a session after a question of the client, at a terminal, by a script."""

        what: str  # as in "WHAT takes a person"
        session: bool  # the client asks; else a session never may
        script: bool  # outside of sessions, without a terminal
        retype: bool = False  # at a terminal the last group of a key is typed, and no option stands for it

else:
    Rule = namedtuple("Rule", "what session script retype", defaults=[False])

# A person at a terminal outside of sessions may do all of it. A script there may do what can be undone and shows.
TABLE = {
    "join": Rule("joining a folder", session=True, script=True),
    "rejoin": Rule("giving away a folder that has an agent", session=True, script=False),
    "drain": Rule("changing drain", session=True, script=True),
    "god": Rule("changing god mode", session=True, script=False),
    "plan confirm": Rule("confirming a plan", session=True, script=False),
    "plan launch": Rule("opening sessions", session=True, script=False),
    "resume": Rule("lifting a halt", session=True, script=False),
    "msg setup": Rule("setting up mail between people", session=False, script=True),
    "msg change": Rule("changing who you are, or where your mail goes,", session=False, script=False),
    "msg claim": Rule("taking over an address", session=False, script=False, retype=True),
    "msg verify": Rule("saying whose a key is", session=False, script=False, retype=True),
    "msg device accept": Rule("handing your keys to a device", session=False, script=False, retype=True),
    "msg device add": Rule("taking over the keys of a person", session=False, script=False, retype=True),
}

# What a session gives to all it starts. Any of them counts: whoever takes one away may forget another.
MARKS = (
    "CLAUDECODE",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_SESSION_ATTENDED",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_MESSAGING_SOCKET",
    "CLAUDE_PID",
    "AGENT_TEAM_OS_SESSION",
)
# What else of a session a terminal that a person opens must not inherit.
_TRACES = (
    "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_MESSAGING_TOKEN", "CLAUDE_CODE_CHILD_NOTES_DIR", "CLAUDE_PROJECT_DIR",
    "CLAUDE_PLUGIN_ROOT", "CLAUDE_PLUGIN_DATA", "CLAUDE_ENV_FILE", "AI_AGENT",
)  # fmt: skip


def check(act: str, environ: Mapping[str, str], call: str, ato: str) -> None:
    """NotConfirmed unless whoever runs this command may do `act`, a key of TABLE.

    `call` is the command's words, `ato` how the reader calls this program; both are for the hint. In a session this
    always refuses: there the client asks, and the hook after its question carries it out.
    """
    rule = TABLE[act]
    why = in_session(environ)
    if why:
        hint = f"Your user runs it at a terminal outside of sessions: ato {call}"
        if rule.session:
            hint = f"Run it as the only command, and Claude Code asks your user: {ato} {call}. Or: {hint}"
    elif rule.script or os.isatty(0):
        return
    else:
        why, hint = "nobody is at a terminal here", f"Run it at a terminal: ato {call}"
    raise NotConfirmed(f"{rule.what} takes a person, and {why}", hint)


def attended(environ: Mapping[str, str], rule: Rule) -> str:
    """Why a hook was not called by the client of a session that a person sits at; empty if it was.

    For what a script may do as well, less is enough: older clients do not say which process they are, and on some
    systems nobody says who has called.
    """
    sits = environ.get("CLAUDE_CODE_SESSION_ATTENDED", "1" if rule.script else "")
    if environ.get("CLAUDE_CODE_ENTRYPOINT") != "cli" or sits != "1":
        return "nobody sits at this session"
    named = environ.get("CLAUDE_PID", "")
    client = int(named) if named.isascii() and named.isdecimal() and len(named) < 10 else 0
    above = process.ancestors()
    if rule.script and not above:
        return ""
    if rule.script and not named:  # whoever stands where an older client would
        client = above[1] if len(above) > 1 else 0
    # hooks/run, and above it the client. A shell of the model would stand between them, or in the place of hooks/run.
    if above[1:2] != [client] or not any(word.endswith("/hooks/run") for word in process.arguments(above[0])[1:4]):
        return "this was not called by the client"
    if not _writes_to_us(client):
        return "this was not called by the client"
    if any(process.has_variable(pid, *MARKS) for pid in above[1:]):
        return "this session was itself started from a session"
    return ""


def _writes_to_us(client: int) -> bool:
    """Whether our stdin is a socket that this process has made, as the client does for its hooks.

    A shell of the model can `exec` hooks/run and so be in its place; but the kernel keeps who has made a socket.
    """
    import socket

    try:
        with socket.socket(fileno=os.dup(0)) as stdin:
            made_by = stdin.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    except (OSError, AttributeError):
        return False
    return int.from_bytes(made_by[:4], sys.byteorder) == client


def in_session(environ: Mapping[str, str]) -> str:
    """Why a command may be a model's: it was called from a session; empty if it was not."""
    if any(environ.get(name) for name in MARKS):
        return "this is a shell of a session"
    if any(process.has_variable(pid, *MARKS) for pid in process.ancestors()):
        return "this terminal was opened from a session" if os.isatty(0) else "this was started from a session"
    return ""


def outside(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for what a person opens from a session and is to be outside of it."""
    return {name: value for name, value in environ.items() if name not in (*MARKS, *_TRACES)}
