"""`doctor` names every breakage of a home with the next command, changes nothing, and mends what is provable."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple, Union

import pytest

from agent_team_os.bus import Bus
from agent_team_os.mail import delivery, doctor
from agent_team_os.mail.doctor import agents, place
from agent_team_os.protocol import ids
from agent_team_os.protocol import message as messages
from agent_team_os.protocol.documents import Finding
from agent_team_os.protocol.errors import CannotWrite
from agent_team_os.storage import lock, process
from support.cli import PATIENCE, ROOT, ato, environment

OLD = time.time() - 7200  # seconds; older than anything somebody may still be busy with
# About the machine the tests run on, not about the home.
MACHINE = {"file-system", "disk-full"}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A person's home folder with a healthy bus: ops and dev, a message that was answered, one that is pending."""
    folder = tmp_path_factory.mktemp("template")
    home = folder / ".agent-team-os"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        for agent in ("ops", "dev"):
            (folder / agent).mkdir()
            bus_of(home, None).join(agent, str(folder / agent), {})
    first = bus_of(home, "ops").send("dev", "question", {"question": "Which branch?"})
    dev = bus_of(home, "dev")
    dev.reply(dev.find(first["id"])[0], "response", {"text": "main"})
    send(home)
    return folder


@pytest.fixture
def home(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bus of a copy of that home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    assert examine(tmp_path / ".agent-team-os") == []
    return tmp_path / ".agent-team-os"


def bus_of(home: Path, agent: str | None) -> Bus:
    """The bus as an agent sees it."""
    named = {"AGENT_TEAM_OS_AGENT": agent} if agent else {}
    return Bus.open({"AGENT_TEAM_OS_HOME": str(home), **named}, "/")


def send(home: Path, *attach: Path) -> dict[str, Any]:
    """A message from ops to dev; returns what `send` says of it."""
    return bus_of(home, "ops").send("dev", "question", {"question": "And now?"}, attach=[str(path) for path in attach])


def examine(home: Path) -> list[Finding]:
    """What doctor finds, but for findings about the machine."""
    return [finding for finding in doctor.examine(str(home)) if finding["code"] not in MACHINE]


def codes(home: Path) -> set[str]:
    """The codes of what doctor finds."""
    return {finding["code"] for finding in examine(home)}


def tree(home: Path) -> dict[str, tuple[int, bytes]]:
    """Every name below the home with its mode and content."""
    found = {}
    for path in (home, *home.rglob("*")):
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = path.lstat().st_mode, content
    return found


def pending(home: Path) -> Path:
    """The one message that waits for dev."""
    [path] = (home / "inboxes" / "dev").glob("msg-*.json")
    return path


def archived(home: Path) -> Path:
    """The one message dev has read."""
    [path] = (home / "inboxes" / "dev" / ".read").glob("msg-*.json")
    return path


def log(home: Path) -> Path:
    """The outbox of today; of the later day where midnight passes meanwhile."""
    return max((home / "outbox").glob("*.jsonl"))


def thread(home: Path) -> Path:
    """The thread of two messages."""
    [path] = [path for path in (home / "threads").iterdir() if len(json.loads(path.read_bytes())["messages"]) == 2]
    return path


def edit_map(home: Path, **keys: Any) -> str:
    """Set keys of the agent map, as a person would."""
    path = home / "AGENT_MAP.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **keys}, indent=2) + "\n")
    return str(path)


def age(path: Path) -> None:
    """Make a file or folder two hours old."""
    os.utime(path, (OLD, OLD), follow_symlinks=False)


def python(code: str, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """A real process that runs `code` with the package at hand; its arguments are sys.argv[1:]."""
    setup = f"import os, sys, signal; sys.path.insert(0, {str(ROOT / 'scripts')!r})\n"
    command = [sys.executable, "-I", "-c", setup + code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)


# The breakages. Each breaks a healthy home in one way and returns what the finding must name.


def modes_opened(home: Path) -> str:
    """A home that came back from version control with other modes."""
    for path in (home / "inboxes", home / "inboxes" / "dev", pending(home), home / "AGENT_MAP.json"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return "0755 instead of 0700, and 2 more"


def mode_too_narrow(home: Path) -> str:
    """A folder its owner may not open."""
    (home / "threads").chmod(0o000)
    return "0000 instead of 0700"


def home_writable_by_others(home: Path) -> str:
    """A home other users could write to, which every command refuses."""
    home.chmod(0o777)
    return "can be written by other users"


def folder_gone(home: Path) -> str:
    """A folder of the home was deleted."""
    shutil.rmtree(home / "state")
    return str(home / "state")


def folder_is_file(home: Path) -> str:
    """A file has the name of a folder."""
    shutil.rmtree(home / "state")
    (home / "state").touch(0o600)
    return str(home / "state")


def box_is_file(home: Path) -> str:
    """A file has the name of a session's box."""
    (home / "inboxes" / "dev" / "@web").touch(0o600)
    return "inboxes/dev/@web"


def temporary_left(home: Path) -> str:
    """A writer was killed between writing and renaming, long ago."""
    for path in (home / ".AGENT_MAP.json.tmp", home / "threads" / ".thread-20260520-abc123.json.tmp"):
        path.touch(0o600)
        age(path)
    return ".tmp was left by a writer"


def foreign_name(home: Path) -> str:
    """A file in an inbox has no name of a message."""
    (home / "inboxes" / "dev" / "note to dev.txt").touch(0o600)
    return "note to dev.txt"


def old_foreign_temporary(home: Path) -> str:
    """A helper of version 1 was killed while writing a message; it could be mail, so it stays."""
    path = home / "inboxes" / "dev" / ".msg-20260520T091812Z-x7q3abcd.json.tmp"
    path.touch(0o600)
    age(path)
    return path.name


def name_no_utf8(home: Path) -> str:
    """A name that is no UTF-8 lies in the outbox folder."""
    os.close(os.open(os.fsencode(home / "outbox") + b"/\xff\x1b[31m", os.O_CREAT, 0o600))
    return "\\udcff"


def map_gone(home: Path) -> str:
    """The map was deleted; its last version is still there."""
    (home / "AGENT_MAP.json").unlink()
    return "no agent map"


def map_broken(home: Path) -> str:
    """A comma too many in the map."""
    path = home / "AGENT_MAP.json"
    path.write_text('{\n  "version": "2.0",\n  "rules": [,]\n}\n')
    return "line 3, column 13"


def map_invalid(home: Path) -> str:
    """A value of the map is not what the schema allows."""
    edit_map(home, gods=["Ops"])
    return "gods must be a name"


def map_a_folder(home: Path) -> str:
    """A folder in place of the map."""
    (home / "AGENT_MAP.json").unlink()
    (home / "AGENT_MAP.json").mkdir(0o700)
    return "cannot be read: a folder"


def map_key_unknown(home: Path) -> str:
    """A misspelt key at the top of the map."""
    edit_map(home, cc_awarness={"enabled": True})
    return "Did you mean cc_awareness?"


def map_key_unknown_inside(home: Path) -> str:
    """A misspelt key inside an agent of the map."""
    edit_map(home, agents={"ops": {}, "dev": {"drain": {"max_block": 1}}})
    return '"agents.dev.drain.max_block" of the map (line '


def rule_relative(home: Path) -> str:
    """A rule with a relative path."""
    edit_map(home, rules=[{"pattern": "code/web", "agent": "dev"}])
    return "Rule 1 (code/web) is no absolute path"


def rule_to_nowhere(home: Path) -> str:
    """A rule whose folder was moved away."""
    edit_map(home, rules=[{"pattern": str(home.parent / "gone"), "agent": "dev"}])
    return "points to no folder here"


def glob_to_nowhere(home: Path) -> str:
    """A glob no folder matches."""
    edit_map(home, rules=[{"pattern": f"{home.parent}/*/web", "match": "glob", "agent": "dev"}])
    return "points to no folder here"


def rules_at_odds(home: Path) -> str:
    """Two rules for one folder and two agents."""
    rules = [{"pattern": str(home.parent / name), "agent": agent} for name, agent in (("ops", "ops"), ("ops/", "dev"))]
    edit_map(home, rules=rules)
    return "rule 1 gives it to ops before"


def rule_above_home(home: Path) -> str:
    """A rule for the folder the bus home lies in."""
    edit_map(home, fallback="dev", rules=[{"pattern": str(home.parent), "agent": "ops"}])
    return "holds the bus home"


def names_nobody(home: Path) -> str:
    """A blocked pair with a misspelt name, which blocks nobody."""
    edit_map(home, routing={"blocked_pairs": [["ops", "deb"]]})
    return 'names "deb", which is no agent of the map. Did you mean dev?'


def domain_unknown(home: Path) -> str:
    """An agent of a domain the map does not have."""
    edit_map(home, domains={"work": {"hub": "ops"}}, agents={"ops": {"domain": "work"}, "dev": {"domain": "wrok"}})
    return 'dev is of domain "wrok"'


def persona_gone(home: Path) -> str:
    """A persona file that is not there."""
    edit_map(home, agents={"dev": {"persona_file": "personas/dev.md"}})
    return "is missing"


def persona_outside(home: Path) -> str:
    """A persona file outside the home."""
    edit_map(home, agents={"dev": {"persona_file": "../dev/persona.md"}})
    return "lies outside the bus home"


def persona_large(home: Path) -> str:
    """A persona file over 4 KB."""
    (home / "dev.md").write_text("x" * 4097)
    edit_map(home, agents={"dev": {"persona_file": "dev.md"}})
    return "4097 bytes, more than the 4096 allowed"


def inbox_gone(home: Path) -> str:
    """An agent of the map that has no inbox folder."""
    edit_map(home, agents={"new": {}})
    return "new has no inbox folder yet"


def agent_renamed(home: Path) -> str:
    """Mail waits for a name the map no longer has."""
    edit_map(home, rules=[{"pattern": str(home.parent), "agent": "ops"}], agents={})
    return "Waiting for dev, which is no agent of the map: 1 message."


def card_broken(home: Path) -> str:
    """A registry card that is no JSON."""
    (home / "registry" / "dev.json").write_bytes(b"{")
    (home / "registry" / "dev.json").chmod(0o600)
    return "registry/dev.json cannot be read"


def sender_killed_before_the_line(home: Path) -> str:
    """A sender was killed before its message was in the outbox."""
    message_id = ids.new_message_id()
    code = "from agent_team_os.storage import spool; e = spool.begin(*sys.argv[1:]); e.write(b'{}')\n"
    dead(python(code + "os.kill(os.getpid(), signal.SIGKILL)", home, message_id))
    return f"{message_id} in the spool: it was never sent"


def sender_killed_after_the_line(home: Path) -> str:
    """A sender was killed between the outbox line and the link into the inbox."""
    code = """
from agent_team_os.mail import delivery
from agent_team_os.protocol import message, strictjson
from agent_team_os.storage import files
files.publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
delivery.send(sys.argv[1], message.build("ops", "dev", "question", {"question": "Still there?"}))
"""
    dead(python(code, home))
    return "it was sent and is not yet delivered"


def blob_left(home: Path) -> str:
    """A piece of an attachment whose spool file is gone."""
    path = home / "outbox" / ".spool" / f"{ids.new_message_id()}.blob"
    path.touch(0o600)
    return str(path)


def pending_no_message(home: Path) -> str:
    """A pending file that is no message."""
    pending(home).write_bytes(b'{"id": "x"}\n')
    return f"{pending(home)} in the inbox of dev is no message"


def pending_cut_off(home: Path) -> str:
    """A pending file that ends in the middle, and whose writer is long gone."""
    pending(home).write_bytes(pending(home).read_bytes()[:40])
    age(pending(home))
    return "is no message"


def pending_a_folder(home: Path) -> str:
    """A folder in place of a pending message."""
    path = pending(home)
    path.unlink()
    path.mkdir(0o700)
    return "is no message: a folder"


def archived_a_fifo(home: Path) -> str:
    """A FIFO in place of an archived message."""
    path = archived(home)
    path.unlink()
    os.mkfifo(path, 0o600)
    return f"The archived message {path.stem} of dev cannot be read any more: a FIFO"


def set_aside(home: Path) -> str:
    """A reader has set a file aside."""
    pending(home).write_bytes(b"[]")
    bus_of(home, "dev").inbox()
    return "was set aside: must be object"


def read_and_pending(home: Path) -> str:
    """A message that was read lies in the inbox again."""
    shutil.copy(archived(home), home / "inboxes" / "dev")
    return f"{archived(home).stem} is pending for dev and was read before"


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


def clock_set_back(home: Path) -> str:
    """A message from a time when the clock was ahead."""
    message = messages.build("ops", "dev", "question", {"question": "When?"})
    message["id"] = time.strftime("msg-%Y%m%dT%H%M%SZ-", time.gmtime(time.time() + 7300)) + "x7q3abcd"
    delivery.send(str(home), message)
    return f"2 h behind the newest message, {message['id']}"


def lock_of_the_dead(home: Path) -> str:
    """A sender was killed while it held the lock of an inbox."""
    code = """
from agent_team_os.storage import lock
with lock.recipient(*sys.argv[1:]):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    process = python(code, home, "dev")
    dead(process)
    return f"process {process.pid} of this machine, which runs no more"


def lock_of_a_reused_pid(home: Path) -> str:
    """The process with the number in the lock is a younger one."""
    path = home / "locks" / "dev.lock"
    path.mkdir(0o700)
    (path / f"{process.host()}.{os.getpid()}.{process.boot()}-1").touch(0o600)
    return f"process {os.getpid()} of this machine, which runs no more"


def lock_empty(home: Path) -> str:
    """A helper of version 1 was killed while it held a lock."""
    path = home / "locks" / "dev.lock"
    path.mkdir(0o755)
    age(path)
    return "is empty and older than the 2 s"


def lock_of_another_host(home: Path) -> str:
    """A process on another machine holds a lock, or was killed."""
    path = home / "locks" / "dev.lock"
    path.mkdir(0o700)
    (path / "elsewhere.4711.0a1b2c3d-99").touch(0o600)
    age(path)
    return "process 4711 on another machine, elsewhere"


def lock_of_something(home: Path) -> str:
    """Something unknown lies in a lock folder."""
    path = home / "locks" / "dev.lock"
    (path / "sub folder").mkdir(0o700, parents=True)
    age(path)
    return "something no lock contains, 'sub folder'"


def lock_a_file(home: Path) -> str:
    """A file in place of a lock folder."""
    (home / "locks" / "dev.lock").touch(0o600)
    return "must be a folder and is none"


def guard_a_folder(home: Path) -> str:
    """A folder in place of a guard."""
    (home / "locks" / "new.guard").mkdir(0o700)
    return "new.guard must be a plain file"


def dead(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that kills itself."""
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL


def blob(home: Path) -> Path:
    """The blob of a message that has just been sent with an attachment."""
    (home.parent / "trace.txt").write_text("trace")
    send(home, home.parent / "trace.txt")
    [path] = (home / "attachments").iterdir()
    return path


class Breakage(NamedTuple):
    """What breaks a home, and what doctor must say of it."""

    breaks: Callable[[Path], str]
    code: str
    severity: str
    mends: bool
    also: frozenset[str] = frozenset()  # codes of what else is then wrong


BREAKAGES = [
    Breakage(modes_opened, "wrong-mode", "warning", True),
    Breakage(home_writable_by_others, "home-refused", "error", True, frozenset(("wrong-mode",))),
    Breakage(folder_gone, "folder-missing", "note", True),
    Breakage(folder_is_file, "not-a-folder", "error", False),
    Breakage(box_is_file, "not-a-folder", "error", False),
    Breakage(temporary_left, "temporary-left", "note", True),
    Breakage(foreign_name, "foreign-name", "note", False),
    Breakage(old_foreign_temporary, "foreign-name", "note", False),
    Breakage(name_no_utf8, "foreign-name", "note", False),
    Breakage(map_gone, "map-missing", "note", False),
    Breakage(map_broken, "map-invalid", "error", False),
    Breakage(map_invalid, "map-invalid", "error", False),
    Breakage(map_a_folder, "map-invalid", "error", False),
    Breakage(map_key_unknown, "map-unknown-key", "warning", False),
    Breakage(map_key_unknown_inside, "map-unknown-key", "warning", False),
    Breakage(rule_relative, "rule-relative", "warning", False),
    Breakage(rule_to_nowhere, "rule-without-folder", "warning", False),
    Breakage(glob_to_nowhere, "rule-without-folder", "warning", False),
    Breakage(rules_at_odds, "rules-at-odds", "warning", False),
    Breakage(rule_above_home, "home-in-workspace", "note", False),
    Breakage(names_nobody, "map-unknown-agent", "warning", False),
    Breakage(domain_unknown, "map-unknown-domain", "warning", False),
    Breakage(persona_gone, "bad-persona", "warning", False),
    Breakage(persona_outside, "bad-persona", "warning", False),
    Breakage(persona_large, "bad-persona", "warning", False),
    Breakage(inbox_gone, "inbox-missing", "note", True),
    Breakage(agent_renamed, "mail-stranded", "warning", False, frozenset(("home-in-workspace",))),
    Breakage(card_broken, "bad-card", "warning", True),
    Breakage(sender_killed_before_the_line, "spool-left", "warning", True),
    Breakage(sender_killed_after_the_line, "spool-left", "warning", True, frozenset(("lock-dead",))),
    Breakage(blob_left, "spool-left", "note", True),
    Breakage(pending_no_message, "bad-message", "error", False),
    Breakage(pending_cut_off, "bad-message", "error", False),
    Breakage(pending_a_folder, "bad-message", "error", False),
    Breakage(archived_a_fifo, "bad-archived", "error", False),
    Breakage(set_aside, "quarantined", "warning", False),
    Breakage(read_and_pending, "delivered-twice", "warning", True),
    Breakage(outbox_a_fifo, "bad-outbox", "error", False),
    Breakage(outbox_line_bad, "bad-outbox-line", "warning", False),
    Breakage(outbox_line_gone, "not-in-outbox", "warning", False),
    Breakage(message_deleted, "in-no-inbox", "warning", False),
    Breakage(thread_deleted, "thread-lacks-message", "warning", True),
    Breakage(thread_entry_gone, "thread-lacks-message", "warning", True),
    Breakage(thread_entry_twice, "thread-doubles-message", "warning", True),
    Breakage(thread_broken, "bad-thread", "error", True),
    Breakage(thread_a_folder, "bad-thread", "error", True),
    Breakage(blob_gone, "blob-missing", "error", False),
    Breakage(blob_changed, "blob-damaged", "error", False),
    Breakage(blob_unused, "blob-unused", "note", False),
    Breakage(clock_set_back, "clock-behind", "warning", False),
    Breakage(lock_of_the_dead, "lock-dead", "warning", True),
    Breakage(lock_of_a_reused_pid, "lock-dead", "warning", True),
    Breakage(lock_empty, "lock-empty", "warning", True),
    Breakage(lock_of_another_host, "lock-foreign", "warning", True),
    Breakage(lock_of_something, "lock-foreign", "warning", True),
    Breakage(lock_a_file, "lock-blocked", "error", True),
    Breakage(guard_a_folder, "guard-blocked", "error", True),
]


def _name(breakage: Breakage) -> str:
    return breakage.breaks.__name__


@pytest.mark.parametrize("breakage", BREAKAGES, ids=_name)
def test_a_broken_home_is_named_and_left_alone(breakage: Breakage, home: Path) -> None:
    """Each breakage gives its finding, with what is wrong and what to do, and no other; looking changes nothing."""
    says = breakage.breaks(home)
    before = tree(home)
    found = examine(home)
    assert {finding["code"] for finding in found} - breakage.also == {breakage.code}
    mine = [finding for finding in found if finding["code"] == breakage.code]
    assert any(says in finding["what"] for finding in mine), mine
    for finding in mine:
        assert finding["severity"] == breakage.severity
        assert finding["fix"]
        assert finding["path"].startswith(str(home))
        assert finding["what"].endswith((".", "?"))
    assert tree(home) == before
    json.dumps(found, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("breakage", [entry for entry in BREAKAGES if entry.mends], ids=_name)
def test_what_can_be_mended_is_mended_once(breakage: Breakage, home: Path) -> None:
    """Repair says what it mended, leaves nothing to find, and has nothing to do the second time."""
    breakage.breaks(home)
    said = list(doctor.repair(str(home)))
    assert said
    assert all(sentence.endswith(".") and sentence.isprintable() for sentence in said)
    assert examine(home) == []
    assert list(doctor.repair(str(home))) == []


@pytest.mark.parametrize("breakage", [entry for entry in BREAKAGES if not entry.mends], ids=_name)
def test_what_cannot_be_mended_stays(breakage: Breakage, home: Path) -> None:
    """Where there is nothing provable to do, repair deletes no byte of any file, and the finding stays in some form."""
    breakage.breaks(home)
    before = {content for _, content in tree(home).values()}
    list(doctor.repair(str(home)))
    assert before <= {content for _, content in tree(home).values()}
    assert examine(home)
    assert list(doctor.repair(str(home))) == []


def test_every_check_has_a_breakage() -> None:
    """The table above knows every code the checks can give, but for those with a test of their own below."""
    source = "".join(path.read_text() for path in Path(doctor.__file__).parent.glob("*.py"))
    mentioned = {entry.code for entry in BREAKAGES}
    alone = {"python-old", "package-missing", "home-missing", "home-read-only", "foreign-owner", "cannot-look"}
    for code in alone | MACHINE:
        assert f'"{code}"' in source
    named = set(re.findall(r'finding\(\s*"([a-z-]+)"', source)) | set(re.findall(r'yield "([a-z-]+)"', source))
    assert named - mentioned <= alone | MACHINE


# What the table cannot show.


def test_no_bus_yet(tmp_path: Path) -> None:
    """Without a home there is one note and the command that makes it, and repair makes nothing."""
    [finding] = examine(tmp_path / "none")
    assert (finding["code"], finding["severity"], finding["fix"]) == ("home-missing", "note", "ato init")
    assert list(doctor.repair(str(tmp_path / "none"))) == []
    assert list(tmp_path.iterdir()) == []


def test_a_home_of_another_user(tmp_path: Path) -> None:
    """A home that belongs to somebody else is an error, is not looked into, and is not repaired."""
    theirs = tmp_path / "theirs"
    theirs.mkdir(0o777)
    theirs = theirs if os.geteuid() == 0 else Path("/usr")
    if os.geteuid() == 0:
        os.chown(theirs, 12345, -1)
    [finding] = examine(theirs)
    assert (finding["code"], finding["severity"]) == ("home-refused", "error")
    assert "belongs to another user" in finding["what"]
    assert list(doctor.repair(str(theirs))) == []


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    """A file in place of the home is an error."""
    (tmp_path / "home").touch()
    [finding] = examine(tmp_path / "home")
    assert (finding["code"], finding["severity"]) == ("home-refused", "error")


def test_things_of_another_user(home: Path) -> None:
    """What another user owns inside the home, as after sudo, is one error with the command that gives it back."""
    assert list(place.foreign_owner(str(home))) == []
    [finding] = place.foreign_owner(str(home), os.geteuid() + 1)
    assert finding["code"] == "foreign-owner"
    assert finding["fix"] == f'sudo chown -R "$(id -un)" {home}'


def test_a_home_that_cannot_be_written() -> None:
    """A home without the right to write is a warning: what is there can still be listed."""
    with tempfile.TemporaryDirectory(prefix="doctor-") as folder:
        home = Path(folder) / "home"
        home.mkdir(0o500)
        assert_read_only(home)


def assert_read_only(home: Path) -> None:
    """Look at an unwritable home as a user who is not root."""
    nobody = 65534
    if os.geteuid() == 0:
        home.parent.chmod(0o755)
        os.chown(home, nobody, -1)
        os.seteuid(nobody)
    try:
        [finding] = place.home_read_only(str(home))
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
    assert (finding["code"], finding["severity"]) == ("home-read-only", "warning")
    assert list(place.home_read_only(str(home.parent))) == []


def test_a_folder_that_cannot_be_opened(home: Path) -> None:
    """A folder without any permission is named for its mode, and is read again after the repair."""
    says = mode_too_narrow(home)
    assert any(finding["code"] == "wrong-mode" and says in finding["what"] for finding in examine(home))
    assert list(doctor.repair(str(home)))
    assert examine(home) == []


def test_what_cannot_be_looked_at(home: Path) -> None:
    """A folder the system refuses to list is one error, and everything else is looked at all the same."""
    shutil.rmtree(home / "threads")
    (home / "threads").symlink_to("threads")
    edit_map(home, gods=["nobody"])
    found = {finding["code"]: finding for finding in examine(home)}
    assert found["cannot-look"]["path"] == str(home / "threads")
    assert {"map-unknown-agent", "not-a-folder"} <= found.keys()


def test_python_too_old(home: Path) -> None:
    """A Python the command line was not written for is an error."""
    assert list(place.python_too_old(str(home))) == []
    [finding] = place.python_too_old(str(home), (3, 9))
    assert (finding["code"], finding["severity"]) == ("python-old", "error")
    assert finding["what"] == "Python 3.9 runs this; the command line needs 3.11 or newer."


def test_packages_missing(home: Path) -> None:
    """Run by a Python without the packages, doctor still works and names the packages."""
    code = f"""import sys, json; sys.path.insert(0, {str(ROOT / "scripts")!r})
from agent_team_os.mail import doctor
print(json.dumps(doctor.examine(sys.argv[1])))
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, home], capture_output=True, check=True)
    [finding] = [entry for entry in json.loads(done.stdout) if entry["code"] not in MACHINE]
    assert (finding["code"], finding["severity"]) == ("package-missing", "error")
    assert "click, jsonschema, portalocker" in finding["what"]


def test_disk_nearly_full(home: Path) -> None:
    """Less room than a few messages with attachments need is a warning."""
    assert list(place.disk_full(str(home), room=0)) == []
    [finding] = place.disk_full(str(home), room=2**62)
    assert (finding["code"], finding["severity"]) == ("disk-full", "warning")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("nfs4", "promised for local disks"),
        ("fuse.sshfs", "promised for local disks"),
        ("9p", "promised for local disks"),
        ("exfat", "no hard links"),
        ("ext4", None),
        ("fuse.gocryptfs", None),
    ],
)
def test_file_systems(kind: str, says: str | None, home: Path) -> None:
    """A file system that several machines write to, or without hard links, is a warning."""
    point = str(home.parent).replace(" ", "\\040")
    mounts = home.parent / "mounts"
    mounts.write_text(
        f"/dev/a / ext4 rw 0 0\nold {point} ext4 rw 0 0\nnew {point} {kind} rw 0 0\nb {point}x vfat rw 0 0\n"
    )
    found = list(place.file_system(str(home), str(mounts)))
    assert [finding["code"] for finding in found] == (["file-system"] if says else [])
    assert all(says and says in finding["what"] for finding in found)


def test_the_mount_table_of_this_machine(home: Path) -> None:
    """The type of the file system is found in the kernel's own table, wherever there is one."""
    assert bool(place.file_system_of(str(home), place.MOUNTS)) == os.path.exists(place.MOUNTS)


def test_the_map_of_the_schema_has_no_unknown_keys(home: Path) -> None:
    """Names of agents and domains, and the settings of a task provider, are no unknown keys."""
    schema = json.loads((ROOT / "schemas" / "agent-map.schema.json").read_bytes())
    provider = {"kind": "github", "repository": "me/web"}
    for document in (*schema["examples"], {"version": "2.0", "domains": {"any-name": {"task_provider": provider}}}):
        assert list(agents.unknown_key(str(home), json.dumps(document), document)) == []


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"routing_rules": {"dev": {"deny": ["opps"]}}}, '"opps"'),
        ({"routing_rules": {"def": {"deny": ["ops"]}}}, '"deny"'),
        ({"domains": {"work": {"hub": "opps"}}}, '"opps"'),
        ({"gods": ["ops", "opps"]}, '"opps"'),
        ({"cc_awareness": {"hub": "opps"}}, '"opps"'),
    ],
)
def test_every_place_that_names_an_agent(keys: dict[str, Any], line: str, home: Path) -> None:
    """Wherever the map names an agent it does not have, the finding says where, in which line, and who was meant."""
    path = edit_map(home, **keys)
    [finding] = examine(home)
    assert finding["code"] == "map-unknown-agent"
    assert next(iter(keys)) in finding["what"]
    assert "Did you mean" in finding["what"]
    number = int(finding["what"].partition("(line ")[2].partition(")")[0])
    # The key of a rule has its line where its value begins.
    assert line.strip('"') in "".join(Path(path).read_text().split("\n")[number - 1 : number + 1])


