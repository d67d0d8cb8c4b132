"""Letters: sends that were killed, files that are no message, mail that lies where it should not, and what waits."""

from __future__ import annotations

import os

from ...protocol import home as layout
from ...protocol import ids, show, strictjson
from ...storage import files, quarantine, spool
from .. import copies, delivery, inbox, outbox
from . import place, survey
from .finding import REPAIR, done, finding, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Optional

    from ...protocol.documents import Finding

_MAX_NOTE = 65_536
_MAX_CHANGE = 2_097_152


def spool_left(home: str) -> Iterator[Finding]:
    """A killed command left a send half done; the next command finishes it or takes it back."""
    for path, sent in _left(home):
        state = "was sent and is not yet delivered" if sent else "was never sent and will be taken back"
        what = f"A killed command left {os.path.basename(path)[:-5]} in the spool: it {state}."
        yield finding("spool-left", "warning", path, what, REPAIR)


def _left(home: str) -> Iterator[tuple[str, bool]]:
    """Path of each spool file of a dead sender, and whether its message was sent."""
    for message_id in sorted(survey.spooled(home)):
        path = os.path.join(layout.spool(home), message_id + ".json")
        sent = _fate(home, path, message_id)
        if sent is not None:
            yield path, sent


def _fate(home: str, path: str, message_id: str) -> Optional[bool]:
    """Whether what a spool file holds was sent; None while somebody holds the file, or is about to.

    An empty young one is a sender's that has not locked it yet. A copy was sent when its original was.
    """
    try:
        entry = spool.seize(path)
    except OSError:  # a disk that is mounted read-only does not let us ask
        return None
    if entry is None:
        return None
    try:
        if os.fstat(entry.fd).st_size == 0 and files.age(path) <= inbox.YOUNG:
            return None
        return outbox.find(home, message_id) is not None or copies.with_original(home, entry) is not None
    finally:
        entry.close()


def blob_left(home: str) -> Iterator[Finding]:
    """A killed command left a piece of an attachment; the next command removes it."""
    for name in sorted(files.names(layout.spool(home))):
        path = os.path.join(layout.spool(home), name)
        owner = path.removesuffix(spool.BLOB) + ".json"
        # The blob after its owner: a sender that finishes removes them in the other order.
        if name.endswith(spool.BLOB) and not os.path.lexists(owner) and os.path.lexists(path):
            what = f"A killed command left a piece of an attachment, {path}."
            yield finding("spool-left", "note", path, what, REPAIR)


def repair_spool(home: str) -> Iterator[str]:
    """Finish or take back what killed commands left, as every command does."""
    left = list(_left(home))
    blobs = [found["path"] for found in blob_left(home)]
    delivery.recover(home)
    for path, sent in left:
        if not os.path.lexists(path):
            state = "was sent and is delivered now" if sent else "was never sent and is taken back"
            yield f"The message {os.path.basename(path)[:-5]} of a killed command {state}."
    for path in blobs:
        if not os.path.lexists(path):
            yield f"{path}, a piece of an attachment, is gone; a killed command had left it."


def bad_message(home: str, mail: survey.Survey) -> Iterator[Finding]:
    """A pending file that is no valid message, or cannot be read: no reader will show it."""
    for path, (agent, why) in mail.broken.items():
        if inbox.is_pending(path):
            what = f"{path} in the inbox of {agent} is no message: {why}. The repair sets it aside."
            yield finding("bad-message", "error", path, what, REPAIR)


def repair_bad_messages(home: str, mail: survey.Survey) -> Iterator[str]:
    """Set aside what is no message, as a reader would."""
    for path, (agent, why) in mail.broken.items():
        if inbox.is_pending(path) and done(inbox.load, home, agent, path) and not os.path.lexists(path):
            yield f"{path} was set aside in {layout.QUARANTINE} beside it: {why}."


