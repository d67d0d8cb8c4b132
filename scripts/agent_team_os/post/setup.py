"""Setting up mail between people: who this is, which store, and whether the store can be trusted with letters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..mail import git
from ..protocol.errors import InvalidLetter, LockBusy, StoreFailed
from ..storage import home as homes
from ..storage import lock
from . import keys, letter, me, notice, seal, spool


def address_from_git() -> str:
    """The address the person's own git settings name; empty if there is none that others could write to."""
    found = git.email()
    try:
        me.check_address(found)
    except InvalidLetter:
        return ""
    return found


def name_from(address: str) -> str:
    """The name a person with this address would have: what stands before the @, where that can be a name."""
    name = address.partition("@")[0].partition("+")[0].strip("._-%").replace("%", "-")[:32]
    return "" if name in me.VERBS else name


def rival(home: str, environ: Mapping[str, str], url: str, address: str) -> str:
    """The fingerprint of another key that has an address which this person does not have yet; empty for none.

    Changes nothing but what this home knows of others. StoreFailed; while another sync is at work it is empty too,
    and the sync that would publish the address asks again.
    """
    from . import directory, listing, sync, trip

    mine = (me.known(environ) or {}).get("uid") or keys.uid(environ)
    homes.make(home)
    try:
        with lock.guard(home, sync.LOCK):
            spool.prepare(home)
            asked = trip.open_trip(home, environ, url, keys.Keys(mine, address, "", "", b"", "", ""))
            listing.entries(asked, dict(asked.store.keys(f"{letter.ROOT}dir/")))
    except LockBusy:
        return ""
    those = {uid: about for uid, about in asked.known.items() if about["entry"]["address"] == address}
    return "" if mine in those else next(map(directory.fingerprint, those.values()), "")


def identify(environ: Mapping[str, str], address: str, name: str) -> keys.Keys:
    """Make the keys that are missing, and say in them who this is; InvalidLetter for a wrong address or name."""
    mine = keys.make(environ, address, name)
    if (mine.address, mine.name) != (me.check_address(address), me.check_name(name)):
        mine = keys.rename(environ, address, name)
    return mine


def try_store(environ: Mapping[str, str], mine: keys.Keys, url: str) -> tuple[list[str], str]:
    """What makes the store unfit for letters, and why it cannot be reached now; both empty where all is well."""
    from . import store

    try:
        opened = store.open_store(url, environ)
        return store.probe(opened, f"{letter.ROOT}from/{mine.uid}/probe/{letter.new_id()}"), ""
    except StoreFailed as error:
        return [], error.words()


def settle(home: str, url: str) -> None:
    """Say in the map where the store is, and let syncs begin; the rest of the map stays. InvalidMap, CannotWrite."""
    homes.make(home)
    homes.make_map(home)

    def edit(document: Any) -> None:
        document.setdefault("org", {})["store"] = url

    homes.change_map(home, edit)
    spool.prepare(home)
    notice.set_up(home)


def publish(home: str, environ: Mapping[str, str], url: str, claim: bool = False) -> str:
    """Put the directory entry into the store; why that has to wait for the next sync, empty if it has not.

    people.AddressTaken, unless this person may `claim` it, if somebody with another key has the address.
    """
    from . import sync

    try:
        return sync.run(home, environ, url, claim=claim)["error"] or ""
    except LockBusy:
        return "Another sync is at work."


def make_store(url: str) -> bool:
    """Make a store of a folder that is none yet; whether that was done."""
    from urllib.parse import unquote

    from . import store

    if not url.startswith("file://") or os.path.isdir(os.path.join(unquote(url[7:]), letter.ROOT)):
        return False
    store.make_folder_store(url)
    return True


def fingerprint(mine: keys.Keys) -> str:
    """What others compare."""
    return seal.fingerprint(mine.verify_key)


def is_private(url: str) -> bool:
    """Whether a store is a folder in which nobody but its owner may write."""
    from urllib.parse import unquote

    return url.startswith("file://") and not os.stat(unquote(url[7:])).st_mode & 0o022
