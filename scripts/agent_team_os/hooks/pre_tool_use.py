"""PreToolUse: whether a shell command is one call of our own helper, which needs no question.

A yes is the only guard there is: nobody looks at the command after it. Whatever is not known to be harmless gets no
answer, and then the person is asked as ever.
"""

from __future__ import annotations

import os

from ..protocol import agentmap
from . import shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..protocol.documents import AgentMap

# What an option takes: nothing, any text, or what leads to a file. _NAMED is named in the message and not read, _SENT
# is read and sent, _SOURCE is that after an @.
_FLAG, _TEXT, _NAMED, _SENT, _SOURCE = range(5)
_ALWAYS = {"--json": _FLAG, "--help": _FLAG, "-h": _FLAG}
# Without --allow-secret, which a person should have wanted.
_CONTENT = {
    **_ALWAYS,
    "--summary": _TEXT, "-s": _TEXT, "--body": _SOURCE, "--payload": _SOURCE, "--field": _TEXT, "-f": _TEXT,
    "--priority": _TEXT, "-p": _TEXT, "--ref": _TEXT, "--attach": _SENT, "-a": _SENT, "--requires-response": _FLAG,
    "--response-by": _TEXT, "--escalate-after": _TEXT, "--budget-minutes": _TEXT, "--dry-run": _FLAG,
}  # fmt: skip
# Without --batch of send: many messages, each with fields of its own.
_VERBS = {
    "whoami": _ALWAYS,
    "bus": _ALWAYS,
    "inbox": {**_ALWAYS, "--all": _FLAG},
    # Without --save, here and of `msg`: others have chosen the names, and in a project some are run (conftest.py).
    "read": {**_ALWAYS, "--peek": _FLAG},
    "thread": {**_ALWAYS, "--status": _TEXT},
    "trace": _ALWAYS,
    "overdue": _ALWAYS,
    "telemetry": {**_ALWAYS, "--by": _TEXT, "--since": _TEXT, "--agent": _TEXT},
    "god status": _ALWAYS,
    "plan show": _ALWAYS,
    "plan propose": _ALWAYS,
    "plan dispatch": _ALWAYS,
    "tasks list": {**_ALWAYS, "--status": _TEXT, "--assignee": _TEXT, "--blocked": _FLAG},
    "tasks show": _ALWAYS,
    # Without `msg send`: what leaves the machine, a person has seen.
    "msg list": {**_ALWAYS, "--all": _FLAG},
    "msg read": _ALWAYS,
    "msg users": _ALWAYS,
    "msg outbox": _ALWAYS,
    "msg sync": _ALWAYS,
    "send": {**_CONTENT, "--type": _TEXT, "--thread": _TEXT},
    "reply": _CONTENT,
    "handoff": {
        **_CONTENT, "--thread": _TEXT, "--state-summary": _TEXT, "--next-step": _TEXT, "--blocker": _TEXT,
        "--file": _NAMED,
    },
}  # fmt: skip
_GROUPS = {verb.partition(" ")[0] for verb in _VERBS if " " in verb}
_WRITING = ("plan propose", "plan dispatch")
# What reaches the task manager, which may be elsewhere.
_TASKS = ("reply", "plan dispatch", "tasks list", "tasks show")
# The keys of a Bash call that change nothing of what was read here.
_KNOWN = frozenset(("command", "description", "timeout", "run_in_background", "dangerouslyDisableSandbox"))


def reaching_out(document: AgentMap, agent: str) -> tuple[str, ...]:
    """The verbs that for this agent may reach a task manager which is not on this machine."""
    if not any(agentmap.leaves_machine(document, other) for other in agentmap.agents(document)):
        return ()
    # An answer moves the agent's own task. The others make changes that were kept for anybody, or tasks for others.
    return _TASKS if agentmap.leaves_machine(document, agent) else _TASKS[1:]


def run(given: dict[str, Any], workspace: str, helper: str, asked: tuple[str, ...] = ()) -> bool:
    """True for a Bash command that is exactly one harmless call of the helper. Never raises.

    `workspace` is the absolute path of the project, whose files may be sent; `helper` is that of our program; for the
    verbs in `asked` a person is always asked.
    """
    try:
        return _passes(given, workspace, helper, asked)
    except Exception:  # links without end, paths without bytes, input of any shape: no answer is always right
        return False


def _passes(given: dict[str, Any], workspace: str, helper: str, kept: tuple[str, ...]) -> bool:
    asked = given.get("tool_input")
    if given.get("agent_id") is not None or not isinstance(asked, dict):
        return False
    if given.get("tool_name") != "Bash" or not _KNOWN.issuperset(asked):
        return False
    command = asked.get("command")
    if asked.get("dangerouslyDisableSandbox") or asked.get("run_in_background") or not isinstance(command, str):
        return False
    call = shell.parse(command)
    if call is None or not _is_ours(call[0][0], helper):
        return False
    root = os.path.realpath(workspace)
    if os.path.isabs(workspace) and root != "/" and os.path.realpath(helper).startswith(root + "/"):
        return False  # one in the project can be rewritten by whoever works there
    args = call[0][1:]
    if args in (["--version"], ["--help"], ["-h"], ["god"]):
        return True
    verb = " ".join(args[:2]) if args[:1] and args[0] in _GROUPS else "".join(args[:1])
    options = _VERBS.get(verb)
    if options is None or verb in kept:
        return False
    if given.get("permission_mode") == "plan" and (verb in _WRITING or options.keys() >= _CONTENT.keys()):
        return False  # there the person has asked for a plan and for nothing to be done
    args = args[1 + verb.count(" ") :]
    if verb == "plan propose" and not ({"-"} <= set(args) <= {"-", "--json"} or args in (["--help"], ["-h"])):
        return False  # a file would be read
    folder = given.get("cwd")
    if not isinstance(folder, str) or not os.path.isabs(folder):
        folder = workspace
    return _harmless(options, args, folder, workspace)


def _is_ours(program: str, helper: str) -> bool:
    """True for the helper by the path we know it by, or by its real one; a link to it may lead elsewhere tomorrow."""
    real = os.path.realpath(helper)
    return (
        program in (helper, real)
        and program.startswith("/")
        and not program.startswith("//")
        and os.path.normpath(program) == program
        and os.path.realpath(program) == real
        and os.path.isfile(real)
    )


def _harmless(options: dict[str, int], args: list[str], folder: str, workspace: str) -> bool:
    """True if all options are known and the files they lead to, seen from a folder, are of the workspace."""
    rest = iter(args)
    for word in rest:
        if not word.startswith("-") or word == "-":
            continue  # an argument: an id, a recipient, an intent
        name, equals, value = word.partition("=")
        kind = options.get(name)
        if kind is None or (equals and (kind == _FLAG or not name.startswith("--"))):
            return False
        if kind == _FLAG:
            continue
        if not equals:
            following = next(rest, None)  # whatever it looks like, as click does
            if following is None:
                return False
            value = following
        if not _may_lead_to(kind, value, folder, workspace):
            return False
    return True


def _may_lead_to(kind: int, value: str, folder: str, workspace: str) -> bool:
    if kind == _TEXT:
        return True
    if kind == _SOURCE:
        if not value.startswith("@"):
            return True
        value = value[1:]
    if not os.path.isabs(workspace):
        return False
    root = os.path.realpath(workspace)
    real = os.path.realpath(os.path.join(folder, value))
    # A whole disk is no project: nothing begins with the "//" that comes of "/".
    if not real.startswith(root + "/"):
        return False
    return kind == _NAMED or not any(part.startswith(".") for part in real[len(root) + 1 :].split("/"))
