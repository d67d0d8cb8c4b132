"""A sync that has no time, no store or no more life goes on with the next one, and what waits says why."""

from __future__ import annotations

import itertools
import os
import random
import signal
from pathlib import Path

import pytest

from agent_team_os.post import folder, letter, spool
from support import letters
from support.cli import PATIENCE
from support.letters import Writer
from test_post_sync import begin, quiet


@pytest.fixture
def pair(tmp_path: Path) -> list[Writer]:
    """max and alex, who know each other."""
    return letters.writers(tmp_path, "max", "alex")


def fill(one: Writer, other: Writer, count: int, size: int = 100) -> dict[str, bytes]:
    """Letters with two files each, in the spool; the files."""
    found = {}
    for number in range(count):
        for part in "ab":
            name = f"{number}{part}.bin"
            found[name] = random.Random(name).randbytes(size)
            one.file(name, found[name])
        one.send(other, str(number), *(one.person.root / f"{number}{part}.bin" for part in "ab"))
    return found


def delivered(max_: Writer, alex: Writer, files: dict[str, bytes]) -> None:
    """Everything has come once, in its order, and can be saved without the store."""
    assert alex.texts() == [str(number) for number in range(len(files) // 2)]
    assert sorted(alex.index().numbers.values()) == list(range(1, len(files) // 2 + 1))
    place = letters.place(max_.url)
    away = place.rename(place.with_name("away"))
    assert not any(one.faults for one in alex.read())
    away.rename(place)
    assert alex.saved() == files
    assert max_.person.json("outbox")["waiting"] == []
    assert spool.ids(max_.home) == []
    assert len(letters.stored(max_.url, "/to/")) == 3 * len(files) // 2
    alex.sync()
    assert max_.sync()["receipts"] == len(files) // 2


def test_no_time_for_all(pair: list[Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncs with time for a few objects each say that they are not finished, and finish together."""
    max_, alex = pair
    files = fill(max_, alex, 3)
    ticks = itertools.count()
    monkeypatch.setattr("agent_team_os.post.trip.time.monotonic", lambda: float(next(ticks)))
    for one in pair:
        unfinished = 0
        while one.sync(budget=7.0)["unfinished"]:
            unfinished += 1
            assert unfinished < 9
        assert unfinished > 1
    monkeypatch.undo()
    delivered(max_, alex, files)


def test_a_store_that_is_away(pair: list[Writer]) -> None:
    """Nothing is lost while the store is away: outbox and sync say why, and the next sync with it sends everything."""
    max_, alex = pair
    place = letters.place(max_.url)
    files = fill(max_, alex, 1)
    away = place.rename(place.with_name("away"))
    for _ in range(2):
        done = max_.person.run("sync")
        assert done.returncode == 70
        assert "There is no store in" in done.stderr
        told = max_.person.json("outbox")
        assert (len(told["waiting"]), "There is no store in" in told["error"]) == (1, True)
        assert "There is no store in" in max_.person.said("outbox")
    assert not place.exists()  # nobody made an empty one in its place
    away.rename(place)
    max_.sync()
    assert max_.person.json("outbox")["error"] is None
    alex.sync()
    delivered(max_, alex, files)


def test_a_store_that_takes_nothing_still_gives(pair: list[Writer]) -> None:
    """Where this person may not write they still get what others wrote, and what waits says why."""
    max_, alex = pair
    alex.send(max_, "hello", alex.file("a.csv", b"x"))
    alex.sync()
    waiting = max_.send(alex, "never")
    own = letters.place(max_.url) / f"v1/from/{max_.uid}/to"
    own.parent.mkdir(exist_ok=True)
    own.write_text("in the way")
    done = max_.person.run("--json", "sync")
    own.unlink()
    assert done.returncode == 70
    assert max_.texts() == ["hello"]
    told = max_.person.json("outbox")
    [one] = told["waiting"]
    assert one["id"] == waiting
    assert told["error"].startswith(one["why"])
    assert told["error"] in done.stdout
    max_.sync()
    assert max_.person.json("outbox")["waiting"] == []


def test_a_store_that_loses_what_it_was_given(pair: list[Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter is taken for sent only when the store has all of it: one that keeps half has failed."""
    max_, alex = pair
    letter_id = max_.send(alex, "hello")
    whole = folder.FolderStore.put_new
    monkeypatch.setattr(folder.FolderStore, "put_new", lambda self, key, data: whole(self, key, data[:-1]))
    with pytest.raises(AssertionError, match="instead of the"):
        max_.sync()
    assert spool.ids(max_.home) == [letter_id]
    monkeypatch.undo()
    assert max_.sync()["pushed"] == {"alex@bonnard.ai": 1}
    alex.sync()
    assert alex.texts() == ["hello"]


def test_a_damaged_letter_in_the_spool(pair: list[Writer]) -> None:
    """A letter that a sick disk has damaged is named and keeps no other from going; so is one whose file is gone."""
    max_, alex = pair
    bad, gone, good = (max_.send(alex, text, max_.file("a.csv", b"x")) for text in ("bad", "gone", "good"))
    (Path(spool.folder(max_.home)) / bad / "letter.json").write_text("{")
    (Path(spool.folder(max_.home)) / gone / "0").write_text("y")
    came = max_.sync()
    assert set(came["waiting"]) == {bad, gone}
    assert all("damaged" in why for why in came["waiting"].values())
    assert list(max_.sent()) == [good]
    told = max_.person.json("outbox")
    assert ([one["id"] for one in told["waiting"]], len(told["damaged"])) == ([gone], 1)
    alex.sync()
    assert alex.texts() == ["good"]


def test_what_killed_processes_have_left(pair: list[Writer]) -> None:
    """What somebody was making a day ago goes with the next sync and reading; what is being made now stays."""
    max_, alex = pair
    files = fill(max_, alex, 1)
    max_.sync()
    alex.sync()
    [one] = alex.letters()
    mail, own = alex.person.mail, letters.place(alex.url) / "v1/from" / alex.uid / ".new"
    for path in (own, alex.person.inbox, mail / "sent", mail / "receipts"):
        path.mkdir(parents=True, exist_ok=True)
    name, other = letter.name_of(one), letter.name(max_.uid, letter.new_id())
    left = [
        mail / ".sync.json.4711.tmp", mail / "letters" / f".2-{name}.json.tmp", mail / "files" / f"{other}.0",
        mail / "sent" / f".{name}.json.tmp", mail / "receipts" / f".{name}.json.tmp", own / "0123456789abcdef",
        alex.person.inbox / ".4711.part", mail / "spool" / f".{letter.new_id()}",
    ]  # fmt: skip
    kept = [mail / "files" / f"{name}.0", alex.person.inbox / ".4711.part.txt", mail / "sent" / ".x.tmp"]
    for path in (*left, *kept):
        path.touch()
    left[-1].unlink()
    left[-1].mkdir()
    (left[-1] / "letter.json").write_text("{")
    for path in (*left, *kept[:2]):
        os.utime(path, (0, 0))
    alex.sync()
    assert kept[0].exists()
    kept[0].unlink()  # it was empty
    assert not any(reading.faults for reading in alex.read())
    alex.sync()
    assert [path for path in left if path.exists()] == []
    assert [path for path in kept[1:] if not path.exists()] == []
    assert {key: data for key, data in alex.saved().items() if key[0] != "."} == files


@pytest.mark.full
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_time(seed: int, pair: list[Writer]) -> None:
    """Real syncs that are killed after any few changes, in whatever thread, until all is done: each letter once."""
    max_, alex = pair
    draw = random.Random(seed)
    files = fill(max_, alex, 12, 200_000)
    for one in pair:
        quiet(one)
        kills = 0
        while True:
            before, target = changes(one), draw.randrange(1, 6)
            process = begin(one, "sync")
            while process.poll() is None and len(changes(one) - before) < target:
                pass  # every look takes as long as it takes
            process.kill()
            process.communicate(timeout=PATIENCE)
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL
            kills += 1
        assert kills > 5
    delivered(max_, alex, files)


def changes(one: Writer) -> set[str]:
    """The names in the store and in somebody's mail, also of what is just being made."""
    return {
        name
        for place in (letters.place(one.url), one.person.mail)
        for _, folders, names in os.walk(place)
        for name in (*folders, *names)
    }
