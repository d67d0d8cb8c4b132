"""Messages and tasks: a request makes a task, and the answers move it on.

The message comes first. What it means for a task is written down durably before it is sent, as
`tasks/changes/<message id>.json`, and taken away when the task manager has it:

    change durable  ->  message sent  ->  task changed  ->  change gone
                        (only a new task is made before its message, which names it)

So a manager that is down, or a kill anywhere, delays a task and loses nothing. Changes are made in the order they were
kept; behind one that fails those of the same agent wait. A change whose message was never sent is dropped.

Any sender can name any task. So a task moves only if it was made for the message that names it: it then holds the
reference `ato://<message id>`, which this program alone puts there.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, NamedTuple

from ..bus import Bus
from ..mail import outbox, threads
from ..mail.delivery import Outgoing
from ..protocol import home as layout
from ..protocol import ids, show, strictjson
from ..protocol import message as messages
from ..protocol.documents import Message
from ..protocol.errors import BusError, CannotWrite, InvalidTask, LockBusy, UnknownTask
from ..storage import files, lock
from . import load, provider

_MOST = 2_097_152  # bytes of a change; it is no larger than its message
_PATIENCE = 60.0  # seconds that one command waits for another's manager, which may be far away
_PRIORITY: dict[str, provider.Priority] = dict(zip(messages.PRIORITIES, provider.PRIORITIES))
_PLAIN = re.compile(r"(?:ato://)?[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST = 500  # characters of a title and of a note
_LONGEST_ID = 255  # characters that a message has room for


class Change(NamedTuple):
    """What a message means for a task: a new one, or `changes` of the one that `task_id` names."""

    message_id: str
    agent: str  # in whose task manager
    task_id: str  # the manager's id, or a reference
    task: provider.NewTask | None = None
    changes: provider.Changes | None = None
    reference: str = ""  # which the task must hold to be changed
    number: int = 0  # its place among the kept ones; ids of two processes in one second say nothing of the order


class Outcome(NamedTuple):
    """What came of changes: sentences for the person, and the tools that only the model can call."""

    warnings: list[str]
    use_tool: list[dict[str, Any]]


def send(bus: Bus, one: Outgoing) -> dict[str, Any]:
    """Send a request with a new task for its recipient; returns what `Bus.send` does, with `task_id`.

    Where the manager is down, or only the model reaches it, the message goes out with a reference for `task_id`.
    """
    message = one.message
    bus.make()
    change = Change(message["id"], message["to"], reference(message), task=_new_task(message))
    with _alone(bus.home, change.agent, _PATIENCE):
        before = _make(bus, change.agent)
        _keep(bus.home, change)
        done = Outcome([], [])
        message["task_id"] = change.task_id  # unless its manager says another
        try:
            message["task_id"] = _create(bus, change)
        except provider.UseTool as use:
            done.use_tool.append({**vars(use)})
        except InvalidTask:  # no manager will ever take it
            _drop(bus.home, change.message_id)
            raise
        except Exception as error:  # whatever goes wrong in another package's provider loses no message
            done.warnings.append(_kept(error))
        try:
            result = bus.post_one(one)
        except BusError:
            _make(bus, change.agent)  # where it was not sent its task is closed again
            raise
        if not done.warnings:
            _drop(bus.home, change.message_id)
    return _with(result, before, done, message.get("task_id"))


def reply(bus: Bus, original: Message, one: Outgoing) -> dict[str, Any]:
    """Send an answer, and move the task of what it answers: accept starts it, response closes it, decline gives it
    back to who has asked, with the reason. Returns what `Bus.reply` does, with `task_id` where there is a task.
    """
    change = _meant(bus, original, one.message)
    if change is None:
        return bus.post_one(one)
    with _alone(bus.home, change.agent, _PATIENCE):
        _keep(bus.home, change)
        try:
            result = bus.post_one(one)
        except BusError:
            _make(bus, change.agent)  # nothing, where it was not sent
            raise
        done = _make(bus, change.agent)
    return _with(result, done, Outcome([], []), change.task_id)


def reference(message: Message) -> str:
    """How the task that was made for a message says so, and is found before the manager has given it an id."""
    return provider.REFERENCE + message["id"]


def retry(bus: Bus) -> Outcome:
    """Make the changes that are kept; those that somebody else is at just now are left to them."""
    done = Outcome([], [])
    with contextlib.suppress(OSError):  # the disk cannot be read or written now: a later command will
        for agent in sorted({change.agent for change in _waiting(bus.home)}):
            with contextlib.suppress(LockBusy), _alone(bus.home, agent, 0):
                more = _make(bus, agent)
                done.warnings.extend(more.warnings)
                done.use_tool.extend(more.use_tool)
    return done


def _meant(bus: Bus, original: Message, answer: Message) -> Change | None:
    """What an answer means for a task; None for one that means nothing."""
    asked = _asked(bus.home, original, answer)
    if asked is None:
        return None
    task_id = str(asked["task_id"])
    changes: provider.Changes
    if answer["type"] == "accept":
        changes = {"status": "doing"}
    elif answer["type"] in ("response", "confirm"):
        changes = {"status": "done"}
    elif answer["type"] == "decline":
        why = " ".join(messages.summary(answer).split())
        note = f"declined by {answer['from']}" + (f": {why}" if why else "")
        changes = {"status": "todo", "assignee": asked["from"], "note": _printable(note)}
    else:
        return None
    return Change(answer["id"], answer["from"], task_id, changes=changes, reference=reference(asked))


def _asked(home: str, original: Message, answer: Message) -> Message | None:
    """The message that brought the task an answer moves: the one answered, else the last one before it in its thread
    that went from who gets the answer to who gives it. So who has asked moves nothing by answering back.
    """
    between = answer["to"], answer["from"]
    if original.get("task_id"):
        return original if (original["from"], original["to"]) == between else None
    days: set[str] | None = None  # all of them, where the thread cannot be read
    with contextlib.suppress(files.BadFile):
        thread = threads.load(home, original["thread_id"])
        days = {ids.day_of(entry["id"]) for entry in thread["messages"]} if thread else set()
    found = None
    for one in outbox.mentioning(home, original["thread_id"], days):
        if one["id"] == original["id"]:
            break
        there = one["from"], one["to"], one["thread_id"]
        if one.get("task_id") and there == (*between, answer["thread_id"]):
            found = one
    return found


def _new_task(message: Message) -> provider.NewTask:
    return {
        "title": _printable(messages.summary(message)) or message["intent"],
        "assignee": message["to"],
        "priority": _PRIORITY[message.get("priority", "normal")],
        "due": message.get("response_by"),
        "refs": [uri for uri in message.get("context_refs", ()) if _is_reference(uri)],
        "thread_id": message["thread_id"],
    }


def _is_reference(uri: str) -> bool:
    """Whether a reference of a message is one a task may have: not one by which we find another task."""
    return uri.isprintable() and " " not in uri and not uri.startswith(provider.OURS)


def _printable(text: str) -> str:
    """A text as a title or a note may be: one line of what prints."""
    return "".join(char if char.isprintable() else " " for char in text).strip()[:_LONGEST]


def _make(bus: Bus, agent: str) -> Outcome:
    """Make the kept changes of an agent's tasks, up to the first that its manager does not take. The lock is held."""
    done = Outcome([], [])
    try:
        for change in _waiting(bus.home):
            if change.agent == agent:
                _settle(bus, change, done)
                _drop(bus.home, change.message_id)
    except Exception as error:  # see `send`
        done.warnings.append(_kept(error))
    return done


