"""The halt: nothing is sent, handed over or dispatched, everything can be read, and every session is told why."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from conftest import Team, tree
from support import foreign, plans
from support.cli import ROOT
from support.desk import Desk, drain, framed
from support.hooks import said
from support.sessions import put

LINE = json.dumps({"to": "dev", "intent": "note", "payload": {"summary": "x"}}) + "\n"


@pytest.fixture
def halted(team: Team) -> Team:
    """Two domains, mail for ops and dev, a confirmed plan of ops, and then a halt by dev."""
    plans.gods(team)
    team.ask("dev", "ops")
    team.ask("ops", "dev")
    plans.confirmed(team)
    done = team.json("dev", "halt", "the", "tests are red")
    assert done.pop("at")
    assert done == {"halted": True, "by": "dev", "reason": "the tests are red"}
    return team


def messages(team: Team) -> list[str]:
    """The ids of all pending mail."""
    return sorted(path.stem for path in (team.home / "inboxes").rglob("msg-*.json"))


# ---- Verbs --------------------------------------------------------------------------------------


def test_nothing_is_sent(halted: Team) -> None:
    """Every verb that sends ends with 2 and says since when, by whom and why, and who can lift it; nothing changes."""
    asked = halted.json("ops", "inbox")["pending"][0]["id"]
    plan_id = plans.run(halted, "ops", "show")["plans"][0]["id"]
    verbs = (
        ("send", "dev", "note", "--summary", "x"),
        ("send", "dev", "note", "--summary", "x", "--dry-run"),
        ("send", "god", "note", "--summary", "x"),
        ("reply", asked, "response", "--summary", "main"),
        ("reply", asked, "accept"),
        ("handoff", "dev", "--state-summary", "half", "--next-step", "rest"),
    )
    for verb in verbs:
        error = halted.refused(2, "halted", "ops", *verb)
        assert error["message"].startswith("the bus is halted since ")
        assert error["message"].endswith(" by dev: the tests are red")
        assert "/bus resume" in error["hint"]
        assert "ato resume" in error["hint"]
    assert "the tests are red" in plans.refused(halted, 2, "halted", "ops", "dispatch", plan_id)
    before = tree(halted.root)
    done = halted.run("ops", "send", "--batch", "-", stdin=LINE * 2)
    assert done.returncode == 2
    assert [json.loads(line)["error"]["code"] for line in done.stdout.splitlines()] == ["halted"] * 2
    assert tree(halted.root) == before


def test_reading_goes_on(halted: Team) -> None:
    """What only reads works as ever, also what archives, and plans can be proposed and confirmed."""
    for verb in (("inbox",), ("thread",), ("bus",), ("whoami",), ("trace", messages(halted)[0]), ("god",)):
        assert halted.run("ops", *verb).returncode == 0, verb
    assert halted.json("ops", "read")["archived"] is True
    plan_id = plans.propose(halted)
    assert plans.confirm(halted, plan_id)["status"] == "confirmed"
    plans.refused(halted, 2, "halted", "ops", "dispatch", plan_id)


def test_in_the_middle_of_a_plan(halted: Team) -> None:
    """A halt stops a dispatch that a failure had interrupted, and it goes on when the halt is lifted."""
    plan_id = plans.run(halted, "ops", "show")["plans"][0]["id"]
    plans.refused(halted, 2, "halted", "ops", "dispatch", plan_id)
    assert plans.at_terminal(halted, "dev", "resume")[0] == 0
    assert plans.run(halted, "ops", "dispatch", plan_id)["status"] == "dispatched"
    assert len(plans.sent(halted)) == 1


def test_halt_again(halted: Team) -> None:
    """A halted bus can be halted anew: the last reason counts."""
    assert halted.json("ops", "halt")["reason"] == ""
    error = halted.refused(2, "halted", "dev", "send", "ops", "note", "--summary", "x")
    assert error["message"].endswith(" by ops")


def test_who_may_halt(team: Team) -> None:
    """Everybody may, without a terminal and from a folder of nobody's; the home is made where there is none."""
    (team.root / "other").mkdir()
    assert team.json("other", "halt", "stop")["by"] == "a person"
    home = team.root / "new"
    assert team.json("other", "halt", AGENT_TEAM_OS_HOME=str(home))["halted"] is True
    assert (home / "HALT.json").stat().st_mode & 0o777 == 0o600


