"""The plugin as the client manages it: valid, installed, used from the client's own copy, and gone without a trace."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from e2e.office import PLUGIN, VERSION, Office, files
from support.client import Room
from support.model import Model

COMMANDS = ["bus", "god", "handoff", "inbox", "msg", "read", "reply", "send", "thread"]


@pytest.mark.parametrize("path", [".", ".claude-plugin/plugin.json"], ids=["marketplace", "plugin"])
def test_it_is_valid(room: Room, clone: Path, path: str) -> None:
    """The client and its public catalogue have nothing to say of the plugin; of one with a bad name they would have."""
    arguments = ("--strict", "--profile", "directory")
    done = room.plugin("validate", str(clone / path), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "These checks found nothing to report" in done.stdout
    assert "Validation passed" in done.stdout
    assert re.findall(r"commands: agent-team-os:(\w+)", done.stdout) == COMMANDS
    assert "skills: agent-team-os:agent-team-os" in done.stdout
    worse = shutil.copytree(clone, room.root / "worse")
    manifest = worse / ".claude-plugin" / ("marketplace.json" if path == "." else "plugin.json")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "name": "Not A Name"}))
    assert room.plugin("validate", str(worse / path), *arguments).returncode == 1


def installed(office: Office) -> list[dict[str, object]]:
    """What `claude plugin list` knows, but for what the client brings itself."""
    found: list[dict[str, object]] = json.loads(office.plugin("list", "--json"))
    return [entry for entry in found if not str(entry["id"]).endswith("@builtin")]


def test_it_comes_and_goes(office: Office, model: Model) -> None:
    """Installed it has the project's version; uninstalled no hook runs, no command is there, and the mail stays."""
    (entry,) = installed(office)
    assert (entry["id"], entry["version"], entry["enabled"]) == (PLUGIN, VERSION, True)
    sent = office.send("ops", "dev", "Login loops")
    office.headless("dev", "Good morning")
    assert f"Login loops ({sent})" in model.asked("dev")[0].newest
    office.plugin("uninstall", PLUGIN)
    assert installed(office) == []
    before, ran = files(office.home), (office.home / "state/SessionStart.ran").stat().st_mtime_ns
    office.headless("dev", "Good evening")
    assert "agent-team-os" not in model.asked("dev")[1].newest
    assert files(office.home) == before
    assert (office.home / "state/SessionStart.ran").stat().st_mtime_ns == ran
    assert [message["id"] for message in office.pending("dev")] == [sent]
    office.plugin("install", PLUGIN)
    office.headless("dev", "/read")
    assert "|   summary  Login loops\n" in model.asked("dev")[2].newest
    assert office.archived("dev") == [sent]


def test_from_github_it_runs_from_the_clients_own_copy(room: Room, model: Model, clone: Path, data: Path) -> None:
    """Commands, hooks and helper are those of the copy, which needs nothing from where it came; calls of it pass."""
    source = shutil.copytree(clone, room.root / "source")
    room.publish(source, "me/agent-team-os")
    shutil.rmtree(source)
    office = Office(room, model, clone, data)
    office.plugin("marketplace", "add", "me/agent-team-os")
    office.plugin("install", PLUGIN)
    (entry,) = installed(office)
    copied = Path(str(entry["installPath"]))
    assert entry["version"] == VERSION
    assert copied.is_relative_to(room.home / ".claude/plugins/cache")
    office.helper = copied / "scripts/ato"
    office.join("ops", "dev")
    office.headless("dev", "/bus")
    assert f'"{copied}/scripts/ato" bus' in model.asked("dev")[0].newest
    model.say(office.call("send", "ops", "note", body="summary: From the copy"), "Sent.", key="dev")
    done = office.headless("dev", "Tell ops")
    (message,) = office.pending("ops")
    assert done.document["permission_denials"] == []
    assert f"Sent {message['id']} to ops" in model.asked("dev")[-1].newest
    office.plugin("uninstall", PLUGIN)
    office.headless("dev", "Good evening")
    assert "agent-team-os" not in model.asked("dev")[-1].newest
    assert [message["id"] for message in office.pending("ops")] == [message["id"]]
