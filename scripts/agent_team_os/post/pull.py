"""Download: who there is, the letters to this person, the receipts for theirs, what their other device did."""

from __future__ import annotations

import time
from typing import Any

from ..protocol import agentmap, show
from ..protocol.errors import CannotWrite, StoreFailed
from ..storage import files, lock
from . import box, directory, letter, people, seal, spool, store
from .trip import Trip

Listing = dict[str, int]  # sizes in bytes, by key

_WIDE = 25_000  # keys; a store with more is not listed as a whole
_DAY = 86_400.0
_WEEK = 7 * _DAY
_MONTH = 30 * _DAY
_AT_ONCE = 8  # listings
_MANY = 100  # letters
_MOST_PEOPLE = 5000
_BATCH = 50  # entries fetched before they are taken in


def look(trip: Trip) -> Listing:
    """What there is that may be new; nothing is fetched.

    One listing of everything where the store allows it and is not too large. Else one for each person, from a day
    before the last letter seen, since ids are made when a letter is written and not when it arrives; once a day each
    is listed as a whole, for what was on its way for longer than a day.
    """
    now = time.time()
    if now - trip.state["narrow_at"] > _WEEK:
        failed: StoreFailed | None = None
        try:
            found = dict(trip.store.keys(letter.ROOT, most=_WIDE))
            if len(found) <= _WIDE:
                return found
        except StoreFailed as error:
            failed = error
        # Only if a small listing comes it was the size, or our rights; else the store is away.
        people_only = _directory(trip) if not failed or isinstance(failed, store.Denied) else _or_raise(trip, failed)
        trip.state["narrow_at"] = int(now)
        return _narrow(trip, now, people_only)
    return _narrow(trip, now, _directory(trip))


def _directory(trip: Trip) -> Listing:
    return dict(trip.store.keys(f"{letter.ROOT}dir/"))


def _or_raise(trip: Trip, failed: StoreFailed) -> Listing:
    try:
        return _directory(trip)
    except StoreFailed:
        raise failed from None


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

    def learn(known: people.Directory) -> None:
        broken = set()
        for uid, key, data in taken:
            if uid not in broken:
                try:
                    directory.learn(known, uid, data)
                except seal.Refused as refused:
                    broken.add(uid)
                    trip.refuse(key, len(data), refused.why)

    trip.known = people.change(trip.home, learn)


def letters(trip: Trip, listed: Listing) -> None:
    """Take in the letters that are new: to this person, and those another device of theirs has sent."""
    trip.state["held"] = {key: about for key, about in trip.state["held"].items() if key in listed}
    found = [(parts, key) for key in listed if (parts := letter.parse_key(key)) is not None and parts.kind == "letter"]
    for parts, key in _in_turn(found):
        size = listed[key]
        if parts.owner == parts.other:
            continue  # what a device hands to a new one
        if parts.other == trip.keys.uid:
            _letter(trip, parts, key, size)
        elif parts.owner == trip.keys.uid and parts.name not in trip.sent.to:
            document = _opened(trip, "letter", parts, key, size)
            if document is not None and spool.read(trip.home, parts.name) is None:
                spool.keep_sent(trip.home, document, None)
                trip.sent.to[parts.name] = parts.other
    if trip.closed:
        what = "1 message" if trip.closed == 1 else f"{trip.closed} messages"
        trip.warnings.append(f"{what} from before this device was added can only be opened on the other one.")


def _in_turn(found: list[tuple[letter.Key, str]]) -> list[tuple[letter.Key, str]]:
    """Letters in the order they were written; where there are many, in turn from each sender, so that nobody who
    sends thousands keeps the others waiting."""
    found.sort(key=lambda one: one[0].name)
    if len(found) <= _MANY:
        return found
    turns: dict[str, int] = {}
    numbered = []
    for number, (parts, key) in enumerate(found):
        turns[parts.owner] = turns.get(parts.owner, 0) + 1
        numbered.append((turns[parts.owner], number, (parts, key)))
    return [one for _, _, one in sorted(numbered)]


