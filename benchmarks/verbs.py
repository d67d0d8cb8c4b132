"""The verbs of the command line, beside the bare interpreter."""

from __future__ import annotations

import os

from measure import Command, Row, costs, cpu, fill, interleaved

PENDING = (0, 100, 1000, 10000)
LIMITS = {"inbox, 100 pending": 7.0, "send": 8.0}
GROWTH = 60  # ms that the inbox may take longer for 1,000 pending than for none


def run(ato: str, python: str, env: dict[str, str], scratch: str, rounds: int) -> list[Row]:
    """Time `inbox` with each number of pending messages, `whoami` and `send`."""
    commands = [Command("bare interpreter", [python, "-I", "-S", "-E", "-c", "pass"], env, scratch)]
    for number in PENDING:
        home, ops, dev = fill(ato, env, os.path.join(scratch, f"verbs{number}"), number)
        expect = f"{number} pending".encode() if number else b"nothing pending"
        commands.append(Command(f"inbox, {number} pending", [ato, "inbox"], home, dev, expect))
        if number == 0:
            commands.append(Command("whoami", [ato, "whoami"], home, dev, b"dev/dev"))
            fields = ["--summary", "Login loops", "--field", "project=web"]
            # To itself, so that the inbox timed beside it stays empty.
            commands.append(Command("send", [ato, "send", "ops", "bug-fix", *fields], home, ops, b"Sent msg-"))
    interleaved(commands, rounds)
    took = {command.name: cpu(command) for command in commands}
    growth = took["inbox, 1000 pending"] - took["inbox, 0 pending"]
    grown = Row("inbox, what 1,000 pending add", f"{growth:6.1f} ms CPU", growth / GROWTH, 1.0, f"of {GROWTH} ms")
    return [*costs(commands, LIMITS), grown]
