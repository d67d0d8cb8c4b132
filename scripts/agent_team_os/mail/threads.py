"""Threads: the stored history of each conversation. Derived: the outbox can rebuild every one of them."""

from __future__ import annotations

import contextlib
import itertools
import os

from ..protocol import home as layout
from ..protocol import ids, schemas, strictjson
from ..protocol import message as messages
from ..protocol import thread as threads
from ..protocol.errors import InvalidMessage, UnknownThread
from ..storage import files, lock, quarantine
from . import copies, outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Optional

    from ..protocol.documents import Message, Thread

_ROOM = 65_536  # bytes kept free so that the entries of a whole group fit


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


def exists(home: str, thread_id: str) -> bool:
    """Whether a thread has a file."""
    return os.path.lexists(layout.thread(home, thread_id))


def look_up(home: str, given: str) -> Thread:
    """The one thread that answers to what was given, each entry with the summary of its message where that is known.

    UnknownThread for none or several, InvalidMessage for one that cannot be read.
    """
    found = like(home, given)
    if len(found) != 1:
        what = f"fits {len(found)} threads: {', '.join(sorted(found)[:5])}" if found else "is no thread here"
        raise UnknownThread(f'"{given[:80]}" {what}', "See the recent ones: ato thread")
    try:
        thread = load(home, found[0])
    except files.BadFile as error:
        raise InvalidMessage(f"{found[0]} cannot be read: {error.why}", "Rebuild it: ato doctor --repair") from None
    if thread is None:
        raise UnknownThread(f"{found[0]} is gone", "Rebuild it: ato doctor --repair")
    lines = {entry["id"]: entry for entry in thread["messages"]}
    for message in outbox.mentioning(home, found[0], set(map(ids.day_of, lines))):
        if message["id"] in lines:
            lines[message["id"]]["summary"] = messages.summary(message)
    return thread


def to_join(home: str, given: str) -> str:
    """The thread a message is to go into: an existing one by prefix, or a whole new id; UnknownThread for no id."""
    found = like(home, given)
    return found[0] if len(found) == 1 else ids.check_thread(given)


def like(home: str, given: str) -> list[str]:
    """The threads that answer to what was given; a whole id is asked for, however many there are."""
    if ids.is_thread(given) and exists(home, given):
        return [given]
    return [name for name in names(home) if ids.matches(name, given)]


def names(home: str) -> list[str]:
    """The ids of all threads, unsorted."""
    found = (name[:-5] for name in files.names(os.path.join(home, "threads")) if name.endswith(".json"))
    return [name for name in found if ids.is_thread(name)]


def recent(home: str, status: Optional[str], most: int) -> list[Thread]:
    """The threads written to last, the newest first, of one status or all; those that cannot be read are left out.

    The outbox says which. Threads it does not know, as a simple client may leave them, come last.
    """
    found: list[Thread] = []
    seen: set[str] = set()
    for name in itertools.chain(outbox.recent_threads(home), _by_age(home)):
        if name in seen:
            continue
        seen.add(name)
        with contextlib.suppress(files.BadFile):
            thread = load(home, name)
            if thread is not None and status in (None, thread["status"]):
                found.append(thread)
        if len(found) == most:
            break
    return found


def _by_age(home: str) -> Iterator[str]:
    """All threads, the one whose file changed last first; not asked of a bus with a long past."""
    yield from sorted(names(home), key=lambda name: files.age(layout.thread(home, name)))


def check_room(home: str, thread_id: str) -> None:
    """InvalidMessage if the thread has no room for one more message; asked before anything is sent."""
    try:
        size = os.lstat(layout.thread(home, thread_id)).st_size
    except OSError:
        return
    if size > threads.MAX_THREAD - _ROOM:
        raise InvalidMessage(f"{thread_id} is full ({size} bytes)", "Start a new thread: leave out --thread.")


def draft(home: str, message: Message) -> Optional[bytes]:
    """The file of the thread that a message opens; None for one that goes into a thread, or into none."""
    if copies.is_copy(message) or message.get("in_reply_to") or exists(home, message["thread_id"]):
        return None
    return _text(_opened(message))


