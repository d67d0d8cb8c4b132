"""Notices that letters came or went, through apprise, to the targets a person has named in `notify.json`.

    {"fetched": ["slack://…"], "pushed": ["mailto://…"], "targets": ["those of both"]}

It lies beside the keys, since a target holds a password. A notice says who and how many, never what. None of it can
stop a sync: whatever goes wrong is a warning.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..protocol import agentmap, strictjson
from ..storage import files
from . import me

if TYPE_CHECKING:
    from queue import SimpleQueue

    Answers = SimpleQueue[tuple[int, str]]

FILE = "notify.json"
EVENTS = ("fetched", "pushed")
_BOTH = "targets"
_MOST = 65_536  # bytes of the file
_PEOPLE = 10  # of a notice; the others are counted
_MISSING = "no notice was sent: apprise is missing: pip install 'agent-team-os[notify]'"


def tell(environ: Mapping[str, str], event: str, counts: Mapping[str, int], seconds: float = 5.0) -> list[str]:
    """Send one notice of an event (`fetched` or `pushed`) to each of its targets; returns warnings, never raises.

    `counts` says how many letters each address sent, or was sent. All targets together may take so many seconds; one
    that has not answered by then is left to a thread that ends with the process. No warning holds more of a target
    than its scheme.
    """
    try:
        path = os.path.join(me.folder(environ), FILE)
        if not os.path.lexists(path):
            return []
        return _tell(path, event, {address: count for address, count in counts.items() if count > 0}, seconds)
    except Exception as error:  # whatever a library may do; its words may hold a target
        return [f"no notice was sent: {type(error).__name__}"]


def _tell(path: str, event: str, counts: Mapping[str, int], seconds: float) -> list[str]:
    where = agentmap.short(path)
    try:
        targets = _targets(path, event)
    except ValueError as error:
        return [f"no notice was sent: {where} {error}"]
    if not targets or not counts:
        return []
    faults = _send(targets, *_words(event, counts), seconds)
    named = [fault and f"the target {_name(target)} in {where} {fault}" for target, fault in zip(targets, faults)]
    return [_MISSING] if _MISSING in faults else [one for one in dict.fromkeys(named) if one]


def _targets(path: str, event: str) -> list[str]:
    """The targets of an event, each once; ValueError, in words that go on from the path, if the file is no good."""
    try:
        if os.path.islink(os.path.dirname(path)):
            raise files.BadFile("in a folder that is a symbolic link")
        mode = stat.S_IMODE(os.lstat(path).st_mode)
        document = strictjson.parse(files.read(path, _MOST))
    except (files.BadFile, OSError) as error:
        why = error.why if isinstance(error, files.BadFile) else str(error.strerror).lower()
        raise ValueError(f"cannot be used: {why}") from None
    except strictjson.BadJSON as error:
        where = f", line {error.line}, column {error.column}" if error.line else ""
        raise ValueError(f"is no JSON{where}") from None
    if mode & 0o077:
        raise ValueError(f'can be opened by other users of this machine (mode {mode:04o}). Do: chmod 600 "{path}"')
    lists = document.values() if isinstance(document, dict) else [None]
    if not all(isinstance(one, list) and all(isinstance(target, str) for target in one) for one in lists):
        raise ValueError('must look like {"fetched": ["mailto://…"], "pushed": ["slack://…"]}')
    if not {*EVENTS, _BOTH}.issuperset(document):
        raise ValueError(f"may hold nothing but the lists {', '.join(EVENTS)} and {_BOTH}")
    return list(dict.fromkeys(document.get(event, []) + document.get(_BOTH, [])))


def _words(event: str, counts: Mapping[str, int]) -> tuple[str, str]:
    """The title and the text of a notice."""
    total, shown = sum(counts.values()), list(counts.items())[:_PEOPLE]
    rest = total - sum(count for _, count in shown)
    lines = []
    for address, count in shown:
        who = re.sub(r"[^\w.@%+-]", "_", address)[:254]  # no markup, no link, no line of their own
        lines.append(f"Sent {_messages(count)} to {who}" if event == "pushed" else f"{_new(count)} from {who}.")
    if rest:
        lines.append(f"And {rest} more, {'to' if event == 'pushed' else 'from'} {len(counts) - _PEOPLE} others.")
    if event == "pushed":
        return f"Sent {_messages(total)}", "\n".join(lines)
    return _new(total), "\n".join(lines) + f" Read {'it' if total == 1 else 'them'}: agentops msg read"


def _messages(count: int, kind: str = "") -> str:
    return f"{count} {kind}message{'' if count == 1 else 's'}"


def _new(count: int) -> str:
    return _messages(count, "new ")


def _send(targets: list[str], title: str, text: str, seconds: float) -> list[str]:
    """Send to all targets at once; returns of each what went wrong, or nothing.

    Threads of our own: those of apprise's pool would hold up the end of the process for as long as a target hangs.
    """
    import queue
    import threading
    import warnings

    end = time.monotonic() + seconds
    answers: Answers = queue.SimpleQueue()
    faults = [f"did not answer within {seconds:g} s"] * len(targets)
    with warnings.catch_warnings():  # which libraries print
        warnings.simplefilter("ignore")
        threading.Thread(target=_begin, args=(targets, title, text, seconds, answers), daemon=True).start()
        try:
            for _ in targets:
                number, fault = answers.get(timeout=max(0.0, end - time.monotonic()))
                faults[number] = fault
        except queue.Empty:
            pass
    return faults


def _begin(targets: list[str], title: str, text: str, seconds: float, answers: Answers) -> None:
    """Import apprise, and start one thread for each target; each puts its number and what went wrong, if anything."""
    import threading

    try:
        _silence()
        import apprise

        asset = apprise.AppriseAsset(
            app_id="Agent Team OS", app_desc="Agent Team OS", image_url_mask="", image_url_logo="",
            async_mode=False, service_timeout=0,
        )  # fmt: skip
    except Exception as error:
        fault = _MISSING if isinstance(error, ImportError) else f"was not tried: apprise fails, {type(error).__name__}"
        for number in range(len(targets)):
            answers.put((number, fault))
        return
    for number, target in enumerate(targets):
        try:
            # One by one: the first loads all plugins, and a second would not wait for that.
            service = apprise.Apprise.instantiate(target, asset=asset)
        except Exception:
            service = None
        if service is None:
            answers.put((number, "is none that apprise knows. See: https://appriseit.com"))
            continue
        # So that a thread that was given up ends soon, but not before it was.
        service.socket_connect_timeout = service.socket_read_timeout = seconds + 1
        one = apprise.Apprise(service, asset=asset)
        threading.Thread(target=_notify, args=(number, one, title, text, answers), daemon=True).start()


def _notify(number: int, one: Any, title: str, text: str, answers: Answers) -> None:
    try:
        taken = one.notify(title=title, body=text, body_format="text")
        answers.put((number, "" if taken else "is away, or did not take the notice"))
    except Exception as error:
        answers.put((number, f"failed: {type(error).__name__}"))


def _silence() -> None:
    """Nothing that libraries log is printed or kept: it holds the targets."""
    import logging

    for name in ("apprise", "urllib3"):
        logging.getLogger(name).propagate = False
    for name in ("apprise", "urllib3", ""):  # without a handler Python itself would print
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _name(target: str) -> str:
    """A target without its secrets: its scheme, and nothing where none can be told."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]{0,19})://", target)
    return f"{found[1].lower()}:" if found else "without a scheme"