def test_a_long_reason(team: Team) -> None:
    """A reason has to fit on a page, and is cut to 300 characters: nothing keeps the bus from being halted."""
    assert team.json("dev", "halt", "ü" * 300 + "x")["reason"] == "ü" * 300
    ops = Desk(team, "ops")
    for number in range(1, 60):
        put(team, number, "ops", to="ops", priority="urgent", payload={"summary": "x" * 400})
    text = ops.start()
    assert "ü" * 300 in text
    assert len(text) < 10_000


def test_bytes_that_are_no_text(team: Team) -> None:
    """A reason that is no UTF-8 halts the bus as any other."""
    assert team.run("dev", "halt", os.fsdecode(b"\xff\xfe")).returncode == 0
    assert "the bus is halted" in Desk(team, "dev").start()
    (team.home / "HALT.json").unlink()
    assert "the bus is halted" in Desk(team, "dev").command("/bus halt \ud83d")
    assert team.run("ops", "send", "dev", "note", "--summary", "x").returncode == 2


BROKEN: dict[str, Any] = {
    "empty": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "null": b"null",
    "of other types": b'{"at": 1, "by": ["x"], "reason": {}}',
    "no UTF-8": b"\xff",
    "too large": b'{"reason": "' + b"x" * 70_000 + b'"}',
    "no time": b'{"at": "yesterday", "by": "dev", "reason": "x"}',
}


@pytest.mark.parametrize("name", [*BROKEN, "unreadable", "a folder", "a link", "a link to nothing", "a FIFO"])
def test_a_broken_halt(name: str, team: Team) -> None:
    """A file that says nothing that can be read halts the bus too, and can be lifted as any other."""
    path = team.home / "HALT.json"
    if name in BROKEN:
        path.write_bytes(BROKEN[name])
    elif name == "unreadable":
        path.write_text("{}")
        path.chmod(0)
    elif name == "a folder":
        path.mkdir()
    elif name == "a FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to(team.root / ("none" if name.endswith("nothing") else "dev"))
    done = team.run("ops", "send", "dev", "note", "--summary", "x", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "halted")
    if name != "unreadable" or os.geteuid():  # in this process root reads it
        assert "the bus is halted" in Desk(team, "dev").start()
    status, shown = plans.at_terminal(team, "dev", "resume")
    assert (status, path.is_dir()) == ((73, True) if name == "a folder" else (0, False)), shown
    assert team.run("ops", "send", "dev", "note", "--summary", "x").returncode == (2 if name == "a folder" else 0)


# ---- Sessions -----------------------------------------------------------------------------------


def test_every_session_is_told(halted: Team) -> None:
    """Start, prompt and command tell the model, with the reason in a frame, beside what they say anyway."""
    for agent, session_id in (("dev", "s-1"), ("ops", "s-2")):
        desk = Desk(halted, agent, session_id)
        start = desk.start()
        assert "Inbox: 1 pending" in start
        for text in (start, desk.prompt(), desk.prompt(), desk.command("/inbox"), desk.command("/bus")):
            assert text.startswith("the bus is halted since ")
            assert "by dev" in text.split("\n")[0]
            assert "/bus resume" in text.split("\n")[0]
            assert "the tests are red" in framed(text)
        assert "1 pending" in desk.command("/inbox")
    nobody = Desk(halted, "dev", None)
    assert "the tests are red" in framed(nobody.prompt())


def test_a_person_is_told(halted: Team) -> None:
    """Before a tool and at a stop a line tells the person; a permission is given as ever."""
    dev = Desk(halted, "dev")
    helper = {"tool_name": "Bash", "tool_input": {"command": "ato -x"}}
    answer = dev.fire("PreToolUse", **helper)
    assert set(answer) == {"systemMessage"}
    assert answer["systemMessage"].startswith("agent-team-os: the bus is halted since ")
    allowed = dev.fire("PreToolUse", tool_name="Bash", tool_input={"command": f'"{ROOT}/scripts/ato" inbox'})
    assert allowed["hookSpecificOutput"]["permissionDecision"] == "allow"
    assert "the bus is halted" in allowed["systemMessage"]
    stop = dev.stop()
    assert set(stop) == {"systemMessage"}
    dev.start()
    dev.end()


