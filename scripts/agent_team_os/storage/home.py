"""The bus home on disk: made, looked at, and refused when somebody else could write to it."""

from __future__ import annotations

import os
import stat

from .. import __version__
from ..protocol import agentmap, strictjson
from ..protocol import home as layout
from ..protocol.errors import CannotWrite, InvalidMap
from . import files, unsynced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from ..protocol.documents import AgentMap


def check(home: str) -> bool:
    """Whether the home is there; CannotWrite if another user owns it or could write to it, or it leads elsewhere."""
    try:
        status = os.stat(home)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CannotWrite(f"{home} cannot be opened: {error.strerror}", "Check its permissions.") from None
    if not stat.S_ISDIR(status.st_mode):
        raise CannotWrite(f"{home} is no folder", "Move it away, or set AGENT_TEAM_OS_HOME.")
    if status.st_uid != os.geteuid():
        raise CannotWrite(
            f"{home} belongs to another user (uid {status.st_uid})", "Set AGENT_TEAM_OS_HOME to a folder of your own."
        )
    if status.st_mode & 0o022:
        raise CannotWrite(f"{home} can be written by other users", f"Run: chmod go-w {home}")
    link = linked(home)
    if link:
        raise CannotWrite(
            f"{link} is a symbolic link, and the bus follows none", "Put a folder there, or move the whole bus."
        )
    return True


def linked(home: str) -> str:
    """The first folder of the home in whose place is a symbolic link; empty if there is none.

    The home itself may be one: where it lies is its owner's affair. What is in it came from anywhere.
    """
    return next((path for name in layout.FOLDERS if os.path.islink(path := os.path.join(home, name))), "")


def make(home: str) -> None:
    """Make the home and its folders where they are missing."""
    if not os.path.isdir(home):
        files.make_folder(home)
    for name in layout.FOLDERS:
        files.make_folder(os.path.join(home, name))


def make_map(home: str) -> bool:
    """Write a starter map with its schema beside it, for editors; False if a map is there, which stays as it is."""
    from ..protocol import schemas
    from . import lock

    path = layout.agent_map(home)
    with lock.guard(home, "@agent-map"):
        if os.path.lexists(path):
            return False
        with open(os.path.join(schemas.folder(), "agent-map.schema.json"), "rb") as file:
            files.replace(path.removesuffix("json") + "schema.json", file.read())
        files.replace(path, _text(agentmap.starter()))
        return True


def _text(document: AgentMap) -> bytes:
    """The map as people edit it."""
    import json

    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def read_map(home: str) -> AgentMap:
    """The agent map; an empty one where there is none, InvalidMap for one that cannot be used."""
    path = layout.agent_map(home)
    try:
        return agentmap.parse(files.read(path, agentmap.MAX_MAP), path)
    except FileNotFoundError:
        return {}
    except files.BadFile as error:
        raise InvalidMap(f"{path} cannot be read: {error.why}", agentmap.FIX) from None


def known_map(home: str) -> tuple[AgentMap, bytes]:
    """The agent map as `read_map` gives it, checked again only when it has changed since it was last found valid.

    The second is for `keep_map` when this is news, else empty: a look alone leaves nothing behind.
    """
    path = layout.agent_map(home)
    try:
        data = files.read(path, agentmap.MAX_MAP)
    except (FileNotFoundError, files.BadFile):
        return read_map(home), b""
    checked = _checked(data)
    try:
        if files.read(layout.checked_map(home), 2 * agentmap.MAX_MAP) == checked:
            return strictjson.parse(data), b""
    except (FileNotFoundError, files.BadFile):
        pass
    return agentmap.parse(data, path), checked


def keep_map(home: str, checked: bytes) -> None:
    """Remember that this map is valid."""
    try:
        unsynced.note(layout.checked_map(home), checked)
    except OSError:
        pass  # a full disk: it is checked again next time


def _checked(data: bytes) -> bytes:
    return __version__.encode() + b"\n" + data  # a map is valid by the schema of one version


def change_map(home: str, change: Callable[[AgentMap], None]) -> AgentMap:
    """Let `change` edit the map in place and write it back, keeping order and unknown keys.

    Holds the map's lock from reading to writing and leaves the version before as AGENT_MAP.json.bak.
    InvalidMap, with nothing written, if the map is wrong before or after.
    """
    from . import lock

    path = layout.agent_map(home)
    with lock.guard(home, "@agent-map"):
        document = read_map(home)
        before = _text(document)
        change(document)
        data = _text(document)
        if data == before:
            return document
        agentmap.parse(data, path)
        if os.path.exists(path):
            files.replace(path + ".bak", files.read(path, agentmap.MAX_MAP))
        files.replace(path, data)
        keep_map(home, _checked(data))
        return document
