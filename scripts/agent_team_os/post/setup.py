"""Setting up mail between people: who this is, which store, and whether the store can be trusted with letters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..protocol.errors import NotSetUp, StoreFailed
from ..storage import home as homes
from . import keys, letter, notice, seal, spool, store, sync


def store_of(document: Mapping[str, Any]) -> str:
    """The store the agent map names; NotSetUp if it names none."""
    url = known_store(document)
    if not url:
        raise NotSetUp("the map names no store for mail between people", "Set it up: ato msg setup")
    return url


def known_store(document: Mapping[str, Any]) -> str:
    """The store the agent map names; empty for none."""
    return str(document.get("org", {}).get("store") or "")


def address_from_git() -> str:
    """The address git commits with here; empty if there is none."""
    import subprocess

    try:
        asked = subprocess.run(
            ["git", "config", "--get", "user.email"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip()


def name_from(address: str) -> str:
    """The name a person with this address would have: what stands before the @, where that can be a name."""
    name = address.partition("@")[0].partition("+")[0].strip("._-%").replace("%", "-")[:32]
    return "" if name in keys.VERBS else name


def settle(home: str, environ: Mapping[str, str], address: str, name: str, url: str) -> keys.Keys:
    """Make the keys and say in the map where the store is; whatever was there before is kept, but for what is given.

    InvalidLetter for a wrong address or name, InvalidMap, CannotWrite.
    """
    mine = keys.make(environ, address, name)
    if (mine.address, mine.name) != (keys.check_address(address), keys.check_name(name)):
        mine = keys.rename(environ, address, name)
    homes.make(home)
    homes.make_map(home)

    def edit(document: Any) -> None:
        document.setdefault("org", {})["store"] = url

    homes.change_map(home, edit)
    spool.prepare(home)
    return mine


def publish(home: str, environ: Mapping[str, str], mine: keys.Keys, url: str) -> dict[str, Any]:
    """Probe the store and put the directory entry into it; `{findings, error}`, both empty where all is well.

    A store that is away is an error to be told, and no reason to begin again: the next sync goes on.
    """
    try:
        opened = store.open_store(url, environ)
        findings = store.probe(opened, f"{letter.ROOT}from/{mine.uid}/probe/{letter.new_id()}")
        if not findings:
            notice.set_up(home)
            return {"findings": [], "error": sync.run(home, environ, url)["error"]}
        return {"findings": findings, "error": None}
    except StoreFailed as error:
        notice.set_up(home)
        return {"findings": [], "error": f"{error.message.rstrip('.')}. {error.hint}".strip()}


def make_store(url: str) -> bool:
    """Make a store of a folder that is none yet; whether that was done."""
    from urllib.parse import unquote

    if not url.startswith("file://") or os.path.isdir(os.path.join(unquote(url[7:]), letter.ROOT)):
        return False
    store.make_folder_store(url)
    return True


def fingerprint(mine: keys.Keys) -> str:
    """What others compare."""
    return seal.fingerprint(mine.verify_key)
