"""However much of it is bad, what is good among it is fetched, listed and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_team_os.post import notice, pull, trip
from support import letters
from support.letters import Writer

MANY = 60


@pytest.fixture
def pair(tmp_path: Path) -> list[Writer]:
    """max and alex, who know each other."""
    return letters.writers(tmp_path, "max", "alex")


def arrived(max_: Writer, alex: Writer, *texts: str) -> None:
    """alex has letters with these texts."""
    for text in texts:
        max_.send(alex, text)
    max_.sync()
    alex.sync()


def test_damaged_letters(pair: list[Writer]) -> None:
    """Sixty letters that cannot be read take no place of the good one: it is read, listed and told of."""
    max_, alex = pair
    arrived(max_, alex, *["damaged"] * (MANY - 6), "good", *["damaged"] * 6)
    for path in (alex.person.home / "people/letters").glob("*.json"):
        if '"damaged"' in path.read_text():
            path.write_text("{")
    alex.sync()
    count, newest = notice.unread(alex.home)
    assert (count, [one["text"] for one in newest]) == (MANY + 1, ["good"])
    assert [one["text"] for one in alex.person.json("list")["letters"]] == ["good"]
    assert [one["text"] for one in alex.person.json("read")["letters"]] == ["good"]


def test_letters_that_are_held(pair: list[Writer]) -> None:
    """What the store keeps to itself is asked for again in turn, few at once in a short sync, after what is new."""
    max_, alex = pair
    for _ in range(MANY):
        max_.send(alex, "denied")
    max_.sync()
    denied = [letters.place(max_.url) / key for key in letters.stored(max_.url, "/to/")]
    for path in denied:
        path.chmod(0)
    alex.person.said("sync")
    before = list(trip.load_state(alex.home, alex.url)["held"])
    assert len(before) == MANY
    max_.send(alex, "good")
    max_.sync()
    alex.person.said("sync", "--once")
    assert alex.texts() == ["good"]
    assert list(trip.load_state(alex.home, alex.url)["held"]) == [*before[20:], *before[:20]]
    for path in denied:
        path.chmod(0o666)
    alex.person.said("sync")
    assert len(alex.texts()) == MANY + 1


def test_attachments_without_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So much of unread files is fetched by itself, in turn from each sender; what was left is said, and read later."""
    monkeypatch.setattr(pull, "MOST_UNREAD", 100)
    max_, alex, eve = letters.writers(tmp_path)
    for number in range(4):
        eve.send(max_, "flood", eve.file(f"eve-{number}", bytes([number]) * 40))
    alex.send(max_, "good", alex.file("alex", b"x" * 45))
    eve.sync()
    alex.sync()
    said = max_.sync()["warnings"]
    waiting = sorted(path.stat().st_size for path in (max_.person.home / "people/files").iterdir())
    assert waiting == [40, 45]
    assert said == [
        "3 files of unread messages stay in the store (120B): at most 100B wait here. "
        "Reading a message fetches its own."
    ]
    max_.sync()
    assert len(list((max_.person.home / "people/files").iterdir())) == 2
    assert len(max_.read()) == 5
    assert len(max_.saved()) == 5


def test_a_file_larger_than_it_says(pair: list[Writer]) -> None:
    """No more of a file is fetched than its letter says it has."""
    max_, alex = pair
    max_.send(alex, "small", max_.file("small", b"x"))
    max_.sync()
    (key,) = (key for key in letters.stored(max_.url, "/0.age"))
    letters.put(max_.url, key, b"x" * 300_000)
    alex.sync()
    (reading,) = alex.read()
    assert "larger than any attachment of that size" in reading.faults[0]


def test_the_limit() -> None:
    """It is 200 MB."""
    assert pull.MOST_UNREAD == 200 * 2**20
