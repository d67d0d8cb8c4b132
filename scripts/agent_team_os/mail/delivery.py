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
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Optional

    from ..protocol.documents import Message, Thread


class Outgoing:
    """A checked message on its way, with the files it describes and the copies it makes, and what came of it.

    After `send`, `error` says why nothing was or will be delivered (Undecided: the next command makes it all or
    nothing); without one the message is durable and delivered. Then `warnings` say what else there is to know: that
    the next command that can write finishes its thread (`thread` is None then, as it is for a copy), or that a copy
    is left to that command, or could not be made.
    """

    def __init__(self, message: Message, paths: Sequence[str] = (), told: Sequence[Message] = ()) -> None:
        self.message = message
        self.paths = paths
        self.told = told
        self.copies: list[copies.Spooled] = []
        self.thread: Optional[Thread] = None
        self.warnings: list[str] = []
        self.error: Optional[BusError] = None


def send(home: str, group: Sequence[Outgoing]) -> None:
    """Deliver messages to one agent, made on one day, with one commit; what came of each is said in it.

    Each message of a group is all or nothing by itself; together they only wait less often for the disk.
    """
    with contextlib.ExitStack() as held:
        spooled = [(one, entry) for one in group if (entry := _spool(home, one, held))]
        failed = spool.settle([entry for _, entry in spooled])
        for one, entry in spooled:
            if entry.fd in failed:
                _refuse(one, entry, failed[entry.fd])
        going = [(one, entry) for one, entry in spooled if not one.error]
        if not going:
            return
        committed = False
        try:
            with lock.recipient(home, group[0].message["to"]):
                _commit(home, going)
                committed = True
        except (OSError, BusError) as error:
            if not committed:
                for one, entry in going:
                    _refuse(one, entry, error)
        _finish(home, [(one, entry) for one, entry in going if not one.error])


def _spool(home: str, one: Outgoing, held: contextlib.ExitStack) -> Optional[spool.Entry]:
    """Put a message, its files and its copies where recovery finds them; the message itself is not yet durable.

    The thread that it opens is drafted beside it, so that both are waited for at once. None if it is refused.
    """
    message, entry = one.message, None
    try:
        entry = spool.begin(home, message["id"])
        held.callback(entry.close)
        for attachment, path in zip(message.get("attachments", ()), one.paths):
            attachments.store(home, path, attachment, entry.blob)
        inbox.make_box(home, message["to"], messages.slug(message))
        entry.fill(strictjson.readable(message))  # type: ignore[arg-type]  # a TypedDict is a dict
        draft = threads.draft(home, message)
        if draft is not None:
            entry.fill_draft(draft)
        one.copies, lost = copies.put_in_spool(home, one.told, held)
        one.warnings += lost
    except (OSError, BusError) as error:
        _refuse(one, entry, error)
        return None
    return entry


def _box(home: str, message: Message) -> str:
    return layout.box(home, message["to"], messages.slug(message))


def _refuse(one: Outgoing, entry: Optional[spool.Entry], error: Exception) -> None:
    """Nothing was sent: take it back, and say why."""
    one.error = error if isinstance(error, BusError) else _cannot_write(error)  # type: ignore[arg-type]  # an OSError
    copies.take_back(one.copies)
    try:
        if entry:
            entry.drop()
    except OSError as worse:  # it has no line and is rolled back, but for a copy of what was sent
        if copies.is_copy(one.message):
            one.error = _undecided(one.message, f"cannot remove {worse.filename}: {worse.strerror or worse}")


def _cannot_write(error: OSError) -> CannotWrite:
    path = error.filename2 or error.filename  # of a link or rename the name that was to be made
    where = f" {path}" if path else ""
    return CannotWrite(f"cannot write{where}: {error.strerror or error}", "Nothing was sent. See: ato doctor")


def _undecided(message: Message, why: str) -> Undecided:
    return Undecided(why, "The next command decides; then look with: ato trace " + message["id"])


def _commit(home: str, group: Sequence[tuple[Outgoing, spool.Entry]]) -> None:
    """Steps with no half way: line and link of a message, both or neither. The recipient's lock is held."""
    log = journal.Journal(layout.outbox(home, ids.day_of(group[0][0].message["id"])))
    try:
        while group:
            group = _commit_up_to(home, log, group)
    finally:
        log.close()