def test_globs_that_lead_somewhere(home: Path) -> None:
    """A glob is fine when some folder matches it; one with ** is not walked."""
    for pattern in (f"{home.parent}/d*", f"{home.parent}/*v", f"{home.parent}/**/x", str(home.parent / "dev")):
        edit_map(home, fallback="ops", rules=[{"pattern": pattern, "match": "glob", "agent": "dev"}])
        assert codes(home) == set(), pattern


def test_a_lost_map_comes_back_from_the_one_before(home: Path) -> None:
    """Where the map is gone or broken and the one before is good, the command that brings it back is given."""
    for breaks in (map_gone, map_broken, map_a_folder):
        breaks(home)
        [finding] = examine(home)
        command = finding["fix"].rpartition(": ")[2]
        assert "cp -p " in command
        subprocess.run(command, shell=True, check=True)
        assert codes(home) <= {"map-unknown-agent", "rule-without-folder", "mail-stranded"}


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
delivery.send(sys.argv[1], message.build("ops", "dev", "question", {"question": "Still there?"}))
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


def test_a_live_holder_is_no_finding(home: Path) -> None:
    """A lock held by a live process of ours is no finding, however long, and repair does not take it."""
    code = """
from agent_team_os.storage import lock
with lock.recipient(*sys.argv[1:]):
    print("here", flush=True)
    sys.stdin.read()
"""
    process = python(code, home, "dev")
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    age(home / "locks" / "dev.lock")
    before = tree(home / "locks")
    assert examine(home) == []
    assert list(doctor.repair(str(home))) == []
    assert tree(home / "locks") == before
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert examine(home) == []


