"""What was refused may have been the store's mistake: it is looked at again, and what is right then arrives."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from agent_team_os.post import store as stores
from agent_team_os.post.folder import FolderStore
from support import letters

DAY = 86_400


def test_a_refused_letter_is_looked_at_again_in_a_day(tmp_path: Path) -> None:
    """An object that was wrong and is right now, with the same size, arrives on the next day and not before."""
    sender, reader, _ = letters.writers(tmp_path)
    sender.send(reader, "hello")
    sender.sync()
    [key] = letters.stored(sender.url, f"/to/{reader.uid}/")
    path = letters.place(sender.url) / key
    right = path.read_bytes()
    path.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    assert list(reader.sync()["refused"]) == [key]
    path.write_bytes(right)
    assert reader.sync()["fetched"] == {}
    a_day_later(reader)
    assert reader.sync()["fetched"] == {"max@bonnard.ai": 1}
    assert reader.texts() == ["hello"]


def test_what_stays_wrong_is_said_once(tmp_path: Path) -> None:
    """An object that is as wrong on the next day is refused again, without another word."""
    sender, reader, _ = letters.writers(tmp_path)
    sender.send(reader, "hello")
    sender.sync()
    [key] = letters.stored(sender.url, f"/to/{reader.uid}/")
    path = letters.place(sender.url) / key
    path.write_bytes(b"x" * path.stat().st_size)
    assert list(reader.sync()["refused"]) == [key]
    a_day_later(reader)
    assert reader.sync()["refused"] == {}
    refused = json.loads((reader.person.mail / "sync.json").read_bytes())["refused"][key]
    assert time.time() - refused["at"] < DAY / 2


def a_day_later(reader: letters.Writer) -> None:
    """Let everything that was refused have been refused a day ago."""
    path = reader.person.mail / "sync.json"
    state = json.loads(path.read_bytes())
    for about in state["refused"].values():
        about["at"] -= DAY
    path.write_text(json.dumps(state))


def test_a_store_that_gives_less_than_it_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter of which the store gives a part is held and named, and arrives with the next sync that gets it all."""
    sender, reader, _ = letters.writers(tmp_path)
    sender.send(reader, "hello")
    sender.sync()
    [key] = letters.stored(sender.url, f"/to/{reader.uid}/")

    class Short(FolderStore):
        """A store that gives all but the last byte."""

        def get(self, key: str, limit: int, progress: object = None) -> bytes:
            return super().get(key, limit)[:-1]

    with monkeypatch.context() as patch:
        patch.setattr(stores, "open_store", lambda url, _environ, seconds=20.0: Short(url, seconds))
        came = reader.sync()
    assert (list(came["held"]), came["refused"], came["fetched"]) == ([key], {}, {})
    came = reader.sync()
    assert (came["held"], came["fetched"]) == ({}, {"max@bonnard.ai": 1})
