"""What a sick disk, a clock that was wrong or a store that erred leaves behind keeps nothing from going on for long."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.post import device, letter, people, seal, spool
from agent_team_os.post import store as stores
from support import letters
from support.letters import Writer
from test_post_devices import begin, complete, recipient
from test_post_slow_line import DAY, EVERYTHING, Line, line, state  # noqa: F401  # line is a fixture

YEARS = 5 * 365 * DAY


def a_day_later(one: Writer) -> None:
    """Let everything that was refused have been refused a day ago."""
    refused = state(one)["refused"]
    for about in refused.values():
        about["at"] -= DAY
    state(one, refused=refused)


def older(sender: Writer, reader: Writer, text: str, days: float) -> tuple[str, bytes]:
    """A letter that was written some days ago and is in the store only now; its key and its bytes."""
    letter_id = letter.new_id(time.time() - days * DAY)
    document = letters.draft(sender, reader, text, id=letter_id)
    data = letters.sealed(document, sender, reader)
    return letters.put(sender.url, letter.letter_key(sender.uid, reader.uid, letter_id), data), data


def only_narrow(watched: Line, *everybody: Writer) -> None:
    """Let nobody list everything, and everybody know it."""
    watched.wide = stores.Denied("the store does not let you do that", "Ask for it.")
    for one in everybody:
        state(one, narrow_at=int(time.time()), swept_at=int(time.time()))


# ---- What was wrong once, with two devices ------------------------------------------------------


def flip(at: int) -> Callable[[bytes], bytes]:
    """Another byte in one place."""
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at:][1:]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "zeros": lambda data: bytes(len(data)),
    "its first line": flip(3),
    "its header": flip(60),
    "its end": flip(-1),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
def test_an_old_letter_that_was_damaged_once(damage: str, narrow: bool, tmp_path: Path, line: Line) -> None:  # noqa: F811
    """A letter from before a device was added that is right on the next day arrives, on the one that can open it."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    key, data = older(max_, alex, "important", 0.1)
    device.accept(alex.home, alex.env, alex.url, seal.new_identity()[1])
    letters.put(alex.url, key, DAMAGE[damage](data))
    if narrow:
        max_.send(alex, "later")
        max_.sync()
        only_narrow(line, alex)
    alex.sync()
    letters.put(alex.url, key, data)
    a_day_later(alex)
    alex.sync()
    assert "important" in alex.texts()
    assert alex.sync()["fetched"] == {}


def test_letters_for_the_other_device_are_counted_once(tmp_path: Path) -> None:
    """What only the other device can open is said in one line, once, and not again after a day; none is named."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    for days in (3, 2, 1):
        older(alex, max_, "before", days)
    laptop = begin(tmp_path, max_.url)
    device.accept(max_.home, max_.env, max_.url, recipient(laptop))
    complete(laptop, max_)
    first = laptop.sync()
    assert [warning for warning in first["warnings"] if warning.startswith("3 messages")] == first["warnings"] != []
    second = laptop.sync()
    a_day_later(laptop)
    third = laptop.sync()
    for came in (first, second, third):
        assert (came["refused"], came["held"], came["fetched"]) == ({}, {}, {})
    assert (second["warnings"], third["warnings"]) == ([], [])
    assert max_.sync()["fetched"] == {"alex@bonnard.ai": 3}


# ---- What is held -------------------------------------------------------------------------------


def test_what_is_held_has_the_size_it_has_now(tmp_path: Path, line: Line) -> None:  # noqa: F811
    """A letter the store once gave a part of arrives, also where its size has changed and little may be listed."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    max_.send(alex, "hello")
    max_.sync()
    [(key, data)] = letters.stored(max_.url, "/to/").items()
    only_narrow(line, alex)
    state(alex, held={key: {"why": "the store has given 100 of its bytes", "size": len(data) + 7}})
    came = alex.sync()
    assert (came["held"], came["fetched"], alex.texts()) == ({}, {"max@bonnard.ai": 1}, ["hello"])


@pytest.mark.parametrize("days", [0, 30], ids=["new", "old"])
def test_what_was_half_there_and_is_gone(days: int, tmp_path: Path, line: Line) -> None:  # noqa: F811
    """A letter the store once gave a part of, and has no more, is held no longer, also where little may be listed."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    max_.send(alex, "new")
    max_.sync()
    alex.sync()
    only_narrow(line, alex)
    key, data = older(max_, alex, "hello", days)
    state(alex, held={key: {"why": "the store has given 100 of its bytes", "size": len(data)}})
    (letters.place(max_.url) / key).unlink()
    came = alex.sync()
    assert (came["held"], came["refused"], came["fetched"]) == ({}, {}, {})


@pytest.mark.parametrize("days", [0, 30], ids=["new", "old"])
def test_what_waits_for_a_word_and_is_gone(days: int, tmp_path: Path, line: Line) -> None:  # noqa: F811
    """Of letters whose sender waits to be verified one that is gone is held no longer than a day; the others stay."""
    max_, alex, eve = letters.writers(tmp_path)
    letters.publish(eve, eve.keys, address="max@bonnard.ai")
    held = [older(max_, alex, text, days)[0] for text in ("one", "two")]
    only_narrow(line, alex)
    state(alex, swept_at=0)
    assert set(alex.sync()["held"]) == set(held)
    (letters.place(max_.url) / held[0]).unlink()
    state(alex, swept_at=int(time.time()) - DAY - 1)
    assert set(alex.sync()["held"]) == {held[1]}


# ---- A clock that was wrong ---------------------------------------------------------------------


def test_a_listing_refused_in_the_future(tmp_path: Path, line: Line) -> None:  # noqa: F811
    """That everything could not be listed counts for a week, and not at all if that week has not begun."""
    _, alex = letters.writers(tmp_path, "max", "alex")
    for at, wide in ((0, False), (-6 * DAY, False), (-8 * DAY, True), (YEARS, True)):
        state(alex, narrow_at=int(time.time()) + at)
        line.listed.clear()
        alex.sync()
        assert (EVERYTHING in [prefix for prefix, _ in line.listed]) is wide, at


def test_a_sweep_in_the_future(tmp_path: Path, line: Line) -> None:  # noqa: F811
    """A letter that was on its way for days arrives, though the daily look at everything is said to be to come."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    max_.send(alex, "new")
    max_.sync()
    alex.sync()
    only_narrow(line, alex)
    older(max_, alex, "written three days ago", 3)
    assert alex.sync()["fetched"] == {}  # the control: a sweep was just now
    state(alex, swept_at=int(time.time()) + YEARS)
    assert alex.sync()["fetched"] == {"max@bonnard.ai": 1}
    assert state(alex)["swept_at"] <= time.time()


