"""The keys of this person on this machine, in ${XDG_CONFIG_HOME:-~/.config}/agent-team-os/, readable by them alone.

    age.key         the age identity of this device, as `age -i` takes it
    sign.key        the Ed25519 seed of this person, the same on all devices
    identity.json   {uid, address, name, verify_key, recipient}; written last: with it, mail between people is set up
    device.json     {address, store} while this device waits to be accepted by another one of its person

The keys are made once and never overwritten: a lost one cannot be made again, and what was sent to it stays closed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Optional

from ..protocol import show, strictjson
from ..protocol.errors import CannotWrite, InvalidLetter, NotSetUp
from ..storage import files, lock
from . import me, seal

AGE, SIGN = "age.key", "sign.key"
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


def load(environ: Mapping[str, str]) -> Keys:
    """The keys of this person; NotSetUp if there are none, others can read them, or they do not fit together."""
    place = me.folder(environ)
    found = me.identity(place)
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
        raise NotSetUp(
            f"{here} is not the key that {me.IDENTITY} beside it names", "Put back the right one from a copy."
        )


def uid(environ: Mapping[str, str]) -> str:
    """Who this would be with the signing key there is, also where that is all there is; empty without one."""
    seed = _seed(me.folder(environ))
    return "" if seed is None else seal.uid_of(seal.verify_key_of(seed))


def make(environ: Mapping[str, str], address: str, name: str) -> Keys:
    """Set up this person: make the keys that are missing, and keep what is there, the address and name too.

    Killed at any instant, the next call goes on with the keys there are; two at once have the same. InvalidLetter for
    a wrong address or name, CannotWrite where the disk says no.
    """
    address, name = me.check_address(address), me.check_name(name)
    with _held(environ) as place:
        if me.identity(place) is None:
            identity = _age_key(place) or _new_age_key(place)
            seed = _seed(place) or _new_seed(place, os.urandom(32))
            _set_up(place, seal.uid_of(seal.verify_key_of(seed)), address, name, seed, identity)
        return load(environ)


def rename(environ: Mapping[str, str], address: str, name: str) -> Keys:
    """Change the address and the name, in one step; the keys stay. NotSetUp and InvalidLetter as above."""
    address, name = me.check_address(address), me.check_name(name)
    with _held(environ) as place:
        keys = load(environ)
        document = _document(keys.uid, address, name, keys.verify_key, keys.recipient)
        files.replace(os.path.join(place, me.IDENTITY), document)
        return load(environ)


def begin_device(environ: Mapping[str, str], address: str, url: str) -> str:
    """Make the age key of a new device of somebody who has one already, if it is missing; returns its recipient.

    Whose device it is to be, and with which store, is remembered for the second call.
    """
    with _held(environ) as place:
        recipient = seal.recipient_of(_age_key(place) or _new_age_key(place))
        begun = strictjson.readable({"address": me.check_address(address), "store": url})
        files.replace(os.path.join(place, me.DEVICE), begun)
        return recipient


def device(environ: Mapping[str, str]) -> tuple[str, str]:
    """The age identity of this device and its recipient, also before it is set up; NotSetUp if there is none."""
    identity = _age_key(me.folder(environ))
    if identity is None:
        raise NotSetUp("this device has no key yet", "Begin with: ato msg device add")
    return identity, seal.recipient_of(identity)


def adopt(environ: Mapping[str, str], *, uid: str, address: str, name: str, seed: bytes) -> Keys:
    """Complete a new device with what the other device has sent; does nothing if that was done before.

    InvalidLetter if somebody else is already set up here, and for what no identity can be.
    """
    address, name = me.check_address(address), me.check_name(name)
    if not _UID.fullmatch(uid) or len(seed) != 32:
        raise InvalidLetter("what the other device sent is no identity", "Begin again there: ato msg device add")
    with _held(environ) as place:
        there, found = _seed(place), me.identity(place)
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
        files.remove(os.path.join(place, me.DEVICE))
        return load(environ)


@contextlib.contextmanager
def _held(environ: Mapping[str, str]) -> Iterator[str]:
    """The folder, made if it is missing, for one process alone; CannotWrite where the disk says no."""
    seal.require()
    place = me.folder(environ)
    try:
        files.make_folder(place)
        if stat.S_IMODE(os.lstat(place).st_mode) != 0o700:
            files.set_mode(place, 0o700)
        files.make_folder(os.path.join(place, "locks"))
        with lock.guard(place, "@keys"):
            for name in (AGE, SIGN, me.IDENTITY, me.DEVICE):  # what a killed one left, which may hold a secret
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
    _put(place, me.IDENTITY, document)


def _document(*values: str) -> bytes:
    return strictjson.readable(dict(zip(me.FIELDS, values)))


def _put(place: str, name: str, data: bytes) -> None:
    """A new file, durable before the next one is made; FileExistsError, which nobody holding the lock meets."""
    path = os.path.join(place, name)
    if not files.put_new(path, data):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    files.sync_folder(place)


def _age_key(place: str) -> Optional[str]:
    data = me.read(place, AGE)
    if data is None:
        return None
    lines = [line.strip() for line in data.decode("ascii", "replace").splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    try:
        if len(keys) == 1 and seal.recipient_of(keys[0]):
            return keys[0]
    except ValueError:
        pass
    raise me.damaged(place, AGE)


def _seed(place: str) -> Optional[bytes]:
    data = me.read(place, SIGN)
    if data is None:
        return None
    text = data.decode("ascii", "replace").strip()
    if not _SEED.fullmatch(text):
        raise me.damaged(place, SIGN)
    return bytes.fromhex(text)
