"""A pass: what is new in the transcripts goes into the store, and today's figures where hooks find them."""

from __future__ import annotations

import bisect
import contextlib
import sqlite3
import time
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

from ..protocol import agentmap, show
from ..storage import files
from . import entries, notice, prices, report, store, transcripts
from .transcripts import Place, Transcript

BATCH = 64 * 1_048_576  # bytes read between two writings
LITTLE = 16 * 1_048_576  # bytes that `ato bus` reads on the way: a tenth of a second
Progress = Callable[[int, int], None]


class Batch:
    """What was read and is not in the store yet."""

    def __init__(self) -> None:
        self.rows: dict[str, store.Row] = {}
        self.turns: list[tuple[str, float, str]] = []
        self.moved: dict[str, tuple[tuple[str, int], Place]] = {}
        self.bytes = 0

    def add(self, row: store.Row) -> None:
        """Add a request; of its copies the better one stays, the first among equals."""
        known = self.rows.get(row.key)
        if known is None or row.beats(known):
            self.rows[row.key] = row

    def move(self, path: str, before: tuple[str, int], place: Place) -> None:
        """Remember how far a transcript was read, from where the store has it."""
        self.moved[path] = self.moved[path][0] if path in self.moved else before, copy(place)

    def write(self, db: sqlite3.Connection) -> None:
        """Put all of it into the store."""
        moved = [(path, before, place) for path, (before, place) in self.moved.items()]
        priced = [row._replace(nanodollars=_price(row)) for row in self.rows.values()]
        store.add(db, priced, self.turns, moved, prices.version())


def _price(row: store.Row) -> int | None:
    return prices.nanodollars(
        row.model, row.at, row.terms, row.input, row.output, row.cache_read, row.cache_write_5m, row.cache_write_1h,
        row.searches,
    )  # fmt: skip


class Pass:
    """One pass: who is whose, and where each session was when."""

    def __init__(self, db: sqlite3.Connection, agent_map: Mapping[str, Any]) -> None:
        self.db = db
        self.map = agent_map
        self.places = store.places(db)
        self.batch = Batch()
        self._agents: dict[str, str] = {}
        self._turns: dict[str, list[tuple[float, str]]] = {}
        self._repeats = transcripts.Repeats()

    def news(self, found: list[Transcript]) -> list[Transcript]:
        """The transcripts in which something may be new."""
        return [one for one in found if one.path not in self.places or self.places[one.path].state != one.state]

    def left(self, one: Transcript) -> int:
        """Bytes of a transcript that are new, as far as its size tells."""
        offset = self.places[one.path].offset if one.path in self.places else 0
        return one.size - offset if one.size >= offset else one.size

    def read(self, one: Transcript, told: Callable[[int], None]) -> None:
        """Read what is new in a transcript; `told` hears the bytes of each block. OSError if it cannot be read."""
        place = self.places.setdefault(one.path, Place())
        before = place.state[0], place.offset
        try:
            self._repeats = transcripts.Repeats()
            for block, end in transcripts.blocks(one.path, place):
                for line, named in transcripts.lines(block, end):
                    try:
                        self._line(one, place, line, named)
                    except entries.BrokenLine:
                        place.broken += 1
                self.batch.bytes += end
                told(end)
                if self.batch.bytes >= BATCH:
                    self.batch.move(one.path, before, place)
                    self.batch.write(self.db)
                    self.batch = Batch()
                    before = place.state[0], place.offset
        finally:
            self.batch.move(one.path, before, place)

    def _line(self, one: Transcript, place: Place, line: bytes, named: frozenset[bytes]) -> None:
        nothing_new = named == {place.thread.encode()} and transcripts.USAGE not in line
        if self._repeats.seen(line) if not named else nothing_new:
            return
        entry = entries.parse(line)
        thread = entries.thread(entry) if named else ""
        if thread:
            if thread != place.thread:
                place.thread = thread
                self._turn(one, entries.when(entry), thread)
            return
        request = entries.request(entry, line, one.session if one.parent else "", one.session)
        if request is None:
            return
        self._repeats.first(line, entry["message"].get("id"), request.side)
        place.cwd = place.cwd or request.cwd
        told = request._asdict()
        agent, thread = self._agent(one, told.pop("cwd")), self._thread(one, place, request.at)
        self.batch.add(store.Row(**told, agent=agent, thread=thread, tokens=request.tokens, nanodollars=None))

    def _agent(self, one: Transcript, cwd: str) -> str:
        """Whose a request is: of the agent that lives in its folder, and a subagent's of its session's."""
        owner = self.places.get(one.parent) if one.parent else None
        cwd = owner.cwd if owner and owner.cwd else cwd
        if cwd not in self._agents:
            try:
                # A path of ours to a folder of theirs: it need not exist, nor be a path at all.
                agent = agentmap.agent_for(self.map, cwd)[0] if cwd.startswith("/") else None  # type: ignore[arg-type]
            except (ValueError, OSError):
                agent = None
            self._agents[cwd] = agent or notice.ANONYMOUS
        return self._agents[cwd]

    def _thread(self, one: Transcript, place: Place, at: float | None) -> str:
        """What a request was for: the thread its transcript named last, else that its session was in at that time."""
        if place.thread or not one.parent or at is None:
            return place.thread
        turns = self._of(one.parent)
        before = bisect.bisect_right(turns, at, key=lambda turn: turn[0])
        return turns[before - 1][1] if before else ""

    def _turn(self, one: Transcript, at: float | None, thread: str) -> None:
        if not one.parent and at is not None:
            self.batch.turns.append((one.path, at, thread))
            bisect.insort(self._of(one.path), (at, thread))

    def _of(self, path: str) -> list[tuple[float, str]]:
        if path not in self._turns:
            self._turns[path] = store.turns(self.db, path)
        return self._turns[path]


