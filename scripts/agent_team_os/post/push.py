"""Upload: this person's directory entry, the letters that wait, the receipts that wait."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..mail import attachments
from ..protocol import show
from ..protocol.errors import NotVerified, StoreFailed
from ..storage import files
from . import directory, letter, people, seal, spool, store
from .trip import Trip


class NoEntry(StoreFailed):
    """Something else stands where this person's next entry belongs."""


def entry(trip: Trip, listed: Mapping[str, int]) -> None:
    """Let the directory say of this person what their keys say: address, name, and this device among the others.

    AddressTaken, unless the trip may `claim` it, for an address that somebody with another key has.

    Where this device has said its address and name before, and the directory has others, another device of the person
    has changed them, and this one follows: `trip.keys` has them then.
    """
    mine = trip.known.get(trip.keys.uid)
    if mine is not None and trip.state["said"] == [trip.keys.address, trip.keys.name]:
        trip.keys = dataclasses.replace(trip.keys, address=mine["entry"]["address"], name=mine["entry"]["name"])
    _restore(trip, listed)
    _publish(trip)
    trip.state["said"] = [trip.keys.address, trip.keys.name]


def _restore(trip: Trip, listed: Mapping[str, int]) -> None:
    """Let this store have all the entries of this person: it may be another one than before, or made anew."""
    mine = trip.known.get(trip.keys.uid)
    if mine is None:
        return
    chain = {kept["number"]: kept for kept in [*mine.get("chain", ()), mine["entry"]]}
    for number in range(1, mine["entry"]["number"]):
        key = letter.entry_key(trip.keys.uid, number)
        data = trip.take(key, listed[key], letter.MAX_ENTRY) if number not in chain and key in listed else None
        if data is not None:
            try:
                chain[number] = directory.read(trip.keys.uid, number, data)
            except seal.Refused as refused:
                trip.refuse(key, listed[key], refused.why)
    whole = [chain[number] for number in sorted(chain)]
    if whole != mine.get("chain"):
        trip.known = people.change(trip.home, lambda known: known[trip.keys.uid].update(chain=whole))
    for kept in whole:
        key = letter.entry_key(trip.keys.uid, kept["number"])
        if key not in listed:
            trip.store.put_new(key, seal.canonical(kept))


def _publish(trip: Trip) -> None:
    for _ in range(3):  # another device of the same person may be at it
        _own_key(trip)
        mine = trip.known.get(trip.keys.uid)
        if mine is not None and _is_current(trip, mine["entry"]):
            return
        if mine is None or mine["entry"]["address"] != trip.keys.address:
            _check_free(trip)
        number = directory.next_number(trip.known, trip.keys.uid)
        devices = list(mine["entry"]["recipients"]) if mine else []
        fresh = directory.entry(
            trip.keys, number, directory.last(mine)["sum"] if mine else None,
            list(dict.fromkeys([*devices, trip.keys.recipient])),
        )  # fmt: skip
        data = seal.canonical(fresh)
        key = letter.entry_key(trip.keys.uid, number)
        if not trip.store.put_new(key, data):
            try:
                data = trip.store.get(key, letter.MAX_ENTRY)
            except (store.Missing, store.TooLarge):
                raise _alien(trip, "what stands there is no entry") from None
        learn(trip, data)


def _check_free(trip: Trip) -> None:
    """AddressTaken if somebody else has the address that this person is about to take."""
    address = trip.keys.address
    for uid, about in trip.known.items():
        if uid != trip.keys.uid and about["entry"]["address"] == address and not trip.claim:
            raise people.AddressTaken(
                f"{address} is in the directory already, with another key: {directory.fingerprint(about)}",
                "On a second device: ato msg device add. If that key is lost: ato msg setup",
            )


def _own_key(trip: Trip) -> None:
    """Of this person's own entries nobody need verify the key; one with a key that is not theirs is a warning."""
    later = trip.known.get(trip.keys.uid, {}).get("changed")
    if not later:
        return
    if later["entry"]["verify_key"] == trip.keys.verify_key:
        trip.known = people.change(trip.home, lambda known: known[trip.keys.uid].update(later, changed=None))
    else:
        trip.warnings.append(
            "The directory has an entry in your name with a key that is not yours, so nobody's mail to you goes out. "
            "Ask those who run the store who can write there."
        )


def learn(trip: Trip, data: bytes) -> None:
    """Take in an entry of this person; StoreFailed if it is none."""
    try:
        trip.known = people.change(trip.home, lambda known: directory.learn(known, trip.keys.uid, data))
    except seal.Refused as refused:
        raise _alien(trip, refused.why) from None


def _alien(trip: Trip, why: str) -> NoEntry:
    return NoEntry(
        f"the store {trip.store.url} has an entry in your name that you did not make: {why}",
        "Ask those who run the store who can write there, then set up anew: ato msg setup",
    )