def _letter(trip: Trip, parts: letter.Key, key: str, size: int) -> None:
    if letter.name(parts.owner, parts.name) in trip.index.numbers or trip.is_refused(key, size):
        trip.state["held"].pop(key, None)
        return
    if parts.owner not in trip.known:
        trip.hold(key, size, "its sender is not in the directory")
        return
    why = people.waits(trip.known, parts.owner)
    if why:
        trip.hold(key, size, why)
        return
    document = _opened(trip, "letter", parts, key, size)
    if document is None:
        return
    number = box.arrive(trip.home, trip.index, document, show.timestamp(), trip.state["numbered"])
    trip.state["numbered"] = number
    last = trip.state["seen"].get(parts.owner, "")
    trip.state["seen"][parts.owner] = max(last, parts.name)
    address = people.address_of(trip.known, parts.owner)
    trip.fetched[address] = trip.fetched.get(address, 0) + 1


def _opened(trip: Trip, kind: str, parts: letter.Key, key: str, size: int) -> dict[str, Any] | None:
    """A letter or receipt that was checked; None, and it is held or refused, if it cannot be had."""
    if trip.is_refused(key, size):
        return None
    data = trip.take(key, size)
    if data is None:
        return None
    try:
        return trip.opened(kind, parts, data)
    except seal.Refused as refused:
        trip.pass_over(key, size, refused)
        return None


def receipts(trip: Trip, listed: Listing) -> None:
    """Take in who has read what: others the letters of this person, another device the letters to them."""
    for key, size in sorted(listed.items()):
        parts = letter.parse_key(key)
        if parts is None or parts.kind != "receipt":
            continue
        me, name = trip.keys.uid, parts.name
        if parts.other == me:
            if trip.sent.to.get(name) != parts.owner or name in trip.sent.read or people.waits(trip.known, parts.owner):
                continue
            document = _opened(trip, "receipt", parts, key, size)
            if document is not None:
                trip.sent.mark_read(name, document["read_at"])
                trip.receipts += 1
        elif parts.owner == me:
            name = letter.name(parts.other, name)
            unread = name in trip.index.numbers and name not in trip.index.read
            document = _opened(trip, "receipt", parts, key, size) if unread else None
            if document is not None:
                box.mark_read(trip.home, trip.index, name, document["read_at"], [])
                box.forget_files(trip.home, name)


def attachments(trip: Trip) -> None:
    """Fetch the files of letters that were not read yet, so that they can be read without a network."""
    unread = trip.index.unread()
    failed = {name: trip.state["fetch"][name] for name in unread if name in trip.state["fetch"]}
    trip.state["fetch"] = failed
    found = (trip.index.open(name) for name in unread if name not in failed)
    wanted = [document for document in found if document is not None and _lacks(trip, document)]
    if not wanted:
        return
    trip.progress.begin("Fetching", sum(about["size"] for document in wanted for about in document["attachments"]))
    try:
        for document in wanted:
            try:
                for number in range(len(document["attachments"])):
                    fetch(trip, document, number)
            except (seal.Refused, store.Denied, CannotWrite) as fault:
                failed[letter.name_of(document)] = str(fault)  # reading the letter tries again, and says it
    finally:
        trip.progress.end()


def _lacks(trip: Trip, document: dict[str, Any]) -> bool:
    name, count = letter.name_of(document), len(document["attachments"])
    return not all(files.is_file(box.fetched(trip.home, name, number)) for number in range(count))


def fetch(trip: Trip, document: dict[str, Any], number: int) -> None:
    """Bring one attachment of a letter here, checked; seal.Refused if it cannot be had, StoreFailed, OutOfTime.

    CannotWrite where the disk says no, which a smaller file may not hear.
    """
    target = box.fetched(trip.home, letter.name_of(document), number)
    if files.is_file(target):
        return
    trip.check_time()
    about = document["attachments"][number]
    key = letter.attachment_key(document["from"], trip.keys.uid, document["id"], number)
    try:
        sealed = trip.store.get(key, letter.MAX_SEALED_FILE, trip.progress.step)
    except store.Missing:
        raise seal.Refused("it is not in the store") from None
    except store.TooLarge:
        raise seal.Refused("it is larger than any attachment can be") from None
    data = seal.decrypt(sealed, trip.keys.identity)
    if len(data) != about["size"] or seal.digest(data) != about["sha256"]:
        raise seal.Refused("it is not the file that the message speaks of")
    place = box.files_folder(trip.home)
    try:
        files.make_folder(place)
        with lock.guard(trip.home, "@people"):  # a sync and a `msg read` may bring the same file at once
            files.replace(target, data)
    except OSError as error:
        what = f"cannot write into {agentmap.short(place)}: {error.strerror or error}"
        raise CannotWrite(what, "Mend that and read again.") from None
