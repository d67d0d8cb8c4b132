"""A letter that was written long before it is pushed arrives, however the store is listed."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.post import folder, letter, seal, spool, store
from support import letters
from support.letters import Writer

DAY = 86_400.0


@pytest.fixture
def pair(tmp_path: Path) -> list[Writer]:
    """max and alex, who know each other."""
    return letters.writers(tmp_path, "max", "alex")


def late(max_: Writer, alex: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter that was written ten days before another one that has come already."""
    with monkeypatch.context() as clock:
        clock.setattr(letter, "new_id", lambda: made(-10))
        max_.send(alex, "late", max_.file("a.csv", b"late"))
    waiting = Path(spool.folder(max_.home))
    aside = waiting.rename(max_.person.root / "offline")
    max_.send(alex, "on time")
    max_.sync()
    alex.sync()
    assert alex.texts() == ["on time"]
    (only,) = aside.iterdir()
    only.rename(waiting / only.name)


def made(days: float) -> str:
    """An id of so many days from now."""
    number = int((time.time() + days * DAY) * 1000) << 80 | 0x7 << 76 | 0x2 << 62 | random.getrandbits(60)
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def remember(one: Writer, **changes: Any) -> None:
    """Change what the syncs of a home remember."""
    path = one.person.mail / "sync.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))


def test_late_in_a_wide_listing(pair: list[Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter that was pushed long after it was written arrives with the next sync, under the next number."""
    max_, alex = pair
    late(max_, alex, monkeypatch)
    max_.sync()
    assert alex.sync()["fetched"] == {"max@bonnard.ai": 1}
    assert [(one["number"], one["text"]) for one in alex.letters()] == [(1, "on time"), (2, "late")]
    alex.read()
    alex.sync()
    assert max_.sync()["receipts"] == 2


def test_late_in_a_narrow_listing(pair: list[Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each sender is listed by itself it arrives within a day, and so does the receipt; after it nothing new."""
    max_, alex = pair
    late(max_, alex, monkeypatch)
    max_.sync()
    now = int(time.time())
    remember(alex, narrow_at=now, swept_at=now)
    alex.sync()
    remember(alex, swept_at=now - int(DAY) - 1)
    alex.sync()
    assert alex.texts() == ["on time", "late"]
    assert alex.sync()["fetched"] == {}
    alex.read()
    alex.sync()
    remember(max_, narrow_at=now, swept_at=now)
    max_.sync()
    assert None not in max_.sent().values()


def test_less_than_a_day_late_in_a_narrow_listing(pair: list[Writer]) -> None:
    """What was written in another order than it was pushed, within a day, arrives with the next sync."""
    max_, alex = pair
    now = int(time.time())
    for days in (0.0, -0.9, -0.5):
        document = letters.draft(max_, alex, str(days), id=made(days))
        key = letter.letter_key(max_.uid, alex.uid, document["id"])
        letters.put(max_.url, key, letters.sealed(document, max_, alex))
        remember(alex, narrow_at=now, swept_at=now)
        assert alex.sync()["fetched"] == {"max@bonnard.ai": 1}
    assert alex.texts() == ["0.0", "-0.9", "-0.5"]


def test_a_letter_from_the_future(pair: list[Writer]) -> None:
    """A sender whose clock is years ahead, or who says so, hides none of the letters that come later."""
    max_, alex = pair
    now = int(time.time())
    document = letters.draft(max_, alex, "future", id=made(80_000))
    letters.put(max_.url, letter.letter_key(max_.uid, alex.uid, document["id"]), letters.sealed(document, max_, alex))
    remember(alex, narrow_at=now, swept_at=now)
    alex.sync()
    max_.send(alex, "now")
    max_.sync()
    remember(alex, narrow_at=now, swept_at=now)
    alex.sync()
    assert alex.texts() == ["future", "now"]


def test_held_letters_in_a_narrow_listing(tmp_path: Path, pair: list[Writer]) -> None:
    """What is held for longer than a day is not forgotten where only what is new is listed."""
    max_, alex = pair
    eve = letters.writer(tmp_path, max_.url, "eve", "max", "max@bonnard.ai")
    document = letters.draft(max_, alex, "held", id=made(-10))
    letters.put(max_.url, letter.letter_key(max_.uid, alex.uid, document["id"]), letters.sealed(document, max_, alex))
    alex.sync()
    alex.person.typed("verify", "max", "--fingerprint", seal.fingerprint(eve.keys.verify_key))
    now = int(time.time())
    remember(alex, narrow_at=now, swept_at=now, seen={max_.uid: made(0)})
    assert len(alex.sync()["held"]) == 1
    alex.person.typed("verify", "max", "--fingerprint", seal.fingerprint(max_.keys.verify_key))
    assert alex.sync()["fetched"] == {"max@bonnard.ai": 1}
    assert alex.sync()["held"] == {}


def test_a_store_that_does_not_list_everything(pair: list[Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where listing all is refused each sender is listed by itself, and for a week all is not asked for again."""
    max_, alex = pair
    really, asked = folder.FolderStore.keys, []

    def keys(self: Any, prefix: str, after: str = "", most: int = 0) -> Any:
        asked.append(prefix)
        if prefix == letter.ROOT:
            raise store.Denied("the store does not let you do that")
        return really(self, prefix, after)

    monkeypatch.setattr(folder.FolderStore, "keys", keys)
    for number in range(2):
        max_.send(alex, str(number))
        max_.sync()
        alex.sync()
        alex.read()
        alex.sync()
        assert max_.sync()["receipts"] == 1
    assert alex.texts() == ["0", "1"]
    assert asked.count(letter.ROOT) == 2  # once on either side
    assert letter.letters_prefix(max_.uid, alex.uid) in asked
    remember(alex, narrow_at=int(time.time() - 8 * DAY))
    alex.sync()
    assert asked.count(letter.ROOT) == 3


def test_a_number_is_never_given_again(pair: list[Writer]) -> None:
    """A letter that somebody removes by hand comes again under a new number, since the store still has it."""
    max_, alex = pair
    for text in ("one", "two"):
        max_.send(alex, text)
    max_.sync()
    alex.sync()
    (alex.person.mail / "letters" / f"2-{alex.index().ordered()[1]}.json").unlink()
    alex.sync()
    assert [(one["number"], one["text"]) for one in alex.letters()] == [(1, "one"), (3, "two")]
