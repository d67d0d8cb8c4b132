"""A slow line, or a store that lists little: what was moved once is kept, and the next sync goes on behind it."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from agent_team_os.post import device, directory, keys, letter, seal, spool, trip
from agent_team_os.post import store as stores
from agent_team_os.post.folder import FolderStore
from agent_team_os.protocol.errors import StoreFailed
from support import letters, seaweed
from support.letters import Writer
from support.proxy import Proxy
from test_post_devices import begin, complete, recipient

DAY = 86_400
EVERYTHING = "v1/"


class Line:
    """What is between everybody and the store: what was asked through it, and what goes wrong with it."""

    def __init__(self) -> None:
        self.got: list[str] = []  # keys
        self.put: list[tuple[str, int]] = []  # keys, and how many bytes
        self.listed: list[tuple[str, str]] = []  # prefixes, and behind what
        self.gets: Optional[int] = None  # how many there is time for
        self.wide: Optional[StoreFailed] = None  # how a listing of everything ends
        self.now: Optional[float] = None  # what a clock shows that goes on only with `speed`
        self.speed = 10_000.0  # bytes a second, and as many seconds as 1 000 bytes take for each call
        self.lock = threading.Lock()

    def take(self, size: int) -> None:
        """So many bytes pass."""
        if self.now is not None:
            self.now += (1_000 + size) / self.speed


class Watched(FolderStore):
    """A store in a folder at the other end of a line."""

    line: Line

    def get(self, key: str, *args: Any, **options: Any) -> bytes:
        """As of a folder, as long as there is time for it."""
        with self.line.lock:
            if self.line.gets is not None:
                if not self.line.gets:
                    raise trip.OutOfTime
                self.line.gets -= 1
            self.line.got.append(key)
        data = super().get(key, *args, **options)
        self.line.take(len(data))
        return data

    def put_new(self, key: str, data: bytes) -> bool:
        """As of a folder; a key that is taken costs as much."""
        self.line.put.append((key, len(data)))
        self.line.take(len(data))
        return super().put_new(key, data)

    def keys(self, prefix: str, *args: Any, **options: Any) -> list[tuple[str, int]]:
        """As of a folder, unless everything is asked for."""
        after = args[0] if args else options.get("after", "")
        self.line.listed.append((prefix, after))
        if self.line.wide is not None and prefix.rstrip("/") == EVERYTHING.rstrip("/"):
            raise self.line.wide
        return super().keys(prefix, *args, **options)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """Everybody's line to the store."""
    one = Line()
    opened = type("Watched", (Watched,), {"line": one})
    real = time.monotonic
    with monkeypatch.context() as patch:
        patch.setattr(stores, "open_store", lambda url, _environ, seconds=20.0, **_: opened(url, seconds))
        patch.setattr(time, "monotonic", lambda: real() if one.now is None else one.now)
        yield one


def strangers(url: str, count: int) -> list[str]:
    """So many people put themselves into the directory; the keys of their entries."""
    found = []
    to = seal.new_identity()[1]
    for number in range(count):
        seed = os.urandom(32)
        mark = seal.verify_key_of(seed)
        one = keys.Keys(seal.uid_of(mark), f"n{number}@example.org", f"n{number}", mark, seed, "", to)
        data = seal.canonical(directory.entry(one, 1, None, [to]))
        found.append(letters.put(url, letter.entry_key(one.uid, 1), data))
    return found


def state(one: Writer, **changes: Any) -> dict[str, Any]:
    """What the syncs of a person remember, with changes if there are any."""
    path = one.person.mail / "sync.json"
    document: dict[str, Any] = {**json.loads(path.read_bytes()), **changes}
    path.write_text(json.dumps(document))
    return document


# ---- Many new people ----------------------------------------------------------------------------


