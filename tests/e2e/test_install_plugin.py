"""install.sh and the real client: the plugin is there, an update reaches it, it goes again; and all of it by hand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.client import Room
from support.machine import FAKE_UV
from support.model import Model, bash

PLUGIN = "agent-team-os@agent-team-os"


class Machine:
    """A room with a clone of the project, which a person installs from; packages come without a network."""

    def __init__(self, room: Room, clone: Path) -> None:
        self.room = room
        self.clone = clone
        self.program = room.home / ".local/share/agent-team-os/program"
        uv = room.root / "bin/uv"
        uv.write_text(FAKE_UV)
        uv.chmod(0o755)

    def install(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run install.sh of the clone, which must succeed."""
        return self.must(str(self.clone / "install.sh"), *options)

    def must(self, *command: str, folder: str = ".") -> subprocess.CompletedProcess[str]:
        """Run a program in a folder of the room; AssertionError if it fails."""
        done = self.room.run(self.room.project(folder), *command)
        assert done.returncode == 0, done
        return done

    def join(self, agent: str) -> Path:
        """Give a folder to an agent."""
        self.must(str(self.room.home / ".local/bin/ato"), "join", agent, folder=agent)
        return self.room.project(agent)

    def plugins(self) -> list[dict[str, Any]]:
        """The plugins the client has, but for what it brings itself."""
        found: list[dict[str, Any]] = json.loads(self.room.plugin("list", "--json").stdout)
        return [entry for entry in found if not entry["id"].endswith("@builtin")]

    def markets(self) -> list[dict[str, Any]]:
        """The marketplaces the client has."""
        found: list[dict[str, Any]] = json.loads(self.room.plugin("marketplace", "list", "--json").stdout)
        return found

    def settings(self, document: dict[str, Any]) -> None:
        """Write the person's settings.json."""
        (self.room.home / ".claude/settings.json").write_text(json.dumps(document))


@pytest.fixture
def machine(room: Room, exported: Path) -> Machine:
    """A person's machine with a fresh clone and nothing installed."""
    return Machine(room, shutil.copytree(exported, room.root / "clone", symlinks=True))


def test_one_run_gives_sessions_their_mail(machine: Machine, model: Model) -> None:
    """After install.sh a session knows who it is, and its model calls the installed helper without a question."""
    assert "Claude Code has the plugin" in machine.install().stdout
    model.say(bash(f'"{machine.program}/scripts/ato" whoami --json'), "Done.")
    answer = machine.room.headless("Who am I?", machine.join("ops"))
    assert answer.text == "Done."
    first, second = model.asked()
    assert "You are ops on the agent-team-os bus, session ops/ops" in first.text
    assert '"agent":"ops"' in second.newest
    assert [market["path"] for market in machine.markets()] == [str(machine.program)]


def test_an_update_of_the_program_is_one_of_the_plugin(machine: Machine, model: Model) -> None:
    """A second install.sh brings the plugin's new files to the next session, although their folder is another."""
    machine.install()
    old = machine.program.resolve()
    inbox = machine.clone / "commands/inbox.md"
    inbox.write_text(inbox.read_text() + "\nThis is the NEWER text of ${CLAUDE_PLUGIN_ROOT}.\n")
    manifest = machine.clone / ".claude-plugin/plugin.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": "9.9.9"}))
    machine.install()
    assert not old.exists()
    machine.room.headless("/inbox", machine.join("ops"))
    (asked,) = model.asked()
    assert f"This is the NEWER text of {machine.program}." in asked.text
    assert "You are ops" in asked.text
    (plugin,) = machine.plugins()
    assert (plugin["id"], plugin["version"], plugin["enabled"]) == (PLUGIN, "9.9.9", True)
    # What the person turned off stays off.
    assert machine.room.plugin("disable", PLUGIN).returncode == 0
    machine.install()
    (plugin,) = machine.plugins()
    assert plugin["enabled"] is False


