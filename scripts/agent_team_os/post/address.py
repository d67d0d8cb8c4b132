"""Addresses of stores, and the keys of what is in them."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote, urlsplit

from ..protocol.errors import Usage

SCHEMES = ("file", "s3", "gs", "az")
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
# v1, what kind of object, whose it is, and what it is: three folders at least above every object.
_KEY = re.compile(rf"{_PART}(?:/{_PART}){{3,}}")
_PREFIX = re.compile(rf"{_PART}(?:/{_PART})*/?")
_LONGEST = 512  # characters of a key


def is_key(key: str) -> bool:
    """Whether an object may have this key."""
    return len(key) <= _LONGEST and bool(_KEY.fullmatch(key))


def check_key(key: str) -> str:
    """The key; ValueError if no object may have it."""
    if not is_key(key):
        raise ValueError(f"no key of an object: {key!r}")
    return key


def check_prefix(prefix: str) -> str:
    """The prefix without a slash at its end; ValueError if no object is below it."""
    if len(prefix) > _LONGEST or not _PREFIX.fullmatch(prefix):
        raise ValueError(f"no prefix of a key: {prefix!r}")
    return prefix.rstrip("/")


def check_url(text: str) -> str:
    """The address of a store as it goes into the map; a plain path becomes file://. Usage if it is none."""
    if not text.isprintable() or not text.strip():
        raise Usage("The store has an address with characters that do not belong there.", "Give a folder or s3://…")
    if "://" not in text:
        text = "file://" + quote(os.path.abspath(os.path.expanduser(text)))
    try:
        parts = urlsplit(text)
    except ValueError:
        raise Usage(f"{text} is no address of a store.", "Give a folder or s3://bucket/prefix.") from None
    if parts.username or parts.password or "@" in parts.netloc:
        raise Usage(
            "The address of a store holds credentials, and everybody can read the map.",
            "Leave them out; they belong into the environment or into a profile.",
        )
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise Usage(
            "The address of a store ends with ? or #, where secrets often stand.", "Give the bucket and prefix alone."
        )
    if parts.scheme not in SCHEMES:
        raise Usage(f"There is no store of the kind {parts.scheme}://.", f"There are {'://, '.join(SCHEMES)}://.")
    path = unquote(parts.path)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not path.startswith("/"):
            raise Usage(f"{text} names no folder of this machine.", "Write file:///srv/team, or the path alone.")
        return "file://" + quote(os.path.normpath("/" + path.lstrip("/")))
    prefix = path.strip("/")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]+", parts.netloc):
        raise Usage(f"{text} names no bucket.", f"Write {parts.scheme}://bucket or {parts.scheme}://bucket/prefix.")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise Usage(f"{prefix} is no prefix for a store.", "Use letters, digits, dots, hyphens and underscores.")
    return f"{parts.scheme}://{parts.netloc}" + (f"/{prefix}" if prefix else "")
