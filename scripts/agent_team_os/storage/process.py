"""Which process, on which machine: the names that locks and sessions are signed with."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from typing import Optional

_owner: Optional[tuple[int, str]] = None


def owner() -> str:
    """The name this process leaves in a lock folder: `<host>.<pid>.<boot>-<start>`."""
    global _owner
    pid = os.getpid()
    if _owner is None or _owner[0] != pid:
        _owner = (pid, f"{host()}.{pid}.{boot()}-{started(pid)}")
    return _owner[1]


def host() -> str:
    """This machine's name, fit for a file name."""
    name = os.uname().nodename.lower()
    return "".join(char if char.isascii() and (char.isalnum() or char == "-") else "-" for char in name) or "host"


def boot() -> str:
    """Eight characters that are the same from one start of this machine to the next; zeros where unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read(8)
    except OSError:
        return "00000000"


def started(pid: int) -> str:
    """When a process started, in the kernel's ticks since boot; 0 where unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode("ascii")
    except (OSError, IndexError):
        return "0"


def ancestors() -> list[int]:
    """The processes above this one, its parent first; empty where the system does not tell."""
    found: list[int] = []
    pid = os.getpid()
    while pid > 1:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            break
        if pid:
            found.append(pid)
    return found


def has_variable(pid: int, *names: str) -> bool:
    """Whether a process was started with a variable of such a name; False where that is unknown or not ours to see."""
    wanted = tuple(name.encode() + b"=" for name in names)
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return any(part.startswith(wanted) for part in file.read().split(b"\0"))
    except OSError:
        return False


def arguments(pid: int) -> list[str]:
    """The words a process was started with, its program first; empty where unknown."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
    except OSError:
        return []


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and only waits for its parent to take note; False where that is unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"Z"
    except (OSError, IndexError):
        return False


def start_time(pid: int) -> Optional[float]:
    """When a process started, in seconds since 1970; None where unknown.

    Not the time of `/proc/<pid>`: the kernel makes that entry anew whenever it has dropped it.
    """
    ticks = int(started(pid))
    try:
        with open("/proc/stat", "rb") as file:
            lines = file.read().split(b"\n")
        booted = next(int(line.split()[1]) for line in lines if line.startswith(b"btime "))
    except (OSError, StopIteration):
        return None
    return booted + ticks / os.sysconf("SC_CLK_TCK") if ticks else None


def is_ours(name: str) -> bool:
    """True for a name a process of this program left on this machine: the same host, or the same boot."""
    where, _, rest = name.partition(".")
    pid, _, start = rest.partition(".")
    boot_id, _, ticks = start.partition("-")
    if not (pid.isdecimal() and ticks.isdecimal() and len(boot_id) == 8):
        return False
    return where == host() or (boot_id == boot() and boot_id != "00000000")


def program(name: str) -> Optional[str]:
    """The path of a program of this name, None if there is none; an absolute path stays as it is.

    A relative folder on PATH does not count, nor a relative path: what it has is whatever the project we run in has.
    """
    import shutil

    if os.path.dirname(name):
        return name if os.path.isabs(name) and shutil.which(name) else None
    return shutil.which(name, path=_absolute(os.environ))


def keep_absolute_path(environ: MutableMapping[str, str]) -> None:
    """Take the relative and empty folders out of PATH, so that nothing we start finds a program of the project's."""
    environ["PATH"] = _absolute(environ)


def _absolute(environ: Mapping[str, str]) -> str:
    return os.pathsep.join(filter(os.path.isabs, environ.get("PATH", "").split(os.pathsep))) or os.defpath


def detach(words: list[str], environ: Mapping[str, str]) -> None:
    """Start a program that outlives this process and its terminal and says nothing; OSError if it does not start."""
    os.posix_spawnp(
        words[0], words, environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )  # fmt: skip
