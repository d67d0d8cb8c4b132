"""A sync: push what waits, pull what is new. One at a time in a home; what a kill or a failure cuts short, the next
one goes on with: each object is uploaded only if it is absent, each letter arrives once by its id.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..protocol import show
from ..protocol.errors import BusError, StoreFailed
from ..storage import lock, notes
from . import box, keys, listing, notify, people, pull, push, spool, store, trip

LOCK = "@people-sync"  # of the sync that is at work
_NEXT = "@people-next"  # of the sync that waits for its turn
_TURN = 60.0  # seconds it waits
_LONGEST = 20.0  # seconds of one call to the store
_UNSHOWN = 100  # refusals kept until somebody sees them


def run(
    home: str, environ: Mapping[str, str], url: str, budget: float | None = None, wait: float = lock.WAIT,
    progress: trip.Progress | None = None, shown: bool = True, claim: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Push and pull with the store at `url`, for at most `budget` seconds; returns what came of it.

    The answer has `pushed`, `fetched` (numbers, by address), `receipts`, `waiting` (why, by id), `held` and `refused`
    (why, by key; refused only what is new), `unfinished`, `error` (why the store failed, else None) and `warnings`.
    What is new of `refused` and `warnings` is kept for the next sync where it is not `shown` to anybody. LockBusy if
    another sync has been at work for `wait` seconds; NotSetUp; NotInstalled; people.AddressTaken without `claim`.
    """
    until = float("inf") if budget is None else time.monotonic() + budget
    with lock.guard(home, LOCK, wait):
        spool.prepare(home)
        spool.sweep(home)
        state = trip.load_state(home, url)
        known, index, sent = people.load(home), box.Index(home), spool.Sent(home)
        box.sweep(home, index)
        one: trip.Trip | None = None
        unfinished, failed = False, None
        try:
            mine = keys.load(environ)
            opened = store.open_store(url, environ, min(_LONGEST, budget or _LONGEST))
            one = trip.Trip(home, mine, opened, known, index, sent, state, until, claim, progress or trip.Silent())
            _both_ways(one)
            state["error"], state["synced_at"], unfinished = None, show.timestamp(), one.unfinished
        except BusError as error:
            failed, state["error"] = error, error.words()
        except trip.OutOfTime:
            unfinished, state["error"], state["synced_at"] = True, None, show.timestamp()
        finally:
            if one is not None and (one.keys.address, one.keys.name) != (mine.address, mine.name):
                keys.rename(environ, one.keys.address, one.keys.name)  # another device has said so
            box.count(home, index)
            refused, warnings = _told(environ, one, state, shown)
            notes.write(trip.state_path(home), state)
    if failed is not None and not isinstance(failed, StoreFailed):
        raise failed
    return {
        "pushed": one.pushed if one else {}, "fetched": one.fetched if one else {},
        "receipts": one.receipts if one else 0,
        "waiting": {one_id: state["waiting"].get(one_id) or state["error"] or "" for one_id in spool.ids(home)},
        "held": {key: about["why"] for key, about in state["held"].items()}, "refused": refused,
        "unfinished": unfinished, "error": state["error"], "warnings": warnings,
    }  # fmt: skip


def _told(
    environ: Mapping[str, str], one: trip.Trip | None, state: dict[str, Any], shown: bool
) -> tuple[dict[str, str], list[str]]:
    """Notify whoever is to be; what there is to be shown, with what nobody has seen of earlier syncs."""
    left = state["unshown"]
    refused: dict[str, str] = left.get("refused") if isinstance(left.get("refused"), dict) else {}
    warnings: list[str] = left.get("warnings") if isinstance(left.get("warnings"), list) else []
    if one is not None:
        refused = {**refused, **one.refused}
        for event, counts in (("pushed", one.pushed), ("fetched", one.fetched)):
            if counts:
                one.warnings += notify.tell(environ, event, counts)
        warnings = list(dict.fromkeys([*warnings, *one.warnings]))
    kept = {"refused": dict(list(refused.items())[-_UNSHOWN:]), "warnings": warnings[-_UNSHOWN:]}
    state["unshown"] = {} if shown else kept
    return refused, warnings


def wait_for_turn(home: str) -> None:
    """Behind the sync that is at work: it may have looked already for what waits, and what came since is in ours.

    LockBusy if another one waits already. It looks when it has given up the lock of those who wait, so it sees all
    that we would.
    """
    with lock.guard(home, _NEXT, 0.0), lock.guard(home, LOCK, _TURN):
        pass


def _both_ways(one: trip.Trip) -> None:
    """What takes a moment goes first: a large file on a slow line must not keep all the rest for ever."""
    listed = listing.look(one)
    listing.entries(one, listed)
    pull.letters(one, listed)
    if one.sweeping and not one.unfinished:
        one.state["swept_at"] = int(time.time())
    pull.receipts(one, listed)
    box.count(one.home, one.index)  # the notices need not wait for the files
    failed: StoreFailed | None = None
    try:
        push.entry(one, listed)
    except push.NoEntry as error:  # those who know us need none
        failed = error
    try:
        push.letters(one)
        push.receipts(one)
    except StoreFailed as error:
        failed = failed or error
    pull.attachments(one)  # a store that takes nothing may still give
    if failed is not None:
        raise failed


def last(home: str, url: str) -> tuple[str | None, str | None]:
    """When the last sync with this store came to its end, and why the last one failed."""
    state = trip.load_state(home, url)
    return state["synced_at"], state["error"]


def explain(home: str, url: str) -> dict[str, str]:
    """Why each letter waits, by id, as far as a sync has found it out."""
    waiting = trip.load_state(home, url)["waiting"]
    return {letter_id: why for letter_id, why in waiting.items() if isinstance(why, str)}
