"""Inboxes: what is pending, what was read, and how a message goes from one to the other."""

from __future__ import annotations

import os

from ..protocol import home as layout
from ..protocol import ids
from ..protocol import message as messages
from ..protocol.errors import LockBusy, UnknownMessage
from ..storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Optional

    from ..protocol.documents import Message

    Letter = tuple[Message, str]  # a pending message and the path of its file

_PATIENCE = 0.2  # seconds to wait before a bad file is left to the next reader: no mail waits for it
PER_HOOK = 200  # bad files, or leftovers of killed commands, that one hook deals with: each takes several writes
YOUNG = 5.0  # seconds during which a file that ends early may still be being written


class Aside:
    """How many bad files may still be set aside, and the paths of those that were left to others."""

    def __init__(self, most: float = float("inf")) -> None:
        self.left = most
        self.beyond: list[str] = []


def slugs(home: str, agent: str) -> list[str]:
    """The sessions of an agent that have a box of their own."""
    return sorted(
        name[1:] for name in files.names(layout.box(home, agent)) if name[:1] == "@" and ids.is_agent(name[1:])
    )


def boxes(home: str, agent: str) -> list[str]:
    """The folders in which an agent's mail can be: the agent's own and one for each session."""
    return _no_links([layout.box(home, agent), *(layout.box(home, agent, slug) for slug in slugs(home, agent))])


def seen_by(home: str, agent: str, slug: Optional[str]) -> list[str]:
    """The folders whose mail one session sees; without a slug, the agent's own alone."""
    return _no_links([layout.box(home, agent), *([layout.box(home, agent, slug)] if slug else [])])


def _no_links(folders: list[str]) -> list[str]:
    """The agent's own box and those of sessions in it, but for links in their places, which lead to nobody's mail."""
    if os.path.islink(folders[0]):
        return []
    return [folder for folder in folders if not os.path.islink(folder)]


def make_box(home: str, agent: str, slug: Optional[str]) -> str:
    """Make the folder a message goes into, and return it; NotADirectoryError where there is something else."""
    files.make_folder(layout.box(home, agent))
    box = layout.box(home, agent, slug)
    files.make_folder(box)
    return box


def names(box: str) -> list[str]:
    """The file names of pending messages in a box; everything else in it is foreign and left alone."""
    return [name for name in files.names(box) if ids.MESSAGE_FILE.fullmatch(name)]


def listing(home: str, agent: str, folders: list[str], aside: Aside) -> list[Letter]:
    """The pending messages, urgent first and oldest first among equals. What is no message is set aside."""
    letters = []
    for folder in folders:
        for name in names(folder):
            path = f"{folder}/{name}"
            message = load(home, agent, path, aside)
            if message is not None:
                letters.append((message, path))
    letters.sort(key=lambda letter: (messages.rank(letter[0]), letter[0]["id"]))
    return letters


def load(home: str, agent: str, path: str, aside: Optional[Aside] = None) -> Optional[Message]:
    """The message in a file; None if it is gone, still being written, or invalid, which sets a pending one aside.

    It stays where it is if `aside` has set aside enough.
    """
    name = os.path.basename(path)[:-5]
    try:
        return messages.parse(files.read(path, messages.MAX_MESSAGE), name, agent)
    except FileNotFoundError:
        return None
    except messages.NotAMessage as error:
        if error.early and abs(files.age(path)) < YOUNG:
            return None
        why = str(error)
    except files.BadFile as error:
        why = error.why
    if is_pending(path):
        aside = aside or Aside()
        if aside.left > 0:
            aside.left -= 1
            # Where the disk cannot be written the file stays, and the mail beside it is shown all the same.
            try:
                _set_aside(home, path, why)
            except (OSError, LockBusy):
                aside.left = 0  # the next one would fail, or wait, as long
        else:
            aside.beyond.append(path)
    return None


def archived(home: str, agent: str, message_id: str) -> Optional[str]:
    """The path of a message among those that were read or set aside; None if it is not there."""
    for box in boxes(home, agent):
        for folder in layout.ARCHIVES:
            path = os.path.join(box, folder, message_id + ".json")
            if os.path.lexists(path):
                return path
    return None


