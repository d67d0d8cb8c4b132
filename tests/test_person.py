"""What takes a person, on the command line: at a terminal outside of any session, and some of it by a script."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.mail import person
from agent_team_os.protocol import show
from conftest import Team, tree
from support import plans
from support.cli import PROGRAM
from support.seat import Seat

CLEAN_SHELL = ["env", "-i", "sh", "-c", 'env "$@"; exit $?', "sh"]
MARKS = ("CLAUDECODE", "CLAUDE_CODE_SESSION_ID", "CLAUDE_PID")
SESSION = "AGENT_TEAM_OS_SESSION"


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
@pytest.mark.parametrize(
    "wiped",
    [[], ["env", "-u", "CLAUDECODE", "-u", "CLAUDE_CODE_SESSION_ID", "-u", "CLAUDE_PID"], ["env", "-i"], CLEAN_SHELL],
)
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


def test_a_lifted_halt_needs_the_same(team: Team) -> None:
    """A halt is lifted by a person at a terminal of their own alone."""
    halt = team.home / "HALT.json"
    assert team.run("dev", "halt", "wait").returncode == 0
    assert plans.at_terminal(team, "dev", "resume", CLAUDECODE="1")[0] == 2
    assert plans.at_terminal(team, "dev", "resume", above={"CLAUDECODE": "1"})[0] == 2
    assert team.refused(2, "not-confirmed", "dev", "resume")
    assert halt.exists()
    assert plans.at_terminal(team, "dev", "resume")[0] == 0
    assert not halt.exists()


def test_a_folder_of_another_agent(team: Team) -> None:
    """A folder that has an agent is given away by a person at a terminal alone, who is told whose it is."""
    before = (team.home / "AGENT_MAP.json").read_bytes()
    error = team.refused(2, "not-confirmed", "dev", "join", "growth")
    assert error["message"].startswith("giving away a folder that has an agent takes a person")
    for env in ({"CLAUDECODE": "1"}, {"AGENT_TEAM_OS_SESSION": "dev/dev"}):
        assert team.run("dev", "join", "growth", **env).returncode == 2
    (team.root / "dev/sub").mkdir()
    assert team.run("dev/sub", "join", "growth").returncode == 2  # what lies below it is dev's, too
    status, shown = plans.at_terminal(team, "dev", "join", "growth", answer="n\n")
    assert (status, "dev's now. Its mail stays its own." in shown) == (2, True), shown
    assert (team.home / "AGENT_MAP.json").read_bytes() == before
    assert plans.at_terminal(team, "dev", "join", "growth")[0] == 0
    assert team.json("dev", "whoami")["agent"] == "growth"


def test_what_a_script_may_do(team: Team) -> None:
    """Without a terminal, outside of sessions, what can be undone passes; in a session none of it does by itself."""
    plans.gods(team)
    (team.root / "new").mkdir()
    calls = {("join", "new"): 0, ("drain", "on"): 0, ("god", "on"): 2, ("resume",): 2}
    for mark in person.MARKS:
        for call in calls:
            before = tree(team.root)
            done = team.run("new" if "join" in call else "ops", *call, **{mark: "x" if mark != SESSION else "ops/ops"})
            assert (done.returncode, "takes a person" in done.stderr) == (2, True), (mark, call, done.stderr)
            assert tree(team.root) == before
    for call, status in calls.items():
        assert team.run("new" if "join" in call else "ops", *call).returncode == status, call


def test_a_person_who_has_no_bus_there(tmp_path: Path) -> None:
    """Without a home nothing is made and nothing falls over."""
    team = Team(tmp_path, tmp_path / ".agent-team-os", {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    status, shown = plans.at_terminal(team, ".", "plan", "confirm", "plan-20260520-a1b2c3")
    assert (status, "no plan" in shown) == (1, True), shown
    assert not team.home.exists()
