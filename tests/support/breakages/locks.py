"""Breakages of locks and their guards.

Each breaks a healthy home in one way and returns what the finding must name.
"""

from __future__ import annotations

import os
from pathlib import Path

from agent_team_os.storage import process
from support.homes import age, dead, python


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
