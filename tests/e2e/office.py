"""A person's machine with the plugin on it: every agent has a folder of its name, and a key the model knows it by.

office.send("ops", "dev", "Login loops")
terminal = office.terminal("dev")
(request,) = office.prompt(terminal, "dev", "Good morning")
assert "Login loops" in request.newest
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any, Optional, Union

from support.cli import PATIENCE, ROOT
from support.client import Headless, Room, Terminal
from support.model import Answer, Model, Request, Turn, bash

PLUGIN = "agent-team-os@agent-team-os"
VERSION = json.loads((ROOT / ".claude-plugin/plugin.json").read_bytes())["version"]
# How our page for what takes a person begins, and every question of the client for a permission.
ASKS = "agent-team-os asks you:"
QUESTION = re.compile("Do you want|Use skill")


class Office:
    """A room whose client has the plugin from `clone`; with `data`, a data folder, the packages are there already."""

    def __init__(self, room: Room, model: Model, clone: Path, data: Optional[Path] = None) -> None:
        self.room = room
        self.model = model
        self.home = room.home / ".agent-team-os"
        self.helper = clone / "scripts/ato"
        self._clone = clone
        self._answers = 0
        if data is not None:
            room.env["XDG_DATA_HOME"] = str(data)

    def install(self) -> None:
        """Install the plugin as a person does."""
        self.plugin("marketplace", "add", str(self._clone))
        self.plugin("install", PLUGIN)

    def plugin(self, *args: str) -> str:
        """What `claude plugin ARGS` prints; AssertionError if it fails."""
        done = self.room.plugin(*args)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ato(self, folder: str, *args: str, stdin: str = "") -> str:
        """What the helper prints where no client runs, in a folder of the room; AssertionError if it fails."""
        return self._ato(folder, *args, stdin=stdin).stdout

    def ato_said(self, folder: str, *args: str) -> str:
        """The same, with what it says on stderr."""
        done = self._ato(folder, *args)
        return done.stdout + done.stderr

    def _ato(self, folder: str, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(self.helper), *args],
            cwd=self.room.project(folder),
            env=self.room.env,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def join(self, *agents: str) -> None:
        """Put agents on the bus, each in the folder of its name."""
        for agent in agents:
            self.ato(agent, "join", agent)

    def domain(self, name: str, god: str, *others: str) -> None:
        """Give agents a domain, and the first of them the word in it."""
        agents, gods = self.map().get("agents", {}), self.map().get("gods", [])
        agents.update({agent: {**agents.get(agent, {}), "domain": name} for agent in (god, *others)})
        self.map(agents=agents, gods=[*gods, god])

    def propose(self, god: str, *tasks: dict[str, Any]) -> str:
        """Propose a plan, as a session elsewhere would, and return its id."""
        given = json.dumps({"objective": "Safari users can sign in again", "tasks": tasks})
        return str(json.loads(self.ato(god, "plan", "propose", "--json", "-", stdin=given))["id"])

    def plans(self) -> list[str]:
        """The ids of all plans."""
        return sorted(path.stem for path in (self.home / "plans").glob("plan-*.json"))

    def plan(self, plan_id: str) -> dict[str, Any]:
        """A plan as it lies on the disk."""
        return dict(json.loads((self.home / f"plans/{plan_id}.json").read_bytes()))

    def tasks(self, agent: str) -> list[dict[str, Any]]:
        """The tasks of an agent's domain."""
        return list(json.loads(self.ato(agent, "tasks", "list", "--json"))["tasks"])

    def send(self, sender: str, to: str, summary: str, *options: str) -> str:
        """Send a message about nothing in particular, as a session elsewhere would, and return its id."""
        sent = json.loads(self.ato(sender, "send", "--json", to, "note", "--summary", summary, *options))
        return str(sent["id"])

    def put(self, to: str, **fields: Any) -> str:
        """Lay a message into an inbox with whatever is in its fields, as any program of the user can; return its id."""
        message_id = self.send("ops", to, "to be replaced")
        (path,) = (self.home / "inboxes" / to).glob(f"**/{message_id}.json")
        path.write_text(json.dumps({**json.loads(path.read_bytes()), **fields}))
        return message_id

    def pending(self, agent: str) -> list[dict[str, Any]]:
        """The messages that wait in the box of a whole agent, oldest first."""
        return [json.loads(path.read_bytes()) for path in sorted((self.home / "inboxes" / agent).glob("msg-*.json"))]

    def archived(self, agent: str) -> list[str]:
        """The ids of those it has read."""
        return sorted(path.stem for path in (self.home / "inboxes" / agent / ".read").glob("msg-*.json"))

    def map(self, **changes: Any) -> dict[str, Any]:
        """The agent map, after its top-level keys were set as a person would edit them."""
        path = self.home / "AGENT_MAP.json"
        document: dict[str, Any] = {**json.loads(path.read_bytes()), **changes}
        if changes:
            path.write_text(json.dumps(document))
        return document

    def sessions(self, agent: str) -> list[dict[str, Any]]:
        """The entries of an agent's sessions in the registry."""
        return [json.loads(path.read_bytes()) for path in (self.home / "registry" / f"{agent}.d").glob("*.json")]

    def call(self, *words: str, body: str = "") -> Turn:
        """The model calls the helper in the way the commands say, with a body between quoted delimiters."""
        line = " ".join([f'"{self.helper}"', *words])
        return bash(f"{line} --body - <<'END_7F3A'\n{body}\nEND_7F3A" if body else line)

    def shell(self, folder: str, **env: str) -> Terminal:
        """A person's own terminal, where no session runs."""
        place = Path(self.room.env["TMPDIR"])
        tmux = {"TMUX_TMPDIR": str(place)}  # where a tmux that is started in it has its socket
        command = ["bash", "--norc"]
        opened = Terminal(
            place / f"shell-{folder}", self.room.project(folder), command, {**self.room.env, **tmux, "PS1": "$ ", **env}
        )
        opened.wait_for("$")
        return opened

    def headless(self, agent: str, prompt: str, *extra: str, folder: str = "", **env: str) -> Headless:
        """Run `claude -p PROMPT EXTRA` with the agent's key in its folder or another; AssertionError if it fails."""
        key = {"ANTHROPIC_API_KEY": agent}
        done = self.room.headless(prompt, self.room.project(folder or agent), *extra, **{**key, **env})
        assert done.status == 0, done.stdout + done.stderr
        return done

    def terminal(self, agent: str, *extra: str, folder: str = "", **env: str) -> Terminal:
        """Open a terminal with the agent's key in its folder, or in another."""
        key = {"ANTHROPIC_API_KEY": agent}
        return self.room.terminal(self.room.project(folder or agent), *extra, **{**key, **env})

    def prompt(self, terminal: Terminal, agent: str, text: str, *turns: Union[Turn, str]) -> list[Request]:
        """Type a prompt, let the model take these turns and then answer, and return what it was asked meanwhile.

        A question to the person would stop it: then this fails with the screen.
        """
        before = len(self.model.asked(agent))
        self._answers += 1
        last: Answer = f"Answer {self._answers} to {agent}."
        self.model.say(*turns, last, key=agent)
        terminal.submit(text)
        screen = terminal.wait_for(f"● {last}")
        assert not QUESTION.search(screen), screen
        self.idle(terminal)
        return self.model.asked(agent)[before:]

    def asked(self, terminal: Terminal, agent: str, text: str, call: Turn, *turns: Union[Turn, str]) -> str:
        """Type a prompt, let the model make a call that takes the person, and return the screen with the question.

        What the model takes next stands in `turns`.
        """
        self.model.say(call, *turns, key=agent)
        terminal.submit(text)
        terminal.wait_for(ASKS)
        return terminal.wait_for("Do you want to proceed?")

    @staticmethod
    def answer(terminal: Terminal, key: str) -> None:
        """Answer our question: a key that comes at once with the dialog is not taken by the client."""

        def gone() -> bool:
            if ASKS not in terminal.screen():
                return True
            terminal.key(key)
            time.sleep(0.3)
            return False

        terminal.wait(gone, "the end of the question")

    def agreed(self, terminal: Terminal, agent: str, text: str, call: Turn, *turns: Turn) -> list[Request]:
        """The same, answered with yes; what the model was asked, once the turn is over."""
        before = len(self.model.asked(agent))
        self._answers += 1
        last = f"Answer {self._answers} to {agent}."
        self.asked(terminal, agent, text, call, *turns, last)
        self.answer(terminal, "Enter")
        terminal.wait_for(f"● {last}")
        self.idle(terminal)
        return self.model.asked(agent)[before:]

    @staticmethod
    def idle(terminal: Terminal) -> None:
        """Wait until the client, its hooks included, is ready for the next prompt."""

        def is_idle() -> bool:
            return terminal.title.startswith("✳") and "esc to interrupt" not in terminal.screen()

        terminal.wait(is_idle, "the end of the turn")


def files(root: Path) -> set[str]:
    """All that lies below a folder; empty if it is not there."""
    return {os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names}