def test_new_entries_are_kept_when_the_time_is_over(tmp_path: Path, line: Line) -> None:
    """Of new people some are learnt by each sync that has time for some, and no entry is fetched twice."""
    max_, _ = letters.writers(tmp_path, "max", "alex")
    entries = strangers(max_.url, 12)
    line.got.clear()
    for number in range(1, 4):
        line.gets = 5
        came = max_.sync(budget=600.0)
        assert came["unfinished"] is (number < 3)
        assert len(max_.known()) == 2 + min(5 * number, 12)
    assert Counter(key for key in line.got if key in entries) == Counter(entries)


def test_letters_come_before_all_new_people_are_known(tmp_path: Path, line: Line) -> None:
    """However many entries are new, the letters of who is known arrive, and go out, with the first sync."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    alex.send(max_, "to max")
    alex.sync()
    max_.send(alex, "to alex")
    strangers(max_.url, 60)
    line.now, line.speed = 1_000.0, 5_000.0  # 0.2 s or more for each object
    first = max_.sync(budget=5.0)
    assert (max_.texts(), first["pushed"]) == (["to max"], {"alex@bonnard.ai": 1})
    for _ in range(12):
        max_.sync(budget=5.0)
    assert len(max_.known()) == 62


# ---- Large files --------------------------------------------------------------------------------


def large(one: Writer, other: Writer, count: int) -> str:
    """A letter with so many files, of which each takes ten seconds and more; its id."""
    paths = [one.file(f"{number}.bin", os.urandom(100_000)) for number in range(count)]
    return one.send(other, "large", *paths)


def test_an_attachment_is_uploaded_once(tmp_path: Path, line: Line) -> None:
    """A letter whose files take longer than one sync goes out with one of the next, and each file goes up once."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    letter_id = large(max_, alex, 3)
    line.put.clear()
    line.now = 1_000.0
    syncs = 0
    while spool.ids(max_.home):
        syncs += 1
        assert max_.sync(budget=5.0)["unfinished"] is (syncs < 3), syncs
    ups = [(key, size) for key, size in line.put if letter_id in key]
    assert [key.rpartition("/")[2] for key, _ in ups] == ["0.age", "1.age", "2.age", f"{letter_id}.age"]
    assert sum(size for _, size in ups) < 3 * 100_000 + 10_000
    line.now = None
    alex.sync()
    assert [one.faults for one in alex.read()] == [{}]
    assert alex.saved() == {f"{number}.bin": (max_.person.root / f"{number}.bin").read_bytes() for number in range(3)}


def test_a_letter_follows_its_last_attachment(tmp_path: Path, line: Line) -> None:
    """The time is not asked for between the last file and its letter: what took long to upload is of use at once."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    large(max_, alex, 1)
    line.now = 1_000.0
    assert max_.sync(budget=5.0)["pushed"] == {"alex@bonnard.ai": 1}
    assert spool.ids(max_.home) == []


def test_a_short_letter_waits_for_no_large_one(tmp_path: Path, line: Line) -> None:
    """A letter without files goes out with the first sync, also behind one that takes several."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    first = large(max_, alex, 3)
    max_.send(alex, "short")
    line.now = 1_000.0
    max_.sync(budget=5.0)
    assert spool.ids(max_.home) == [first]
    line.now = None
    alex.sync()
    assert alex.texts() == ["short"]


