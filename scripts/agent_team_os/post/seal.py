"""Signatures and encryption of letters, receipts and directory entries, and nothing else: no file, no network.

Ed25519 (PyNaCl) says who wrote a document, age (pyrage) who can read it. What arrives is another person's bytes:
whatever is wrong with it is `Refused`, with the reason. A plain ValueError is a mistake of our own caller.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..protocol import strictjson
from ..protocol.errors import NotInstalled

_NOT_OURS = "No matching keys found"  # what pyrage says where no stanza is for an identity
LARGEST = 2**53 - 1  # an integer beyond that is not the same number in every program (RFC 7493)
_HEX_KEY = re.compile(r"[0-9a-f]{64}")
_HEX_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_RECIPIENT = re.compile(r"age1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{58}")
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BEGINS = b"age-encryption.org/v1\n"
_MOST_HEADER, _MOST_STANZAS = 16_384, 64  # bytes, and recipients: two people with 20 devices each, and one to spare
_SCALAR = b"\x01" * 32  # any will do: a point of low order is lost under every one


class Refused(ValueError):
    """What somebody sent is not what it has to be; `why` is a part of a sentence: "its signature is wrong"."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class NotForUs(Refused):
    """It is encrypted to others, as far as it can be told."""


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one form of a document that is signed: sorted keys, no spaces, UTF-8; a subset of RFC 8785.

    The subset: keys are ASCII, numbers are integers of at most 2**53 - 1 either way. Refused for anything else, for
    lone surrogates, and for more levels than `strictjson` reads.
    """
    _check(document, 1)
    import json

    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8")


def _check(value: Any, level: int) -> None:
    if level == 1 and not isinstance(value, dict):
        raise Refused("it is no JSON object")
    if isinstance(value, (dict, list)) and level > strictjson.MAX_LEVELS:
        raise Refused(f"it has more than {strictjson.MAX_LEVELS} levels")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise Refused("one of its keys is no ASCII text")
            _check(item, level + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, level + 1)
    elif isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise Refused("it holds half a character") from None
    elif isinstance(value, int):
        if abs(value) > LARGEST:
            raise Refused("it holds an integer beyond 2**53 - 1")
    elif value is not None:
        raise Refused("it holds a number that is no integer")


def sign(document: Mapping[str, Any], seed: bytes) -> dict[str, Any]:
    """The document with its `signature`, made with the Ed25519 key of this seed over all the rest.

    Every document says its `kind`, so the signature of a letter never serves for a receipt; ValueError without.
    """
    if not isinstance(document.get("kind"), str):
        raise ValueError("a document without a kind cannot be signed")
    return {**document, "signature": signature_of(_unsigned(document), seed)}


def check(document: Mapping[str, Any], verify_key: object) -> None:
    """Refused unless the document is signed with the key `verify_key` (64 hex) belongs to."""
    signature = document.get("signature")
    if not isinstance(signature, str) or not _HEX_SIGNATURE.fullmatch(signature):
        raise Refused("it has no signature")
    if not isinstance(document.get("kind"), str):
        raise Refused("it does not say what kind of document it is")
    if not isinstance(verify_key, str) or not _HEX_KEY.fullmatch(verify_key):
        raise Refused("the key of its sender is no key")
    if not is_signature(signature, _unsigned(document), verify_key):
        raise Refused("its signature is not that of its sender")


def _unsigned(document: Mapping[str, Any]) -> bytes:
    return canonical({key: value for key, value in document.items() if key != "signature"})


def signature_of(data: bytes, seed: bytes) -> str:
    """The Ed25519 signature (128 hex) of some bytes; ValueError if the seed has not 32 of them."""
    signing, _ = _nacl()
    return bytes(signing.SigningKey(seed).sign(data).signature).hex()


def is_signature(signature: str, data: bytes, verify_key: str) -> bool:
    """Whether this (128 hex) is the signature of these bytes by the key that `verify_key` (64 hex) belongs to."""
    signing, exceptions = _nacl()
    try:
        signing.VerifyKey(bytes.fromhex(verify_key)).verify(data, bytes.fromhex(signature))
    except exceptions.BadSignatureError:
        return False
    return True


def check_recipient(recipient: object) -> None:
    """Refused unless this is an age X25519 recipient that something can be encrypted to."""
    pyrage = _pyrage()
    if not isinstance(recipient, str) or not _RECIPIENT.fullmatch(recipient):
        raise Refused("a recipient is no age X25519 recipient")
    try:
        pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise Refused("a recipient is no age X25519 recipient") from None
    # A point of low order would give everybody the same secret; age does not refuse it but breaks off the program.
    _nacl()
    from nacl import bindings, exceptions

    number = 0
    for letter in recipient[4:-6]:
        number = number << 5 | _BECH32.index(letter)
    try:
        bindings.crypto_scalarmult(_SCALAR, (number >> 4).to_bytes(32, "big"))
    except exceptions.RuntimeError:
        raise Refused("a recipient is no key that keeps a secret") from None


def encrypt(data: bytes, recipients: Sequence[str]) -> bytes:
    """An age file that each of these recipients (`age1…`) can decrypt; ValueError for none, Refused for a wrong one."""
    pyrage = _pyrage()
    if not recipients:
        raise ValueError("nobody to encrypt to")
    for recipient in recipients:
        check_recipient(recipient)
    sealed: bytes = pyrage.encrypt(data, [pyrage.x25519.Recipient.from_str(recipient) for recipient in recipients])
    return sealed


def decrypt(data: bytes, identity: str) -> bytes:
    """What an age file holds, all of it or nothing.

    Refused if it is not for this identity, was changed, cut off or continued; ValueError if `identity` is none.
    """
    pyrage = _pyrage()
    try:
        ours = pyrage.x25519.Identity.from_str(identity)
    except pyrage.IdentityError:
        raise ValueError("no age identity") from None  # without its text, which is a secret
    if not data.startswith(_BEGINS):  # the armoured form is a second one of the same content
        raise Refused("it is no age file")
    # The time to read a header grows with the square of its stanzas: 1 MiB of them would take a quarter of an hour.
    header = data[: data.find(b"\n--- ", 0, _MOST_HEADER) + 1]
    if not header or header.count(b"\n-> ") > _MOST_STANZAS:
        raise Refused("it is no age file of a sensible size")
    try:
        opened: bytes = pyrage.decrypt(data, [ours])
    except pyrage.DecryptError as error:  # whose words name versions and files, and are no part of a sentence
        if str(error) == _NOT_OURS:
            raise NotForUs("it is not encrypted for this device") from None
        raise Refused("it was changed on the way, or is no whole age file") from None
    return opened


def opened(data: bytes, identity: str) -> dict[str, Any]:
    """The document in a sealed object, still unverified: `check` it with the key of who should have written it.

    Refused if it cannot be decrypted, is no strict JSON object, or is not in its canonical form.
    """
    return parsed(decrypt(data, identity))


def parsed(data: bytes) -> dict[str, Any]:
    """The document in these bytes, as `opened` does, for one that is not encrypted."""
    try:
        document: dict[str, Any] = strictjson.parse(data)  # which canonical() will see
    except strictjson.BadJSON:  # whose words may hold some of the sender's
        raise Refused("it is no JSON document") from None
    if canonical(document) != data:
        raise Refused("it is not in its canonical form")
    return document


def sealed(document: Mapping[str, Any], seed: bytes, recipients: Sequence[str]) -> bytes:
    """The document signed, in its canonical form, and encrypted to these recipients."""
    return encrypt(canonical(sign(document, seed)), recipients)


def verify_key_of(seed: bytes) -> str:
    """The public half (64 hex) of the Ed25519 key of a seed; ValueError if that has not 32 bytes."""
    signing, _ = _nacl()
    return bytes(signing.SigningKey(seed).verify_key).hex()


def new_identity() -> tuple[str, str]:
    """A new age identity and its recipient."""
    made = _pyrage().x25519.Identity.generate()
    return str(made), str(made.to_public())


def recipient_of(identity: str) -> str:
    """The recipient of an age identity; ValueError if it is none."""
    pyrage = _pyrage()
    try:
        return str(pyrage.x25519.Identity.from_str(identity).to_public())
    except pyrage.IdentityError:
        raise ValueError("no age identity") from None


def fingerprint(verify_key: str) -> str:
    """What two people compare: the first 128 bits of the key's SHA-256, as `3f2a 91bc …`; ValueError for no key."""
    text = _sum(verify_key).hex()
    return " ".join(text[at : at + 4] for at in range(0, 32, 4))


def uid_of(verify_key: str) -> str:
    """The id of the person whose first key this is: 130 bits of its SHA-256 in base32; ValueError for no key.

    Nobody who has another key can make the first entry of this id.
    """
    return base64.b32encode(_sum(verify_key)).decode("ascii").lower()[:26]


def _sum(verify_key: str) -> bytes:
    if not _HEX_KEY.fullmatch(verify_key):
        raise ValueError("no key of 64 hexadecimal digits")
    return hashlib.sha256(bytes.fromhex(verify_key)).digest()


def digest(data: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def require() -> None:
    """NotInstalled unless the packages are there; for a verb that changes something before it needs them."""
    _nacl()
    _pyrage()


def _nacl() -> tuple[Any, Any]:
    try:
        from nacl import exceptions, signing
    except ImportError:
        raise missing("PyNaCl") from None
    return signing, exceptions


def _pyrage() -> Any:
    try:
        import pyrage  # type: ignore[import-untyped]
    except ImportError:
        raise missing("pyrage") from None
    return pyrage


def missing(package: str) -> NotInstalled:
    """The error for a package of mail between people that is not here."""
    return NotInstalled(f"ato msg needs {package}, which is missing", "Install it: pip install 'agent-team-os[msg]'")
