"""Breakages of the place of a home: its modes, folders, foreign names and clock.

Each breaks a healthy home in one way and returns what the finding must name.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from agent_team_os.mail import delivery
from agent_team_os.protocol import message as messages
from support.homes import age, pending


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


def clock_set_back(home: Path) -> str:
    """A message from a time when the clock was ahead."""
    message = messages.build("ops", "dev", "question", {"question": "When?"})
    message["id"] = time.strftime("msg-%Y%m%dT%H%M%SZ-", time.gmtime(time.time() + 7300)) + "x7q3abcd"
    delivery.send(str(home), [delivery.Outgoing(message)])
    return f"2 h behind the newest message, {message['id']}"
