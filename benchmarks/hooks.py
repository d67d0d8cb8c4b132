"""The hooks, through the launcher as Claude Code starts them, beside the interpreter that the launcher picks."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

from measure import Command, Row, costs, fill, interleaved

PENDING = (0, 100, 1000, 10000)
LIMIT, ANONYMOUS, MANY = 3.5, 2.8, 6.0  # ratios: up to 1,000 pending, in an anonymous folder, 10,000 pending


def run(ato: str, _: str, env: dict[str, str], scratch: str, rounds: int) -> list[Row]:
    """Time each event with each number of pending messages."""
    launcher = os.path.join(os.path.dirname(os.path.dirname(ato)), "hooks", "run")
    inputs = {
        event: _input(scratch, event)
        for event in ("SessionStart", "UserPromptSubmit", "Stop", "PreToolUse", "SessionEnd")
    }
    anonymous = os.path.join(scratch, "anonymous")
    os.mkdir(anonymous)
    commands, limits = [], {}
    for number in PENDING:
        for drain in (False, True):
            home, _, dev = fill(ato, env, os.path.join(scratch, f"hooks{number}{'d' * drain}"), number)
            if drain:
                subprocess.run([ato, "drain", "on"], env=home, cwd=dev, check=True, stdout=subprocess.DEVNULL)
            for event in ("Stop",) if drain else ("SessionStart", "UserPromptSubmit", "Stop"):
                name = f"{event}{', drain on' * drain}, {number} pending"
                expect = {"SessionStart": b"You are dev", "Stop": b'"block"' if drain and number else b""}.get(
                    event, b""
                )
                command = Command(name, ["sh", launcher, event], home, dev, expect, inputs[event])
                if drain:
                    command.before = _unblocked(home)
                commands.append(command)
                limits[name] = LIMIT if number <= 1000 else MANY
            if number == 1000 and not drain:
                call = Command("SessionEnd", ["sh", launcher, "SessionEnd"], home, dev, b"", inputs["SessionEnd"])
                tool = Command("PreToolUse", ["sh", launcher, "PreToolUse"], home, dev, b"", inputs["PreToolUse"])
                nobody = ["sh", launcher, "UserPromptSubmit"]
                commands += [call, tool]
                commands.append(Command("anonymous folder", nobody, home, anonymous, b"", inputs["UserPromptSubmit"]))
                limits["anonymous folder"] = ANONYMOUS
    commands[0].run()  # the launcher now remembers its interpreter
    with open(os.path.join(scratch, ".cache", "agent-team-os", "python"), encoding="utf-8") as file:
        python = file.read().strip()
    bare = Command("bare interpreter", [python, "-I", "-S", "-E", "-c", "pass"], env, scratch)
    interleaved([bare, *commands], rounds)
    return costs([bare, *commands], limits)


def _input(scratch: str, event: str) -> str:
    """A file with what Claude Code gives a hook; a compacted session, since that is told everything again."""
    path = os.path.join(scratch, event + ".json")
    given = {"session_id": "benchmark", "hook_event_name": event, "source": "compact", "tool_name": "Bash"}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**given, "tool_input": {"command": "ls"}}, file)
    return path


def _unblocked(home: dict[str, str]) -> Callable[[], None]:
    """Lets the session forget that it was blocked, so that each round is its first block; the rest it remembers."""
    path = os.path.join(home["AGENT_TEAM_OS_HOME"], "state", "benchmark.json")

    def forget() -> None:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                memory = json.load(file)
            memory.pop("blocked", None)
            with open(path, "w", encoding="utf-8") as file:
                json.dump(memory, file, separators=(",", ":"))

    return forget
