"""Every verb and hook on a bus with 100,000 read messages, beside the same on a bus with one conversation."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from measure import Command, Row, cpu, interleaved

TESTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests")
AGENTS = ("ops", "dev", "growth", "secure", "lead")
LIMIT = 1.5
# Without a limit: a thread grows with each message, and what was read since the last stop takes a listing to find.
FREE = ("send into a thread of 5,000 messages", "Stop, drain on, after a read")
HOOKS = ("SessionStart", "UserPromptSubmit", "Stop")
LONG = 5_000  # messages of one thread
# In a process of its own: what a process was once as large as counts for all it starts.
FILL = """
import json, sys
sys.path.append(sys.argv[1])
from support import large
print(json.dumps(large.fill(sys.argv[2], *map(int, sys.argv[3:]))[0]))
"""


def run(ato: str, _python: str, env: dict[str, str], scratch: str, rounds: int) -> list[Row]:
    """Time each in both; a row a verb or hook, and one for a send into a thread of 5,000 messages."""
    pairs: dict[str, list[Command]] = {}
    for threads, days in ((1, 1), (10_000, 100)):
        home = _bus(ato, env, os.path.join(scratch, f"threads{threads}"))
        # The oldest conversation: whoever searches the outbox from its day on searches all of it.
        for command in _commands(ato, home, _fill(home, threads, 10, days)):
            pairs.setdefault(command.name, []).append(command)
    into = FREE[0]
    pairs[into] = [_send_into(ato, env, scratch, into, messages) for messages in (10, LONG)]
    pairs["SessionStart"][0].run()  # the launcher now remembers its interpreter
    interleaved([command for pair in pairs.values() for command in pair], rounds)
    return [
        Row(
            name,
            f"{cpu(large):6.1f} ms CPU",
            cpu(large) / cpu(small),
            None if name in FREE else LIMIT,
            f"{cpu(small):.1f} ms CPU with 10",
        )
        for name, (small, large) in pairs.items()
    ]


def _bus(ato: str, env: dict[str, str], folder: str) -> dict[str, str]:
    """The environment of a new bus on which everybody has joined, in folders of their names beside it."""
    home = {**env, "AGENT_TEAM_OS_HOME": os.path.join(folder, "bus")}
    for agent in AGENTS:
        place = os.path.join(folder, agent)
        os.makedirs(place)
        subprocess.run([ato, "join", agent], env=home, cwd=place, check=True, stdout=subprocess.DEVNULL)
    path = os.path.join(home["AGENT_TEAM_OS_HOME"], "AGENT_MAP.json")
    with open(path, encoding="utf-8") as file:
        agent_map = json.load(file)
    for agent in ("growth", "secure"):  # they have to answer before they stop, and owe nothing
        agent_map["agents"][agent]["drain"] = {"enabled": True, "scope": "owed"}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(agent_map, file)
    return home


def _fill(home: dict[str, str], *numbers: int) -> tuple[str, list[str]]:
    """Lay down threads of so many messages over so many days; the id of the oldest thread and those of its messages."""
    command = [sys.executable, "-c", FILL, TESTS, home["AGENT_TEAM_OS_HOME"], *map(str, numbers)]
    thread, _, messages = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return thread, messages


def _commands(ato: str, home: dict[str, str], oldest: tuple[str, list[str]]) -> list[Command]:
    """What is timed in one bus. Nobody writes to dev, whose inbox is listed."""
    dev = os.path.join(os.path.dirname(home["AGENT_TEAM_OS_HOME"]), "dev")
    thread, (question, answer, *_) = oldest  # from ops to dev, and from dev to ops
    verbs = {
        "whoami": ("dev/dev", "whoami"),
        "bus": ("dev", "bus"),
        "inbox": ("nothing pending", "inbox"),
        "read ID": ("Archived", "read", "--peek", question),
        "read PREFIX": ("Archived", "read", "--peek", question[-8:]),
        "send": ("Sent msg-", "send", "lead", "note", "--summary", "Done"),
        "reply ID": ("Replied msg-", "reply", question, "response", "--summary", "Done"),
        "handoff": ("Handed over msg-", "handoff", "lead", "--state-summary", "Done", "--next-step", "Ship it"),
        "thread": ("thread-", "thread"),
        "thread ID": (thread, "thread", thread),
        "trace ID": ("replied", "trace", answer),
        "trace PREFIX": ("replied", "trace", answer[-8:]),
    }
    commands = [Command(name, [ato, *argv], home, dev, expect.encode()) for name, (expect, *argv) in verbs.items()]
    given = os.path.join(os.path.dirname(dev), "given.json")
    with open(given, "w", encoding="utf-8") as file:
        # A compacted session, since that is told everything again.
        json.dump({"session_id": "benchmark", "source": "compact"}, file)
    launcher = os.path.join(os.path.dirname(os.path.dirname(ato)), "hooks", "run")
    for event in HOOKS:
        expect = b"You are dev" if event == "SessionStart" else b""
        commands.append(Command(event, ["sh", launcher, event], home, dev, expect, given))
    for name, agent in (("Stop, drain on", "growth"), (FREE[1], "secure")):
        its_own = {**home, "AGENT_TEAM_OS_AGENT": agent}
        commands.append(Command(name, ["sh", launcher, "Stop"], its_own, dev, b"", given))
    # What was known of that archive is out of date.
    archive = os.path.join(home["AGENT_TEAM_OS_HOME"], "inboxes", "secure", ".read")
    commands[-1].before = lambda: os.utime(archive)
    return commands


def _send_into(ato: str, env: dict[str, str], scratch: str, name: str, messages: int) -> Command:
    """A send into a thread of so many messages, on a bus of its own."""
    home = _bus(ato, env, os.path.join(scratch, f"messages{messages}"))
    thread, _ = _fill(home, 1, messages, 1)
    dev = os.path.join(os.path.dirname(home["AGENT_TEAM_OS_HOME"]), "dev")
    argv = [ato, "send", "ops", "note", "--summary", "Done", "--thread", thread]
    return Command(name, argv, home, dev, thread.encode())
