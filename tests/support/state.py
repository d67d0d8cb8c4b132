"""What must be true of a bus home whatever happened to the commands that wrote it.

Read with the standard library alone, not with the program's own readers: a reader and a writer that share a
mistake would agree.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any


def outbox(home: Path) -> list[dict[str, Any]]:
    """Every message of the audit log, in the order written; an unterminated last line that is no JSON is left out."""
    messages = []
    for log in sorted((home / "outbox").glob("*.jsonl")):
        lines = log.read_bytes().split(b"\n")
        for number, line in enumerate(lines):
            if not line:
                continue
            try:
                messages.append(json.loads(line))
            except ValueError:
                assert number == len(lines) - 1, f"{log.name}, line {number + 1} is broken: {line[:80]!r}"
    return messages


def boxes(home: Path) -> dict[str, list[Path]]:
    """Where each message id lies, pending or archived."""
    places: dict[str, list[Path]] = {}
    for path in (home / "inboxes").rglob("msg-*.json"):
        places.setdefault(path.stem, []).append(path)
    return places


def threads(home: Path) -> Counter[tuple[str, str]]:
    """How often each (thread, message) pair stands in a thread file."""
    found: Counter[tuple[str, str]] = Counter()
    for path in (home / "threads").glob("thread-*.json"):
        document = json.loads(path.read_bytes())
        found.update((document["id"], entry["id"]) for entry in document["messages"])
    return found


def check(home: Path) -> set[str]:
    """Assert that each message is in outbox, inbox and thread once or in none of them; return their ids.

    Also: nothing is left in the spool, every file in an inbox is whole, no attachment of a message is missing,
    and the original of each reply is archived.
    """
    sent = outbox(home)
    ids = {message["id"] for message in sent}
    assert len(sent) == len(ids), (
        f"in the outbox twice: {[k for k, n in Counter(m['id'] for m in sent).items() if n > 1]}"
    )
    placed = boxes(home)
    assert set(placed) == ids, f"only in the outbox: {ids - set(placed)}; only in an inbox: {set(placed) - ids}"
    for message_id, paths in placed.items():
        assert len(paths) == 1, f"{message_id} lies in {paths}"
        assert json.loads(paths[0].read_bytes())["id"] == message_id
    entered = threads(home)
    assert entered == Counter({(message["thread_id"], message["id"]): 1 for message in sent})
    for message in sent:
        for attachment in message.get("attachments", ()):
            blob = home / "attachments" / attachment["sha256"]
            assert blob.stat().st_size == attachment["size"]
        original = message.get("in_reply_to")
        if original:
            assert placed[original][0].parent.name == ".read", f"{original} was answered and is still pending"
    assert list((home / "outbox" / ".spool").iterdir()) == []
    return ids
