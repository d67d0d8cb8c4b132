"""Launch: a session of Claude Code for each agent a dispatched plan has work for, in that agent's folder."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import Any

from ..mail import person, registry
from ..protocol import agentmap, show
from ..protocol.documents import AgentMap
from ..protocol.errors import CannotWrite, NotConfirmed
from ..storage import process
from . import plans

PROMPT = "/inbox"  # what each session starts with: its brief is there


def sessions(home: str, document: AgentMap, plan: plans.Plan) -> list[dict[str, Any]]:
    """`{agent, folder, live, command}` for each assignee, in the plan's order.

    `folder` is None where none is known, `live` says whether the agent has a session already. `command` is the argv; it
    is run in that folder. NotConfirmed for a plan that has not gone out.
    """
    if plan["status"] != "dispatched":
        plans.check_confirmed(plan)
        raise NotConfirmed(f"{plan['id']} has not been dispatched", f"First: ato plan dispatch {plan['id']}")
    found = []
    for agent in dict.fromkeys(task["assignee"] for task in plan["tasks"]):
        folder = _workspace_of(home, document, agent)
        live = registry.presence(home, agent)[0] == "live"
        found.append({"agent": agent, "folder": folder, "live": live, "command": ["claude", PROMPT]})
    return found


def _workspace_of(home: str, document: AgentMap, agent: str) -> str | None:
    """The folder an agent works in: that of its last session, else the first of its rules that names one."""
    card = registry.card(home, agent)
    places = [card["workspace_path"]] if card and card.get("workspace_path") else []
    places += [
        agentmap.resolve(rule["pattern"])
        for rule in document.get("rules", ())
        if rule["agent"] == agent and rule.get("match") != "glob"
    ]
    for place in places:
        if place and os.path.isdir(place) and agentmap.agent_for(document, place)[0] == agent:
            return place
    return None


def line(session: dict[str, Any]) -> str:
    """The exact words that open a session in a shell."""
    return f"cd {shlex.quote(session['folder'])} && {shlex.join(session['command'])}"


def commands(wanted: list[dict[str, Any]], opens: bool) -> list[str]:
    """The lines that open the sessions which a launch would show, or with `opens` would open."""
    return [show.one_line(line(session)) for session in _due(wanted, opens)]


def carry_out(wanted: list[dict[str, Any]], opens: bool) -> tuple[list[str], list[str], list[str]]:
    """Open the sessions, or with `opens` off only say how; returns the windows opened, what was done, and notes."""
    opened = open_windows(_due(wanted, opens)) if opens else []
    done = [f"Opened {window}" for window in opened] or commands(wanted, opens)
    notes = []
    for session in wanted:
        if opens and session["live"]:
            notes.append(f"{session['agent']} has a session already; its brief is in its inbox.")
        elif not session["folder"]:
            notes.append(f"{session['agent']} has no folder of its own in the map; open Claude Code where it works.")
    return opened, done, notes


def _due(wanted: list[dict[str, Any]], opens: bool) -> list[dict[str, Any]]:
    return [session for session in wanted if session["folder"] and not (opens and session["live"])]


def open_windows(wanted: list[dict[str, Any]]) -> list[str]:
    """Open a tmux window for each session; returns their names. Inside tmux they are opened there, else in a new one.

    The sessions know nothing of one that this was called from. CannotWrite where there is no tmux or no claude, or if
    tmux fails.
    """
    environ = person.outside(os.environ)
    found = {name: process.program(name) for name in ("tmux", "claude")}
    for name, program in found.items():
        if program is None:
            raise CannotWrite(f"there is no {name} on PATH", "Run the commands by hand: ato plan launch PLAN")
    tmux, claude = str(found["tmux"]), str(found["claude"])
    opened: list[str] = []
    for session in wanted:
        name = session["agent"]
        target = ["new-window", "-d"]
        if not os.environ.get("TMUX"):
            there = subprocess.run([tmux, "has-session", "-t", "=ato"], capture_output=True, check=False, env=environ)
            target += ["-t", "=ato:"]
            if there.returncode:
                target = ["new-session", "-d", "-s", "ato"]
        folder = session["folder"].replace("#", "##")  # tmux would fill in what #{…} names and run what #(…) says
        if folder.endswith(";"):
            folder = folder[:-1] + "\\;"  # else the end of its command
        command = [tmux, *target, "-n", name, "-c", folder, "-P", "-F", "#{session_name}:#{window_name}"]
        words = shlex.join([claude, *session["command"][1:]])
        done = subprocess.run([*command, words], capture_output=True, encoding="utf-8", check=False, env=environ)
        if done.returncode:
            before = f"Opened before: {', '.join(opened)}. " if opened else ""
            why = f"tmux opened no window for {name}: {done.stderr.strip()[:200]}"
            raise CannotWrite(why, f"{before}Open it by hand: {line(session)}")
        opened.append(done.stdout.strip())
    return opened
