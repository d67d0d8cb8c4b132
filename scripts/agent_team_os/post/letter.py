"""The documents people exchange, and where in a store each stands: pure functions.

A letter is what one person sends to another. It is called so to keep it apart from the messages of agents; what is
printed for people says message.
"""

from __future__ import annotations

import os
import re
import time

from ..mail import attachments
from ..protocol import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple, Optional

    class Key(NamedTuple):
        """What stands under a key of the store: its kind, whose prefix that is, for whom, and which."""

        kind: str  # entry, letter, attachment or receipt
        owner: str  # the uid of the person in whose prefix it lies
        other: str  # the uid of the other person; empty for an entry
        name: str  # the number of an entry, else the id of a letter
        part: int = 0  # the number of an attachment

else:
    from collections import namedtuple

    Key = namedtuple("Key", "kind owner other name part", defaults=[0])

ROOT = "v1/"
MAX_TEXT = 65_536  # bytes of UTF-8
MAX_ENTRY = 16_384  # bytes of a directory entry: 20 devices take 2
MAX_SEALED = 1_048_576  # bytes of a letter, a receipt or an entry in the store
# An age file has a header line per recipient and 16 bytes per 64 KiB; this is more than the most of both.
SEALED_MORE = 131_072
MAX_SEALED_FILE = attachments.MAX_SIZE + SEALED_MORE

_UID = "[a-z2-7]{26}"
_ID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_KEYS = (
    ("entry", f"v1/dir/(?P<owner>{_UID})/(?P<name>[1-9][0-9]{{0,5}})\\.json"),
    ("letter", f"v1/from/(?P<owner>{_UID})/to/(?P<other>{_UID})/(?P<name>{_ID})\\.age"),
    ("attachment", f"v1/from/(?P<owner>{_UID})/to/(?P<other>{_UID})/(?P<name>{_ID})/(?P<part>[0-9]{{1,2}})\\.age"),
    ("receipt", f"v1/from/(?P<owner>{_UID})/ack/(?P<other>{_UID})/(?P<name>{_ID})\\.age"),
)


def is_uid(text: object) -> bool:
    """True for the id of a person."""
    return isinstance(text, str) and re.fullmatch(_UID, text) is not None


def is_id(text: object) -> bool:
    """True for the id of a letter."""
    return isinstance(text, str) and re.fullmatch(_ID, text) is not None


def name(sender: str, letter_id: str) -> str:
    """How a home calls a letter that came: two senders may have given one id, by accident or to hide a letter."""
    return f"{sender}-{letter_id}"


def name_of(document: dict[str, Any]) -> str:
    """The name of a letter that came, or of one that its receipt is about."""
    return name(document["from"], document["id"])


def parse_name(text: str) -> Optional[tuple[str, str]]:
    """The sender and the id in a name; None for what is none."""
    sender, _, letter_id = text.partition("-")
    return (sender, letter_id) if is_uid(sender) and is_id(letter_id) else None


def new_id(now: Optional[float] = None) -> str:
    """A UUID of version 7 (RFC 9562): the milliseconds since 1970, then 74 random bits."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    number = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def id_at(seconds: float) -> str:
    """What sorts before every id made at this time or later."""
    digits = f"{max(0, int(seconds * 1000)):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def made_at(letter_id: str) -> float:
    """When an id says it was made, in seconds since 1970; its maker's clock may have been wrong."""
    return int(letter_id[:8] + letter_id[9:13], 16) / 1000


def parse_key(key: str) -> Optional[Key]:
    """What stands under a key; None for a key that is not of this version."""
    for kind, pattern in _KEYS:
        found = re.fullmatch(pattern, key)
        if found:
            parts = found.groupdict()
            return Key(kind, parts["owner"], parts.get("other", ""), parts["name"], int(parts.get("part") or 0))
    return None


def entry_key(uid: str, number: int) -> str:
    """Where the n-th directory entry of a person stands."""
    return f"{ROOT}dir/{uid}/{number}.json"


def letters_prefix(sender: str, to: str) -> str:
    """Where the letters of one person to another stand."""
    return f"{ROOT}from/{sender}/to/{to}/"


def letter_key(sender: str, to: str, letter_id: str) -> str:
    """Where a letter stands."""
    return f"{letters_prefix(sender, to)}{letter_id}.age"


def attachment_key(sender: str, to: str, letter_id: str, number: int) -> str:
    """Where the n-th attachment of a letter stands, counted from 0."""
    return f"{letters_prefix(sender, to)}{letter_id}/{number}.age"


def receipts_prefix(reader: str, sender: str) -> str:
    """Where one person says which letters of another were read."""
    return f"{ROOT}from/{reader}/ack/{sender}/"


def receipt_key(reader: str, sender: str, letter_id: str) -> str:
    """Where the receipt for a letter stands."""
    return f"{receipts_prefix(reader, sender)}{letter_id}.age"


def letter(letter_id: str, sender: str, to: str, text: str, attachments: list[dict[str, Any]]) -> dict[str, Any]:
    """A letter, not yet signed."""
    return {
        "kind": "letter", "version": "1", "id": letter_id, "from": sender, "to": to,
        "sent_at": show.timestamp(made_at(letter_id)), "text": text, "attachments": attachments,
    }  # fmt: skip


def receipt(letter_id: str, reader: str, sender: str, read_at: str) -> dict[str, Any]:
    """What a reader tells the sender, not yet signed."""
    return {"kind": "receipt", "version": "1", "id": letter_id, "from": reader, "to": sender, "read_at": read_at}


def is_whole(document: object) -> bool:
    """Whether a letter of our own files has all that every reader of it takes for granted."""
    if not isinstance(document, dict) or not isinstance(document.get("attachments"), list):
        return False
    texts = all(isinstance(document.get(name), str) for name in ("id", "from", "to", "sent_at", "text"))
    return texts and all(
        isinstance(about, dict) and isinstance(about.get("name"), str) and isinstance(about.get("sha256"), str)
        and type(about.get("size")) is int
        for about in document["attachments"]
    )  # fmt: skip


def wrong(document: dict[str, Any], kind: str, key: Key) -> str:
    """Why a document cannot stand under this key, in words; empty if it can. Its signature is not looked at."""
    from ..protocol import schemas

    fault = schemas.checker(kind)(document)
    if fault is not None:
        what = "message" if kind == "letter" else kind
        return f"it is no valid {what} ({show.one_line(schemas.describe(fault), 120)})"
    if document["from"] != key.owner:
        return "it says it is from somebody else than the person in whose folder it lies"
    if document["to"] != key.other:
        return "it was written to somebody else"
    if document["id"] != key.name:
        return "its id is that of another one"
    if kind == "letter":
        return _wrong_letter(document)
    return "" if show.seconds_of(document["read_at"]) is not None else "its time is none"


def _wrong_letter(document: dict[str, Any]) -> str:
    if show.seconds_of(document["sent_at"]) is None:
        return "its time is none"
    if len(document["text"].encode("utf-8", "surrogatepass")) > MAX_TEXT:
        return "its text is too long"
    for about in document["attachments"]:
        name = about["name"]
        if "/" in name or "\\" in name or "\0" in name or name in (".", ".."):
            return "the name of an attachment leads elsewhere"
    return ""