def test_no_session_is_kept(halted: Team) -> None:
    """Where drain would keep a session from stopping it may stop: nothing could be answered."""
    drain(halted, "dev")
    dev = Desk(halted, "dev")
    dev.start()
    assert "decision" not in dev.stop()
    (halted.home / "HALT.json").unlink()
    assert dev.reason() != ""


def test_nobody_else_is_told(halted: Team) -> None:
    """Subagents, folders of nobody's and commands of others hear nothing."""
    (halted.root / "other").mkdir()
    other = Desk(halted, "other")
    assert (other.start(), other.prompt(), other.stop()) == ("", "", {})
    assert Desk(halted, "dev").fire("UserPromptSubmit", prompt="x", agent_id="a-1") == {}
    assert Desk(halted, "dev").expand("else:inbox", "") == {}


def test_told_once_more_when_it_is_over(halted: Team) -> None:
    """Mail of which a session heard while halted counts as told; when the halt is lifted no session hears of it."""
    dev = Desk(halted, "dev")
    new = dev.put(1, priority="high")
    assert new in dev.prompt()
    (halted.home / "HALT.json").unlink()
    assert dev.prompt() == ""
    assert "halted" not in dev.start()
    assert dev.stop() == {}


@pytest.mark.parametrize("name", foreign.TEXTS)
def test_a_hostile_reason(name: str, team: Team) -> None:
    """What somebody wrote as a reason drives no terminal, and no model outside its frame; nor does an odd name."""
    text = foreign.TEXTS[name]
    (team.home / "HALT.json").write_text(json.dumps({"at": text, "by": text[:200], "reason": text}))
    dev = Desk(team, "dev")
    for page in (dev.start(), dev.prompt(), dev.command("/inbox")):
        assert foreign.check(page)
        assert page.split("\n")[0].startswith("the bus is halted. Nothing can be sent")
    answer = dev.fire("PreToolUse", tool_name="Bash", tool_input={"command": "ato -x"})
    assert answer == {"systemMessage": "agent-team-os: the bus is halted"}
    if name in ("a reminder", "clear the screen"):
        send = ("send", "dev", "note", "--summary", "x")
        foreign.check(team.run("ops", *send, CLAUDECODE="1").stderr)
        foreign.check(team.run("ops", *send).stderr, framed=False)


def test_the_commands(team: Team) -> None:
    """/bus halt REASON halts the bus at once, with the words as they are; /bus resume takes no words."""
    dev = Desk(team, "dev")
    told = dev.command("/bus halt the --json tests are red")
    assert told.startswith("the bus is halted since ")
    assert framed(told) == ["the --json tests are red"]
    assert "one word too many" in dev.command("/bus resume now")
    assert "At a terminal: " in dev.command("/bus resume")
    assert said(dev.fire("UserPromptSubmit", prompt="x")).startswith("the bus is halted")


def test_with_a_map_that_cannot_be_used(team: Team) -> None:
    """Whatever is wrong with the map, or with a name in the environment, the bus can be halted."""
    team.map(rules=1)
    assert team.json("dev", "halt", "broken")["by"] == "a person"
    assert json.loads((team.home / "HALT.json").read_bytes())["reason"] == "broken"
    (team.home / "HALT.json").unlink()
    team.map(rules=[])
    assert team.json("dev", "halt", AGENT_TEAM_OS_AGENT="nobody")["halted"]


def test_what_was_made_ready_before(team: Team) -> None:
    """A message that was made ready before the bus was halted does not go out behind it."""
    bus = plans.bus(team, "dev")
    ready = [bus.prepare("ops", "note", {"summary": str(number)}) for number in range(3)]
    team.json("ops", "halt")
    results = bus.post(ready)
    assert [getattr(result, "code", None) for result in results] == ["halted"] * 3
    assert not list((team.home / "outbox").glob("*.jsonl"))
