"""Many at once, late or cut short: each letter arrives once, and a sync asks the store for no more than it needs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.post import keys, letter, spool, store
from agent_team_os.protocol.errors import LockBusy
from agent_team_os.storage import lock
from support import letters
from support.cli import ORDINARY, PATIENCE, PROGRAM
from support.letters import Writer
from support.people import person

DAY = 86_400.0


def begin(one: Writer, *args: str) -> subprocess.Popen[str]:
    """`ato msg ARGS --json` as a process of its own, not waited for."""
    command = [*ORDINARY, *PROGRAM, "msg", "--json", *args]
    return subprocess.Popen(
        command, cwd=one.person.root, env=one.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def quiet(*everybody: Writer) -> None:
    """No sync starts by itself."""
    for one in everybody:
        (one.person.mail / "started").unlink(missing_ok=True)


@pytest.fixture
def pair(tmp_path: Path) -> list[Writer]:
    """max and alex, who know each other."""
    return letters.writers(tmp_path, "max", "alex")


# ---- At once ------------------------------------------------------------------------------------


def test_one_sync_at_a_time(pair: list[Writer]) -> None:
    """While one sync is at work another one says so and changes nothing; afterwards it does what is to be done."""
    max_, alex = pair
    max_.send(alex, "hello")
    with lock.guard(max_.home, "@people-sync"), pytest.raises(LockBusy):
        max_.sync(wait=0)
    assert letters.stored(max_.url, "/to/") == {}
    assert max_.sync()["pushed"] == {"alex@bonnard.ai": 1}


def test_a_send_waits_for_no_sync(pair: list[Writer]) -> None:
    """Sending, listing and reading go on while a sync is at work."""
    max_, alex = pair
    max_.send(alex, "before")
    max_.sync()
    alex.sync()
    with lock.guard(alex.home, "@people-sync"):
        alex.person.said("max", "hello")
        assert len(alex.person.json("list")["letters"]) == 1
        alex.person.said("read")
    assert alex.sync()["pushed"] == {"max@bonnard.ai": 1}
    assert max_.sync()["receipts"] == 1


def test_eight_syncs_in_parallel(pair: list[Writer]) -> None:
    """Eight syncs at once on either side, over twenty letters with files: each arrives once, under its own number."""
    max_, alex = pair
    for number in range(20):
        max_.send(alex, f"letter {number}", max_.file("a.csv", b"%d" % number))
    for one in pair:
        quiet(one)
        running = [begin(one, "sync", *(["--once"] if number % 2 else [])) for number in range(8)]
        said = [process.communicate(timeout=PATIENCE) for process in running]
        for process, (out, err) in zip(running, said):
            busy = process.returncode != 0
            assert not busy or "--once" in list(process.args), err  # type: ignore[arg-type]  # it was a list
            assert not busy or json.loads(out)["error"]["code"] == "lock-busy", out
        did = [json.loads(out).get("pushed" if one is max_ else "fetched", {}) for out, _ in said]
        assert sum(count for counts in did for count in counts.values()) == 20
    assert alex.texts() == [f"letter {number}" for number in range(20)]
    assert sorted(alex.index().numbers.values()) == list(range(1, 21))
    assert len(letters.stored(max_.url, "/to/")) == 40
    for number, opened in enumerate(alex.read()):
        assert Path(opened.saved[0]).read_bytes() == b"%d" % number


def test_two_devices_push_at_once(tmp_path: Path, pair: list[Writer]) -> None:
    """Two devices of one person that push and change their name at once: all arrives once, and the entries follow."""
    max_, alex = pair
    laptop = Writer(person(tmp_path, "laptop"), max_.url)
    laptop.person.said("device", "add", "--address", "max@bonnard.ai", "--store", max_.url)
    max_.person.typed("device", "accept", keys.device(laptop.env)[1])
    laptop.person.typed("device", "add")
    quiet(max_, laptop)
    for number in range(5):
        for one in (max_, laptop):
            one.send(alex, f"{one.person.name} {number}", one.file("a.csv", b"%d" % number))
    for one in (max_, laptop):
        keys.rename(one.env, "max@bonnard.ai", f"max-{one.person.name}")
    running = [begin(one, "sync") for one in (max_, laptop) for _ in range(2)]
    for process in running:
        assert process.communicate(timeout=PATIENCE)[1] == ""
        assert process.returncode == 0
    for one in (max_, laptop, alex):
        one.sync()
    assert sorted(alex.texts()) == sorted(f"{name} {number}" for name in ("max", "laptop") for number in range(5))
    assert all(not one.faults for one in alex.read())
    assert alex.known()[max_.uid]["changed"] is None
    for one in (max_, laptop, max_, laptop):
        assert one.sync()["pushed"] == {}
    assert len(max_.sent()) == len(laptop.sent()) == 10
    assert max_.keys.name == laptop.keys.name
    entries = len(letters.stored(max_.url, f"dir/{max_.uid}/"))
    for one in (max_, laptop):
        one.sync()
    assert len(letters.stored(max_.url, f"dir/{max_.uid}/")) == entries


# ---- What a sync asks for -----------------------------------------------------------------------


class Counted:
    """A store that remembers what it was asked for."""

    def __init__(self, inner: store.Store) -> None:
        self.inner = inner
        self.asked: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found):
            return found

        def call(*args: Any, **more: Any) -> Any:
            self.asked.append((name, str(args[0])))
            return found(*args, **more)

        return call


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What any sync of this process asks a store for, from the last look on."""
    calls: list[tuple[str, str]] = []
    really = store.open_store

    def opened(url: str, environ: Mapping[str, str], seconds: float = 20.0) -> Any:
        one = Counted(really(url, environ, seconds))
        one.asked = calls
        return one

    monkeypatch.setattr(store, "open_store", opened)
    return calls