def test_uninstalling_leaves_nothing_in_the_client(machine: Machine, model: Model) -> None:
    """After --uninstall the client has neither plugin nor marketplace, and a session starts as if there were no bus."""
    machine.install()
    folder = machine.join("ops")
    assert "Removed the plugin from Claude Code." in machine.install("--uninstall").stdout
    assert machine.plugins() == machine.markets() == []
    assert "agent-team-os" not in (machine.room.home / ".claude/settings.json").read_text()
    assert machine.room.headless("Hello", folder).status == 0
    assert "agent-team-os" not in model.asked()[0].text


def test_a_plugin_from_github_is_left_alone(machine: Machine) -> None:
    """Where the person has the plugin from GitHub already, installing and uninstalling leave it, and say so."""
    machine.room.publish(machine.clone, "someone/agent-team-os")
    assert machine.room.plugin("marketplace", "add", "someone/agent-team-os").returncode == 0
    assert machine.room.plugin("install", PLUGIN).returncode == 0
    before = machine.markets(), machine.plugins()
    assert "from someone/agent-team-os, and it was left alone" in machine.install().stdout
    assert "it comes from someone/agent-team-os" in machine.install("--uninstall").stdout
    assert (machine.markets(), machine.plugins()) == before
    assert before[0][0]["source"] == "github"


def test_a_plugin_from_github_needs_no_install_step(machine: Machine, model: Model) -> None:
    """With the plugin alone the helper works: it fetches its packages into the data folder of the user."""
    machine.room.publish(machine.clone, "someone/agent-team-os")
    assert machine.room.plugin("marketplace", "add", "someone/agent-team-os").returncode == 0
    assert machine.room.plugin("install", PLUGIN).returncode == 0
    folder = machine.room.project("ops")
    runtime = machine.room.home / ".local/share/agent-team-os/runtime"
    assert not runtime.exists()
    (plugin,) = machine.plugins()
    model.say(bash(f'"{plugin["installPath"]}/scripts/ato" whoami --json'), "Done.")
    machine.room.headless("Who am I?", folder, "--allowedTools", "Bash")
    assert '"agent":null' in model.asked()[-1].newest
    (made,) = (entry for entry in runtime.iterdir() if entry.is_dir())
    assert made.name == (machine.clone / "requirements.lock.sha256").read_text().split()[0]


# ---- Without the plugin -------------------------------------------------------------------------


def blocks(machine: Machine, language: str) -> list[str]:
    """The code blocks of a language in docs/settings.md, with the person's real home in them."""
    page = (machine.clone / "docs/settings.md").read_text()
    found = re.findall(rf"^```{language}\n(.*?)^```$", page, re.M | re.S)
    return [text.replace("/home/me/", f"{machine.room.home}/") for text in found]


def test_hooks_by_hand(machine: Machine, model: Model) -> None:
    """With the printed hooks in settings.json a session is told as with the plugin."""
    machine.install("--no-plugin")
    assert machine.plugins() == []
    printed = machine.must(str(machine.program / "install.sh"), "--print-settings").stdout
    machine.settings(json.loads(printed))
    folder = machine.join("ops")
    machine.must(
        str(machine.room.home / ".local/bin/ato"), "send", "ops", "question", "-f", "question=Where?", folder="ops"
    )
    machine.room.headless("Good morning", folder)
    (asked,) = model.asked()
    assert "You are ops on the agent-team-os bus" in asked.text
    assert "Where?" in asked.text


def test_the_drain_alone_by_hand(machine: Machine, model: Model) -> None:
    """With nothing but the page's Stop hook and drain turned on, a session with unread mail does not stop at once."""
    machine.install("--no-plugin")
    machine.settings(json.loads(blocks(machine, "json")[1]))
    folder = machine.join("ops")
    ato = str(machine.room.home / ".local/bin/ato")
    machine.must(ato, "send", "ops", "question", "-f", "question=Where?", folder="ops")
    machine.must(ato, "drain", "on", folder="ops")
    map_file = machine.room.home / ".agent-team-os/AGENT_MAP.json"
    map_file.write_text(json.dumps({**json.loads(map_file.read_text()), "drain": {"max_blocks": 2}}))
    machine.room.headless("Hello", folder)
    asked = model.asked()
    assert len(asked) == 3
    assert "agent-team-os" not in asked[0].text
    assert "1 message is unhandled (block 1 of 2)" in asked[1].newest
    assert "(block 2 of 2)" in asked[2].newest
