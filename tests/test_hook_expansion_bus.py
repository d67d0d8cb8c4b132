"""UserPromptExpansion of /bus: the roster, what drain is, and what doctor finds."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from agent_team_os.protocol import show
from conftest import Team, tree
from support import foreign
from support.desk import HELPER, Desk, drain, framed
from support.hooks import hook, said


@pytest.fixture
def web(team: Team) -> Desk:
    """A session in a folder of nobody's."""
    (team.root / "web").mkdir()
    return Desk(team, "web")


@pytest.fixture
def new(team: Team) -> Desk:
    """A session in a folder of a person who never had a bus."""
    shutil.rmtree(team.home)
    return Desk(team, "dev")


def expand(arguments: str, session_id: str = "s-1") -> dict[str, Any]:
    """The input of the hook for `/bus ARGUMENTS`."""
    return {
        "session_id": session_id,
        "command_name": "agent-team-os:bus",
        "command_source": "plugin",
        "command_args": arguments,
    }


def kept(team: Team) -> dict[str, Any]:
    """The agent map."""
    document: dict[str, Any] = json.loads((team.home / "AGENT_MAP.json").read_bytes())
    return document


def listed(team: Team) -> list[str]:
    """The entries of sessions in the registry, as `agent/session_id`."""
    return sorted(f"{path.parent.name[:-2]}/{path.stem}" for path in (team.home / "registry").glob("*.d/*.json"))


# ---- /bus ---------------------------------------------------------------------------------------


def test_the_roster(team: Team) -> None:
    """/bus shows each agent with presence and mail, who may not write to whom, the hubs, and the last hook error."""
    team.map(
        domains={"work": {"hub": "ops"}},
        gods=["ops"],
        routing_rules={"dev": {"deny": ["ops"], "reason": "Ask lead"}},
    )
    dev = Desk(team, "dev")
    dev.put(1)
    dev.start()
    dev.fire("UserPromptSubmit", session_id="s-2", agent_id=None)
    (team.home / "state/hook-errors.log").write_text(f"{show.timestamp()} Stop ValueError: {foreign.CANARY}\n")
    page = dev.command("/bus")
    lines = framed(page)
    (mine,) = [line for line in lines if line.startswith("dev ")]
    assert "live" in mine
    assert mine.endswith("1 pending  (you)")
    assert any(line.startswith("ops ") and "offline" in line and "god" in line for line in lines)
    assert "Blocked: dev → ops (Ask lead)" in lines
    assert "Hubs: ops for work" in lines
    assert any(line.startswith("Hooks: ") and "SessionStart just now" in line for line in lines)
    assert foreign.CANARY in lines[-1]
    assert len(page.split("\n")) == len(lines) + 1


@pytest.mark.parametrize(
    "words", ["leave", "joined dev", "drains on", "Join dev", "--all", "status", "dev join", "help"]
)
def test_words_it_does_not_know(words: str, web: Desk) -> None:
    """Any other word changes nothing and the error says what there is."""
    before = tree(web.team.home / "AGENT_MAP.json")
    page = web.command(f"/bus {words}")
    assert page.startswith("This did not work.")
    assert "/bus knows join NAME, drain on|off, overdue, halt, resume and doctor" in framed(page)[0] or words == "--all"
    assert tree(web.team.home / "AGENT_MAP.json") == before


# ---- /bus drain ---------------------------------------------------------------------------------


def test_drain(team: Team) -> None:
    """After a yes drain is switched for this agent alone, its other settings stay, and /bus drain says how it is."""
    drain(team, scope="owed", enabled=False)
    dev, ops = Desk(team, "dev"), Desk(team, "ops")
    assert dev.does("ato drain on").startswith("drain is on for dev (scope owed,")
    assert kept(team)["agents"]["dev"]["drain"] == {"enabled": True, "scope": "owed"}
    assert ops.command("/bus drain").startswith("drain is off for ops (scope pending,")
    assert "drain" not in kept(team)["agents"]["ops"]
    assert dev.does("ato drain off").startswith("drain is off for dev")
    assert kept(team)["agents"]["dev"]["drain"] == {"enabled": False, "scope": "owed"}


@pytest.mark.parametrize("words", ["", "status"])
def test_drain_that_only_looks(words: str, team: Team) -> None:
    """/bus drain, with or without the word status, changes nothing."""
    before = kept(team)
    assert Desk(team, "dev").command(f"/bus drain {words}").startswith("drain is off for dev")
    assert kept(team) == before


@pytest.mark.parametrize(
    "words", ["On", "yes", "on off", "on dev", "--agent ops on", "on --agent ops", "true", "1", "oﬀ"]
)
def test_drain_words_it_does_not_know(words: str, team: Team) -> None:
    """Any other word leaves drain as it is, and so does one more than it takes."""
    before = kept(team)
    page = Desk(team, "dev").command(f"/bus drain {words}")
    assert page.startswith("This did not work.")
    assert len(framed(page)) == 1
    assert kept(team) == before


@pytest.mark.parametrize("words", ["drain", "drain on", "drain off"])
def test_drain_of_nobody(words: str, web: Desk) -> None:
    """In a folder of nobody's there is no drain to switch; how to join is said."""
    before = kept(web.team)
    assert "/bus join NAME" in web.command(f"/bus {words}")
    assert kept(web.team) == before


# ---- /bus doctor --------------------------------------------------------------------------------


def test_doctor(team: Team) -> None:
    """/bus doctor shows each finding with the next command, framed, and repairs none of them."""
    (team.home / "threads/thread-20260520-abc123.json").write_text("{")
    (team.home / f"inboxes/dev/{foreign.CANARY}\n\x1b[2J").touch()
    before = {name: entry for name, entry in tree(team.home).items() if not name.startswith("state")}
    page = said(hook(team.env, team.root / "dev", "UserPromptExpansion", expand("doctor")))
    foreign.check(page, shown=False)
    assert "thread-20260520-abc123" in "\n".join(framed(page))
    assert "Next: " in "\n".join(framed(page))
    assert {name: entry for name, entry in tree(team.home).items() if not name.startswith("state")} == before


def test_doctor_with_nothing_to_say(team: Team) -> None:
    """Where nothing is wrong /bus doctor says so."""
    assert "Nothing is wrong." in Desk(team, "dev").command("/bus doctor").split("\n")


def test_doctor_without_a_bus(new: Desk) -> None:
    """Before anybody has joined /bus doctor says so and makes nothing."""
    assert "There is no bus" in new.command("/bus doctor")
    assert not new.team.home.exists()


@pytest.mark.parametrize("words", ["doctor --repair", "doctor repair", "doctor now"])
def test_doctor_never_repairs(words: str, team: Team) -> None:
    """Repair is for a person in a terminal."""
    page = Desk(team, "dev").command(f"/bus {words}")
    assert page.startswith("This did not work.")


def test_a_long_doctor(team: Team) -> None:
    """Findings that are too many for the context are cut at a line, with the call for all of them."""
    for number in range(150):
        (team.home / f"threads/thread-20260520-{number:06d}.json").write_text("{")
    page = Desk(team, "dev").command("/bus doctor")
    assert show.units(page) <= 9000
    assert page.split("\n")[-1] == f"The list goes on: {HELPER} doctor"