def test_nothing_new_is_one_listing(pair: list[Writer], asked: list[tuple[str, str]]) -> None:
    """A sync with nothing new lists once and does nothing else, however much there was before."""
    max_, alex = pair
    for number in range(3):
        max_.send(alex, str(number), max_.file("a.csv", b"x"))
    letters.put(max_.url, letter.letter_key(max_.uid, alex.uid, letter.new_id()), b"no letter")
    for one in (max_, alex):
        one.sync()
    alex.read()
    for one in (alex, max_):
        one.sync()
    for one in (max_, alex):
        del asked[:]
        one.sync()
        assert asked == [("keys", "v1/")]


def test_a_letter_with_a_file_is_five_calls(pair: list[Writer], asked: list[tuple[str, str]]) -> None:
    """Pushing puts each object once and looks at its size; pulling gets each once."""
    max_, alex = pair
    max_.send(alex, "hello", max_.file("a.csv", b"x"))
    del asked[:]
    max_.sync()
    assert [name for name, _ in asked] == ["keys", "put_new", "size", "put_new", "size"]
    assert asked[1][1].endswith("/0.age")  # the file is there before its letter is
    assert max_.person.json("outbox")["sent"][0]["pushed_at"] is not None
    del asked[:]
    alex.sync()
    assert [name for name, _ in asked] == ["keys", "get", "get"]
    del asked[:]
    alex.read()
    assert asked == []


def test_an_upload_that_was_cut_off_is_not_repeated(
    pair: list[Writer], asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier sync has uploaded is found to be the same and left; what is there in its place is replaced."""
    max_, alex = pair
    letter_id = max_.send(alex, "hello", max_.file("a.csv", b"right"), max_.file("b.csv", b"too"))
    with monkeypatch.context() as cut:
        cut.setattr(spool, "settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            max_.sync()
    before = letters.stored(max_.url, letter_id)
    damaged = next(key for key in before if key.endswith("/1.age"))
    letters.put(max_.url, damaged, before[damaged][:-1])
    del asked[:]
    max_.sync()
    assert [name for name, _ in asked].count("replace") == 1
    after = letters.stored(max_.url, letter_id)
    assert {key for key in before if before[key] != after[key]} == {damaged}
    alex.sync()
    alex.read()
    assert alex.saved() == {"a.csv": b"right", "b.csv": b"too"}