def run(
    db: sqlite3.Connection, home: str, environ: Mapping[str, str], agent_map: Mapping[str, Any],
    progress: Progress = lambda done, total: None, most: int | None = None,
) -> list[str]:  # fmt: skip
    """Count what is new, as far as it is on the disk now, and return what could not be read.

    `progress` is told bytes read and bytes in all. With more than `most` new bytes nothing is counted.
    """
    root = transcripts.root(environ)
    found, closed = transcripts.find(root)
    here = Pass(db, agent_map)
    news = here.news(found)
    total = sum(map(here.left, news))
    if most is not None and total > most:
        return closed
    prices.remember(store.note(db, "tariffs"))
    if prices.version() and store.note(db, "prices") != prices.version() and prices.work():
        store.reprice(db, prices.version(), prices.nanodollars)
    done = 0

    def told(size: int) -> None:
        nonlocal done
        done += size
        progress(done, total)

    for one in news:
        try:
            here.read(one, told)
        except FileNotFoundError:
            pass  # deleted since it was listed
        except OSError:
            closed.append(one.path)
    if here.batch.moved:
        here.batch.write(db)
    if prices.tariffs():
        store.keep_note(db, "tariffs", prices.tariffs())
    if not closed:
        below, there = root + "/", {one.path for one in found}
        store.forget(db, [path for path in here.places if path.startswith(below) and path not in there])
    keep_today(db, home)
    return closed


def keep_today(db: sqlite3.Connection, home: str) -> None:
    """Leave the figures since midnight for hooks and the roster; on a full disk those of before stay."""
    now = time.time()
    try:
        notice.keep_today(home, time.strftime("%Y-%m-%d", time.localtime(now)), show.timestamp(now), report.today(db))
    except OSError:
        pass


def catch_up(home: str, environ: Mapping[str, str], agent_map: Mapping[str, Any]) -> None:
    """Count what is new if it is little and counting was asked for before; in no case is this an error."""
    with contextlib.suppress(Exception):  # the figures stay as old as they are
        if files.is_file(notice.usage(home)):
            store.using(home, lambda db: run(db, home, environ, agent_map, most=LITTLE))
