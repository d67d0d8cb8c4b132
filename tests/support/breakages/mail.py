"""Breakages of mail on its way: cards, inboxes, the spool and archives.

Each breaks a healthy home in one way and returns what the finding must name.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from agent_team_os.protocol import ids
from support.homes import age, archived, bus_of, dead, edit_map, pending, python


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
delivery.send(sys.argv[1], [delivery.Outgoing(message.build("ops", "dev", "question", {"question": "Still there?"}))])
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


def task_change_waits(home: Path) -> str:
    """What a message means for a task was not taken for hours; that of another one waits since a moment ago."""
    for number, old in enumerate((True, False)):
        path = _change(home, f"msg-20260520T09181{number}Z-x7q3abcd.json")
        path.write_text(json.dumps({"message_id": path.stem, "agent": "dev", "task_id": "t-1"}))
        if old:
            age(path)
    return "What msg-20260520T091810Z-x7q3abcd means for its task has waited for the task manager for 2 h"


def task_change_broken(home: Path) -> str:
    """A change of a task is half a file."""
    path = _change(home, "msg-20260520T091812Z-x7q3abcd.json")
    path.write_bytes(b"{")
    return f"{path} is no change of a task"


def task_change_foreign(home: Path) -> str:
    """A FIFO lies among the changes of tasks."""
    path = _change(home, "notes")
    path.unlink()
    os.mkfifo(path, 0o600)
    return f"{path} is no change of a task"


def _change(home: Path, name: str) -> Path:
    path = home / "tasks" / "changes" / name
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(0o700, exist_ok=True)
    path.touch(0o600)
    return path
