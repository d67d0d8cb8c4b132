"""Stop: where drain is on, a turn does not end while mail is unhandled, and everywhere else it does."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from conftest import Team, tree
from support.cli import PATIENCE
from support.desk import HELPER, Desk, drain, framed, ids_in
from support.hooks import LAUNCHER, hook


@pytest.fixture
def dev(team: Team) -> Desk:
    """A session of dev, for which drain is on as it is by default."""
    drain(team)
    return Desk(team, "dev")


# ---- On and off ---------------------------------------------------------------------------------


def test_off_unless_it_is_turned_on(team: Team) -> None:
    """Without a word of drain in the map a session stops, whatever waits, and is idle then."""
    dev = Desk(team, "dev")
    dev.put(1, priority="urgent", requires_response=True)
    assert dev.stops(2) == [False, False]
    card = json.loads((team.home / "registry/dev.d/s-1.json").read_bytes())
    assert card["state"] == "idle"


@pytest.mark.parametrize(
    ("everybody", "own", "blocks"),
    [
        ({}, {}, False),
        ({"enabled": True}, {}, True),
        ({}, {"enabled": True}, True),
        ({"enabled": True}, {"enabled": False}, False),
        ({"enabled": False}, {"enabled": True}, True),
        ({"enabled": True}, {"max_blocks": 1}, True),
        ({"enabled": True, "min_priority": "urgent"}, {"enabled": True}, False),
        ({"enabled": True, "min_priority": "urgent"}, {"min_priority": "low"}, True),
        ({"scope": "pending"}, {"scope": "pending"}, False),
    ],
)
def test_for_all_and_for_one(everybody: dict[str, Any], own: dict[str, Any], blocks: bool, team: Team) -> None:
    """Each setting of an agent wins over the same one for all, and leaves the others of those as they are."""
    team.map(drain=everybody, agents={"ops": {}, "dev": {"drain": own}})
    dev = Desk(team, "dev")
    dev.put(1)
    assert (dev.reason() != "") == blocks


def test_the_switch_of_another(team: Team, dev: Desk) -> None:
    """Drain of dev does not keep ops."""
    ops = Desk(team, "ops")
    ops.put(1, sender="dev")
    dev.put(2)
    assert ops.reason() == ""
    assert dev.reason() != ""


def test_nothing_unhandled(dev: Desk) -> None:
    """With nothing pending, or mail of another session only, a session stops."""
    assert dev.reason() == ""
    dev.put(1, box="@other")
    assert dev.reason() == ""


def test_copies_never_keep_anybody(dev: Desk) -> None:
    """A copy for information blocks nothing, is not counted, and is not listed."""
    copy = dev.put(1, type="cc-notify", priority="urgent", requires_response=True)
    assert dev.reason() == ""
    dev.put(2)
    reason = dev.reason()
    assert reason.startswith("1 message is unhandled")
    assert copy not in reason


@pytest.mark.parametrize(("least", "number"), [("urgent", 1), ("high", 2), ("normal", 4), ("low", 5)])
@pytest.mark.parametrize("scope", ["pending", "owed"])
def test_the_least_priority(scope: str, least: str, number: int, team: Team) -> None:
    """Only mail of the priority that is set, or a more pressing one, counts; mail without one is normal."""
    drain(team, min_priority=least, scope=scope)
    dev = Desk(team, "dev")
    for at, priority in enumerate(("urgent", "high", "normal", "low")):
        dev.put(at, priority=priority)
    dev.put(9)
    assert dev.reason().startswith(f"{number} message")


def test_what_is_no_message(dev: Desk) -> None:
    """A broken file and one that is gone again block nothing."""
    box = dev.team.home / "inboxes/dev"
    gone = dev.put(1)
    assert gone in dev.reason()
    dev.path(gone).unlink()
    (box / "msg-20260520T091812Z-00000002.json").write_text("{}")
    assert dev.reason() == ""


# ---- How often ----------------------------------------------------------------------------------


def test_a_few_times_for_one_set(dev: Desk) -> None:
    """Three blocks by default for one set of mail, each with its number, and then never again."""
    dev.put(1)
    dev.put(2)
    reasons = [dev.reason() for _ in range(3)]
    assert [f"(block {number} of 3)" in reason for number, reason in enumerate(reasons, 1)] == [True] * 3
    assert dev.stops(4) == [False] * 4


def test_counted_over_prompts(dev: Desk) -> None:
    """Prompts, commands and starts in between do not start the count again."""
    dev.start()
    dev.put(1)
    seen = []
    for event in ("UserPromptSubmit", "UserPromptExpansion", "SessionStart", "PreToolUse", "UserPromptSubmit"):
        seen.append(dev.reason() != "")
        dev.fire(event, source="compact", command_name="agent-team-os:inbox", command_source="plugin")
    assert seen == [True, True, True, False, False]
    assert dev.reason(stop_hook_active=True) == ""


@pytest.mark.parametrize("most", [1, 2, 7])
def test_the_number_that_is_set(most: int, team: Team) -> None:
    """As often as is set, at most 7 times: Claude Code itself would end it at 8."""
    drain(team, max_blocks=most)
    dev = Desk(team, "dev")
    dev.put(1)
    assert dev.stops(9) == [True] * most + [False] * (9 - most)


@pytest.mark.parametrize("most", [8, 99, 0, -1, 2.5, "3", True, None, [3]])
@pytest.mark.parametrize("place", ["one", "all"])
def test_a_number_nobody_may_set(place: str, most: Any, team: Team) -> None:
    """A wrong number makes a wrong map, with which nobody is kept; the log of the hooks says why."""
    drain(team)
    dev = Desk(team, "dev")
    dev.put(1)
    assert dev.reason() != ""
    if place == "one":
        drain(team, max_blocks=most)
    else:
        team.map(drain={"max_blocks": most})
    assert dev.stops(9) == [False] * 9
    assert "max_blocks" in (team.home / "state/hook-errors.log").read_text()


def test_handled_mail_starts_the_count_again(dev: Desk) -> None:
    """With one of two messages read, the other is a set of its own."""
    first, second = dev.put(1), dev.put(2)
    assert dev.stops(4) == [True, True, True, False]
    dev.read(first)
    assert second in dev.reason()
    assert dev.stops(3) == [True, True, False]


def test_new_mail_starts_the_count_again(dev: Desk) -> None:
    """One more message makes another set; an equal number of others does too."""
    first = dev.put(1)
    assert dev.stops(4) == [True, True, True, False]
    dev.put(2)
    assert dev.stops(4) == [True, True, True, False]
    dev.read(first)
    dev.put(3)
    assert dev.stops(4) == [True, True, True, False]


def test_what_does_not_count_starts_nothing(team: Team) -> None:
    """Neither a copy nor mail below the least priority nor that of another session starts the count again."""
    drain(team, min_priority="normal")
    dev = Desk(team, "dev")
    dev.put(1)
    assert dev.stops(2) == [True, True]
    dev.put(2, type="cc-notify", priority="urgent")
    dev.put(3, priority="low")
    dev.put(4, box="@other")
    assert dev.stops(2) == [True, False]


def test_each_session_has_its_own_count(dev: Desk) -> None:
    """The same mail keeps a second session of the agent as often as the first, in turns too."""
    dev.put(1)
    second = Desk(dev.team, "dev", "s-2")
    turns = [desk.reason() != "" for _ in range(4) for desk in (dev, second)]
    assert turns == [True] * 6 + [False] * 2


@pytest.mark.parametrize("session_id", [None, "", "../x", "a/b", "é", "x" * 200, 5, [], {"a": 1}])
def test_a_session_without_an_id(session_id: Any, dev: Desk) -> None:
    """Where nothing can be counted nobody is kept."""
    nobody = Desk(dev.team, "dev", session_id)
    dev.put(1)
    assert nobody.stops(3) == [False] * 3


def test_an_id_from_the_environment(dev: Desk) -> None:
    """Without an id in the input the one of the environment counts."""
    dev.put(1)
    named = Desk(dev.team, "dev", None, CLAUDE_CODE_SESSION_ID="s-9")
    assert named.stops(4) == [True, True, True, False]
    assert Desk(dev.team, "dev", "s-9").reason() == ""


def test_a_subagent(dev: Desk) -> None:
    """A subagent is never kept, and nothing of it is remembered."""
    dev.put(1)
    before = tree(dev.team.root)
    assert dev.reason(agent_id="a-1") == ""
    assert tree(dev.team.root) == before


@pytest.mark.parametrize(
    "blocked", ["x", None, 7, [], [[]], {"a": 1}, ["x", "y"], [1, 2, 3], [None, None], "COUNT -100", "COUNT true"]
)
def test_a_memory_of_nonsense(blocked: Any, dev: Desk) -> None:
    """Whatever the memory of the session has come to, the same set never blocks more than 7 times after it."""
    dev.put(1)
    assert dev.reason() != ""
    path = dev.team.home / "state/s-1.json"
    memory = json.loads(path.read_bytes())
    if isinstance(blocked, str) and blocked.startswith("COUNT"):
        blocked = [memory["blocked"][0], json.loads(blocked.split()[1])]
    path.write_text(json.dumps({**memory, "blocked": blocked}))
    assert False in dev.stops(8)


# ---- A count that cannot be kept ----------------------------------------------------------------


def stops(team: Team, times: int) -> list[bool]:
    """Whether each of so many stops is blocked, of processes that may write only where the modes say so."""
    return [hook(team.env, team.root / "dev", "Stop", {"session_id": "s-1"}) != {} for _ in range(times)]


def test_a_count_that_cannot_be_kept(dev: Desk) -> None:
    """Where the count cannot be written nobody is kept for ever: not once more than was kept already."""
    dev.put(1)
    assert stops(dev.team, 1) == [True]
    (dev.team.home / "state").chmod(0o500)
    assert stops(dev.team, 3).count(True) == 0
    (dev.team.home / "state").chmod(0o700)
    assert stops(dev.team, 3) == [True, True, False]


@pytest.mark.parametrize("place", ["state", "state/s-1.json"])
def test_something_else_in_its_place(place: str, dev: Desk) -> None:
    """A file where the folder of the memories belongs, or a folder where the memory does, lets everybody go."""
    dev.put(1)
    path = dev.team.home / place
    if place == "state":
        shutil.rmtree(path)
        path.write_text("x")
    else:
        path.mkdir(parents=True)
    assert stops(dev.team, 9).count(True) <= 7


@pytest.mark.parametrize("stdout", [">/dev/full", ">&-"])
def test_a_word_nobody_takes(stdout: str, dev: Desk) -> None:
    """With stdout full or closed the hook still succeeds in silence, and the next prompt tells of what was not said."""
    message_id = dev.put(1, priority="high")
    done = subprocess.run(
        ["sh", "-c", f'sh "$0" Stop {stdout}', str(LAUNCHER)],
        cwd=dev.folder, env=dev.team.env, input=b'{"session_id": "s-1"}', capture_output=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert message_id in dev.prompt()


# ---- What it says -------------------------------------------------------------------------------


def test_the_reason(dev: Desk) -> None:
    """The reason counts, lists ten at most, and says how to read and answer with the helper's real path in quotes."""
    ids = [dev.put(number, priority="high" if number == 5 else "normal") for number in range(12)]
    reason = dev.reason()
    assert reason.startswith("12 messages are unhandled (block 1 of 3).")
    assert f"{HELPER} read ID" in reason
    assert f"{HELPER} reply ID response --body -" in reason
    assert reason.endswith(f"2 more: {HELPER} inbox")
    shown = framed(reason)
    assert len(shown) == 10
    assert ids_in(reason) == ids_in("\n".join(shown)), "no id outside the frame"
    assert shown[0].startswith("high ")
    assert ids[5] in shown[0]
    assert set(ids_in(reason)) < set(ids)


