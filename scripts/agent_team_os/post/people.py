"""Who there is to write to, as this home knows it: `people/directory.json`, kept up by `post.directory`.

A person is trusted on first use: the key seen first is kept. Who claims an address that somebody else claims too, and
who comes with another key, waits until a person has verified them: nothing is sent to them and nothing of theirs shown.
"""

from __future__ import annotations

import os

from ..protocol import strictjson
from ..protocol.errors import CannotWrite, LockBusy, NotVerified, UnknownPerson
from ..storage import files, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Optional

    # uid: {entry, sum, verified, met, first_seen, changed}; `changed` is a later entry with another key, and its sum.
    # `former` has the names and addresses a person had when they were met, `renamed` is true until one writes to them
    # by the address or uid they have since.
    Directory = dict[str, dict[str, Any]]


class AddressTaken(NotVerified):
    """Somebody with another key has this address already; a person has to say that this is not so by mistake."""


_FORMER = 20  # earlier names of a person that are kept
MAX_DIRECTORY = 64 * 1_048_576  # bytes


def folder(home: str) -> str:
    """Where mail between people is kept."""
    return os.path.join(home, "people")


def path(home: str) -> str:
    """What is known of all people."""
    return os.path.join(folder(home), "directory.json")


def load(home: str) -> Directory:
    """Everybody that is known here, by uid; CannotWrite if the file is damaged, since it holds whom to trust."""
    try:
        document = strictjson.parse(files.read(path(home), MAX_DIRECTORY))
    except FileNotFoundError:
        return {}
    except (files.BadFile, strictjson.BadJSON) as error:
        why = error.why if isinstance(error, files.BadFile) else error.message
        raise _unusable(home, why) from None
    if isinstance(document, dict) and all(isinstance(about, dict) and "entry" in about for about in document.values()):
        return document
    raise _unusable(home, "it holds no people")


def _unusable(home: str, why: str) -> CannotWrite:
    return CannotWrite(
        f"{path(home)} cannot be used: {why}",
        "It says whose keys are trusted. Bring it back from a backup, or move it away and verify everybody anew.",
    )


def change(home: str, edit: Callable[[Directory], None]) -> Directory:
    """Let `edit` change what is known in place; durable when this returns."""
    with lock.guard(home, "@people"):
        directory = load(home)
        before = strictjson.compact(directory)
        edit(directory)
        data = strictjson.compact(directory)
        if data != before:
            files.replace(path(home), strictjson.readable(directory))
    return directory


def rivals(directory: Directory, uid: str) -> list[str]:
    """The other people who claim this person's address."""
    address = directory[uid]["entry"]["address"]
    return sorted(other for other, about in directory.items() if other != uid and about["entry"]["address"] == address)


def waits(directory: Directory, uid: str) -> str:
    """Why a person has to be verified before mail goes either way; empty if they need not be."""
    about = directory[uid]
    if about.get("changed"):
        return f"the key of {about['entry']['address']} has changed"
    if not about["verified"] and rivals(directory, uid):
        return f"more than one person claims the address {about['entry']['address']}"
    return ""


def stands_for(directory: Directory, uid: str) -> str:
    """Who is meant by somebody today: whoever was verified as the owner of their address, else they themselves."""
    if uid not in directory or directory[uid]["verified"]:
        return uid
    return next((rival for rival in rivals(directory, uid) if directory[rival]["verified"]), uid)


def check_trusted(directory: Directory, uid: str) -> None:
    """NotVerified for a person who waits."""
    why = waits(directory, uid)
    if why:
        name = directory[uid]["entry"]["name"]
        then = how_to_verify(directory, uid)
        raise NotVerified(why, f"Ask {name} for the fingerprint of their key, then: ato {then}")


def how_to_verify(directory: Directory, uid: str) -> str:
    """The call by which a person is verified; where several claim one address it has to say which."""
    which = " --fingerprint F" if rivals(directory, uid) else ""
    return f"msg verify {handle(directory, uid)}{which}"


def handle(directory: Directory, uid: str) -> str:
    """What to call somebody in a command: their name where `find` takes it for them, else their address."""
    entry = directory[uid]["entry"]
    fits = {about["entry"]["address"] for other, about in directory.items() if entry["name"] in _names(other, about)}
    return str(entry["name"] if len(fits) == 1 and not directory[uid].get("renamed") else entry["address"])


