"""Two devices of one person: what comes reaches both, and what one does the other knows."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.post import box, device, keys, letter, people, seal
from agent_team_os.protocol.errors import InvalidLetter
from support import letters
from support.letters import Writer
from support.people import ADDRESSES, person


def begin(folder: Path, url: str, name: str = "laptop") -> Writer:
    """A new device of max's, which has called `msg device add` and is not accepted yet."""
    one = Writer(person(folder, name), url)
    told = one.person.json("device", "add", "--address", ADDRESSES["max"], "--store", url)
    assert told == {"recipient": told["recipient"], "address": ADDRESSES["max"], "complete": False}
    return one


def recipient(one: Writer) -> str:
    """What the new device shows."""
    return keys.device(one.env)[1]


def complete(one: Writer, old: Writer) -> None:
    """Take what the old device has left: `msg device add` for the second time, with the answer yes."""
    [found] = device.find(one.home, one.env, one.url, ADDRESSES["max"])
    assert found["verify_key"] == old.keys.verify_key
    device.adopt(one.home, one.env, found)


@pytest.fixture
def three(tmp_path: Path) -> list[Writer]:
    """max on two devices, and alex; before the second device max and alex have written to each other twice."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    for one, other in ((max_, alex), (alex, max_)):
        for _ in range(2):
            one.send(other, "before", one.file("old.txt", b"old"))
            one.sync()
            other.sync()
    laptop = begin(tmp_path, max_.url)
    device.accept(max_.home, max_.env, max_.url, recipient(laptop))
    complete(laptop, max_)
    return [max_, laptop, alex]


def both(one: Writer, other: Writer) -> list[dict[str, Any]]:
    """A sync of each device, and what they say."""
    return [one.sync(), other.sync()]


def test_add_accept_add(tmp_path: Path) -> None:
    """The commands as a person gives them; the new device is the same person with an age key of its own."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    laptop = begin(tmp_path, max_.url)
    shown = recipient(laptop)
    laptop.person.refused(1, "not-set-up", "list")
    assert laptop.person.json("device", "add", "--address", ADDRESSES["max"], "--store", max_.url)["recipient"] == shown
    max_.person.refused(2, "not-confirmed", "device", "accept", shown)  # nobody is at a terminal
    assert not [key for key in letters.stored(max_.url, f"dir/{max_.uid}/") if key.endswith("/2.json")]
    assert "On the new device" in max_.person.typed("device", "accept", shown)
    told = json.loads(laptop.person.typed("device", "--json", "add").splitlines()[-1])
    assert told["complete"] is True
    assert told["fingerprint"] == seal.fingerprint(max_.keys.verify_key)
    assert (laptop.uid, laptop.keys.seed) == (max_.uid, max_.keys.seed)
    assert laptop.keys.identity != max_.keys.identity
    laptop.person.refused(1, "not-set-up", "device", "add", "--address", ADDRESSES["max"], "--store", max_.url)
    max_.person.typed("device", "accept", shown)  # the same once more
    alex.sync()
    assert [one["devices"] for one in alex.person.json("users")["people"] if one["name"] == "max"] == [2]
    assert people.waits(alex.known(), max_.uid) == ""
    for path in laptop.person.config.iterdir():
        assert path.stat().st_mode & 0o077 == 0
    assert max_.keys.seed.hex().encode() not in b"".join(letters.stored(max_.url, "").values())


def test_mail_reaches_both(three: list[Writer]) -> None:
    """What is sent from then on can be opened on both, with its files, and each gives numbers of its own."""
    max_, laptop, alex = three
    alex.send(max_, "to both", alex.file("new.txt", b"new"))
    alex.sync()
    for one in (max_, laptop):
        one.sync()
        assert one.texts()[-1] == "to both"
        one.read(str(one.letters()[-1]["number"]))
        assert one.saved()["new.txt"] == b"new"
    assert [one["number"] for one in laptop.letters()] == [1]


