"""From the name of an event to its module; whatever goes wrong, the session goes on."""

from __future__ import annotations

import json
import os

from ..mail import halt, identity
from ..protocol import agentmap, show, strictjson
from ..protocol import home as layout
from ..protocol.errors import CannotWrite, InvalidMap
from ..storage import files, unsynced
from ..storage import home as homes
from .call import Call, command_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO, Callable, Optional

EVENTS = (
    "SessionStart", "UserPromptSubmit", "UserPromptExpansion", "PreToolUse", "PostToolUse", "Stop", "SessionEnd",
)  # fmt: skip
_MOST_INPUT = 16 * 1_048_576


def run(
    event: str, environ: Mapping[str, str], cwd: str, stdin: Optional[BinaryIO], stdout: Optional[BinaryIO]
) -> None:
    """Handle an event: read its JSON, print one JSON object or nothing, then do what waits for that.

    Never raises: an error becomes a line in `state/hook-errors.log`. Other events than EVENTS are nothing to us.
    """
    home = ""
    try:
        given, broken = _input(stdin)
        if event not in EVENTS:
            return
        command = ""
        if event in ("PreToolUse", "PostToolUse"):
            from . import tool_call

            command = tool_call.command_of(given)
            if not tool_call.names_us(command):  # a client that does not know `if` calls for every command
                return
            if event == "PreToolUse" and tool_call.stands_in(command):  # in a subagent and in anybody's folder, too
                _print(stdout, _decide("deny", tool_call.DENIED))
                return
            if event == "PostToolUse" and not tool_call.stands_in(command):
                return
        if given.get("agent_id"):  # in a subagent, whose session has been told
            return
        verb = command_of(given) if event == "UserPromptExpansion" else None
        if verb == "":
            return
        if verb and given.get("command_source") != "plugin":
            _print(stdout, _shadowed(given))
            return
        workspace = _workspace(given, environ, cwd)
        found = layout.find(environ)
        try:
            there = _may_be_used(found, workspace)
        except CannotWrite as error:
            if verb:  # the person has asked; everywhere else we are not here
                from . import user_prompt_expansion

                _print(stdout, _tell(event, user_prompt_expansion.refusal(error)))
            return
        home = found if there else ""
        if broken:
            raise broken
        words = tool_call.asks(command) if event == "PreToolUse" else None
        if verb or event == "PostToolUse":

            def say(text: str) -> None:
                _print(stdout, _halted(found, event, text))

            if verb:
                from . import user_prompt_expansion

                user_prompt_expansion.run(found, verb, given, environ, workspace, say)
            else:
                from . import asking

                asking.carry_out(given, environ, found, workspace, say)
            if os.path.isdir(found):
                unsynced.touch(layout.hook_ran(found, event))
        elif words is not None:
            from . import asking

            question = asking.ask(given, words, environ, found, workspace)
            if question:
                _print(stdout, {"hookSpecificOutput": {"hookEventName": event, **question}})
        elif there:
            _handle(event, home, given, environ, workspace, stdout)
    except Exception as error:  # the worst bug we could ship is a hook that breaks a session
        if home:  # elsewhere there is nowhere to say it
            from ..mail import hook_log

            hook_log.add(home, event, error)


def _handle(
    event: str,
    home: str,
    given: dict[str, Any],
    environ: Mapping[str, str],
    workspace: str,
    stdout: Optional[BinaryIO],
) -> None:
    try:
        document, news = homes.known_map(home)
    except InvalidMap as error:
        if event == "SessionStart":  # once, and for the person: nothing works until it is mended
            from ..protocol import frame

            why = frame.frame([show.one_line(f"{error.message}. {error.hint}", 260)], frame.FOUND)
            _print(stdout, {"systemMessage": f"agent-team-os: the map cannot be used (here: /bus doctor).\n{why}"})
        raise
    who = identity.of_workspace(document, environ, workspace)
    if who.agent is None or who.slug is None:
        if event == "SessionStart":
            _anonymous(home, environ, stdout)
        return
    if news:
        homes.keep_map(home, news)
    _recover(home)
    call = Call(event, given, environ, home, document, who)
    halted = halt.current(home)
    answer = _answer(call) if halted is None else _answer_halted(call, halted)
    if answer:
        _print(stdout, answer)
    for step in call.after:
        step()
    unsynced.touch(layout.hook_ran(home, event))


def _anonymous(home: str, environ: Mapping[str, str], stdout: Optional[BinaryIO]) -> None:
    """Mail from people is for whoever sits there, also in a folder that is no agent's."""
    if not os.path.isdir(os.path.join(home, "people")):
        return
    from . import announce

    after: list[Callable[[], None]] = []
    words = announce.from_people(home, environ, after)
    if words:
        _print(stdout, _tell("SessionStart", "\n".join(words)))
    for step in after:
        step()


