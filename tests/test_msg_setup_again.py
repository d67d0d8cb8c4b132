"""msg setup where it is not the first time: on another machine, with another store, or with the store away."""

from __future__ import annotations

import json
from pathlib import Path

from agent_team_os.post import letter
from support import letters, people

ALEX = "alex@bonnard.ai"


def entries(url: str) -> int:
    """How many directory entries a store has."""
    return len(letters.stored(url, "v1/dir/"))


def test_an_address_that_another_key_has(tmp_path: Path) -> None:
    """Setting up as somebody who is there already takes a person's yes: it may be a second machine of theirs."""
    url = people.shared(tmp_path)
    alex = people.person(tmp_path, "alex")
    alex.set_up(url)
    other = people.person(tmp_path, "laptop")
    options = ("--address", ALEX, "--store", url)
    done = other.run("setup", *options, "--yes")
    assert done.returncode == 2
    assert "ato msg device add" in done.stderr
    assert alex.json("users")["people"][0]["fingerprint"] in done.stderr
    assert other.json("device", "add", *options)["complete"] is False  # nothing is in the way of what that says
    assert other.run("setup", *options).returncode == 1
    assert entries(url) == 1
    again = people.person(tmp_path, "again")
    assert "others write to alex" in again.typed("setup", *options, "--yes")
    assert entries(url) == 2
    assert again.json("setup")["error"] is None  # it is theirs now


def test_an_address_that_somebody_takes_meanwhile(tmp_path: Path) -> None:
    """An address that was free, or could not be asked about, when it was chosen is claimed by no sync."""
    url = people.shared(tmp_path)
    other = people.person(tmp_path, "laptop")
    listed = letters.place(url) / "v1/dir"
    listed.mkdir(parents=True)
    listed.chmod(0)
    assert other.json("setup", "--address", ALEX, "--store", url)["error"] is not None
    listed.chmod(0o700)
    alex = people.person(tmp_path, "alex")
    alex.set_up(url)
    for _ in range(2):
        error = other.refused(2, "not-verified", "sync")
        assert alex.json("users")["people"][0]["fingerprint"] in error["message"]
    other.refused(2, "not-confirmed", "setup")
    assert "move" in other.refused(1, "not-set-up", "device", "add")["hint"]
    assert entries(url) == 1
    other.typed("setup", "--yes")
    assert entries(url) == 2


def test_keys_that_nobody_named_yet(tmp_path: Path) -> None:
    """Whoever sets up with the signing key an address has already takes it from nobody, and nobody is asked."""
    url = people.shared(tmp_path)
    one = people.person(tmp_path, "alex")
    before = one.set_up(url)
    (one.config / "identity.json").unlink()
    after = one.set_up(url)
    assert (after["uid"], after["error"], entries(url)) == (before["uid"], None, 1)


def test_a_device_that_was_not_accepted_yet(tmp_path: Path) -> None:
    """On a new device every verb says how to go on, setup too, and the second call needs no option any more."""
    url = people.shared(tmp_path)
    old = people.person(tmp_path, "old")
    old.json("setup", "--address", ALEX, "--store", url, "--yes")
    new = people.person(tmp_path, "new")
    said = new.said("device", "add", "--address", ALEX, "--store", url)
    key = json.loads(new.said("device", "--json", "add"))["recipient"]
    assert f"ato msg device accept {key}" in said
    for verb in (["list"], ["setup", "--address", ALEX, "--store", url, "--yes"]):
        error = new.refused(1, "not-set-up", *verb)
        assert "ato msg device add" in error["hint"]
        assert ALEX in error["hint"]
    assert entries(url) == 1
    old.typed("device", "accept", key)
    assert f"This device is {ALEX} now" in new.typed("device", "add")
    assert new.json("list")["letters"] == []


def test_a_store_that_is_away_is_not_made_anew(tmp_path: Path) -> None:
    """Where the folder of the store is missing setup makes none in its place, and says what to look at."""
    url = people.shared(tmp_path)
    one = people.person(tmp_path, "max")
    one.set_up(url)
    folder = letters.place(url)
    away = folder.rename(folder.with_name("away"))
    done = one.run("setup", "--yes")
    assert "Is the disk mounted?" in done.stderr
    assert not folder.exists()
    away.rename(folder)
    assert one.sync()["error"] is None


def test_a_mistyped_store(tmp_path: Path) -> None:
    """A store that cannot be used does not take the place of one that can."""
    url = people.shared(tmp_path)
    one = people.person(tmp_path, "max")
    one.set_up(url)
    for wrong in (f"file://{tmp_path}/no/such/store", "s3://no-such-bucket"):
        assert one.at_terminal("setup", "--store", wrong, "--yes")[0] == 70
        assert json.loads((one.home / "AGENT_MAP.json").read_bytes())["org"]["store"] == url


def test_what_nobody_saw_is_kept(tmp_path: Path) -> None:
    """What a sync in the background refused is shown by the next one that somebody watches, once."""
    sender, reader, _ = letters.writers(tmp_path)
    key = letter.letter_key(sender.uid, reader.uid, letter.new_id())
    letters.put(sender.url, key, b"nonsense")
    assert list(reader.sync(shown=False)["refused"]) == [key]
    done = reader.person.run("sync")
    assert "efused" in done.stdout + done.stderr
    assert reader.person.sync()["refused"] == {}


def test_why_nothing_goes_out(tmp_path: Path) -> None:
    """Where a sync in the background cannot even begin, the outbox says why."""
    max_, _ = people.pair(tmp_path)
    (max_.config / "sign.key").unlink()
    max_.said("alex", "hello")
    assert max_.run("sync", "--once").returncode == 1
    told: str = max_.json("outbox")["error"]
    assert "sign.key is gone" in told
    assert "sign.key is gone" in max_.said("outbox")
