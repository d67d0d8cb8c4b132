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
    """Write a starter map with its schema beside it, for editors; False if a map is there, which stays as it is.

    InvalidMap where a map was lost, as `read_map`.
    """
    from ..protocol import schemas
    from . import lock

    path = layout.agent_map(home)
    with lock.guard(home, "@agent-map"):
        if os.path.lexists(path):
            return False
        _check_not_lost(path)
        with open(os.path.join(schemas.folder(), "agent-map.schema.json"), "rb") as file:
            files.replace(path.removesuffix("json") + "schema.json", file.read())
        files.replace(path, _text(agentmap.starter()))
        return True


def _text(document: AgentMap) -> bytes:
    """The map as people edit it."""
    import json

    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def read_map(home: str) -> AgentMap:
    """The agent map; an empty one where there never was one, InvalidMap for one that cannot be used or was lost."""
    path = layout.agent_map(home)
    try:
        return agentmap.parse(files.read(path, agentmap.MAX_MAP), path)
    except FileNotFoundError:
        _check_not_lost(path)
        return {}
    except files.BadFile as error:
        raise InvalidMap(f"{path} cannot be read: {error.why}", agentmap.FIX) from None


def before_map(path: str) -> tuple[AgentMap, bytes]:
    """The map before the last change, and its bytes; both empty if there is none that can be used."""
    try:
        data = files.read(path + ".bak", agentmap.MAX_MAP)
        return agentmap.parse(data, path), data
    except (InvalidMap, files.BadFile, FileNotFoundError):
        return {}, b""


def bring_back(path: str) -> str:
    """The command that puts the map before the last change in the place of the map."""
    import shlex

    return f"cp -p {shlex.quote(path + '.bak')} {shlex.quote(path)}"


def _check_not_lost(path: str) -> None:
    """InvalidMap if the map before the last change is there and the map is not: a new one would take its place."""
    if not os.path.lexists(path + ".bak") or os.path.lexists(path):
        return
    if before_map(path)[1]:
        raise InvalidMap(
            f"{path} is missing, and the map before its last change is still there",
            f"Bring that back: {bring_back(path)}",
        )
    raise InvalidMap(f"{path} is missing, and {path}.bak cannot be used", f"Put a map there, or move {path}.bak away.")


def _says_less(document: AgentMap, before: AgentMap) -> bool:
    """Whether a map is one to begin with, or names nobody, and the one before it is more than that."""
    if document == agentmap.starter():
        return before not in ({}, agentmap.starter())
    return not agentmap.agents(document) and bool(agentmap.agents(before))


def restore_map(home: str) -> bool:
    """Put the map before the last change where the map is missing or has nothing in it; whether that was done."""
    from . import lock

    path = layout.agent_map(home)
    with lock.guard(home, "@agent-map"):
        try:
            lost = not files.read(path, agentmap.MAX_MAP).strip(b"\0 \t\r\n")
        except FileNotFoundError:
            lost = True
        except files.BadFile:
            lost = False
        data = before_map(path)[1] if lost else b""
        if data:
            files.replace(path, data)
        return bool(data)


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
    InvalidMap, with nothing written, if the map is wrong before or after, or was emptied: the version before is then
    the last good one, and must not be overwritten.
    """
    from . import lock

    path = layout.agent_map(home)
    with lock.guard(home, "@agent-map"):
        document = read_map(home)
        before = _text(document)
        emptied = _says_less(document, before_map(path)[0])
        change(document)
        data = _text(document)
        if data == before:
            return document
        agentmap.parse(data, path)
        if emptied:
            raise InvalidMap(
                f"{path} is empty of what the map before its last change says, which this would overwrite",
                f"Bring that back: {bring_back(path)} (to begin again without it, move {path}.bak away)",
            )
        if os.path.exists(path):
            files.replace(path + ".bak", files.read(path, agentmap.MAX_MAP))
        files.replace(path, data)
        keep_map(home, _checked(data))
        return document
