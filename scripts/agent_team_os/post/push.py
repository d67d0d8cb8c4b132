"""Upload: this person's directory entry, the letters that wait, the receipts that wait."""

from __future__ import annotations

import dataclasses
import functools

from ..protocol import show
from ..protocol.errors import NotVerified, StoreFailed
from ..storage import files
from . import directory, letter, people, seal, spool
from .trip import Trip


def entry(trip: Trip) -> None:
    """Let the directory say of this person what their keys say: address, name, and this device among the others.

    Where this device has said its address and name before, and the directory has others, another device of the person
    has changed them, and this one follows: `trip.keys` has them then.
    """
    mine = trip.known.get(trip.keys.uid)
    if mine is not None and trip.state["said"] == [trip.keys.address, trip.keys.name]:
        trip.keys = dataclasses.replace(trip.keys, address=mine["entry"]["address"], name=mine["entry"]["name"])
    _publish(trip)
    trip.state["said"] = [trip.keys.address, trip.keys.name]


def _publish(trip: Trip) -> None:
    for _ in range(3):  # another device of the same person may be at it
        _own_key(trip)
        mine = trip.known.get(trip.keys.uid)
        if mine is not None and _is_current(trip, mine["entry"]):
            return
        number = directory.next_number(trip.known, trip.keys.uid)
        devices = list(mine["entry"]["recipients"]) if mine else []
        fresh = directory.entry(
            trip.keys, number, directory.last(mine)["sum"] if mine else None,
            list(dict.fromkeys([*devices, trip.keys.recipient])),
        )  # fmt: skip
        data = seal.canonical(fresh)
        key = letter.entry_key(trip.keys.uid, number)
        if not trip.store.put_new(key, data):
            data = trip.store.get(key, letter.MAX_SEALED)
        learn(trip, data)


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
        raise StoreFailed(
            f"the store {trip.store.url} has an entry in your name that you did not make: {refused.why}",
            "Ask those who run the store who can write there, then set up anew: ato msg setup",
        ) from None


def _is_current(trip: Trip, mine: dict[str, object]) -> bool:
    devices = mine["recipients"]
    return (mine["address"], mine["name"], mine["verify_key"]) == (
        trip.keys.address, trip.keys.name, trip.keys.verify_key,
    ) and isinstance(devices, list) and trip.keys.recipient in devices  # fmt: skip


def letters(trip: Trip) -> None:
    """Upload what waits, the oldest first. What one letter cannot do keeps no other from trying.

    StoreFailed, with the reason noted for each that is left, where the store itself fails.
    """
    left = spool.ids(trip.home)
    trip.state["waiting"] = {letter_id: why for letter_id, why in trip.state["waiting"].items() if letter_id in left}
    waiting = spool.waiting(trip.home)
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
        devices = directory.recipients(trip.known, trip.keys, to)
        attachments = document["attachments"]
        for number, about in enumerate(attachments if isinstance(attachments, list) else ()):
            _attachment(trip, letter_id, to, number, about, devices)
        sealed = seal.sealed(document, trip.keys.seed, devices)
        signed = seal.sign(document, trip.keys.seed)
        trip.put(
            letter.letter_key(trip.keys.uid, to, letter_id), sealed,
            lambda there: seal.opened(there, trip.keys.identity) == signed,
        )  # fmt: skip
        address = people.address_of(trip.known, to)
        trip.pushed[address] = trip.pushed.get(address, 0) + 1
    spool.settle(trip.home, document, show.timestamp())
    trip.sent.to[letter_id] = str(document["to"])


def _attachment(trip: Trip, letter_id: str, to: str, number: int, about: dict[str, object], devices: list[str]) -> None:
    path = spool.attachment(trip.home, letter_id, number)
    try:
        data = files.read(path, 10 * 1_048_576)
    except (FileNotFoundError, files.BadFile):
        raise _Unfit(f"the copy of {show.one_line(str(about['name']), 80)} in the spool is gone or damaged") from None
    if seal.digest(data) != about["sha256"]:
        raise _Unfit(f"the copy of {show.one_line(str(about['name']), 80)} in the spool is damaged")
    same = functools.partial(_holds, trip, str(about["sha256"]))
    trip.put(letter.attachment_key(trip.keys.uid, to, letter_id, number), seal.encrypt(data, devices), same)
    trip.progress.step(len(data))


def _holds(trip: Trip, sha256: str, there: bytes) -> bool:
    return seal.digest(seal.decrypt(there, trip.keys.identity)) == sha256


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
