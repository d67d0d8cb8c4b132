"""The oldest client that is supported, which knows only a part of what the hooks say: told, asked, and never harmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.office import Office
from support import client
from support.client import Room
from support.model import Model, bash

pytestmark = pytest.mark.full


@pytest.fixture
def old(tmp_path: Path, model: Model, clone: Path, data: Path) -> Office:
    """The plugin in a client of that version; ops and dev have joined."""
    room = Room(tmp_path, client.install(version=client.OLDEST), model)
    made = Office(room, model, clone, data)
    made.install()
    made.join("ops", "dev")
    return made


def test_no_text_is_run(old: Office) -> None:
    """Neither a prompt nor a command that was denied is run by a hook, and the session is told of its mail."""
    sent = old.send("ops", "dev", "Login loops")
    out = old.room.root / "out"
    command = f"true `touch {out}`; $(touch {out})"
    old.model.say(bash(command), "Done.", key="dev")
    done = old.headless("dev", f"x $(touch {out}) `touch {out}`")
    assert [item["tool_input"]["command"] for item in done.document["permission_denials"]] == [command]
    assert not out.exists()
    assert f"Login loops ({sent})" in old.model.asked("dev")[0].text
    old.room.close()


def test_what_a_script_may_do_is_asked(old: Office) -> None:
    """A folder of nobody's joins after a yes; a halt, for which this client says too little, is for a terminal."""
    old.ato("dev", "halt", "wait")
    terminal = old.room.terminal(old.room.project("web"), mode="default", ANTHROPIC_API_KEY="me")
    old.model.say(old.call("join", "growth"), "Joined.", old.call("resume"), "Told.", key="me")
    terminal.submit("/agent-team-os:bus join growth")
    terminal.wait_for("agent-team-os asks you:")
    old.answer(terminal, "Enter")
    terminal.wait_for("● Joined.")
    assert [rule["agent"] for rule in old.map()["rules"]] == ["ops", "dev", "growth"]
    terminal.submit("Lift it")
    terminal.wait_for("Do you want to proceed?")
    terminal.enter()
    terminal.wait_for("● Told.")
    assert "lifting a halt takes a person, and this is a shell of a session" in old.model.asked("me")[-1].newest
    assert (old.home / "HALT.json").exists()
    old.room.close()