def _is_current(trip: Trip, mine: dict[str, object]) -> bool:
    devices = mine["recipients"]
    return (mine["address"], mine["name"], mine["verify_key"]) == (
        trip.keys.address, trip.keys.name, trip.keys.verify_key,
    ) and isinstance(devices, list) and trip.keys.recipient in devices  # fmt: skip


def letters(trip: Trip) -> None:
    """Upload what waits: notes first, which take a moment, then what has files; the oldest first of each.

    What one letter cannot do keeps no other from trying.

    StoreFailed, with the reason noted for each that is left, where the store itself fails.
    """
    left = spool.ids(trip.home)
    trip.state["waiting"] = {letter_id: why for letter_id, why in trip.state["waiting"].items() if letter_id in left}
    trip.state["put"] = {letter_id: parts for letter_id, parts in trip.state["put"].items() if letter_id in left}
    waiting = sorted(spool.waiting(trip.home), key=lambda document: bool(document["attachments"]))
    total = sum(about["size"] for document in waiting for about in document["attachments"])
    trip.progress.begin("Sending", total)
    try:
        for letter_id in spool.damaged(trip.home):
            trip.state["waiting"][letter_id] = "its file is damaged"
        for number, document in enumerate(waiting):
            try:
                _letter(trip, document)
            except (NotVerified, _Unfit) as error:
                trip.state["waiting"][document["id"]] = error.message
            except StoreFailed as error:
                for other in waiting[number:]:
                    trip.state["waiting"][other["id"]] = error.message
                raise
            else:
                trip.state["waiting"].pop(document["id"], None)
    finally:
        trip.progress.end()


class _Unfit(Exception):
    """This letter cannot go, whatever the store says."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def _letter(trip: Trip, document: dict[str, object]) -> None:
    letter_id = str(document["id"])
    if letter_id not in trip.sent.to:
        # Whoever set up anew, and was verified since, is the one it was written to.
        to = people.stands_for(trip.known, str(document["to"]))
        if to != document["to"]:
            document = spool.readdress(trip.home, document, to)
        if to not in trip.known:
            raise _Unfit("its recipient is in no directory of this store")
        people.check_trusted(trip.known, to)
        trip.check_time()
        devices = directory.recipients(trip.known, trip.keys, to)
        key, signed = letter.letter_key(trip.keys.uid, to, letter_id), seal.sign(document, trip.keys.seed)

        def same(there: bytes) -> bool:
            return seal.opened(there, trip.keys.identity) == signed

        attached = document["attachments"]
        for number, about in enumerate(attached if isinstance(attached, list) else ()):
            _attachment(trip, letter_id, to, number, about, devices)
        # The time is not asked for here: after the files it takes but a moment, and a letter is what they wait for.
        trip.put(key, seal.sealed(document, trip.keys.seed, devices), same)
        address = people.address_of(trip.known, to)
        trip.pushed[address] = trip.pushed.get(address, 0) + 1
    label = people.address_of(trip.known, str(document["to"]))
    spool.settle(trip.home, {**document, "address": label}, show.timestamp())
    trip.sent.to[letter_id] = str(document["to"])


def _attachment(trip: Trip, letter_id: str, to: str, number: int, about: dict[str, object], devices: list[str]) -> None:
    """Upload one file, unless an earlier sync has done so for the same devices."""
    parts = trip.state["put"].setdefault(letter_id, {})
    key = letter.attachment_key(trip.keys.uid, to, letter_id, number)
    put = parts.get(key)
    if isinstance(put, dict) and put.get("to") == devices and trip.store.size(key) == put.get("size"):
        return
    trip.check_time()
    path = spool.attachment(trip.home, letter_id, number)
    try:
        data = files.read(path, attachments.MAX_SIZE)
    except (FileNotFoundError, files.BadFile):
        raise _Unfit(f"the copy of {show.one_line(str(about['name']), 80)} in the spool is gone or damaged") from None
    if seal.digest(data) != about["sha256"]:
        raise _Unfit(f"the copy of {show.one_line(str(about['name']), 80)} in the spool is damaged")
    sealed = seal.encrypt(data, devices)
    trip.put(key, sealed, lambda _: False)  # what is there was for other devices, or nobody knows for which
    parts[key] = {"to": devices, "size": len(sealed)}
    trip.keep_state()
    trip.progress.step(len(data))


def receipts(trip: Trip) -> None:
    """Upload the receipts that wait; one for somebody who is not to be trusted now waits on."""
    for document in spool.receipts(trip.home):
        to, letter_id = document["to"], document["id"]
        if to not in trip.known or people.waits(trip.known, to):
            continue
        key = letter.receipt_key(trip.keys.uid, to, letter_id)
        data = seal.sealed(document, trip.keys.seed, directory.recipients(trip.known, trip.keys, to))
        trip.check_time()
        # Of two devices that read a letter the first has said so; what it said is as good.
        trip.store.put_new(key, data)
        spool.drop_receipt(trip.home, document)
