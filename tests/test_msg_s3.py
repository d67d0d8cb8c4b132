"""The example over a real S3 server, where each of three users has the access rules of the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_team_os.post import keys, letter, seal
from agent_team_os.post import store as stores
from support import people, seaweed
from support.people import Person
from test_msg_example import CSV, TEXT, play


def test_the_example_works_over_s3(tmp_path: Path) -> None:
    """Send, notice, list, read as written; the third user is refused by the store, and by the keys once it leaks."""
    uids = {}
    for name, address in people.ADDRESSES.items():
        env = people.person(tmp_path, name).environment
        uids[name] = keys.make(env, address, name).uid
    team = seaweed.team(uids)
    envs = {name: team.environ(name) for name in uids}
    sender, reader, third = people.trio(tmp_path, team.url, envs)
    play(sender, reader)

    # What the third user's own rights give: nobody else's letters can be listed, let alone read.
    assert third.sync()["fetched"] == {}
    prefix = letter.letters_prefix(uids["max"], uids["alex"])
    store = stores.open_store(team.url, envs["eve"])
    with pytest.raises(stores.Denied):
        store.keys(prefix)
    admin = stores.open_store(team.url, team.environ("admin"))
    stolen = [key for key, _ in admin.keys(prefix)]
    assert len(stolen) == 2
    thief = keys.load(third.environment)
    for key in stolen:
        with pytest.raises(stores.Denied):
            store.get(key, 100_000)
        data = admin.get(key, 100_000)
        assert TEXT.encode()[:20] not in data
        assert CSV[:20] not in data
        with pytest.raises(seal.Refused):
            seal.decrypt(data, thief.identity)
    # As a control: the sender, to whom it is encrypted too, can.
    assert CSV in [seal.decrypt(admin.get(key, 100_000), keys.load(sender.environment).identity) for key in stolen]


def test_setting_up_before_the_rules_are_there(tmp_path: Path) -> None:
    """Whoever is not let in yet is told the id the rules need; once they are there, the next sync goes on."""
    admin = seaweed.team({})
    new: Person = people.person(tmp_path, "max", **admin.environ("nobody"))
    done = new.run("setup", "--address", "max@bonnard.ai", "--store", admin.url, "--yes")
    assert "does not know these credentials" in done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("Your id"))
    uid = line.rpartition(" ")[2]
    assert uid == keys.load(new.environment).uid
    team = seaweed.team({"max": uid})
    let_in = people.person(tmp_path, "max", **team.environ("max"))
    assert let_in.at_terminal("setup", "--store", team.url, "--yes")[0] == 0
    assert let_in.json("users")["people"][0]["you"]
