"""The history: whether outbox, inboxes, threads and attachments tell the same story."""

from __future__ import annotations

import os
import time

from ...protocol import home as layout
from ...protocol import ids, show
from ...storage import files
from .. import attachments, copies, outbox, threads
from . import survey
from .finding import REPAIR, counted, done, finding, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Optional

    from ...protocol.documents import Finding

CLOCK = 60.0  # seconds the clock may be behind a message: ids of one process run ahead a little


def bad_log(home: str) -> Iterator[Finding]:
    """What has the name of an outbox file is none; a send of that day fails."""
    for path in survey.logs(home):
        if not survey.regular(path) and os.path.lexists(path):
            fix = f"mv {quoted(path)} {quoted(path + '.old')}"
            yield finding("bad-outbox", "error", path, f"{path} must be a plain file and is none.", fix)


def bad_line(home: str, mail: survey.Survey) -> Iterator[Finding]:
    """Lines of the outbox that are no message: readers pass over them."""
    for path, first in mail.faults.items():
        # A second look: the first may have met a line in the middle of being written.
        again = survey.read_log(path, {}, set())
        bad = sorted(first.keys() & again.keys())
        if bad:
            more = ", ".join(map(str, bad[1:10])) + (", …" if len(bad) > 10 else "")
            rest = f" (nor are these: {more})" if more else ""
            what = f"Line {bad[0]} of {path} is no message: {again[bad[0]]}{rest}."
            yield finding("bad-outbox-line", "warning", path, what, f"Look at it: sed -n {bad[0]}p {quoted(path)}")


def not_logged(home: str, mail: survey.Survey) -> Iterator[Finding]:
    """Messages in inboxes and archives that the outbox does not know."""
    odd: dict[str, list[str]] = {}
    for (agent, message_id), paths in mail.held.items():
        path = paths[0]
        if message_id not in mail.sent and not survey.in_quarantine(path) and path not in mail.broken:
            odd.setdefault(agent, []).append(path)
    # A helper of version 1 may write the outbox after the inbox: once more.
    sent = survey.read_outbox(home)[0] if odd else {}
    for agent, paths in odd.items():
        left = sorted((path for path in paths if os.path.basename(path)[:-5] not in sent), key=os.path.basename)
        if left:
            newest = os.path.basename(left[-1])[:-5]
            what = f"Not in the outbox: {counted(len(left), 'message')} in the inbox of {agent}, the newest {newest}."
            fix = f"See who put it there: ato trace {newest}"
            yield finding("not-in-outbox", "warning", left[-1], what, fix)


def in_no_inbox(home: str, mail: survey.Survey) -> Iterator[Finding]:
    """Messages the outbox says were sent and that lie nowhere: deleted, or lost."""
    lost = _lost(home, mail)
    if lost:
        newest = max(lost)
        path = layout.outbox(home, ids.day_of(newest))
        what = f"In no inbox of the recipient: {counted(len(lost), 'message')} of the outbox, the newest {newest}."
        fix = f"See what it was: ato trace {newest}; if nobody deleted it, have it sent again"
        yield finding("in-no-inbox", "warning", path, what, fix)


def _lost(home: str, mail: survey.Survey) -> set[str]:
    missing = {message_id for message_id, (to, _) in mail.sent.items() if (to, message_id) not in mail.held}
    if missing:
        # In this order: who is not in the spool any more has linked its message.
        missing -= survey.spooled(home)
        missing -= {message_id for _, message_id in survey.places(home)}
    # A send the disk refused takes its line back.
    return missing & survey.read_outbox(home)[0].keys() if missing else missing


def bad_thread(home: str, mail: survey.Survey) -> Iterator[Finding]:
    """A thread that cannot be read, or that does not show each message of the outbox once."""
    for thread_id, code, words in _bad_threads(home, mail):
        severity = "error" if code == "bad-thread" else "warning"
        yield finding(code, severity, layout.thread(home, thread_id), f"{thread_id} {words}.", REPAIR)


def _bad_threads(home: str, mail: survey.Survey) -> list[tuple[str, str, str]]:
    """Id, code and words of each thread that is not what the outbox says; copies are in none."""
    copied = {message["id"] for message in outbox.mentioning(home, '"cc_of"') if copies.is_copy(message)}
    meant: dict[str, set[str]] = {}
    for message_id, (_, thread_id) in mail.sent.items():
        if message_id not in copied:
            meant.setdefault(thread_id, set()).add(message_id)
    known = meant.keys() | set(threads.names(home))
    found = [(thread_id, *fault) for thread_id in sorted(known) for fault in _faults(home, thread_id, meant)]
    if not any(lacking for _, _, _, lacking in found):
        return [entry[:3] for entry in found]
    # A send the disk refused takes its line back.
    sent = survey.read_outbox(home)[0]
    return [entry[:3] for entry in found if not entry[3] or entry[3] & sent.keys()]


