"""Kill a command, or fail it, at each system call that changes files, one run for each call.

    with crash.Starter() as starter:
        act = crash.Act(root / "ops", env, ["send", "dev", "note", "--summary", "x"])
        for point in crash.points(starter.watch(act), root):
            crash.fresh(template, root)
            outcome = starter.disturb(act, point, "kill")

strace lists the calls of one undisturbed run; then the command runs again in a fresh copy of its folder with a fault
at the n-th call of a name. What strace does, and does not: its counter is per call name and process; a signal injected
at entry prevents the call; a faked result does nothing, so a short write takes RLIMIT_FSIZE (`Act.limit`);
`--seccomp-bpf` silently turns injection off. Each process is forked from an interpreter that has imported the program
(`crash_starter.py`), and strace is attached before its first line runs, so the counts begin with the program's own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from support.cli import ALONE, ORDINARY, PATIENCE, ROOT

PROGRAM = ROOT / "scripts/agent_team_os/__main__.py"
HOOKS = ROOT / "scripts/agent_team_os/hooks/__main__.py"
# fmt: off
_OPENING = {"open", "openat", "creat"}
_NAMING = {
    "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat", "mknod", "mknodat",
}
_WRITING = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "copy_file_range", "sendfile", "fallocate"}
_SYNCING = {"fsync", "fdatasync", "sync_file_range"}
_REMOVING = {"unlink", "unlinkat", "rmdir", "truncate", "ftruncate"}
_MARKING = {
    "chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "lchown", "utimensat", "setxattr", "flock",
}
MUTATING = sorted(_OPENING | _NAMING | _WRITING | _SYNCING | _REMOVING | _MARKING)
# The calls for which an error is a plausible answer: of a full, a sick and a read-only disk, and of a busy system.
FAILING = {
    "ENOSPC": _OPENING | _NAMING | _WRITING | _SYNCING,
    "EIO": _OPENING | _NAMING | _WRITING | _SYNCING | _REMOVING | _MARKING - {"flock"},
    "EROFS": _OPENING | _NAMING | _REMOVING | _MARKING - {"flock"},
    "EMFILE": _OPENING,
    "EINTR": _OPENING | _WRITING | _SYNCING | {"flock"},
}
# fmt: on
# Of an error that lasts every later call fails too, of all names; but a full or read-only disk lets files be opened
# for reading, which strace cannot tell from the making of one.
LASTING = ("ENOSPC", "EIO", "EROFS")
_LINE = re.compile(r"(\w+)\((.*)")
_CREATES = re.compile(r"O_(CREAT|TRUNC|WRONLY|RDWR|APPEND)")


class Act(NamedTuple):
    """A command: where (inside the folder that is watched), with which variables, its arguments and its script.

    `stdin` is typed where it is at a `terminal`; `limit` is how large a file it may make.
    """

    cwd: Path
    env: dict[str, str]
    args: Sequence[str]
    stdin: str = ""
    script: Path = PROGRAM
    limit: Optional[int] = None
    terminal: bool = False


class Point(NamedTuple):
    """The n-th call of a name, what it did in the undisturbed run, and how many of each name were before it."""

    call: str
    nth: int
    text: str
    before: dict[str, int]

    def __str__(self) -> str:
        return f"{self.call}#{self.nth} {self.text[:160]}"


class Outcome(NamedTuple):
    """How a run ended: the exit status (negative: the signal), its texts, and its calls as strace writes them."""

    status: int
    stdout: str
    stderr: str
    calls: list[str]


class Starter:
    """Runs commands, with a fault or without, in processes of their own; the `with` ends the one they come from."""

    def __enter__(self) -> Starter:
        command = [
            *ORDINARY, *ALONE, sys.executable, "-I", "-S", str(Path(__file__).parent / "crash_starter.py"),
            str(ROOT / "scripts"), sysconfig.get_path("purelib"),
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={})
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=PATIENCE)

    def run(self, act: Act) -> Outcome:
        """The command, undisturbed and unseen."""
        self._give(act, watched=False)
        return Outcome(**self._take(), calls=[])

    def watch(self, act: Act) -> Outcome:
        """The command, undisturbed, with its calls."""
        return self._trace(act, [])

    def disturb(self, act: Act, point: Point, fault: str, root: Path) -> Outcome:
        """The command with a fault at a point: `kill`, or the name of an error (with `+`: from there on).

        AssertionError if the fault struck no call that changes something below `root`.
        """
        done = self._trace(act, _injections(point, fault))
        struck = [call for call in done.calls if fault == "kill" or call.endswith("(INJECTED)")]
        where = f"{fault} at {point} did not strike: {struck[-1:]}, exit {done.status} {done.stderr}"
        assert struck, where
        assert (done.status == -signal.SIGKILL) == (fault == "kill"), where
        first = _LINE.match(struck[-1 if fault == "kill" else 0])
        assert first is not None, where
        assert first[1] == point.call, where
        assert _changes(first[1], first[2], root), where
        return done

    def _trace(self, act: Act, injections: list[str]) -> Outcome:
        self._give(act, watched=True)
        pid = self._take()["pid"]
        command = ["strace", "-y", "-s", "0", "-e", "signal=none", "-p", str(pid)]
        command += ["-e", "trace=" + ",".join("?" + call for call in MUTATING)]
        command += [part for what in injections for part in ("-e", f"inject=?{what}")]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="backslashreplace") as strace:
            assert strace.stderr is not None
            attached = strace.stderr.readline()
            os.kill(pid, signal.SIGCONT)
            log = strace.stderr.read()
        done = self._take()
        assert "attached" in attached, attached + log
        return Outcome(**done, calls=[line for line in log.splitlines() if _LINE.match(line)])

    def _give(self, act: Act, watched: bool) -> None:
        job = {
            "script": str(act.script), "args": list(act.args), "cwd": str(act.cwd), "env": act.env,
            "stdin": act.stdin, "limit": act.limit, "watched": watched, "terminal": act.terminal,
        }  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()

    def _take(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def points(undisturbed: Outcome, root: Path) -> list[Point]:
    """The calls of an undisturbed run that change something below `root`, or print; the run must have succeeded."""
    assert undisturbed.status == 0, undisturbed.stdout + undisturbed.stderr
    counts: Counter[str] = Counter()
    found = []
    for line in undisturbed.calls:
        match = _LINE.match(line)
        assert match is not None, line
        call, rest = match.groups()
        before = dict(counts)
        counts[call] += 1
        if _changes(call, rest, root):
            found.append(Point(call, counts[call], rest.replace(str(root), ""), before))
    return found


def _changes(call: str, rest: str, root: Path) -> bool:
    # With an absolute path the working directory, which -y prints too, is irrelevant; a relative one is below `root`.
    rest = re.sub(r'AT_FDCWD<[^>]*>, (?="/)', "AT_FDCWD, ", rest)
    relative = rest.startswith('"') and not rest.startswith('"/')
    below = str(root) in rest or relative or (call == "write" and rest.startswith(("1<", "2<")))
    return below and (call not in _OPENING or _CREATES.search(rest) is not None)


def _injections(point: Point, fault: str) -> list[str]:
    """The fault in strace's words."""
    if fault == "kill":
        return [f"{point.call}:signal=KILL:when={point.nth}"]
    if not fault.endswith("+"):
        return [f"{point.call}:error={fault}:when={point.nth}"]
    later = sorted(call for call in FAILING[fault[:-1]] if call == point.call or call not in _OPENING)
    once = () if fault == "EIO+" else _OPENING
    return [
        f"{call}:error={fault[:-1]}:when={point.before.get(call, 0) + 1}{'' if call in once else '+'}" for call in later
    ]


