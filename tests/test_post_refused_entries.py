"""Nobody speaks in the name of somebody else in the directory or in a receipt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.post import directory, letter, people, seal
from support import letters
from support.letters import Writer


@pytest.fixture
def three(tmp_path: Path) -> list[Writer]:
    """max, alex and eve, who know each other."""
    return letters.writers(tmp_path)


def of_a_new_person(of: Writer, signer: Writer) -> str:
    """A first entry, for a uid that is not that of its key."""
    uid = seal.uid_of("ab" * 32)
    keys = signer.keys
    document = directory.entry(keys, 1, None, [keys.recipient])
    document = seal.sign({**document, "uid": uid}, keys.seed)
    return letters.put(of.url, letter.entry_key(uid, 1), seal.canonical(document))


def _next(**changes: Any) -> Callable[[Writer, Writer], str]:
    def made(of: Writer, _signer: Writer) -> str:
        return letters.publish(of, of.keys, **changes)

    return made


def signed_by_another(of: Writer, signer: Writer) -> str:
    """Max's next entry with eve's signature."""
    return letters.publish(of, signer.keys, uid=of.uid, verify_key=of.keys.verify_key)


def with_the_uid_of_another(of: Writer, signer: Writer) -> str:
    """Eve's entry in max's folder."""
    return letters.publish(of, signer.keys)


def once_more(of: Writer, _signer: Writer) -> str:
    """The first entry as the second: back to what was."""
    [data] = letters.stored(of.url, f"dir/{of.uid}/1.json").values()
    return letters.put(of.url, letter.entry_key(of.uid, 2), data)


FORGED = {
    "of a new person": (of_a_new_person, "not that of the person in whose folder it lies"),
    "signed by another": (signed_by_another, "signature is not that of its sender"),
    "of another": (with_the_uid_of_another, "the entry of somebody else"),
    "another chain": (_next(previous="0" * 64), "does not follow from the entry before"),
    "no chain": (_next(previous=None), "does not follow from the entry before"),
    "once more": (once_more, "the entry of somebody else, or another one"),
    "another number": (_next(number=3), ""),
    "no recipient": (_next(recipients=["age1" + "q" * 58]), "recipient"),
    "no address": (_next(address="Max <max@example.org>"), "no valid entry"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_entry_changes_nothing(name: str, three: list[Writer]) -> None:
    """It is refused or not looked at; who was known stays as they were, and mail goes on both ways."""
    max_, alex, eve = three
    before = alex.known()
    make, why = FORGED[name]
    key = make(max_, eve)
    max_.send(alex, "one")
    alex.send(max_, "two")
    came = alex.sync()
    assert (list(came["refused"]), alex.known()) == ([key] if why else [], before)
    assert why in came["refused"].get(key, "")
    assert alex.sync()["refused"] == {}
    (letters.place(max_.url) / key).unlink()  # max's own home would find it where its own belongs
    max_.sync()
    alex.sync()
    assert (max_.texts(), alex.texts()) == (["two"], ["one"])


def test_a_right_entry_is_taken(three: list[Writer]) -> None:
    """The control: the next entry of a person, signed and in its chain, is what is known of them."""
    max_, alex, _ = three
    letters.publish(max_, max_.keys, address="max@example.org", name="maximilian")
    assert alex.sync()["refused"] == {}
    assert people.find(alex.known(), "maximilian") == max_.uid
    assert people.waits(alex.known(), max_.uid) == ""


def test_a_directory_that_is_rolled_back(three: list[Writer]) -> None:
    """Entries the store has lost, or given others in their place, are known on."""
    max_, alex, eve = three
    second = letters.publish(max_, max_.keys, name="maximilian")
    alex.sync()
    before = alex.known()
    first = letter.entry_key(max_.uid, 1)
    letters.put(max_.url, first, seal.canonical(directory.entry(eve.keys, 1, None, [eve.keys.recipient])))
    (letters.place(max_.url) / second).unlink()
    assert (alex.sync()["refused"], alex.known()) == ({}, before)


def receipt(reader: Writer, sender: Writer, letter_id: str, signer: Writer) -> tuple[str, bytes]:
    """A receipt in a reader's prefix, and its key."""
    document = letter.receipt(letter_id, reader.uid, sender.uid, "2026-04-08T09:15:00Z")
    key = letter.receipt_key(reader.uid, sender.uid, letter_id)
    return key, letters.sealed(document, signer, sender)


def test_a_receipt_of_a_third(three: list[Writer]) -> None:
    """Only who a letter was written to can say that it was read."""
    max_, alex, eve = three
    letter_id, other = max_.send(alex, "one"), max_.send(alex, "two")
    max_.sync()
    letters.put(max_.url, *receipt(eve, max_, letter_id, eve))  # in her own prefix, which nobody asks about it
    key, forged = receipt(alex, max_, letter_id, eve)  # in alex's, where the store should not let her write
    letters.put(max_.url, key, forged)
    elsewhere, _ = receipt(alex, max_, other, alex)
    letters.put(max_.url, elsewhere, receipt(alex, max_, letter_id, alex)[1])  # alex's own, of another letter
    came = max_.sync()
    assert set(came["refused"]) == {key, elsewhere}
    assert max_.sent() == {letter_id: None, other: None}
    assert max_.sync()["refused"] == {}


def test_a_receipt_of_the_reader(three: list[Writer]) -> None:
    """The control: alex reads it, and max sees when, once."""
    max_, alex, _ = three
    letter_id = max_.send(alex, "one")
    max_.sync()
    alex.sync()
    alex.read()
    alex.sync()
    assert max_.sync()["receipts"] == 1
    assert max_.sent()[letter_id] is not None
    assert max_.sync()["receipts"] == 0


def test_a_receipt_for_a_letter_that_was_never_sent(three: list[Writer]) -> None:
    """It is left alone."""
    max_, alex, _ = three
    letters.put(max_.url, *receipt(alex, max_, letter.new_id(), alex))
    came = max_.sync()
    assert (came["receipts"], came["refused"], came["held"]) == (0, {}, {})