def _faults(home: str, thread_id: str, meant: dict[str, set[str]]) -> Iterator[tuple[str, str, set[str]]]:
    """Code, words and the lacking messages of a thread, if something is wrong with it."""
    wanted = meant.get(thread_id, set())
    try:
        entries = _entries(home, thread_id)
        lacking = wanted - set(entries)
        if lacking:
            # In this order: who is not in the spool any more has entered its message.
            lacking -= survey.spooled(home)
            entries = _entries(home, thread_id)
            lacking -= set(entries)
    except files.BadFile as error:
        yield "bad-thread", f"cannot be read: {error.why}", set()
        return
    if lacking:
        words = f"lacks {counted(len(lacking), 'message')} of the outbox, the newest {max(lacking)}"
        yield "thread-lacks-message", words, lacking
    double = [entry for entry in wanted if entries.count(entry) > 1] if len(set(entries)) < len(entries) else []
    if double:
        yield "thread-doubles-message", f"shows {counted(len(double), 'message')} more than once", set()


def _entries(home: str, thread_id: str) -> list[str]:
    thread = threads.load(home, thread_id)
    return [entry["id"] for entry in thread["messages"]] if thread else []


def repair_threads(home: str, mail: survey.Survey) -> Iterator[str]:
    """Write each of them anew from the outbox; entries that only the thread knows are kept."""
    for thread_id, code, _ in _bad_threads(home, mail):
        if done(threads.rebuild, home, thread_id):
            aside = f"; what was there is in threads/{layout.QUARANTINE}" if code == "bad-thread" else ""
            yield f"{thread_id} was written anew from the outbox{aside}."


def blob_damaged(home: str, mail: survey.Survey) -> Iterator[Finding]:
    """An attachment of a message in some inbox or archive is gone or has other bytes than were sent."""
    for sha256, (attachment, message_id) in mail.used.items():
        state = attachments.state(home, attachment)
        if state != "ok":
            what = f"The attachment {attachment['name'][:100]!r} of {message_id} is {state}."
            ask = "--field question='Please attach it again'"
            fix = f"As its recipient, ask for it: ato reply {message_id} question {ask}"
            yield finding(f"blob-{state}", "error", layout.attachment(home, sha256), what, fix)


def blob_unused(home: str, mail: survey.Survey) -> Iterator[Finding]:
    """Blobs that belong to no message: a send that was taken back may leave one."""
    if mail.spooled:  # one of these may be about to name it
        return
    unused = [name for name in mail.blobs if name not in mail.used and name not in mail.logged and _is_sum(name)]
    if unused:
        folder = os.path.join(home, "attachments")
        what = f"{counted(len(unused), 'file')} in {folder} that no message refers to, the first: {unused[0]}."
        fix = f"If you need the room: cd {quoted(folder)} && rm {' '.join(unused[:20])}"
        yield finding("blob-unused", "note", os.path.join(folder, unused[0]), what, fix)


def _is_sum(name: str) -> bool:
    return len(name) == 64 and not name.strip("0123456789abcdef")


def clock_behind(home: str, mail: survey.Survey) -> Iterator[Finding]:
    """The clock is behind the newest message: what is sent now sorts before it."""
    for message_id in sorted(mail.sent, reverse=True):
        sent = _seconds(message_id)
        if sent is not None:
            behind = sent - time.time()
            if behind > CLOCK:
                now, span = show.timestamp(), show.duration(behind)
                what = f"The clock ({now}) is {span} behind the newest message, {message_id}."
                fix = "Set the clock: sudo timedatectl set-ntp true (if it is right, it was wrong when that was sent)"
                yield finding("clock-behind", "warning", layout.outbox(home, ids.day_of(message_id)), what, fix)
            return


def _seconds(message_id: str) -> Optional[float]:
    """The time a message id was made; None for digits that are no time."""
    day, clock = ids.day_of(message_id), message_id[13:19]
    return show.seconds_of(f"{day}T{clock[:2]}:{clock[2:4]}:{clock[4:]}Z")


CHECKS = (bad_log,)
MAIL_CHECKS = (bad_line, not_logged, in_no_inbox, bad_thread, blob_damaged, blob_unused, clock_behind)