def test_a_helper_within_its_lease_is_no_finding(home: Path) -> None:
    """An empty lock folder is a helper's for 2 s; after them it is a finding."""
    (home / "locks" / "dev.lock").mkdir(0o755)
    assert examine(home) == []
    time.sleep(lock.LEASE + 0.2)
    assert codes(home) == {"lock-empty"}


def test_a_foreign_holder_is_broken_by_repair_alone(home: Path) -> None:
    """After the repair of a lock of another machine a send passes, and what lay in the lock is kept."""
    lock_of_another_host(home)
    env = {**environment(home.parent), "AGENT_TEAM_OS_AGENT": "ops"}
    assert list(doctor.repair(str(home)))
    assert ato(env, home.parent, "send", "dev", "question", "--field", "question=Now?").returncode == 0
    [kept] = (home / "locks" / ".quarantine").iterdir()
    assert kept.name.endswith("elsewhere.4711.0a1b2c3d-99")


def test_force_waits_for_the_guard(home: Path) -> None:
    """By force means under the guard: while a process of ours holds it, a foreign name is not touched."""
    lock_of_another_host(home)
    before = tree(home / "locks" / "dev.lock")
    with lock.guard(str(home), "dev"):
        assert codes(home) == {"lock-foreign"}
        assert list(doctor.repair(str(home))) == []
    assert tree(home / "locks" / "dev.lock") == before