def test_what_was_sent_before(three: list[Writer]) -> None:
    """Letters from before the device was added stay closed to it: one line says how many, once."""
    _, laptop, alex = three
    first, second = laptop.sync(), laptop.sync()
    assert first["warnings"] == ["4 messages from before this device was added can only be opened on the other one."]
    for came in (first, second):
        assert (came["refused"], came["held"], came["fetched"]) == ({}, {}, {})
    assert second["warnings"] == []
    assert laptop.texts() == []
    # The control: with a second device, too, what is broken now is named.
    key = letter.letter_key(alex.uid, laptop.uid, letter.new_id(4_000_000_000))
    letters.put(laptop.url, key, letters.sealed(letters.draft(alex, laptop), alex, alex))
    assert list(laptop.sync()["refused"]) == [key]


def test_what_a_sync_prints_of_what_was_before(three: list[Writer]) -> None:
    """The command prints that line and nothing of its keys."""
    _, laptop, _ = three
    done = laptop.person.run("sync")
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr.count("\n") == 1
    assert "4 messages from before" in done.stderr
    assert laptop.person.run("sync").stderr == ""


@pytest.mark.parametrize("reader", ["max", "laptop"])
def test_read_on_one_is_read_on_the_other(reader: str, three: list[Writer]) -> None:
    """A letter read on one device is unread on none, its files wait nowhere, and its sender hears of it once."""
    max_, laptop, alex = three
    both(max_, laptop)
    max_.read()
    letter_id = alex.send(max_, "for one of you", alex.file("new.txt", b"new"))
    alex.sync()
    both(max_, laptop)
    one, other = (max_, laptop) if reader == "max" else (laptop, max_)
    assert (letters.unread(one), letters.unread(other)) == (1, 1)
    one.read()
    both(one, other)
    assert (letters.unread(one), letters.unread(other)) == (0, 0)
    assert not list((other.person.mail / "files").iterdir())
    assert "new.txt" not in other.saved()
    [again] = other.read(str(other.letters()[-1]["number"]))  # it can be read there nevertheless
    assert (again.faults, other.saved()["new.txt"]) == ({}, b"new")
    both(one, other)
    assert alex.sync()["receipts"] >= 1
    assert alex.sent()[letter_id] is not None
    assert len([key for key in letters.stored(alex.url, "/ack/") if letter_id in key]) == 1


def test_read_on_both_before_either_knows(three: list[Writer]) -> None:
    """Of two readings that know nothing of each other one receipt is enough, and both saved what they saved."""
    max_, laptop, alex = three
    both(max_, laptop)
    max_.read()
    letter_id = alex.send(max_, "for both of you", alex.file("new.txt", b"new"))
    alex.sync()
    both(max_, laptop)
    paths = [one.read()[0].saved for one in (max_, laptop)]
    both(max_, laptop)
    both(max_, laptop)
    assert [list(one.person.mail.glob("receipts/*")) for one in (max_, laptop)] == [[], []]
    for one, saved in zip((max_, laptop), paths):
        assert one.letters()[-1]["saved"] == [saved[0]]
    alex.sync()
    assert alex.sent()[letter_id] is not None


def test_read_on_the_other_while_it_is_read_here(three: list[Writer]) -> None:
    """A sync that has looked before a reading here, and hears of one there, forgets nothing of the one here."""
    max_, _, alex = three
    alex.send(max_, "hello", alex.file("new.txt", b"new"))
    alex.sync()
    max_.sync()
    looked = max_.index()
    saved = max_.read()[-1].saved[0]
    name = looked.ordered()[-1]
    box.mark_read(max_.home, looked, name, "2026-04-08T09:15:00Z", [])
    assert max_.letters()[-1]["saved"] == [saved]


