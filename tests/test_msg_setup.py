"""msg setup: what it asks, what it takes without asking, what it writes, and what it does with a bad store."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.post import store
from support import mailed, people, seaweed
from support.cli import PROGRAM
from support.people import Person
from support.proxy import Proxy
from support.seat import Seat


@pytest.fixture
def one(tmp_path: Path) -> Person:
    """Somebody who has set up nothing, and commits as Max@Bonnard.AI."""
    person = people.person(tmp_path, "one")
    (person.root / ".gitconfig").write_text("[user]\n\temail = Max@Bonnard.AI\n")
    return person


def identity(person: Person) -> dict[str, Any]:
    """Who somebody is, as their keys say."""
    found: dict[str, Any] = json.loads((person.config / "identity.json").read_bytes())
    return found


def agent_map(person: Person) -> dict[str, Any]:
    """The agent map."""
    found: dict[str, Any] = json.loads((person.home / "AGENT_MAP.json").read_bytes())
    return found


def answered(person: Person, *answers: str, options: tuple[str, ...] = ()) -> tuple[int, str]:
    """`msg setup` at a terminal, each of its questions answered in turn: its status, and all it showed."""
    with Seat(person.environment, person.root, [*PROGRAM, "msg", "setup", *options]) as seat:
        for number, answer in enumerate(answers):
            seat.wait_for(("Your address", "Your name", "Store")[number])
            seat.type(answer + "\n")
        return seat.end()


# ---- Questions ----------------------------------------------------------------------------------


def test_three_questions(one: Person, tmp_path: Path) -> None:
    """A person is asked for address, name and store and nothing else, with git's address and its name to accept."""
    status, shown = answered(one, "", "", str(tmp_path / "store"))
    assert status == 0
    assert "Your address [Max@Bonnard.AI]: " in shown
    assert "Your name, for others to write to [max]: " in shown
    assert "You are max@bonnard.ai; others write to max." in shown
    assert f"Store: file://{tmp_path}/store (made just now; only you can write there: " in shown
    (mine,) = one.json("users")["people"]
    assert (mine["address"], mine["name"], mine["you"]) == ("max@bonnard.ai", "max", True)
    assert mine["fingerprint"] in shown
    # What was answered once is offered again, and Enter keeps it.
    before = identity(one)
    status, shown = answered(one, "", "", "")
    assert (status, identity(one)) == (0, before)
    assert f"[file://{tmp_path}/store]: " in shown


def test_a_project_names_no_address(one: Person, tmp_path: Path) -> None:
    """The address to accept is the person's own, whatever the project they are in says in its git settings."""
    for words in (["init", "-q"], ["config", "user.email", "mallory@example.org"]):
        subprocess.run(["git", *words], cwd=one.root, check=True)
    status, shown = answered(one, "", "", str(tmp_path / "store"))
    assert (status, "Your address [Max@Bonnard.AI]: " in shown) == (0, True), shown


def test_no_question_for_what_was_given(one: Person, tmp_path: Path) -> None:
    """An option is its question's answer; with all three nothing is asked, at a terminal either."""
    options = ("--address", "alex@bonnard.ai", "--name", "Al", "--store", str(tmp_path / "store"))
    status, shown = answered(one, options=options)
    assert status == 0
    assert "You are alex@bonnard.ai; others write to al." in shown
    assert "[" not in shown


def test_a_script_is_never_asked(one: Person, tmp_path: Path) -> None:
    """Without a terminal, and with --yes, defaults are taken; what has none is a usage error that names its option."""
    error = one.refused(64, "usage", "setup")
    assert error["message"] == "--store is missing"
    for config in ("", "[user]\n\temail = root@(none)\n"):
        (one.root / ".gitconfig").write_text(config)
        assert one.refused(64, "usage", "setup", "--store", "x")["message"] == "--address is missing"
    assert not one.config.exists()
    said = one.json("setup", "--address", "Al.Ex+work@Bonnard.ai", "--store", str(tmp_path / "store"), "--yes")
    assert set(said) == {"uid", "address", "name", "store", "made", "fingerprint", "findings", "error"}
    assert (said["address"], said["name"], said["made"]) == ("al.ex+work@bonnard.ai", "al.ex", True)
    assert (said["findings"], said["error"], said["store"]) == ([], None, f"file://{tmp_path}/store")
    assert said["uid"] == identity(one)["uid"]


