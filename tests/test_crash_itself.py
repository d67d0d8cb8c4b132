"""The search for crash points finds every call, strikes where it says, and sees what careless programs do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable

import pytest

from conftest import Team
from support import crash
from test_crash import VERBS, disturb
from test_crash_hooks import EVENTS
from test_crash_hooks import disturb as disturb_hook

FOLDERS = """
import os
for number in range(5):
    try:
        os.mkdir(str(number))
    except OSError:
        pass
"""
CALLS = """
import os
with open("new.tmp", "w") as file:
    file.write("x")
    file.flush()
    os.fsync(file.fileno())
os.rename("new.tmp", "new")
with open("old", "a") as file:
    file.write("x")
open("old").close()
os.chmod("old", 0o600)
os.utime("old")
os.remove("old")
os.mkdir("folder")
os.rmdir("folder")
print("done")
"""


def script(folder: Path, text: str) -> crash.Act:
    """A program that runs in an empty folder."""
    path = folder / "program.py"
    path.write_text(text)
    (folder / "template").mkdir()
    return crash.Act(folder / "root", {}, (), script=path)


def test_every_call_is_found(tmp_path: Path) -> None:
    """Each call that changes something below the folder, or prints, is a point, and no call that only looks."""
    act = script(tmp_path, CALLS)
    with crash.Starter() as starter:
        root = crash.fresh(tmp_path / "template", tmp_path / "root")
        found = crash.points(starter.watch(act), root)
    assert [kind(point) for point in found] == [
        "open", "write", "sync", "rename", "open", "write", "chmod", "utimens", "unlink", "mkdir", "rmdir", "write",
    ]  # fmt: skip


def kind(point: crash.Point) -> str:
    """The name of a call on any machine: some have only `unlinkat`, and say by a flag that it is to be a folder."""
    return "rmdir" if "AT_REMOVEDIR" in point.text else re.sub(r"^f|at2?$", "", point.call)


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        ("kill", lambda number: {*range(number)}),
        ("ENOSPC", lambda number: {*range(5)} - {number}),
        ("ENOSPC+", lambda number: {*range(number)}),
    ],
    ids=["kill", "once", "lasting"],
)
def test_a_fault_strikes_its_call(fault: str, left: Callable[[int], set[int]], tmp_path: Path) -> None:
    """A call that is hit does nothing; before a kill all was done, after an error the rest is, unless it lasts."""
    act = script(tmp_path, FOLDERS)
    struck = []

    def judge(_outcome: crash.Outcome, _fault: str) -> None:
        struck.append({int(path.name) for path in (tmp_path / "root").iterdir()})

    with crash.Starter() as starter:
        crash.explore(starter, act, tmp_path / "template", tmp_path / "root", lambda *_: [fault], judge)
    assert struck == [left(number) for number in range(5)]


def test_a_fault_that_strikes_nothing(tmp_path: Path) -> None:
    """A call that is not made again is no silent success."""
    act = script(tmp_path, FOLDERS)
    with crash.Starter() as starter:
        root = crash.fresh(tmp_path / "template", tmp_path / "root")
        point = crash.points(starter.watch(act), root)[-1]
        with pytest.raises(AssertionError, match="did not strike"):
            starter.disturb(act, point._replace(nth=6), "kill", root)


# A sender of a message that is valid, in its three places. What is careless about it comes behind.
SENDER = """
import json, os, sys
home = os.environ["HOME"] + "/.agent-team-os"
thread_id, message_id = "thread-20260520-careless"[:-2], "msg-20260520T091812Z-careless"
message = {
    "id": message_id, "version": "2.0", "from": "ops", "to": "dev", "thread_id": thread_id,
    "ts": "2026-05-20T09:18:12Z", "type": "question", "intent": "question", "payload": {"question": "?"},
}
entry = {name: message[name] for name in ("id", "from", "to", "type", "intent", "ts")}
thread = {
    "id": thread_id, "subject": "?", "participants": ["dev", "ops"], "messages": [entry], "status": "open",
    "opened": message["ts"], "closed": None,
}

def line():
    with open(home + "/outbox/2026-05-20.jsonl", "a") as file:
        file.write(json.dumps(message) + "\\n")
        file.flush()
        os.fsync(file.fileno())

def place(path, document):
    folder, name = os.path.split(home + path)
    with open(folder + "/." + name + ".tmp", "w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(folder + "/." + name + ".tmp", home + path)

def inbox():
    place("/inboxes/dev/" + message_id + ".json", message)

def enter():
    place("/threads/" + thread_id + ".json", thread)

def say():
    print(json.dumps({"id": message_id}))
"""
CARELESS = {
    "inbox first, and no spool": ("inbox(); line(); enter(); say()", crash.kill, "only in an inbox"),
    "line first, and no spool": ("line(); inbox(); enter(); say()", crash.kill, "only in the outbox"),
    "thread last, and no spool": ("line(); inbox(); enter(); say()", crash.every_error, "Traceback"),
    "the name before the content": (
        "with open(home + '/inboxes/dev/' + message_id + '.json', 'w') as file: json.dump(message, file)\n"
        "line(); enter(); say()",
        crash.kill,
        "only in an inbox",
    ),
    "yes, whatever happens": (
        "try:\n    line(); inbox(); enter()\nexcept OSError:\n    pass\nsay()",
        crash.every_error,
        "said yes and sent nothing|only in the outbox",
    ),
    "no, although it was sent": (
        "try:\n    line(); inbox(); enter(); os.utime(home)\nexcept OSError:\n    sys.exit(73)",
        lambda _, point: ["EIO"] if point.call == "utimensat" else [],
        "said no and sent it",
    ),
    "once more after an error": (
        "try:\n    line()\nexcept OSError:\n    line()\ninbox(); enter(); say()",
        lambda _, point: ["EIO"] if point.call == "fsync" else [],
        "in the outbox twice",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CARELESS)
def test_careless_senders_are_caught(name: str, team: Team) -> None:
    """A sender without a spool, with a half-written file, or with a wrong word about what it did, is found out."""
    end, faults, why = CARELESS[name]
    program = team.root.parent / "careless.py"
    program.write_text(SENDER + end)
    with pytest.raises(AssertionError, match=why):
        disturb(VERBS["send"], team, faults, program)


def test_a_hook_that_remembers_before_it_speaks_is_caught(team: Team) -> None:
    """A hook that counts mail as told before it was printed is found out by a kill between the two."""
    program = team.root.parent / "careless.py"
    program.write_text(
        "import runpy\n"
        "from agent_team_os.hooks import call\n"
        "later = call.Call.announce\n"
        "call.Call.announce = lambda self, *given: (later(self, *given), self.after.pop()())\n"
        f"runpy.run_path({str(crash.HOOKS)!r}, run_name='__main__')\n"
    )
    with pytest.raises(AssertionError, match="never told"):
        disturb_hook(EVENTS["new-session"], team, crash.kill, program)
