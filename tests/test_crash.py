"""Killed or failed anywhere, a command leaves all of a message or none of it after the next command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support import crash, state
from support.cli import PROGRAM, ato, environment

Verb = Callable[[Path, dict[str, str]], list[str]]


def send(root: Path, _env: dict[str, str]) -> list[str]:
    """A plain message."""
    return ["send", "dev", "bug-fix", "--summary", "Loops", "--field", "project=web"]


def send_file(root: Path, _env: dict[str, str]) -> list[str]:
    """A message with an attachment, to one session whose box does not exist yet."""
    (root / "ops" / "trace.txt").write_text("trace")
    return ["send", "dev/web", "question", "--field", "question=Which?", "--attach", "trace.txt"]


def reply(root: Path, env: dict[str, str]) -> list[str]:
    """An answer with an attachment, which archives the original: all that a send can do but a new box."""
    (root / "ops" / "trace.txt").write_text("trace")
    sent = ato(env, root / "dev", "send", "ops", "question", "--field", "question=Which?", "--json")
    return ["reply", json.loads(sent.stdout)["id"], "response", "--summary", "main", "--attach", "trace.txt"]


def handoff(root: Path, _env: dict[str, str]) -> list[str]:
    """A handoff in a thread that exists."""
    return [
        "handoff",
        "dev",
        "--state-summary",
        "half",
        "--next-step",
        "the rest",
        "--thread",
        "thread-20260520-abc123",
    ]


def read(root: Path, env: dict[str, str]) -> list[str]:
    """Reading, which archives."""
    ato(env, root / "dev", "send", "ops", "question", "--field", "question=Which?")
    return ["read"]


def join(root: Path, _env: dict[str, str]) -> list[str]:
    """Joining a second folder."""
    (root / "second").mkdir()
    return ["join", "growth", "--path", "../second"]


@pytest.mark.parametrize(
    "verb",
    [
        reply, read, join,
        pytest.param(send, marks=pytest.mark.full), pytest.param(send_file, marks=pytest.mark.full),
        pytest.param(handoff, marks=pytest.mark.full),
    ],
    ids=lambda verb: str(verb.__name__),
)  # fmt: skip
def test_all_or_nothing_at_every_call(verb: Verb, tmp_path: Path) -> None:
    """Whatever call a kill or a disk error hits, the next command finds the message whole or not at all."""
    template, root = tmp_path / "template", tmp_path / "root"
    for agent in ("ops", "dev"):
        (root / agent).mkdir(parents=True)
    env = environment(root)
    home = root / ".agent-team-os"
    for agent in ("ops", "dev"):
        assert ato(env, root / agent, "join", agent).returncode == 0
    arguments = verb(root, env)
    argv = [*PROGRAM, *arguments]
    root.rename(template)
    before = state.check(template / ".agent-team-os")

    found = crash.points(argv, env, crash.fresh(template, root) / "ops", root)
    assert len(found) > 5
    errors = sorted(crash.FAILING)
    for number, point in enumerate(found):
        fitting = [name for name in errors if point.call in crash.FAILING[name]]
        # Every call is killed; every other one fails, the errors taking turns, once passing and once lasting.
        turn = number // 2
        error = [fitting[turn % len(fitting)] + "+" * (turn % 2)] if fitting and number % 2 else []
        for fault in ["kill", *error]:
            crash.fresh(template, root)
            outcome = crash.disturbed(argv, env, root / "ops", root, point, fault)
            where = f"{fault} at {point}: exit {outcome.status} {outcome.stderr}"
            assert outcome.hit, where
            assert "Traceback" not in outcome.stderr, where
            next_one = ato(env, root / "dev", "inbox")
            assert next_one.returncode == 0, f"{where}; then {next_one.stderr}"
            try:
                after = state.check(home)
            except AssertionError as error:
                raise AssertionError(f"{where}; {error}") from None
            new = after - before
            assert len(new) <= 1, where
            if verb in (send, send_file, reply, handoff):
                if outcome.status == 0:
                    assert new, f"said yes and sent nothing: {where}"
                elif outcome.status > 0 and outcome.status != 75:
                    assert outcome.status in (3, 73), where
                    assert not new, f"said no and sent it: {where}"
            assert next_one.stdout.startswith("dev/"), where
