"""Whether a person said it: what only a person may do is refused to a model that follows its tools.

This is a rail and no wall. A process of the same user that wants to can write the files itself.

What Claude Code leaves in the environment (seen with 2.1.330): hooks and shells alike have CLAUDECODE, and CLAUDE_PID
is the client, which overwrites what it was started with. CLAUDE_CODE_ENTRYPOINT is `cli` and
CLAUDE_CODE_SESSION_ATTENDED is `1` where somebody sits there; `claude -p` has `sdk-cli` and `0`. A hook is started by
the client itself, while a shell of the model stands between.
"""

from __future__ import annotations

import os
import sys

from ..storage import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# What a session gives to all it starts. Any of them: who takes one away may forget another.
_MARKS = ("CLAUDECODE", "CLAUDE_CODE_SESSION_ID")


def typed(environ: Mapping[str, str]) -> str:
    """Why a slash command was not typed by a person in an attended session; empty if it was."""
    if environ.get("CLAUDE_CODE_ENTRYPOINT") != "cli" or environ.get("CLAUDE_CODE_SESSION_ATTENDED") != "1":
        return "nobody sits at this session"
    named = environ.get("CLAUDE_PID", "")
    client = int(named) if named.isascii() and named.isdecimal() and len(named) < 10 else 0
    above = process.ancestors()
    if not above:  # no system that tells
        return ""
    # hooks/run, and above it the client. A shell of the model would stand between them, or in the place of hooks/run.
    if above[1:2] != [client] or not "".join(process.arguments(above[0])[1:2]).endswith("/hooks/run"):
        return "this was not called by the client"
    if not _writes_to_us(client):
        return "this was not called by the client"
    if any(process.has_variable(pid, *_MARKS) for pid in above[1:]):
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
    except OSError:
        return False
    return int.from_bytes(made_by[:4], sys.byteorder) == client


def at_terminal(environ: Mapping[str, str], stdin: int = 0) -> str:
    """Why a command was not typed by a person at a terminal outside of any session; empty if it was."""
    if _is_marked(environ):
        return "this is a shell of a session"
    if not os.isatty(stdin):
        return "nobody is at a terminal here"
    if _is_below_a_session():
        return "this terminal was opened from a session"
    return ""


def in_session(environ: Mapping[str, str]) -> str:
    """Why a command may be a model's: it was called from a session; empty if it was not, as by a script of a person."""
    if _is_marked(environ):
        return "this is a shell of a session"
    if _is_below_a_session():
        return "this was started from a session"
    return ""


def _is_marked(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name) for name in _MARKS)


def _is_below_a_session() -> bool:
    return any(process.has_variable(pid, *_MARKS) for pid in process.ancestors())
