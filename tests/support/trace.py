"""The system calls of a command as strace lists them, and the command stopped after each of some of them.

    with trace.Traced([*PROGRAM, "inbox"], cwd=folder, env=env) as run:
        for call in run:
            ...  # of the calls in `stop` alone, when the process stands still behind it, until run.go(call)
    run.status, run.stdout()

What strace does: a signal injected at a call is delivered when the call is done; `--seccomp-bpf` silently turns
injection off.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from support.cli import PATIENCE, PROGRAM

# fmt: off
# What changes files and names, and makes the changes durable.
CHANGING = (
    "open", "openat", "creat", "write", "pwrite64", "writev", "pwritev", "copy_file_range", "sendfile", "rename",
    "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "rmdir", "mkdir",
    "mkdirat", "truncate", "ftruncate", "fallocate", "fsync", "fdatasync", "sync_file_range", "chmod", "fchmod",
    "fchmodat",
)
# What sees what others do to the same names, and asks for them.
SEEING = (
    "newfstatat", "fstat", "stat", "lstat", "statx", "access", "faccessat2", "getdents64", "flock", "close", "kill",
)
SLEEPING = ("clock_nanosleep", "nanosleep", "select", "pselect6")
# The calls about an open file or folder itself: what they name besides is no path.
_OF_OPEN = frozenset((
    "write", "pwrite64", "writev", "pwritev", "ftruncate", "fallocate", "fsync", "fdatasync", "sync_file_range",
    "fchmod", "fstat", "getdents64", "flock", "close",
))
# fmt: on
_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (.*)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_PLACE = re.compile(r'(?:\d+|AT_FDCWD)<([^>]*)>|"((?:[^"\\]|\\.)*)"')


# Runs a script as `python -I -S` would, but an fsync of what fits a pattern does nothing, or is tried twice.
_OTHERWISE = """
import os, re, runpy, sys
word, pattern, script = sys.argv[1:4]
sys.argv[0:] = sys.argv[3:]
real, real_hint = os.fsync, os.posix_fadvise
def fits(fd):
    return re.fullmatch(pattern, os.readlink(f"/proc/self/fd/{fd}"))
def fsync(fd):
    if word == "never" and fits(fd):
        return
    try:
        real(fd)
    except OSError:
        if word != "twice" or not fits(fd):
            raise
        real(fd)
def hint(fd, *about):  # which makes the kernel write, too, only not wait for it
    if not fits(fd):
        real_hint(fd, *about)
os.fsync, os.posix_fadvise = fsync, hint
runpy.run_path(script, run_name="__main__")
"""


def program(word: str = "", pattern: str = "") -> list[str]:
    """The program; or with `never` or `twice` a wrong one that does so with each fsync of a path that fits."""
    *python, script = PROGRAM
    return [*python, "-c", _OTHERWISE, word, pattern, script] if word else PROGRAM


@dataclass(frozen=True)
class Call:
    """One system call: its process, and its arguments and its result as strace writes them."""

    pid: int
    name: str
    args: str
    result: str

    def __str__(self) -> str:
        return f"{self.name}({self.args}) = {self.result}"

    @property
    def done(self) -> bool:
        """Whether it did what it was asked."""
        return not self.result.startswith(("-1", "?"))

    @property
    def paths(self) -> list[str]:
        """The absolute paths it is about, in the order given."""
        found, folder = [], ""
        for match in _PLACE.finditer(self.args):
            if match[1] is not None:
                folder = match[1]
                if self.name in _OF_OPEN:
                    return [folder]
            else:
                found.append(os.path.normpath(os.path.join(folder, match[2])))
        return found


@dataclass(frozen=True)
class Ended:
    """The end of a process, in strace's words: `exited with 0`, `killed by SIGKILL`."""

    pid: int
    how: str


