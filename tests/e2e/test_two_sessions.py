"""Two live sessions of one agent, who is there, and a session that becomes another agent's."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from e2e.office import Office
from support.client import until


def row(office: Office, agent: str) -> dict[str, Any]:
    """An agent as `ato bus` shows it to somebody on another folder."""
    rows = json.loads(office.ato("elsewhere", "bus", "--json"))["agents"]
    (found,) = [item for item in rows if item["name"] == agent]
    return dict(found)


def test_mail_for_one_of_them_and_for_both(office: Office) -> None:
    """Both are told of mail for the agent, only the one it is for of mail for a session; who reads first has it."""
    web, api = office.terminal("dev", folder="dev/web"), office.terminal("me", folder="dev/api")
    assert sorted(item["slug"] for item in row(office, "dev")["sessions"]) == ["api", "web"]
    shared = office.send("ops", "dev", "For all of you", "--priority", "high")
    alone = office.send("ops", "dev/web", "For web alone", "--priority", "high")
    (asked,) = office.prompt(web, "dev", "Anything new?")
    assert "New mail for dev/web: 2 pending, 2 high." in asked.newest
    assert shared in asked.newest
    assert alone in asked.newest
    (asked,) = office.prompt(api, "me", "Anything new?")
    assert "New mail for dev/api: 1 pending, 1 high." in asked.newest
    assert shared in asked.newest
    assert "For web alone" not in asked.text
    assert [path.stem for path in (office.home / "inboxes/dev/@web").glob("msg-*")] == [alone]

    (asked,) = office.prompt(api, "me", "/read")
    assert "summary  For all of you" in asked.newest
    (asked,) = office.prompt(api, "me", "/read")
    assert "This did not work." in asked.newest
    (asked,) = office.prompt(web, "dev", "/read")
    assert "summary  For web alone" in asked.newest
    assert office.archived("dev") == [shared]
    assert [path.stem for path in (office.home / "inboxes/dev/@web/.read").glob("msg-*")] == [alone]


def test_who_is_there(office: Office) -> None:
    """A session is there as long as its client runs: by its process, however that ends."""
    assert row(office, "dev")["state"] == "offline"
    terminal = office.terminal("dev")
    until(lambda: office.sessions("dev") != [], lambda: "an entry of the session")
    (session,) = office.sessions("dev")
    assert session["pid"] == terminal.pid
    assert row(office, "dev")["state"] == "live"
    office.prompt(terminal, "dev", "Hello")
    until(lambda: row(office, "dev")["state"] == "idle", lambda: "an idle session")
    os.kill(terminal.pid, signal.SIGKILL)
    terminal.wait_end()
    assert office.sessions("dev") != []  # nobody could take it out
    assert row(office, "dev")["state"] == "offline"
    office.model.say(office.call("send", "dev", "note", "-s", "Hi"), key="ops")
    office.headless("ops", "Tell dev")
    assert "dev has no live session (last seen" in office.model.asked("ops")[1].newest
    assert len(office.pending("dev")) == 1


def test_a_live_session_becomes_another_agents(office: Office) -> None:
    """After `/bus join` in an open session it is the new agent: for the helper, for its mail, and for the others."""
    web = office.room.project("dev/web")
    terminal = office.terminal("dev", folder="dev/web")
    _, result = office.prompt(terminal, "dev", "Who are you?", office.call("whoami", "--json"))
    assert '"agent":"dev"' in result.newest.replace(" ", "")
    *_, asked = office.agreed(terminal, "dev", "/bus join growth", office.call("join", "growth"))
    assert "You are growth on the agent-team-os bus, session growth/web" in asked.newest
    sent = office.send("ops", "growth", "Welcome", "--priority", "high")
    office.send("ops", "dev", "Not for you", "--priority", "high")
    send = office.call("send", "ops", "note", "-s", "'It is me'")
    first, *rest = office.prompt(terminal, "dev", "Who are you now?", office.call("whoami", "--json"), send)
    assert f"Welcome ({sent})" in first.newest
    assert "Not for you" not in first.text
    assert '"agent":"growth"' in rest[0].newest.replace(" ", "")
    (message,) = office.pending("ops")
    assert message["from"] == "growth"
    assert (row(office, "growth")["state"], row(office, "dev")["state"]) != ("offline", "live")
    assert [item["workspace_path"] for item in office.sessions("growth")] == [str(web)]
    assert office.sessions("dev") == []
