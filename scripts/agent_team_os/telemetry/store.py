"""The store: every request that was ever counted, once, and how far each transcript was read. A SQLite database.

Counting is safe to repeat and to do twice at once: a request has one key in all its copies, the better copy wins
whichever comes first, and a transcript's place moves only if nobody else has moved it meanwhile. What is read twice
is counted once.

It is derived, but for what transcripts told that are gone: the client deletes them after some weeks, and what they
cost was spent all the same. So it is as durable as SQLite makes it, and a damaged one is set aside: nothing deletes it
or takes its name.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from ..protocol.errors import BusError, CannotWrite, LockBusy
from ..storage import files
from . import aside, notice
from .transcripts import Place

T = TypeVar("T")
OURS = 0x41544F54  # application_id: "ATOT"
VERSION = 1
WAIT = 10.0  # seconds for another process to finish its writing
_CACHE = 64 * 1024  # KiB of pages in memory
_TABLES = """
    CREATE TABLE IF NOT EXISTS places (
        path BLOB PRIMARY KEY, identity TEXT NOT NULL, size INTEGER NOT NULL, changed INTEGER NOT NULL,
        offset INTEGER NOT NULL, sample INTEGER NOT NULL, skipping INTEGER NOT NULL, broken INTEGER NOT NULL,
        thread TEXT NOT NULL, cwd TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS requests (
        key TEXT PRIMARY KEY, at REAL, session TEXT NOT NULL, model TEXT NOT NULL, terms TEXT NOT NULL,
        side INTEGER NOT NULL, copied INTEGER NOT NULL, agent TEXT NOT NULL, thread TEXT NOT NULL,
        input INTEGER NOT NULL, output INTEGER NOT NULL, cache_read INTEGER NOT NULL,
        cache_write_5m INTEGER NOT NULL, cache_write_1h INTEGER NOT NULL, searches INTEGER NOT NULL,
        tokens INTEGER NOT NULL, nanodollars INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS requests_at ON requests (at);
    CREATE TABLE IF NOT EXISTS turns (
        path BLOB NOT NULL, at REAL NOT NULL, thread TEXT NOT NULL, PRIMARY KEY (path, at, thread)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
# What is in the store stays, unless the new copy is better: no side chain, then more tokens, then no fork's copy.
_COLUMNS = (
    "at", "session", "model", "terms", "side", "copied", "agent", "thread", "input", "output", "cache_read",
    "cache_write_5m", "cache_write_1h", "searches", "tokens", "nanodollars",
)  # fmt: skip
_KEEP_BETTER = f"""
    INSERT INTO requests VALUES (?, {", ".join("?" for _ in _COLUMNS)}) ON CONFLICT (key) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)}
    WHERE (-excluded.side, excluded.tokens, -excluded.copied) > (-side, tokens, -copied)
"""
_SHAPE = "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'"
_DAMAGED = frozenset(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_MISMATCH", "SQLITE_FORMAT"))
_FOREIGN = "it is a database of another program or another version"
_BUSY = frozenset(("SQLITE_BUSY", "SQLITE_LOCKED"))


class Row(NamedTuple):
    """A request as it is stored, in the order of the columns."""

    key: str
    at: float | None
    session: str
    model: str
    terms: str
    side: bool
    copied: bool
    agent: str
    thread: str
    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    searches: int
    tokens: int
    nanodollars: int | None

    def beats(self, other: Row) -> bool:
        """Whether of two copies this is the one that counts."""
        return (not self.side, self.tokens, not self.copied) > (not other.side, other.tokens, not other.copied)


class Foreign(Exception):
    """The database is none of ours, or of another version."""


def using(home: str, work: Callable[[sqlite3.Connection], T]) -> T:
    """What `work` does with the store, which is made where there is none; one that is damaged is set aside first.

    CannotWrite where the disk says no, LockBusy if another process writes for too long.
    """
    path = notice.usage(home)
    try:
        for last in (False, True):
            number = _make(home, path)
            try:
                with _opened(path) as db:
                    return work(db)
            except (sqlite3.Error, Foreign) as error:
                if last or not is_damage(error):
                    raise refusal(path, error) from None
                aside.move(home, path, number)
    except OSError as error:
        raise CannotWrite(f"cannot write {error.filename or path}: {error.strerror}", "See: ato doctor") from None
    raise AssertionError


def _make(home: str, path: str) -> int:
    """The number of the database's file, which is made, empty and private, where there is none."""
    files.make_folder(os.path.dirname(path))
    while True:
        with contextlib.suppress(FileExistsError):
            os.close(files.begin(path, b""))
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue  # another process has just set it aside
        if stat.S_ISREG(status.st_mode):
            break
        aside.move(home, path, status.st_ino)
    if status.st_mode & 0o077:
        files.set_mode(path, 0o600)
    return status.st_ino


@contextlib.contextmanager
def _opened(path: str) -> Iterator[sqlite3.Connection]:
    # Transactions begin and end where `writing` says so, and nowhere else.
    db = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
    try:
        db.execute(f"PRAGMA cache_size = -{_CACHE}")
        (whose,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if (whose, version) != (OURS, VERSION):
            with writing(db):
                if db.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,) and whose != OURS:
                    raise Foreign(_FOREIGN)
                if version not in (0, VERSION):
                    raise Foreign(_FOREIGN)
                for statement in _TABLES.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {OURS}")
                db.execute(f"PRAGMA user_version = {VERSION}")
        if not _shape() <= set(db.execute(_SHAPE)):
            raise Foreign("it lacks tables or columns")
        yield db
    finally:
        db.close()


def _shape() -> set[tuple[str, str]]:
    """All tables with all columns that a store has."""
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        model.executescript(_TABLES)
        return set(model.execute(_SHAPE))


@contextlib.contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside the `with`, or nothing; one process at a time."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def is_damage(error: Exception) -> bool:
    """Whether an error means that the file is no database of ours, and not that the disk or another process said no."""
    return isinstance(error, Foreign) or getattr(error, "sqlite_errorname", "").startswith(tuple(_DAMAGED))


def refusal(path: str, error: Exception) -> BusError:
    """An error of the database in words a person can act on."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(tuple(_BUSY)):
        return LockBusy("another process is writing what it has counted", "Try again in a moment.")
    return CannotWrite(f"cannot use {path}: {error}", "See: ato doctor")


# ---- Places -------------------------------------------------------------------------------------


def places(db: sqlite3.Connection) -> dict[str, Place]:
    """How far each transcript was read."""
    found = {}
    for path, identity, size, changed, offset, sample, skipping, broken, thread, cwd in db.execute(
        "SELECT path, identity, size, changed, offset, sample, skipping, broken, thread, cwd FROM places"
    ):
        state = identity, size, changed
        found[os.fsdecode(path)] = Place(state, offset, sample, bool(skipping), broken, thread, cwd)
    return found


def _move(db: sqlite3.Connection, path: str, before: tuple[str, int], place: Place) -> None:
    """Write down how far a transcript was read, unless another process has moved it from where it was `before`."""
    name = os.fsencode(path)
    there = db.execute("SELECT identity, offset FROM places WHERE path = ?", (name,)).fetchone()
    if (there or ("", 0)) == before:
        db.execute(
            "INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (name, *place.state, place.offset, place.sample, place.skipping, place.broken, place.thread, place.cwd),
        )


def forget(db: sqlite3.Connection, paths: list[str]) -> None:
    """Transcripts that are gone have no place any more; their requests stay."""
    if paths:
        with writing(db):
            gone = [(os.fsencode(path),) for path in paths]
            db.executemany("DELETE FROM places WHERE path = ?", gone)
            db.executemany("DELETE FROM turns WHERE path = ?", gone)


def broken(db: sqlite3.Connection) -> int:
    """How many lines of the transcripts that are there could not be read."""
    (number,) = db.execute("SELECT coalesce(sum(broken), 0) FROM places").fetchone()
    return int(number)


# ---- Requests and turns -------------------------------------------------------------------------


def turns(db: sqlite3.Connection, path: str) -> list[tuple[float, str]]:
    """When the session of a transcript turned to which thread, in the order of time."""
    rows = db.execute("SELECT at, thread FROM turns WHERE path = ? ORDER BY at", (os.fsencode(path),))
    return [(at, thread) for at, thread in rows]


def add(
    db: sqlite3.Connection,
    rows: list[Row],
    turned: list[tuple[str, float, str]],
    moved: list[tuple[str, tuple[str, int], Place]],
    prices: str,
) -> None:
    """Add requests, turns and places, all or nothing; `prices` names what the dollars of the requests rest on."""
    with writing(db):
        db.executemany(_KEEP_BETTER, rows)
        db.executemany("INSERT OR IGNORE INTO turns VALUES (?, ?, ?)", ((os.fsencode(p), a, t) for p, a, t in turned))
        for path, before, place in moved:
            _move(db, path, before, place)
        if rows and prices != note(db, "prices"):  # it was some others', so that not all rest on the same
            _put(db, "prices", "")


def reprice(db: sqlite3.Connection, prices: str, price: Callable[..., int | None]) -> None:
    """Work out every price anew; `price` takes what `prices.nanodollars` takes."""
    with writing(db):
        rows = db.execute(
            "SELECT key, model, at, terms, input, output, cache_read, cache_write_5m, cache_write_1h, searches "
            "FROM requests"
        ).fetchall()
        changed = ((price(*row[1:]), row[0]) for row in rows)
        db.executemany("UPDATE requests SET nanodollars = ? WHERE key = ?", changed)
        _put(db, "prices", prices)


# ---- Notes --------------------------------------------------------------------------------------


def note(db: sqlite3.Connection, name: str) -> str:
    """What the store was told to keep: `prices`, on which all dollars rest, and the `tariffs` known; else empty."""
    found = db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
    return str(found[0]) if found else ""


def keep_note(db: sqlite3.Connection, name: str, value: str) -> None:
    """Keep a note in the place of the one before."""
    with writing(db):
        _put(db, name, value)


def _put(db: sqlite3.Connection, name: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))