def find(directory: Directory, who: str, me: str = "") -> str:
    """The uid of the one person meant by a name, an address or a uid.

    UnknownPerson for nobody, with the nearest name, and for what fits several addresses, whoever was verified or met:
    anybody can call themselves as somebody else does. So too for the name of somebody who had another when they were
    met. Who claims one address with others is meant together with them: the first is returned, and `check_trusted`
    refuses it unless one was verified.
    """
    asked = who.strip().lower() if who.isascii() else who  # some other letters become ASCII ones in lower case
    found = [uid for uid, about in directory.items() if asked in _names(uid, about)]
    addresses = {directory[uid]["entry"]["address"]: uid for uid in found}
    if len(addresses) > 1:
        # An address that somebody had before fits two as well; then the uid alone tells them apart.
        choices = [f"{address} ({uid})" if "@" in asked else address for address, uid in sorted(addresses.items())]
        hint = "Write to one of these uids." if "@" in asked else "Write to the whole address."
        raise UnknownPerson(f'"{asked[:80]}" may be {" or ".join(choices)}', hint)
    if not found:
        raise _nobody(directory, asked, me)
    uid = next((uid for uid in found if directory[uid]["verified"]), found[0])
    entry = directory[uid]["entry"]
    # The name of today counts once it was seen, and what somebody was called before never leads to them again.
    today = (uid, entry["address"]) if directory[uid].get("renamed") else _called(uid, entry)
    if asked not in today:
        raise UnknownPerson(
            f'"{asked[:80]}" may be {was(directory[uid])}, who is {entry["name"]}, {entry["address"]} now',
            f"If you mean them, write to: {entry['address']}",
        )
    return uid


def _names(uid: str, about: dict[str, Any]) -> set[str]:
    """All by which somebody may be meant, what they were called when they were met too."""
    return {name for one in (about["entry"], *about.get("former", ())) for name in _called(uid, one)}


def _called(uid: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    return uid, entry["address"], entry["name"], entry["address"].partition("@")[0]


def was(about: dict[str, Any]) -> str:
    """The name and the address under which somebody was met last; empty for somebody who never had others."""
    former = about.get("former")
    return f"{former[-1]['name']}, {former[-1]['address']}" if former else ""


def take(about: dict[str, Any], fresh: dict[str, Any]) -> None:
    """Let a later entry of a person be the one that counts.

    Another address is another person to those who know the old one: they were verified as its owner, and are met again.
    A person with another name is met again too.
    """
    before, entry = about["entry"], fresh["entry"]
    if (before["address"], before["name"]) != (entry["address"], entry["name"]):
        if about.get("met") or about["verified"]:
            former = {"name": before["name"], "address": before["address"]}
            about["former"] = [*about.get("former", ()), former][-_FORMER:]
            about["renamed"] = True
        about["met"] = None
        if before["address"] != entry["address"]:
            about["verified"] = False
    about.update(fresh, changed=None)


def _nobody(directory: Directory, asked: str, me: str) -> UnknownPerson:
    import difflib

    others = [about["entry"] for uid, about in directory.items() if uid != me]
    near = difflib.get_close_matches(asked, [word for entry in others for word in (entry["name"], entry["address"])], 1)
    known = ", ".join(sorted({entry["name"] for entry in others})[:8])
    guess = f". Did you mean {near[0]}?" if near else ""
    if not others:
        return UnknownPerson(
            f'nobody is known as "{asked[:80]}"', "Nobody else is in the directory yet; they run: ato msg setup"
        )
    return UnknownPerson(f'nobody is known as "{asked[:80]}"{guess} (known: {known})', "See: ato msg users")


def meet(home: str, uid: str, stamp: str, wrote: bool = False) -> bool:
    """Remember that a letter went to or came from somebody; whether it was the first. `wrote`: this person has written.

    The letter itself is kept or read by then, so what cannot be remembered is no error: it is the first once more.
    """
    known = load(home).get(uid, {})
    if known.get("met") and not (wrote and known.get("renamed")):
        return False
    first = False

    def edit(directory: Directory) -> None:
        nonlocal first
        about = directory.get(uid)
        if about is not None and not about.get("met"):
            about["met"], first = stamp, True
        if about is not None and wrote:
            about.pop("renamed", None)

    try:
        change(home, edit)
    except (OSError, LockBusy):
        return True
    return first


def address_of(directory: Directory, uid: str) -> str:
    """A person's address; the uid of somebody who is not known any more."""
    about: Optional[dict[str, Any]] = directory.get(uid)
    return about["entry"]["address"] if about else uid


def label(directory: Directory, document: Mapping[str, Any], side: str) -> str:
    """The address of the other person of a letter: the one they had when it came or went, else that of today."""
    kept = document.get("address")
    return kept if isinstance(kept, str) else address_of(directory, document[side])


def short(directory: Directory, document: Mapping[str, Any], side: str) -> str:
    """Their name, where it means nobody else and they had that address then too; else the address."""
    uid, address = document[side], label(directory, document, side)
    return handle(directory, uid) if uid in directory and directory[uid]["entry"]["address"] == address else address


def name_of(directory: Directory, uid: str) -> str:
    """A person's short name; the uid of somebody who is not known any more."""
    about: Optional[dict[str, Any]] = directory.get(uid)
    return about["entry"]["name"] if about else uid
