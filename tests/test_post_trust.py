"""Whom a person trusts: the key seen first, shown once; any other key, and any other claim, waits for their word."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from agent_team_os.post import directory, keys, seal
from agent_team_os.protocol import strictjson
from agent_team_os.protocol.errors import NotVerified
from support import letters, people
from support.letters import Writer

SAFE = "Is it you?"


@pytest.fixture
def pair(tmp_path: Path) -> list[Writer]:
    """max and alex, who know each other and have never written."""
    return letters.writers(tmp_path, "max", "alex")


def new_key(one: Writer) -> keys.Keys:
    """Give a person another signing key, as a program could that changes keys; what they sign with from now on."""
    seed = os.urandom(32)
    config = one.person.config
    (config / "sign.key").write_text(seed.hex() + "\n")
    identity = json.loads((config / "identity.json").read_bytes())
    identity["verify_key"] = seal.verify_key_of(seed)
    (config / "identity.json").write_bytes(strictjson.readable(identity))
    return one.keys


def fingerprint(one: Writer) -> str:
    """What this person says on the telephone."""
    return seal.fingerprint(one.keys.verify_key)


# ---- First use ----------------------------------------------------------------------------------


def test_the_fingerprint_at_the_first_message(pair: list[Writer]) -> None:
    """Who writes first and who reads first is shown the key of the other, and not a second time."""
    max_, alex = pair
    for writer, other in ((max_, alex), (alex, max_)):
        said = writer.person.run(other.person.name, SAFE).stderr
        assert "This is your first message with" in said
        assert fingerprint(other) in said
        assert fingerprint(other) not in writer.person.run(other.person.name, SAFE).stderr
    for writer, other in ((max_, alex), (alex, max_)):
        writer.sync()
        other.sync()
        assert "first message" not in other.person.run("read").stderr  # they have written to each other before


def test_the_fingerprint_at_the_first_reading(pair: list[Writer]) -> None:
    """Who is written to before they have written is shown the key at the first reading, also with --json."""
    max_, alex = pair
    for _ in range(2):
        max_.send(alex, SAFE)
    max_.sync()
    alex.sync()
    first = alex.person.run("--json", "read", "1")
    assert json.loads(first.stdout)["letters"][0]["text"] == SAFE
    assert fingerprint(max_) in first.stderr
    assert "msg verify max" in first.stderr
    assert "fingerprint" not in alex.person.run("read").stderr
    assert "fingerprint" not in alex.person.run("max", SAFE).stderr


def test_no_fingerprint_of_who_is_verified(pair: list[Writer]) -> None:
    """Who was verified before the first message is not introduced again; `msg users` tells them from the others."""
    max_, alex = pair
    assert "first use" in max_.person.said("users")
    max_.person.typed("verify", "alex", "--fingerprint", fingerprint(alex).upper())
    assert max_.person.run("alex", SAFE).stderr == ""
    told = {one["name"]: (one["verified"], one["fingerprint"]) for one in max_.person.json("users")["people"]}
    assert told["alex"] == (True, fingerprint(alex))
    assert "first use" not in max_.person.said("users")


# ---- Another key --------------------------------------------------------------------------------


def test_a_changed_key_waits(pair: list[Writer]) -> None:
    """Nothing goes to or comes from a person with another key until that is verified; then all of it does, once."""
    max_, alex = pair
    read = alex.send(max_, "with the old key")
    alex.sync()
    max_.sync()
    before = fingerprint(alex)
    waiting = max_.send(alex, "from before")
    new_key(alex)
    alex.send(max_, "with the new key")
    alex.sync()
    for _ in range(2):  # it is said each time
        came = max_.sync()
        assert list(came["waiting"]) == [waiting]
        assert "the key of alex@bonnard.ai has changed" in came["waiting"][waiting]
        assert list(came["held"].values()) == ["the key of alex@bonnard.ai has changed"]
    assert "has changed" in max_.person.said("sync")
    assert "has changed" in max_.person.said("outbox")
    assert "has changed" in max_.person.refused(2, "not-verified", "alex", "now")["message"]
    assert max_.texts() == ["with the old key"]
    assert "letters" in max_.person.json("read")  # what came before may be read; the receipt waits
    max_.sync()
    assert letters.stored(max_.url, f"from/{max_.uid}/") == {}
    assert "not the fingerprint" in max_.person.typed("verify", "alex", "--fingerprint", before, status=2)
    assert before not in max_.person.typed("verify", "alex", "--fingerprint", fingerprint(alex))
    came = max_.sync()
    assert (came["held"], came["waiting"]) == ({}, {})
    assert max_.texts() == ["with the old key", "with the new key"]
    alex.sync()
    assert alex.texts() == ["from before"]
    assert alex.sent()[read] is not None
    assert max_.sync() == {**max_.sync(), "held": {}, "refused": {}, "fetched": {}, "pushed": {}}


def test_a_key_that_changes_while_it_is_compared(pair: list[Writer]) -> None:
    """The key that is verified is the one that was compared, and no later one."""
    max_, alex = pair
    new_key(alex)
    alex.sync()
    max_.sync()
    compared = fingerprint(alex)
    new_key(alex)
    alex.sync()
    max_.sync()
    assert "not the fingerprint" in max_.person.typed("verify", "alex", "--fingerprint", compared, status=2)
    with pytest.raises(NotVerified, match="changed meanwhile"):  # it has changed behind the look of the command
        directory.verify(max_.home, alex.uid, compared)
    max_.person.typed("verify", "alex", "--fingerprint", fingerprint(alex))
    assert [one["waits"] for one in max_.person.json("users")["people"]] == [None, None]


def test_an_own_key_needs_no_word(pair: list[Writer]) -> None:
    """A person's own home takes their own new key, says it to the directory once, and nothing waits there."""
    _, alex = pair
    new_key(alex)
    for _ in range(3):
        assert alex.sync()["warnings"] == []
    assert len(letters.stored(alex.url, f"dir/{alex.uid}/")) == 2


