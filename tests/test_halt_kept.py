"""A halt and its end are whole and durable: wherever they are killed, and whoever else is at it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from agent_team_os.mail import halt
from agent_team_os.storage import lock
from conftest import Team
from support import crash, trace
from support.cli import PROGRAM

RESUME = """
import os, sys
from agent_team_os.bus import Bus
Bus.open(os.environ, os.getcwd()).resume()
"""


def resuming(folder: Path) -> Path:
    """A script that lifts the halt, as the verb does once it has seen a person."""
    script = folder / "resume.py"
    script.write_text(RESUME)
    return script


@pytest.mark.parametrize("verb", ["halt", "halt again", "resume"])
def test_killed_at_every_call(verb: str, team: Team, tmp_path: Path) -> None:
    """Killed anywhere the bus is halted or it is not, with a whole reason, and the same again succeeds."""
    if verb != "halt":
        assert team.run("ops", "halt", "before").returncode == 0
    template = team.root.rename(tmp_path / "template")
    path = team.home / "HALT.json"
    act = crash.Act(team.root / "dev", team.env, ["halt", "now"])
    act = act._replace(args=[], script=resuming(tmp_path)) if verb == "resume" else act
    reasons: list[Any] = [None if verb == "halt" else "before", None if verb == "resume" else "now"]
    with crash.Starter() as starter:

        def reason() -> Any:
            return json.loads(path.read_bytes())["reason"] if path.exists() else None

        def judge(_outcome: crash.Outcome, _fault: str) -> None:
            assert reason() in reasons
            done = starter.run(crash.Act(team.root / "ops", team.env, ["send", "dev", "note", "--summary", "x"]))
            assert done.status == (2 if path.exists() else 0)
            assert starter.run(act).status == 0
            assert reason() == reasons[1]

        assert crash.explore(starter, act, template, team.root, crash.kill, judge) >= 3


def test_durable(team: Team, tmp_path: Path) -> None:
    """Before either command says yes its name, there or gone, is durable; the content is before it has the name."""
    path, before = str(team.home / "HALT.json"), ""
    scripts = str(resuming(tmp_path))
    package = {"PYTHONPATH": str(Path(PROGRAM[-1]).parent.parent)}
    for argv, naming in (([*PROGRAM, "halt", "now"], "rename"), ([PROGRAM[0], scripts], "unlink")):
        with trace.Traced(argv, cwd=team.root / "dev", env={**team.env, **package}) as run:
            calls = [call for call in run.finish().calls if call.done]
        assert run.status == 0, run.stderr()
        (named,) = [number for number, call in enumerate(calls) if call.name == naming and path in call.paths]
        assert any(call.name == "fsync" and call.paths == [str(team.home)] for call in calls[named:])
        if naming == "rename":
            before = calls[named].paths[0]
            assert any(call.name == "fsync" and call.paths == [before] for call in calls[:named])


@pytest.mark.parametrize("verb", ["begin", "end"])
def test_one_at_a_time(verb: str, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever halts the bus or lifts the halt waits for whoever is just doing either."""

    class Waits(BaseException):
        pass

    def sleep(_: float) -> NoReturn:
        raise Waits

    monkeypatch.setattr(lock, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    home = str(team.home)
    halt.begin(home, "ops", "before")
    with lock.guard(home, "@halt"), pytest.raises(Waits):
        halt.begin(home, "dev", "x") if verb == "begin" else halt.end(home)
    assert json.loads((team.home / "HALT.json").read_bytes())["reason"] == "before"
