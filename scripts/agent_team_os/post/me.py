"""Who this person is and where their mail goes: what every verb of `msg` asks first, without opening a key."""

from __future__ import annotations

import os
import re
import stat

from ..protocol import show, strictjson
from ..protocol.errors import InvalidLetter, NotSetUp
from ..storage import files
from . import letter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

# What follows `msg` where no person does; nobody can be called so.
VERBS = frozenset(["list", "read", "send", "users", "setup", "verify", "device", "sync", "outbox", "help"])
IDENTITY, DEVICE = "identity.json", "device.json"
FIELDS = ("uid", "address", "name", "verify_key", "recipient")
_MOST = 65_536  # bytes of a file
_ADDRESS = re.compile(r"[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)*")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


def folder(environ: Mapping[str, str]) -> str:
    """Where the keys are; as the XDG rules say, a variable that is no absolute path does not count."""
    config = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(config):
        home = environ.get("HOME", "")
        config = os.path.join(home if os.path.isabs(home) else os.path.expanduser("~"), ".config")
    return os.path.join(config, "agent-team-os")


def known(environ: Mapping[str, str]) -> Optional[dict[str, str]]:
    """`{uid, address, name}`, without opening a key; None if nothing is set up, NotSetUp if it cannot be read."""
    found = identity(folder(environ))
    return None if found is None else {key: found[key] for key in ("uid", "address", "name")}


def check_known(environ: Mapping[str, str]) -> dict[str, str]:
    """As `known`; NotSetUp, with what to do, if nothing is set up."""
    found = known(environ)
    if found is not None:
        return found
    address, _ = begun(environ)
    if address:
        raise NotSetUp("this device was not accepted yet", f"Go on with: ato msg device add (it is to be {address})")
    raise NotSetUp("mail between people is not set up here", "Set it up: ato msg setup")


def begun(environ: Mapping[str, str]) -> tuple[str, str]:
    """The address and the store of a device that waits to be accepted; empty texts if none does."""
    data = read(folder(environ), DEVICE)
    try:
        document: Any = strictjson.parse(data) if data else {}
        return (str(document["address"]), str(document["store"])) if document else ("", "")
    except (strictjson.BadJSON, TypeError, KeyError):
        raise damaged(folder(environ), DEVICE) from None


def store(document: Mapping[str, Any]) -> str:
    """The store the agent map names; empty for none."""
    return str(document.get("org", {}).get("store") or "")


def check_store(document: Mapping[str, Any]) -> str:
    """The store the agent map names; NotSetUp if it names none."""
    url = store(document)
    if not url:
        raise NotSetUp("the map names no store for mail between people", "Set it up: ato msg setup")
    return url


def check_address(text: str) -> str:
    """An address in the one form it is kept in, lower case; InvalidLetter if it is none."""
    address = text.lower() if text.isascii() else ""  # some other letters become ASCII ones in lower case
    if len(address) > 254 or not _ADDRESS.fullmatch(address):
        raise InvalidLetter(
            f'"{_short(text)}" is no address', "An address looks like max@example.org, in ASCII letters."
        )
    return address


def check_name(text: str) -> str:
    """The name others write to, in lower case; InvalidLetter if it is none, or a verb of `msg`."""
    name = text.lower() if text.isascii() else ""
    if not _NAME.fullmatch(name):
        raise InvalidLetter(
            f'"{_short(text)}" is no name',
            "Use up to 32 letters a-z, digits, dots, underscores and hyphens, beginning with a letter or digit.",
        )
    if name in VERBS:
        raise InvalidLetter(f'nobody can be called "{name}": that is a verb of ato msg', "Choose another name.")
    return name


def _short(text: str) -> str:
    return show.one_line(text, 80)


def read(place: str, name: str) -> Optional[bytes]:
    """A file of the folder, None if there is none; NotSetUp if it is no file, or others can read or change it."""
    path = os.path.join(place, name)
    try:
        above, mode = os.lstat(place).st_mode, stat.S_IMODE(os.lstat(path).st_mode)
        if stat.S_ISLNK(above):
            raise files.BadFile("in a folder that is a symbolic link")
        data = files.read(path, _MOST)
    except FileNotFoundError:
        return None
    except (files.BadFile, OSError) as error:
        why = error.why if isinstance(error, files.BadFile) else (error.strerror or "").lower()
        raise NotSetUp(f"{path} cannot be used: {why}", "Put back the file from a copy of this folder.") from None
    if above & 0o022:
        raise NotSetUp(f"other users of this machine can change what is in {place}", f'Do: chmod 700 "{place}"')
    if mode & 0o077:
        raise NotSetUp(f"other users of this machine can open {path} (mode {mode:04o})", f'Do: chmod 600 "{path}"')
    return data


def identity(place: str) -> Optional[dict[str, str]]:
    """What identity.json in this folder says, with the public keys; None without one, NotSetUp as `read`."""
    data = read(place, IDENTITY)
    if data is None:
        return None
    try:
        document: Any = strictjson.parse(data)
        found = {key: document[key] for key in FIELDS}
        good = letter.is_uid(found["uid"]) and check_address(found["address"]) and check_name(found["name"])
    except (strictjson.BadJSON, InvalidLetter, TypeError, KeyError, AttributeError):
        good = None
    if not good or not all(isinstance(value, str) for value in found.values()):
        raise damaged(place, IDENTITY)
    return found


def damaged(place: str, name: str) -> NotSetUp:
    """The error for a file that does not hold what it should."""
    return NotSetUp(f"{os.path.join(place, name)} is damaged", "Put back the file from a copy of this folder.")