def test_a_refusal_in_the_future(tmp_path: Path) -> None:
    """What is said to be refused in years is looked at now."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    key, data = older(max_, alex, "hello", 0)
    for at, arrives in ((int(time.time()) - 60, False), (int(time.time()) + YEARS, True)):
        state(alex, refused={key: {"why": "it was wrong", "size": len(data), "at": at}})
        assert (alex.sync()["fetched"] == {"max@bonnard.ai": 1}) is arrives
    assert alex.texts() == ["hello"]


# ---- Files that hold something else -------------------------------------------------------------

CONTENTS = {"object": b"{}", "list": b"[]", "null": b"null", "empty": b"", "zeros": bytes(300)}


def all_is_well(one: Writer, *args: str, status: int = 0) -> Any:
    """What the program prints for one, as JSON; it has not broken down."""
    done = one.person.run("--json", *args)
    assert "Traceback" not in done.stderr
    assert done.returncode == status, (args, done)
    return json.loads(done.stdout.splitlines()[0])


@pytest.mark.parametrize("content", CONTENTS)
def test_a_file_that_holds_something_else(content: str, tmp_path: Path) -> None:
    """Of each kind of file one is damaged: it is left out, or named, and everything else is listed, read and sent."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    for one, other in ((max_, alex), (alex, max_)):
        for text in ("bad", "good"):
            one.send(other, text)
        one.sync()
    alex.sync()
    max_.sync()
    alex.read("2")  # whose receipt waits
    mail, data = alex.person.mail, CONTENTS[content]
    bad, good = alex.send(max_, "bad in the spool"), alex.send(max_, "good in the spool")
    sent = next(letter_id for letter_id, document in sent_texts(alex).items() if document == "bad")
    damaged = [
        mail / "spool" / bad / "letter.json", Path(alex.index().path(alex.index().ordered()[0])),
        mail / "receipts" / f"{max_.uid}-{letter.new_id()}.json", mail / "sent" / f"{max_.uid}-{sent}.json",
        mail / "sync.json", mail / "unread.json",
    ]  # fmt: skip
    for path in damaged:
        path.write_bytes(data)
    for verb in ("list", "outbox", "sync", "list"):
        told = all_is_well(alex, verb)
        if verb == "outbox":
            assert len(told["damaged"]) == 1
        if verb == "sync":
            assert (list(told["waiting"]), told["pushed"]) == ([bad], {"max@bonnard.ai": 1})
    assert good in spool.Sent(alex.home).to
    assert [one["text"] for one in all_is_well(alex, "read", "2")["letters"]] == ["good"]
    error = all_is_well(alex, "read", "1", status=73)["error"]
    assert (error["code"], str(damaged[1]) in error["message"]) == ("cannot-write", True)
    max_.send(alex, "new")
    max_.read()
    assert max_.sync()["receipts"] == 1
    assert max_.texts() == ["bad", "good", "good in the spool"]
    alex.sync()
    assert [one["text"] for one in all_is_well(alex, "read")["letters"]] == ["new"]
    assert alex.sync()["error"] is None


def sent_texts(one: Writer) -> dict[str, str]:
    """What the letters say that were sent, by id."""
    found = spool.Sent(one.home)
    return {letter_id: document["text"] for letter_id in found.to if (document := found.open(letter_id)) is not None}


@pytest.mark.parametrize("content", [name for name in CONTENTS if name != "object"])
def test_a_directory_that_is_none(content: str, tmp_path: Path) -> None:
    """Whom to trust is not forgotten in silence: where the file holds no people, each command names it and stops."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    path = Path(people.path(max_.home))
    before = path.read_bytes()
    path.write_bytes(CONTENTS[content])
    for args in (["users"], ["sync"], ["alex", "hello"]):
        assert str(path) in max_.person.refused(73, "cannot-write", *args)["message"]
    assert path.read_bytes() == CONTENTS[content]
    path.write_bytes(before)
    max_.send(alex, "hello")
    assert max_.sync()["pushed"] == {"alex@bonnard.ai": 1}