def test_what_one_sends_the_other_lists(three: list[Writer]) -> None:
    """A letter sent by one device is among those that were sent on the other, also whether it was read."""
    max_, laptop, alex = three
    both(max_, laptop)
    here, there = max_.send(alex, "from the desk"), laptop.send(alex, "from the train")
    both(max_, laptop)
    both(max_, laptop)
    for one in (max_, laptop):
        assert {here, there} <= set(one.sent())
        assert one.person.json("outbox")["waiting"] == []
    alex.sync()
    assert alex.texts()[-2:] == ["from the desk", "from the train"]
    assert alex.sync()["fetched"] == {}
    alex.read()
    alex.sync()
    both(max_, laptop)
    for one in (max_, laptop):
        assert one.sent()[here] is not None
        assert one.sent()[there] is not None


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
def test_a_store_that_lists_only_what_is_asked(narrow: bool, three: list[Writer]) -> None:
    """The two devices know of each other also where not everything can be listed at once."""
    max_, laptop, alex = three
    both(max_, laptop)
    for one in three:
        path = one.person.mail / "sync.json"
        state = json.loads(path.read_bytes())
        path.write_text(json.dumps({**state, "narrow_at": int(time.time()) if narrow else 0}))
    letter_id = laptop.send(alex, "from the train")
    answer = alex.send(max_, "to both")
    laptop.sync()
    alex.sync()
    both(max_, laptop)
    assert letter_id in max_.sent()
    laptop.read()
    both(laptop, max_)
    assert letter.name(alex.uid, answer) in max_.index().read


def test_another_name_on_one_device(three: list[Writer]) -> None:
    """Who changes their name or address on one device has it on the other; the two do not change it back and forth."""
    max_, laptop, alex = three
    both(max_, laptop)
    change = ("setup", "--name", "maximilian", "--address", "max@example.org", "--yes")
    assert laptop.person.at_terminal(*change)[0] == 0
    for _ in range(3):
        both(max_, laptop)
    entries = letters.stored(max_.url, f"dir/{max_.uid}/")
    assert len(entries) == 3
    assert (max_.keys.name, max_.keys.address) == ("maximilian", "max@example.org")
    keys.rename(max_.env, "max@bonnard.ai", "max")
    for _ in range(3):
        both(max_, laptop)
    assert len(letters.stored(max_.url, f"dir/{max_.uid}/")) == 4
    assert laptop.keys.name == "max"
    alex.sync()
    assert people.find(alex.known(), "max@bonnard.ai") == max_.uid


def test_a_third_device(tmp_path: Path, three: list[Writer]) -> None:
    """Any device that is complete can accept another one; what is no key of a device is refused."""
    max_, laptop, alex = three
    phone = begin(tmp_path, max_.url, "phone")
    with pytest.raises(InvalidLetter, match="no key of a device"):
        device.accept(laptop.home, laptop.env, laptop.url, recipient(phone)[:-1])
    device.accept(laptop.home, laptop.env, laptop.url, recipient(phone))
    complete(phone, max_)
    alex.send(max_, "to all three")
    alex.sync()
    for one in (max_, laptop, phone):
        one.sync()
        assert one.texts()[-1] == "to all three"


def test_a_grant_of_somebody_else(tmp_path: Path) -> None:
    """A new device takes a signing key from nobody but the person whose address it asks for."""
    max_, eve = letters.writers(tmp_path, "max", "eve")
    laptop = begin(tmp_path, max_.url)
    shown = recipient(laptop)
    device.accept(max_.home, max_.env, max_.url, shown)
    [granted] = letters.stored(max_.url, letter.letters_prefix(max_.uid, max_.uid))
    (letters.place(max_.url) / granted).unlink()
    for seed, signer in ((eve.keys.seed, eve), (max_.keys.seed, eve), (eve.keys.seed, max_)):
        grant_id = letter.new_id()
        grant = {
            "kind": "grant", "version": "1", "id": grant_id, "from": max_.uid, "to": max_.uid, "recipient": shown,
            "seed": seed.hex(),
        }  # fmt: skip
        data = seal.sealed(grant, signer.keys.seed, [shown])
        letters.put(max_.url, letter.letter_key(max_.uid, max_.uid, grant_id), data)
    assert device.find(laptop.home, laptop.env, laptop.url, ADDRESSES["max"]) == []
    device.accept(max_.home, max_.env, max_.url, shown)
    complete(laptop, max_)
    assert laptop.sync()["refused"] == {}