def test_a_second_call_changes_what_it_is_given(one: Person, tmp_path: Path) -> None:
    """Called again at a terminal with one option, setup changes that alone, and others see the change."""
    url = f"file://{tmp_path}/store"
    first = one.json("setup", "--name", "maxi", "--store", url)
    for change in (("--address", "max@example.org"), ("--name", "m"), ("--store", f"file://{tmp_path}/other")):
        one.refused(2, "not-confirmed", "setup", *change, "--yes")  # a script says no new thing of a person
    assert "others write to maxi" in one.at_terminal("setup", "--address", "max@example.org", "--yes")[1]
    assert one.at_terminal("setup", "--name", "m", "--yes")[0] == 0
    after = one.json("setup")
    assert (after["address"], after["name"], after["store"]) == ("max@example.org", "m", url)
    assert (after["uid"], after["fingerprint"], after["made"]) == (first["uid"], first["fingerprint"], False)
    other = people.person(tmp_path, "other")
    other.json("setup", "--address", "other@example.org", "--store", url)
    assert other.json("m", "Hi")["address"] == "max@example.org"


def test_what_cannot_be_an_answer(one: Person, tmp_path: Path) -> None:
    """A wrong address, name or store is refused before anything is made."""
    good = ["--store", str(tmp_path / "store")]
    for address in ("max", "@bonnard.ai", "max@bonnard.ai ", "mäx@bonnard.ai", "a@b\x1b"):
        one.refused(4, "invalid-letter", "setup", "--address", address, *good)
    for name in ("-a", "x" * 33, "a/b", "a\n"):
        one.refused(4, "invalid-letter", "setup", "--name", name, *good)
    for url in ("s3://key:secret@bucket/x", "s3://secret@bucket", "https://example.org/x", "s3://bucket?token=secret",
                "ftp://x", "file://host/x", "s3://"):  # fmt: skip
        error = one.refused(64, "usage", "setup", "--store", url)
        assert "secret" not in json.dumps(error).replace("where secrets often stand", ""), url
    assert not one.config.exists()
    assert not one.home.exists()
    assert not (tmp_path / "store").exists()


# ---- What it writes -----------------------------------------------------------------------------


def test_a_plain_path(one: Person, tmp_path: Path) -> None:
    """A store may be a plain path, relative or with ~; the map gets its address, with what is odd in it escaped."""
    (one.root / "Team Öl").mkdir()
    for path in ("Team Öl/bus", "~/Team Öl/bus"):
        assert one.json("setup", "--store", path)["store"] == f"file://{one.root}/Team%20%C3%96l/bus"
    assert (one.root / "Team Öl/bus/v1/dir").is_dir()
    assert one.sync()["error"] is None


def test_the_map_keeps_what_it_says(one: Person, tmp_path: Path) -> None:
    """The store goes into the map under org.store; every other key stays, those this program does not know too."""
    one.home.mkdir(mode=0o700)
    (one.home / "AGENT_MAP.json").write_text(
        json.dumps({"version": "1.0", "agents": {"dev": {"role": "x", "mood": 1}}, "rules": [], "x-ours": {"a": [1]},
                    "org": {"name": "Bonnard", "store": "file:///elsewhere"}})
    )  # fmt: skip
    before = agent_map(one)
    one.json("setup", "--store", str(tmp_path / "store"))
    after = agent_map(one)
    assert after["org"] == {"name": "Bonnard", "store": f"file://{tmp_path}/store"}
    assert {**after, "org": 0} == {**before, "org": 0}


def test_secrets_stay_beside_the_home(one: Person, tmp_path: Path) -> None:
    """The keys are for their owner alone and no part of them is anywhere below the home, or in the store."""
    max_, alex = mailed.pair(tmp_path)
    mailed.write(max_, alex, "Hi")
    alex.said("read")
    alex.sync()
    for who in (max_, alex):
        assert stat.S_IMODE(who.config.stat().st_mode) == 0o700
        names = {path.name for path in who.config.iterdir() if path.is_file()}
        assert {"age.key", "sign.key", "identity.json"} <= names
        secrets = [who.config / name for name in ("age.key", "sign.key")]
        assert {stat.S_IMODE((who.config / name).stat().st_mode) for name in names} == {0o600}
        words = [path.read_text().split()[-1].encode() for path in secrets]
        words.append(bytes.fromhex(words[1].decode()))
        for root in (max_.home, alex.home, tmp_path / "store"):
            for path in root.rglob("*"):
                assert not path.is_file() or not any(word in path.read_bytes() for word in words), path
    assert "*" in (max_.mail / ".gitignore").read_text().splitlines()


