"""What one sync carries: who syncs, with which store, what is known by now, and how long it may take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..protocol import show
from ..protocol.errors import StoreFailed
from ..storage import notes
from . import box, letter, people, seal, spool, store
from .keys import Keys

_AGAIN = 20  # objects that are asked for again in one sync that has little time
_DAY = 86_400.0
_MONTH = 30 * _DAY


class Progress(Protocol):
    """Who is told how far an upload or a download is."""

    def begin(self, what: str, total: int) -> None:
        """So many bytes are to be moved."""

    def step(self, count: int) -> None:
        """So many more were moved."""

    def end(self) -> None:
        """That was all, or all there was time for."""


class Silent:
    """Nobody watches."""

    def begin(self, what: str, total: int) -> None:
        """Nothing."""

    def step(self, count: int) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class OutOfTime(Exception):
    """The sync has used up its time; the next one goes on."""


@dataclass
class Trip:
    """One sync, from its listing to its report."""

    home: str
    keys: Keys
    store: store.Store
    known: people.Directory
    index: box.Index
    sent: spool.Sent
    state: dict[str, Any]
    until: float = float("inf")  # of time.monotonic
    claim: bool = False  # whether this person may take an address that somebody with another key has
    progress: Progress = field(default_factory=Silent)
    pushed: dict[str, int] = field(default_factory=dict)  # by the recipient's address
    fetched: dict[str, int] = field(default_factory=dict)  # by the sender's address
    receipts: int = 0
    unfinished: bool = False  # whether something was left for the next sync
    sweeping: bool = False  # whether this one lists the whole of each person's letters
    refused: dict[str, str] = field(default_factory=dict)  # why, by key: what is new of it
    again: int = 0  # objects that were held before and were asked for again
    closed: int = 0  # letters from before this device that only another one of this person can open
    warnings: list[str] = field(default_factory=list)

    def check_time(self) -> None:
        """OutOfTime if there is none left."""
        if time.monotonic() > self.until:
            raise OutOfTime

    def take(self, key: str, size: int, most: int = letter.MAX_SEALED) -> bytes | None:
        """An object that was listed; None, and it is held or refused, if it cannot be had.

        An object the store keeps to itself is held, and the others go on; StoreFailed where the store itself fails.
        """
        self.check_time()
        if size > most:
            self.refuse(key, size, f"it is larger than the {most} bytes allowed")
            return None
        if key in self.state["held"]:
            self.again += 1
            if self.again > _AGAIN and self.until < float("inf"):
                return None
        try:
            data = self.store.get(key, most)
            if len(data) == size:
                self.state["held"].pop(key, None)
                return data
            # What is wrong with it is nobody's but the store's, which may have all of it the next time.
            self.hold(key, size, f"the store has given {len(data)} of its {size} bytes")
        except store.Missing:
            self.state["held"].pop(key, None)
            return None
        except store.TooLarge:
            self.refuse(key, size, f"it is larger than the {most} bytes allowed")
        except store.Denied as error:
            self.hold(key, size, error.message)
        return None

    def hold(self, key: str, size: int, why: str) -> None:
        """Leave an object where it is until the reason is gone; every sync looks again."""
        self.state["held"].pop(key, None)  # the last one held is the last one asked for again
        self.state["held"][key] = {"why": why, "size": size}

    def keep_state(self) -> None:
        """Leave what is known by now for the next sync, should this one be killed."""
        notes.write(state_path(self.home), self.state)

    def refuse(self, key: str, size: int, why: str) -> None:
        """Look at an object again in a day, or when its size has changed: perhaps it was the store that was wrong."""
        about = self.state["refused"].get(key)
        if not isinstance(about, dict) or (about.get("why"), about.get("size")) != (why, size):
            self.refused[key] = why
        self.state["refused"][key] = {"why": why, "size": size, "at": int(time.time())}
        self.state["held"].pop(key, None)

    def pass_over(self, key: str, size: int, refused: seal.Refused) -> None:
        """As `refuse`; but what was written before this device was added is only counted, and left for a month."""
        self.refuse(key, size, refused.why)
        parts = letter.parse_key(key)
        if parts is None or not isinstance(refused, seal.NotForUs) or letter.made_at(parts.name) > self._added() + 1:
            return
        if self.refused.pop(key, None):
            self.closed += 1
        self.state["refused"][key]["for"] = int(_MONTH)

    def _added(self) -> float:
        """When this device was added to those of its person, in seconds since 1970; 0 for the first of them."""
        mine = self.known.get(self.keys.uid, {})
        for entry in [*mine.get("chain", ()), *([mine["entry"]] if mine else ())]:
            if self.keys.recipient in entry["recipients"]:
                return 0.0 if entry["number"] == 1 else show.seconds_of(entry["made_at"]) or 0.0
        return 0.0

    def is_refused(self, key: str, size: int) -> bool:
        """Whether this object was refused before, and not so long ago."""
        about = self.state["refused"].get(key)
        if not isinstance(about, dict) or about.get("size") != size or type(about.get("at")) is not int:
            return False
        pause = about.get("for")
        return 0 <= time.time() - float(about["at"]) < (pause if type(pause) is int else _DAY)

    def signer(self, uid: str) -> str:
        """The key a person signs with."""
        return str(self.known[uid]["entry"]["verify_key"])

    def opened(self, kind: str, key: letter.Key, data: bytes) -> dict[str, Any]:
        """The letter or receipt in an object, signed by the one in whose prefix it lies; seal.Refused."""
        document = seal.opened(data, self.keys.identity)
        fault = letter.wrong(document, kind, key)
        if fault:
            raise seal.Refused(fault)
        seal.check(document, self.signer(key.owner))
        return document

    def put(self, key: str, data: bytes, same: Any) -> None:
        """Upload an object of ours; one that is there already is left if `same` finds it the same, else replaced.

        An earlier sync that was killed may have uploaded it, in other bytes: each encryption is another. A store that
        keeps another number of bytes than it was given has failed.
        """
        if not self.store.put_new(key, data):
            try:
                if same(self.store.get(key, letter.MAX_SEALED_FILE, self.progress.step)):
                    return
            except (store.Missing, store.TooLarge, seal.Refused):
                pass
            self.store.replace(key, data)
        kept = self.store.size(key)
        if kept != len(data):
            raise StoreFailed(
                f"the store {self.store.url} keeps {'nothing' if kept is None else f'{kept} bytes'} under {key} "
                f"instead of the {len(data)} bytes it was given", "Check the store: ato msg setup",
            )  # fmt: skip


def open_trip(home: str, environ: Mapping[str, str], url: str, mine: Keys) -> Trip:
    """One that is not a whole sync. The lock of syncs must be held; StoreFailed."""
    opened = store.open_store(url, environ)
    return Trip(home, mine, opened, people.load(home), box.Index(home), spool.Sent(home), load_state(home, url))


def state_path(home: str) -> str:
    """What the syncs remember from one to the next: nothing that could not be found out again."""
    return os.path.join(people.folder(home), "sync.json")


def _is_about(one: object) -> bool:
    return isinstance(one, dict) and isinstance(one.get("why"), str) and type(one.get("size")) is int


# What each part of the state holds by key; what is otherwise was damaged and is left out.
_FITS: dict[str, Callable[[Any], bool]] = {
    "seen": letter.is_id,
    "held": _is_about,
    "refused": _is_about,
    "waiting": lambda one: isinstance(one, str),
    "fetch": lambda one: isinstance(one, str),
    "put": lambda one: isinstance(one, dict),
    "unshown": lambda one: isinstance(one, (dict, list)),
}


def load_state(home: str, url: str) -> dict[str, Any]:
    """What earlier syncs with this store have left."""
    state = notes.read(state_path(home))
    if state.get("store") != url:
        state = {"store": url, "numbered": state.get("numbered", 0)}
    for name, fits in _FITS.items():
        given = state.get(name)
        state[name] = {key: one for key, one in given.items() if fits(one)} if isinstance(given, dict) else {}
    for name in ("numbered", "narrow_at", "swept_at"):
        # A clock that was ahead once must not count until then.
        most = float("inf") if name == "numbered" else time.time() + 60
        if type(state.get(name)) is not int or not 0 <= state[name] <= most:
            state[name] = 0
    state.setdefault("said", None)
    state.setdefault("synced_at", None)
    state.setdefault("error", None)
    return state
