"""The client as it asks the person: a call of the Bash tool, its question, and what comes of a yes.

question = ask(team, "ato plan confirm a1b2c3")   # what PreToolUse answers; {} where it says nothing
told = say_yes(team, question)                    # what PostToolUse tells the model, after the person's yes

The seat is the client: it starts the hook and writes to its socket. `command` is what it starts instead of our hook,
`above` are its own variables, and other keywords are variables of the hook.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from conftest import Team
from support.hooks import LAUNCHER
from support.seat import Seat

# What a session of Claude Code with somebody at it leaves to its hooks; the seat is the client.
ATTENDED = {
    "CLAUDECODE": "1",
    "CLAUDE_PID": "{pid}",
    "CLAUDE_CODE_ENTRYPOINT": "cli",
    "CLAUDE_CODE_SESSION_ATTENDED": "1",
    "CLAUDE_CODE_SESSION_ID": "s-1",
}
CALL = "toolu_01A"


def fire(
    team: Team, event: str, agent: str = "ops", *, command: Optional[list[str]] = None,
    above: Optional[Mapping[str, str]] = None, given: Optional[Mapping[str, Any]] = None,
    session: Optional[str] = "s-1", **env: Optional[str],
) -> dict[str, Any]:  # fmt: skip
    """The document that the hook of an event prints in an attended session; empty for nothing."""
    folder = team.root / agent
    document = {"session_id": session, "hook_event_name": event, "cwd": str(folder), **(given or {})}
    variables = {name: value for name, value in {**team.env, **ATTENDED, **env}.items() if value is not None}
    started = command or ["sh", str(LAUNCHER), event]
    with Seat(variables, folder, started, above=above, given=json.dumps(document)) as seat:
        status, shown = seat.end()
    assert status == 0, shown
    return dict(json.loads(shown)) if shown.strip() else {}


def ask(team: Team, call: str, agent: str = "ops", given: Optional[Mapping[str, Any]] = None, **how: Any) -> Any:
    """What PreToolUse decides of a call of Bash."""
    tool = {"tool_name": "Bash", "tool_use_id": CALL, "tool_input": {"command": call}, **(given or {})}
    return fire(team, "PreToolUse", agent, given=tool, **how).get("hookSpecificOutput", {})


def say_yes(
    team: Team, question: Mapping[str, Any], agent: str = "ops", given: Optional[Mapping[str, Any]] = None, **how: Any
) -> str:
    """What PostToolUse says of a question that was answered with yes; empty for nothing."""
    assert question["permissionDecision"] == "ask", question
    tool = {"tool_name": "Bash", "tool_use_id": CALL, "tool_input": question["updatedInput"], **(given or {})}
    answer = fire(team, "PostToolUse", agent, given=tool, **how)
    return str(answer.get("hookSpecificOutput", {}).get("additionalContext", ""))


def done(team: Team, call: str, agent: str = "ops", **how: Any) -> str:
    """What comes of a call that the person says yes to."""
    return say_yes(team, ask(team, call, agent, **how), agent, **how)


def typed(team: Team, line: str, agent: str = "ops", **how: Any) -> str:
    """What the model is told of a slash command."""
    name, _, words = line.partition(" ")
    given = {
        "expansion_type": "slash_command", "command_name": f"agent-team-os:{name[1:]}", "command_args": words,
        "command_source": "plugin",
    }  # fmt: skip
    answer = fire(team, "UserPromptExpansion", agent, given=given, **how)["hookSpecificOutput"]
    return str(answer["additionalContext"])