def test_the_home_is_not_committed(one: Person, tmp_path: Path) -> None:
    """Where the home is a git repository, mail between people stays out of it."""
    max_, alex = mailed.pair(tmp_path)
    mailed.write(max_, alex, "Hi")
    git = ["git", "-C", str(alex.home)]
    subprocess.run([*git, "init", "-q"], check=True, env=alex.environment)
    done = subprocess.run(
        [*git, "status", "--porcelain", "-uall"], check=True, env=alex.environment, capture_output=True
    )
    assert b"AGENT_MAP.json" in done.stdout
    assert b"people/" not in done.stdout


# ---- Stores that are no good --------------------------------------------------------------------


def test_a_store_that_is_away(one: Person, tmp_path: Path) -> None:
    """With a store that does not answer the set-up is done all the same, says so, and a later sync publishes it."""
    team = seaweed.team({})
    env = team.environ("admin")
    away = {**env, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    done = one.run("setup", "--store", team.url, **away)
    assert done.returncode == 0, done.stderr
    assert "The store cannot be used yet" in done.stderr
    assert "The next sync tries again." in done.stderr
    said = one.json("setup", **away)
    assert "is away" in said["error"]
    assert agent_map(one)["org"]["store"] == team.url
    assert identity(one)["address"] == "max@bonnard.ai"
    assert one.sync(**env)["error"] is None
    assert [mine["you"] for mine in one.json("users")["people"]] == [True]


def test_a_store_that_does_not_do(one: Person, tmp_path: Path) -> None:
    """A store that overwrites what it should only create is reported, and the map goes on naming the one before."""
    good = f"file://{tmp_path}/store"
    one.json("setup", "--store", good)
    team = seaweed.team({})
    with Proxy(team.endpoint) as proxy:
        admin = store.open_store(team.url, team.environ("admin"))
        proxy.put = lambda path, data: admin.replace(path.removeprefix(f"/{team.bucket}/"), data)
        env = {**team.environ("admin"), "AWS_ENDPOINT_URL": proxy.url}
        status, shown = one.at_terminal("setup", "--store", team.url, "--yes", "--json", **env)
        assert status == 70
        (finding,) = json.loads(shown.splitlines()[0])["findings"]
        assert "create them only if absent" in finding
        status, shown = one.at_terminal("setup", "--store", team.url, "--yes", **env)
    assert status == 70
    assert finding in shown
    assert "ato msg setup --store" in shown
    assert agent_map(one)["org"]["store"] == good
    assert one.sync()["error"] is None


def test_a_folder_where_anybody_removes_anything(one: Person, tmp_path: Path) -> None:
    """In a shared folder without the sticky bit, which is somebody else's to mend, letters are not kept."""
    (tmp_path / "store/v1/dir").mkdir(parents=True)
    (tmp_path / "store/v1/from").mkdir()
    for path in (tmp_path / "store", tmp_path / "store/v1"):
        path.chmod(0o777)
    done = one.run("setup", "--store", str(tmp_path / "store"))
    assert done.returncode == 70
    assert f"chmod +t {tmp_path}/store" in done.stderr
    assert not (one.home / "AGENT_MAP.json").exists()


def test_no_folder_to_make_it_in(one: Person, tmp_path: Path) -> None:
    """Only the last folder of a path is made: none takes the place of a disk that is away, and nothing is set up."""
    error = one.refused(70, "store", "setup", "--store", str(tmp_path / "no/disk"))
    assert str(tmp_path / "no") in error["message"]
    assert not (tmp_path / "no").exists()
    assert not one.config.exists()


def test_xdg(one: Person, tmp_path: Path) -> None:
    """The keys are where XDG_CONFIG_HOME says, if that is an absolute path."""
    for variable, place in (("relative", one.root / ".config"), (str(tmp_path / "xdg"), tmp_path / "xdg")):
        address = f"max{len(variable)}@bonnard.ai"  # which no two keys may have
        one.json("setup", "--address", address, "--store", str(tmp_path / "store"), XDG_CONFIG_HOME=variable)
        assert (place / "agent-team-os/identity.json").is_file()
    assert not os.path.exists(one.root / "relative")


# ---- verify -------------------------------------------------------------------------------------


def test_comparing_a_key(tmp_path: Path) -> None:
    """At a terminal the key is shown and its last group typed before it is trusted; `y` is no group."""
    max_, _ = mailed.pair(tmp_path)
    (print_,) = [who["fingerprint"] for who in max_.json("users")["people"] if not who["you"]]
    for group, status, verified in (("y", 2, False), ("", 0, True)):
        assert print_ in max_.typed("verify", "alex", group=group, status=status)
        assert [who["verified"] for who in max_.json("users")["people"] if not who["you"]] == [verified]
    shown = max_.typed("verify", "alex", "--fingerprint", "0000 " * 8, status=2)
    assert "is not the fingerprint" in shown
