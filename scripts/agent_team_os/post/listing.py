"""What there is in a store that may be new, and who there is: the listing that every sync begins with."""

from __future__ import annotations

import time

from ..protocol.errors import StoreFailed
from . import directory, letter, people, seal, store
from .trip import Trip

Listing = dict[str, int]  # sizes in bytes, by key

_WIDE = 25_000  # keys; a store with more is not listed as a whole
_DAY = 86_400.0
_WEEK = 7 * _DAY
_MONTH = 30 * _DAY
_AT_ONCE = 8  # listings
_MOST_PEOPLE = 5000
_BATCH = 50  # entries fetched before they are taken in


def look(trip: Trip) -> Listing:
    """What there is that may be new.

    One listing of everything where the store allows it and is not too large. Else one for each person, from a day
    before the last letter seen, since ids are made when a letter is written and not when it arrives; once a day each
    is listed as a whole, for what was on its way for longer than a day.
    """
    now = time.time()
    if now - trip.state["narrow_at"] > _WEEK:
        try:
            found = dict(trip.store.keys(letter.ROOT, most=_WIDE))
            if len(found) <= _WIDE:
                return found
        except StoreFailed:
            pass  # it may be our rights or its size; if the store is away, the small listing says so
        people_only = _directory(trip)
        trip.state["narrow_at"] = int(now)
        return _narrow(trip, now, people_only)
    return _narrow(trip, now, _directory(trip))


def _directory(trip: Trip) -> Listing:
    return dict(trip.store.keys(f"{letter.ROOT}dir/"))


def _narrow(trip: Trip, now: float, listed: Listing) -> Listing:
    """What is listed of the directory, and of the letters and receipts of each person who is known."""
    from concurrent.futures import ThreadPoolExecutor

    entries(trip, listed)  # whose letters are listed next
    me = trip.keys.uid
    sweep = trip.sweeping = now - trip.state["swept_at"] > _DAY
    wanted = []
    for uid in trip.known:
        if uid == me:
            if len(trip.known[me]["entry"]["recipients"]) > 1:  # another device writes here too
                wanted.append((f"{letter.ROOT}from/{me}/", ""))
            continue
        prefix = letter.letters_prefix(uid, me)
        last = trip.state["seen"].get(uid)
        begin = prefix + letter.id_at(min(letter.made_at(last), now) - _DAY) if letter.is_id(last) else ""
        wanted.append((prefix, "" if sweep else begin))
        unread = trip.sent.unread(uid)
        if unread:
            prefix = letter.receipts_prefix(uid, me)
            begin = max(letter.id_at(now - _MONTH), letter.id_at(letter.made_at(unread[0])))
            wanted.append((prefix, "" if sweep else prefix + begin))

    def one(asked: tuple[str, str]) -> Listing:
        try:
            return dict(trip.store.keys(*asked))
        except store.Denied:
            return {asked[0]: -1}

    found: Listing = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for listing in pool.map(one, wanted):
            found.update(listing)
    denied = [prefix for prefix, size in found.items() if size < 0]
    for prefix in denied:
        del found[prefix]
        trip.warnings.append(f"The store does not let you list {prefix}; ask those who run it for that right.")
    held = trip.state["held"]
    if sweep:  # all there is was listed; what is held and is not there any more is gone
        gone = [key for key in held if key not in found and not key.startswith(tuple(denied))]
        for key in gone:
            del held[key]
    # What is listed now counts more than what was when it was held; what is held may not be listed this time.
    return {**{key: about["size"] for key, about in held.items()}, **listed, **found}


def entries(trip: Trip, listed: Listing) -> None:
    """Take in the directory entries that are new, for at most half of the time that is left."""
    numbers: dict[str, set[int]] = {}
    for key in listed:
        parts = letter.parse_key(key)
        if parts is not None and parts.kind == "entry":
            numbers.setdefault(parts.owner, set()).add(int(parts.name))
    share = time.monotonic() + (trip.until - time.monotonic()) / 2
    fetched: list[tuple[str, str, bytes]] = []
    try:
        for uid, found in numbers.items():
            number = directory.next_number(trip.known, uid)
            if number == 1 and len(trip.known) >= _MOST_PEOPLE:
                continue
            while number in found:
                if time.monotonic() > share:
                    trip.unfinished = True
                    return
                key = letter.entry_key(uid, number)
                data = None if trip.is_refused(key, listed[key]) else trip.take(key, listed[key], letter.MAX_ENTRY)
                if data is None:
                    break
                fetched.append((uid, key, data))
                number += 1
            if len(fetched) >= _BATCH:
                _learn(trip, fetched)
    finally:
        _learn(trip, fetched)


def _learn(trip: Trip, fetched: list[tuple[str, str, bytes]]) -> None:
    """Take in the entries that were fetched, each person's in order, and forget the list."""
    taken, fetched[:] = list(fetched), []
    if not taken:
        return

    renamed: dict[str, str] = {}

    def learn(known: people.Directory) -> None:
        broken = set()
        before = {uid: known[uid].get("former") for uid, _, _ in taken if uid in known}
        for uid, key, data in taken:
            if uid not in broken:
                try:
                    directory.learn(known, uid, data)
                except seal.Refused as refused:
                    broken.add(uid)
                    trip.refuse(key, len(data), refused.why)

        for uid, former in before.items():
            if known[uid].get("former") != former:
                renamed[uid] = people.was(known[uid])

    trip.known = people.change(trip.home, learn)
    for uid, was in renamed.items():
        entry = trip.known[uid]["entry"]
        again = "" if trip.known[uid]["verified"] else f" Compare their key: {people.how_to_verify(trip.known, uid)}"
        if uid != trip.keys.uid:
            trip.warnings.append(f"{was}, is {entry['name']}, {entry['address']} now.{again}")
