"""Transcripts: where Claude Code keeps them, and the few of their lines that may tell of a request or a thread."""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

BLOCK = 1_048_576  # bytes read at once: what is searched three times stays in the cache of the processor
LONGEST = 64 * 1_048_576  # bytes of a line; a longer one is skipped
USAGE, _THREAD = b'"usage"', b"thread-"
THREAD = re.compile(rb"thread-[0-9]{8}-[a-z0-9]{6}(?![a-z0-9])")
# A thread where our pages name one, as far as bytes tell: `entries.thread` says whether it is one.
_NAMED = re.compile(rb'(?:Thread {4}|\(|thread_id\\":\\")(' + THREAD.pattern + rb")")
_NONE: frozenset[bytes] = frozenset()
# The object behind the word, with objects in it but none in those: a deeper one is not recognised.
_OBJECT = re.compile(rb'"usage"\s*:\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}')
_SIDE = b'"isSidechain":true'
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_SAMPLE = 256  # bytes at the start and before the place that was read to, by which a file is known again


class Transcript(NamedTuple):
    """A transcript as it lies there; `parent` is the transcript of the session whose subagent wrote it, or empty."""

    path: str
    session: str
    parent: str
    identity: str
    size: int
    changed: int

    @property
    def state(self) -> tuple[str, int, int]:
        """Nothing is new in a file with the same."""
        return self.identity, self.size, self.changed


@dataclass
class Place:
    """How far a transcript was read, and what was so at that place."""

    state: tuple[str, int, int] = ("", -1, 0)  # of the file when it was read to its end
    offset: int = 0
    sample: int = 0
    skipping: bool = False  # inside a line that is too long
    broken: int = 0
    thread: str = ""
    cwd: str = ""  # of its first request


def root(environ: Mapping[str, str]) -> str:
    """The folder of all transcripts of this person."""
    config = environ.get("CLAUDE_CONFIG_DIR") or os.path.expanduser("~/.claude")
    return os.path.join(os.path.abspath(config), "projects")


def find(folder: str) -> tuple[list[Transcript], list[str]]:
    """The transcripts below a folder, and what of it could not be listed.

    Sessions come before their subagents, and each of the two by the time of its last change, so that of two copies
    the older one is met first. Links are not followed.
    """
    found: list[Transcript] = []
    closed: list[str] = []
    below = [folder]
    while below:
        place = below.pop()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        below.append(entry.path)
                    elif entry.name.endswith(".jsonl") and entry.is_file(follow_symlinks=False):
                        found.append(_described(entry.path, entry.stat(follow_symlinks=False), folder))
        except FileNotFoundError:
            continue  # gone since it was listed, or there never was a session
        except OSError:
            closed.append(place)
    return sorted(found, key=lambda one: (bool(one.parent), one.changed, one.path)), closed


def _described(path: str, status: os.stat_result, folder: str) -> Transcript:
    above, _, name = path.rpartition("/")
    session, parent = name.removesuffix(".jsonl"), ""
    steps = above[len(folder) :].split("/")
    if "subagents" in steps[1:]:
        depth = len(steps) - steps.index("subagents", 1)
        owner = "/".join(above.split("/")[:-depth])
        session, parent = os.path.basename(owner), owner + ".jsonl"
    identity = f"{status.st_dev}:{status.st_ino}"
    return Transcript(path, session, parent, identity, status.st_size, status.st_mtime_ns)


def blocks(path: str, place: Place) -> Iterator[tuple[bytes, int]]:
    """What is new in a transcript, in blocks, each with the end of its last whole line; `place` stands behind that.

    A file that is another than it was, or was cut, is read from its start. A last line without its end is left for
    the next time. OSError if it cannot be read.
    """
    fd = os.open(path, _OPEN)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return
        identity = f"{status.st_dev}:{status.st_ino}"
        known = place.state[0] == identity and place.offset <= status.st_size
        if not known or _sample(fd, place.offset) != place.sample:
            place.offset, place.skipping, place.broken, place.thread, place.cwd = 0, False, 0, "", ""
        place.state = identity, -1, 0
        size = BLOCK
        while data := os.pread(fd, size, place.offset):
            end = data.rfind(b"\n") + 1
            if place.skipping:
                end = data.find(b"\n") + 1
                place.skipping = not end
                _advance(fd, place, end or len(data))
            elif end:
                _advance(fd, place, end)
                yield data, end
                size = BLOCK
            elif len(data) < size:
                break  # a line that is still being written
            elif size < LONGEST:
                size *= 2
            else:
                place.broken += 1
                place.skipping, size = True, BLOCK
                _advance(fd, place, len(data))
        place.state = identity, status.st_size, status.st_mtime_ns
    finally:
        os.close(fd)


def _advance(fd: int, place: Place, number: int) -> None:
    place.offset += number
    place.sample = _sample(fd, place.offset)


def _sample(fd: int, offset: int) -> int:
    """The sum of some bytes before a place, by which another file that got the same number is told apart."""
    head = os.pread(fd, min(_SAMPLE, offset), 0)
    return zlib.crc32(os.pread(fd, min(_SAMPLE, offset), max(offset - _SAMPLE, 0)), zlib.crc32(head))


def lines(block: bytes, whole: int) -> Iterator[tuple[bytes, frozenset[bytes]]]:
    """The lines that may tell of a request or name threads, each with those; `whole` ends the last.

    Nothing else of a transcript is looked at: most of it is what tools returned.
    """
    usage, thread = block.find(USAGE, 0, whole), _next_thread(block, 0, whole)
    while usage >= 0 or thread >= 0:
        at = min(usage, thread) if usage >= 0 and thread >= 0 else max(usage, thread)
        start, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
        line = block[start:end]
        named = frozenset(_NAMED.findall(line)) if 0 <= thread < end else _NONE
        if named or 0 <= usage < end:
            yield line, named
        if 0 <= usage < end:
            usage = block.find(USAGE, end, whole)
        if 0 <= thread < end:
            thread = _next_thread(block, end, whole)


def _next_thread(block: bytes, at: int, whole: int) -> int:
    while (at := block.find(_THREAD, at, whole)) >= 0 and not THREAD.match(block, at):
        at += 1
    return at


class Repeats:
    """Tells the lines that only say again what the line of the same answer before them said.

    An answer has a line for each of its blocks, all with the same usage: only the first need be taken apart.
    """

    def __init__(self) -> None:
        self._id = self._usage = b""
        self._side = False

    def first(self, line: bytes, message: object, side: bool) -> None:
        """Remember a line that was taken apart: the id of its message, and whether it is of a side chain."""
        self._id, self._side = f'"id":"{message}"'.encode("utf-8", "replace"), side
        found = _OBJECT.match(line, line.find(USAGE)) if self._id in line and line.count(USAGE) == 1 else None
        self._usage = found[0] if found else b""

    def seen(self, line: bytes) -> bool:
        """Whether a line says nothing new: the same message, the same usage and no other, and no better a copy."""
        return (
            self._usage != b"" and self._usage in line and self._id in line and line.count(USAGE) == 1
            and (not self._side or _SIDE in line)
        )  # fmt: skip
