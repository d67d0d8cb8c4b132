"""One look at all the mail, in an order that shows no contradiction while others send and read.

A sender makes its spool file, then stores attachments, then writes the outbox line, then links the message
into the inbox, then enters it into the thread, then drops the spool file. A reader moves a message from
pending to an archive. So what must be there first is looked at last: inboxes, then blobs, then the spool,
then the outbox. Whoever finds something missing the other way round asks the spool, then looks once more.
"""

from __future__ import annotations

import os
import re
import stat

from ...protocol import home as layout
from ...protocol import ids
from ...protocol import message as messages
from ...storage import files, journal
from .. import inbox, outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NamedTuple

    from ...protocol.documents import Attachment

    class Survey(NamedTuple):
        """What lies where."""

        held: dict[tuple[str, str], list[str]]  # agent and id: the paths in its boxes, pending ones first
        broken: dict[str, tuple[str, str]]  # path of a file that is no message: whose it is, and why it is none
        used: dict[str, tuple[Attachment, str]]  # sum: an attachment of a held message, and the message's id
        blobs: list[str]  # the names in attachments/
        spooled: set[str]  # ids of the sends in flight, or left over
        sent: dict[str, tuple[str, str]]  # id: recipient and thread
        logged: set[str]  # sums that the outbox names
        faults: dict[str, dict[int, str]]  # outbox file: what is wrong with which line

else:
    from collections import namedtuple

    Survey = namedtuple("Survey", "held broken used blobs spooled sent logged faults")

# A second file of one name gets a number in the quarantine.
_FILE = re.compile(rf"({ids.MESSAGE.pattern})\.json(\.[0-9]+)?")


def take(home: str) -> Survey:
    """Look at everything once. OSError where a folder or a file of the outbox cannot be read."""
    broken: dict[str, tuple[str, str]] = {}
    used: dict[str, tuple[Attachment, str]] = {}
    held = places(home)
    for (agent, message_id), paths in held.items():
        for path in paths:
            _open(agent, message_id, path, broken, used)
    blobs = sorted(files.names(os.path.join(home, "attachments")))
    in_flight = spooled(home)
    return Survey(held, broken, used, blobs, in_flight, *read_outbox(home))


def agents(home: str) -> list[str]:
    """The names that have an inbox folder."""
    return sorted(name for name in files.names(os.path.join(home, "inboxes")) if ids.is_agent(name))


def places(home: str) -> dict[tuple[str, str], list[str]]:
    """Where each message lies. Pending is listed before the archives: a message only moves that way."""
    found: dict[tuple[str, str], list[str]] = {}
    for agent in agents(home):
        for box in inbox.boxes(home, agent):
            for folder in (box, *(os.path.join(box, name) for name in layout.ARCHIVES)):
                for name in sorted(files.names(folder)):
                    file = _FILE.fullmatch(name)
                    if file and (not file[2] or os.path.basename(folder) == layout.QUARANTINE):
                        found.setdefault((agent, file[1]), []).append(os.path.join(folder, name))
    return found


def _open(
    agent: str,
    message_id: str,
    path: str,
    broken: dict[str, tuple[str, str]],
    used: dict[str, tuple[Attachment, str]],
) -> None:
    """Read a message that is not set aside; one that is still being written is passed over, as readers do."""
    if in_quarantine(path):
        return
    try:
        message = messages.parse(files.read(path, messages.MAX_MESSAGE), message_id, agent)
    except FileNotFoundError:  # moved on since it was listed
        pass
    except messages.NotAMessage as error:
        if not (error.early and abs(files.age(path)) < inbox.YOUNG):
            broken[path] = agent, str(error)
    except files.BadFile as error:
        broken[path] = agent, error.why
    else:
        for attachment in message.get("attachments", ()):
            used.setdefault(attachment["sha256"], (attachment, message_id))


def in_quarantine(path: str) -> bool:
    """True for a path among what was set aside."""
    return os.path.basename(os.path.dirname(path)) == layout.QUARANTINE


def spooled(home: str) -> set[str]:
    """The ids of all sends that have not finished, alive or left over."""
    return {name[:-5] for name in files.names(layout.spool(home)) if ids.MESSAGE_FILE.fullmatch(name)}


def read_outbox(home: str) -> tuple[dict[str, tuple[str, str]], set[str], dict[str, dict[int, str]]]:
    """Every message sent, the sums of its attachments, and the lines that are no message."""
    sent: dict[str, tuple[str, str]] = {}
    logged: set[str] = set()
    faults = {}
    for path in logs(home):
        wrong = read_log(path, sent, logged) if regular(path) else {}
        if wrong:
            faults[path] = wrong
    return sent, logged, faults


def logs(home: str) -> Iterator[str]:
    """The paths of the outbox, one a day."""
    return (layout.outbox(home, day) for day in outbox.days(home))


def regular(path: str) -> bool:
    """Whether it is a plain file; reading anything else could fail or never end."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def read_log(path: str, sent: dict[str, tuple[str, str]], logged: set[str]) -> dict[int, str]:
    """Enter the messages of one day and return the faults by line; an unterminated last line is none."""
    ended, last = _is_ended(path), 0
    wrong = {}
    for number, line in journal.lines(path):
        last = number
        try:
            message = messages.parse(line)
        except messages.NotAMessage as error:
            if line.strip():
                wrong[number] = str(error)
        else:
            sent[message["id"]] = message["to"], message["thread_id"]
            logged.update(attachment["sha256"] for attachment in message.get("attachments", ()))
    if not ended:
        wrong.pop(last, None)
    return wrong


def _is_ended(path: str) -> bool:
    """Whether the last line has its newline; asked before the lines are read."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        return file.read(1) in (b"\n", b"")
