"""A session is told of its mail when it opens and at each prompt, of each message once; one without mail, nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

from e2e.office import Office, files
from support.client import Room, until
from support.model import Model, Request, bash

START = "SessionStart hook additional context: "
PROMPT = "UserPromptSubmit hook additional context: "


def told(requests: list[Request]) -> str:
    """What the hooks have said since the model's last answer."""
    return "\n".join(line for line in requests[0].newest.split("\n\n") if START in line or PROMPT in line)


def test_a_session_is_told_when_it_opens(office: Office) -> None:
    """Who it is and why, how much waits and what; and the registry and its memory know of it."""
    high = office.send("ops", "dev", "Login loops", "--priority", "high")
    low = office.send("ops", "dev", "A typo", "--priority", "low")
    done = office.headless("dev", "Good morning")
    text = told(office.model.asked("dev"))
    folder = office.room.project("dev")
    assert f"{START}You are dev on the agent-team-os bus, session dev/dev; the folder {folder} is mapped" in text
    assert "Inbox: 2 pending, 1 high." in text
    assert text.index(high) < text.index(low)
    assert "| high note from ops, just now: Login loops" in text
    assert PROMPT not in text
    memory = json.loads((office.home / f"state/{done.session}.json").read_bytes())
    assert memory["announced"] == sorted([high, low])
    assert office.sessions("dev") == []  # it has ended


def test_each_message_is_announced_once(office: Office) -> None:
    """What came since the last prompt is told at the next one, urgent mail in full, and never again."""
    terminal = office.terminal("dev")
    first = office.send("ops", "dev", "First")
    text = told(office.prompt(terminal, "dev", "One"))
    assert f"{PROMPT}New mail for dev/dev: 1 pending.\n1 to look at: /inbox" in text
    assert told(office.prompt(terminal, "dev", "Two")) == ""
    second = office.send("ops", "dev", "Second", "--priority", "urgent")
    text = told(office.prompt(terminal, "dev", "Three"))
    assert f"| urgent note from ops, just now: Second ({second})" in text
    assert "1 pending, 1 urgent." in text
    assert "First" not in text
    third = office.send("ops", "dev", "For this session", "--priority", "high")
    office.send("ops", "dev/elsewhere", "For another", "--priority", "high")
    (session,) = office.sessions("dev")
    assert session["pid"] == terminal.pid
    text = told(office.prompt(terminal, "dev", "Four"))
    assert third in text
    assert "For another" not in text
    assert told(office.prompt(terminal, "dev", "Five")) == ""
    (memory,) = office.home.glob(f"state/{session['session_id']}.json")
    assert json.loads(memory.read_bytes())["announced"] == sorted([first, second, third])


def test_urgent_mail_in_the_middle_of_work(office: Office) -> None:
    """Mail that comes while the session works disturbs nothing, and is told at the next prompt."""
    folder = office.room.project("dev")
    gate = folder / "gate"
    os.mkfifo(gate)
    terminal = office.terminal("dev", "--allowedTools", "Bash")
    office.model.say(bash("echo at work > sign; cat gate"), "Worked.", key="dev")
    terminal.submit("Work")
    terminal.wait((folder / "sign").exists, "the work")
    sent = office.send("ops", "dev", "Stop the release", "--priority", "urgent")
    gate.write_text("on with it")
    terminal.wait_for("● Worked.")
    office.idle(terminal)
    assert "Stop the release" not in office.model.asked("dev")[-1].text
    text = told(office.prompt(terminal, "dev", "Next"))
    assert f"| urgent note from ops, just now: Stop the release ({sent})" in text
    assert [message["id"] for message in office.pending("dev")] == [sent]


def test_a_resumed_session_is_told_only_what_is_new(office: Office) -> None:
    """It hears again who it is and how much waits, but of no message a second time."""
    old = office.send("ops", "dev", "Old letter")
    first = office.headless("dev", "Good morning")
    assert old in told(office.model.asked("dev"))
    new = office.send("ops", "dev", "New letter")
    second = office.headless("dev", "Good evening", "--resume", first.session)
    text = told(office.model.asked("dev")[-1:])
    assert first.session == second.session
    assert "You are dev on the agent-team-os bus" in text
    assert "Inbox: 2 pending." in text
    assert new in text
    assert "Old letter" not in text
    assert "1 more: /inbox" in text
    memory = json.loads((office.home / f"state/{first.session}.json").read_bytes())
    assert memory["announced"] == sorted([old, new])


