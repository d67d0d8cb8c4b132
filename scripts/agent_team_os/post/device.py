"""A second device of one person. It has an age key of its own and shares the signing key.

The new device says its recipient; the old one puts it into the directory entry and leaves the signing key in the store
as a `grant` that only the new one can open. What was sent before stays closed to the new device.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..protocol import schemas
from ..protocol.errors import InvalidLetter, NotSetUp, StoreFailed
from ..storage import lock
from . import directory, keys, letter, listing, me, notice, push, seal, spool, store, sync, trip

_GRANTS = 20  # looked at of one person, the last ones


def check_key(recipient: str) -> None:
    """InvalidLetter for what is no key of a device."""
    try:
        seal.check_recipient(recipient)
    except seal.Refused:
        raise InvalidLetter("that is no key of a device", "Copy it whole from: ato msg device add") from None


def accept(home: str, environ: Mapping[str, str], url: str, recipient: str) -> None:
    """Let another device of this person read what comes from now on, and write in their name. Says the same twice.

    InvalidLetter for what is no key of a device; StoreFailed.
    """
    check_key(recipient)
    mine = keys.load(environ)
    with lock.guard(home, sync.LOCK):
        one = trip.open_trip(home, environ, url, mine)
        listed = dict(one.store.keys(f"{letter.ROOT}dir/"))
        listing.entries(one, listed)
        push.entry(one, listed)
        mine = one.keys
        devices = one.known[mine.uid]["entry"]["recipients"]
        if recipient not in devices:
            if len(devices) >= 20:
                raise InvalidLetter("20 devices are the most one person can have")
            about = one.known[mine.uid]
            number = directory.next_number(one.known, mine.uid)
            data = seal.canonical(directory.entry(mine, number, directory.last(about)["sum"], [*devices, recipient]))
            if not one.store.put_new(letter.entry_key(mine.uid, number), data):
                raise StoreFailed("another device has just changed the directory entry", "Try again.")
            push.learn(one, data)
        grant_id = letter.new_id()
        grant = {
            "kind": "grant", "version": "1", "id": grant_id, "from": mine.uid, "to": mine.uid,
            "recipient": recipient, "seed": mine.seed.hex(),
        }  # fmt: skip
        sealed = seal.sealed(grant, mine.seed, [recipient])
        one.put(letter.letter_key(mine.uid, mine.uid, grant_id), sealed, lambda _: False)


def find(home: str, environ: Mapping[str, str], url: str, address: str) -> list[dict[str, Any]]:
    """What was left for this device, `{uid, address, name, seed, verify_key}` each; empty if nothing yet.

    More than one if somebody else claims the address and wants this device for themselves.
    """
    address = me.check_address(address)
    identity, recipient = keys.device(environ)
    mine = keys.Keys("", address, "", "", b"", identity, recipient)
    left: list[dict[str, Any]] = []
    with lock.guard(home, sync.LOCK):
        spool.prepare(home)
        one = trip.open_trip(home, environ, url, mine)
        listing.entries(one, dict(one.store.keys(f"{letter.ROOT}dir/")))
        for uid, about in one.known.items():
            entry = about["entry"]
            if entry["address"] != address or recipient not in entry["recipients"]:
                continue
            keys_there = [key for key, _ in reversed(one.store.keys(letter.letters_prefix(uid, uid)))]
            seed = next((found for key in keys_there[:_GRANTS] if (found := _grant(one, key, uid)) is not None), None)
            if seed is not None:
                left.append({**{name: entry[name] for name in ("uid", "address", "name", "verify_key")}, "seed": seed})
    return left


def _grant(one: trip.Trip, key: str, uid: str) -> bytes | None:
    """The signing key in a grant for this device; None if it is for another one, or no grant."""
    parts = letter.parse_key(key)
    if parts is None or parts.kind != "letter":
        return None
    try:
        document = seal.opened(one.store.get(key, letter.MAX_SEALED), one.keys.identity)
        if schemas.checker("grant")(document) is not None:
            return None
        if (document["id"], document["from"], document["recipient"]) != (parts.name, uid, one.keys.recipient):
            return None
        seal.check(document, one.signer(uid))
    except (seal.Refused, store.Missing, store.TooLarge):
        return None
    seed = bytes.fromhex(document["seed"])
    return seed if seal.verify_key_of(seed) == one.signer(uid) else None


def adopt(home: str, environ: Mapping[str, str], found: Mapping[str, Any]) -> None:
    """Complete this device with what the other one has left."""
    keys.adopt(environ, uid=found["uid"], address=found["address"], name=found["name"], seed=found["seed"])
    notice.set_up(home)


def check_new(environ: Mapping[str, str]) -> None:
    """NotSetUp if this device is set up already."""
    mine = me.known(environ)
    if mine is not None:
        hint = f"Call it on the new device. If this is the new one, first move {me.folder(environ)} away."
        raise NotSetUp(f"this device is {mine['address']} already", hint)
