"""One lock, a process of ours that stands still at any call on its way through it, and others who want it meanwhile.

    with pauses.Arena(scripts, folder) as arena:
        for point, wrong in arena.pauses("dead", arena.helper, "stay"): ...

Everybody says in one log, by O_APPEND, when they are inside. Nobody waits for a time to pass: the process is held at
each of its calls and in each of its sleeps, and whoever came in meanwhile stays until it first goes to sleep.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from agent_team_os.storage import process
from support import trace
from support.cli import PATIENCE

# Three looks at an empty folder are a lease, whatever the machine is doing: a step counts as its longest.
_PRELUDE = """
import os, sys
sys.path.insert(0, sys.argv[1])
from agent_team_os.protocol.errors import LockBusy
from agent_team_os.storage import lock
lock._FIRST_POLL = lock._LAST_POLL = lock._LONGEST_STEP = 0.001
lock.LEASE = 0.0015
def say(home, what):
    fd = os.open(home + "/log", os.O_WRONLY | os.O_APPEND)
    os.write(fd, what.encode() + b"\\n")
    os.close(fd)
"""
# A process for each home named on stdin, which goes through the lock once.
_WALKER = (
    _PRELUDE
    + """
while home := os.read(0, 4096).decode().rstrip("\\n"):
    if os.fork():
        os.wait()
        continue
    with lock.recipient(home, "dev", 30):
        say(home, "in walker")
        say(home, "out walker")
    os._exit(0)
"""
)
# Those who come meanwhile: they try the lock of a home, and leave it, when they are told to.
_OURS = (
    _PRELUDE
    + """
for line in sys.stdin:
    word, home = line.rstrip("\\n").split(" ", 1)
    if word == "leave":
        say(home, "out other")
        held.__exit__(None, None, None)
        print("out", flush=True)
        continue
    held = lock.recipient(home, "dev", 0.02 if word == "try" else 30)
    try:
        held.__enter__()
    except LockBusy:
        print("busy", flush=True)
    else:
        say(home, "in other")
        print("in", flush=True)
"""
)
_HELPER = """
while read -r word home; do
    lock=$home/locks/dev.lock
    case $word in
        leave) echo out other >>"$home/log"; rmdir "$lock" 2>/dev/null; echo out ;;
        late) rmdir "$lock" 2>/dev/null; echo out ;;
        *) if mkdir "$lock" 2>/dev/null; then echo in other >>"$home/log"; echo in; else echo busy; fi ;;
    esac
done
"""
OVERLAP = "two inside at once"
_STOPS = (*trace.CHANGING, *trace.SEEING, *trace.SLEEPING)


class Other:
    """Somebody else who wants the lock: a process of ours, or a helper of version 1."""

    def __init__(self, argv: list[str]) -> None:
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, word: str, home: Path) -> str:
        """Tell them to `try`, to `enter` with patience, or to `leave`; what they answer: `in`, `busy`, `out`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{word} {home}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")

    def close(self) -> None:
        """Send them home."""
        self._process.communicate(timeout=PATIENCE)


