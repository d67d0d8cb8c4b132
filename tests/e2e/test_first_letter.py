"""The README's first letter with the real client: the plugin, two folders nobody prepared, a letter each way."""

from __future__ import annotations

import json
import os
import re
from functools import partial
from pathlib import Path

from e2e.office import QUESTION, Office
from support.cli import ROOT
from support.client import Headless, Room
from support.model import Model

# What the README has the person type in ~/work and ~/code/web, in this order.
LETTER = (ROOT / "README.md").read_text(encoding="utf-8").split("## First message\n")[1].split("\n## ")[0]
INSTALL = re.findall(r"^claude plugin (.*)$", LETTER, re.M)
JOIN_OPS, JOIN_DEV, SEND, READ, REPLY = re.findall(r"^\| `[^`]*` \| `(/[^`]*)` \|", LETTER, re.M)
FOLDERS = {"ops": "home/work", "dev": "home/code/web"}
BUG = "summary: Login loops on Safari\nproject: web"
FIX = "summary: The cookie lacked SameSite=None\ncommit: 3f2a9c1"
COMPLETE = "*/bin/python"
FETCHING = "fetching the Python packages once"


def newcomer(room: Room, model: Model, clone: Path) -> Office:
    """A machine where only the plugin is installed; the way to the package index is that of this machine."""
    names = ("PIP_", "UV_", "SSL_", "REQUESTS_", "CURL_")
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    own = {name: value for name, value in os.environ.items() if name.startswith(names) or name.lower() in proxies}
    room.env.update(own, NO_PROXY="127.0.0.1")
    office = Office(room, model, clone)
    assert len(INSTALL) == 2
    for command in INSTALL:
        office.plugin(*command.replace("<this repository>", str(clone)).split())
    assert not office.home.exists()
    return office


def headless(office: Office, agent: str, prompt: str) -> Headless:
    """Run a prompt where the README has the agent work."""
    return office.headless(agent, prompt, folder=FOLDERS[agent])


def fetched(room: Room, sign: str) -> bool:
    """Whether the fetching of the packages has come to this sign, or farther."""
    runtime = room.home / ".local/share/agent-team-os/runtime"
    return any(runtime.glob(sign)) or any(runtime.glob(COMPLETE))


def check_files(office: Office) -> None:
    """The letter is archived, the answer too, and both stand in one closed thread."""
    (thread,) = [json.loads(path.read_bytes()) for path in (office.home / "threads").glob("*.json")]
    assert [entry["id"] for entry in thread["messages"]] == office.archived("dev") + office.archived("ops")
    assert [entry["type"] for entry in thread["messages"]] == ["request", "response"]
    assert thread["status"] == "completed"
    assert office.pending("ops") == office.pending("dev") == []
    assert fetched(office.room, COMPLETE)


def test_headless(room: Room, model: Model, clone: Path) -> None:
    """Send, announcement, read, reply, and the answer announced, in sessions that each open and end.

    Nobody sits at them, so the folders join at a terminal.
    """
    office = newcomer(room, model, clone)
    headless(office, "ops", JOIN_OPS)
    assert "this was not done, because nobody sits at this session" in model.asked("ops")[0].newest
    assert FETCHING in office.ato_said(FOLDERS["ops"], "join", "ops")
    office.ato(FOLDERS["dev"], "join", "dev")
    assert [rule["agent"] for rule in office.map()["rules"]] == ["ops", "dev"]

    model.say(office.call("send", "dev", "bug-fix", body=BUG), "Sent.", key="ops")
    sent = headless(office, "ops", SEND)
    (letter,) = office.pending("dev")
    assert (letter["from"], letter["payload"]["summary"]) == ("ops", "Login loops on Safari")
    command, result = model.asked("ops")[-2:]
    assert "dev is an agent you may write to." in command.newest
    assert f'"{office.helper}" send dev bug-fix' in command.newest
    assert FETCHING not in result.newest
    assert f"Sent {letter['id']} to dev" in result.newest
    assert sent.document["permission_denials"] == []

    headless(office, "dev", "Good morning")
    assert f"normal bug-fix from ops, just now: Login loops on Safari ({letter['id']})" in model.asked("dev")[-1].newest
    headless(office, "dev", READ)
    assert "|   project  web\n" in model.asked("dev")[-1].newest
    assert office.archived("dev") == [letter["id"]]

    end = letter["id"][-8:]
    model.say(office.call("reply", end, "response", body=FIX), "Replied.", key="dev")
    replied = headless(office, "dev", REPLY.replace("ID", end))
    (answer,) = office.pending("ops")
    assert f"The answer goes to ops, in {letter['thread_id']}." in model.asked("dev")[-2].newest
    assert f"Replied {answer['id']} to ops" in model.asked("dev")[-1].newest
    assert FETCHING not in model.asked("dev")[-1].newest
    assert replied.document["permission_denials"] == []

    headless(office, "ops", "Good morning")
    announced = f"response/bug-fix from dev, just now: The cookie lacked SameSite=None ({answer['id']})"
    assert announced in model.asked("ops")[-1].newest
    headless(office, "ops", READ)
    assert "|   commit   3f2a9c1\n" in model.asked("ops")[-1].newest
    check_files(office)


def test_in_two_terminals(room: Room, model: Model, clone: Path) -> None:
    """The same between two sessions that stay open: each is told at its next prompt, and only joining asks."""
    office = newcomer(room, model, clone)
    ops, dev = (office.terminal(agent, folder=FOLDERS[agent]) for agent in ("ops", "dev"))
    *_, joined = office.agreed(ops, "ops", JOIN_OPS, office.call("join", "ops"))
    assert "Done: the folder" in joined.newest
    office.agreed(dev, "dev", JOIN_DEV, office.call("join", "dev"))
    assert not fetched(room, COMPLETE), "nothing of it needs the packages"
    assert [rule["agent"] for rule in office.map()["rules"]] == ["ops", "dev"]

    call = office.call("send", "dev", "bug-fix", body=BUG)
    model.say(call, "Sent.", key="ops")
    ops.submit(SEND)
    for sign in (".new-*", ".new-*/made/bin/python", COMPLETE):  # patience for each step of the fetch
        ops.wait(partial(fetched, room, sign), sign)
    ops.wait_for("● Sent.")
    office.idle(ops)
    command, result = model.asked("ops")[-2:]
    assert FETCHING in result.newest
    (letter,) = office.pending("dev")
    assert "The intent bug-fix needs these payload fields" in command.newest
    assert f"Sent {letter['id']} to dev" in result.newest
    assert "no live session" not in result.newest

    (told,) = office.prompt(dev, "dev", "Good morning")
    assert "New mail for dev/web: 1 pending." in told.newest
    (read,) = office.prompt(dev, "dev", READ)
    assert "|   project  web\n" in read.newest
    assert office.archived("dev") == [letter["id"]]

    end = letter["id"][-8:]
    call = office.call("reply", end, "response", "--priority", "high", body=FIX)
    office.prompt(dev, "dev", REPLY.replace("ID", end), call)
    (answer,) = office.pending("ops")
    (told,) = office.prompt(ops, "ops", "Good morning")
    assert f"response/bug-fix from dev, just now: The cookie lacked SameSite=None ({answer['id']})" in told.newest
    model.say("dev says: The cookie lacked SameSite=None", key="ops")
    ops.submit(READ)
    ops.wait_for("● dev says: The cookie lacked SameSite=None")
    assert "|   commit   3f2a9c1\n" in model.asked("ops")[-1].newest
    for terminal in (ops, dev):
        assert not QUESTION.search(terminal.screen())
    check_files(office)
