"""Killed or failed anywhere, a command leaves all of a message or none of it after the next command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support import copied, crash, state
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


def send_copied(root: Path, _env: dict[str, str]) -> list[str]:
    """A message from one domain to another, of which two hubs get copies."""
    path = root / ".agent-team-os/AGENT_MAP.json"
    document = json.loads(path.read_bytes())
    domains = {"agents": copied.AGENTS, "domains": {"work": {"hub": "secure"}, "side": {"hub": "lead"}}}
    path.write_text(json.dumps({**document, **domains}))
    return ["send", "dev", "bug-fix", "--summary", "Loops", "--field", "project=web"]


def read(root: Path, env: dict[str, str]) -> list[str]:
    """Reading, which archives."""
    ato(env, root / "dev", "send", "ops", "question", "--field", "question=Which?")
    return ["read"]


def join(root: Path, _env: dict[str, str]) -> list[str]:
    """Joining a second folder."""
    (root / "second").mkdir()
    return ["join", "growth", "--path", "../second"]


def everywhere(number: int, point: crash.Point) -> list[str]:
    """Every call is killed; every other one fails, the errors taking turns, once passing and once lasting."""
    fitting = [name for name in sorted(crash.FAILING) if point.call in crash.FAILING[name]]
    turn = number // 2
    error = [fitting[turn % len(fitting)] + "+" * (turn % 2)] if fitting and number % 2 else []
    return ["kill", *error]


def where_others_can_see_it(_number: int, point: crash.Point) -> list[str]:
    """What changes the content of a file or gives or takes a name of the mail is killed, and fails once."""
    if point.call not in ("write", "link", "unlink") or ".blob" in point.text:
        return []
    return ["kill", "EIO"]


def disturb(verb: Verb, tmp_path: Path, faults: Callable[[int, crash.Point], list[str]]) -> None:
    """Run a command with each of these faults at each call, then another command, and look at what is there."""
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
    check = copied.check if verb is send_copied else state.check
    before = check(template / ".agent-team-os")

    found = crash.points(argv, env, crash.fresh(template, root) / "ops", root)
    drawn = [(point, fault) for number, point in enumerate(found) for fault in faults(number, point)]
    assert len(drawn) > 5
    for point, fault in drawn:
        crash.fresh(template, root)
        outcome = crash.disturbed(argv, env, root / "ops", root, point, fault)
        where = f"{fault} at {point}: exit {outcome.status} {outcome.stderr}"
        assert outcome.hit, where
        assert "Traceback" not in outcome.stderr, where
        next_one = ato(env, root / "dev", "inbox")
        assert next_one.returncode == 0, f"{where}; then {next_one.stderr}"
        try:
            after = check(home)
        except AssertionError as error:
            raise AssertionError(f"{where}; {error}") from None
        new = after - before
        if verb is not send_copied:
            assert len(new) <= 1, where
        elif outcome.status < 0:
            assert len(new) in (0, 3), f"of a message and its two copies there are {len(new)}: {where}"
        elif new and not fault.endswith("+"):  # else nobody may be left who could be told
            assert len(new) + outcome.stderr.count("gets no copy") == 3, f"of three {len(new)}: {where}"
        if verb in (send, send_file, send_copied, reply, handoff):
            if outcome.status == 0:
                assert new, f"said yes and sent nothing: {where}"
            elif outcome.status > 0 and outcome.status != 75:
                assert outcome.status in (3, 73), where
                assert not new, f"said no and sent it: {where}"
        assert next_one.stdout.startswith("dev/"), where


@pytest.mark.parametrize(
    "verb",
    [
        reply, read, join,
        pytest.param(send, marks=pytest.mark.full), pytest.param(send_file, marks=pytest.mark.full),
        pytest.param(handoff, marks=pytest.mark.full), pytest.param(send_copied, marks=pytest.mark.full),
    ],
    ids=lambda verb: str(verb.__name__),
)  # fmt: skip
def test_all_or_nothing_at_every_call(verb: Verb, tmp_path: Path) -> None:
    """Whatever call a kill or a disk error hits, the next command finds the message whole or not at all."""
    disturb(verb, tmp_path, everywhere)


def test_a_message_and_its_copies_are_all_or_nothing(tmp_path: Path) -> None:
    """A send with two copies that is killed between any two of its writes, links and removals is sent with both of
    them or not at all; where the disk refuses one of these, only a copy that cannot be kept is left out.
    """
    disturb(send_copied, tmp_path, where_others_can_see_it)
