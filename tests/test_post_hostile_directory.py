"""Who somebody is: an address that was verified is nobody else's, and what one says of oneself outlives a store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent_team_os.post import device, directory, keys, letter, people, seal, setup, spool
from support import letters
from support.letters import Writer
from support.people import ADDRESSES, person
from test_post_devices import begin, recipient

ALEX = ADDRESSES["alex"]


def fingerprint(one: Writer) -> str:
    """What this person says on the telephone."""
    return seal.fingerprint(one.keys.verify_key)


def verify(one: Writer, other: Writer) -> None:
    """One has compared the fingerprint of the other."""
    directory.verify(one.home, other.uid, fingerprint(other))


def from_to(one: Writer, other: Writer) -> list[str]:
    """What lies in the store from one to the other."""
    return list(letters.stored(one.url, letter.letters_prefix(one.uid, other.uid)))


# ---- Another address ----------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["address", "address and name"])
def test_an_address_that_somebody_has(by: str, tmp_path: Path) -> None:
    """Who was verified and then takes the address of somebody else gets none of their mail, old or new: it waits."""
    max_, alex, eve = letters.writers(tmp_path)
    verify(max_, eve)
    waiting = max_.send(alex, "in the spool")
    letters.publish(eve, eve.keys, address=ALEX, **({"name": "alex"} if "name" in by else {}))
    for _ in range(2):
        came = max_.sync()
        assert list(came["waiting"]) == [waiting]
        assert ALEX in came["waiting"][waiting]
    max_.person.refused(2, "not-verified", ALEX, "from the command")
    assert_only_alex(max_, alex, eve)
    assert len(from_to(max_, alex)) == 2


def test_an_address_that_somebody_verified_has(tmp_path: Path) -> None:
    """Of two who were verified the one who takes the other's address gets nothing, and nothing of theirs is shown."""
    max_, alex, eve = letters.writers(tmp_path)
    for one in (alex, eve):
        verify(max_, one)
    max_.send(alex, "in the spool")
    letters.publish(eve, eve.keys, address=ALEX, name="alex")
    assert max_.sync()["waiting"] == {}
    assert max_.person.json("alex", "from the command")["to"] == alex.uid
    eve.send(max_, "as if from alex")
    eve.sync()
    came = max_.sync()
    assert (came["fetched"], len(came["held"]), from_to(max_, eve)) == ({}, 1, [])
    alex.sync()
    assert alex.texts() == ["in the spool", "from the command"]


def assert_only_alex(max_: Writer, alex: Writer, eve: Writer) -> None:
    """Nothing goes to or comes from eve, and all that waits goes to alex when the fingerprint is given."""
    eve.send(max_, "as if from alex")
    eve.sync()
    assert max_.sync()["fetched"] == {}
    told = {one["uid"]: one["verified"] for one in max_.person.json("users")["people"]}
    assert told[eve.uid] is False
    assert "2 people claim" in max_.person.typed("verify", ALEX, status=2)
    max_.person.typed("verify", ALEX, "--fingerprint", fingerprint(alex))
    assert max_.person.json(ALEX, "after the call")["to"] == alex.uid
    assert max_.sync()["waiting"] == {}
    assert from_to(max_, eve) == []
    assert max_.texts() == []
    alex.sync()
    assert alex.texts() == ["in the spool", "after the call"]


def test_a_letter_that_waits_for_who_was_verified(tmp_path: Path) -> None:
    """The control: whoever set up anew and was verified since gets what was written to their old key."""
    max_, alex, _ = letters.writers(tmp_path)
    max_.send(alex, "in the spool")
    again = Writer(person(tmp_path, "anew"), max_.url)
    again.person.typed("setup", "--address", ALEX, "--store", max_.url, "--yes")  # which claims the address
    max_.sync()
    verify(max_, again)
    max_.sync()
    again.sync()
    assert (again.texts(), spool.ids(max_.home)) == (["in the spool"], [])


def test_an_address_that_is_free(tmp_path: Path) -> None:
    """Who was verified and takes a new address is written to under it, and has to be verified anew."""
    max_, alex, eve = letters.writers(tmp_path)
    for one in (alex, eve):
        verify(max_, one)
    waiting = max_.send(alex, "in the spool")
    keys.rename(alex.env, "alex@example.org", "alex")
    alex.send(max_, "from the new address")
    alex.sync()
    came = max_.sync()
    assert waiting in max_.sent()
    assert (came["held"], max_.texts()) == ({}, ["from the new address"])
    assert max_.person.json("alex@example.org", "to the new address")["to"] == alex.uid
    told = {one["uid"]: one["verified"] for one in max_.person.json("users")["people"]}
    assert (told[alex.uid], told[eve.uid]) == (False, True)
    max_.person.refused(1, "unknown-person", ALEX, "to the old address")
    max_.person.typed("verify", "alex", "--fingerprint", fingerprint(alex))
    max_.sync()
    alex.sync()
    assert alex.texts() == ["in the spool", "to the new address"]
    assert max_.known()[alex.uid]["verified"]