def kill(_number: int, _point: Point) -> list[str]:
    """A kill at every call."""
    return ["kill"]


def errors(point: Point) -> list[str]:
    """Every error that is plausible at a call, and those that last."""
    fitting = [name for name in FAILING if point.call in FAILING[name]]
    return [*fitting, *(name + "+" for name in LASTING if name in fitting)]


def every_error(_number: int, point: Point) -> list[str]:
    """At every call each error that is plausible there."""
    return errors(point)


def each(error: str) -> Callable[[int, Point], list[str]]:
    """At every call this error, where it is plausible there, once and for good."""
    return lambda _number, point: [name for name in errors(point) if name.rstrip("+") == error]


def some_errors(number: int, point: Point) -> list[str]:
    """An error at every other call, all of them taking turns."""
    fitting = errors(point)
    return [fitting[number // 2 % len(fitting)]] if fitting and number % 2 else []


def explore(
    starter: Starter, act: Act, template: Path, root: Path, faults: Callable[[int, Point], list[str]],
    judge: Callable[[Outcome, str], None],
) -> int:  # fmt: skip
    """Disturb a command everywhere in fresh copies of `template`, let `judge` look each time, and count the runs."""
    fresh(template, root)
    found = points(starter.watch(act), root)
    drawn = [(point, fault) for number, point in enumerate(found) for fault in faults(number, point)]
    for point, fault in drawn:
        fresh(template, root)
        outcome = starter.disturb(act, point, fault, root)
        try:
            assert "Traceback" not in outcome.stderr
            judge(outcome, fault)
        except Exception as error:  # what the judge could not even read is wrong too
            said = f"exit {outcome.status} {outcome.stdout}{outcome.stderr}"
            raise AssertionError(f"{fault} at {point}: {said}; {type(error).__name__}: {error}") from error
    return len(drawn)


def fresh(template: Path, place: Path) -> Path:
    """A copy of a prepared folder, in the place of the last one: every run sees the same paths."""
    if place.exists():
        shutil.rmtree(place)
    shutil.copytree(template, place, symlinks=True)
    return place


def mail(home: Path) -> dict[str, bytes]:
    """All that is mail or its history, by path, without what is in the making."""
    paths = (path for part in ("inboxes", "outbox", "threads", "attachments") for path in (home / part).rglob("*"))
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in paths
        if path.is_file() and not path.name.endswith((".tmp", ".why.json")) and path.parent.name != ".spool"
    }