def _settle(bus: Bus, change: Change, done: Outcome) -> None:
    """Make a change, or undo that of a message that was not sent; raises where it has to be tried again."""
    try:
        message = outbox.find(bus.home, change.message_id)
        if message is None:
            _undo(bus, change)
        elif change.task is not None:
            _create(bus, change)
        else:
            _update(bus, change)
    except provider.UseTool as use:
        done.use_tool.append({**vars(use)})
    except (UnknownTask, InvalidTask) as error:  # nothing to wait for
        named = f"the task {change.task_id}" if is_plain(change.task_id) else "the task that the message names"
        why = f": {error.message}" if is_plain(change.task_id) else ""  # which may quote the name
        what = f"{named} was not changed{why}"
        done.warnings.append(show.one_line(what))


def is_plain(task_id: str) -> bool:
    """Whether an id looks like one and says nothing."""
    return _PLAIN.fullmatch(task_id) is not None


def _create(bus: Bus, change: Change) -> str:
    manager = load.provider_of(bus.home, bus.map, change.agent)
    assert change.task is not None
    made = load.ensure(manager, change.task, change.task_id, bus.home)["id"]
    return made if len(made) <= _LONGEST_ID else change.task_id


def _update(bus: Bus, change: Change) -> None:
    """Change the task a message names; UnknownTask for one that was not made for it."""
    manager = load.provider_of(bus.home, bus.map, change.agent)
    assert change.changes is not None
    task_id, changes = change.task_id, change.changes
    by_reference = task_id == change.reference
    try:
        if by_reference:
            there = manager.list({"ref": task_id})
            if not there:
                raise UnknownTask("the task manager has none with this reference", "")
            task_id = there[0]["id"]
        now = manager.get(task_id)
        if change.reference not in now["refs"]:
            raise UnknownTask("it was not made for the message that names it", "")
        if "note" in changes and changes["note"] in now.get("notes", ()):
            changes = {**changes}
            del changes["note"]  # who put it there was killed before taking the change away
    except provider.UseTool:  # only the model can look; it is told to, and of no task that a sender has chosen
        if not by_reference:
            raise UnknownTask("only the model can look whether it was made for the message that names it", "") from None
    try:
        manager.update(task_id, changes)
    except provider.UseTool as use:
        use.then = (
            f"Instead of {task_id} give the id of the task that has it among its references; if none has it, change "
            f"nothing. {use.then}"
        )
        raise


