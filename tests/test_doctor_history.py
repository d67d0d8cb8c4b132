"""`doctor` mends threads without a loss, and takes no outbox or attachment in use for a broken one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent_team_os.mail import doctor
from support.breakages.history import blob_unused, thread_entry_gone
from support.breakages.mail import sender_killed_before_the_line
from support.homes import codes, examine, healthy, log


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bus in which nothing is wrong."""
    return healthy(tmp_path, monkeypatch)


def test_entries_only_the_thread_knows_are_kept(home: Path) -> None:
    """A thread is mended without losing what a helper of version 1 entered and did not log."""
    thread_entry_gone(home)
    document = json.loads(newest_thread(home).read_bytes())
    unlogged = {**document["messages"][0], "id": "msg-20260520T091812Z-x7q3abcd"}
    newest_thread(home).write_text(json.dumps({**document, "messages": [unlogged, *document["messages"]]}))
    assert list(doctor.repair(str(home)))
    entries = json.loads(newest_thread(home).read_bytes())["messages"]
    assert len(entries) == 3
    assert unlogged in entries


def newest_thread(home: Path) -> Path:
    """The thread that was changed last."""
    return max((home / "threads").glob("thread-*.json"), key=lambda path: path.stat().st_mtime_ns)


def test_a_line_being_written(home: Path) -> None:
    """An outbox that ends without a newline is being written to, or will be closed by the next sender."""
    with log(home).open("ab") as file:
        file.write(b'{"id": "msg-')
    assert examine(home) == []


def test_a_blob_of_a_send_in_flight(home: Path) -> None:
    """While any send is in flight no blob counts as unused: the send may be about to name it."""
    blob_unused(home)
    assert codes(home) == {"blob-unused"}
    sender_killed_before_the_line(home)
    assert codes(home) == {"spool-left"}
