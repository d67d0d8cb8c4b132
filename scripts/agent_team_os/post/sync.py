"""A sync: push what waits, pull what is new. One at a time in a home; what a kill or a failure cuts short, the next
one goes on with: each object is uploaded only if it is absent, each letter arrives once by its id.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..protocol import show
from ..protocol.errors import StoreFailed
from ..storage import lock, notes
from . import box, keys, notice, notify, people, pull, push, spool, store, trip


def run(
    home: str, environ: Mapping[str, str], url: str, budget: float | None = None, wait: float = lock.WAIT,
    progress: trip.Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Push and pull with the store at `url`, for at most `budget` seconds; returns what came of it.

    The answer has `pushed`, `fetched` (numbers, by address), `receipts`, `waiting` (why, by id), `held` and `refused`
    (why, by key; refused only what is new), `unfinished`, `error` (why the store failed, else None) and `warnings`.
    LockBusy if another sync has been at work for `wait` seconds; NotSetUp; NotInstalled.
    """
    mine = keys.load(environ)
    until = float("inf") if budget is None else time.monotonic() + budget
    with lock.guard(home, "@people-sync", wait):
        spool.prepare(home)
        spool.sweep(home)
        state = trip.load_state(home, url)
        known, index, sent = people.load(home), box.Index(home), spool.Sent(home)
        box.sweep(home, index)
        one: trip.Trip | None = None
        unfinished = False
        try:
            opened = store.open_store(url, environ, min(20.0, budget or 20.0))
            one = trip.Trip(home, mine, opened, known, index, sent, state, until, progress or trip.Silent())
            _both_ways(one)
            state["error"], state["synced_at"] = None, show.timestamp()
        except StoreFailed as error:
            state["error"] = error.message
        except trip.OutOfTime:
            unfinished, state["error"], state["synced_at"] = True, None, show.timestamp()
        finally:
            if one is not None and (one.keys.address, one.keys.name) != (mine.address, mine.name):
                keys.rename(environ, one.keys.address, one.keys.name)  # another device has said so
            box.count(home, index)
            notes.write(trip.state_path(home), state)
    warnings = one.warnings if one else []
    pushed, fetched = (one.pushed, one.fetched) if one else ({}, {})
    for event, counts in (("pushed", pushed), ("fetched", fetched)):
        if counts:
            warnings += notify.tell(environ, event, counts)
    return {
        "pushed": pushed, "fetched": fetched, "receipts": one.receipts if one else 0,
        "waiting": {one_id: state["waiting"].get(one_id) or state["error"] or "" for one_id in spool.ids(home)},
        "held": {key: about["why"] for key, about in state["held"].items()}, "refused": one.refused if one else {},
        "unfinished": unfinished, "error": state["error"], "warnings": warnings,
    }  # fmt: skip


def _both_ways(one: trip.Trip) -> None:
    """What takes a moment goes first: a large file on a slow line must not keep all the rest for ever."""
    listed = pull.look(one)
    pull.letters(one, listed)
    pull.receipts(one, listed)
    box.count(one.home, one.index)  # the notices need not wait for the files
    failed: StoreFailed | None = None
    try:
        push.entry(one)
        push.letters(one)
        push.receipts(one)
    except StoreFailed as error:
        failed = error
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


def in_background(home: str, environ: Mapping[str, str]) -> None:
    """Start a sync now that is not waited for."""
    notice.refresh(home, environ, pause=0.0)
