"""Among many processes nothing is lost, nothing is doubled, and every message has one reader."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from conftest import Team
from support import state
from support.cli import PROGRAM

LINE = '{"to":"dev","intent":"news","type":"event","payload":{"text":"%d"}%s}\n'


def start(team: Team, agent: str, *args: str, stdin: bool = False) -> subprocess.Popen[bytes]:
    """A command of an agent, running beside the test."""
    source = subprocess.PIPE if stdin else subprocess.DEVNULL
    return subprocess.Popen(
        [*PROGRAM, *args],
        env=team.env,
        cwd=team.root / agent,
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def results(processes: list[subprocess.Popen[bytes]]) -> list[bytes]:
    """What each printed, once all have ended well."""
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outputs
    return [out for out, _ in outputs]


@pytest.mark.parametrize("senders", [2, 8])
def test_senders_to_one_inbox_and_one_thread(team: Team, senders: int) -> None:
    """Each message of concurrent senders is once in the inbox, once in the outbox, once in the thread they share."""
    thread = team.ask("ops", "dev")["thread_id"]
    extra = f',"thread_id":"{thread}"'
    processes = [start(team, "ops", "send", "--batch", "-", stdin=True) for _ in range(senders)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("".join(LINE % (number, extra) for number in range(10)).encode())
    acknowledged = [json.loads(line)["id"] for out in results(processes) for line in out.splitlines()]
    assert len(set(acknowledged)) == senders * 10
    assert state.check(team.home) >= set(acknowledged)
    assert len(team.json("dev", "thread", thread)["messages"]) == senders * 10 + 1


def test_single_sends_at_once(team: Team) -> None:
    """Eight commands that each send one message at the same moment all succeed."""
    text = ["--field", "question=Which?", "--json"]
    processes = [start(team, "ops", "send", "dev", "question", *text) for _ in range(8)]
    assert {json.loads(out)["id"] for out in results(processes)} == state.check(team.home)


def test_answers_at_once(team: Team) -> None:
    """Replies of two agents to each other's mail, all at once, archive their originals and nothing else."""
    asked = {
        agent: [team.ask(agent, other)["id"] for _ in range(4)] for agent, other in (("ops", "dev"), ("dev", "ops"))
    }
    unanswered = team.ask("ops", "dev")["id"]
    results(
        [
            start(team, other, "reply", one, "response")
            for agent, other in (("ops", "dev"), ("dev", "ops"))
            for one in asked[agent]
        ]
    )
    assert len(state.check(team.home)) == 17
    pending = [message["id"] for message in team.json("dev", "inbox")["pending"] if message["type"] == "question"]
    assert pending == [unanswered]


def test_each_message_has_one_reader(team: Team) -> None:
    """Four readers that take the next message until there is none read each message once, while more arrive."""
    messages = "".join(LINE % (number, "") for number in range(20))
    assert team.run("ops", "send", "--batch", "-", stdin=messages).returncode == 0
    loop = 'while out=$("$@"); do printf "%s\\n" "$out"; done'
    readers = [
        subprocess.Popen(
            ["sh", "-c", loop, "sh", *PROGRAM, "read", "--json"],
            env=team.env,
            cwd=team.root / "dev",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    sender = start(team, "ops", "send", "--batch", "-", stdin=True)
    assert sender.stdin is not None
    sender.stdin.write("".join(LINE % (number, "") for number in range(20, 30)).encode())
    results([sender])
    read = [json.loads(line) for out in results(readers) for line in out.splitlines()]
    # Those that came after the last look of every reader are still there.
    rest = team.json("dev", "inbox")["pending"]
    numbers = sorted(int(message["payload"]["text"]) for message in [*read, *rest])
    assert numbers == list(range(30))
    assert all(message["archived"] for message in read)
    assert len(state.check(team.home)) == 30


def test_folders_join_at_once(team: Team) -> None:
    """Agents that join at the same moment are all in the map."""
    names = [f"agent{number}" for number in range(8)]
    for name in names:
        (team.root / name).mkdir()
    results([start(team, name, "join", name) for name in names])
    document = json.loads((team.home / "AGENT_MAP.json").read_bytes())
    assert sorted(document["agents"]) == sorted([*names, "ops", "dev"])
    assert sorted(rule["agent"] for rule in document["rules"]) == sorted([*names, "ops", "dev"])


def test_a_killed_sender_is_finished_by_whoever_comes_next(team: Team, tmp_path: Path) -> None:
    """Senders killed at random moments leave, after the next command, only whole messages."""
    acknowledged: set[str] = set()
    for round_ in range(10):
        sender = start(team, "ops", "send", "--batch", "-", stdin=True)
        assert sender.stdin is not None
        assert sender.stdout is not None
        sender.stdin.write("".join(LINE % (number, "") for number in range(50)).encode())
        sender.stdin.flush()
        for _ in range(round_ * 4 + 1):
            acknowledged.add(json.loads(sender.stdout.readline())["id"])
        sender.kill()
        rest = sender.stdout.read()
        sender.communicate()
        acknowledged |= {json.loads(line)["id"] for line in rest.split(b"\n")[:-1]}
        assert team.run("dev", "inbox").returncode == 0
        assert state.check(team.home) >= acknowledged
    assert len(acknowledged) >= 190