class Arena:
    """A home in which some processes fight for the lock of dev, made anew for each attempt."""

    def __init__(self, scripts: Path, place: Path) -> None:
        self.home = place / "bus"
        self._lock = self.home / "locks" / "dev.lock"
        self._log = self.home / "log"
        python = [sys.executable, "-I", "-S", "-B", "-c"]
        self.ours = Other([*python, _OURS, str(scripts)])
        self.helper = Other(["bash", "-c", _HELPER])
        reading, self._homes = os.pipe()
        walker = [*python, _WALKER, str(scripts)]
        self._run = trace.Traced(walker, cwd=place, env={}, calls=_STOPS, stop=_STOPS, stdin=reading)
        os.close(reading)
        gone = subprocess.Popen(["true"])
        started = process.started(gone.pid)
        gone.wait(PATIENCE)
        self._dead = f"{process.host()}.{gone.pid}.{process.boot()}-{started}"
        self._first = 0  # the process that makes the others

    def __enter__(self) -> Arena:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._homes)
        self._run.__exit__()
        self.ours.close()
        self.helper.close()

    def pauses(self, start: str, other: Other, visit: str) -> Iterator[tuple[trace.Call, list[str]]]:
        """For each call on the way through the lock: the call, and what went wrong with the other one there."""
        number, more = 0, True
        while more:
            number += 1
            point, wrong = self._pause(start, other, visit, number)
            more = point is not None
            if point is not None:
                yield point, wrong

    def kills(self, start: str) -> Iterator[tuple[trace.Call, list[str]]]:
        """For each call on the way through the lock: the call, and what went wrong when the process died there."""
        number, more = 0, True
        while more:
            number += 1
            point = self._walk(start, number)
            more = point is not None
            if point is not None:
                self._run.kill(point.pid)
                ended = self._next()
                assert ended == trace.Ended(point.pid, "killed by SIGKILL"), ended
                yield point, self._can_enter(self.ours)

    def _fresh(self, start: str) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        self._lock.parent.mkdir(parents=True)
        self._log.touch()
        if start != "free":
            self._lock.mkdir()
        if start == "dead":
            (self._lock / self._dead).touch()

    def _next(self) -> trace.Call | trace.Ended:
        """The next call of the walker, which stands behind it, or its end."""
        for event in self._run:
            self._first = self._first or event.pid
            if event.pid != self._first and (isinstance(event, trace.Ended) or self._is_shared(event)):
                return event
            assert isinstance(event, trace.Call), self._run.stderr()
            self._run.go(event.pid)
        raise AssertionError(self._run.stderr())

    def _is_shared(self, call: trace.Call) -> bool:
        """Whether others could notice the call or be noticed by it; the end of a sleep, too, not each stop in it."""
        if call.name in trace.SLEEPING:
            return call.done
        return f"{self.home}/locks" in call.args or (call.name == "write" and f"{self._log}" in call.args)

    def _walk(self, start: str, number: int) -> trace.Call | None:
        """Send a process as far as its n-th call; None if it is through before that."""
        self._fresh(start)
        os.write(self._homes, f"{self.home}\n".encode())
        while True:
            event = self._next()
            if isinstance(event, trace.Ended):
                return None
            number -= 1
            if number == 0:
                return event
            self._run.go(event.pid)

    def _pause(self, start: str, other: Other, visit: str, number: int) -> tuple[trace.Call | None, list[str]]:
        point = self._walk(start, number)
        if point is None:
            return None, []
        wrong = []
        if start == "empty" and other is self.helper and "walker" not in self._log.read_text():
            other.ask("late", self.home)  # the folder was that of a helper who goes at the end of the lease
        inside = other.ask("try", self.home) == "in"
        if inside and visit == "again":
            other.ask("leave", self.home)
            inside = other.ask("try", self.home) == "in"
        held = self._look()
        self._run.go(point.pid)
        while isinstance(event := self._next(), trace.Call):
            if inside and self._look() != held:
                wrong.append(f"the lock was changed under its holder by {event}")
                held = self._look()
            if inside and event.name in trace.SLEEPING:
                other.ask("leave", self.home)
                inside = False
            self._run.go(event.pid)
        if event.how != "exited with 0":
            wrong.append(f"the process {event.how}")
        if inside:
            other.ask("leave", self.home)
        return point, [*wrong, *self._can_enter(other), *self._overlaps()]

    def _look(self) -> tuple[int, list[str]] | None:
        try:
            return self._lock.stat().st_ino, os.listdir(self._lock)
        except FileNotFoundError:
            return None

    def _can_enter(self, other: Other) -> list[str]:
        if other.ask("enter", self.home) != "in":
            return ["the other one cannot get in any more"]
        other.ask("leave", self.home)
        return ["something is left behind"] if self._lock.exists() else []

    def _overlaps(self) -> list[str]:
        lines = self._log.read_text().split("\n")[:-1]
        turns = ["in other", "out other"], ["in walker", "out walker"]
        pairs = [lines[at : at + 2] for at in range(0, len(lines), 2)]
        fair = all(pair in turns for pair in pairs) and pairs.count(turns[1]) == 1
        return [] if fair else [f"{OVERLAP}: {', '.join(lines)}"]