def add(home: str, sent: Sequence[Message], drafts: Mapping[str, str]) -> dict[str, Thread]:
    """Enter sent messages into their threads, each once, and return these by id; a copy enters none.

    `drafts` has the paths of durable drafts by the id of the message. A thread is made with a link, which needs no
    lock and overwrites nothing, and changed under its guard.
    """
    found: dict[str, Thread] = {}
    entering: dict[str, list[Message]] = {}
    for message in sent:
        thread_id, path = message["thread_id"], drafts.get(message["id"])
        if path and _publish(path, layout.thread(home, thread_id)):
            found[thread_id] = _opened(message)
        elif not copies.is_copy(message):  # it tells of the conversation and would open a closed one again
            entering.setdefault(thread_id, []).append(message)
    if found:
        files.sync_folder(os.path.join(home, "threads"))
    with contextlib.ExitStack() as held:
        for name in sorted({lock.bucket(thread_id) for thread_id in entering}):  # in order: nobody waits in a circle
            held.enter_context(lock.guard(home, "@thread-" + name))
        changed: dict[str, bytes] = {}
        for thread_id, group in entering.items():
            found[thread_id], text = _with(home, thread_id, group)
            if text:
                changed[layout.thread(home, thread_id)] = text
        files.replace_all(changed)
        if len(changed) < len(entering):  # some are made anew; or a killed sender has entered what may not be durable
            files.sync_folder(os.path.join(home, "threads"))
    return found


def _publish(source: str, path: str) -> bool:
    try:
        files.publish(source, path)
    except FileExistsError:
        return False
    return True


def _opened(message: Message) -> Thread:
    thread = threads.start(message)
    threads.add(thread, message)
    return thread


def _text(thread: Thread) -> bytes:
    return strictjson.compact(thread) + b"\n"


def _with(home: str, thread_id: str, group: Sequence[Message]) -> tuple[Thread, bytes]:
    """The thread with these messages in it, and what its file must become; nothing where that is so already.

    A thread that is missing, or that cannot be read and is set aside, is made anew, from the outbox if an older
    message must be there: a simple client may have opened it without writing its file. Its guard is held.
    """
    lost = any(message.get("in_reply_to") for message in group)
    while True:
        try:
            stored = load(home, thread_id)
        except files.BadFile as error:
            quarantine.set_aside(home, layout.thread(home, thread_id), error.why)
            stored, lost = None, True
        thread = stored or (_from_outbox(home, thread_id) if lost else None) or threads.start(group[0])
        added = [threads.add(thread, message) for message in group]
        if stored is not None:
            return thread, _text(thread) if any(added) else b""
        if files.put_new(layout.thread(home, thread_id), _text(thread)):
            return thread, b""


def rebuild(home: str, thread_id: str) -> bool:
    """Write the thread anew from the outbox; False if the outbox knows nothing of it.

    Entries that only the stored thread has are kept: a helper of version 1 may not have logged them.
    """
    with lock.guard(home, "@thread-" + lock.bucket(thread_id)):
        path = layout.thread(home, thread_id)
        while True:
            thread = _from_outbox(home, thread_id)
            try:
                stored = load(home, thread_id)
            except files.BadFile as error:
                quarantine.set_aside(home, path, error.why)
                stored = None
            if thread is None:
                return False
            if stored is not None:
                _keep_entries(thread, stored)
                files.replace(path, _text(thread))
                return True
            if files.put_new(path, _text(thread)):
                files.sync_folder(os.path.dirname(path))
                return True


def _keep_entries(thread: Thread, stored: Thread) -> None:
    """Add to a thread what only its stored form has."""
    known = {entry["id"] for entry in thread["messages"]}
    extra = [entry for entry in stored["messages"] if entry["id"] not in known]
    # By second: within one the outbox knows the order, and the random end of an id does not.
    thread["messages"] = sorted(thread["messages"] + extra, key=lambda entry: entry["id"][:20])
    thread["participants"] = sorted({*thread["participants"], *stored["participants"]})
    thread["subject"] = stored["subject"]


def _from_outbox(home: str, thread_id: str) -> Optional[Thread]:
    thread: Optional[Thread] = None
    for message in outbox.mentioning(home, thread_id):
        if message["thread_id"] == thread_id and not copies.is_copy(message):
            thread = thread or threads.start(message)
            threads.add(thread, message)
    return thread
