"""What the hooks and two verbs import beyond a bare interpreter, and the most memory they take.

.venv/bin/python benchmarks/imports.py      # the names of the modules
"""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
from typing import Any

from measure import Row, fill

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(ROOT, "tests"))

from support.imports import HOOK, VERB, Seen, bare, started  # noqa: E402 - where it is had to be said first

PENDING = 10  # messages; the second event of each kind is looked at, which has met them before
COMMAND = {"tool_name": "Bash", "tool_input": {"command": "ls"}}
EVENTS: dict[str, dict[str, Any]] = {
    "SessionStart": {},
    "UserPromptSubmit": {},
    "PreToolUse": COMMAND,
    "Stop": {},
    "UserPromptExpansion": {"command_name": "agent-team-os:inbox", "command_args": ""},
    "SessionEnd": {},
}
VERBS = {"ato inbox": ["inbox"], "ato send": ["send", "ops", "note", "--summary", "Done"]}


def run(ato: str, python: str, env: dict[str, str], scratch: str, _rounds: int) -> list[Row]:
    """A row for each hook and verb: how many modules, and its memory as a ratio to that of a bare interpreter."""
    before = bare(python)
    rows = [Row("bare interpreter", f"{len(before.modules)} modules", 1.0, None, f"{before.peak / 1024:.0f} MiB")]
    for name, one in _seen(ato, python, env, scratch).items():
        new = one.modules - before.modules
        ours = sum(module.partition(".")[0] == "agent_team_os" for module in new)
        cost = f"{ours} + {len(new) - ours} modules"
        rows.append(Row(name, cost, one.peak / before.peak, None, f"{one.peak / 1024:.0f} MiB"))
    return rows


def listed(ato: str, python: str, env: dict[str, str], scratch: str) -> list[str]:
    """The names of the modules: those of every hook first, then what each hook or verb has beside them."""
    seen = {name: one.modules - bare(python).modules for name, one in _seen(ato, python, env, scratch).items()}
    common = frozenset.intersection(*(seen[event] for event in EVENTS))
    lines = []
    for name, modules in {"every hook": common, **{name: modules - common for name, modules in seen.items()}}.items():
        short = sorted(module.replace("agent_team_os", "", 1) or "agent_team_os" for module in modules)
        lines += textwrap.wrap(f"{name}: {' '.join(short) or '-'}", 118, subsequent_indent="    ")
    return lines


def _seen(ato: str, python: str, env: dict[str, str], scratch: str) -> dict[str, Seen]:
    """What each hook, the second time, and each verb has at its end."""
    home, _, dev = fill(ato, env, os.path.join(scratch, "imports"), PENDING)
    seen: dict[str, Seen] = {}
    for _ in range(2):
        for event, more in EVENTS.items():
            given = {"session_id": "benchmark", "hook_event_name": event, **more}
            seen[event] = started(HOOK, event, cwd=dev, env=home, given=given, python=python)
    for verb, args in VERBS.items():
        # Beside it this one finds the packages.
        seen[verb] = started(VERB, *args, cwd=dev, env=home, python=os.path.join(ROOT, ".venv", "bin", "python"))
    return seen


if __name__ == "__main__":
    interpreter = os.path.realpath(os.path.join(ROOT, ".venv", "bin", "python"))
    with tempfile.TemporaryDirectory() as folder:
        variables = {"PATH": os.environ["PATH"], "HOME": folder}
        print("\n".join(listed(os.path.join(ROOT, "scripts", "ato"), interpreter, variables, folder)))
