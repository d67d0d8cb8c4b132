"""Each pass reads only what is new, and all passes together count what one would have counted."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.telemetry import transcripts
from conftest import Team
from support.cli import PROGRAM
from support.transcripts import MIB, Entry, counted, fill, line, read, said, spent, write

ONE, TWO = "thread-20260520-abc123", "thread-20260521-def456"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a bus."""
    return tmp_path / "bus"


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """The folder of Claude Code."""
    return tmp_path / "client"


def at(client: Path, name: str = "s-1") -> Path:
    """The transcript of a session."""
    return client / f"projects/-web/{name}.jsonl"


def test_a_file_that_grows(home: Path, client: Path) -> None:
    """What was read is not read again, and a last line counts when its end has come."""
    lines = [line(said("s-1", "/web", f"msg_{number}", input_tokens=10**number)) for number in range(3)]
    write(at(client))
    with at(client).open("ab") as file:
        file.write(lines[0] + lines[1][:150])
        file.flush()
        assert spent(counted(home, client)) == {"anonymous": 1}
        file.write(lines[1][150:-1])
        file.flush()
        assert spent(counted(home, client)) == {"anonymous": 1}
        file.write(b"\n" + lines[2])
        file.flush()
        assert spent(counted(home, client)) == {"anonymous": 111}


def test_only_what_is_new_is_read(home: Path, client: Path) -> None:
    """A line that was counted may change under the pass as it likes, as long as what lies before the new ones stays."""
    padding = read("s-1", "/web", "x" * 1000)
    first = said("s-1", "/web", "msg_1", input_tokens=1)
    write(at(client), padding, first, padding)
    assert spent(counted(home, client)) == {"anonymous": 1}
    data = at(client).read_bytes().replace(b'"input_tokens":1', b'"input_tokens":9')
    with at(client).open("r+b") as file:
        file.write(data)
    write(at(client), said("s-1", "/web", "msg_2", input_tokens=20))
    assert spent(counted(home, client)) == {"anonymous": 21}


def test_a_file_that_was_cut_is_read_from_its_start(home: Path, client: Path) -> None:
    """What a shorter file then has counts, and what it had before stays counted: the money was spent."""
    write(at(client), *[said("s-1", "/web", f"msg_{number}", input_tokens=10) for number in range(5)])
    assert spent(counted(home, client)) == {"anonymous": 50}
    at(client).write_bytes(line(said("s-1", "/web", "msg_3", input_tokens=10)))
    write(at(client), said("s-1", "/web", "msg_9", input_tokens=1))
    assert spent(counted(home, client)) == {"anonymous": 51}


@pytest.mark.parametrize("same_number", [False, True])
def test_a_file_that_was_replaced_is_read_from_its_start(home: Path, client: Path, same_number: bool) -> None:
    """Another file under the name is read whole, longer as it may be, also when it got the number of the one before."""
    write(at(client), said("s-1", "/web", "msg_1", input_tokens=10))
    assert spent(counted(home, client)) == {"anonymous": 10}
    new = [said("s-2", "/web", f"msg_{number}", input_tokens=100) for number in range(7, 12)]
    if same_number:
        at(client).write_bytes(b"".join(map(line, new)))
    else:
        write(at(client, "new"), *new)
        at(client, "new").rename(at(client))
    assert spent(counted(home, client)) == {"anonymous": 510}


def test_another_file_is_another_file(home: Path, client: Path) -> None:
    """A file that was put in the place of one is read whole, even if it begins and goes on as that one did."""
    padding = read("s-1", "/web", "x" * 1000)
    write(at(client), padding, said("s-1", "/web", "msg_1", input_tokens=1), padding)
    assert spent(counted(home, client)) == {"anonymous": 1}
    write(at(client, "new"), padding, said("s-1", "/web", "msg_2", input_tokens=4), padding, {"type": "x"})
    at(client, "new").rename(at(client))
    assert spent(counted(home, client)) == {"anonymous": 5}


def test_a_transcript_that_is_gone_stays_counted(home: Path, client: Path) -> None:
    """The client deletes old transcripts; what they told remains, and one that comes back counts no second time."""
    write(at(client), said("s-1", "/web", "msg_1", input_tokens=10), {"type": "x", "usage": 1})
    data = at(client).read_bytes() + b'"usage" broken\n'
    at(client).write_bytes(data)
    assert counted(home, client)["agent"]["broken_lines"] == 1
    shutil.rmtree(client)
    found = counted(home, client)
    assert (spent(found), found["agent"]["broken_lines"]) == ({"anonymous": 10}, 0)
    at(client).parent.mkdir(parents=True)
    at(client).write_bytes(data)
    found = counted(home, client)
    assert (spent(found), found["agent"]["broken_lines"]) == ({"anonymous": 10}, 1)


