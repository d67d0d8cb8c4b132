"""Somebody lost their keys and set up anew: another uid with the same address."""

from __future__ import annotations

from pathlib import Path

from agent_team_os.post import directory, seal
from support import letters, people
from support.letters import Writer


def test_what_waits_goes_to_whoever_was_verified(tmp_path: Path) -> None:
    """A letter written to the old key goes to the new one once a person has verified it, and to nobody before."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    anew = Writer(people.Person("alex", people.person(tmp_path, "alex-anew").root), alex.url)
    anew.person.typed("setup", "--address", people.ADDRESSES["alex"], "--store", alex.url, "--yes")
    max_.send(alex, "Are you there?", max_.file("a.txt", b"a"))
    came = max_.sync()
    assert list(came["waiting"].values()) == ["more than one person claims the address alex@bonnard.ai"]
    directory.verify(max_.home, anew.uid, seal.fingerprint(anew.keys.verify_key))
    came = max_.sync()
    assert (came["waiting"], came["pushed"]) == ({}, {"alex@bonnard.ai": 1})
    anew.sync()
    assert anew.texts() == ["Are you there?"]
    [one] = anew.read()
    assert Path(one.saved[0]).read_bytes() == b"a"
    assert alex.sync()["fetched"] == {}
    assert not letters.stored(max_.url, f"/to/{alex.uid}/")
    [sent] = max_.person.json("outbox")["sent"]
    assert (sent["to"], sent["address"]) == (anew.uid, "alex@bonnard.ai")
