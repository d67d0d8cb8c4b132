"""The send, and its recovery: one message into the outbox, the recipient's inbox and its thread, or into none.

The order is everything. A message is sent when its line is in the outbox; until then nobody can see it, and
everything done so far is undone by dropping the spool file. From then on everything else follows, now or by
the next command, from the spool file and the line:

    spool file durable  ->  outbox line durable  ->  link into the inbox  ->  thread  ->  spool file gone
                            `-- commit --'           `-- visible, no way back

Copies for hubs are in the spool before that line and follow it to the end of the send (see `copies`).

Only OSError is undone. Anything else, a signal above all, is treated as a crash: recovery decides.
"""

from __future__ import annotations

import contextlib
import os

from ..protocol import home as layout
from ..protocol import ids, strictjson
from ..protocol import message as messages
from ..protocol.errors import BusError, CannotWrite, LockBusy, Undecided
from ..storage import files, journal, lock, spool
from . import attachments, copies, inbox, outbox, threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional

    from ..protocol.documents import Message, Thread


def send(
    home: str, message: Message, paths: Sequence[str] = (), told: Sequence[Message] = ()
) -> tuple[Optional[Thread], list[str], list[str]]:
    """Deliver a checked message with the files it describes, and its copies `told`; durable when this returns.

    Returns its thread (None for a copy), the ids of the copies, and warnings: of the message, that the next
    command that can write finishes its thread (then None); of a copy, that it is left to that command, or that
    there is none. CannotWrite, LockBusy, InvalidAttachment: nothing was or will be delivered. Undecided: the
    next command makes it all or nothing.
    """
    with contextlib.ExitStack() as held:
        try:
            entry = spool.begin(home, message["id"])
        except OSError as error:
            raise _cannot_write(error) from None
        held.callback(entry.close)
        spooled: list[copies.Spooled] = []
        committed = False
        try:
            for attachment, path in zip(message.get("attachments", ()), paths):
                attachments.store(home, path, attachment, entry.blob)
            files.make_folder(layout.box(home, message["to"], messages.slug(message)))
            entry.write(strictjson.readable(message))  # type: ignore[arg-type]  # a TypedDict is a dict
            spooled, warnings = copies.put_in_spool(home, told, held)
            with lock.recipient(home, message["to"]):
                _commit(home, message, entry.path)
                committed = True
        except Undecided:
            raise
        except (OSError, BusError) as error:
            if not committed:
                copies.take_back(spooled)
                _take_back(message, entry)
                if isinstance(error, OSError):
                    raise _cannot_write(error) from None
                raise
        try:
            thread = _finish(home, message, layout.box(home, message["to"], messages.slug(message)))
            entry.drop()
        except (OSError, LockBusy) as error:
            thread = None
            warnings.append(f"{message['id']} is delivered; the next command finishes its thread ({error})")
        warnings += copies.deliver(home, spooled)
        return thread, [copy["id"] for copy, _ in spooled], warnings


def _take_back(message: Message, entry: spool.Entry) -> None:
    """Nothing was sent: what cannot be removed has no line and is rolled back, but for a copy of what was sent."""
    try:
        entry.drop()
    except OSError as error:
        if copies.is_copy(message):
            raise Undecided(
                f"cannot remove {entry.path}: {error.strerror or error}",
                "The next command decides; then look with: ato trace " + message["id"],
            ) from None


def _cannot_write(error: OSError) -> CannotWrite:
    path = error.filename2 or error.filename  # of a link or rename the name that was to be made
    where = f" {path}" if path else ""
    return CannotWrite(f"cannot write{where}: {error.strerror or error}", "Nothing was sent. See: ato doctor")


def _commit(home: str, message: Message, spooled: str) -> None:
    """Steps with no half way: line and link, both or neither. The recipient's lock is held."""
    log = journal.Journal(layout.outbox(home, ids.day_of(message["id"])))
    try:
        try:
            log.append(strictjson.compact(message))
            files.publish(spooled, layout.pending(home, message["to"], messages.slug(message), message["id"]))
        except OSError as error:
            try:
                log.undo()
            except OSError as worse:
                raise Undecided(
                    f"cannot write {log.path}: {error.strerror or error}, nor take it back: {worse.strerror or worse}",
                    "The next command decides; then look with: ato trace " + message["id"],
                ) from None
            raise
    finally:
        log.close()


def _finish(home: str, message: Message, box: str) -> Optional[Thread]:
    """What follows from a sent message: durable name, thread (but for a copy), the archived original of a reply."""
    files.sync_folder(box)
    thread = threads.add(home, message)
    original = message.get("in_reply_to")
    if original:
        path = inbox.find(home, message["from"], original)
        if path is not None and inbox.is_pending(path):
            with inbox.claim(home, original):
                inbox.archive(home, path)
    return thread


def recover(home: str) -> None:
    """Finish or roll back what killed commands left; every command does this first. Never raises OSError."""
    folder = layout.spool(home)
    left = files.names(folder)
    for name in left:
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError, LockBusy):  # the disk cannot be written now: a later command will
            if ids.MESSAGE_FILE.fullmatch(name):
                _recover(home, path)
            elif name.endswith(spool.BLOB) and name.removesuffix(spool.BLOB) + ".json" not in left:
                files.remove(path)


def _recover(home: str, path: str) -> None:
    entry = spool.seize(path)
    if entry is None:
        return
    try:
        message = outbox.find(home, os.path.basename(path)[:-5]) or copies.roll_forward(home, entry)
        if message is not None:
            journal.sync(layout.outbox(home, ids.day_of(message["id"])))
            there = inbox.find(home, message["to"], message["id"])
            if there is None:
                there = layout.pending(home, message["to"], messages.slug(message), message["id"])
                files.make_folder(os.path.dirname(there))
                if not _is_whole(path, message):
                    entry.rewrite(strictjson.readable(message))  # type: ignore[arg-type]  # a TypedDict is a dict
                files.publish(path, there)
            _finish(home, message, os.path.dirname(there))
        entry.drop()
    finally:
        entry.close()


def _is_whole(path: str, message: Message) -> bool:
    """Whether the spool file still is the message that the outbox says was sent."""
    try:
        return messages.parse(files.read(path, messages.MAX_MESSAGE)) == message
    except (FileNotFoundError, files.BadFile, messages.NotAMessage):
        return False
