"""Kill a command, or fail it, at each system call that changes files, one run for each call.

strace lists the calls of one undisturbed run; then the command runs again in a fresh copy of its folder with a
fault at the n-th call of a name. What strace does, and does not: its counter is per call name and process; a
signal injected at entry prevents the call; `--seccomp-bpf` silently turns injection off; the command must be
the interpreter itself, since a shim would be counted too.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

# fmt: off
MUTATING = [
    "open", "openat", "creat", "write", "pwrite64", "writev", "rename", "renameat", "renameat2", "link", "linkat",
    "symlink", "symlinkat", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "truncate", "ftruncate", "fallocate",
    "fsync", "fdatasync", "chmod", "fchmod", "fchmodat", "flock",
]
# fmt: on
# The calls for which an error is a plausible answer of a sick disk.
FAILING = {
    "ENOSPC": {"openat", "write", "rename", "link", "linkat", "mkdir", "mkdirat", "fsync"},
    "EIO": {
        "openat",
        "write",
        "rename",
        "link",
        "linkat",
        "mkdir",
        "unlink",
        "unlinkat",
        "fsync",
        "ftruncate",
        "fchmod",
    },
    "EROFS": {"openat", "rename", "link", "linkat", "mkdir", "unlink", "unlinkat"},
}
_LINE = re.compile(r"^(\d+)\s+(\w+)\((.*)$")
_CREATES = re.compile(r"O_(CREAT|TRUNC|WRONLY|RDWR|APPEND)")


@dataclass(frozen=True)
class Point:
    """The n-th call of a name, and what it did in the undisturbed run."""

    call: str
    nth: int
    text: str

    def __str__(self) -> str:
        return f"{self.call}#{self.nth} {self.text[:120]}"


@dataclass(frozen=True)
class Outcome:
    """How a disturbed run ended: the exit status (negative: the signal), its texts, and whether the fault struck."""

    status: int
    stdout: str
    stderr: str
    hit: bool


def points(argv: list[str], env: dict[str, str], cwd: Path, root: Path) -> list[Point]:
    """The calls of one undisturbed run that change something below `root`; the run must succeed."""
    done, log = _strace(argv, env, cwd, root.parent / "strace.log", None)
    assert done.returncode == 0, done.stderr
    counts: Counter[str] = Counter()
    found = []
    first = ""
    for line in log.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        pid, call, rest = match.groups()
        first = first or pid
        if pid != first:  # git, which a handoff asks; its calls change nothing here
            continue
        counts[call] += 1
        # With an absolute path the working directory, which -y prints too, is irrelevant.
        rest = re.sub(r'AT_FDCWD<[^>]*>, (?="/)', "AT_FDCWD, ", rest)
        if call in MUTATING and str(root) in rest and (call not in ("open", "openat") or _CREATES.search(rest)):
            found.append(Point(call, counts[call], rest.replace(str(root), "")))
    return found


def disturbed(argv: list[str], env: dict[str, str], cwd: Path, root: Path, point: Point, fault: str) -> Outcome:
    """Run the command with a fault at a point: `kill`, or the name of an error (with `+`: from there on)."""
    what = "signal=KILL" if fault == "kill" else f"error={fault.rstrip('+')}"
    inject = f"{point.call}:{what}:when={point.nth}{'+' if fault.endswith('+') else ''}"
    done, log = _strace(argv, env, cwd, root.parent / "strace.log", inject)
    hit = "killed by SIGKILL" in log if fault == "kill" else "(INJECTED)" in log
    return Outcome(done.returncode, done.stdout, done.stderr, hit)


def _strace(
    argv: list[str], env: dict[str, str], cwd: Path, log: Path, inject: str | None
) -> tuple[subprocess.CompletedProcess[str], str]:
    command = [
        "strace",
        "-f",
        "-y",
        "-qq",
        "-s",
        "0",
        "-o",
        str(log),
        "-e",
        "trace=" + ",".join("?" + c for c in MUTATING),
    ]
    if inject:
        command += ["-e", "inject=" + inject]
    done = subprocess.run(
        [*command, *argv],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, log.read_text(errors="replace")


def fresh(template: Path, place: Path) -> Path:
    """A copy of a prepared folder, in the place of the last one: every run sees the same paths."""
    if place.exists():
        shutil.rmtree(place)
    shutil.copytree(template, place, symlinks=True)
    return place
