"""Mail between people: a note, the notice, a session's start, a year of letters, and a large file to a real S3 server.

What needs much memory runs in a process of its own: what a process was once as large as counts for all it starts.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from measure import Command, Row, costs, cpu, interleaved

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path += [os.path.join(ROOT, "tests"), os.path.join(ROOT, "scripts")]
LETTERS = 10_000
FILE = 10 * 1_048_576  # bytes, the largest that goes
NOTE = 10.0  # times the bare interpreter, for a note
NOTICE = 1.0  # ms that the notice may add to a command
START = 3.5  # times the bare interpreter, for the start of a session, as without mail from people
LIST = 1.0  # seconds
PUSH = 1.5  # times what encrypting and a plain put of the same bytes take
MEMORY = 120.0  # MB
# The program, which tells at its end how long the notice took that ends every command: on stderr, in nanoseconds.
TIMED = """
import gc, sys, time
gc.disable()
sys.path[:0] = sys.argv[1:3]
sys.argv[1:] = sys.argv[3:]
from agent_team_os.cli import main, output
def unread(real=output.unread):
    began = time.perf_counter_ns()
    real()
    sys.stderr.write(f"\\n@{time.perf_counter_ns() - began}")
output.unread = unread
main.run()
"""


def run(ato: str, python: str, env: dict[str, str], scratch: str, rounds: int) -> list[Row]:
    """Time what people wait for, with a store in a folder; then a large file, with SeaweedFS."""
    who = _prepared(scratch, "mail")
    return [
        *_note(ato, python, who, rounds),
        _notice(who, rounds),
        *_start(ato, env, who, scratch, rounds),
        *_year(ato, who, scratch, rounds),
        *_large(ato, who, rounds),
    ]


# ---- What people wait for -----------------------------------------------------------------------


def _note(ato: str, python: str, who: dict[str, Any], rounds: int) -> list[Row]:
    """A note that waits for its sync, which is not started here: it would run beside what is timed."""
    max_ = who["max"]
    bare = Command("bare interpreter", [python, "-I", "-S", "-E", "-c", "pass"], max_["env"], max_["root"])
    words = [ato, "msg", "alex", "Domain research is done. Pick your top 3?"]
    note = Command("msg NAME TEXT", words, max_["env"], max_["root"], b"Sent to alex@bonnard.ai\n")
    note.before = lambda: _quiet(max_)
    interleaved([bare, note], rounds)
    return costs([bare, note], {note.name: NOTE})


def _quiet(one: dict[str, Any]) -> None:
    """Let no command start a sync."""
    started = os.path.join(one["home"], "people", "started")
    if os.path.exists(started):
        os.unlink(started)


def _notice(who: dict[str, Any], rounds: int) -> Row:
    """What the notice adds to a command, its imports included, measured in the process itself."""
    alex, times = who["alex"], []
    packages = os.path.join(ROOT, ".venv", "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
    command = [sys.executable, "-I", "-S", "-c", TIMED, os.path.join(ROOT, "scripts"), packages, "whoami"]
    for _ in range(rounds + 1):
        done = subprocess.run(command, cwd=alex["root"], env=alex["env"], capture_output=True, check=True)
        words, _, took = done.stderr.decode().rpartition("\n@")
        if "📬 5 new messages" not in words:
            raise SystemExit(f"there is no notice: {words}")
        times.append(int(took) / 1e6)
    took = statistics.median(times[1:])
    return Row("the notice on any command", f"{took:6.2f} ms", took / NOTICE, 1.0, "of 1 ms")


def _start(ato: str, env: dict[str, str], who: dict[str, Any], scratch: str, rounds: int) -> list[Row]:
    """The start of a session, in an agent's folder and in nobody's, with letters that wait."""
    alex = who["alex"]
    launcher = ["sh", os.path.join(ROOT, "hooks", "run"), "SessionStart"]
    given = os.path.join(scratch, "given.json")
    with open(given, "w", encoding="utf-8") as file:
        json.dump({"session_id": "benchmark", "hook_event_name": "SessionStart", "source": "compact"}, file)
    commands = []
    for folder, says in (("dev", b"You are dev"), ("web", b"You have 5 unread messages")):
        place = os.path.join(alex["root"], folder)
        os.mkdir(place)
        if folder == "dev":
            subprocess.run([ato, "join", "dev"], env=alex["env"], cwd=place, check=True, capture_output=True)
        where = "an agent's folder" if folder == "dev" else "a folder of nobody's"
        commands.append(Command(f"SessionStart in {where}", launcher, alex["env"], place, says, given))
    for command in commands:
        command.before = lambda: _quiet(alex)
        text = command.run()[3]  # the launcher now remembers its interpreter
        if b"You have 5 unread messages" not in text:
            raise SystemExit(f"{command.name} does not tell of the letters")
    with open(os.path.join(alex["root"], ".cache", "agent-team-os", "python"), encoding="utf-8") as file:
        bare = Command(
            "bare, as the hooks' launcher picks", [file.read().strip(), "-I", "-S", "-E", "-c", "pass"], env, scratch
        )
    interleaved([bare, *commands], rounds)
    return costs([bare, *commands], {command.name: START for command in commands})


def _year(ato: str, who: dict[str, Any], scratch: str, rounds: int) -> list[Row]:
    """Ten thousand letters: all of them listed, and a sync that finds nothing new among them."""
    one = _child("year", scratch)
    count = f'"count":{LETTERS}'.encode()
    nothing = (
        b'{"pushed":{},"fetched":{},"receipts":0,"waiting":{},"held":{},"refused":{},"unfinished":false,"error":null'
    )
    full, short, sync = (
        Command(name, [ato, "msg", *words], one["env"], one["root"], expect)
        for name, words, expect in (
            (f"msg list --all of {LETTERS}", ["list", "--all"], f"5 unread, {LETTERS} in all.".encode()),
            (f"msg list --json of {LETTERS}", ["list", "--json"], count),
            (f"msg sync, nothing new in {LETTERS}", ["sync", "--json"], nothing),
        )
    )
    for command in (full, short, sync):
        command.before = lambda: _quiet(one)
    if full.run()[3].count(b"max@bonnard.ai") != LETTERS:
        raise SystemExit("not all letters are listed")
    interleaved([full, short, sync], max(3, rounds // 3))
    rows = []
    for command, limit in ((full, LIST), (short, LIST), (sync, None)):
        wall = statistics.median(command.wall)
        note = f"{wall * 1e3:.0f} ms, {command.memory:.0f} MiB"
        rows.append(Row(command.name, f"{cpu(command):6.1f} ms CPU", wall / LIST, limit, note))
    return rows


# ---- A large file -------------------------------------------------------------------------------


def _large(ato: str, who: dict[str, Any], rounds: int) -> list[Row]:
    """10 MiB to a SeaweedFS on this machine: the time of the push, the memory of the processes that send and fetch."""
    from support import seaweed  # the server lives as long as this process

    team = seaweed.team({})
    store = {**team.environ("admin"), "STORE": team.url}
    max_, alex = who["max"], who["alex"]
    for one in (max_, alex):
        one["env"] = {**one["env"], **team.environ("admin")}
        _child("store", one["root"], json.dumps(one), env=store)
        subprocess.run([ato, "msg", "sync"], env=one["env"], cwd=one["root"], check=True, capture_output=True)
    subprocess.run([ato, "msg", "sync"], env=max_["env"], cwd=max_["root"], check=True, capture_output=True)
    timed = _child("push", max_["root"], json.dumps(max_), str(max(5, rounds)), env=store)
    ratio = timed["push"] / timed["plain"]
    rows = [
        Row("push of 10 MiB, in the process", f"{timed['push'] * 1e3:6.0f} ms", ratio, PUSH,
            f"{timed['plain'] * 1e3:.0f} ms: age, put")
    ]  # fmt: skip
    peaks: dict[str, float] = {
        "msg sync that sends it": 0,
        "msg sync that fetches it": 0,
        "msg read that fetches it": 0,
    }
    send = [ato, "msg", "alex", "Large", "--attach", "large"]
    for _ in range(3):
        _quiet(max_)
        subprocess.run(send, env=max_["env"], cwd=max_["root"], check=True, capture_output=True)
        steps: list[tuple[str, dict[str, Any], list[str], bytes, Callable[[], None]]] = [
            ("msg sync that sends it", max_, ["sync", "--json"], b'"pushed":{"alex@bonnard.ai":', lambda: None),
            ("msg sync that fetches it", alex, ["sync", "--json"], b'"fetched":{"max@bonnard.ai":', lambda: None),
            ("msg read that fetches it", alex, ["read", "--json"], b'large', lambda: _forget(alex)),
        ]  # fmt: skip
        for name, one, words, expect, before in steps:
            before()
            _quiet(one)
            command = Command(name, [ato, "msg", *words], one["env"], one["root"], expect)
            _, _, memory, text = command.run()
            if words[0] == "read" and json.loads(text.splitlines()[0])["letters"][-1]["attachments"][0]["fault"]:
                raise SystemExit(f"the file was not fetched: {text!r}")
            peaks[name] = max(peaks[name], memory * 1.048576)
    return [*rows, *(Row(name, f"{peak:6.0f} MB", peak / MEMORY, 1.0, "of 120 MB") for name, peak in peaks.items())]


def _forget(one: dict[str, Any]) -> None:
    """Let no file be here that was fetched, so that reading a letter has to fetch it."""
    folder = os.path.join(one["home"], "people", "files")
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))


# ---- In processes of their own ------------------------------------------------------------------


def _prepared(scratch: str, name: str) -> dict[str, Any]:
    """max and alex, who know each other; alex has five letters to read, max a large file."""
    folder = os.path.join(scratch, name)
    os.mkdir(folder)
    return _child("pair", folder)


def _child(what: str, *args: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """What one of the functions below prints, called in another process."""
    command = [sys.executable, os.path.abspath(__file__), what, *args]
    done = subprocess.run(command, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def pair(folder: str) -> dict[str, Any]:
    """Set up two people over a store in this folder."""
    from pathlib import Path

    from support import mailed, people

    max_, alex = people.pair(Path(folder))
    for number in range(1, 6):
        mailed.lay(alex, max_, f"Domain research {number} is done -- 12 clean names survived.", number,
                   attachments=[("domain-research.csv", 4301)])  # fmt: skip
    mailed.count(alex)
    max_.file("large", os.urandom(FILE))
    found = {one.name: {"root": str(one.root), "home": str(one.home), "env": one.environment} for one in (max_, alex)}
    for one in found.values():
        _quiet(one)
    return found


def year(folder: str) -> dict[str, Any]:
    """Somebody with ten thousand letters, all but five of them read, each with its receipt in the store."""
    from pathlib import Path

    from agent_team_os.post import letter
    from support import mailed, people

    place = Path(folder) / "year"
    place.mkdir()
    max_, alex = people.pair(place)
    root = place / "store"
    for number in range(1, LETTERS + 1):
        read = number <= LETTERS - 5
        document = mailed.lay(
            alex, max_, f"number {number}: names that survived", number, age=3000.0 * (LETTERS - number), read=read
        )
        sender, reader = document["from"], document["to"]
        keys = [letter.letter_key(sender, reader, document["id"])]
        keys += [letter.receipt_key(reader, sender, document["id"])] if read else []
        for path in (root / key for key in keys):
            if number == 1:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * 700)
    mailed.count(alex)
    return {"root": str(alex.root), "home": str(alex.home), "env": alex.environment}


def store(_: str, one: str) -> dict[str, Any]:
    """Let somebody's map name the store in STORE."""
    path = os.path.join(json.loads(one)["home"], "AGENT_MAP.json")
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    document["org"] = {"store": os.environ["STORE"]}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)
    return {}


