"""What a command has acknowledged is there once after a power cut, at whatever call the power goes."""

from __future__ import annotations

import functools
import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from conftest import Team
from support import copied, disk, state, trace
from support.cli import ato, environment

# In continuous integration, where it must be there, its absence is a failure.
pytestmark = pytest.mark.skipif("os.environ.get('CI') != 'true' and not disk.is_here()", reason=disk.NEEDS)

QUESTION = ("question", "--field", "question=Which?", "--json")


class Bus:
    """A bus on a disk of its own. Of each state the disk was in, the ids of all that was acknowledged by then."""

    def __init__(self, power: disk.Disk, joined: Path, program: Sequence[str]) -> None:
        self.power = power
        self.root = power.root / "home"
        self.program = program
        shutil.copytree(joined, self.root)
        power.settle()
        self.sent: set[str] = set()
        self.read: set[str] = set()
        self.states: dict[bytes, tuple[set[str], set[str], str]] = {}
        self.moments = 0
        self.note("the beginning")

    def note(self, where: str) -> None:
        """The power may go now."""
        self.moments += 1
        self.states[self.power.now()] = set(self.sent), set(self.read), where

    def run(
        self, agent: str, *args: str, stdin: str = "", until: Callable[[trace.Call], object] = lambda call: False
    ) -> list[str]:
        """Run a command of an agent, noting each moment; killed behind the first change that is as `until` says.

        Returns the ids that it has printed, which count as acknowledged from then on.
        """
        killed = False
        argv = [*self.program, *args]
        ids: list[str] = []
        env = environment(self.root)
        with trace.Traced(argv, cwd=self.root / agent, env=env, stop=trace.CHANGING, stdin=stdin) as run:
            for event in run:
                if isinstance(event, trace.Ended):
                    continue
                said = [json.loads(line) for line in run.stdout().splitlines()]
                ids = [document["id"] for document in said]
                self.sent.update(ids, *(document.get("cc", ()) for document in said))
                if self.is_change(event):
                    self.note(f"{args[0]}, behind {event}")
                    if until(event):
                        run.kill(event.pid)
                        killed = True
                        continue
                run.go(event.pid)
            assert killed or run.status == 0, run.stderr()
            self.note(f"the end of {args[0]}")
        return ids

    def is_change(self, call: trace.Call) -> bool:
        """Whether it is about the bus or says something, and more than a look."""
        looks = call.name in ("open", "openat") and "O_CREAT" not in call.args
        return not looks and (str(self.root) in call.args or call.args.startswith("1<"))

    def check(self, look: Callable[[Path], set[str]] = state.check) -> None:
        """Cut the power at every moment noted, run the next command, and look."""
        for image, (sent, read, where) in self.states.items():
            with self.power.after(image) as root:
                done = ato(environment(root / "home"), root / "home/dev", "inbox")
                assert done.returncode == 0, f"{where}: {done.stderr}"
                home = root / "home/.agent-team-os"
                try:
                    there = look(home)
                    assert sent <= there, f"lost: {sent - there}"
                    pending = {name for name in read if state.boxes(home)[name][0].parent.name != ".read"}
                    assert not pending, f"read before, and pending again: {pending}"
                except (AssertionError, ValueError) as error:  # an empty file is no JSON
                    raise AssertionError(f"when the power goes at {where}: {error}") from None


@pytest.fixture
def power() -> Iterator[disk.Disk]:
    """A disk."""
    with disk.Disk() as power:
        yield power


def test_all_that_is_acknowledged_survives(power: disk.Disk, team: Team) -> None:
    """At every call that changes a file in a send, a send with a file, an answer, a look and a batch the power may
    go: what was acknowledged in this or in an earlier command is there once, all else whole or not at all.
    """
    bus = Bus(power, team.root, trace.program())
    (bus.root / "ops/trace.txt").write_text("trace")
    [first] = bus.run("ops", "send", "dev", *QUESTION)
    bus.run("ops", "send", "dev/web", *QUESTION, "--attach", "trace.txt")
    bus.run("dev", "reply", first, "response", "--summary", "main", "--json")
    bus.read.add(first)
    bus.read.update(bus.run("ops", "read", "--json"))
    line = json.dumps({"to": "dev", "intent": "note", "payload": {"summary": "x"}})
    bus.run("ops", "send", "--batch", "-", stdin=f"{line}\n" * 3)
    bus.check()
    assert len(bus.sent) == 6
    assert bus.moments > 100
    assert len(bus.states) > 20, "the disk did not change while the commands ran"


def test_a_message_survives_with_its_copies(power: disk.Disk, team: Team) -> None:
    """Wherever the power goes in a send to another domain, the message is there with the copies of both hubs or not
    at all, and all three once it is acknowledged.
    """
    team.map(agents=copied.AGENTS, domains={"work": {"hub": "secure"}, "side": {"hub": "lead"}})
    bus = Bus(power, team.root, trace.program())
    bus.run("ops", "send", "dev", *QUESTION)
    assert len(bus.sent) == 3
    bus.check(all_or_none)


def all_or_none(home: Path) -> set[str]:
    """The ids of a message and its two copies, or none."""
    there = copied.check(home)
    assert len(there) in (0, 3), f"of a message and its two copies there are {len(there)}"
    return there


@pytest.mark.parametrize(("name", "path"), [("write", ".jsonl"), ("fsync", ".jsonl"), ("link", "/inboxes/")])
def test_what_a_killed_send_left_survives_with_who_finishes_it(
    name: str, path: str, power: disk.Disk, team: Team
) -> None:
    """A message that a reader was shown is there after a power cut, though its sender was killed before its end."""
    bus = Bus(power, team.root, trace.program())
    bus.run("ops", "send", "dev", *QUESTION, until=lambda call: call.name == name and path in call.args)
    assert bus.sent == set()
    bus.read.update(bus.run("dev", "read", "--json"))
    assert len(bus.sent) == 1
    bus.check()


@pytest.mark.full
@pytest.mark.parametrize("group", [1, 3])
def test_any_killed_send_survives_with_who_finishes_it(group: int, team: Team) -> None:
    """So it is wherever the sender was killed, in a send with a file to a new box and in a batch of three."""
    line = json.dumps({"to": "dev", "intent": "note", "payload": {"summary": "x"}})
    one, batch = ("send", "dev/dev", *QUESTION, "--attach", "trace.txt"), ("send", "--batch", "-")
    for number in itertools.count(1):
        with disk.Disk() as power:
            bus = Bus(power, team.root, trace.program())
            (bus.root / "ops/trace.txt").write_text("trace")
            calls = itertools.count(1)
            until = functools.partial(lambda calls, number, _: next(calls) == number, calls, number)
            bus.run("ops", *(one if group == 1 else batch), stdin=f"{line}\n" * group, until=until)
            killed = next(calls) == number + 1
            if state.outbox(bus.root / ".agent-team-os"):
                bus.read.update(bus.run("dev", "read", "--json"))
            bus.check()
        if not killed:
            break
    assert number > 20


@pytest.mark.parametrize("forgotten", [r".*/outbox/\.spool/msg[^/]*\.json", r".*/outbox/[0-9-]*\.jsonl"])
def test_a_forgotten_fsync_loses_mail(forgotten: str, power: disk.Disk, team: Team) -> None:
    """A program that leaves out the fsync of the spool file or of the outbox file loses what it has acknowledged."""
    bus = Bus(power, team.root, trace.program("never", forgotten))
    bus.run("ops", "send", "dev", *QUESTION)
    with pytest.raises(AssertionError, match="when the power goes"):
        bus.check()