@pytest.mark.parametrize("number", [1, 10])
def test_no_more_than_ten(number: int, dev: Desk) -> None:
    """Up to ten are all listed, and nothing is said of more."""
    ids = [dev.put(at) for at in range(number)]
    reason = dev.reason()
    assert set(ids_in(reason)) == set(ids)
    assert "more:" not in reason


def test_what_was_listed_is_not_announced_again(dev: Desk) -> None:
    """At the next prompt only mail is told of that neither the start nor the block has listed."""
    dev.start()
    ids = [dev.put(number, priority="high") for number in range(12)]
    listed = ids_in(dev.reason())
    assert len(listed) == 10
    assert dev.announced() == set(ids) - set(listed)
    assert dev.prompt() == ""
    new = dev.put(20, priority="urgent")
    assert new in dev.reason()
    assert dev.prompt() == ""


def test_what_was_not_listed_is_announced(team: Team) -> None:
    """A copy, and mail below the least priority, are still told of at the next prompt."""
    drain(team, min_priority="high")
    dev = Desk(team, "dev")
    dev.start()
    listed = dev.put(1, priority="high")
    dev.put(2, priority="low")
    dev.put(3, type="cc-notify")
    assert listed in dev.reason()
    assert "1 pending. 1 copy for your information." in dev.prompt()


def test_drain_off_lets_go_at_once(dev: Desk) -> None:
    """Drain off counts for the very next stop, and on goes on with the count."""
    dev.put(1)
    assert dev.stops(1) == [True]
    dev.does("ato drain off")
    assert dev.stops(2) == [False, False]
    dev.does("ato drain on")
    assert dev.stops(3) == [True, True, False]
