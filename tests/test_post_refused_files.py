"""A file that is not the one its letter speaks of is never saved; its letter arrives, and so does everything else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent_team_os.post import box, letter, seal
from support import letters
from support.letters import Writer

CSV, LOG = b"name,registrar\n" * 300, b"12:00 start\n" * 500


@pytest.fixture
def two(tmp_path: Path) -> list[Writer]:
    """max and alex; max has sent two letters with a file each, and alex has not looked yet."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    max_.send(alex, "one", max_.file("a.csv", CSV))
    max_.send(alex, "two", max_.file("b.log", LOG))
    max_.sync()
    return [max_, alex]


def parts(one: Writer) -> list[str]:
    """The keys of the attachments, in the order they were sent."""
    return [key for key in sorted(letters.stored(one.url, "/to/")) if key.endswith("/0.age")]


def swap(alex: Writer) -> None:
    """The files of the two letters change places."""
    one, other = (letters.place(alex.url) / key for key in parts(alex))
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)


def _change(change: Callable[[bytes], bytes]) -> Callable[[Writer], None]:
    def changed(alex: Writer) -> None:
        path = letters.place(alex.url) / parts(alex)[0]
        path.write_bytes(change(path.read_bytes()))

    return changed


def remove(alex: Writer) -> None:
    """One is not there."""
    (letters.place(alex.url) / parts(alex)[0]).unlink()


def other_bytes(alex: Writer) -> None:
    """As large, closed to alex, with other bytes."""
    letters.put(alex.url, parts(alex)[0], seal.encrypt(b"x" * len(CSV), [alex.keys.recipient]))


def one_byte_more(alex: Writer) -> None:
    """Larger than the letter says."""
    letters.put(alex.url, parts(alex)[0], seal.encrypt(CSV + b"\n", [alex.keys.recipient]))


def to_nobody(alex: Writer) -> None:
    """Closed to somebody else."""
    stranger = seal.new_identity()[1]
    letters.put(alex.url, parts(alex)[0], seal.encrypt(CSV, [stranger]))


def oversize(alex: Writer) -> None:
    """Larger than any attachment can be."""
    with (letters.place(alex.url) / parts(alex)[0]).open("r+b") as file:
        file.truncate(letter.MAX_SEALED_FILE + 1)


FAULTS = {
    "truncated": (_change(lambda data: data[:-1]), "changed on the way"),
    "appended": (_change(lambda data: data + b"x"), "changed on the way"),
    "no age": (_change(lambda data: b"hello"), "no age file"),
    "missing": (remove, "not in the store"),
    "other bytes": (other_bytes, "not the file that the message speaks of"),
    "one byte more": (one_byte_more, "not the file that the message speaks of"),
    "closed to somebody else": (to_nobody, "not encrypted for this device"),
    "oversize": (oversize, "larger than any attachment"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_file_is_not_saved(name: str, two: list[Writer]) -> None:
    """Reading says which and why; the other is saved; when the right one is there, reading once more saves it."""
    _, alex = two
    before = letters.stored(alex.url, parts(alex)[0])
    fault, why = FAULTS[name]
    fault(alex)
    assert alex.sync()["fetched"] == {"max@bonnard.ai": 2}
    one, other = alex.read()
    assert (one.document["text"], list(one.faults)) == ("one", [0])
    assert why in one.faults[0]
    assert (other.document["text"], other.faults) == ("two", {})
    assert alex.saved() == {"b.log": LOG}
    assert letters.unread(alex) == 0  # it would never be anything else
    for key, data in before.items():
        letters.put(alex.url, key, data)
    [one] = alex.read("1")
    assert (one.faults, alex.saved()) == ({}, {"a.csv": CSV, "b.log": LOG})


def test_swapped_files(two: list[Writer]) -> None:
    """Of two letters whose files have changed places neither is saved under the name of the other."""
    _, alex = two
    swap(alex)
    alex.sync()
    assert [list(one.faults) for one in alex.read()] == [[0], [0]]
    assert alex.saved() == {}
    swap(alex)
    for number in "12":
        alex.read(number)
    assert alex.saved() == {"a.csv": CSV, "b.log": LOG}


@pytest.mark.parametrize("wrong", [{"size": 1}, {"sha256": "0" * 64}], ids=["size", "sum"])
def test_a_letter_that_is_wrong_about_its_file(wrong: dict[str, object], two: list[Writer]) -> None:
    """A size or sum that is not the file's is no reason to save it."""
    max_, alex = two
    about = {"name": "c.txt", "size": 5, "sha256": seal.digest(b"hello")}
    for change in ({}, wrong):
        document = letters.draft(max_, alex, "three", attachments=[{**about, **change}])
        key = letter.letter_key(max_.uid, alex.uid, document["id"])
        letters.put(max_.url, f"{key[:-4]}/0.age", seal.encrypt(b"hello", [alex.keys.recipient]))
        letters.put(max_.url, key, letters.sealed(document, max_, alex))
    alex.sync()
    assert [list(one.faults) for one in alex.read()] == [[], [], [], [0]]
    assert alex.saved() == {"a.csv": CSV, "b.log": LOG, "c.txt": b"hello"}


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"x"), Path.unlink], ids=["changed", "gone"])
def test_a_damaged_copy_is_fetched_anew(damage: Callable[[Path], object], two: list[Writer]) -> None:
    """What was fetched and is damaged before it was saved is not saved, and comes from the store once more."""
    _, alex = two
    alex.sync()
    damage(Path(box.fetched(alex.home, letter.name_of(alex.letters()[0]), 0)))
    for _ in range(2):
        if letters.unread(alex):
            alex.read()
    assert alex.saved() == {"a.csv": CSV, "b.log": LOG}
    assert letters.unread(alex) == 0


def test_a_file_the_store_keeps_to_itself(two: list[Writer]) -> None:
    """One file that may not be read keeps no other from being fetched, and its letter stays unread until it may."""
    _, alex = two
    path = letters.place(alex.url) / parts(alex)[0]
    path.chmod(0)
    done = alex.person.json("sync")
    assert (done["fetched"], done["error"]) == ({"max@bonnard.ai": 2}, None)
    told = alex.person.json("read")["letters"]
    assert "does not let you" in told[0]["attachments"][0]["fault"]
    assert alex.saved() == {"b.log": LOG}
    assert [one["number"] for one in alex.person.json("list")["letters"] if one["read_at"] is None] == [1]
    path.chmod(0o600)
    alex.read()
    assert alex.saved() == {"a.csv": CSV, "b.log": LOG}
    assert not list(Path(box.files_folder(alex.home)).iterdir())
