"""Attachments: files that travel with a message, stored once under the sum of their bytes."""

from __future__ import annotations

import os

from ..protocol import agentmap
from ..protocol import home as layout
from ..protocol.errors import CannotWrite, InvalidAttachment
from ..storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..protocol.documents import Attachment

MAX_SIZE = 10 * 1_048_576
# A coding agent reads these by itself when it works in a folder, so a saved file never gets such a name.
_READ_BY_AGENTS = frozenset(("claude.md", "claude.local.md", "agents.md", "skill.md", "gemini.md"))


def describe(path: str) -> Attachment:
    """What the message says of a file: name, type, size and sum. InvalidAttachment if it cannot travel."""
    import mimetypes

    data, name = read(path), os.path.basename(path)
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidAttachment(f"the name of {agentmap.short(path)!r} is not UTF-8", "Rename the file.") from None
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return {"name": name, "media_type": kind, "size": len(data), "sha256": sum_of(data)}


def read(path: str) -> bytes:
    """The bytes of a file of at most 10 MiB; InvalidAttachment for one that cannot travel."""
    try:
        return files.read(path, MAX_SIZE)
    except FileNotFoundError:
        raise InvalidAttachment(f"no file {path}", "Check the path.") from None
    except files.BadFile as error:
        hint = "Give the path it leads to." if "link" in error.why else "Attach regular files of at most 10 MiB."
        raise InvalidAttachment(f"{path} cannot be attached: {error.why}", hint) from None


def read_again(path: str, meant: Attachment) -> bytes:
    """The bytes of a described file; InvalidAttachment if it has changed since."""
    data = read(path)
    if sum_of(data) != meant["sha256"]:
        raise InvalidAttachment(f"{path} changed while it was being sent", "Send again when it is finished.")
    return data


def sum_of(data: bytes) -> str:
    """The SHA-256 of bytes, in hex."""
    import hashlib

    return hashlib.sha256(data).hexdigest()


def store(home: str, path: str, meant: Attachment, temporary: str) -> None:
    """Put a described file's bytes into `attachments/`, once; durable.

    InvalidAttachment if the file has changed since it was described. A stored blob whose bytes no longer
    have its sum is replaced: its name says what they must be.
    """
    data = read_again(path, meant)
    target = layout.attachment(home, meant["sha256"])
    files.make_folder(os.path.dirname(target))
    files.remove(temporary)
    files.create(temporary, data)
    try:
        files.publish(temporary, target)
    except FileExistsError:
        if not _whole(target, meant["sha256"]):
            files.supersede(temporary, target)
    files.sync_folder(os.path.dirname(target))
    files.remove(temporary)


def _whole(path: str, sha256: str) -> bool:
    try:
        return sum_of(files.read(path, MAX_SIZE)) == sha256
    except (files.BadFile, FileNotFoundError):
        return False


def state(home: str, attachment: Attachment) -> str:
    """`ok`, `missing` or `damaged`: what has become of the blob."""
    path = layout.attachment(home, attachment["sha256"])
    if not os.path.lexists(path):
        return "missing"
    return "ok" if _whole(path, attachment["sha256"]) else "damaged"


def load(home: str, attachment: Attachment) -> bytes:
    """The bytes of an attachment, their sum checked; InvalidAttachment if they are gone or changed."""
    fault = state(home, attachment)
    if fault != "ok":
        what = f"the attachment {attachment['name']} is {fault} (attachments/{attachment['sha256']})"
        raise InvalidAttachment(what, "Ask the sender to send it again.")
    return files.read(layout.attachment(home, attachment["sha256"]), MAX_SIZE)


def save(home: str, attachment: Attachment, folder: str) -> str:
    """Write an attachment into a folder as `storage.files.put` does, and return its path."""
    data = load(home, attachment)
    try:
        return files.put(folder, safe_name(attachment["name"]), data)
    except OSError as error:
        raise CannotWrite(f"cannot save into {folder}: {error.strerror or error}", "Choose another folder.") from None


def safe_name(name: str) -> str:
    """A name of a sender's choice as a name for a file here: none that a shell or an agent reads by itself."""
    clean = "".join(char if char.isprintable() and char not in '/\\:*?"<>|' else "_" for char in name).rstrip(" .")
    while len(clean.encode("utf-8")) > 200:
        clean = clean[1:]
    if not clean:
        return "attachment"
    if clean.startswith(".") or clean.casefold() in _READ_BY_AGENTS:
        return clean + ".txt"
    return clean