def test_a_line_without_end_is_passed_over(home: Path, client: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is too long for a line is one broken line, however it arrives, and the next one counts."""
    monkeypatch.setattr(transcripts, "BLOCK", 256)
    monkeypatch.setattr(transcripts, "LONGEST", 4096)
    write(at(client), said("s-1", "/web", "msg_1", input_tokens=1))
    for _ in range(3):
        with at(client).open("ab") as file:
            file.write(b"\0" * 3000)
        found = counted(home, client)
    with at(client).open("ab") as file:
        file.write(b"\n")
    write(at(client), said("s-1", "/web", "msg_2", input_tokens=20))
    found = counted(home, client)
    assert (spent(found), found["agent"]["broken_lines"]) == ({"anonymous": 21}, 1)


def test_what_is_no_transcript_is_left_alone(home: Path, client: Path) -> None:
    """Links, folders, pipes and files of other names are not read, and nothing waits for a pipe."""
    write(at(client), said("s-1", "/web", "msg_1", input_tokens=1))
    other = client / "elsewhere.jsonl"
    write(other, said("s-1", "/web", "msg_2", input_tokens=10))
    at(client, "link").symlink_to(other)
    at(client).parent.joinpath("more").symlink_to(client)
    at(client, "folder").mkdir()
    os.mkfifo(at(client, "pipe"))
    write(at(client).with_suffix(".json"), said("s-1", "/web", "msg_3", input_tokens=100))
    assert spent(counted(home, client)) == {"anonymous": 1}


def test_no_transcripts_at_all(home: Path, client: Path) -> None:
    """Where no client ever ran there is nothing, and that is no error."""
    assert counted(home, client)["agent"]["rows"] == []


# ---- In pieces ----------------------------------------------------------------------------------

MAP = {"rules": [{"pattern": "/web", "agent": "dev"}, {"pattern": "/hub", "agent": "ops"}]}


def history(chance: random.Random) -> list[tuple[str, Entry]]:
    """Lines of some sessions in the order they were written, each with its file: every kind of trouble at once."""
    written: list[tuple[str, Entry]] = []
    for step in range(220):
        when = f"2026-05-2{step // 100}T{step // 60 % 24:02}:{step % 60:02}:00.000Z"
        name = chance.choice(("s-1", "s-2", "s-3"))
        folder = {"s-1": "/web", "s-2": "/hub", "s-3": "/nobody"}[name]
        path = f"projects/-x/{name}.jsonl"
        kind = chance.random()
        if step < 3 or kind < 0.5:
            model = chance.choice(("claude-opus-4-5", "claude-haiku-5-5", "claude-nobody-9"))
            counts = {"output_tokens": chance.randrange(1, 99), "cache_read_input_tokens": chance.randrange(200_000)}
            name = ("s-1", "s-2", "s-3")[step] if step < 3 else name
            entry = said(name, folder, f"msg_{step}", when, model=model, **counts)
            written += [(f"projects/-x/{name}.jsonl", entry)] * chance.randrange(1, 4)
        elif kind < 0.65:
            text = chance.choice((f"Thread    {ONE}", f"Thread    {TWO}", f"{ONE} {TWO}")) + "\nwords" * 50
            written.append((path, read(name, folder, text, when)))
        elif kind < 0.75:
            entry = said(name, "/nobody", f"msg_{step}", when, output_tokens=7, isSidechain=True)
            written.append((f"projects/-x/{name}/subagents/agent-{step % 2}.jsonl", entry))
        elif kind < 0.8:
            written.append((path, {"type": "x", "text": "ü" * chance.randrange(300)}))
        elif written:  # a copy elsewhere: the same, or a side chain, or with more tokens
            _, old = chance.choice(written)
            if old["type"] == "assistant":
                entry = {"requestSessionId": old["sessionId"], **old, "sessionId": "s-4"}
                if chance.random() < 0.3:
                    entry["isSidechain"] = True
                written.append(("projects/-x/s-4.jsonl", entry))
    return written


@pytest.mark.parametrize("seed", range(4))
def test_any_pieces_give_the_sums_of_one_pass(seed: int, tmp_path: Path) -> None:
    """Read in one pass or in many, cut anywhere in the order of writing, the same transcripts give the same sums."""
    chance = random.Random(seed)
    written = history(chance)
    stream = [(path, bytes([byte])) for path, entry in written for byte in line(entry)]
    cuts = sorted(chance.sample(range(len(stream)), 25))
    pieces = tmp_path / "pieces"
    for start, end in zip([0, *cuts], [*cuts, len(stream)]):
        for path, data in joined(stream[start:end]):
            (pieces / path).parent.mkdir(parents=True, exist_ok=True)
            with (pieces / path).open("ab") as file:
                file.write(data)
        found = counted(tmp_path / "many", pieces, MAP)
    once = counted(tmp_path / "one", pieces, MAP)
    assert once["agent"]["total"]["tokens"] > 0
    assert {row["key"] for row in once["thread"]["rows"]} == {ONE, TWO, "none"}
    assert {row["key"] for row in once["agent"]["rows"]} == {"dev", "ops", "anonymous"}
    assert found == once


def joined(stream: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Neighbouring bytes of one file as one."""
    parts: list[tuple[str, bytearray]] = []
    for path, byte in stream:
        if not parts or parts[-1][0] != path:
            parts.append((path, bytearray()))
        parts[-1][1].extend(byte)
    return [(path, bytes(data)) for path, data in parts]


def test_passes_at_once(team: Team) -> None:
    """Several processes that count the same transcripts at the same moment each come to the sum of one."""
    wanted = fill(str(team.root / ".claude/projects"), 4 * MIB)
    command = [*PROGRAM, "telemetry", "--json", "--by", "model"]
    started = [
        subprocess.Popen(command, cwd=team.root / "dev", env=team.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in started:
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, b"")
        assert totals(output) == {key: wanted[key] for key in totals(output)}
    assert totals(team.run("dev", "telemetry", "--json").stdout.encode()) == {
        key: wanted[key] for key in ("input", "output", "cache_read", "cache_write_5m")
    }


def totals(output: bytes) -> dict[str, Any]:
    """The sums that `fill` tells too."""
    total = json.loads(output)["total"]
    return {key: total[key] for key in ("input", "output", "cache_read", "cache_write_5m")}