class Traced:
    """A command under strace; what is left of it when the `with` ends is killed.

    Iterating yields each call when it is done and the end of each process. With `stop` it yields, of the calls, only
    those of these names, and the process stands still behind each until `go`. `fail` are injections as strace takes
    them. When all processes have ended, `status` is that of the command, or the negative number of its signal.
    """

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], calls: Sequence[str] = CHANGING,
        stop: Sequence[str] = (), fail: Sequence[str] = (), stdin: str | int = "",
    ) -> None:  # fmt: skip
        self._files = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115  # closed with the rest
        given, self._out, self._err = self._files
        if isinstance(stdin, str):
            given.write(stdin.encode())
            given.seek(0)
        reading, writing = os.pipe()
        inject = [*([",".join("?" + name for name in stop) + ":signal=STOP"] if stop else []), *fail]
        command = ["strace", "-f", "-y", "-q", "-s", "0", "-o", f"/proc/self/fd/{writing}", "-e", "signal=!CHLD"]
        command += ["-e", "trace=" + ",".join("?" + name for name in calls)]
        command += [part for what in inject for part in ("-e", "inject=" + what)]
        self._strace = subprocess.Popen(
            [*command, *argv], cwd=cwd, env=dict(env), pass_fds=(writing,), stdout=self._out, stderr=self._err,
            stdin=given if isinstance(stdin, str) else stdin,
        )  # fmt: skip
        os.close(writing)
        self._log = reading
        self._stops = bool(stop)
        self._running: set[int] = set()
        self._events = self._read()
        self.calls: list[Call] = []  # all so far

    def __enter__(self) -> Traced:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._strace.wait(PATIENCE)
        os.close(self._log)
        for file in self._files:
            file.close()

    def __iter__(self) -> Iterator[Call | Ended]:
        return self._events

    def go(self, pid: int) -> None:
        """Let a process that stands still go on."""
        os.kill(pid, signal.SIGCONT)

    def kill(self, pid: int) -> None:
        """Kill a process that stands still."""
        while _state(self._strace.pid) in "RD":  # strace gives up where a process dies that it is just stopping
            pass
        os.kill(pid, signal.SIGKILL)

    def finish(self) -> Traced:
        """Let the command run to its end."""
        for event in self:
            if self._stops and isinstance(event, Call):
                self.go(event.pid)
        return self

    @property
    def status(self) -> int:
        """How the command ended."""
        return self._strace.wait(PATIENCE)

    def stdout(self) -> str:
        """What it has printed so far."""
        return _content(self._out)

    def stderr(self) -> str:
        """What it has said so far."""
        return _content(self._err)

    def _lines(self) -> Iterator[str]:
        rest = b""
        while True:
            ready, _, _ = select.select([self._log], [], [], PATIENCE)
            assert ready, f"{self._strace.args!r} has hung behind {self.calls[-3:]}"
            data = os.read(self._log, 65_536)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line.decode(errors="backslashreplace")

    def _read(self) -> Iterator[Call | Ended]:
        halves: dict[int, str] = {}
        last: dict[int, Call] = {}
        for line in self._lines():
            match = _LINE.match(line)
            assert match is not None, line
            pid, text = int(match[1]), match[2]
            if text.startswith("+++"):
                self._running.discard(pid)
                yield Ended(pid, text.strip("+ "))
                continue
            self._running.add(pid)
            if text == "--- stopped by SIGSTOP ---":
                yield last[pid]
            if text.endswith("<unfinished ...>"):
                halves[pid] = text.removesuffix("<unfinished ...>")
                continue
            resumed = _RESUMED.match(text)
            called = _CALL.match(halves.pop(pid, "") + resumed[1] if resumed else text)
            if called is not None:
                last[pid] = call = Call(pid, *called.groups())
                self.calls.append(call)
                if not self._stops:
                    yield call


def _state(pid: int) -> str:
    """What a process is doing, in the kernel's letter."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _content(file: IO[bytes]) -> str:
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode()