def push(_: str, one: str, rounds: str) -> dict[str, Any]:
    """The median seconds of `push.letters` for one letter with a large file, and of encrypting and putting its bytes.

    The push reads the copy in the spool, checks its sum, encrypts and uploads it, uploads the letter, asks the store
    what it keeps of both, and remembers the letter as sent.
    """
    import obstore

    from agent_team_os.post import box, directory, keys, letter, people, push, seal, spool, trip
    from agent_team_os.post import store as stores

    person = json.loads(one)
    home, env = person["home"], person["env"]
    mine, known = keys.load(env), people.load(home)
    to = people.find(known, "alex")
    opened = stores.open_store(os.environ["STORE"], env)
    path = os.path.join(person["root"], "large")
    with open(path, "rb") as file:
        data = file.read()
    times: dict[str, list[float]] = {"push": [], "plain": []}

    def pushed() -> None:
        going = trip.Trip(
            home, mine, opened, known, box.Index(home), spool.Sent(home), trip.load_state(home, opened.url)
        )
        began = time.perf_counter()
        push.letters(going)
        times["push"].append(time.perf_counter() - began)
        assert going.pushed == {"alex@bonnard.ai": 1}, going.state

    def plain() -> None:
        key = f"{letter.ROOT}from/{mine.uid}/probe/{letter.new_id()}"
        began = time.perf_counter()
        sealed = seal.encrypt(data, directory.recipients(known, mine, to))
        obstore.put(opened._remote, key, sealed, mode="create", use_multipart=False)
        times["plain"].append(time.perf_counter() - began)
        assert opened.size(key) == len(sealed)

    for number in range(int(rounds) + 2):
        spool.add(home, mine.uid, to, "Large", [path])
        # Each is the first every other time: the disk may still be busy with the copy in the spool.
        for step in (pushed, plain) if number % 2 else (plain, pushed):
            step()
    return {name: statistics.median(took[2:]) for name, took in times.items()}


if __name__ == "__main__":
    print(
        json.dumps({"pair": pair, "year": year, "store": store, "push": push}[sys.argv[1]](*sys.argv[2:])), flush=True
    )
    os._exit(0)  # as the program ends: the threads of obstore are not to be met by an interpreter that tidies up
