"""Locks that nobody alive holds, and what stands where a lock should be."""

from __future__ import annotations

import contextlib
import os
import stat

from ...protocol import home as layout
from ...protocol import ids
from ...protocol.errors import BusError
from ...storage import files, lock, process, quarantine
from .finding import REPAIR, done, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...protocol.documents import Finding

FORCE_WAIT = 5.0  # seconds
_QUARANTINE = "@quarantine.guard"
# What a lock that needs mending is, and what that means for a sender.
_WORDS = {
    "dead": ("was left by {holder}", "the next send takes it over"),
    "empty": ("is empty and older than the {lease:.0f} s a helper of version 1 may hold it", "each send waits for it"),
    "foreign": ("holds {holder}", "every send to {name} waits 5 s and fails"),
    "blocked": ("must be a folder and is none", "every send to {name} waits 5 s and fails"),
}


def _say(words: str, home: str, name: str, inside: list[str]) -> str:
    folder = layout.lock(home, name) + ".lock"
    holders = [_holder(folder, entry) for entry in inside[:3]]
    return words.format(name=name, lease=lock.LEASE, holder=" and ".join(holders))


def stale_lock(home: str) -> Iterator[Finding]:
    """A lock whose holder is dead, or of which nobody here can tell."""
    for name, state, inside in _stale(home):
        path = layout.lock(home, name) + ".lock"
        what = f"The lock {name} {_say('; '.join(_WORDS[state]), home, name, inside)}."
        severity = "error" if state == "blocked" else "warning"
        if state == "foreign":
            what += " The repair breaks it: first make sure that no such process is sending."
        yield finding(f"lock-{state}", severity, path, what, REPAIR)


def _stale(home: str) -> Iterator[tuple[str, str, list[str]]]:
    for entry in sorted(files.names(os.path.join(home, "locks"))):
        if entry.endswith(".lock") and ids.is_agent(entry[:-5].removeprefix("@")):
            state, inside = _state(home, entry[:-5])
            if state in _WORDS:
                yield entry[:-5], state, inside


def _state(home: str, name: str) -> tuple[str, list[str]]:
    """What a lock is, and the names in its folder; a state of `_WORDS` is one that needs mending.

    What holds nothing of ours is judged whoever has the guard: our own processes wait before such a lock too.
    """
    path = layout.lock(home, name) + ".lock"
    with _guard_is_free(home, name) as free:
        try:
            inside = [] if os.path.islink(path) else sorted(os.listdir(path))
        except FileNotFoundError:
            return "released", []
        except NotADirectoryError:
            return "blocked", []
        # After the listing: a folder made anew in between is young, and then nothing is said.
        in_lease = 0 <= files.age(path) <= lock.LEASE
        if os.path.islink(path):
            return "blocked", []
        if all(process.is_ours(entry) and files.is_file(os.path.join(path, entry)) for entry in inside):
            if not free:
                return "held", inside
            return ("dead" if inside else "leased" if in_lease else "empty"), inside
        if not all(os.path.lexists(os.path.join(path, entry)) for entry in inside):
            return "released", []  # its holder let go while we looked
        return ("leased" if in_lease else "foreign"), inside


@contextlib.contextmanager
def _guard_is_free(home: str, name: str) -> Iterator[bool]:
    """Whether none of our processes holds the guard, which is held meanwhile. Creates and writes nothing."""
    try:
        fd = os.open(layout.lock(home, name) + ".guard", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # there is none, or none that could be held
        yield True
        return
    try:
        yield lock.try_flock(fd)
    finally:
        os.close(fd)


def _holder(folder: str, entry: str) -> str:
    """Who left a name in a lock folder, in words."""
    host, _, rest = entry.partition(".")
    pid, _, start = rest.partition(".")
    if not (host and pid.isdecimal() and "-" in start and files.is_file(os.path.join(folder, entry))):
        return f"something no lock contains, {entry!r}"
    if not process.is_ours(entry):
        return f"the name of process {pid} on another machine, {host}"
    runs = start == f"{process.boot()}-{process.started(int(pid))}"
    return f"process {pid} of this machine, which {'runs and does not hold it' if runs else 'runs no more'}"


def repair_locks(home: str) -> Iterator[str]:
    """Take over and release each stale lock; by force only where nobody here can tell whether its holder lives."""
    for name, state, inside in list(_stale(home)):
        path = layout.lock(home, name) + ".lock"
        if state == "blocked":
            freed = done(quarantine.set_aside, home, path, "no folder, and a lock must be one")
        else:
            freed = (state != "foreign" or done(_empty, home, name, inside)) and done(_pass_through, home, name)
        if freed:
            yield f"The lock {name}, which {_say(_WORDS[state][0], home, name, inside)}, is free now."


def _pass_through(home: str, name: str) -> None:
    """Take a lock the ordinary way, which takes over what a dead holder left, and release it."""
    with lock.recipient(home, name):
        pass


def _empty(home: str, name: str, inside: list[str]) -> None:
    """Move what lies in a lock folder into `locks/.quarantine/`: then it counts as a helper's, with its lease.

    The folder itself stays: to move or remove it could hit the one of a helper that has just come.
    """
    import portalocker

    path, aside = layout.lock(home, name), os.path.join(home, "locks", layout.QUARANTINE)
    with contextlib.suppress(BusError), lock.guard(home, name, 0):
        pass  # the guard exists now, with its mode; portalocker would make it with another
    files.make_folder(aside)
    try:
        with portalocker.Lock(path + ".guard", timeout=FORCE_WAIT):
            for number, entry in enumerate(inside):
                target = f"{name[:60]}.{os.urandom(4).hex()}.{number}.{entry[:40]}"
                files.move(os.path.join(path + ".lock", entry), os.path.join(aside, target))
    except portalocker.LockException:
        raise lock.busy(name) from None


def guard_blocked(home: str) -> Iterator[Finding]:
    """Something no process can lock stands where a guard should be."""
    for path in _blocked_guards(home):
        what = f"{path} must be a plain file and is none; what needs this lock fails."
        yield finding("guard-blocked", "error", path, what, REPAIR)


def _blocked_guards(home: str) -> Iterator[str]:
    """What no process can open for writing, and so none can hold; a FIFO can be, and does for a guard."""
    folder = os.path.join(home, "locks")
    for entry in sorted(files.names(folder), key=lambda name: (name != _QUARANTINE, name)):
        path = os.path.join(folder, entry)
        with contextlib.suppress(FileNotFoundError):
            mode = os.lstat(path).st_mode
            if entry.endswith(".guard") and (stat.S_ISLNK(mode) or stat.S_ISDIR(mode) or stat.S_ISSOCK(mode)):
                yield path


def repair_guards(home: str) -> Iterator[str]:
    """Set aside what is no guard; nobody can be holding it."""
    for path in list(_blocked_guards(home)):
        why = "no plain file, and a guard must be one"
        own = os.path.basename(path) == _QUARANTINE  # the one that setting aside would wait for
        if done(_move_aside, path) if own else done(quarantine.set_aside, home, path, why):
            yield f"{path} was set aside in {layout.QUARANTINE} beside it: it was no plain file."


def _move_aside(path: str) -> None:
    folder = os.path.join(os.path.dirname(path), layout.QUARANTINE)
    files.make_folder(folder)
    files.move(path, os.path.join(folder, f"{os.path.basename(path)}.{os.urandom(4).hex()}"))


CHECKS = (stale_lock, guard_blocked)
