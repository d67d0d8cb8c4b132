"""UserPromptExpansion: the plugin carries a slash command out itself, and no shell sees its words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_team_os.protocol import show
from conftest import Team, tree
from support import foreign
from support.desk import HELPER, Desk, framed, ids_in
from support.hooks import said

OURS = ("inbox", "read", "thread", "bus", "send", "reply", "handoff")
MOST = 9000  # UTF-16 units


@pytest.fixture
def dev(team: Team) -> Desk:
    """A session of dev."""
    return Desk(team, "dev")


# ---- Whose command ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["inbox", "other:inbox", "agent-team-os:", "agent-team-os:whoami", "agent-team-os:inbox:x", "x:agent-team-os:bus",
     "agent-team-os:Inbox", "agent-team-os: inbox", "Agent-Team-OS:inbox", "/agent-team-os:inbox", "", None, 5, ["a"]],
)  # fmt: skip
@pytest.mark.parametrize("folder", ["dev", "nobody's"])
def test_commands_of_others(name: Any, folder: str, team: Team) -> None:
    """A command that is not exactly one of ours is answered with nothing, and nothing is written."""
    (team.root / "nobody's").mkdir()
    desk = Desk(team, folder)
    before = tree(team.root)
    assert desk.expand(name, "--all") == {}
    assert tree(team.root) == before


def test_one_answer(dev: Desk) -> None:
    """An answer is the additional context of this event and nothing else."""
    answer = dev.expand("agent-team-os:inbox", "")
    assert set(answer) == {"hookSpecificOutput"}
    assert set(answer["hookSpecificOutput"]) == {"hookEventName", "additionalContext"}
    assert answer["hookSpecificOutput"]["hookEventName"] == "UserPromptExpansion"


def test_in_a_subagent(dev: Desk) -> None:
    """In a subagent nothing is read and nothing said."""
    dev.put(1)
    before = tree(dev.team.root)
    answer = dev.fire(
        "UserPromptExpansion",
        command_name="agent-team-os:read",
        command_source="plugin",
        command_args="",
        agent_id="a-1",
    )
    assert answer == {}
    assert tree(dev.team.root) == before


@pytest.mark.parametrize("verb", OURS)
@pytest.mark.parametrize("home", ["with a bus", "without a bus"])
def test_in_a_folder_of_nobody(verb: str, home: str, team: Team, tmp_path: Path) -> None:
    """Where nobody has joined every command says how to, and makes nothing."""
    (team.root / "other").mkdir()
    env = {} if home == "with a bus" else {"AGENT_TEAM_OS_HOME": str(tmp_path / "none")}
    other = Desk(team, "other", **env)
    said_ = other.command(f"/{verb} x") if verb not in ("bus", "inbox") else other.command(f"/{verb}")
    assert "/bus join NAME" in said_
    assert not (tmp_path / "none").exists()
    assert not (team.home / "inboxes/other").exists()


# ---- /inbox -------------------------------------------------------------------------------------


def test_inbox(dev: Desk) -> None:
    """/inbox lists the session's mail, urgent first and the oldest first among equals, framed, and reads none."""
    ids = [
        dev.put(number, age=600 - number, priority=kind) for number, kind in enumerate(("low", "high", "low", "urgent"))
    ]
    box = [dev.put(7, box="@dev"), dev.put(8, box="@other")]
    page = dev.command("/inbox")
    assert page.startswith("dev/dev  5 pending\n")
    assert ids_in(page) == [ids[3], ids[1], box[0], ids[0], ids[2]]
    assert len([line for line in framed(page) if "from ops" in line]) == 5
    assert HELPER in page
    assert dev.path(ids[0]).parent.name == "dev"


def test_inbox_of_all_sessions(dev: Desk) -> None:
    """/inbox --all lists the mail of every session of the agent, with the session it is for."""
    dev.put(1)
    other = dev.put(2, box="@other")
    page = dev.command("/inbox --all")
    assert page.startswith("dev  2 pending\n")
    assert f"{other}  for dev/other" in page


def test_an_empty_inbox(dev: Desk) -> None:
    """With nothing pending /inbox says so."""
    assert dev.command("/inbox") == "dev/dev  nothing pending"


def test_a_long_inbox(dev: Desk) -> None:
    """A list that is too long for the context is cut at a line and says how to see the rest."""
    for number in range(200):
        dev.put(number, payload={"summary": "😀" * 60})
    page = dev.command("/inbox")
    assert MOST - 300 < show.units(page) <= MOST
    assert page.split("\n")[-1] == f"The list goes on: {HELPER} inbox"
    assert all("| " in line for line in page.split("\n")[2:-1])


# ---- /thread ------------------------------------------------------------------------------------


