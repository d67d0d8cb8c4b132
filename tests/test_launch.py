"""plan launch: the exact words that open a session for each assignee, and the windows after a yes of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Team
from support import plans
from support.attacks import unseen
from support.cli import PATIENCE
from support.hooks import hook
from support.plans import task

TASKS = (task("Mend"), task("Post", "growth"), task("Tell"), task("Mine", "ops"))
# Stands in for the client: says where it was opened with which words, and stays.
CLAUDE = """#!/bin/sh
printf '%s\\n' "$PWD" "$@" > "$HOME/opened.$(basename "$PWD")"
tmux wait-for -S "opened-$(basename "$PWD" | tr -dc a-z)"
exec cat
"""


@pytest.fixture
def out(team: Team) -> tuple[Team, str]:
    """A plan of ops that has gone out, to dev, growth and ops itself."""
    plans.gods(team)
    plan_id = plans.confirmed(team, *TASKS)
    plans.run(team, "ops", "dispatch", plan_id)
    return team, plan_id


@pytest.fixture
def tmux(team: Team, tmp_path: Path) -> Iterator[Team]:
    """A team on whose PATH there is a client, and a tmux of its own that nobody else sees."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "claude").write_text(CLAUDE)
    (programs / "claude").chmod(0o755)
    place = tmp_path / "t"
    place.mkdir(mode=0o700)
    path = f"{programs}:{os.environ.get('PATH', os.defpath)}"
    env = {
        **team.env,
        "PATH": path,
        "TMUX_TMPDIR": str(place),
        "SHELL": "/bin/sh",
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
    }
    yield Team(team.root, team.home, env)
    with contextlib.suppress(subprocess.SubprocessError):
        ask(env, "kill-server")


def ask(env: dict[str, str], *args: str) -> str:
    """What tmux answers."""
    done = subprocess.run(["tmux", *args], env=env, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return done.stdout


def opened(team: Team, folder: str) -> list[str]:
    """Where the client of a folder was opened and with which words, when it has been."""
    ask(team.env, "wait-for", "opened-" + "".join(char for char in folder if char in "abcdefghijklmnopqrstuvwxyz"))
    return (team.root / f"opened.{folder}").read_text().splitlines()


def printed(shown: str) -> dict[str, Any]:
    """The JSON document among what a terminal shows."""
    document: dict[str, Any] = json.loads(shown[shown.index('{"sessions"') :].splitlines()[0])
    return document


def test_the_commands(out: tuple[Team, str]) -> None:
    """A person is given a line for each assignee, in the plan's order, and told of those without a folder."""
    team, plan_id = out
    status, shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id)
    assert status == 0, shown
    lines = [line for line in shown.splitlines() if line.startswith("cd ")]
    assert lines == [f"cd {shlex.quote(str(team.root / agent))} && claude /inbox" for agent in ("dev", "ops")]
    assert "growth has no folder of its own in the map" in shown
    assert "Open " not in shown
    status, shown = plans.at_terminal(team, "dev", "plan", "launch", plan_id[-6:], "--json")
    assert printed(shown) == {
        "sessions": [
            {"agent": "dev", "folder": str(team.root / "dev"), "live": False, "command": ["claude", "/inbox"]},
            {"agent": "growth", "folder": None, "live": False, "command": ["claude", "/inbox"]},
            {"agent": "ops", "folder": str(team.root / "ops"), "live": False, "command": ["claude", "/inbox"]},
        ],
        "opened": [],
    }


def test_not_before_it_has_gone_out(team: Team) -> None:
    """Nobody is sent to an empty inbox: a plan that is not confirmed or not dispatched is refused."""
    plans.gods(team)
    plan_id = plans.propose(team)
    status, shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id)
    assert (status, "is not confirmed" in shown) == (2, True), shown
    plans.confirm(team, plan_id)
    status, shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id, "--open")
    assert (status, f"First: ato plan dispatch {plan_id}" in shown, "[y/N]" in shown) == (2, True, False), shown


def test_only_a_person(out: tuple[Team, str], tmux: Team) -> None:
    """A model is not even shown the commands, with or without --open, and no window opens."""
    team, plan_id = tmux, out[1]
    for options in ((), ("--open",)):
        said = plans.refused(team, 2, "not-confirmed", "ops", "launch", plan_id, *options, stdin="y\n")
        assert "opening sessions takes a person" in said
        assert plans.at_terminal(team, "ops", "plan", "launch", plan_id, *options, CLAUDECODE="1")[0] == 2
        above = {"CLAUDE_CODE_SESSION_ID": "s-1"}
        status, shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id, *options, above=above)
        assert (status, "claude /inbox" in shown) == (2, False), shown
    assert list((team.root.parent / "t").iterdir()) == []


def test_a_yes_of_its_own(out: tuple[Team, str], tmux: Team) -> None:
    """--open shows the commands and asks; without a yes nothing opens, with it a window each in its folder."""
    team, plan_id = tmux, out[1]
    for answer in ("n\n", "\n"):
        status, shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id, "--open", answer=answer)
        assert (status, "no session was opened" in shown) == (2, True), shown
    assert list((team.root.parent / "t").iterdir()) == []
    status, shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id, "--open")
    assert status == 0, shown
    question = shown.partition("Open 2 sessions?")[0]
    assert f"cd {team.root / 'dev'} && claude /inbox" in question
    assert f"cd {team.root / 'ops'} && claude /inbox" in question
    assert "Opened ato:dev" in shown
    assert "Opened ato:ops" in shown
    for agent in ("dev", "ops"):
        assert opened(team, agent) == [str(team.root / agent), "/inbox"]
    assert ask(team.env, "list-windows", "-t", "=ato", "-F", "#{window_name}").split() == ["dev", "ops"]
    status, shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id, "--open", "--json")
    assert (status, printed(shown)["opened"]) == (0, ["ato:dev", "ato:ops"])
    assert len(ask(team.env, "list-windows", "-t", "=ato").splitlines()) == 4


