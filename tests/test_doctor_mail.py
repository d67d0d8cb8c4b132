"""`doctor` finishes or takes back what a dead sender left, disturbs no live one, and loses no message."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_team_os.mail import doctor
from support.breakages.mail import pending_no_message, sender_killed_after_the_line, sender_killed_before_the_line
from support.cli import PATIENCE
from support.homes import archived, codes, examine, healthy, pending, python


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bus in which nothing is wrong."""
    return healthy(tmp_path, monkeypatch)


def test_the_dead_senders_message(home: Path) -> None:
    """Repair delivers what was in the outbox and takes back what was not; examine alone does neither."""
    before = pending(home)
    sender_killed_before_the_line(home)
    sender_killed_after_the_line(home)
    assert len(examine(home)) == 3
    assert pending(home) == before
    assert "lock dev" in "".join(sorted(doctor.repair(str(home))))
    assert len(list(before.parent.glob("msg-*.json"))) == 2
    assert list((home / "outbox" / ".spool").iterdir()) == []


def test_a_live_sender_is_no_finding(home: Path) -> None:
    """A sender that is stopped anywhere between its spool file and its end is at work, not broken."""
    code = """
from agent_team_os.mail import delivery, threads
from agent_team_os.protocol import message
from agent_team_os.storage import files
stop = lambda *_: (print("here", flush=True), sys.stdin.read())
where = {"line": (files, "publish"), "link": (files, "sync_folder"), "thread": (threads, "add")}[sys.argv[2]]
if sys.argv[2] == "link":
    files.publish = lambda *names, publish=files.publish: (publish(*names), setattr(*where, stop))
else:
    setattr(*where, stop)
delivery.send(sys.argv[1], [delivery.Outgoing(message.build("ops", "dev", "question", {"question": "Still there?"}))])
"""
    for where in ("line", "link", "thread"):
        process = python(code, home, where)
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        assert examine(home) == [], where
        process.kill()
        process.communicate(timeout=PATIENCE)
        assert "spool-left" in codes(home)
        assert list(doctor.repair(str(home)))
        assert examine(home) == []


def test_a_bad_message_is_set_aside_with_the_reason(home: Path) -> None:
    """Repair moves a pending file that is no message aside, whole, and the finding then gives the reason."""
    pending_no_message(home)
    name = pending(home).name
    [said] = doctor.repair(str(home))
    [finding] = examine(home)
    assert finding["code"] == "quarantined"
    assert ": missing" in finding["what"]
    assert said.startswith(str(home / "inboxes" / "dev" / name))
    assert (home / "inboxes" / "dev" / ".quarantine" / name).read_bytes() == b'{"id": "x"}\n'


def test_a_message_that_is_being_written(home: Path) -> None:
    """A pending file that ends early and is younger than 5 s may still be written to: no finding."""
    pending(home).write_bytes(pending(home).read_bytes()[:40])
    assert examine(home) == []
    assert list(doctor.repair(str(home))) == []


def test_another_message_with_an_id_that_was_read(home: Path) -> None:
    """A second message under a read message's id is set aside, not dropped; the same one is dropped."""
    path = home / "inboxes" / "dev" / archived(home).name
    for content, left in ((archived(home).read_bytes(), set()), (archived(home).read_bytes() + b"\n", {"quarantined"})):
        path.write_bytes(content)
        path.chmod(0o600)
        assert codes(home) == {"delivered-twice"}
        assert list(doctor.repair(str(home)))
        assert codes(home) == left