def _undo(bus: Bus, change: Change) -> None:
    """Close the task that was made for a message that was not sent."""
    if change.task is not None:
        with contextlib.suppress(provider.UseTool):
            manager = load.provider_of(bus.home, bus.map, change.agent)
            for task in manager.list({"ref": change.task_id}):
                if task["status"] != "done":
                    manager.update(task["id"], {"status": "done", "note": "its message was not sent"})


def _kept(error: Exception) -> str:
    why = getattr(error, "message", "") or getattr(error, "strerror", "") or f"{type(error).__name__}: {error}"
    what = f"the task manager did not take the change: {show.one_line(str(why), 400)}"
    return f"{what}. It is kept, and the next command about a task tries again"


def _with(result: dict[str, Any], one: Outcome, other: Outcome, task_id: str | None) -> dict[str, Any]:
    tools = [*one.use_tool, *other.use_tool]
    result["warnings"] += dict.fromkeys([*one.warnings, *other.warnings])  # one that is down says the same twice
    return {**result, "task_id": task_id, **({"use_tool": tools} if tools else {})}


# Changes on the disk


def _alone(home: str, agent: str, wait: float) -> contextlib.AbstractContextManager[None]:
    """Nobody else makes the changes of this agent's tasks, or sends a message that brings one."""
    return lock.guard(home, "@changes-" + lock.bucket(agent), wait)


def _keep(home: str, change: Change) -> None:
    path = layout.task_change(home, change.message_id)
    try:
        files.make_folder(os.path.dirname(path))
        last = max((other.number for other in _waiting(home)), default=0)
        number = min(last + 1, strictjson.MAX_INTEGER)
        files.replace(path, strictjson.readable(change._replace(number=number)._asdict()))
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}", "Nothing was sent. See: ato doctor") from None


def _drop(home: str, message_id: str) -> None:
    with contextlib.suppress(OSError):  # it is made again, which changes nothing
        files.remove(layout.task_change(home, message_id))


def _waiting(home: str) -> list[Change]:
    """The kept changes in the order kept; what is none is left where it is."""
    folder = os.path.join(home, "tasks", "changes")
    found = []
    for name in filter(ids.MESSAGE_FILE.fullmatch, files.names(folder)):
        with contextlib.suppress(FileNotFoundError, files.BadFile, strictjson.BadJSON, TypeError):
            change = Change(**strictjson.parse(files.read(os.path.join(folder, name), _MOST)))
            if change.message_id == name[:-5] and _is_change(change):
                found.append(change)
    return sorted(found, key=lambda change: change.number)


def _is_change(change: Any) -> bool:
    """Whether it has the shape `_keep` writes; anybody could have put a file there."""
    if not (ids.is_agent(change.agent) and isinstance(change.task_id, str) and isinstance(change.number, int)):
        return False
    if change.task is None:
        return isinstance(change.changes, dict) and isinstance(change.reference, str)
    # Another message's task is not closed when this one was never sent.
    of_itself = change.task_id == provider.REFERENCE + change.message_id
    return of_itself and isinstance(change.task, dict) and isinstance(change.task.get("refs"), list)
