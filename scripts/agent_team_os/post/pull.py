"""Download: the letters to this person, the receipts for theirs, and what another device of theirs did."""

from __future__ import annotations

import os
from typing import Any

from ..protocol import agentmap, show
from ..protocol.errors import CannotWrite
from ..storage import files, lock
from . import box, letter, people, seal, spool, store
from .listing import Listing
from .trip import Trip

_MANY = 100  # letters
MOST_UNREAD = 200 * 1_048_576  # bytes of attachments that wait here for their letters to be read


def letters(trip: Trip, listed: Listing) -> None:
    """Take in the letters that are new: to this person, and those another device of theirs has sent."""
    trip.state["held"] = {key: about for key, about in trip.state["held"].items() if key in listed}
    found = [(parts, key) for key in listed if (parts := letter.parse_key(key)) is not None and parts.kind == "letter"]
    order = _held_last(trip)
    for parts, key in sorted(_in_turn(found), key=lambda one: order.get(one[1], -1)):
        size = listed[key]
        if parts.owner == parts.other:
            continue  # what a device hands to a new one
        if parts.other == trip.keys.uid:
            _letter(trip, parts, key, size)
        elif parts.owner == trip.keys.uid and parts.name not in trip.sent.to:
            document = _opened(trip, "letter", parts, key, size)
            if document is not None and spool.read(trip.home, parts.name) is None:
                label = people.address_of(trip.known, parts.other)
                spool.keep_sent(trip.home, {**document, "address": label}, None)
                trip.sent.to[parts.name] = parts.other
    if trip.closed:
        what = "1 message" if trip.closed == 1 else f"{trip.closed} messages"
        trip.warnings.append(f"{what} from before this device was added can only be opened on the other one.")


def _held_last(trip: Trip) -> dict[str, int]:
    """The turn of each object that was held before: after all that is new, since it may be held again and take the
    time of that; among these, whoever waited longest comes first."""
    return {key: number for number, key in enumerate(trip.state["held"])}


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
    address = people.address_of(trip.known, parts.owner)
    sender = {"address": address, "name": people.name_of(trip.known, parts.owner)}
    number = box.arrive(trip.home, trip.index, document, sender, show.timestamp(), trip.state["numbered"])
    trip.state["numbered"] = number
    last = trip.state["seen"].get(parts.owner, "")
    trip.state["seen"][parts.owner] = max(last, parts.name)
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
    order = _held_last(trip)
    for key, size in sorted(listed.items(), key=lambda one: (order.get(one[0], -1), one[0])):
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
    """Fetch the files of letters that were not read yet, so that they can be read without a network.

    At most MOST_UNREAD bytes of them wait here, in turn from each sender and the small ones first, so that no sender
    and no slow file keeps the others out. Reading a letter fetches what was left.
    """
    unread = trip.index.unread()
    failed = {name: trip.state["fetch"][name] for name in unread if name in trip.state["fetch"]}
    trip.state["fetch"] = failed
    found = [document for name in unread if name not in failed and (document := trip.index.open(name)) is not None]
    wanted, left = _that_fit(trip, [document for document in found if _lacks(trip, document)])
    if left:
        count, size = sum(len(one["attachments"]) for one in left), sum(map(_size, left))
        stayed = "file of unread messages stays" if count == 1 else "files of unread messages stay"
        trip.warnings.append(
            f"{count} {stayed} in the store ({show.size(size)}): at most {show.size(MOST_UNREAD)} wait here. "
            "Reading a message fetches its own."
        )
    if not wanted:
        return
    trip.progress.begin("Fetching", sum(about["size"] for document in wanted for about in document["attachments"]))
    try:
        for document in wanted:
            try:
                for number in range(len(document["attachments"])):
                    fetch(trip, document, number)
            except (seal.Refused, store.Denied) as fault:
                failed[letter.name_of(document)] = str(fault)  # reading the letter tries again, and says it
            except CannotWrite as fault:  # there may be room again when the next sync tries
                trip.warnings.append(f"A file was not fetched: {fault.message}")
    finally:
        trip.progress.end()


def _size(document: dict[str, Any]) -> int:
    return sum(about["size"] for about in document["attachments"])


def _on_disk(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:  # gone since it was listed
        return 0


def _that_fit(trip: Trip, lacking: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The letters whose files are fetched, in that order, and those for whose files there is no room."""
    place = box.files_folder(trip.home)
    room = MOST_UNREAD - sum(_on_disk(os.path.join(place, name)) for name in files.names(place))
    turns: dict[str, int] = {}
    numbered = []
    for number, document in enumerate(sorted(lacking, key=_size)):
        turn = turns[document["from"]] = turns.get(document["from"], 0) + 1
        numbered.append((turn, number, document))
    wanted, left = [], []
    for _, _, document in sorted(numbered):
        size = _size(document)
        if size <= room:
            room -= size
            wanted.append(document)
        else:
            left.append(document)
    return wanted, left


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
        most = min(letter.MAX_SEALED_FILE, about["size"] + letter.SEALED_MORE)
        sealed = trip.store.get(key, most, trip.progress.step)
    except store.Missing:
        raise seal.Refused("it is not in the store") from None
    except store.TooLarge:
        raise seal.Refused("it is larger than any attachment of that size can be") from None
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
