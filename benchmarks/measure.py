"""Whole processes timed beside each other: what a command costs as a ratio to the bare interpreter.

Every round starts each command once, in rotated order, so that a machine that slows down slows all of them.
CPU is the kernel's own account, user and system, of the process and all children it waited for.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Command:
    """One thing to time: what to run, where, and what must be in its output for its time to count."""

    name: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    expect: bytes = b""
    stdin: str = os.devnull
    before: Callable[[], None] = lambda: None  # what each run starts from; not timed
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    memory: float = 0.0

    def run(self) -> tuple[float, float, float, bytes]:
        """CPU seconds, wall seconds, peak memory in MiB and the output of one run."""
        self.before()
        out = os.memfd_create("out")
        here = os.getcwd()
        os.chdir(self.cwd)
        try:
            began = time.perf_counter()
            child = os.posix_spawnp(
                self.argv[0],
                self.argv,
                self.env,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, self.stdin, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, out, 1),
                    (os.POSIX_SPAWN_DUP2, out, 2),
                ],
            )
            _, status, usage = os.wait4(child, 0)
            wall = time.perf_counter() - began
        finally:
            os.chdir(here)
        text = os.pread(out, 1 << 22, 0)
        os.close(out)
        if status != 0 or self.expect not in text:
            raise SystemExit(f"{self.name} did not do what it is timed for: {text[-500:].decode(errors='replace')}")
        return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, text


def fill(ato: str, env: dict[str, str], folder: str, pending: int) -> tuple[dict[str, str], str, str]:
    """A bus on which dev has so many pending messages: its environment, the folder of ops and that of dev."""
    home = {**env, "AGENT_TEAM_OS_HOME": os.path.join(folder, "bus")}
    ops, dev = os.path.join(folder, "ops"), os.path.join(folder, "dev")
    for place in (ops, dev):
        os.makedirs(place)
        subprocess.run(
            [ato, "join", os.path.basename(place)], env=home, cwd=place, check=True, stdout=subprocess.DEVNULL
        )
    line = '{"to":"dev","intent":"bug-fix","payload":{"project":"web","summary":"Login loops"}}\n'
    subprocess.run(
        [ato, "send", "--batch", "-"],
        input=line.encode() * pending,
        env=home,
        cwd=ops,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return home, ops, dev


def cpu(command: Command) -> float:
    """The median of its CPU time in milliseconds."""
    return statistics.median(command.cpu) * 1e3


def interleaved(commands: list[Command], rounds: int = 15) -> None:
    """Time all commands, one warm-up round first."""
    for number in range(-1, rounds):
        shift = number % len(commands)
        for command in commands[shift:] + commands[:shift]:
            cpu, wall, memory, _ = command.run()
            if number >= 0:
                command.cpu.append(cpu)
                command.wall.append(wall)
                command.memory = max(command.memory, memory)


def costs(commands: list[Command], limits: dict[str, float]) -> list[Row]:
    """A row a command: its CPU and the ratio to the first one's, the limit where there is one, wall time, memory."""
    rows = []
    for command in commands:
        wall = statistics.median(command.wall) * 1e3
        ratio = cpu(command) / cpu(commands[0])
        cost = f"{cpu(command):6.1f} ms CPU"
        rows.append(
            Row(command.name, cost, ratio, limits.get(command.name), f"{wall:.0f} ms, {command.memory:.0f} MiB")
        )
    return rows


@dataclass
class Row:
    """A line of the table: what was measured, the ratio to its physical limit, and how far that may go."""

    name: str
    cost: str
    ratio: float
    limit: float | None = None
    note: str = ""
    at_least: bool = False  # whether the limit is one from below

    @property
    def missed(self) -> bool:
        """Whether the ratio is on the wrong side of its limit."""
        return self.limit is not None and (self.ratio < self.limit if self.at_least else self.ratio > self.limit)

    def line(self, wide: int) -> str:
        """The row as text."""
        limit = "" if self.limit is None else f"{'≥' if self.at_least else '≤'} {self.limit:.1f}"
        verdict = "MISSED" if self.missed else ""
        return (
            f"  {self.name:{wide}}  {self.cost:>16}  {self.ratio:6.2f}  {limit:7}  {self.note:18}  {verdict}".rstrip()
        )


def table(sections: dict[str, list[Row]]) -> list[str]:
    """The rows under their headings, in common columns."""
    wide = max(len(row.name) for rows in sections.values() for row in rows)
    lines = [f"  {'':{wide}}  {'cost':>16}  {'ratio':>6}  {'limit':7}  wall, memory"]
    for heading, rows in sections.items():
        lines += [heading, *(row.line(wide) for row in rows)]
    return lines
