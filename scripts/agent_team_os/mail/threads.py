"""Threads: the stored history of each conversation. Derived: the outbox can rebuild every one of them."""

from __future__ import annotations

import contextlib
import os

from ..protocol import home as layout
from ..protocol import ids, schemas, strictjson
from ..protocol import thread as threads
from ..protocol.errors import InvalidMessage
from ..storage import files, lock, quarantine
from . import copies, outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from ..protocol.documents import Message, Thread

_ROOM = 4096  # bytes kept free so that one more entry fits


def load(home: str, thread_id: str) -> Optional[Thread]:
    """The thread; None if there is none, BadFile if what is stored is no thread."""
    try:
        data = files.read(layout.thread(home, thread_id), threads.MAX_THREAD)
        document = strictjson.parse(data)
    except FileNotFoundError:
        return None
    except strictjson.BadJSON as error:
        raise files.BadFile(str(error)) from None
    wrong = schemas.checker("thread")(document)
    if wrong is None and document["id"] != thread_id:
        wrong = ("id",), "is another thread's"
    if wrong is not None:
        raise files.BadFile(schemas.describe(wrong))
    return document  # type: ignore[no-any-return]  # checked by its schema


def names(home: str) -> list[str]:
    """The ids of all threads, unsorted."""
    found = (name[:-5] for name in files.names(os.path.join(home, "threads")) if name.endswith(".json"))
    return [name for name in found if ids.is_thread(name)]


def recent(home: str, status: Optional[str], most: int) -> list[Thread]:
    """The threads changed last, the newest first, of one status or all; those that cannot be read are left out."""
    paths = {name: layout.thread(home, name) for name in names(home)}
    found: list[Thread] = []
    for name in sorted(paths, key=lambda name: files.age(paths[name])):
        with contextlib.suppress(files.BadFile):
            thread = load(home, name)
            if thread is not None and status in (None, thread["status"]):
                found.append(thread)
        if len(found) == most:
            break
    return found


def check_room(home: str, thread_id: str) -> None:
    """InvalidMessage if the thread has no room for one more message; asked before anything is sent."""
    try:
        size = os.lstat(layout.thread(home, thread_id)).st_size
    except OSError:
        return
    if size > threads.MAX_THREAD - _ROOM:
        raise InvalidMessage(f"{thread_id} is full ({size} bytes)", "Start a new thread: leave out --thread.")


def add(home: str, message: Message) -> Optional[Thread]:
    """Enter a sent message into its thread, once, and return the thread; None for a copy, which enters none.

    A stored thread that cannot be read is set aside and rebuilt from the outbox; so is one that a simple
    client opened without writing its file.
    """
    if copies.is_copy(message):  # it tells of the conversation and would open a closed one again
        return None
    thread_id = message["thread_id"]
    with lock.guard(home, "@thread-" + lock.bucket(thread_id)):
        lost = bool(message.get("in_reply_to"))  # an answer to something that must be in the outbox
        try:
            stored = load(home, thread_id)
        except files.BadFile as error:
            quarantine.set_aside(home, layout.thread(home, thread_id), error.why)
            stored, lost = None, True
        thread = stored or (_from_outbox(home, thread_id) if lost else None) or threads.start(message)
        if threads.add(thread, message) or stored is None:
            files.replace(layout.thread(home, thread_id), strictjson.compact(thread) + b"\n")
        return thread


def rebuild(home: str, thread_id: str) -> bool:
    """Write the thread anew from the outbox; False if the outbox knows nothing of it.

    Entries that only the stored thread has are kept: a helper of version 1 may not have logged them.
    """
    with lock.guard(home, "@thread-" + lock.bucket(thread_id)):
        path = layout.thread(home, thread_id)
        thread = _from_outbox(home, thread_id)
        try:
            stored = load(home, thread_id)
        except files.BadFile as error:
            quarantine.set_aside(home, path, error.why)
            stored = None
        if thread is None:
            return False
        if stored is not None:
            known = {entry["id"] for entry in thread["messages"]}
            extra = [entry for entry in stored["messages"] if entry["id"] not in known]
            # By second: within one the outbox knows the order, and the random end of an id does not.
            thread["messages"] = sorted(thread["messages"] + extra, key=lambda entry: entry["id"][:20])
            thread["participants"] = sorted({*thread["participants"], *stored["participants"]})
            thread["subject"] = stored["subject"]
        files.replace(path, strictjson.compact(thread) + b"\n")
        return True


def _from_outbox(home: str, thread_id: str) -> Optional[Thread]:
    thread: Optional[Thread] = None
    for message in outbox.mentioning(home, thread_id):
        if message["thread_id"] == thread_id and not copies.is_copy(message):
            thread = thread or threads.start(message)
            threads.add(thread, message)
    return thread