def test_another_name_alone_leaves_the_trust(tmp_path: Path) -> None:
    """It is the address that was verified: a new name or a new device changes nothing of it."""
    max_, alex, _ = letters.writers(tmp_path)
    verify(max_, alex)
    keys.rename(alex.env, ALEX, "alexander")
    alex.sync()
    device.accept(alex.home, alex.env, alex.url, seal.new_identity()[1])
    max_.sync()
    assert max_.known()[alex.uid]["entry"]["number"] == 3
    assert max_.known()[alex.uid]["verified"]


# ---- Another store ------------------------------------------------------------------------------


def entries(url: str, one: Writer) -> dict[str, bytes]:
    """What a store has of what a person said of themselves."""
    return letters.stored(url, f"dir/{one.uid}/")


@pytest.mark.parametrize("renamed", [False, True], ids=["one entry", "two entries"])
@pytest.mark.parametrize("how", ["moved", "emptied", "moved and renamed"])
def test_a_store_that_begins_anew(how: str, renamed: bool, tmp_path: Path) -> None:
    """In another store, and in one that was emptied, everybody is in the directory again, with all they said."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    if renamed:
        keys.rename(max_.env, "max@example.org", "maxi")
    for one in (max_, alex, max_):
        one.sync()
    before = entries(max_.url, max_)
    assert len(before) == 1 + renamed
    if how == "emptied":
        for part in ("dir", "from"):
            shutil.rmtree(letters.place(max_.url) / "v1" / part)
        url = max_.url
    else:
        url = f"file://{tmp_path}/other"
        if how == "moved and renamed":
            keys.rename(max_.env, "max@example.net", "maximilian")
        setup.make_store(url)
    max_, alex = (Writer(one.person, url) for one in (max_, alex))
    for one in (max_, alex):
        setup.settle(one.home, url)
        one.sync()
    after = entries(url, max_)
    assert {key: after.get(key) for key in before} == before
    assert len(after) == len(before) + (how == "moved and renamed")
    new = letters.writer(tmp_path, url, "eve")
    assert new.known()[max_.uid]["entry"]["address"] == max_.keys.address
    max_.sync()
    max_.send(new, "welcome")
    max_.send(alex, "still here")
    assert sum(max_.sync()["pushed"].values()) == 2
    for one, text in ((new, "welcome"), (alex, "still here")):
        assert one.sync()["refused"] == {}
        assert one.texts() == [text]
        one.send(max_, "thanks")
        one.sync()
    max_.sync()
    assert max_.texts() == ["thanks", "thanks"]


def test_setting_up_with_another_store(tmp_path: Path) -> None:
    """The command that names another store puts one's own entry there, as before."""
    max_, _ = letters.writers(tmp_path, "max", "alex")
    place = tmp_path / "other"
    assert max_.person.at_terminal("setup", "--address", ADDRESSES["max"], "--store", str(place), "--yes")[0] == 0
    assert entries(f"file://{place}", max_) == entries(max_.url, max_)
    assert len(people.load(max_.home)) == 2


# ---- A new device -------------------------------------------------------------------------------


def claim(eve: Writer, new: str) -> None:
    """Let eve say that she is max, and that a new device of max's is hers; a grant for it is there."""
    letters.publish(eve, eve.keys, address=ADDRESSES["max"], name="max", recipients=[eve.keys.recipient, new])
    grant_id = letter.new_id()
    grant = {
        "kind": "grant", "version": "1", "id": grant_id, "from": eve.uid, "to": eve.uid, "recipient": new,
        "seed": eve.keys.seed.hex(),
    }  # fmt: skip
    key = letter.letter_key(eve.uid, eve.uid, grant_id)
    letters.put(eve.url, key, seal.sealed(grant, eve.keys.seed, [new]))


def test_two_who_take_one_device_for_theirs(tmp_path: Path) -> None:
    """A new device that two people have accepted becomes nobody's until a person says whose, by the fingerprint."""
    max_, _, eve = letters.writers(tmp_path)
    laptop = begin(tmp_path, max_.url)
    call = ["device", "add", "--address", ADDRESSES["max"], "--store", max_.url, "--yes"]
    device.accept(max_.home, max_.env, max_.url, recipient(laptop))
    claim(eve, recipient(laptop))
    error = laptop.person.refused(2, "not-verified", *call)
    for one in (max_, eve):
        assert fingerprint(one) in error["message"] + error["hint"]
    assert laptop.person.json(*call, "--fingerprint", "0" * 32)["complete"] is False
    shown = laptop.person.typed(*call, "--fingerprint", fingerprint(max_).upper())
    assert (fingerprint(max_) in shown, fingerprint(eve) in shown, laptop.uid) == (True, False, max_.uid)


def test_a_fingerprint_that_is_not_that_of_who_accepted(tmp_path: Path) -> None:
    """Whoever says whose their new device is to be never gets the key of another one."""
    max_, _, eve = letters.writers(tmp_path)
    laptop = begin(tmp_path, max_.url)
    claim(eve, recipient(laptop))
    call = ["device", "add", "--address", ADDRESSES["max"], "--store", max_.url, "--yes"]
    assert laptop.person.json(*call, "--fingerprint", fingerprint(max_))["complete"] is False
    device.accept(max_.home, max_.env, max_.url, recipient(laptop))
    laptop.person.typed(*call, "--fingerprint", fingerprint(max_))
    assert laptop.uid == max_.uid
