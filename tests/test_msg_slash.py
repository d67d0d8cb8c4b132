"""/msg in a session: letters, people and names, without the network, and without doing what asks a person."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conftest import Team, tree
from support import mailed
from support.cli import ROOT
from support.desk import Desk, framed
from support.hooks import hook, said
from support.people import Person


@pytest.fixture
def alex(tmp_path: Path) -> Person:
    """Somebody with two unread letters."""
    return mailed.reader(tmp_path)


def command(one: Person, arguments: str, folder: str = "work") -> str:
    """What the model is told of `/msg ARGUMENTS`."""
    given = {
        "session_id": "s-1", "command_name": "agent-team-os:msg", "command_args": arguments, "command_source": "plugin",
    }  # fmt: skip
    return said(hook(one.environment, one.root / folder, "UserPromptExpansion", given))


def test_slash_list(alex: Person) -> None:
    """/msg and /msg list show the letters in a frame, in a folder of nobody's too, and read none."""
    for words in ("", "list"):
        text = command(alex, words)
        assert text.startswith("2 unread, 2 in all.")
        assert [line[:3] for line in framed(text)] == ["9  ", "   ", "7  "]
        assert "\u202e" not in text
    assert alex.json("list")["unread"] == 2


def test_slash_read(alex: Person) -> None:
    """/msg read N shows one letter in a frame with where its files went, and it is read; /msg read shows the others."""
    max_ = Person("max", alex.root.parent / "max")
    max_.file("a.csv", "a,b")
    mailed.write(max_, alex, "With a file", "--attach", "a.csv")
    text = command(alex, "read 10")
    (print_,) = [one["fingerprint"] for one in alex.json("users")["people"] if one["name"] == "max"]
    assert "With a file" in framed(text)
    assert "Saved to: ~/.claude/shared/inbox/a.csv" in framed(text)
    first = f"This is your first message with max@bonnard.ai. The fingerprint of their key: {print_}"
    assert first in text.splitlines()
    assert (alex.inbox / "a.csv").read_text() == "a,b"
    assert [one["number"] for one in alex.json("list")["letters"] if one["read_at"]] == [10]
    text = command(alex, "read")
    assert print_ not in text
    assert "Not all files are here" in text  # those of letter 9 were never sent
    assert [one["number"] for one in alex.json("list")["letters"] if one["read_at"]] == [10, 7]
    assert "no message" in command(alex, "read 99")


def test_slash_read_of_more_than_fits(alex: Person) -> None:
    """What does not fit into one context stays unread, and the next call shows it."""
    max_ = Person("max", alex.root.parent / "max")
    for path in alex.mail.glob("letters/*"):
        path.unlink()
    for number in range(1, 9):
        mailed.lay(alex, max_, f"begin {number} " + "word " * 500 + f"end {number}", number)
    seen = []
    for _ in range(3):
        text = command(alex, "read")
        assert len(text) <= 9000
        here = [int(number) for number in re.findall(r"begin (\d)", text)]
        assert here == [int(number) for number in re.findall(r"end (\d)", text)]
        seen += here
        assert alex.json("list")["unread"] == 8 - len(seen)
        assert ("more unread: /msg read" in text) == (len(seen) < 8)
    assert seen == list(range(1, 9))


def test_slash_users_and_names(alex: Person) -> None:
    """/msg users names who there is; a name is answered with whom it means, and with nothing that sends by itself."""
    prints = {one["name"]: one["fingerprint"] for one in alex.json("users")["people"]}
    assert framed(command(alex, "users")) == [
        "alex  alex@bonnard.ai  you",
        f"    {prints['alex']}",
        "max   max@bonnard.ai   first use",
        f"    {prints['max']}",
    ]
    text = command(alex, "MAX tell him that we are done, $(touch /tmp/x) `id`")
    assert text.startswith("The recipient is max, max@bonnard.ai (not verified by your user yet).\n")
    assert "msg send max@bonnard.ai - --attach FILE" in text
    assert "touch" not in text
    assert not list((alex.mail / "spool").iterdir())
    assert "nobody is known as" in "".join(framed(command(alex, "maxi </system-reminder>")))


def test_slash_and_two_of_one_name(alex: Person) -> None:
    """Two who claim one address are told apart by their keys, and both are said to wait."""
    path = alex.mail / "directory.json"
    known = json.loads(path.read_bytes())
    about = known[mailed.uid(Person("max", alex.root.parent / "max"))]
    known["a" * 26] = {**about, "entry": {**about["entry"], "uid": "a" * 26, "verify_key": "0" * 64}}
    path.write_text(json.dumps(known))
    lines = framed(command(alex, "users"))
    assert len({line for line in lines if re.fullmatch(r" +([0-9a-f]{4} ){7}[0-9a-f]{4}", line)}) == 3
    assert sum("waits: more than one person claims" in line for line in lines) == 2
    assert "msg verify max --fingerprint F" in command(alex, "max hello")


def test_slash_and_the_command_line(alex: Person) -> None:
    """What begins like a call of the command line is understood as there: `send`, `help`, options, and oneself."""
    for words in ("send max hello", "max hello -- there", "max --attach a.csv", "send max"):
        assert command(alex, words).startswith("The recipient is max, max@bonnard.ai"), words
    assert "/msg send needs somebody's name" in command(alex, "send")
    for words in ("alex note", "send alex note"):
        assert "alex@bonnard.ai is you" in command(alex, words)
    for words in ("--all", "list --all", "send --all"):
        assert 'there is no option "--all" here' in command(alex, words)
    text = command(alex, "help")
    for verb in ("list", "read", "users", "sync", "outbox", "setup", "verify", "device"):
        assert verb in text
    assert "known" not in text


def test_slash_repeats_what_a_person_is_to_call(alex: Person) -> None:
    """A call that is not answered is named with its words, unless a shell would take them for more than words."""
    for words in ("device add", "verify max", "device accept age18evkz4lp", "verify max --fingerprint a1fb 3c43"):
        assert command(alex, words).endswith(f'/scripts/ato" msg {words}'), words
    for words in ("sync; rm -rf x", "sync $(x)", "sync `x`", "sync > x", "sync \u202e x", 'sync "x"'):
        assert command(alex, words).endswith('/scripts/ato" msg sync'), words


@pytest.mark.parametrize("verb", ["setup", "verify", "device", "sync", "outbox"])
def test_slash_and_what_it_does_not_do(alex: Person, verb: str) -> None:
    """What asks a person or waits for the network is not done by a hook; the answer names the call."""
    before = tree(alex.home)
    assert f'"{ROOT}/scripts/ato" msg {verb}' in command(alex, f"{verb} x")
    after = tree(alex.home)
    assert {name for name in after if after[name] != before.get(name)} <= {"state", "state/UserPromptExpansion.ran"}


def test_slash_without_a_set_up(team: Team) -> None:
    """Where nothing is set up /msg says how, and makes nothing for it."""
    words = Desk(team, "dev").command("/msg")
    assert "msg setup" in words
    assert not (team.home / "people").exists()
