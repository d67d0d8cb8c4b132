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
    from collections.abc import Callable
    from typing import Any, Optional

    # uid: {entry, sum, verified, met, first_seen, changed}; `changed` is a later entry with another key, and its sum.
    Directory = dict[str, dict[str, Any]]


class AddressTaken(NotVerified):
    """Somebody with another key has this address already; a person has to say that this is not so by mistake."""


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
    return f"msg verify {directory[uid]['entry']['name']}{which}"


def find(directory: Directory, who: str, me: str = "") -> str:
    """The uid of the one person meant by a name, an address or a uid.

    UnknownPerson for nobody, with the nearest name, and for several. Who claims one address with others is meant
    together with them: the first is returned, and `check_trusted` refuses it unless one was verified.
    """
    asked = who.strip().lower()
    found = [uid for uid, about in directory.items() if asked in _names(uid, about)]
    # Anybody can call themselves as somebody else does; whom a person has verified is meant.
    found = [uid for uid in found if directory[uid]["verified"]] or found
    addresses = {directory[uid]["entry"]["address"] for uid in found}
    if len(addresses) > 1:
        raise UnknownPerson(f'"{asked[:80]}" may be {" or ".join(sorted(addresses))}', "Write to the whole address.")
    if not found:
        raise _nobody(directory, asked, me)
    return next((uid for uid in found if directory[uid]["verified"]), found[0])


def _names(uid: str, about: dict[str, Any]) -> tuple[str, ...]:
    address = about["entry"]["address"]
    return uid, address, about["entry"]["name"], address.partition("@")[0]


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


def meet(home: str, uid: str, stamp: str) -> bool:
    """Remember that a letter went to or came from somebody; whether it was the first.

    The letter itself is kept or read by then, so what cannot be remembered is no error: it is the first once more.
    """
    if load(home).get(uid, {}).get("met"):
        return False
    first = False

    def edit(directory: Directory) -> None:
        nonlocal first
        about = directory.get(uid)
        if about is not None and not about.get("met"):
            about["met"], first = stamp, True

    try:
        change(home, edit)
    except (OSError, LockBusy):
        return True
    return first


def address_of(directory: Directory, uid: str) -> str:
    """A person's address; the uid of somebody who is not known any more."""
    about: Optional[dict[str, Any]] = directory.get(uid)
    return about["entry"]["address"] if about else uid


def name_of(directory: Directory, uid: str) -> str:
    """A person's short name; the uid of somebody who is not known any more."""
    about: Optional[dict[str, Any]] = directory.get(uid)
    return about["entry"]["name"] if about else uid
