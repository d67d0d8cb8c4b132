"""Only a person says yes: at a terminal outside of any session, or by a slash command typed in an attended one."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.protocol import show
from conftest import Team, tree
from support import plans
from support.cli import PROGRAM, ROOT
from support.hooks import LAUNCHER
from support.seat import Seat

CLEAN_SHELL = ["env", "-i", "sh", "-c", 'env "$@"; exit $?', "sh"]
MARKS = ("CLAUDECODE", "CLAUDE_CODE_SESSION_ID")


@pytest.fixture
def proposed(team: Team) -> tuple[Team, str]:
    """A plan of ops that waits for its yes."""
    return plans.gods(team), plans.propose(team)


def digest(plan: dict[str, object]) -> str:
    """The hash of a plan, as the protocol page describes it."""
    what = {name: plan[name] for name in ("id", "god", "domain", "objective", "tasks")}
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def unchanged(team: Team, plan_id: str) -> bool:
    """Whether a plan still waits for its yes."""
    plan = plans.stored(team, plan_id)
    return (plan["status"], plan["confirmation"]) == ("proposed", None)


# ---- At a terminal ------------------------------------------------------------------------------


def test_yes_at_a_terminal(proposed: tuple[Team, str]) -> None:
    """A person at a terminal of their own is shown the plan, says yes, and where and when and to what is kept."""
    team, plan_id = proposed
    before = plans.stored(team, plan_id)
    status, shown = plans.at_terminal(team, "dev", "plan", "confirm", plan_id)
    assert status == 0, shown
    question = shown.partition("Let it out?")[0]
    assert "Safari users can sign in again" in question
    assert "Mend the redirect" in question
    assert f"{plan_id} is confirmed" in shown
    plan = plans.stored(team, plan_id)
    confirmation = plan.pop("confirmation")
    assert confirmation["hash"] == digest(before)
    assert re.fullmatch(r"/dev/(pts/\d+|tty.*)", confirmation["session"])
    assert show.seconds_of(confirmation["at"]) is not None
    assert plan == {name: value for name, value in before.items() if name != "confirmation"} | {"status": "confirmed"}


def test_no_at_a_terminal(proposed: tuple[Team, str]) -> None:
    """Whoever says no, or nothing, has confirmed nothing: status 2, and 130 where the input ended."""
    team, plan_id = proposed
    for answer, expected in (("n\n", 2), ("\n", 2), ("\x04", 130)):
        with Seat(team.env, team.root / "ops", [*PROGRAM, "plan", "confirm", plan_id]) as seat:
            seat.wait_for("Let it out?")
            seat.type(answer)
            status, shown = seat.end()
        assert status == expected, shown
        assert unchanged(team, plan_id)


def test_without_a_terminal(proposed: tuple[Team, str]) -> None:
    """Where stdin is no terminal nobody is asked and the answer on it does not count."""
    team, plan_id = proposed
    for name in ("confirm", "launch"):
        assert "terminal" in plans.refused(team, 2, "not-confirmed", "ops", name, plan_id, stdin="y\n")
    with Seat(team.env, team.root / "ops", [*PROGRAM, "plan", "confirm", plan_id], given="y\n") as seat:
        status, shown = seat.end()
    assert (status, "nobody is at a terminal" in shown) == (2, True)
    assert unchanged(team, plan_id)


@pytest.mark.parametrize("mark", MARKS)
def test_a_shell_of_a_session(mark: str, proposed: tuple[Team, str]) -> None:
    """A terminal counts for nothing where a variable of a session is left, whichever it is."""
    team, plan_id = proposed
    env: dict[str, Any] = {mark: "1"}
    status, shown = plans.at_terminal(team, "ops", "plan", "confirm", plan_id, **env)
    assert (status, "a shell of a session" in shown, "Let it out?" in shown) == (2, True, False), shown
    assert unchanged(team, plan_id)


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("wiped", [[], ["env", "-u", MARKS[0], "-u", MARKS[1]], ["env", "-i"], CLEAN_SHELL])
def test_a_terminal_that_a_model_opened(mark: str, wiped: list[str], proposed: tuple[Team, str]) -> None:
    """A pseudo-terminal opened from a session is refused, also where the variables were taken away on the way."""
    team, plan_id = proposed
    command = [*wiped, *(f"{name}={value}" for name, value in team.env.items() if wiped), *PROGRAM]
    inner = team.env if not wiped else {**team.env, mark: "1"}
    with Seat(inner, team.root / "ops", [*command, "plan", "confirm", plan_id], above={mark: "1"}) as seat:
        seat.type("y\n")
        status, shown = seat.end()
    assert (status, "opened from a session" in shown, "Let it out?" in shown) == (2, True, False), shown
    assert unchanged(team, plan_id)


def test_a_shell_between(proposed: tuple[Team, str]) -> None:
    """Only the shell between the terminal and the program having been a session's is enough to refuse."""
    team, plan_id = proposed
    words = " ".join(f"'{word}'" for word in [*PROGRAM, "plan", "confirm", plan_id])
    script = f"env -u CLAUDECODE {words}; exit $?"
    with Seat({**team.env, "CLAUDECODE": "1"}, team.root / "ops", ["sh", "-c", script]) as seat:
        seat.type("y\n")
        assert seat.end()[0] == 2
    assert unchanged(team, plan_id)


