"""Directory entries: what a person says of themselves to all, numbered, each signed and holding the sum of the last.

The uid is the sum of a person's first key, so nobody else can make the first entry of it; each later one must follow
from the one before. An entry with another key is kept apart until a person has verified it.
"""

from __future__ import annotations

from typing import Any

from ..protocol import schemas, show
from ..protocol.errors import NotVerified
from . import people, seal
from .keys import Keys


def entry(keys: Keys, number: int, previous: str | None, recipients: list[str]) -> dict[str, Any]:
    """The n-th entry of this person, signed; `previous` is the sum of the bytes of the one before."""
    return seal.sign(
        {
            "kind": "entry", "version": "1", "uid": keys.uid, "number": number, "address": keys.address,
            "name": keys.name, "recipients": recipients, "verify_key": keys.verify_key, "previous": previous,
            "made_at": show.timestamp(),
        },
        keys.seed,
    )  # fmt: skip


def read(uid: str, number: int, data: bytes) -> dict[str, Any]:
    """The entry in `data`, by itself all right; seal.Refused if it is not."""
    document = seal.parsed(data)
    fault = schemas.checker("entry")(document)
    if fault is not None:
        raise seal.Refused(f"it is no valid entry ({show.one_line(schemas.describe(fault), 120)})")
    if (document["uid"], document["number"]) != (uid, number):
        raise seal.Refused("it is the entry of somebody else, or another one")
    seal.check(document, document["verify_key"])
    if number == 1 and (document["previous"] is not None or seal.uid_of(document["verify_key"]) != uid):
        raise seal.Refused("its key is not that of the person in whose folder it lies")
    for recipient in document["recipients"]:
        seal.check_recipient(recipient)
    return document


def next_number(known: people.Directory, uid: str) -> int:
    """The number of the entry of a person that comes next."""
    about = known.get(uid)
    if about is None:
        return 1
    return int(last(about)["entry"]["number"]) + 1


def last(about: dict[str, Any]) -> dict[str, Any]:
    """The newest entry of a person and its sum, whether or not its key is trusted."""
    newest: dict[str, Any] = about.get("changed") or about
    return newest


def learn(known: people.Directory, uid: str, data: bytes) -> None:
    """Take in the next entry of a person; seal.Refused if it does not follow from what is known."""
    about = known.get(uid)
    document = read(uid, next_number(known, uid), data)
    if about is None:
        known[uid] = {
            "entry": document, "sum": seal.digest(data), "verified": False, "met": None, "changed": None,
            "first_seen": show.timestamp(),
        }  # fmt: skip
        return
    if document["previous"] != last(about)["sum"]:
        raise seal.Refused("it does not follow from the entry before it")
    fresh = {"entry": document, "sum": seal.digest(data)}
    if document["verify_key"] == about["entry"]["verify_key"]:
        people.take(about, fresh)  # the key that is trusted has the last word
        return
    about["changed"] = fresh


def verify(home: str, uid: str, compared: str, address: str | None = None) -> dict[str, Any]:
    """A person has compared this fingerprint: trust the key it belongs to; returns what is known of the person.

    NotVerified if the key, or the `address` they were shown with it, is another one by now. Who claims the same
    address is trusted no longer: one address is one person.
    """

    def edit(known: people.Directory) -> None:
        about = known[uid]
        if fingerprint(about) != compared or address not in (None, last(about)["entry"]["address"]):
            again = "Compare again: ato msg verify " + people.handle(known, uid)
            raise NotVerified("the key or the address has changed meanwhile", again)
        about["verified"] = True
        if about.get("changed"):
            people.take(about, about["changed"])
        if not about["verified"]:
            return  # whose key it is says nothing of another address, which somebody else may have
        for rival in people.rivals(known, uid):
            known[rival]["verified"] = False

    return people.change(home, edit)[uid]


def fingerprint(about: dict[str, Any]) -> str:
    """The fingerprint to compare: that of the key a person has now, or wants to have."""
    return seal.fingerprint(last(about)["entry"]["verify_key"])


def recipients(known: people.Directory, keys: Keys, uid: str) -> list[str]:
    """Whom a letter to somebody is encrypted to: their devices and the sender's own."""
    mine = known[keys.uid]["entry"]["recipients"] if keys.uid in known else [keys.recipient]
    theirs = known[uid]["entry"]["recipients"]
    return list(dict.fromkeys([*theirs, *mine, keys.recipient]))
