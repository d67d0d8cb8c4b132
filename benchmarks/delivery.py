"""How many messages a second the bus delivers, beside a bare loop that does nothing but what the disk demands.

The bare loop writes a message to a file and syncs it, syncs the folder, appends a line to a log and syncs that:
less than this nobody can do who promises that a message is on the disk, is found, and is in the audit log.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial

from measure import Row, fill

MESSAGES = 1000  # for each process, so that starting it does not count
LINE = b'{"to":"dev","intent":"bug-fix","payload":{"project":"web","summary":"Login loops"}}\n'
STORED = b"x" * 550 + b"\n"  # as long as that message is in an inbox
LIMIT = 0.5

# Sends in a process of its own, by the API.
SEND = """
import sys
sys.path.insert(0, sys.argv[1])
from agent_team_os.bus import Bus
bus = Bus.open({"AGENT_TEAM_OS_HOME": sys.argv[2], "AGENT_TEAM_OS_AGENT": "ops"}, "/")
for _ in range(int(sys.argv[3])):
    bus.send("dev", "bug-fix", {"project": "web", "summary": "Login loops"})
"""


def run(ato: str, python: str, env: dict[str, str], scratch: str, rounds: int) -> list[Row]:
    """Time the loop, a batch and the API with one process, the loop and a batch with eight."""
    lines = os.path.join(scratch, "batch.jsonl")
    with open(lines, "wb") as file:
        file.write(LINE * MESSAGES)
    rates: dict[str, list[float]] = {}
    for number in range(rounds):
        for processes in (1, 8):
            folder = os.path.join(scratch, f"delivery{number}-{processes}")
            count = f"{processes} process{'es' * (processes > 1)}"
            ways: dict[str, Callable[[str], float]] = {
                f"bare loop, {count}": partial(_bare, processes),
                f"send --batch, {count}": partial(_batch, ato, env, lines, processes),
            }
            if processes == 1:
                ways[f"Bus.send, {count}"] = partial(_api, ato, python, env)
            names = list(ways)
            for turn in range(len(names)):
                name = names[(turn + number) % len(names)]
                place = os.path.join(folder, str(turn))
                os.makedirs(place)
                took = ways[name](place)
                rates.setdefault(name, []).append(processes * MESSAGES / took)
    return _rows(rates)


def _bare(processes: int, place: str) -> float:
    began = time.perf_counter()
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            _loop(place)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return time.perf_counter() - began


def _loop(place: str) -> None:
    log = os.open(os.path.join(place, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    folder = os.open(place, os.O_RDONLY)
    for number in range(MESSAGES):
        name = os.path.join(place, f"{os.getpid()}-{number}")
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(fd, STORED)
        os.fsync(fd)
        os.close(fd)
        os.fsync(folder)
        os.write(log, STORED)
        os.fsync(log)


def _batch(ato: str, env: dict[str, str], lines: str, processes: int, place: str) -> float:
    home, ops, _ = fill(ato, env, place, 0)
    began = time.perf_counter()
    children = []
    for _ in range(processes):
        with open(lines, "rb") as source:
            command = [ato, "send", "--batch", "-"]
            children.append(subprocess.Popen(command, stdin=source, stdout=subprocess.DEVNULL, env=home, cwd=ops))
    failed = [status for status in [child.wait() for child in children] if status]
    if failed:
        raise SystemExit(f"a batch ended with {failed[0]}")
    return time.perf_counter() - began


def _api(ato: str, python: str, env: dict[str, str], place: str) -> float:
    home, _, _ = fill(ato, env, place, 0)
    command = [python, "-I", "-S", "-c", SEND, os.path.dirname(ato), home["AGENT_TEAM_OS_HOME"], str(MESSAGES)]
    began = time.perf_counter()
    subprocess.run(command, env=env, check=True)
    return time.perf_counter() - began


def _rows(rates: dict[str, list[float]]) -> list[Row]:
    """Of each way the messages a second, and the median of the rounds' ratios to the loop beside it."""
    rows = []
    for name, found in rates.items():
        loop = rates["bare loop, " + name.partition(", ")[2]]
        ratio = statistics.median(mine / theirs for mine, theirs in zip(found, loop, strict=True))
        limit = LIMIT if name.startswith("send --batch") else None
        rows.append(Row(name, f"{statistics.median(found):.0f} messages/s", ratio, limit, at_least=True))
    return rows