# ---- In a session -------------------------------------------------------------------------------


def test_yes_in_an_attended_session(proposed: tuple[Team, str]) -> None:
    """/god confirm PLAN, typed by the person at a session, confirms it; the session is kept and the plan shown."""
    team, plan_id = proposed
    before = plans.stored(team, plan_id)
    told = plans.typed(team, f"/god confirm {plan_id}")
    assert f"{plan_id}  confirmed, with the yes of ops/ops" in told
    assert "plan dispatch" in told
    plan = plans.stored(team, plan_id)
    assert plan["status"] == "confirmed"
    assert (plan["confirmation"]["session"], plan["confirmation"]["hash"]) == ("ops/ops", digest(before))
    kept = tree(team.home / "plans")
    assert "confirmed" in plans.typed(team, f"/god confirm {plan_id[-6:]}")  # twice is no second yes
    assert tree(team.home / "plans") == kept


FOREIGN_ENVIRONMENTS: dict[str, Any] = {
    "claude -p": {"CLAUDE_CODE_ENTRYPOINT": "sdk-cli", "CLAUDE_CODE_SESSION_ATTENDED": "0"},
    "another entry point": {"CLAUDE_CODE_ENTRYPOINT": "sdk-cli"},
    "no entry point": {"CLAUDE_CODE_ENTRYPOINT": None},
    "unattended": {"CLAUDE_CODE_SESSION_ATTENDED": "0"},
    "of whom nobody says whether": {"CLAUDE_CODE_SESSION_ATTENDED": None},
    "no client": {"CLAUDE_PID": None},
    "another client": {"CLAUDE_PID": "1"},
    "no number": {"CLAUDE_PID": "{pid}x"},
    "an odd number": {"CLAUDE_PID": "\u0661"},
    "a long number": {"CLAUDE_PID": "9" * 5000},
}


@pytest.mark.parametrize("name", FOREIGN_ENVIRONMENTS)
def test_a_session_without_a_person(name: str, proposed: tuple[Team, str]) -> None:
    """The same command is refused where the client does not say that somebody sits there, or is not the caller."""
    team, plan_id = proposed
    told = plans.typed(team, f"/god confirm {plan_id}", **FOREIGN_ENVIRONMENTS[name])
    assert "This did not work" in told
    assert "this takes a person" in told
    assert unchanged(team, plan_id)


@pytest.mark.parametrize("mark", MARKS)
def test_a_client_that_a_model_started(mark: str, proposed: tuple[Team, str]) -> None:
    """A nested client, attended by its own word, is refused: it was started from a session."""
    team, plan_id = proposed
    told = plans.typed(team, f"/god confirm {plan_id}", above={mark: "1"})
    assert "itself started from a session" in told
    assert unchanged(team, plan_id)