def _recover(home: str) -> None:
    """Finish what killed commands left, where anything is left at all."""
    try:
        left = files.names(layout.spool(home))
    except OSError:  # a folder that cannot be read: doctor names it
        return
    if left:
        from ..mail import delivery, inbox

        delivery.recover(home, inbox.PER_HOOK)


def _answer(call: Call) -> Optional[dict[str, Any]]:
    """What an event says; nothing, or a document for Claude Code."""
    if call.event == "SessionEnd":
        from . import session_end

        session_end.run(call)
        return None
    if call.event == "Stop":
        from . import stop

        return stop.run(call)
    specific: Optional[dict[str, Any]]
    if call.event == "SessionStart":
        from . import session_start

        specific = session_start.run(call)
    elif call.event == "UserPromptSubmit":
        from . import user_prompt_submit

        specific = user_prompt_submit.run(call)
    else:
        from . import pre_tool_use

        asked = pre_tool_use.reaching_out(call.map, call.agent)
        allowed = pre_tool_use.run(call.given, call.workspace, layout.launcher(), asked)
        return _decide("allow") if allowed else None
    return {"hookSpecificOutput": {"hookEventName": call.event, **specific}} if specific else None


def _answer_halted(call: Call, halted: dict[str, Any]) -> Optional[dict[str, Any]]:
    """The same while the bus is halted: every session hears of it, and none is kept from stopping by mail."""
    if call.event == "SessionEnd":
        return _answer(call)
    said = {"systemMessage": "agent-team-os: " + show.one_line(halt.sentence(halted), 500)}
    if call.event == "Stop":
        call.beat("idle")
        return said
    if call.event == "PreToolUse":
        return {**(_answer(call) or {}), **said}
    answer = _answer(call) or _tell(call.event, "")
    specific = answer["hookSpecificOutput"]
    specific["additionalContext"] = "\n".join(filter(None, (halt.words(halted), specific["additionalContext"])))
    return answer


def _decide(decision: str, why: str = "") -> dict[str, Any]:
    reason = {"permissionDecisionReason": why} if why else {}
    return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": decision, **reason}}


def _halted(home: str, event: str, text: str) -> dict[str, Any]:
    """What a command of ours says, asked after it was carried out: it may have lifted the halt."""
    halted = halt.current(home)
    return _tell(event, text if halted is None else f"{halt.words(halted)}\n{text}")


def _tell(event: str, text: str) -> dict[str, Any]:
    return {"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}


def _shadowed(given: dict[str, Any]) -> dict[str, Any]:
    """What the person is told where a command has the name of ours and is another's; nothing from a client that does
    not say whose it is."""
    if "command_source" not in given:
        return {}
    words = (
        f"/{given['command_name']} is not the command of the plugin: another file, of this project or your own, has "
        "the same name and was expanded instead. Look at it, in .claude/commands or .claude/skills."
    )
    return {"systemMessage": "agent-team-os: " + show.one_line(words, 500)}


def _harmless(answer: Any) -> Any:
    """The same with no tag in any text: a model reads all of them, in the end in the transcript.

    But for a command, which is the model's own.
    """
    from ..protocol import frame

    if isinstance(answer, dict):
        return {name: value if name == "updatedInput" else _harmless(value) for name, value in answer.items()}
    return frame.harmless(answer) if isinstance(answer, str) else answer


def _input(stdin: Optional[BinaryIO]) -> tuple[dict[str, Any], Optional[Exception]]:
    """The hook's input, empty where it is no object, and what is wrong with it.

    Not as strict as the bus is with its own files: a prompt may hold half a character.
    """
    try:
        document = json.loads((stdin.read(_MOST_INPUT) if stdin else b"") or b"{}")
    except (ValueError, RecursionError, OSError) as error:
        return {}, error
    return document if isinstance(document, dict) else {}, None


def _workspace(given: dict[str, Any], environ: Mapping[str, str], cwd: str) -> str:
    named = environ.get("CLAUDE_PROJECT_DIR") or given.get("cwd")
    return named if isinstance(named, str) and os.path.isabs(named) else cwd


def _may_be_used(home: str, workspace: str) -> bool:
    """Whether there is a bus home; CannotWrite if it may not be trusted.

    One inside the project was brought by whoever wrote the project; it is not even looked at.
    """
    if (os.path.realpath(home) + "/").startswith(os.path.realpath(workspace).rstrip("/") + "/"):
        raise CannotWrite(
            f"the bus home {agentmap.short(home)} lies inside this project and is not used here",
            "Open the session in a folder that does not hold it, or set AGENT_TEAM_OS_HOME.",
        )
    return homes.check(home)


def _print(stdout: Optional[BinaryIO], answer: dict[str, Any]) -> None:
    """One JSON object, handed to the system when this returns; OSError if it does not take it."""
    if not answer:
        return
    if stdout is None:
        raise OSError("there is no standard output")
    document = strictjson.dump(answer)
    if not document.isascii() or "<" in document:
        document = strictjson.dump(_harmless(answer))
    stdout.write(document.encode("utf-8") + b"\n")
    stdout.flush()