def test_thread(dev: Desk) -> None:
    """/thread lists the recent conversations, and with an id or its end shows one, framed."""
    ops = Desk(dev.team, "ops")
    sent = ops.bus().send("dev", "note", {"summary": "Which branch?"})
    listed = dev.command("/thread")
    assert any(sent["thread_id"] in line and "Which branch?" in line for line in framed(listed))
    for given in (sent["thread_id"], sent["thread_id"][-6:]):
        page = dev.command(f"/thread {given}")
        assert "Which branch?" in framed(page)[0]
        assert framed(page)[1] == sent["thread_id"]
    assert dev.path(sent["id"]).parent.name == "dev", "to look at a thread reads no mail"


@pytest.mark.parametrize(
    ("given", "words"),
    [("nonsense", "is no thread here"), ("a b", "one word too many"), ("--status", 'no option "--status"')],
)
def test_a_thread_that_cannot_be(given: str, words: str, dev: Desk) -> None:
    """What is no thread is an error that says so."""
    page = dev.command(f"/thread {given}")
    assert page.startswith("This did not work.")
    assert words in "\n".join(framed(page))


# ---- The words of a command ---------------------------------------------------------------------

WORDS = [
    *("; touch TRAP", "$(touch TRAP)", "`touch TRAP`", "| touch TRAP", "&& touch TRAP", "\ntouch TRAP\n", "> TRAP"),
    *("'; touch TRAP; '", '"; touch TRAP; "', "\\\ntouch TRAP", "<(touch TRAP)", "${IFS}touch TRAP", "-- ; touch TRAP"),
    *("\0", "\x1b[2J", "\u202e", "%s%n{mark}{0}", "x" * 100_000, "x " * 50_000, "-" * 100_000, "--" + "😀" * 50_000),
    *("--help", "--json", "--save .", "-h", "--home=/tmp", "../../x", "~", "*", "{a,b}"),
]  # fmt: skip


@pytest.mark.parametrize("verb", OURS)
def test_any_words(verb: str, dev: Desk) -> None:
    """Whatever stands behind a command is never run nor taken for something else: it is an error, told and framed."""
    dev.put(1)
    before = {name: entry for name, entry in tree(dev.team.root).items() if "/state" not in name}
    for words in [*WORDS, *foreign.TEXTS.values()]:
        page = dev.command(f"/{verb} {words.replace('TRAP', str(dev.team.root / 'trap'))}")
        assert page.startswith("This did not work."), words[:100]
        assert show.units(page) < 2000
        foreign.check(page, shown=False)
        assert len(framed(page)) == 1
    after = {name: entry for name, entry in tree(dev.team.root).items() if "/state" not in name}
    assert after == before


@pytest.mark.parametrize("arguments", [None, 5, ["--all"], {"a": "b"}, True, "", "  \t "])
def test_no_words(arguments: Any, dev: Desk) -> None:
    """Arguments that are missing or no text are none."""
    assert said(dev.expand("agent-team-os:inbox", arguments)) == "dev/dev  nothing pending"


# ---- A bus that cannot be used ------------------------------------------------------------------


@pytest.mark.parametrize("verb", OURS)
@pytest.mark.parametrize(
    ("document", "place"),
    [('{\n  "version": "2.0",\n  oops\n}', "line 3"), ('{\n"version": "2.0",\n"rules": [{"pattern": 5}]}', "line 3")],
)
def test_a_broken_map(document: str, place: str, verb: str, dev: Desk) -> None:
    """With a map that cannot be used every command says so with the line, and nothing is read."""
    message_id = dev.put(1)
    (dev.team.home / "AGENT_MAP.json").write_text(document)
    page = dev.command(f"/{verb} {message_id}" if verb == "read" else f"/{verb}")
    assert page.startswith("This did not work.")
    assert f"AGENT_MAP.json, {place}" in "\n".join(framed(page))
    assert dev.path(message_id).parent.name == "dev"


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_home_that_others_can_write(mode: int, dev: Desk) -> None:
    """A home that others could write to is not used, and the command says why."""
    message_id = dev.put(1)
    dev.team.home.chmod(mode)
    page = dev.command("/read")
    assert "can be written by other users" in "\n".join(framed(page))
    assert dev.path(message_id).parent.name == "dev"


@pytest.mark.parametrize("source", ["projectSettings", "userSettings", "mcp", "", None, 5, "absent"])
@pytest.mark.parametrize("verb", ["inbox", "read", "bus", "msg"])
def test_a_command_that_is_not_the_plugin_s(verb: str, source: object, team: Team) -> None:
    """A command of our name from anywhere else brings no data and does nothing; where it says whose it is, the person
    is told."""
    dev = Desk(team, "dev")
    dev.put(1)
    asked = {"command_name": f"agent-team-os:{verb}", "command_args": "", "expansion_type": "slash_command"}
    answer = dev.fire("UserPromptExpansion", **asked, **({} if source == "absent" else {"command_source": source}))
    assert set(answer) == (set() if source == "absent" else {"systemMessage"})
    if answer:
        assert f"/agent-team-os:{verb} is not the command of the plugin" in answer["systemMessage"]
    assert len(team.json("dev", "inbox")["pending"]) == 1