HOOK = f"sh '{LAUNCHER}' UserPromptExpansion"
VERB = " ".join(f"'{word}'" for word in [*PROGRAM, "hook", "UserPromptExpansion"])
IN_ITS_PLACE = """
import os, socket, sys
if sys.argv[1] == "pipe":
    read, write = os.pipe()
else:
    ours, theirs = socket.socketpair()
    read, write = theirs.fileno(), ours.fileno()
while data := os.read(0, 65536):
    os.write(write, data)
os.close(write)
os.dup2(read, 0)
os.execvp("sh", ["sh", sys.argv[2], "UserPromptExpansion"])
"""
BY_HAND = {
    "the hook in a shell": ["bash", "-c", f"{HOOK}; true"],
    "the hook in a shell in a shell": ["bash", "-c", f"bash -c \"{HOOK}; true\"; true"],
    "the hook from a program": [
        sys.executable, "-c", f"import subprocess; subprocess.run(['sh', '{LAUNCHER}', 'UserPromptExpansion'])",
    ],
    "the verb in a shell": ["bash", "-c", f"{VERB}; true"],
    "the verb in place of a shell": [*PROGRAM, "hook", "UserPromptExpansion"],
    "the module in a shell": [
        "bash", "-c", f"'{sys.executable}' '{ROOT}/scripts/agent_team_os/hooks/__main__.py' UserPromptExpansion; true",
    ],
    "the hook in place of a shell": ["bash", "-c", f"cat > in.json; exec {HOOK} < in.json"],
    "the hook in place of a program": [sys.executable, "-c", IN_ITS_PLACE, "pipe", str(LAUNCHER)],
    "the hook behind a socket": [sys.executable, "-c", IN_ITS_PLACE, "socket", str(LAUNCHER)],
    "the launcher of the verb": ["bash", "-c", f"'{ROOT}/scripts/ato' hook UserPromptExpansion; true"],
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_a_hook_called_by_hand(name: str, proposed: tuple[Team, str]) -> None:
    """In an attended session a model that calls the hook itself, with made-up input, confirms nothing."""
    team, plan_id = proposed
    told = plans.typed(team, f"/god confirm {plan_id}", command=BY_HAND[name])
    assert "this takes a person" in told
    assert unchanged(team, plan_id)


def test_a_lifted_halt_needs_the_same(team: Team) -> None:
    """/bus resume counts from a person alone, as does `resume`; at a terminal of their own it works."""
    plans.gods(team)
    halt = team.home / "HALT.json"
    assert team.run("dev", "halt", "wait").returncode == 0
    assert "this takes a person" in plans.typed(team, "/bus resume", CLAUDE_CODE_SESSION_ATTENDED="0")
    assert "this takes a person" in plans.typed(team, "/bus resume", above={"CLAUDECODE": "1"})
    assert plans.at_terminal(team, "dev", "resume", CLAUDECODE="1")[0] == 2
    assert plans.at_terminal(team, "dev", "resume", above={"CLAUDECODE": "1"})[0] == 2
    assert team.refused(2, "not-confirmed", "dev", "resume")
    assert halt.exists()
    assert plans.at_terminal(team, "dev", "resume")[0] == 0
    assert not halt.exists()
    assert team.run("dev", "halt", "wait").returncode == 0
    told = plans.typed(team, "/bus resume")
    assert told == "The halt is lifted; mail goes out again."
    assert not halt.exists()


def test_a_person_who_has_no_bus_there(tmp_path: Path) -> None:
    """Without a home nothing is made and nothing falls over."""
    team = Team(tmp_path, tmp_path / ".agent-team-os", {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    status, shown = plans.at_terminal(team, ".", "plan", "confirm", "plan-20260520-a1b2c3")
    assert (status, "no plan" in shown) == (1, True), shown
    assert not team.home.exists()
