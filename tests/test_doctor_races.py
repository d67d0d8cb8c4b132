"""`doctor` raises no false alarm, whatever another command does between two of its looks."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import random
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Callable, Union

import pytest

from agent_team_os.protocol.documents import Finding
from agent_team_os.protocol.errors import CannotWrite
from support.cli import PATIENCE
from support.homes import bus_of, codes, examine, healthy, pending, send

Stop = Union[int, str]
COMMANDS = ("send", "refused", "read", "reply", "session")
# No look at a home like this takes more calls of the doctor, nor of the other.
MOST_CALLS, MOST_OTHER = 280, 60


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bus in which nothing is wrong."""
    return healthy(tmp_path, monkeypatch)


class Turns:
    """Doctor and one other command, taking turns at the system calls: a race that is played, not waited for.

    The other command runs in a thread of its own. At the doctor's calls named in `starts` it gets a turn, which
    lasts to its next call named in `stops`, by number or name, to a lock it has to wait for, or to its end. What it
    writes it writes in pieces where it is long; what is not the first piece is a call of the name `rest`.
    """

    CALLS = ("open", "listdir", "lstat", "link", "unlink", "rename", "write", "fsync", "mkdir", "ftruncate", "fchmod")

    def __init__(self, command: Callable[[], object], starts: set[int], stops: set[Stop], fails: bool) -> None:
        self.starts, self.stops, self.fails = starts, stops, fails
        self.calls = {"doctor": 0, "other": 0}
        self.go, self.back = threading.Semaphore(0), threading.Semaphore(0)
        self.waits = self.ended = self.torn = False
        self.thread = threading.Thread(target=self._run, args=[command])

    def _run(self, command: Callable[[], object]) -> None:
        self.go.acquire()
        with contextlib.suppress(CannotWrite):
            command()
        self.ended = True
        self.back.release()

    def _pause(self) -> None:
        self.back.release()
        self.go.acquire()

    def _turn(self) -> None:
        if not self.ended:
            self.go.release()
            self.back.acquire()

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        """A system call that counts and lets the other side have its turn."""

        def call(*arguments: Any, **options: Any) -> Any:
            who = "other" if threading.current_thread() is self.thread else "doctor"
            self.calls[who] += 1
            if who == "doctor" and (self.calls[who] in self.starts or self.waits):
                self.waits = False
                self._turn()
            if who == "other" and {self.calls[who], "rest" if name == "write" and self.torn else name} & self.stops:
                self._pause()
            if who == "other" and name == "write":
                self.torn = len(arguments[1]) > 300
                arguments = arguments[0], arguments[1][: len(arguments[1]) // (2 if self.torn else 1)]
            if who == "other" and name == "link" and self.fails and str(arguments[1]).endswith(".json"):
                raise OSError(errno.EIO, "input/output error")
            return None if name == "fsync" else real(*arguments, **options)  # this is about order, not about power

        return call

    def sleep(self, _seconds: float) -> None:
        """The wait for a lock: the doctor may be holding it, so it goes on at the doctor's next call."""
        self.waits = True
        self._pause()

    def play(self, home: Path) -> list[Finding]:
        """Let both run to their ends; what doctor found."""
        with pytest.MonkeyPatch.context() as patch:
            for name in self.CALLS:
                patch.setattr(os, name, self.wrap(name, getattr(os, name)))
            patch.setattr(time, "sleep", self.sleep)
            self.thread.start()
            found = examine(home)
            self.starts.clear()
            while not self.ended:
                self._turn()
            self.thread.join(PATIENCE)
        return found


def races(home: Path) -> dict[str, Callable[[Path], object]]:
    """What may happen while doctor looks, by name; each gets a copy of `home`."""
    (home.parent / "file").write_text("attached")
    question = pending(home).stem

    def read(home: Path) -> None:
        with bus_of(home, "dev").reading():
            pass

    def reply(home: Path) -> None:
        dev = bus_of(home, "dev")
        dev.reply(dev.find(question)[0], "response", {"text": "yes"})

    return {
        "send": lambda home: send(home, home.parent / "file"),
        "refused": lambda home: send(home, home.parent / "file"),
        "read": read,
        "reply": reply,
        "session": lambda home: bus_of(home, "ops").send("dev/web", "question", {"question": "Who?"}),
    }


def play(home: Path, drawn: Iterable[tuple[str, set[int], set[Stop]]]) -> None:
    """Play races, each in a copy of a healthy home: a command, the doctor's calls before which it gets a turn, and
    its own calls before which the turn ends.
    """
    commands = races(home)
    template = home.rename(home.parent / "template")
    for name, starts, stops in drawn:
        shutil.copytree(template, home)
        turns = Turns(functools.partial(commands[name], home), set(starts), stops, name == "refused")
        found = turns.play(home)
        # A send that was refused leaves its attachment behind, and that is what doctor may say.
        allowed = {"blob-unused"} if name == "refused" else set()
        assert [entry for entry in found if entry["code"] not in allowed] == [], (name, starts, stops)
        assert codes(home) <= allowed, (name, starts, stops)
        shutil.rmtree(home)


def draw(rounds: int) -> Iterator[tuple[str, set[int], set[Stop]]]:
    """Races at random, the same ones in each run."""
    dice = random.Random(20260520)
    for _ in range(rounds):
        starts = {dice.randrange(1, MOST_CALLS) for _ in range(dice.randrange(1, 5))}
        stops: set[Stop] = {dice.randrange(1, MOST_OTHER) for _ in range(dice.randrange(0, 4))}
        yield dice.choice(COMMANDS), starts, stops


def test_no_false_alarm_in_races(home: Path) -> None:
    """Whatever a send, a refused send, a reply or a reader does between two looks, doctor finds nothing."""
    play(home, draw(100))


@pytest.mark.full
def test_no_false_alarm_at_any_call(home: Path) -> None:
    """The same, with each command run whole, or resumed in its worst places, before each call of the doctor."""
    calls = range(1, MOST_CALLS)
    whole = ((name, {call}, set[Stop]()) for name in COMMANDS for call in calls)
    # Half a line in the outbox; a blob that nothing names; a line that will be taken back.
    worst: list[tuple[str, Stop]] = [("send", "rest"), ("send", "link"), ("refused", "ftruncate")]
    play(home, itertools.chain(whole, ((name, {1, call}, {stop}) for name, stop in worst for call in calls)))


@pytest.mark.full
def test_no_false_alarm_in_many_races(home: Path) -> None:
    """The same, for as many orders as a long run has time for."""
    play(home, draw(3000))
