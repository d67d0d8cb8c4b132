"""Whose a key is and which devices are theirs a person says: a session is refused, whatever options it gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import pytest

from conftest import tree
from support import letters
from support.cli import PROGRAM
from support.letters import Writer
from support.people import ADDRESSES, person
from support.seat import Seat
from test_post_devices import begin, recipient

MARKS = ("CLAUDECODE", "CLAUDE_CODE_SESSION_ID")
# Where a model may call from: a shell of its session, and what was started there with the variables taken away.
WHERES: list[dict[str, Any]] = [{mark: "1"} for mark in MARKS] + [{"above": {mark: "1"}} for mark in MARKS]


def call(one: Writer, *args: str, above: Optional[Mapping[str, str]] = None, **env: str) -> tuple[int, str]:
    """The status of `ato msg ARGS`, without a terminal, below a process with the variables `above`; and its words."""
    variables = {**one.person.environment, **env}
    (one.person.mail / "started").unlink(missing_ok=True)  # so that no sync starts in the background
    with Seat(variables, one.person.root, [*PROGRAM, "msg", *args], above=above, given="") as seat:
        return seat.end()


def refused(one: Writer, *args: str, **where: Any) -> str:
    """The message of the refusal of `ato msg ARGS --json` in a session, which says where to do it."""
    status, shown = call(one, *args, "--json", **where)
    error = json.loads(shown)["error"]
    assert (status, error["code"]) == (2, "not-verified"), shown
    assert "outside of sessions" in error["hint"]
    return str(error["message"])


@pytest.fixture
def two(tmp_path: Path) -> list[Writer]:
    """max and alex, who know each other and have never written."""
    return letters.writers(tmp_path, "max", "alex")


def prints(one: Writer) -> str:
    """The fingerprint of the other one's key."""
    return next(str(who["fingerprint"]) for who in one.person.json("users")["people"] if not who["you"])


def verified(one: Writer) -> bool:
    """Whether the other one is."""
    return any(who["verified"] for who in one.person.json("users")["people"] if not who["you"])


def test_verify_in_a_session(two: list[Writer]) -> None:
    """A session can make nobody trusted, neither with --yes nor with the right fingerprint."""
    max_, _ = two
    key = prints(max_)
    before = tree(max_.person.mail)
    for where in WHERES:
        for options in (["--yes"], ["--fingerprint", key]):
            assert "whose a key is a person says" in refused(max_, "verify", "alex", *options, **where)
    assert tree(max_.person.mail) == before
    assert not verified(max_)


@pytest.mark.parametrize("where", WHERES[::3])
def test_devices_in_a_session(where: dict[str, Any], two: list[Writer]) -> None:
    """A session can let no device in, nor take over a person's keys; it can ask for them, as a person may want."""
    max_, _ = two
    laptop = Writer(person(max_.person.root.parent, "laptop"), max_.url)
    add = ["device", "add", "--address", ADDRESSES["max"], "--store", max_.url, "--yes", "--json"]
    status, shown = call(laptop, *add, **where)
    assert (status, json.loads(shown)["complete"]) == (0, False), shown
    key = recipient(laptop)
    before = letters.stored(max_.url, "")
    for options in ([], ["--yes"]):
        assert "a device is accepted by a person" in refused(max_, "device", "accept", key, *options, **where)
    assert letters.stored(max_.url, "") == before
    max_.person.said("device", "accept", key, "--yes")
    for options in ([], ["--yes"]):
        assert "whose device this is" in refused(laptop, *add[:6], *options, **where)
    assert not (laptop.person.config / "sign.key").exists()
    assert not (laptop.person.config / "identity.json").exists()


def test_a_terminal_that_a_model_opened(two: list[Writer]) -> None:
    """At a pseudo-terminal of a session nobody is asked either."""
    max_, _ = two
    for args in (["verify", "alex"], ["device", "accept", recipient(begin(max_.person.root.parent, max_.url))]):
        command = [*PROGRAM, "msg", *args]
        with Seat(max_.env, max_.person.root, command, above={"CLAUDECODE": "1"}) as seat:
            seat.type("y\n")
            status, shown = seat.end()
        assert (status, "started from a session" in shown, "[y/N]" in shown) == (2, True, False), shown
    assert not verified(max_)


def test_a_script_of_a_person_s(two: list[Writer]) -> None:
    """Outside of sessions a script without a terminal says yes with --yes, or with the fingerprint alone."""
    max_, alex = two
    assert call(max_, "verify", "alex")[0] == 2
    assert call(max_, "verify", "alex", "--fingerprint", prints(max_))[0] == 0
    assert call(alex, "verify", "max", "--yes")[0] == 0
    assert (verified(max_), verified(alex)) == (True, True)
    laptop = begin(max_.person.root.parent, max_.url)
    assert call(max_, "device", "accept", recipient(laptop), "--yes")[0] == 0
    add = ["device", "add", "--address", ADDRESSES["max"], "--store", max_.url]
    assert call(laptop, *add)[0] == 2
    assert call(laptop, *add, "--yes")[0] == 0
    assert laptop.uid == max_.uid


def test_setting_up_in_a_session(two: list[Writer], tmp_path: Path) -> None:
    """Setting up, which the client asks about as about any command, works in a session; so does writing."""
    max_, _ = two
    eve = Writer(person(tmp_path, "eve"), max_.url)
    setup = ("setup", "--address", ADDRESSES["eve"], "--store", max_.url, "--yes")
    assert call(eve, *setup, CLAUDECODE="1")[0] == 0
    assert call(max_, "alex", "Which branch?", CLAUDECODE="1")[0] == 0
