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
    """Setting up as somebody who is there already takes a yes: it may be a second machine of theirs."""
    url = people.shared(tmp_path)
    alex = people.person(tmp_path, "alex")
    alex.set_up(url)
    other = people.person(tmp_path, "laptop")
    options = ("--address", ALEX, "--store", url)
    error = other.refused(2, "not-verified", "setup", *options)
    assert "--yes" in error["hint"]
    assert entries(url) == 1
    done = other.run("setup", *options)
    assert "ato msg device add" in done.stderr
    assert alex.json("users")["people"][0]["fingerprint"] in done.stderr
    done = other.run("sync")  # and none that starts by itself does it either
    assert (done.returncode, entries(url)) == (2, 1)
    error = other.refused(2, "not-verified", "setup", *options, "--yes", CLAUDECODE="1")  # nor can a model
    assert "outside of sessions" in error["hint"]
    assert entries(url) == 1
    assert other.json("setup", *options, "--yes")["error"] is None
    assert entries(url) == 2


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
    old.said("device", "accept", key, "--yes")
    assert new.json("device", "add", "--yes")["complete"] is True
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
        assert one.run("setup", "--store", wrong, "--yes").returncode == 70
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
