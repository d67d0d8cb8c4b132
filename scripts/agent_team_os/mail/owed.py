"""What an agent owes: requests it has read and not yet answered.

Derived each time from the archives and the threads. What was once looked at in an archive is kept in `state/`,
so that an archive of any size costs one listing when it has changed and nothing when it has not.
"""

from __future__ import annotations

import os
import time

from ..protocol import home as layout
from ..protocol import ids
from ..storage import files, notes
from . import inbox, known, threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..protocol.documents import Thread

MOST = 200  # requests that are found to be owed; the thread of each is read
WINDOW = 14 * 86_400  # seconds; what was sent earlier is no matter of a turn any more
ANSWERS = frozenset(("response", "confirm", "decline", "question"))


def requests(home: str, agent: str, slug: str) -> known.Mail:
    """The read messages of a session's boxes that asked for an answer and have none, of the last two weeks.

    At most 200. `accept` is no answer: it promises one. Where two sessions share a box, both owe what either has read.
    """
    memory = _load(home, agent)
    oldest = time.strftime("msg-%Y%m%dT%H%M%SZ", time.gmtime(time.time() - WINDOW))
    found: known.Mail = {}
    news = False
    for box in inbox.seen_by(home, agent, slug):
        for archive in (layout.READ, layout.DONE):
            folder = os.path.join(box, archive)
            looked = memory.setdefault(os.path.relpath(folder, home), {"changed": 0, "owes": {}, "settled": []})
            news = _look(home, agent, folder, looked, oldest) or news
            for message_id, (thread_id, kind) in list(looked["owes"].items()):
                if message_id < oldest:
                    continue
                if len(found) >= MOST:
                    break
                if _answered(home, agent, message_id, thread_id):
                    del looked["owes"][message_id]  # for good: an answer is not taken back
                    looked["settled"].append(message_id)
                    news = True
                else:
                    found[message_id] = kind
    if news:
        try:
            notes.write(layout.owed(home, agent), memory)
        except OSError:
            pass  # a full disk: it is looked at again next time
    return found


def _look(home: str, agent: str, folder: str, looked: dict[str, Any], oldest: str) -> bool:
    """Bring what is known of an archive up to date; False if nothing has changed in it."""
    try:
        changed = os.stat(folder).st_mtime_ns // 1000  # in nanoseconds it is more than a JSON number holds
    except OSError:
        return False
    if changed == looked["changed"]:
        return False
    before, settled = looked["owes"], set(looked["settled"])
    looked["owes"], looked["settled"] = {}, []
    for name in files.names(folder):
        message_id = name[:-5]
        if message_id < oldest or not ids.MESSAGE_FILE.fullmatch(name):  # in this order: an archive may be large
            continue
        owes = before.get(message_id) or (message_id not in settled and _owes(home, agent, f"{folder}/{name}"))
        if owes:
            looked["owes"][message_id] = owes
        else:
            looked["settled"].append(message_id)
    # A change within the clock's last tick would not show in the time of the folder: look again next time.
    looked["changed"] = changed if time.time() * 1e6 - changed > 1e6 else 0
    return True


def _owes(home: str, agent: str, path: str) -> list[str]:
    """Thread and priority of an archived message that wants an answer; empty for any other."""
    message = inbox.load(home, agent, path)
    if message is None or not message.get("requires_response") or known.kind_of(message) == known.COPY:
        return []
    return [message["thread_id"], known.kind_of(message)]


def _answered(home: str, agent: str, message_id: str, thread_id: str) -> bool:
    """Whether the agent has written an answer into the thread after that message came."""
    try:
        thread = threads.load(home, thread_id)
    except files.BadFile:
        return False
    return thread is not None and answers(thread, agent, message_id)


def answers(thread: Thread, agent: str, message_id: str) -> bool:
    """Whether a thread holds an answer of this agent behind a message."""
    order = [entry["id"] for entry in thread["messages"]]
    later = thread["messages"][order.index(message_id) + 1 :] if message_id in order else thread["messages"]
    return any(entry["from"] == agent and entry["type"] in ANSWERS for entry in later)


def _load(home: str, agent: str) -> dict[str, Any]:
    memory = notes.read(layout.owed(home, agent))
    return memory if _is_memory(memory) else {}


def _is_memory(memory: dict[str, Any]) -> bool:
    """Whether it has the shape `requests` writes; anybody could have put a file there."""
    return all(
        isinstance(looked, dict)
        and isinstance(looked.get("changed"), int)
        and isinstance(looked.get("settled"), list)
        and all(isinstance(message_id, str) for message_id in looked["settled"])
        and isinstance(looked.get("owes"), dict)
        and all(
            isinstance(owes, list) and len(owes) == 2 and ids.is_thread(owes[0]) and owes[1] in known.KINDS
            for owes in looked["owes"].values()
        )
        for looked in memory.values()
    )