def test_an_entry_in_my_name(pair: list[Writer]) -> None:
    """Who finds an entry of their own with a key that is not theirs is told at each sync, and says nothing over it."""
    max_, alex = pair
    seed = os.urandom(32)
    stranger = dataclasses.replace(alex.keys, seed=seed, verify_key=seal.verify_key_of(seed))
    letters.publish(alex, stranger)
    for _ in range(2):
        [warning] = alex.sync()["warnings"]
        assert "in your name with a key that is not yours" in warning
    assert len(letters.stored(alex.url, f"dir/{alex.uid}/")) == 2
    max_.sync()
    max_.person.refused(2, "not-verified", "alex", SAFE)
    keys.rename(alex.env, "alex@bonnard.ai", "alexander")  # what alex says next follows from it, and is their own
    assert alex.sync()["error"] is None
    assert max_.sync()["refused"] == {}
    max_.person.typed("verify", "alex", "--fingerprint", fingerprint(alex))
    assert max_.person.json("alexander", SAFE)["to"] == alex.uid


# ---- Two people with one address ----------------------------------------------------------------


def test_two_claim_one_address(tmp_path: Path, pair: list[Writer]) -> None:
    """Both wait, also who was known before; verify takes the one whose fingerprint is given, the other stays held."""
    max_, alex = pair
    waiting = max_.send(alex, SAFE)
    other = letters.writer(tmp_path, max_.url, "eve", "alex", people.ADDRESSES["alex"])
    for one in (alex, other):
        one.sync(claim=True)
        one.send(max_, f"from {one.person.name}")
        one.sync()
    came = max_.sync()
    assert "more than one person claims the address alex@bonnard.ai" in came["waiting"][waiting]
    assert set(came["held"].values()) == {"more than one person claims the address alex@bonnard.ai"}
    assert (len(came["held"]), came["fetched"]) == (2, {})
    max_.person.refused(2, "not-verified", "alex@bonnard.ai", "now")
    shown = max_.person.typed("verify", "alex", status=2)
    assert fingerprint(alex) in shown
    assert fingerprint(other) in shown
    max_.person.typed("verify", "alex", "--fingerprint", fingerprint(max_), status=2)
    max_.person.typed("verify", "alex", "--fingerprint", fingerprint(alex))
    came = max_.sync()
    assert (came["waiting"], len(came["held"])) == ({}, 1)
    assert max_.texts() == ["from alex"]
    alex.sync()
    other.sync()
    assert (alex.texts(), other.texts()) == ([SAFE], [])
    # The other way round: one address is one person.
    max_.person.typed("verify", "alex", "--fingerprint", fingerprint(other))
    assert sorted(one["verified"] for one in max_.known().values()) == [False, False, True]
    max_.sync()
    assert max_.texts() == ["from alex", "from eve"]


# ---- Who is meant -------------------------------------------------------------------------------


def test_who_is_meant(tmp_path: Path, pair: list[Writer]) -> None:
    """A name, an address or what stands before the @ is enough, in any case; to a wrong one the nearest is named."""
    max_, alex = pair
    for who in ("alex", "ALEX", "Alex@Bonnard.ai", alex.uid):
        assert max_.person.json(who, SAFE)["to"] == alex.uid
    assert "Did you mean alex?" in max_.person.refused(1, "unknown-person", "alec", SAFE)["message"]
    letters.writer(tmp_path, max_.url, "alex2", "alex", "alex@example.org")
    error = max_.person.refused(1, "unknown-person", "alexa", SAFE)  # the store is asked before that is said
    assert "Did you mean alex" in error["message"]
    error = max_.person.refused(1, "unknown-person", "alex", SAFE)
    assert "alex@bonnard.ai or alex@example.org" in error["message"]
    assert max_.person.json("alex@bonnard.ai", SAFE)["to"] == alex.uid
    document = max_.person.json("outbox")
    assert len(document["waiting"]) + len(document["sent"]) == 5
