"""Data is durable before it gets its name, and names are durable before anybody is told yes, on the trace of calls.

A power cut on one disk shows only some of what can be forgotten: a later fsync covers for an earlier one. So the
order itself is looked at.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from conftest import Team
from support import copied, trace
from support.sync_order import Lint, retried
from support.trace import Call


class Command(NamedTuple):
    """Who runs what."""

    agent: str
    args: Sequence[str]
    stdin: str = ""


SEND = ("send", "dev", "bug-fix", "--summary", "Loops", "--field", "project=web")


def plain(team: Team) -> Command:
    """A message that opens a thread."""
    return Command("ops", SEND)


def attachment(team: Team) -> Command:
    """A message with a file, to a session that has no box yet."""
    (team.root / "ops/trace.txt").write_text("trace")
    return Command("ops", ["send", "dev/web", "question", "--field", "question=Which?", "--attach", "trace.txt"])


def copied_to_hubs(team: Team) -> Command:
    """A message from one domain to another, of which two hubs get copies."""
    team.map(agents=copied.AGENTS, domains={"work": {"hub": "secure"}, "side": {"hub": "lead"}})
    return Command("ops", SEND)


def batch(team: Team) -> Command:
    """Three messages with one commit, two of them to one box and one into a thread that exists."""
    thread = team.ask("ops", "dev")["thread_id"]
    note = {"to": "dev", "intent": "note", "payload": {"summary": "x"}}
    lines = [note, {**note, "to_slug": "web"}, {**note, "thread_id": thread}]
    return Command("ops", ["send", "--batch", "-"], "".join(json.dumps(line) + "\n" for line in lines))


def reply(team: Team) -> Command:
    """An answer, which archives the original and goes into a thread that exists."""
    return Command("dev", ["reply", team.ask("ops", "dev")["id"], "response", "--summary", "main"])


def read(team: Team) -> Command:
    """Reading, which archives."""
    team.ask("ops", "dev")
    return Command("dev", ["read"])


def handoff(team: Team) -> Command:
    """A handoff, for which git is asked."""
    return Command("ops", ["handoff", "dev", "--state-summary", "half", "--next-step", "the rest"])


def join(team: Team) -> Command:
    """A change of the map."""
    (team.root / "growth").mkdir()
    return Command("growth", ["join", "growth"])


def join_first(team: Team) -> Command:
    """The first command of all, which makes the home."""
    team.home.rename(team.root / "elsewhere")
    return Command("dev", ["join", "dev"])


def set_aside(team: Team) -> Command:
    """A look into an inbox with a file that is no message."""
    (team.home / "inboxes/dev/msg-20260520T101500Z-abcd1234.json").write_text("[]")
    return Command("dev", ["inbox"])


def repair(team: Team) -> Command:
    """Doctor with much to mend: a thread, a folder, a message that lies twice, a send that was killed."""
    sent = team.ask("ops", "dev")
    team.run("dev", "read")
    [read] = (team.home / "inboxes/dev/.read").iterdir()
    (team.home / "inboxes/dev" / read.name).write_bytes(read.read_bytes())
    (team.home / "threads" / f"{sent['thread_id']}.json").unlink()
    (team.home / "attachments").rmdir()
    kill(team, "outbox line")
    return Command("dev", ["doctor", "--repair"])


def recovery(team: Team) -> Command:
    """A look that finds three killed sends, whose lines are in the outbox."""
    kill(team, "outbox line", batch(team))
    return Command("dev", ["inbox"])


VERBS = (plain, attachment, copied_to_hubs, batch, reply, read, handoff, join, join_first, set_aside, recovery, repair)
# The calls behind which a send may be killed with its line in the outbox, and what that call is about.
KILLED = {
    "outbox line": ("write", r"outbox/.*\.jsonl"),
    "durable outbox line": ("fsync", r"outbox/.*\.jsonl"),
    "link": ("link", r"inboxes/dev/msg.*"),
    "durable link": ("fsync", r"inboxes/dev"),
    "thread": ("(link|rename)", r"threads/thread.*"),
    "durable thread": ("fsync", r"threads"),
}


def kill(team: Team, behind: str, command: Command | None = None) -> None:
    """A send that dies behind one of its calls."""
    name, path = KILLED[behind]
    command = command or Command("ops", SEND)
    argv = [*trace.program(), *command.args]
    stdin = command.stdin
    with trace.Traced(argv, cwd=team.root / command.agent, env=team.env, stdin=stdin, stop=trace.CHANGING) as run:
        for event in run:
            assert isinstance(event, Call), f"it was through before {behind}"
            last = os.path.relpath(event.paths[-1], team.home) if event.paths else ""
            if re.fullmatch(name, event.name) and re.fullmatch(path, last):
                break
            run.go(event.pid)
        run.kill(event.pid)
        run.finish()
        assert run.status == -9


def below(home: Path) -> set[str]:
    """The paths that are there, as seen from the home."""
    return {os.path.relpath(path, home) for path in (home, *home.rglob("*"))} if home.exists() else set()


def calls_of(team: Team, command: Command, wrong: Sequence[str] = (), fail: Sequence[str] = ()) -> list[Call]:
    """The calls of a command of the program, or of one that syncs wrongly."""
    argv = [*trace.program(*wrong), *command.args]
    with trace.Traced(argv, cwd=team.root / command.agent, env=team.env, stdin=command.stdin, fail=fail) as run:
        run.finish()
        assert fail or run.status == 0, run.stderr() + run.stdout()
    return run.calls


def complaints(team: Team, command: Command, wrong: Sequence[str] = ()) -> list[str]:
    """What a command forgets."""
    lint = Lint(team.home, below(team.home))
    found = lint.look(calls_of(team, command, wrong))
    assert lint.synced, "there was nothing to look at"
    return found


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: str(verb.__name__))
def test_nothing_is_forgotten(verb: Callable[[Team], Command], team: Team) -> None:
    """A command syncs each file before it gets its name and each folder before it says yes, in the right order."""
    assert complaints(team, verb(team)) == []


@pytest.mark.parametrize("behind", KILLED)
def test_recovery_forgets_nothing(behind: str, team: Team) -> None:
    """Who finishes what a killed send has left trusts nothing of it to be durable."""
    kill(team, behind)
    assert complaints(team, Command("dev", ["inbox"])) == []


# Of each fsync a command cannot do without: the paths, and the commands that show it.
NEEDED = {
    "spool file": (r".*/outbox/\.spool/msg[^/]*\.json", [plain, batch]),
    "spool": (r".*/outbox/\.spool", [plain, batch]),
    "outbox file": (r".*/outbox/[0-9-]*\.jsonl", [plain, batch, recovery]),
    "outbox": (r".*/outbox", [plain]),
    "inbox": (r".*/inboxes/dev", [plain, batch, recovery]),
    "thread file": (r".*/threads/\..*", [plain, batch, reply]),
    "threads": (r".*/threads", [plain, batch, reply, recovery]),
    "attachment": (r".*\.blob", [attachment]),
    "attachments": (r".*/attachments", [attachment]),
    "archive": (r".*/inboxes/dev/\.read", [read, reply]),
    "inbox read from": (r".*/inboxes/dev", [read, reply, attachment]),
    "map": (r".*\.AGENT_MAP\.json\.tmp", [join]),
    "home": (r".*/\.agent-team-os", [join, join_first]),
    "person's folder": (r".*/home", [join_first]),
}


@pytest.mark.parametrize(
    ("what", "verb"),
    [(what, verb) for what, (_, verbs) in NEEDED.items() for verb in verbs],
    ids=lambda given: given if isinstance(given, str) else str(given.__name__),
)
def test_what_is_forgotten_is_seen(what: str, verb: Callable[[Team], Command], team: Team) -> None:
    """Of a program that leaves out one of its fsyncs there are complaints."""
    pattern, _ = NEEDED[what]
    found = complaints(team, verb(team), ("never", pattern))
    assert found, f"nobody misses the fsync of {pattern}"
    assert all("no fsync of" in complaint for complaint in found), found


def failing(team: Team, command: Command, wrong: Sequence[str] = ()) -> Iterator[list[Call]]:
    """The calls of a command whose n-th fsync fails, for each n, in the same home each time."""
    saved = team.root.with_name("saved")
    shutil.copytree(team.root, saved)
    for number in itertools.count(1):
        shutil.rmtree(team.root)
        shutil.copytree(saved, team.root)
        calls = calls_of(team, command, wrong, [f"fsync:error=EIO:when={number}"])
        if not any(call.name == "fsync" and not call.done for call in calls):
            return
        yield calls


@pytest.mark.parametrize("verb", [plain, batch, reply, recovery], ids=lambda verb: str(verb.__name__))
def test_an_fsync_that_failed_is_not_tried_again(verb: Callable[[Team], Command], team: Team) -> None:
    """The kernel may have dropped what it could not write, so a second fsync that says yes means nothing."""
    runs = [retried(calls) for calls in failing(team, verb(team))]
    assert len(runs) > 5
    assert runs == [[]] * len(runs)


def test_an_fsync_that_is_tried_again_is_seen(team: Team) -> None:
    """A program that tries again is found out."""
    assert any(retried(calls) for calls in failing(team, plain(team), ("twice", ".*")))
