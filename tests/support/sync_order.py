"""What is wrong with the order of fsyncs, links and renames in the trace of one command.

    wrong = Lint(home, {".", "outbox", ...}).look(calls)
    wrong = retried(calls)

Paths are as seen from the home, which is ".".
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from support.trace import Call

SPOOLED = re.compile(r"outbox/\.spool/msg-[^/]*\.json")
DAY = re.compile(r"outbox/[0-9-]{10}\.jsonl")
# Derived or soon outdated, as docs/protocol.md says, and locks: a power cut may lose these.
LOSABLE = re.compile(r"(state|registry|locks)(/.*)?")


class Lint:
    """Goes through the calls of one command and says what it has forgotten below the home."""

    def __init__(self, home: Path, before: set[str]) -> None:
        self.home = home
        self.known = before  # paths that are there, from the home, which is "."
        self.dirty: dict[str, Call] = {}  # files with content that no fsync has covered
        self.names: dict[str, Call] = {}  # names made or taken away that no fsync of their folder has covered
        self.synced: set[str] = set()
        self.wrong: list[str] = []

    def look(self, calls: Sequence[Call], settled: bool = True) -> list[str]:
        """What is wrong; with `settled` a spool file may only go when all that follows from its line is done."""
        for call in calls:
            if call.name == "write" and call.args.startswith("1<"):
                self.expect(f"before it says {call}", lambda path, call: in_use(path) or call.name == "mkdir")
            elif call.done and (paths := self.below(call)):
                self.apply(call, paths, settled)
        self.expect("before it ends", lambda path, call: in_use(path) or call.name == "mkdir")
        return self.wrong

    def below(self, call: Call) -> list[str]:
        """The paths of a call that matter, as seen from the home; the folder the home is in is ".."."""
        paths = [os.path.relpath(path, self.home) for path in call.paths]
        return [path for path in paths if not path.startswith("../") and not LOSABLE.fullmatch(path)]

    def apply(self, call: Call, paths: list[str], settled: bool) -> None:
        """One call that was done."""
        name, source, path = call.name, paths[0], paths[-1]
        if name in ("open", "openat"):
            made = "O_CREAT" in call.args and path not in self.known
            if made or "O_TRUNC" in call.args:
                self.dirty[path] = call
            if made:
                self.give(path, call)
        elif name in ("write", "ftruncate"):
            if name == "write" and DAY.fullmatch(path):
                self.expect_ready_for_the_line(call)
            self.dirty[path] = call
        elif name in ("fsync", "fdatasync"):
            self.synced.add(path)
            self.dirty.pop(path, None)
            self.names = {known: call for known, call in self.names.items() if folder_of(known) != path}
        elif name == "mkdir":
            self.give(path, call)
        elif name in ("link", "rename"):
            if source in self.dirty:
                self.wrong.append(f"no fsync of the file before {call}")
            if SPOOLED.fullmatch(source):
                self.expect_durable_line(path, call)
            if name == "rename":
                self.take(source)
                if folder_of(source) != folder_of(path):
                    self.names[source] = call
            self.give(path, call)
        elif name in ("unlink", "unlinkat", "rmdir"):
            if SPOOLED.fullmatch(path) and settled:
                self.expect_settled(path, call)
            self.take(path)
        elif name not in ("chmod", "fchmod"):
            self.wrong.append(f"nobody here knows what this means: {call}")

    def give(self, path: str, call: Call) -> None:
        """A name was made."""
        self.known.add(path)
        self.names[path] = call

    def take(self, path: str) -> None:
        """A name is there no more, and with it what was to become durable."""
        self.known.discard(path)
        self.dirty.pop(path, None)
        self.names.pop(path, None)

    def expect(self, when: str, matters: Callable[[str, Call], object]) -> None:
        """Complain of each file and each name that matters and that no fsync has covered."""
        for path, call in self.dirty.items():
            if matters(path, call):
                self.wrong.append(f"no fsync of {path} {when}, behind {call}")
        for path, call in self.names.items():
            if matters(path, call):
                self.wrong.append(f"no fsync of {folder_of(path)}/ {when}, behind {call}")

    def expect_ready_for_the_line(self, call: Call) -> None:
        """The message is durable in the spool, and so are its attachments and every new folder."""
        self.expect(
            f"before {call}",
            lambda path, call: SPOOLED.fullmatch(path) or path.startswith("attachments/") or call.name == "mkdir",
        )

    def expect_durable_line(self, path: str, call: Call) -> None:
        """Of a message whose file now gets its name in an inbox."""
        if day_of(path) not in self.synced:
            self.wrong.append(f"no fsync of {day_of(path)} before {call}")
        self.expect(f"before {call}", lambda path, _: DAY.fullmatch(path))

    def expect_settled(self, path: str, call: Call) -> None:
        """With the spool file goes what recovery knows, so there must be nothing left to recover."""
        needed = {day_of(path), "threads"}
        if not any(folder.startswith("inboxes/") for folder in self.synced):
            needed.add("an inbox")
        self.wrong += [f"no fsync of {what} before {call}" for what in sorted(needed - self.synced)]
        self.expect(f"before {call}", lambda path, _: path.startswith(("inboxes/", "threads/")) and in_use(path))


def in_use(path: str) -> bool:
    """Whether a name is one that anybody looks for; with a dot it is nobody's yet."""
    return not os.path.basename(path).startswith(".")


def folder_of(path: str) -> str:
    """Where a name stands."""
    return ".." if path == "." else os.path.dirname(path) or "."


def day_of(path: str) -> str:
    """The outbox file of a message."""
    return re.sub(r".*/msg-(....)(..)(..)T.*", r"outbox/\1-\2-\3.jsonl", path)


def retried(calls: Sequence[Call]) -> list[str]:
    """Each fsync of what an fsync has failed for, where nothing was cut off or got or lost its name between the two."""
    failed: set[str] = set()
    wrong = []
    for call in calls:
        if call.name == "fsync":
            if call.paths[0] in failed:
                wrong.append(str(call))
            if not call.done:
                failed.add(call.paths[0])
        elif call.done and call.name == "ftruncate":
            failed -= set(call.paths)
        elif call.done and call.name in ("link", "unlink", "rename", "mkdir"):
            failed -= {os.path.dirname(path) for path in call.paths}
    return wrong
