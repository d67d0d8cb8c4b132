"""What the docs say of mail between people is complete and true: files, keys of the store, JSON, the policy."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from agent_team_os.post import store_errors
from support import people
from support.pages import (
    PEOPLE,
    PROTOCOL,
    README,
    below,
    blocks,
    codes,
    command,
    paths,
    pattern,
    schema_of,
    section,
    tables,
)
from support.seaweed import POLICY


@dataclass(frozen=True)
class Letters:
    """What a conversation of two people has left in a folder, and what each verb has printed, by its label."""

    folder: Path
    max: people.Person
    alex: people.Person
    printed: dict[str, Any]


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Letters:
    """A letter that was read, one that has arrived and one that waits, each with a file; and a second device."""
    folder = tmp_path_factory.mktemp("letters")
    max_, alex = people.pair(folder)
    new = people.person(folder, "new")
    store, address = people.shared(folder), people.ADDRESSES["max"]
    max_.file("a.txt", "a")
    printed = {"ato msg setup": max_.set_up(store), "ato msg send": max_.json("alex", "a", "--attach", "a.txt")}
    begin = ("device", "add", "--address", address, "--store", store, "--yes")
    printed["begun"] = new.json(*begin)
    printed["ato msg device accept"] = typed(max_, "device", "accept", printed["begun"]["recipient"])
    printed["ato msg device add"] = typed(new, *begin)
    printed["ato msg sync"] = max_.sync()
    alex.sync()
    printed["ato msg read"] = alex.json("read")
    alex.sync()
    max_.json("alex", "b", "--attach", "a.txt")
    max_.sync()
    alex.sync()
    max_.json("alex", "c", "--attach", "a.txt")
    printed["ato msg list"] = alex.json("list")
    printed["ato msg outbox"] = max_.json("outbox")
    printed["ato msg users"] = max_.json("users")
    printed["ato msg verify"] = typed(max_, "verify", "alex")
    return Letters(folder, max_, alex, printed)


def typed(one: people.Person, *args: str) -> Any:
    """The document a command prints when a person at a terminal has said yes."""
    return json.loads(one.typed("--json", *args).splitlines()[-1])


def files_below(folder: Path) -> set[str]:
    """The paths of all files below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_file_of_people_is_in_the_tables(letters: Letters) -> None:
    """After a conversation of people each file has a row: those of the home, of the keys, and of the store."""
    (objects,) = tables(section(PROTOCOL, "### The store"))
    (settings,) = tables(section(PROTOCOL, "### Keys and settings"))
    homes = files_below(letters.max.home) | files_below(letters.alex.home)
    for names, known, number in (
        (homes, paths(), 18),
        (files_below(letters.folder / "store"), [codes(row[0])[0] for row in objects], 9),
        (files_below(letters.max.config), [codes(row[0])[0] for row in settings], 4),
    ):
        rows = [re.compile(pattern(path)) for path in known]
        assert len(names) >= number, names
        for name in names:
            assert any(row.fullmatch(name) for row in rows), f"{name} has no row"
    parts = {path.split("/")[1] for path in paths() if path.startswith("people/")}
    assert parts - {"receipts", "started"} <= {name.split("/")[1] for name in homes if name.startswith("people/")}


def test_the_protocol_lists_the_keys_of_msg(letters: Letters) -> None:
    """The keys that each verb of msg prints are those of its row, and those of its entries stand below the table."""
    text = section(PROTOCOL, "### JSON output")
    (table,) = tables(text)
    printed = letters.printed
    unsigned = {*schema_of("letter")["required"]} - {"signature"}
    for row in [row for row in table if row[0].startswith("`ato msg")]:
        expected = {*codes(row[1])} - {"signature"}
        if "the fields of the letter" in row[1]:
            expected |= unsigned
        assert printed[codes(row[0])[0]].keys() == expected, row
    assert printed["begun"].keys() == printed["ato msg device add"].keys() - {"fingerprint"}
    outbox, (letter,) = printed["ato msg outbox"], printed["ato msg read"]["letters"]
    entries = [letter, *letter["attachments"], *printed["ato msg list"]["letters"], *printed["ato msg users"]["people"]]
    named = {*codes(text[text.index("`msg` takes") :])} | {"sha256", "size", "name"}
    assert {key for entry in entries for key in entry} <= named
    assert {key for one in (*outbox["waiting"], *outbox["sent"]) for key in one} - unsigned <= named
    assert (len(outbox["waiting"]), outbox["damaged"], len(outbox["sent"])) == (1, [], 2)


def test_the_policy_is_the_one_that_was_tried() -> None:
    """The policy of docs/people.md is the one with which the tests give people their part of a real S3 server."""
    (policy,) = [content for language, content in blocks(section(PEOPLE, "### Who may do what")) if language == "json"]
    assert json.loads(policy) == json.loads(POLICY)


def test_the_example_of_people_is_the_same_everywhere() -> None:
    """What max sends and alex reads stands in README and docs/people.md in the same words."""
    shown = [content for _, content in blocks(section(README, "## Messages to people"))]
    theirs = [content for _, content in blocks(section(PEOPLE, "## What it looks like"))]
    assert shown[0] == theirs[0]
    assert shown[1] == theirs[1].removeprefix("$ ato bus\n…\n") + theirs[2]


def test_people_read_of_messages_and_of_a_store() -> None:
    """What people read says message and store; letter is a word of the protocol, and storage one of the code."""
    said = [hint for *_, hint in (*store_errors._DENIED, *store_errors._OTHERS)]
    first = section(README, "## First message") + section(README, "## Messages to people")
    for text in (PEOPLE.replace("r2.cloudflarestorage.com", ""), first, *said, *(pages_of_help())):
        assert not re.search(r"\b(letters?|storage)\b", text, re.IGNORECASE), text


def pages_of_help() -> list[str]:
    """The help of msg, and of each verb below it."""
    verbs = {"msg": command("msg"), **below(command("msg"))}
    return [each.get_help(click.Context(each, info_name=name)) for name, each in verbs.items()]
