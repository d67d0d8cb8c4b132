"""The bus as a few dictionaries: what must be in a home, and nothing of how it gets there.

model = Model()
model.sent(draft, lines)  # a message went out: `lines` of the outbox are it and its copies
model.read(message_id)
assert look(home) == model.expected()

`look` reads the home with the standard library alone.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Optional

PRIORITIES = ("urgent", "high", "normal", "low")
HUBS = {"work": "ops", "side": "lead"}
DOMAINS = {"ops": "work", "secure": "work", "lead": "side", "dev": "side", "growth": "side"}
STATUS = {"accept": "accepted", "response": "completed", "confirm": "completed", "decline": "declined"}


class Draft(NamedTuple):
    """A message before it has an id. No two have the same text, so it is known again anywhere."""

    sender: str
    to: str
    slug: Optional[str]
    kind: str
    priority: str
    text: str
    thread: Optional[str] = None  # None opens one
    answers: Optional[str] = None  # the id of the original of a reply

    def recipients(self) -> set[str]:
        """Who gets a message because of it: its recipient, and between domains the hubs of both, unless one writes."""
        domains = {DOMAINS[self.sender], DOMAINS[self.to]}
        between = len(domains) == 2 and not {self.sender, self.to} & set(HUBS.values())
        return {self.to, *(HUBS[domain] for domain in domains if between)}


@dataclass
class Letter:
    """A message that was delivered."""

    sender: str
    box: str  # `agent`, or `agent/@slug`
    rank: int
    text: str
    thread: str
    was_read: bool = False


@dataclass
class Model:
    """All that was ever delivered, by id, and the threads it forms."""

    letters: dict[str, Letter] = field(default_factory=dict)
    threads: dict[str, list[str]] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    unlogged: set[str] = field(default_factory=set)  # what a helper of version 1 did not enter into the outbox

    def sent(self, draft: Draft, lines: list[dict[str, Any]]) -> None:
        """A message was sent, and is these lines of the outbox: one for each recipient, the rest of them copies."""
        assert sorted(line["to"] for line in lines) == sorted(draft.recipients()), (draft, lines)
        [original] = [line for line in lines if not line.get("cc_of")]
        assert original["from"] == draft.sender
        assert (original["to"], original.get("to_slug")) == (draft.to, draft.slug)
        assert (original["type"], original["priority"]) == (draft.kind, draft.priority)
        assert draft.thread in (None, original["thread_id"])
        assert original["in_reply_to"] == draft.answers
        thread = original["thread_id"]
        for line in lines:
            assert (line["cc_of"] if line is not original else None) in (None, original["id"])
            box = f"{draft.to}/@{draft.slug}" if line is original and draft.slug else line["to"]
            rank = PRIORITIES.index(draft.priority if line is original else "low")
            self.letters[line["id"]] = Letter(draft.sender, box, rank, draft.text, thread)
        self.threads.setdefault(thread, []).append(original["id"])
        before = self.status.get(thread, "open")
        self.status[thread] = STATUS.get(draft.kind, "open" if before in ("completed", "declined") else before)
        if draft.answers:
            self.read(draft.answers)

    def foreign(self, message_id: str, sender: str, to: str, thread: str, text: str, logged: bool) -> None:
        """A helper of version 1 has put a message into an inbox, with an outbox line and a thread or without both."""
        self.letters[message_id] = Letter(sender, to, PRIORITIES.index("normal"), text, thread)
        if logged:
            self.threads[thread], self.status[thread] = [message_id], "open"
        else:
            self.unlogged.add(message_id)

    def read(self, message_id: str) -> None:
        """Somebody has read a message."""
        self.letters[message_id].was_read = True

    def pending(self, agent: str, slug: str) -> list[str]:
        """What a session sees, in its order."""
        seen = {
            message_id: letter
            for message_id, letter in self.letters.items()
            if letter.box in (agent, f"{agent}/@{slug}") and not letter.was_read
        }
        return sorted(seen, key=lambda message_id: (seen[message_id].rank, message_id))

    def expected(self) -> dict[str, Any]:
        """What `look` must find."""
        return {
            "mail": {
                message_id: (letter.box + ("/.read" if letter.was_read else ""), letter.text)
                for message_id, letter in self.letters.items()
            },
            "outbox": sorted(self.letters.keys() - self.unlogged),
            "threads": {thread: sorted(entries) for thread, entries in self.threads.items()},
            "status": self.status,
            "spool": [],
        }


def write_as_version_1(home: Path, message_id: str, sender: str, to: str, thread: str, text: str, logged: bool) -> None:
    """What a shell script of version 1 writes once it has the lock of an inbox."""
    document: dict[str, Any] = {
        "id": message_id, "version": "1.0", "from": sender, "to": to, "thread_id": thread, "in_reply_to": None,
        "type": "request", "intent": "news", "priority": "normal", "payload": {"summary": text},
        "context_refs": [], "requires_response": False, "response_by": None, "ts": "2026-05-20T09:18:12Z",
    }  # fmt: skip
    path = home / f"inboxes/{to}/{message_id}.json"
    Path(f"{path}.tmp").write_text(json.dumps(document, indent=2))
    Path(f"{path}.tmp").rename(path)
    if logged:
        with open(home / "outbox/2026-05-20.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps(document) + "\n")
        entry = {name: document[name] for name in ("id", "from", "to", "type", "ts")}
        story = {
            "id": thread, "subject": "news", "participants": [sender, to], "messages": [entry], "status": "open",
            "opened": document["ts"], "closed": None,
        }  # fmt: skip
        (home / f"threads/{thread}.json").write_text(json.dumps(story))


def outbox(home: Path) -> list[dict[str, Any]]:
    """The lines of the outbox; one that a killed process wrote half of is none."""
    found = []
    for log in sorted((home / "outbox").glob("*.jsonl")):
        for line in log.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return found


def places(home: Path) -> dict[str, Path]:
    """Where everything lies that has the name of a message: each in one place."""
    found: dict[str, Path] = {}
    for path in (home / "inboxes").rglob("msg-*.json"):
        if len(path.name) == len("msg-20260520T091812Z-x7q3abcd.json"):
            assert found.setdefault(path.stem, path) == path, f"{path} is {found[path.stem]} too"
    return found


def look(home: Path, junk: set[str]) -> dict[str, Any]:
    """What is in a home, but for files that are no messages, whose names are `junk`."""
    mail: dict[str, tuple[str, str]] = {}
    for message_id, path in places(home).items():
        if message_id not in junk:
            text = json.loads(path.read_bytes())["payload"]["summary"]
            mail[message_id] = str(path.parent.relative_to(home / "inboxes")), text
    threads = [json.loads(path.read_bytes()) for path in (home / "threads").glob("thread-*.json")]
    return {
        "mail": mail,
        "outbox": sorted(line["id"] for line in outbox(home)),
        "threads": {thread["id"]: sorted(entry["id"] for entry in thread["messages"]) for thread in threads},
        "status": {thread["id"]: thread["status"] for thread in threads},
        "spool": [path.name for path in (home / "outbox/.spool").iterdir()],
    }