def _commit_up_to(
    home: str, log: journal.Journal, group: Sequence[tuple[Outgoing, spool.Entry]]
) -> Sequence[tuple[Outgoing, spool.Entry]]:
    """Commit messages up to the first that cannot be linked, which is refused; returns those behind it."""
    lines = [strictjson.compact(one.message) for one, _ in group]
    refused, visible = group, 0  # all of them, if the lines cannot be written
    try:
        log.append(lines)
        for one, entry in group:
            refused = [(one, entry)]
            message = one.message
            files.publish(entry.path, layout.pending(home, message["to"], messages.slug(message), message["id"]))
            visible += 1
        return ()
    except OSError as error:
        try:
            log.undo(lines[visible:])
        except OSError as worse:
            why = f"cannot write {log.path}: {error.strerror or error}, nor take it back: {worse.strerror or worse}"
            for one, _ in group[visible:]:
                one.error = _undecided(one.message, why)
            return ()
        for one, entry in refused:
            _refuse(one, entry, error)
        return group[visible + len(refused) :]


def _finish(home: str, sent: Sequence[tuple[Outgoing, spool.Entry]]) -> None:
    """What follows from sent messages; nothing of it can fail them any more."""
    written = [one.message for one, _ in sent]
    drafts = {one.message["id"]: entry.draft for one, entry in sent if entry.has_draft}
    trouble: Optional[Exception] = None
    try:
        found = _enter(home, written, {_box(home, message) for message in written}, drafts)
    except (OSError, LockBusy) as error:
        found, trouble = {}, error
    for one, entry in sent:
        try:
            if trouble:
                raise trouble
            _archive_original(home, one.message)
            entry.drop()
            one.thread = None if copies.is_copy(one.message) else found[one.message["thread_id"]]
        except (OSError, LockBusy) as error:
            one.warnings.append(f"{one.message['id']} is delivered; the next command finishes its thread ({error})")
        one.warnings += copies.deliver(home, one.copies)


def _enter(home: str, sent: Sequence[Message], boxes: Iterable[str], drafts: Mapping[str, str]) -> dict[str, Thread]:
    """Make the names in the boxes durable, and enter the threads, which it returns."""
    for box in boxes:
        files.sync_folder(box)
    return threads.add(home, sent, drafts)


def _archive_original(home: str, message: Message) -> None:
    original = message.get("in_reply_to")
    path = inbox.find(home, message["from"], original) if original else None
    if original and path and inbox.is_pending(path):
        with inbox.claim(home, original):
            inbox.archive(home, path)


def recover(home: str, most: Optional[int] = None) -> None:
    """Finish or roll back what killed commands left; every command does this first. Never raises OSError.

    With `most`, so many leftovers at most. Which, is chosen by chance: some may be nothing that can ever be removed.
    """
    folder = layout.spool(home)
    names = files.names(folder)
    if most is not None and len(names) > most:
        first = int.from_bytes(os.urandom(4), "big") % len(names)
        names = [*names[first:], *names[:first]][:most]
    for name in sorted(names):  # by id: a thread gets its entries in the order they were sent
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError, LockBusy):  # the disk cannot be written now: a later command will
            if ids.MESSAGE_FILE.fullmatch(name):
                _recover(home, path)
            elif name.endswith(spool.BLOB) and not os.path.lexists(path.removesuffix(spool.BLOB) + ".json"):
                files.remove(path)  # its spool file goes last, and comes first


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
                box = inbox.make_box(home, message["to"], messages.slug(message))
                there = os.path.join(box, message["id"] + ".json")
                if not _is_whole(path, message):
                    entry.rewrite(strictjson.readable(message))  # type: ignore[arg-type]  # a TypedDict is a dict
                files.publish(path, there)
            _enter(home, [message], [os.path.dirname(there)], {})
            _archive_original(home, message)
        entry.drop()
    finally:
        entry.close()


def _is_whole(path: str, message: Message) -> bool:
    """Whether the spool file still is the message that the outbox says was sent."""
    try:
        return messages.parse(files.read(path, messages.MAX_MESSAGE)) == message
    except (FileNotFoundError, files.BadFile, messages.NotAMessage):
        return False