def find(home: str, agent: str, message_id: str) -> Optional[str]:
    """The path of a message in any box of an agent.

    Pending is looked at first and the archives after: messages only move that way, so one that a reader
    moves between the two looks is found in one of them.
    """
    for box in boxes(home, agent):
        path = os.path.join(box, message_id + ".json")
        if os.path.lexists(path):
            return path
    return archived(home, agent, message_id)


def is_pending(path: str) -> bool:
    """True for a path in a box itself, False for one in an archive."""
    return os.path.basename(os.path.dirname(path)) not in layout.ARCHIVES


def candidates(home: str, agent: str, given: str, aside: bool = False) -> list[str]:
    """The ids in any box or archive of an agent that answer to what was given, pending ones alone if there are.

    With `aside` also those in quarantine.
    """
    every, archives = boxes(home, agent), layout.ARCHIVES if aside else (layout.READ, layout.DONE)
    # An archive may hold anything: a whole id is asked for, and what is pending leaves it unopened.
    if ids.is_message(given) and any(
        os.path.lexists(os.path.join(box, folder, given + ".json")) for box in every for folder in ("", *archives)
    ):
        return [given]
    for folders in (every, [os.path.join(box, folder) for box in every for folder in archives]):
        found = {
            name[:-5]
            for folder in folders
            for name in files.names(folder)
            if given in name and ids.MESSAGE_FILE.fullmatch(name) and ids.matches(name[:-5], given)
        }
        if found:
            return sorted(found)
    return []


def look_up(home: str, agent: str, given: str) -> Letter:
    """The one message of an agent that answers to what was given; UnknownMessage for none, or for several."""
    found = candidates(home, agent, given)
    if len(found) > 1:
        raise UnknownMessage(f'"{given[:80]}" fits {len(found)} messages: {", ".join(found[:5])}', "Give more of it.")
    if not found:
        like = near(home, agent, given)
        hint = f". Did you mean {like}?" if like else ""
        raise UnknownMessage(f'{agent} has no message "{given[:80]}"{hint}', "See: ato inbox --all")
    path = find(home, agent, found[0])
    message = load(home, agent, path) if path else None
    if path is None or message is None:
        raise UnknownMessage(f"{found[0]} cannot be read; it was set aside or is gone", f"See: ato trace {found[0]}")
    return message, path


def near(home: str, agent: str, given: str) -> Optional[str]:
    """The pending id that looks most like what was given; None if none does."""
    import difflib

    known = {name[:-5] for box in boxes(home, agent) for name in names(box)}
    ends = {message_id.rpartition("-")[2]: message_id for message_id in known}
    found = difflib.get_close_matches(given[:80], [*known, *ends], 1, 0.7)
    return ends.get(found[0], found[0]) if found else None


def _set_aside(home: str, path: str, why: str) -> None:
    from ..storage import quarantine  # with the locks it is the larger half of what listing an inbox would load

    quarantine.set_aside(home, path, why, _PATIENCE)


def claim(home: str, message_id: str, wait: Optional[float] = None) -> AbstractContextManager[None]:
    """Hold the right to read one message: among our readers one shows and archives it, the others wait.

    LockBusy after `wait` seconds, or after those of every lock.
    """
    from ..storage import lock

    return lock.guard(home, "@read-" + lock.bucket(message_id), lock.WAIT if wait is None else wait)


def archive(home: str, path: str) -> bool:
    """Move a claimed message into `.read/`; False if a reader of another program was faster.

    A second file with an id that was archived before is dropped when it is the same message, and set aside
    when it is not: an archived message is never overwritten.
    """
    folder = os.path.join(os.path.dirname(path), layout.READ)
    target = os.path.join(folder, os.path.basename(path))
    files.make_folder(folder)
    try:
        files.move(path, target)
    except FileNotFoundError:
        return False
    except FileExistsError:
        if files.same_bytes(path, target, messages.MAX_MESSAGE):
            files.remove(path)
        else:
            _set_aside(home, path, "another message with this id was read before")
    return True


def can_archive(path: str) -> bool:
    """Whether archiving could work at all: not on a disk that is mounted read-only, nor into what is no folder."""
    folder = os.path.dirname(path)
    read = os.path.join(folder, layout.READ)
    there = os.path.lexists(read)
    return os.access(folder, os.W_OK) and (not there or (os.path.isdir(read) and os.access(read, os.W_OK)))
