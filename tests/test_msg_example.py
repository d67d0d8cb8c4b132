"""The example this feature began with, word for word, between two users with two homes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from support import people
from support.cli import PATIENCE, ROOT, ato
from support.people import Person

TEXT = "Domain research is done -- 12 clean names survived. CSV attached. Pick your top 3?"
CSV = ("name,registrar\n" + "bonnard.example,none\n" * 300)[:4301].encode()


def until(condition: object, what: str) -> None:
    """Wait for what a process in the background does; it has no other way to tell."""
    assert callable(condition)
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def play(sender: Person, reader: Person) -> None:
    """The example: send, notice, list, read, and the file with the right bytes."""
    sender.file("domain-research.csv", CSV)
    agentops = [str(sender.root / "agentops"), "msg", "alex", TEXT, "--attach", "domain-research.csv"]
    (sender.root / "agentops").symlink_to(ROOT / "scripts/ato")
    sent = subprocess.run(
        agentops, cwd=sender.root, env=sender.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (sent.returncode, sent.stdout) == (0, "Sent to alex@bonnard.ai (1 attachment, 4.2KB)\n"), sent
    # It went out in the background, and the next command of the reader starts to fetch it.
    until(lambda: not sender.json("outbox")["waiting"], "the letter was not pushed")
    (reader.mail / "started").touch()
    os.utime(reader.mail / "started", (1, 1))

    def noticed() -> bool:
        return "📬" in ato(reader.environment, reader.root, "bus").stderr

    until(noticed, "the letter was not fetched")
    for command in (["bus"], ["doctor"], ["telemetry", "--json"]):
        lines = ato(reader.environment, reader.root, *command).stderr.splitlines()
        assert re.fullmatch(r"📬 1 new message from max@bonnard\.ai \((just now|[0-9]+ (s|min) ago)\)", lines[-3])
        assert lines[-2:] == [
            '   "Domain research is done -- 12 clean names survived..."',
            "   Run: agentops msg read 1",
        ]
    assert "You have 1 unread message from max:" in start_of_session(reader)
    listed = reader.said("list")
    assert re.search(r"^1 {2}new {2}max@bonnard\.ai", listed, re.MULTILINE), listed
    assert "domain-research.csv (4.2KB)" in listed
    lines = reader.said("read", "1").splitlines()
    assert re.fullmatch(r"Date: [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}", lines.pop(1))
    assert lines == [
        "From: max@bonnard.ai",
        TEXT,
        "Attachment: domain-research.csv (4.2KB)",
        "Saved to: ~/.claude/shared/inbox/domain-research.csv",
    ]
    assert (reader.inbox / "domain-research.csv").read_bytes() == CSV
    assert "📬" not in ato(reader.environment, reader.root, "bus").stderr


def start_of_session(reader: Person) -> str:
    """What a session that starts in some folder of the reader's is told."""
    folder = reader.root / "work"  # the home is in none that a session may be opened in
    folder.mkdir(exist_ok=True)
    done = ato(reader.environment, folder, "hook", "SessionStart", stdin=json.dumps({"session_id": "s1"}))
    told: str = json.loads(done.stdout)["hookSpecificOutput"]["additionalContext"]
    assert "| Attachment: domain-research.csv" in told
    assert re.search(rf'^([0-9a-f]{{6}})\| 1\. max@bonnard\.ai, .*: "{re.escape(TEXT)}"$', told, re.MULTILINE), told
    return told


def test_the_example_works_over_a_shared_folder(tmp_path: Path) -> None:
    """Send with a file, notice, list, read: as written, over a folder; and nobody else can read it."""
    sender, reader, third = people.trio(tmp_path)
    play(sender, reader)
    stolen = people.objects(people.shared(tmp_path))
    assert len([key for key in stolen if "/to/" in key]) == 2
    assert not any(TEXT.encode()[:20] in data or b"bonnard.example" in data for data in stolen.values())
    assert third.sync()["fetched"] == {}
    assert third.json("list")["letters"] == []


@pytest.mark.parametrize("verb", ["list", "read", "users"])
def test_without_a_set_up_a_verb_says_what_to_do(tmp_path: Path, verb: str) -> None:
    """A person who has not set up mail between people is told in one line how."""
    error = people.person(tmp_path, "max").refused(1, "not-set-up", verb)
    assert "ato msg setup" in error["hint"]
