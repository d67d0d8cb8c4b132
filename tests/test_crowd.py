"""A crowd on one inbox: each message is acknowledged, read by one reader and everywhere once; doctor finds no fault."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.protocol.documents import Finding
from support import state
from support.cli import PROGRAM, ROOT, environment
from support.homes import bus_of, examine, healthy
from support.hooks import hook, said
from support.sessions import ids

PATIENCE = 600  # seconds after which a crowd counts as hung
SENDERS, EACH, READERS = 32, 50, 4
# A sender: one process that sends one message after the other into a thread, and prints their ids.
SEND = """
from agent_team_os.bus import Bus
home, thread, number = sys.argv[1:]
bus = Bus.open({"AGENT_TEAM_OS_HOME": home, "AGENT_TEAM_OS_AGENT": "ops"}, "/")
for _ in range(int(number)):
    sent = bus.send("dev", "news", {"text": "news"}, type="event", thread_id=thread)
    assert sent["thread_status"] == "open", sent  # nothing was left to the next command
    print(sent["id"])
"""
# The same as one command after the other.
COMMANDS = """
home=$1 thread=$2 number=$3 at=0
shift 3
export AGENT_TEAM_OS_HOME="$home" AGENT_TEAM_OS_AGENT=ops
while [ $at -lt $number ]; do
    at=$((at + 1))
    out=$("$@" send dev news --type event --field text=news --thread "$thread" --json) || exit
    out=${out#*'"id":"'}
    echo "${out%%'"'*}"
done
"""
# A reader: one process that reads the next message until it is told that no more come, and there is none.
READ = """
import select
from agent_team_os.bus import Bus
from agent_team_os.protocol.errors import NothingToRead
bus = Bus.open({"AGENT_TEAM_OS_HOME": sys.argv[1], "AGENT_TEAM_OS_AGENT": "dev"}, "/")
over = False
while True:
    try:
        with bus.reading() as shown:
            print(shown["message"]["id"])
    except NothingToRead:
        if over:
            break
        over = bool(select.select([sys.stdin], [], [], 0.05)[0])
"""


def python(code: str) -> list[str]:
    """The beginning of a command that runs `code` with the package at hand."""
    return [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r})\n{code}"]


class Crowd:
    """Processes at once; what is left of them when the test ends is killed."""

    def __init__(self) -> None:
        self.held = ExitStack()

    def start(self, command: Sequence[object], **options: Any) -> subprocess.Popen[str]:
        """One more, which may be told something."""
        pipe = subprocess.PIPE
        words = [str(word) for word in command]
        process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **options)
        self.held.push(process)
        self.held.callback(process.kill)
        return process

    @staticmethod
    def results(processes: Sequence[subprocess.Popen[str]], told: Sequence[str] = ()) -> list[list[str]]:
        """The lines that each printed once it was `told` its input and all have ended well."""
        with ThreadPoolExecutor(len(processes)) as pool:
            pairs = zip(processes, told or [""] * len(processes))
            ended = list(pool.map(lambda pair: pair[0].communicate(pair[1], timeout=PATIENCE), pairs))
        wrong = [error[-800:] for process, (_, error) in zip(processes, ended) if process.returncode]
        assert wrong == [], f"{len(wrong)} failed: {wrong[0]}"
        return [out.splitlines() for out, _ in ended]


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """The processes of a test."""
    made = Crowd()
    with made.held:
        yield made


@contextmanager
def examined(home: Path) -> Iterator[None]:
    """While what is inside happens doctor looks again and again, and finds nothing wrong; nor afterwards."""
    found: list[Finding] = []
    over, looks = threading.Event(), 0

    def look() -> None:
        nonlocal looks
        pause = 0.0
        while not over.wait(pause) and not found:
            began = time.monotonic()
            found.extend(examine(home))
            pause = 2 * (time.monotonic() - began)  # the crowd is to have most of the machine
            looks += 1

    doctor = threading.Thread(target=look)
    doctor.start()
    try:
        yield
    finally:
        over.set()
        doctor.join()
    assert found == [], found[0]
    assert looks > 1
    assert examine(home) == []


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bus with ops and dev in which nothing is wrong and nothing is pending."""
    home = healthy(tmp_path, monkeypatch)
    with bus_of(home, "dev").reading():
        return home


def check_crowd(home: Path, crowd: Crowd, sender: Sequence[object], *arguments: object) -> None:
    """Senders and readers at once on one inbox and one thread: all is acknowledged, read once, and everywhere once."""
    first = bus_of(home, "ops").send("dev", "news", {"text": "first"}, type="event")
    before = state.check(home) - {first["id"]}
    command = [*sender, home, first["thread_id"], EACH, *arguments]
    with examined(home):
        readers = [crowd.start([*python(READ), home]) for _ in range(READERS)]
        acknowledged = crowd.results([crowd.start(command) for _ in range(SENDERS)])
        read = crowd.results(readers, ["over\n"] * READERS)
    assert [len(lines) for lines in acknowledged] == [EACH] * SENDERS
    sent = [first["id"], *(line for lines in acknowledged for line in lines)]
    assert sorted(line for lines in read for line in lines) == sorted(sent)
    assert state.check(home) == before.union(sent)
    assert state.threads(home).keys() >= {(first["thread_id"], message_id) for message_id in sent}
    assert list((home / "inboxes/dev").glob("msg-*.json")) == []


def test_senders_and_readers(home: Path, crowd: Crowd) -> None:
    """Of 32 senders of 50 messages into one thread and 4 readers of one inbox each message has one reader."""
    check_crowd(home, crowd, python(SEND))


@pytest.mark.full
def test_commands_and_readers(home: Path, crowd: Crowd) -> None:
    """The same where each message has a command of its own."""
    check_crowd(home, crowd, ["sh", "-c", COMMANDS, "sh"], *PROGRAM)


def line(number: int, at: int, thread: str) -> str:
    """A line of a batch; those with an even number open a thread each."""
    given = {"to": "dev", "intent": "news", "type": "event", "payload": {"text": f"{number}.{at}"}}
    return json.dumps({**given, "thread_id": thread} if number % 2 else given) + "\n"


def test_batches_at_once(home: Path, tmp_path: Path, crowd: Crowd) -> None:
    """Of 8 batches at once, half of them into one thread and half opening many, each line is sent once."""
    thread = bus_of(home, "ops").send("dev", "news", {"text": "first"}, type="event")["thread_id"]
    before = state.check(home)
    texts = ["".join(line(number, at, thread) for at in range(200)) for number in range(8)]
    command, options = [*PROGRAM, "send", "--batch", "-"], {"env": environment(tmp_path), "cwd": tmp_path / "ops"}
    with examined(home):
        printed = crowd.results([crowd.start(command, **options) for _ in texts], texts)
    results = [json.loads(result) for lines in printed for result in lines]
    sent = {result["id"]: result["thread_id"] for result in results}
    assert len(sent) == len(results) == 1600
    assert state.check(home) == before | sent.keys()
    assert len(set(sent.values())) == 801
    # Each line is answered by the message it became.
    logged = {message["id"]: message["payload"].get("text") for message in state.outbox(home)}
    answers = [[logged[json.loads(result)["id"]] for result in lines] for lines in printed]
    assert answers == [[f"{number}.{at}" for at in range(200)] for number in range(8)]


def test_a_storm_of_hooks(home: Path, tmp_path: Path) -> None:
    """Of 200 hooks of 50 sessions, 50 at a time while mail arrives, each session is told each message once."""
    bus_of(home, "dev").drain("dev", True)
    bus, env = bus_of(home, "ops"), environment(tmp_path)
    sent: list[str] = []
    told: dict[str, list[str]] = {f"s-{number}": [] for number in range(50)}
    ended = threading.Semaphore(0)

    def deliver() -> None:
        """Five messages while all sessions start, which is what a start shows, and ten in the next hundred hooks."""
        for _ in range(15):
            sent.append(bus.send("dev", "news", {"text": "news"}, type="event", priority="high")["id"])
            for _ in range(10):
                ended.acquire()

    def fire(session: str, *events: str) -> None:
        for event in events:
            given = {"session_id": session, "cwd": str(tmp_path / "dev"), "hook_event_name": event}
            shown = ids(said(hook(env, tmp_path / "dev", event, given)))
            # What keeps a session from stopping is shown although it was told of it.
            told[session] += [one for one in shown if event != "Stop" or one not in told[session]]
            ended.release()

    middle = [("UserPromptSubmit", "Stop"), ("Stop", "UserPromptSubmit")]
    with examined(home), ThreadPoolExecutor(51) as pool:
        mail = pool.submit(deliver)
        list(pool.map(lambda session: fire(session, "SessionStart"), told))
        list(pool.map(lambda pair: fire(pair[1], *middle[pair[0] % 2]), enumerate(told)))
        mail.result()
        list(pool.map(lambda session: fire(session, "UserPromptSubmit"), told))
    assert len(sent) == 15
    assert {session: sorted(shown) for session, shown in told.items()} == dict.fromkeys(told, sorted(sent))
    assert not (home / "state/hook-errors.log").exists()
    assert state.check(home) >= set(sent)
