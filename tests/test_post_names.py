"""Who is meant by a name: the one person it fits, as they were called when they were met; else the address is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.post import directory, seal
from agent_team_os.post.people import find
from agent_team_os.protocol.errors import UnknownPerson
from support import letters, people
from support.letters import Writer
from test_post_trust import fingerprint, new_key

ALEX, EVE = people.ADDRESSES["alex"], people.ADDRESSES["eve"]


@pytest.fixture
def three(tmp_path: Path) -> list[Writer]:
    """max, alex and eve, who know each other; max has verified eve and has written to her."""
    max_, alex, eve = letters.writers(tmp_path)
    verify(max_, eve)
    max_.person.said("eve", "Hello")
    return [max_, alex, eve]


def verify(one: Writer, other: Writer) -> None:
    """One compares the other's fingerprint."""
    address = one.known()[other.uid]["entry"]["address"]
    one.person.typed("verify", address, "--fingerprint", fingerprint(other))


def learn(known: dict[str, Any], one: Writer, **about: str) -> None:
    """Take in the next entry of somebody, who has changed name or address."""
    before = known[one.uid]
    document = directory.entry(one.keys, before["entry"]["number"] + 1, before["sum"], before["entry"]["recipients"])
    directory.learn(known, one.uid, seal.canonical(seal.sign({**document, **about}, one.keys.seed)))


def changes(one: Writer, *others: Writer, **about: str) -> None:
    """Somebody changes name or address, and the others hear of it."""
    letters.publish(one, one.keys, **about)
    for other in others:
        other.sync(shown=False)


def test_a_name_that_fits_two(three: list[Writer]) -> None:
    """Who takes another's name gets none of their mail, verified, met or not: both addresses are named instead."""
    max_, _, eve = three
    changes(eve, max_, name="alex")
    for name in ("alex", "Alex", "ALEX"):
        error = max_.person.refused(1, "unknown-person", name, "for alex")
        assert ALEX in error["message"]
        assert EVE in error["message"]
        assert error["hint"] == "Write to the whole address."
    assert max_.person.json(ALEX, "for alex")["address"] == ALEX
    assert max_.person.json(EVE, "for eve")["address"] == EVE


KIN = [
    ("alex", {"address": "alex@evil.example"}),  # the beginning of an address
    ("max", {"name": "max"}),  # one's own name
    ("eve", {"name": "alexa"}),  # what they were called
    ("alexa", {"name": "alexa"}),  # a name nobody has, which one was never told of
    (EVE, {"address": "eve@evil.example"}),  # the address they had
    ("ALE\u212a", {"name": "alek"}),  # a letter that becomes another one in lower case
]


def test_kin_of_it(three: list[Writer]) -> None:
    """What may mean somebody else, or somebody who was met under another name, leads to nobody by itself."""
    max_, _, eve = three
    for asked, about in KIN:
        known = max_.known()
        learn(known, eve, **about)
        with pytest.raises(UnknownPerson):
            find(known, asked)
        assert find(known, about.get("address", EVE)) == eve.uid


def test_a_name_that_was_left(three: list[Writer], tmp_path: Path) -> None:
    """Who takes a name or an address that a met person had before gets none of that person's mail."""
    max_, _, eve = three
    changes(eve, max_, name="evelyn", address="evelyn@bonnard.ai")
    mallory = letters.writer(tmp_path, max_.url, "mallory", "eve", EVE)
    max_.sync()
    for asked in ("eve", EVE):
        error = max_.person.refused(1, "unknown-person", asked, "for eve")
        assert "evelyn@bonnard.ai" in error["message"]
    assert max_.person.json(mallory.uid, "for the new one")["address"] == EVE


def test_a_uid_as_a_name(three: list[Writer]) -> None:
    """Nobody is meant by a uid that somebody else has as a name."""
    max_, alex, eve = three
    changes(eve, max_, name=alex.uid)
    max_.person.refused(1, "unknown-person", alex.uid, "for alex")
    assert max_.person.json(ALEX, "for alex")["to"] == alex.uid


def test_a_new_name_is_pointed_out(three: list[Writer]) -> None:
    """A sync and the list of people say who was called otherwise; written to once, the new name counts."""
    max_, _, eve = three
    letters.publish(eve, eve.keys, name="alexa")
    said = max_.person.run("sync")
    assert f"eve, {EVE}, is alexa, {EVE} now." in said.stderr
    assert f"before: eve, {EVE}" in max_.person.said("users")
    error = max_.person.refused(1, "unknown-person", "alexa", "first")
    assert error["hint"] == f"If you mean them, write to: {EVE}"
    max_.person.said(EVE, "first")
    assert max_.person.json("alexa", "second")["address"] == EVE
    assert max_.known()[eve.uid]["verified"]  # the address is the one that was verified


def test_a_new_address_is_met_again(three: list[Writer]) -> None:
    """Who has a new address is introduced again and is not verified; what came and went keeps the old one."""
    max_, _, eve = three
    eve.send(max_, "from the old one")
    max_.sync()
    eve.sync()
    max_.sync()
    changes(eve, max_, address=ALEX.replace("alex", "boss"))
    about = max_.known()[eve.uid]
    assert (about["met"], about["verified"]) == (None, False)
    eve.send(max_, "from the new one")
    eve.sync()
    max_.sync()
    listed = {one["text"]: one["address"] for one in max_.person.json("list")["letters"]}
    assert listed == {"from the old one": EVE, "from the new one": "boss@bonnard.ai"}
    assert [one["address"] for one in max_.person.json("outbox")["sent"]] == [EVE]
    read = max_.person.run("read")
    assert f"From: {EVE}" in read.stdout
    assert "From: boss@bonnard.ai" in read.stdout
    assert "This is your first message with boss@bonnard.ai" in read.stderr
    assert f"Before, they were eve, {EVE}." in read.stderr


def test_another_address_with_another_key(three: list[Writer]) -> None:
    """Whoever is verified again for another key does not by that own another address, which stays its owner's."""
    max_, alex, eve = three
    verify(max_, alex)
    new_key(eve)
    changes(eve, max_, address=ALEX, verify_key=eve.keys.verify_key)
    assert f"and is {ALEX} now" in max_.person.typed("verify", "eve", group=fingerprint(eve)[-4:], status=2)
    assert max_.known()[alex.uid]["verified"]
    assert not max_.known()[eve.uid]["verified"]
    assert max_.person.json(ALEX, "for alex")["to"] == alex.uid


def test_a_name_in_a_notice(three: list[Writer]) -> None:
    """A session is told of an address, not of a name that two have."""
    max_, _, eve = three
    changes(eve, max_, name="alex")
    eve.send(max_, "It is me, Alex")
    eve.sync()
    max_.sync()
    note = json.loads((max_.person.home / "people/unread.json").read_bytes())
    assert [one["name"] for one in note["newest"]] == [EVE]