@pytest.mark.parametrize("cut", ["no time", "killed"])
def test_a_device_that_is_added_meanwhile(
    cut: str, tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who adds a device between the upload of a file and that of its letter can open all of it on both."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    letter_id = large(alex, max_, 2)
    if cut == "no time":
        line.now = 1_000.0
        assert alex.sync(budget=5.0)["unfinished"] is True
        line.now = None
    else:
        whole = Watched.put_new
        monkeypatch.setattr(Watched, "put_new", lambda self, key, data: whole(self, key, data) and _die(key, letter_id))
        with pytest.raises(KeyboardInterrupt):
            alex.sync()
        monkeypatch.setattr(Watched, "put_new", whole)
    assert 1 <= len(letters.stored(alex.url, letter_id)) < 3
    laptop = begin(tmp_path, max_.url)
    device.accept(max_.home, max_.env, max_.url, recipient(laptop))
    complete(laptop, max_)
    alex.sync()
    for one in (max_, laptop):
        one.sync()
        assert [reading.faults for reading in one.read()] == [{}]
        assert sorted(one.saved()) == ["0.bin", "1.bin"]


def _die(key: str, letter_id: str) -> bool:
    if key.endswith(f"{letter_id}/1.age"):
        raise KeyboardInterrupt
    return True


# ---- Listings -----------------------------------------------------------------------------------


def test_a_listing_that_takes_too_long(tmp_path: Path, line: Line) -> None:
    """Where everything cannot be listed in time each person is listed alone, in the same sync and from then on."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    max_.send(alex, "hello")
    max_.sync()
    line.wide = StoreFailed("the store is away: it did not answer in time", "Try again.")
    assert alex.sync()["fetched"] == {"max@bonnard.ai": 1}
    line.listed.clear()
    assert alex.sync()["error"] is None
    assert line.listed
    assert EVERYTHING not in [prefix for prefix, _ in line.listed]


def test_a_listing_that_is_too_long(tmp_path: Path, line: Line) -> None:
    """A store with tens of thousands of objects of others is listed as a whole once, and its letters arrive."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    max_.send(alex, "hello")
    max_.sync()
    folder = letters.place(max_.url) / letter.letters_prefix("a" * 26, "b" * 26)
    folder.mkdir(parents=True)
    one = folder / f"{letter.new_id()}.age"
    one.write_bytes(b"x")
    for number in range(26_000):
        os.link(one, folder / f"01900000-0000-7000-8000-{number:012x}.age")
    assert alex.sync()["fetched"] == {"max@bonnard.ai": 1}
    line.listed.clear()
    alex.sync()
    assert line.listed
    assert EVERYTHING not in [prefix for prefix, _ in line.listed]


def test_each_person_is_listed_from_the_last_letter_on(tmp_path: Path, line: Line) -> None:
    """Where only little may be listed, the letters of a person are asked for from about the last one on."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    line.wide = stores.Denied("the store does not let you do that", "Ask for it.")
    prefix = letter.letters_prefix(max_.uid, alex.uid)
    for text in ("one", "two", "three"):
        line.listed.clear()
        max_.send(alex, text)
        max_.sync()
        alex.sync()
    [after] = [behind for asked, behind in line.listed if asked == prefix]
    assert after.startswith(prefix)
    last = letter.made_at(alex.letters()[-1]["id"])
    assert last - 2 * DAY < letter.made_at(f"{after[len(prefix) :][:13]}-7000-8000-{0:012}") < last
    assert alex.texts() == ["one", "two", "three"]


def test_s3_is_asked_where_to_begin() -> None:
    """A listing behind a key, or behind where a letter of some time would stand, is begun there by the server."""
    uid = "m" * 26
    team = seaweed.team({"max": uid})
    prefix = letter.letters_prefix(uid, "a" * 26)
    with Proxy(team.endpoint) as proxy:
        store = stores.open_store(team.url, dataclasses.replace(team, endpoint=proxy.url).environ("max"))
        now = time.time()
        for days in range(4):
            key = letter.letter_key(uid, "a" * 26, letter.new_id(now - days * DAY))
            for each in (key, f"{key[:-4]}/0.age"):
                assert store.put_new(each, b"x")
        every = [key for key, _ in store.keys(prefix)]
        assert len(every) == 8
        for after in (prefix + letter.id_at(now - 1.5 * DAY), *every[::3]):
            proxy.seen.clear()
            assert [key for key, _ in store.keys(prefix, after=after)] == [key for key in every if key > after]
            [asked] = [request for request in proxy.seen if "list-type" in request]
            assert "start-after=" in asked
            assert asked.partition("start-after=")[2].startswith("v1%2Ffrom%2F" + uid)
