"""Breakages of what is kept of mail: the outbox, threads and attachments.

Each breaks a healthy home in one way and returns what the finding must name.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from support.homes import archived, log, pending, send, thread


def outbox_a_fifo(home: Path) -> str:
    """A FIFO has the name of an outbox file."""
    os.mkfifo(home / "outbox" / "2026-05-20.jsonl", 0o600)
    return "2026-05-20.jsonl must be a plain file"


def outbox_line_bad(home: Path) -> str:
    """Two lines of the outbox are no messages."""
    with log(home).open("ab") as file:
        file.write(b'{"id": 1}\nnonsense\n')
    return "(nor are these: 5)"


def outbox_line_gone(home: Path) -> str:
    """A message in an inbox whose line is not in the outbox."""
    lines = log(home).read_bytes().splitlines(keepends=True)
    log(home).write_bytes(b"".join(lines[:-1]))
    return f"Not in the outbox: 1 message in the inbox of dev, the newest {pending(home).stem}"


def message_deleted(home: Path) -> str:
    """Messages were deleted from inbox and archive."""
    newest = pending(home).stem
    pending(home).unlink()
    archived(home).unlink()
    return f"In no inbox of the recipient: 2 messages of the outbox, the newest {newest}"


def thread_deleted(home: Path) -> str:
    """A thread file was deleted."""
    path = thread(home)
    path.unlink()
    return f"{path.stem} lacks 2 messages of the outbox"


def thread_entry_gone(home: Path) -> str:
    """A helper of version 1 has overwritten an entry of a thread."""
    document = json.loads(thread(home).read_bytes())
    path, newest = thread(home), document["messages"].pop()["id"]
    path.write_text(json.dumps(document))
    return f"lacks 1 message of the outbox, the newest {newest}"


def thread_entry_twice(home: Path) -> str:
    """A thread shows a message twice."""
    path = thread(home)
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "messages": [*document["messages"], document["messages"][0]]}))
    return f"{path.stem} shows 1 message more than once"


def thread_broken(home: Path) -> str:
    """A thread file is no thread."""
    path = thread(home)
    path.write_bytes(b"{}")
    return f"{path.stem} cannot be read: id: missing"


def thread_a_folder(home: Path) -> str:
    """A folder in place of a thread."""
    path = thread(home)
    path.unlink()
    path.mkdir(0o700)
    return f"{path.stem} cannot be read: a folder"


def blob_gone(home: Path) -> str:
    """The blob of an attachment was deleted."""
    blob(home).unlink()
    return "The attachment 'trace.txt' of msg-"


def blob_changed(home: Path) -> str:
    """The blob of an attachment has other bytes."""
    blob(home).write_bytes(b"other")
    return "is damaged"


def blob_unused(home: Path) -> str:
    """A blob no message refers to."""
    path = home / "attachments" / ("0" * 64)
    path.touch(0o600)
    return "1 file in"


def blob(home: Path) -> Path:
    """The blob of a message that has just been sent with an attachment."""
    (home.parent / "trace.txt").write_text("trace")
    send(home, home.parent / "trace.txt")
    [path] = (home / "attachments").iterdir()
    return path
