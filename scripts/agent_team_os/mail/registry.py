"""The registry: which sessions an agent has, and when it was last seen. Derived, and never trusted blindly."""

from __future__ import annotations

import os
import time

from ..protocol import home as layout
from ..protocol import ids, show, strictjson
from ..storage import files, process, unsynced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from ..protocol.documents import Card, Session

HEARTBEAT = 240 * 60  # seconds a session on another machine counts as live after its last sign
FORGOTTEN = 7 * 86_400  # seconds after which a session that is gone is taken out
_MAX = 65_536
_MOST = 200  # entries of an agent that are opened, the last written ones


def beat(
    home: str, agent: str, slug: str, session_id: str, workspace: str, pid: Optional[int], started: str, state: str
) -> Session:
    """Enter a session, or renew its entry. The caller has checked all ids; OSError where the disk says no."""
    session: Session = {
        "agent": agent,
        "session": f"{agent}/{slug}",
        "slug": slug,
        "session_id": session_id,
        "pid": pid,
        "host": process.host(),
        "workspace_path": _text(workspace),
        "session_started": started,
        "last_seen": show.timestamp(),
        "state": state,
    }
    _put(home, os.path.join(layout.sessions(home, agent), session_id + ".json"), session)
    return session


def forget(home: str) -> set[str]:
    """Remove the entries of sessions that have been gone for a week, and what killed writers left.

    Returns the names of the files of live sessions, `<session_id>.json`, which are kept however old they are.
    """
    folder = os.path.join(home, "registry")
    every: set[str] = set()
    for name in files.names(folder):
        if name.endswith(".d") and ids.is_agent(name[:-2]):
            live = {session["session_id"] + ".json" for session in sessions(home, name[:-2]) if is_live(session)}
            unsynced.sweep(os.path.join(folder, name), FORGOTTEN, live.__contains__)
            every |= live
    unsynced.sweep(folder, FORGOTTEN, lambda name: not name.endswith(".tmp"))
    return every


def leave(home: str, agent: str, session_id: str) -> None:
    """Take a session out; the card says when the agent was last seen."""
    folder = layout.sessions(home, agent)
    path = os.path.join(folder, session_id + ".json")
    if os.path.islink(folder):
        return
    gone = _load(path, "session")
    files.remove(path)
    if gone is None:
        return
    for _ in range(2):  # again: a session that began meanwhile has called the agent active before our word
        there = any(is_live(session) for session in sessions(home, agent))
        write_card(home, agent, there, gone["workspace_path"], gone.get("session_started") or gone["last_seen"])


def write_card(home: str, agent: str, active: bool, workspace: str, started: str) -> None:
    """Say on the agent's card, as version 1 reads it, whether it is there and where."""
    card: Card = {
        "name": agent,
        "active": active,
        "last_seen": show.timestamp(),
        "workspace_path": _text(workspace),
        "session_started": started if active else None,
    }
    _put(home, layout.card(home, agent), card)


def _text(path: str) -> str:
    """A path for a document: its name may be no text."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def _put(home: str, path: str, document: Any) -> None:
    """Write an entry; a folder that has its name is no entry of ours and is set aside."""
    data = strictjson.readable(document)
    try:
        unsynced.note(path, data)
    except IsADirectoryError:
        from ..storage import quarantine

        quarantine.set_aside(home, path, "a folder where a file of the registry belongs")
        unsynced.note(path, data)


def card(home: str, agent: str) -> Optional[Card]:
    """An agent's card; None if there is none that can be read."""
    found: Optional[Card] = _load(layout.card(home, agent), "registry-card")
    return found


def sessions(home: str, agent: str) -> list[Session]:
    """The readable session entries of an agent, live or not, the last seen first; of many, those written last."""
    folder = layout.sessions(home, agent)
    names = [name for name in files.names(folder) if name.endswith(".json") and ids.is_session_id(name[:-5])]
    if len(names) > _MOST:
        names = sorted(names, key=lambda name: abs(files.age(os.path.join(folder, name))))[:_MOST]
    found = []
    for name in names:
        session = _load(os.path.join(folder, name), "session")
        if session is not None and session["agent"] == agent:
            found.append(session)
    return sorted(found, key=lambda session: show.seconds_of(session["last_seen"]) or 0.0, reverse=True)


def _load(path: str, kind: str) -> Any:
    """The document, or None: entries are derived, and one of version 1 has another shape."""
    try:
        document = strictjson.parse(files.read(path, _MAX))
    except (FileNotFoundError, files.BadFile, strictjson.BadJSON):
        return None
    from ..protocol import schemas

    return document if schemas.checker(kind)(document) is None else None


def is_live(session: Session) -> bool:
    """Whether a session is there: on this machine while its process is, elsewhere while its sign is fresh."""
    pid, seen = session.get("pid"), show.seconds_of(session["last_seen"]) or 0.0
    if pid and session.get("host") == process.host():
        return _runs(pid, seen)
    return time.time() - seen < HEARTBEAT


def _runs(pid: int, seen: float) -> bool:
    """Whether the process runs and is not a younger one that got the same number."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass
    except (ProcessLookupError, OverflowError):
        return False
    if process.is_zombie(pid):
        return False
    began = process.start_time(pid)
    return began is None or began <= seen + 60  # both clocks count whole seconds, and one may be set


def presence(home: str, agent: str) -> tuple[str, Optional[str], list[Session]]:
    """`live`, `idle` or `offline`; when the agent was last seen; its live sessions."""
    every = sessions(home, agent)
    live = [session for session in every if is_live(session)]
    known = card(home, agent)
    stamps = [session["last_seen"] for session in every] + (
        [known["last_seen"]] if known and known.get("last_seen") else []
    )
    last = max(stamps, key=lambda stamp: show.seconds_of(stamp) or 0.0, default=None)
    if not live:
        return "offline", last, live
    return ("live" if any(session.get("state") != "idle" for session in live) else "idle"), last, live


def warnings(home: str, agent: str, slug: Optional[str]) -> list[str]:
    """What a sender should know of who is there to read: nobody, another session, or more than one."""
    state, last, live = presence(home, agent)
    names = sorted({session["slug"] for session in live})
    if state == "offline":
        seen = f"last seen {show.age(last)}" if last else "never seen"
        return [f"{agent} has no live session ({seen}); it will see this when it opens."]
    if slug and slug not in names:
        others = ", ".join(f"{agent}/{name}" for name in names)
        return [f"{agent}/{slug} has no live session (live: {others}); it will see this when it opens."]
    if not slug and len(names) > 1:
        one = f"{agent}/{names[0]}"
        return [f"{agent} has {len(names)} live sessions ({', '.join(names)}), and all see this; for one: {one}"]
    return []
