"""Whose a key is, which devices are theirs and whose an address is, a person says at a terminal, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import pytest

from agent_team_os.mail.person import MARKS
from agent_team_os.post import device, directory, keys, seal
from support import letters
from support.cli import PROGRAM
from support.letters import Writer
from support.people import ADDRESSES, person
from support.seat import Seat
from test_post_devices import begin, recipient

# Where a model may call from: a shell of its session, and what was started there with the variables taken away.
WHERES: list[dict[str, Any]] = [{"CLAUDECODE": "1"}, {"above": {"CLAUDE_CODE_SESSION_ID": "1"}}]
Calls = dict[str, tuple[Writer, list[str], str]]


def call(
    one: Writer, *args: str, above: Optional[Mapping[str, str]] = None, given: str = "", **env: str
) -> tuple[int, str]:
    """The status of `ato msg ARGS`, without a terminal, below a process with the variables `above`; and its words."""
    variables = {**one.person.environment, **env}
    (one.person.mail / "started").unlink(missing_ok=True)  # so that no sync starts in the background
    with Seat(variables, one.person.root, [*PROGRAM, "msg", *args], above=above, given=given) as seat:
        return seat.end()


def refused(one: Writer, *args: str, **where: Any) -> dict[str, str]:
    """The error of `ato msg ARGS --json`, without a terminal, where the yes of a person is missing."""
    status, shown = call(one, *args, "--json", **where)
    error: dict[str, str] = json.loads(shown.splitlines()[0])["error"]
    assert (status, error["code"]) == (2, "not-confirmed"), shown
    return error


def fingerprint(one: Writer) -> str:
    """What the others compare."""
    return seal.fingerprint(one.keys.verify_key)


def everything(one: Writer) -> tuple[dict[str, bytes], list[str], dict[str, bytes]]:
    """What a yes could have changed: the keys and whose they are, who is verified, and all that others see."""
    files = {path.name: path.read_bytes() for path in one.person.config.glob("*") if path.is_file()}
    return files, sorted(uid for uid, who in one.known().items() if who["verified"]), letters.stored(one.url, "")


@pytest.fixture
def two(tmp_path: Path) -> list[Writer]:
    """max and alex, who know each other and have never written."""
    return letters.writers(tmp_path, "max", "alex")


@pytest.fixture
def calls(two: list[Writer]) -> Calls:
    """What takes a person: who calls it, its words without an option, and the key of which the last group is typed."""
    max_, alex = two
    laptop, new = (Writer(person(max_.person.root.parent, name), max_.url) for name in ("laptop", "new"))
    device.accept(max_.home, max_.env, max_.url, keys.begin_device(laptop.env, ADDRESSES["max"], max_.url))
    recipient = seal.new_identity()[1]
    claim = ["setup", "--address", ADDRESSES["alex"], "--name", "a", "--store", max_.url]
    return {
        "verify": (max_, ["verify", "alex"], fingerprint(alex)),
        "accept": (max_, ["device", "accept", recipient], recipient),
        "add": (laptop, ["device", "add"], fingerprint(max_)),
        "claim": (new, claim, fingerprint(alex)),
        "change": (max_, claim, fingerprint(alex)),
    }


ACTS = ("verify", "accept", "add", "claim", "change")


@pytest.mark.parametrize("act", ACTS)
def test_a_script(act: str, calls: Calls) -> None:
    """Without a terminal it is no, whatever options there are and whatever comes through a pipe; nothing changes."""
    who, words, key = calls[act]
    more = {"verify": ["--fingerprint", key], "add": ["--yes", "--fingerprint", key], "accept": []}.get(act, ["--yes"])
    before = everything(who)
    error = refused(who, *words, *more, given=f"{key[-4:]}\n" * 5)
    assert "nobody is at a terminal here" in error["message"]
    assert error["hint"].startswith(f"Run it at a terminal: ato msg {' '.join(words)}")
    assert everything(who) == before


@pytest.mark.parametrize("act", ACTS)
def test_a_session(act: str, calls: Calls) -> None:
    """In a session it is no, and what to call outside of it is said, with the options there were."""
    who, words, key = calls[act]
    before = everything(who)
    for where in WHERES:
        hint = refused(who, *words, given=f"{key[-4:]}\n", **where)["hint"]
        assert hint.startswith("Your user runs it at a terminal outside of sessions: ato msg ")
        assert hint.endswith(words[-1])
    assert everything(who) == before


@pytest.mark.parametrize("act", ACTS)
def test_a_terminal(act: str, calls: Calls) -> None:
    """At a terminal the last group of the key says yes; nothing, `y`, another group and the whole key do not."""
    who, words, key = calls[act]
    before = everything(who)
    other = "1111" if key.endswith("0000") else "0000"
    for wrong in (" ", "y", other, key) if act == "verify" else (other,):
        shown = who.person.typed(*words, group=wrong, status=2)
        assert "that is not the last group of the key, so nothing was changed" in shown
    assert everything(who) == before
    assert key in who.person.typed(*words)
    assert everything(who) != before


def test_what_changes_while_it_is_asked(two: list[Writer]) -> None:
    """A yes is to the key and the address that were shown: whoever takes another address meanwhile is not verified."""
    max_, alex = two
    eve = letters.writer(max_.person.root.parent, max_.url, "eve")
    max_.sync()
    directory.verify(max_.home, alex.uid, fingerprint(alex))
    before = everything(max_)[1]
    with Seat(max_.env, max_.person.root, [*PROGRAM, "msg", "verify", "eve"]) as seat:
        seat.wait_for("its last 4 characters: ")
        letters.publish(eve, eve.keys, address=ADDRESSES["alex"])
        max_.sync()
        seat.type(fingerprint(eve)[-4:] + "\n")
        status, shown = seat.end()
    assert (status, "changed meanwhile" in shown) == (2, True), shown
    assert everything(max_)[1] == before == [alex.uid]


def test_an_option_that_says_yes(two: list[Writer]) -> None:
    """What is only asked of a person has no --yes; where other questions have one, it does not answer this."""
    max_, alex = two
    for words in (["verify", "alex"], ["device", "accept", seal.new_identity()[1]]):
        status, shown = call(max_, *words, "--yes")
        assert (status, "No such option" in shown) == (64, True), shown
    again = Writer(person(max_.person.root.parent, "again"), max_.url)
    claim = ["setup", "--address", ADDRESSES["alex"], "--store", max_.url, "--yes"]
    assert "0000" in again.person.typed(*claim, group="0000", status=2)
    assert fingerprint(alex) in again.person.typed(*claim)


def test_a_terminal_that_a_model_opened(two: list[Writer]) -> None:
    """At a pseudo-terminal with any trace of a session, above it or in its variables, nobody is asked."""
    max_, alex = two
    traces: list[tuple[dict[str, str], dict[str, str]]] = [({mark: "1"}, {}) for mark in MARKS]
    for env, above in (*traces, ({}, {"CLAUDE_PID": "1"})):  # `env -u` and `setsid` take some of them away
        command = [*PROGRAM, "msg", "verify", "alex"]
        with Seat({**max_.env, **env}, max_.person.root, command, above=above) as seat:
            seat.type(fingerprint(alex)[-4:] + "\n")
            status, shown = seat.end()
        assert (status, "outside of sessions" in shown, "last group" in shown) == (2, True, False), shown
    assert not any(who["verified"] for who in max_.known().values())


def test_a_model_that_hides(two: list[Writer]) -> None:
    """A model that takes the two best-known marks away and leaves its parents gets no device in and no key out."""
    max_, _ = two
    thief = begin(max_.person.root.parent, max_.url, "thief")
    left: dict[str, Any] = {mark: "1" for mark in MARKS if mark not in ("CLAUDECODE", "CLAUDE_CODE_SESSION_ID")}
    before = everything(max_)
    refused(max_, "device", "accept", recipient(thief), **left)
    assert call(max_, "device", "accept", recipient(thief), "--yes", **left)[0] == 64
    assert everything(max_) == before
    assert call(thief, "device", "add", "--json")[0] == 0
    assert not (thief.person.config / "sign.key").exists()


def test_setting_up(two: list[Writer], tmp_path: Path) -> None:
    """A session says neither who somebody is nor which store they have; a script does, and a session writes."""
    max_, _ = two
    eve, phone = (Writer(person(tmp_path, name), max_.url) for name in ("eve", "phone"))
    setup = ("setup", "--address", ADDRESSES["eve"], "--store", max_.url, "--yes")
    add = ("device", "add", "--address", ADDRESSES["max"], "--store", max_.url, "--yes")
    before = (max_.person.home / "AGENT_MAP.json").read_bytes(), everything(max_)
    for who, words in ((eve, setup), (phone, add), (max_, ("setup", "--store", f"{tmp_path}/mine", "--yes"))):
        assert "setting up mail between people takes a person" in refused(who, *words, CLAUDECODE="1")["message"]
    assert [list(who.person.root.iterdir()) for who in (eve, phone)] == [[], []]
    assert ((max_.person.home / "AGENT_MAP.json").read_bytes(), everything(max_)) == before
    assert not (tmp_path / "mine").exists()
    assert call(eve, *setup)[0] == 0
    status, shown = call(phone, *add, "--json")
    assert (status, json.loads(shown)["complete"]) == (0, False)
    assert call(max_, "alex", "Which branch?", CLAUDECODE="1")[0] == 0