def test_inside_tmux(out: tuple[Team, str], tmux: Team) -> None:
    """A person who sits in tmux gets the windows in that session, and stays in the window that is open."""
    team, plan_id = tmux, out[1]
    ask(team.env, "new-session", "-d", "-s", "mine", "-n", "here", "cat")
    where = ask(team.env, "display-message", "-p", "-t", "mine", "#{socket_path},#{pid},0").strip()
    status, shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id, "--open", TMUX=where)
    assert (status, "Opened mine:dev" in shown) == (0, True), shown
    assert opened(team, "dev") == [str(team.root / "dev"), "/inbox"]
    windows = ask(team.env, "list-windows", "-a", "-F", "#{session_name} #{window_name} #{window_active}").splitlines()
    assert windows == ["mine here 1", "mine dev 0", "mine ops 0"]


ODD = ("two words", 'it\'s $HOME `id` "x"', "#{session_name} #(touch x) #S", "-c", "a;b&c|d")


@pytest.mark.parametrize("name", ODD)
def test_an_odd_folder(name: str, team: Team, tmux: Team) -> None:
    """Whatever a folder is called, the line leads there in any shell, and the window opens there."""
    folder = team.root / "odd" / name
    folder.mkdir(parents=True)
    plans.gods(team)
    done = team.run("dev", "join", "growth", "--path", str(folder))
    assert done.returncode == 0, done.stderr
    plans.gods(team)
    plan_id = plans.confirmed(team, task("Post", "growth"))
    plans.run(team, "ops", "dispatch", plan_id)
    _, shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id)
    (line,) = [line for line in shown.splitlines() if line.startswith("cd ")]
    for shell in ("bash", "dash"):
        script = f"{line.removesuffix('claude /inbox')}pwd"
        done = subprocess.run([shell, "-c", script], env=team.env, capture_output=True, text=True, check=True)
        assert done.stdout == f"{folder}\n"
    status, shown = plans.at_terminal(tmux, "ops", "plan", "launch", plan_id, "--open")
    assert status == 0, shown
    assert opened(tmux, name) == [str(folder), "/inbox"]
    assert not (folder / "x").exists()


def test_a_hostile_folder(team: Team) -> None:
    """A folder whose name drives a terminal is printed so that it drives none."""
    folder = team.root / "a\x1b[2J\u202eb"
    folder.mkdir()
    assert team.run("dev", "join", "growth", "--path", str(folder)).returncode == 0
    plans.gods(team)
    plan_id = plans.confirmed(team, task("Post", "growth"))
    plans.run(team, "ops", "dispatch", plan_id)
    for options in ((), ("--json",), ("--open",)):
        shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id, *options, answer="n\n")[1]
        assert "202" in shown
        assert unseen(shown.replace("\n", "")) == []


def test_where_an_agent_works(out: tuple[Team, str]) -> None:
    """An agent is opened where its last session was, if that is its own still, else in the folder of a rule."""
    team, plan_id = out
    inner = team.root / "dev/inner"
    inner.mkdir()
    hook(team.env, inner, "SessionStart", {"session_id": "s-1", "source": "startup", "cwd": str(inner)})

    def folder() -> Any:
        shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id, "--json")[1]
        return printed(shown)["sessions"][0]["folder"]

    assert folder() == str(inner)
    assert plans.at_terminal(team, "dev", "join", "secure", "--path", str(inner))[0] == 0
    assert folder() == str(team.root / "dev")
    (team.root / "dev").rename(team.root / "gone")
    assert folder() is None


def test_what_is_missing(out: tuple[Team, str], tmux: Team, tmp_path: Path) -> None:
    """Without tmux or the client a yes opens nothing, and the refusal says which is missing."""
    team, plan_id = tmux, out[1]
    only = tmp_path / "only"
    only.mkdir()
    for name, missing in (("claude", "tmux"), ("tmux", "claude")):
        (only / name).write_text("#!/bin/sh\nexit 1\n")
        (only / name).chmod(0o755)
        status, shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id, "--open", PATH=str(only))
        assert (status, f"there is no {missing} on PATH" in shown) == (73, True), shown
        (only / name).unlink()
    for name in ("claude", "tmux"):
        (only / name).write_text("#!/bin/sh\necho no server >&2\nexit 1\n")
        (only / name).chmod(0o755)
    status, shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id, "--open", PATH=f"{only}:/usr/bin:/bin")
    assert (status, "tmux opened no window for dev: no server" in shown) == (73, True), shown


def test_who_has_a_session_gets_no_second_one(out: tuple[Team, str], tmux: Team) -> None:
    """--open leaves out an agent that is live; the commands are printed all the same."""
    team, plan_id = tmux, out[1]
    hook(team.env, team.root / "dev", "SessionStart", {"session_id": "s-live"})
    status, shown = plans.at_terminal(team, "ops", "plan", "launch", plan_id, "--open")
    assert (status, "dev has a session already" in shown, "Opened ato:ops" in shown) == (0, True, True), shown
    assert ask(team.env, "list-windows", "-t", "=ato", "-F", "#{window_name}").split() == ["ops"]
    assert "/dev && claude" in plans.at_terminal(team, "ops", "plan", "launch", plan_id)[1]
