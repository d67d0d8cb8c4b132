"""The files that travel with a letter: taken from where they lie before it waits, saved where its reader looks.

Bytes are taken once and never looked at again in their old place: what is changed after the send is not sent.
"""

from __future__ import annotations

import os

from ..mail import attachments
from ..protocol import agentmap
from ..protocol.errors import CannotWrite, InvalidAttachment
from ..storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Optional

    from ..protocol.documents import Attachment

MAX_FILES = 20


def take(paths: Sequence[str], folder: str) -> list[dict[str, Any]]:
    """Copy files into a letter's own folder as `0`, `1`, …, durable; returns the name, size and sum of each.

    InvalidAttachment, with nothing written, if one of them cannot travel. If one changes meanwhile (InvalidAttachment
    too), or the disk says no (OSError), some were written: the folder is the caller's to clear.
    """
    if len(paths) > MAX_FILES:
        raise InvalidAttachment(f"{len(paths)} files, more than {MAX_FILES}", "Send them in several messages.")
    found = [_describe(path) for path in paths]
    opened: dict[int, str] = {}
    try:
        for number, (path, meant) in enumerate(zip(paths, found)):
            copy = os.path.join(folder, str(number))
            opened[files.begin(copy, attachments.read_again(path, meant))] = copy
        for error in files.flush(opened).values():
            raise error
    finally:
        for fd in opened:
            os.close(fd)
    files.sync_folder(folder)
    return [{key: meant[key] for key in ("name", "size", "sha256")} for meant in found]


def _describe(path: str) -> Attachment:
    if "\0" in path:
        raise InvalidAttachment("the path of a file holds a NUL, which no path can", "Check the path.")
    about = attachments.describe(path)
    if "\\" in about["name"]:  # elsewhere it divides folders
        raise InvalidAttachment(f"the name of {agentmap.short(path)} holds a backslash", "Rename the file.")
    return about


def inbox(environ: Mapping[str, str]) -> str:
    """The folder where files from others are saved, absolute; it need not exist."""
    home = environ.get("HOME") or os.path.expanduser("~")
    config = environ.get("CLAUDE_CONFIG_DIR") or os.path.join(home, ".claude")
    return os.path.join(os.path.abspath(os.path.expanduser(config)), "shared", "inbox")


def save(data: bytes, about: Mapping[str, Any], folder: str) -> str:
    """Write an attachment into a folder as `storage.files.put` does, and return its path.

    InvalidAttachment if the bytes are not those that were sent. A file of that name, or of its name with a number,
    that holds them already is taken for it, so that a letter can be read twice. The folder itself may be no link;
    those above it may, since people keep their settings so. CannotWrite where nothing can be saved.
    """
    if len(data) != about["size"] or attachments.sum_of(data) != about["sha256"]:
        what = f"the attachment {about['name']} does not hold the bytes that were sent"
        raise InvalidAttachment(what, "Ask the sender to send it again.")
    name = attachments.safe_name(about["name"])
    where = agentmap.short(folder)
    if os.path.islink(folder.rstrip("/")):
        raise CannotWrite(f"cannot save into {where}: it is a symbolic link", "Put a folder in its place.")
    try:
        return _saved(folder, name, about) or files.put(folder, name, data)
    except OSError as error:
        raise CannotWrite(f"cannot save into {where}: {error.strerror or error}", "Mend that and read again.") from None


def _saved(folder: str, name: str, about: Mapping[str, Any]) -> Optional[str]:
    """The file in which these bytes were saved before, of all the names `storage.files.put` has tried; else None."""
    stem, ending = os.path.splitext(name)
    path, number = os.path.join(folder, name), 0
    while os.path.lexists(path):
        try:
            same_size = os.lstat(path).st_size == about["size"]  # else it need not be read
            if same_size and attachments.sum_of(files.read(path, about["size"])) == about["sha256"]:
                return path
        except (FileNotFoundError, files.BadFile):
            pass  # gone, or a link or a folder
        number += 1
        path = os.path.join(folder, f"{stem} ({number}){ending}")
    return None
