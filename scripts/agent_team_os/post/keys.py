"""The keys of this person on this machine, in ${XDG_CONFIG_HOME:-~/.config}/agent-team-os/, readable by them alone.

    age.key         the age identity of this device, as `age -i` takes it
    sign.key        the Ed25519 seed of this person, the same on all devices
    identity.json   {uid, address, name, verify_key, recipient}; written last: with it, mail between people is set up

The keys are made once and never overwritten: a lost one cannot be made again, and what was sent to it stays closed.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ..protocol import show, strictjson
from ..protocol.errors import CannotWrite, InvalidLetter, NotSetUp
from ..storage import files, lock
from . import seal

# What follows `msg` where no person does; nobody can be called so.
VERBS = frozenset(["list", "read", "send", "users", "setup", "verify", "device", "sync", "outbox", "help"])
AGE, SIGN, IDENTITY = "age.key", "sign.key", "identity.json"
_FIELDS = ("uid", "address", "name", "verify_key", "recipient")
_MOST = 65_536  # bytes of a file
_ADDRESS = re.compile(r"[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)*")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_UID = re.compile(r"[a-z2-7]{26}")
_SEED = re.compile(r"[0-9a-f]{64}")
_SETUP = "Set it up: ato msg setup"


@dataclass(frozen=True)
class Keys:
    """Who this person is, with the secrets of this device; `seed` and `identity` are never shown."""

    uid: str
    address: str
    name: str
    verify_key: str
    seed: bytes = field(repr=False)
    identity: str = field(repr=False)
    recipient: str


def folder(environ: Mapping[str, str]) -> str:
    """Where the keys are; as the XDG rules say, a variable that is no absolute path does not count."""
    config = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(config):
        home = environ.get("HOME", "")
        config = os.path.join(home if os.path.isabs(home) else os.path.expanduser("~"), ".config")
    return os.path.join(config, "agent-team-os")


def known(environ: Mapping[str, str]) -> Optional[dict[str, str]]:
    """`{uid, address, name}`, without opening a key; None if nothing is set up, NotSetUp if it cannot be read."""
    found = _identity(folder(environ))
    return None if found is None else {key: found[key] for key in ("uid", "address", "name")}


def load(environ: Mapping[str, str]) -> Keys:
    """The keys of this person; NotSetUp if there are none, others can read them, or they do not fit together."""
    place = folder(environ)
    found = _identity(place)
    if found is None:
        raise NotSetUp("mail between people is not set up here", _SETUP)
    identity, seed = _age_key(place), _seed(place)
    for path, there in ((AGE, identity), (SIGN, seed)):
        if there is None:
            raise NotSetUp(f"{os.path.join(place, path)} is gone", "Put it back from a copy of this folder.")
    assert identity is not None and seed is not None  # noqa: PT018  # for the type checker
    _fits(place, AGE, seal.recipient_of(identity) == found["recipient"])
    _fits(place, SIGN, seal.verify_key_of(seed) == found["verify_key"])
    return Keys(seed=seed, identity=identity, **found)


def _fits(place: str, name: str, same: bool) -> None:
    if not same:
        here = os.path.join(place, name)
        raise NotSetUp(f"{here} is not the key that {IDENTITY} beside it names", "Put back the right one from a copy.")


def make(environ: Mapping[str, str], address: str, name: str) -> Keys:
    """Set up this person: make the keys that are missing, and keep what is there, the address and name too.

    Killed at any instant, the next call goes on with the keys there are; two at once have the same. InvalidLetter for
    a wrong address or name, CannotWrite where the disk says no.
    """
    address, name = check_address(address), check_name(name)
    with _held(environ) as place:
        if _identity(place) is None:
            identity = _age_key(place) or _new_age_key(place)
            seed = _seed(place) or _new_seed(place, os.urandom(32))
            _set_up(place, seal.uid_of(seal.verify_key_of(seed)), address, name, seed, identity)
        return load(environ)


def rename(environ: Mapping[str, str], address: str, name: str) -> Keys:
    """Change the address and the name, in one step; the keys stay. NotSetUp and InvalidLetter as above."""
    address, name = check_address(address), check_name(name)
    with _held(environ) as place:
        keys = load(environ)
        document = _document(keys.uid, address, name, keys.verify_key, keys.recipient)
        files.replace(os.path.join(place, IDENTITY), document)
        return load(environ)


def begin_device(environ: Mapping[str, str]) -> str:
    """Make the age key of a new device of somebody who has one already, if it is missing; returns its recipient."""
    with _held(environ) as place:
        return seal.recipient_of(_age_key(place) or _new_age_key(place))


def device(environ: Mapping[str, str]) -> tuple[str, str]:
    """The age identity of this device and its recipient, also before it is set up; NotSetUp if there is none."""
    identity = _age_key(folder(environ))
    if identity is None:
        raise NotSetUp("this device has no key yet", "Begin with: ato msg device add")
    return identity, seal.recipient_of(identity)


def adopt(environ: Mapping[str, str], *, uid: str, address: str, name: str, seed: bytes) -> Keys:
    """Complete a new device with what the other device has sent; does nothing if that was done before.

    InvalidLetter if somebody else is already set up here, and for what no identity can be.
    """
    address, name = check_address(address), check_name(name)
    if not _UID.fullmatch(uid) or len(seed) != 32:
        raise InvalidLetter("what the other device sent is no identity", "Begin again there: ato msg device add")
    with _held(environ) as place:
        there, found = _seed(place), _identity(place)
        if (found is not None and found["uid"] != uid) or (there is not None and there != seed):
            who = found["address"] if found is not None else "another person"
            raise InvalidLetter(
                f"the keys in {place} are those of {who}",
                "Move that folder away if they are no longer needed, and begin again: ato msg device add",
            )
        identity = _age_key(place) or _new_age_key(place)
        if there is None:
            _new_seed(place, seed)
        if found is None:
            _set_up(place, uid, address, name, seed, identity)
        return load(environ)


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


@contextlib.contextmanager
def _held(environ: Mapping[str, str]) -> Iterator[str]:
    """The folder, made if it is missing, for one process alone; CannotWrite where the disk says no."""
    seal.require()
    place = folder(environ)
    try:
        files.make_folder(place)
        if stat.S_IMODE(os.lstat(place).st_mode) != 0o700:
            files.set_mode(place, 0o700)
        files.make_folder(os.path.join(place, "locks"))
        with lock.guard(place, "@keys"):
            for name in (AGE, SIGN, IDENTITY):  # what a killed one left, which may hold a secret
                files.remove(os.path.join(place, f".{name}.tmp"))
            yield place
    except OSError as error:
        raise CannotWrite(f"cannot write {error.filename or place}: {error.strerror}") from None


def _new_age_key(place: str) -> str:
    identity, recipient = seal.new_identity()
    _put(place, AGE, f"# created: {show.timestamp()}\n# public key: {recipient}\n{identity}\n".encode())
    return identity


def _new_seed(place: str, seed: bytes) -> bytes:
    _put(place, SIGN, seed.hex().encode() + b"\n")
    return seed


def _set_up(place: str, uid: str, address: str, name: str, seed: bytes, identity: str) -> None:
    document = _document(uid, address, name, seal.verify_key_of(seed), seal.recipient_of(identity))
    _put(place, IDENTITY, document)


def _document(*values: str) -> bytes:
    return strictjson.readable(dict(zip(_FIELDS, values)))


def _put(place: str, name: str, data: bytes) -> None:
    """A new file, durable before the next one is made; FileExistsError, which nobody holding the lock meets."""
    path = os.path.join(place, name)
    if not files.put_new(path, data):
        raise FileExistsError(17, os.strerror(17), path)
    files.sync_folder(place)


def _read(place: str, name: str) -> Optional[bytes]:
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


def _age_key(place: str) -> Optional[str]:
    data = _read(place, AGE)
    if data is None:
        return None
    lines = [line.strip() for line in data.decode("ascii", "replace").splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    try:
        if len(keys) == 1 and seal.recipient_of(keys[0]):
            return keys[0]
    except ValueError:
        pass
    raise _damaged(place, AGE)


def _seed(place: str) -> Optional[bytes]:
    data = _read(place, SIGN)
    if data is None:
        return None
    text = data.decode("ascii", "replace").strip()
    if not _SEED.fullmatch(text):
        raise _damaged(place, SIGN)
    return bytes.fromhex(text)


def _identity(place: str) -> Optional[dict[str, str]]:
    data = _read(place, IDENTITY)
    if data is None:
        return None
    try:
        document: Any = strictjson.parse(data)
        found = {key: document[key] for key in _FIELDS}
        good = _UID.fullmatch(found["uid"]) and check_address(found["address"]) and check_name(found["name"])
    except (strictjson.BadJSON, InvalidLetter, TypeError, KeyError, AttributeError):
        good = None
    if not good or not all(isinstance(value, str) for value in found.values()):
        raise _damaged(place, IDENTITY)
    return found


def _damaged(place: str, name: str) -> NotSetUp:
    return NotSetUp(f"{os.path.join(place, name)} is damaged", "Put back the file from a copy of this folder.")