def test_the_command(home: Path) -> None:
    """`ato doctor --json` prints `{ok, findings, hooks}` and exits 4 with an error, also where the map is broken."""
    env = environment(home.parent)
    done = ato(env, home.parent, "doctor")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hooks: none has run here yet\nNothing is wrong.\n", "")
    map_broken(home)
    done = ato(env, home.parent, "doctor", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 4
    assert document["ok"] is False
    assert [set(finding) for finding in document["findings"]] == [{"code", "severity", "path", "what", "fix"}]
    done = ato(env, home.parent, "doctor")
    assert done.returncode == 4
    assert "line 3, column 13" in done.stdout
    assert "Next: Edit " in done.stdout


def test_the_command_repairs(home: Path) -> None:
    """`ato doctor` leaves a spool file where it is, `--repair` finishes it and says so on stderr."""
    sender_killed_after_the_line(home)
    env = environment(home.parent)
    for _ in range(2):
        done = ato(env, home.parent, "doctor", "--json")
        assert {finding["code"] for finding in json.loads(done.stdout)["findings"]} == {"spool-left", "lock-dead"}
        assert done.returncode == 0
    done = ato(env, home.parent, "doctor", "--repair", "--json")
    assert json.loads(done.stdout) == {"ok": True, "findings": [], "hooks": {"ran": {}, "error": None}}
    assert done.stderr.count("Repaired: ") == 2
    done = ato(env, home.parent, "doctor", "--repair")
    assert (done.stdout, done.stderr) == ("Hooks: none has run here yet\nNothing is wrong.\n", "")


WORKER = """
import random, contextlib
from agent_team_os.bus import Bus
from agent_team_os.protocol.errors import NothingToRead
home, number, file = sys.argv[1:]
me, other = ("ops", "dev") if int(number) % 2 else ("dev", "ops")
bus = Bus.open({"AGENT_TEAM_OS_HOME": home, "AGENT_TEAM_OS_AGENT": me}, "/")
for turn in range(30):
    attach = [file] if turn % 5 == 0 else []
    if attach:
        with open(file, "w") as out:
            out.write(f"{number} {turn}")
    bus.send(other if turn % 3 else other + "/web", "question", {"question": "?"}, attach=attach)
    with contextlib.suppress(NothingToRead):
        with bus.reading() as shown:
            message = shown["message"]
        if turn % 4 == 0:
            bus.reply(message, "response", {"text": "yes"})
"""


def test_no_false_alarm_beside_busy_processes(home: Path, tmp_path: Path) -> None:
    """While eight processes send, read, reply and attach, doctor finds nothing, and nothing is wrong afterwards."""
    workers = [python(WORKER, home, number, tmp_path / f"file{number}") for number in range(8)]
    looks = 0
    try:
        while any(worker.poll() is None for worker in workers):
            assert examine(home) == []
            looks += 1
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
            worker.communicate(timeout=PATIENCE)
    assert [worker.returncode for worker in workers] == [0] * 8
    assert looks > 1
    assert len(log(home).read_bytes().splitlines()) >= 8 * 30
    assert examine(home) == []
    assert list(doctor.repair(str(home))) == []


def test_repair_beside_busy_processes(home: Path, tmp_path: Path) -> None:
    """Repair mends nothing that is not broken while others are at work."""
    workers = [python(WORKER, home, number, tmp_path / f"file{number}") for number in range(4)]
    try:
        while any(worker.poll() is None for worker in workers):
            assert list(doctor.repair(str(home))) == []
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
            worker.communicate(timeout=PATIENCE)
    assert [worker.returncode for worker in workers] == [0] * 4
    assert examine(home) == []


Stop = Union[int, str]


class Turns:
    """Doctor and one other command, taking turns at the system calls: a race that is played, not waited for.

    The other command runs in a thread of its own. At the doctor's calls named in `starts` it gets a turn, which
    lasts to its next call named in `stops`, by number or name, to a lock it has to wait for, or to its end. What it
    writes it writes in pieces where it is long; what is not the first piece is a call of the name `rest`.
    """

    CALLS = ("open", "listdir", "lstat", "link", "unlink", "rename", "write", "fsync", "mkdir", "ftruncate", "fchmod")

    def __init__(self, command: Callable[[], object], starts: set[int], stops: set[Stop], fails: bool) -> None:
        self.starts, self.stops, self.fails = starts, stops, fails
        self.calls = {"doctor": 0, "other": 0}
        self.go, self.back = threading.Semaphore(0), threading.Semaphore(0)
        self.waits = self.ended = self.torn = False
        self.thread = threading.Thread(target=self._run, args=[command])

    def _run(self, command: Callable[[], object]) -> None:
        self.go.acquire()
        with contextlib.suppress(CannotWrite):
            command()
        self.ended = True
        self.back.release()

    def _pause(self) -> None:
        self.back.release()
        self.go.acquire()

    def _turn(self) -> None:
        if not self.ended:
            self.go.release()
            self.back.acquire()

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        """A system call that counts and lets the other side have its turn."""

        def call(*arguments: Any, **options: Any) -> Any:
            who = "other" if threading.current_thread() is self.thread else "doctor"
            self.calls[who] += 1
            if who == "doctor" and (self.calls[who] in self.starts or self.waits):
                self.waits = False
                self._turn()
            if who == "other" and {self.calls[who], "rest" if name == "write" and self.torn else name} & self.stops:
                self._pause()
            if who == "other" and name == "write":
                self.torn = len(arguments[1]) > 300
                arguments = arguments[0], arguments[1][: len(arguments[1]) // (2 if self.torn else 1)]
            if who == "other" and name == "link" and self.fails and str(arguments[1]).endswith(".json"):
                raise OSError(errno.EIO, "input/output error")
            return None if name == "fsync" else real(*arguments, **options)  # this is about order, not about power

        return call

    def sleep(self, _seconds: float) -> None:
        """The wait for a lock: the doctor may be holding it, so it goes on at the doctor's next call."""
        self.waits = True
        self._pause()

    def play(self, home: Path) -> list[Finding]:
        """Let both run to their ends; what doctor found."""
        with pytest.MonkeyPatch.context() as patch:
            for name in self.CALLS:
                patch.setattr(os, name, self.wrap(name, getattr(os, name)))
            patch.setattr(time, "sleep", self.sleep)
            self.thread.start()
            found = examine(home)
            self.starts.clear()
            while not self.ended:
                self._turn()
            self.thread.join(PATIENCE)
        return found


def races(home: Path) -> dict[str, Callable[[Path], object]]:
    """What may happen while doctor looks, by name; each gets a copy of `home`."""
    (home.parent / "file").write_text("attached")
    question = pending(home).stem

    def read(home: Path) -> None:
        with bus_of(home, "dev").reading():
            pass

    def reply(home: Path) -> None:
        dev = bus_of(home, "dev")
        dev.reply(dev.find(question)[0], "response", {"text": "yes"})

    return {
        "send": lambda home: send(home, home.parent / "file"),
        "refused": lambda home: send(home, home.parent / "file"),
        "read": read,
        "reply": reply,
        "session": lambda home: bus_of(home, "ops").send("dev/web", "question", {"question": "Who?"}),
    }


def play(home: Path, drawn: Iterable[tuple[str, set[int], set[Stop]]]) -> None:
    """Play races, each in a copy of a healthy home: a command, the doctor's calls before which it gets a turn, and
    its own calls before which the turn ends.
    """
    commands = races(home)
    template = home.rename(home.parent / "template")
    for name, starts, stops in drawn:
        shutil.copytree(template, home)
        turns = Turns(functools.partial(commands[name], home), set(starts), stops, name == "refused")
        found = turns.play(home)
        # A send that was refused leaves its attachment behind, and that is what doctor may say.
        allowed = {"blob-unused"} if name == "refused" else set()
        assert [entry for entry in found if entry["code"] not in allowed] == [], (name, starts, stops)
        assert codes(home) <= allowed, (name, starts, stops)
        shutil.rmtree(home)


COMMANDS = ("send", "refused", "read", "reply", "session")
# No look at a home like this takes more calls of the doctor, nor of the other.
MOST_CALLS, MOST_OTHER = 280, 60


def draw(rounds: int) -> Iterator[tuple[str, set[int], set[Stop]]]:
    """Races at random, the same ones in each run."""
    dice = random.Random(20260520)
    for _ in range(rounds):
        starts = {dice.randrange(1, MOST_CALLS) for _ in range(dice.randrange(1, 5))}
        stops: set[Stop] = {dice.randrange(1, MOST_OTHER) for _ in range(dice.randrange(0, 4))}
        yield dice.choice(COMMANDS), starts, stops


def test_no_false_alarm_in_races(home: Path) -> None:
    """Whatever a send, a refused send, a reply or a reader does between two looks, doctor finds nothing."""
    play(home, draw(100))


@pytest.mark.full
def test_no_false_alarm_at_any_call(home: Path) -> None:
    """The same, with each command run whole, or resumed in its worst places, before each call of the doctor."""
    calls = range(1, MOST_CALLS)
    whole = ((name, {call}, set[Stop]()) for name in COMMANDS for call in calls)
    # Half a line in the outbox; a blob that nothing names; a line that will be taken back.
    worst: list[tuple[str, Stop]] = [("send", "rest"), ("send", "link"), ("refused", "ftruncate")]
    play(home, itertools.chain(whole, ((name, {1, call}, {stop}) for name, stop in worst for call in calls)))


@pytest.mark.full
def test_no_false_alarm_in_many_races(home: Path) -> None:
    """The same, for as many orders as a long run has time for."""
    play(home, draw(3000))