def test_all_is_told_again_after_clear_and_compact(office: Office) -> None:
    """What took the announcement out of the conversation brings it back, and the session goes on to be the agent's."""
    sent = office.send("ops", "dev", "Old letter")
    terminal = office.terminal("dev")
    office.prompt(terminal, "dev", "One")
    (before,) = office.sessions("dev")
    terminal.submit("/clear")
    terminal.wait(lambda: before not in office.sessions("dev") and bool(office.sessions("dev")), "the new session")
    text = told(office.prompt(terminal, "dev", "Two"))
    assert f"Old letter ({sent})" in text
    (after,) = office.sessions("dev")
    assert after["session_id"] != before["session_id"]
    assert after["pid"] == before["pid"] == terminal.pid
    ran = office.home / "state/SessionStart.ran"
    at = ran.stat().st_mtime_ns
    terminal.submit("/compact")
    terminal.wait_for("Compacted")
    until(lambda: ran.stat().st_mtime_ns > at, lambda: "the hook of /compact")
    request = office.prompt(terminal, "dev", "Three")[0]
    assert request.text.count(f"Old letter ({sent})") == 1
    assert [session["session_id"] for session in office.sessions("dev")] == [after["session_id"]]


def test_a_folder_on_no_bus_is_left_alone(room: Room, model: Model, clone: Path, data: Path) -> None:
    """Where nobody has joined, with no bus or with one, the model and the screen get nothing and no file is made."""
    office = Office(room, model, clone, data)
    office.install()
    terminal = office.terminal("me", folder="web")
    for text in ("One", "Two"):
        (request,) = office.prompt(terminal, "me", text)
        assert "hook additional context" not in request.text
    assert not office.home.exists()
    office.join("dev")
    before = files(office.home)
    (request,) = office.prompt(terminal, "me", "Three")
    assert "hook additional context" not in request.text
    terminal.submit("/exit")
    terminal.wait_end()
    assert "agent-team-os" not in terminal.screen()
    assert files(office.home) == before


def test_a_broken_map_is_said_once_on_the_screen(office: Office) -> None:
    """The person reads what is wrong and where; the model does not, and works; the map is left as it is."""
    path = office.home / "AGENT_MAP.json"
    path.write_text(path.read_text()[:-5])
    broken = path.read_bytes()
    terminal = office.terminal("dev")
    terminal.wait_for("SessionStart:startup says: agent-team-os:")
    assert "AGENT_MAP.json" in "".join(terminal.screen().split())  # a long path is broken over lines
    for text in ("One", "Two"):
        (request,) = office.prompt(terminal, "dev", text)
        assert "AGENT_MAP" not in request.text
    assert "".join(terminal.screen().split()).count("AGENT_MAP.json") == 1
    assert path.read_bytes() == broken
    log = (office.home / "state/hook-errors.log").read_text()
    assert " SessionStart InvalidMap: " in log
    (request,) = office.prompt(terminal, "dev", "/inbox")
    assert "This did not work." in request.newest


def test_a_session_has_the_name_of_its_agent_until_the_person_names_it(office: Office) -> None:
    """The agent's name is the title above the prompt; what the person calls the session stays when it is resumed."""
    terminal = office.terminal("dev")
    terminal.wait_for("─ dev ─")
    (request,) = office.prompt(terminal, "dev", "One")
    assert terminal.title == "✳ dev"
    assert "You are dev on the agent-team-os bus" in request.newest
    terminal.submit("/rename the release")
    terminal.wait_for("─ the release ─")
    (session,) = office.sessions("dev")
    terminal.submit("/exit")
    terminal.wait_end()
    assert office.sessions("dev") == []
    again = office.terminal("dev", "--resume", session["session_id"])
    (request,) = office.prompt(again, "dev", "Two")
    assert request.text.count("You are dev on the agent-team-os bus") == 1
    assert "─ the release ─" in again.screen()
    assert "─ dev ─" not in again.screen()
    assert [entry["session_id"] for entry in office.sessions("dev")] == [session["session_id"]]