def bad_archived(home: str, mail: survey.Survey) -> Iterator[Finding]:
    """A message that was read before and cannot be read any more."""
    for path, (agent, why) in mail.broken.items():
        if not inbox.is_pending(path):
            message_id = os.path.basename(path)[:-5]
            what = f"The archived message {message_id} of {agent} cannot be read any more: {why}."
            fix = f"See what was sent: grep -h {message_id} {quoted(layout.outbox(home, ids.day_of(message_id)))}"
            yield finding("bad-archived", "error", path, what, fix)


def quarantined(home: str) -> Iterator[Finding]:
    """A file that was set aside, with the reason: somebody may be waiting for an answer to it."""
    for agent in survey.agents(home):
        for box in inbox.boxes(home, agent):
            for name in quarantine.held(box):
                path = os.path.join(box, layout.QUARANTINE, name)
                note = path + ".why.json"
                what = f"{path} for {agent} was set aside: {_reason(note)}."
                fix = f"Look at it, have it sent again if it matters, then: rm -r {quoted(path)} {quoted(note)}"
                yield finding("quarantined", "warning", path, what, fix)


def _reason(note: str) -> str:
    try:
        document = strictjson.parse(files.read(note, _MAX_NOTE))
        why = document["why"] if isinstance(document, dict) else None
    except (FileNotFoundError, files.BadFile, strictjson.BadJSON, KeyError):
        why = None
    return why[:300].rstrip(".") if isinstance(why, str) else "no note says why"


def delivered_twice(home: str, mail: survey.Survey) -> Iterator[Finding]:
    """A message that is pending and was read before."""
    for agent, path, old in _twice(mail):
        what = f"{os.path.basename(path)[:-5]} is pending for {agent} and was read before ({old})."
        yield finding("delivered-twice", "warning", path, what, REPAIR)


def _twice(mail: survey.Survey) -> Iterator[tuple[str, str, str]]:
    """Whose it is, where it is pending, where it is archived."""
    for (agent, _), paths in mail.held.items():
        pending = [path for path in paths if inbox.is_pending(path)]
        archived = [path for path in paths if not inbox.is_pending(path) and not survey.in_quarantine(path)]
        # Still there although the archive was listed after it: not one that a reader moved between the looks.
        if pending and archived and os.path.lexists(pending[0]):
            yield agent, pending[0], archived[0]


def repair_twice(home: str, mail: survey.Survey) -> Iterator[str]:
    """Archive the second copy; where it says something else it is set aside."""
    for agent, path, _ in list(_twice(mail)):
        message_id = os.path.basename(path)[:-5]

        def archive(path: str = path, message_id: str = message_id) -> None:
            with inbox.claim(home, message_id):
                inbox.archive(home, path)

        if done(archive) and not os.path.lexists(path):
            yield f"{message_id} is not pending for {agent} any more: it was read before."


def task_change(home: str) -> Iterator[Finding]:
    """What a message means for a task and no task manager has taken; a file that is no such change is never taken."""
    for name in sorted(files.names(os.path.join(home, "tasks", "changes"))):
        path = os.path.join(home, "tasks", "changes", name)
        age = files.age(path)
        if not _is_change(path, name) and not (name[0] == "." and name.endswith(".tmp")) and os.path.lexists(path):
            what = f"{path} is no change of a task, and no task manager will be given it."
            yield finding("task-change", "warning", path, what, f"Look, then move it away: ls -la {quoted(path)}")
        elif name[0] != "." and age > place.OLD:
            what = f"What {name[:-5]} means for its task has waited for the task manager for {show.duration(age)}."
            yield finding("task-change", "warning", path, what, "See what keeps it from being taken: ato tasks list")


def _is_change(path: str, name: str) -> bool:
    """Whether a file has the name and the shape of a change."""
    try:
        change = strictjson.parse(files.read(path, _MAX_CHANGE)) if ids.MESSAGE_FILE.fullmatch(name) else None
    except (FileNotFoundError, files.BadFile, strictjson.BadJSON):
        return False
    return isinstance(change, dict) and change.get("message_id") == name[:-5] and ids.is_agent(change.get("agent"))


CHECKS = (spool_left, blob_left, quarantined, task_change)
MAIL_CHECKS = (bad_message, bad_archived, delivered_twice)
