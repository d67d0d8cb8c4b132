"""send --batch -: one message a line on stdin, one result a line on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import BinaryIO

from ..bus import FIELDS, Bus
from ..mail.delivery import Outgoing
from ..protocol import strictjson
from ..protocol.errors import BusError, CannotWrite, InvalidMessage
from . import output

_MOST = 32  # messages with one commit: with a draft and two copies each they have 128 files open, of 256 on macOS


def send(bus: Bus, dry_run: bool, allow_secret: bool) -> int:
    """Send one message a line; a bad line is reported and the rest goes on. The first error's status is returned.

    Lines that have arrived together are sent together, which is many times as fast; a line that nothing follows is
    not kept waiting, so a program may wait for each result.
    """
    status, number = 0, 0
    for lines in _groups(sys.stdin.buffer) if sys.stdin else ():  # closed, it is as good as empty
        made = [_made(bus, line, allow_secret) for line in lines]
        letters = [one for one in made if isinstance(one, Outgoing)]
        posted = iter([{**one.message, "dry_run": True} for one in letters] if dry_run else bus.post(letters))
        try:
            for one in made:
                number += 1
                result = next(posted) if isinstance(one, Outgoing) else one
                if isinstance(result, BusError):
                    status = status or result.status
                    output.emit({"line": number, **result.document()})
                elif result is not None:
                    output.emit(result)
            output.flush()
        except CannotWrite as error:
            # Nobody would learn of the rest; what is sent so far is in the outbox.
            raise BusError(f"{error.message} after line {number}", "See what was sent: ato thread") from None
    return status


def _groups(source: BinaryIO) -> Iterator[list[bytes]]:
    """The lines of a stream, as many together as have arrived, but no more than one commit takes."""
    pieces: list[bytes] = []  # of a line that has not ended
    while data := source.read1(65_536):  # type: ignore[attr-defined]  # the buffer of stdin has it
        pieces.append(data)
        if b"\n" in data:
            *lines, rest = b"".join(pieces).split(b"\n")
            pieces = [rest]
            for start in range(0, len(lines), _MOST):
                yield lines[start : start + _MOST]
    yield [b"".join(pieces)]


def _made(bus: Bus, line: bytes, allow_secret: bool) -> Outgoing | BusError | None:
    """The message a line describes, or what is wrong with it; None for an empty line."""
    try:
        return _prepare(bus, line, allow_secret) if line.strip() else None
    except BusError as error:
        return error


def _prepare(bus: Bus, line: bytes, allow_secret: bool) -> Outgoing:
    try:
        document = strictjson.parse(line)
    except strictjson.BadJSON as error:
        raise InvalidMessage(f"no JSON: {error.message}", "Give one object a line.") from None
    if not isinstance(document, dict):
        raise InvalidMessage("no JSON object", 'Give {"to":…, "intent":…, "payload":{…}} a line.')
    missing = [name for name in ("to", "intent", "payload") if name not in document]
    if missing:
        raise InvalidMessage(f'"{missing[0]}" is missing', "A line needs to, intent and payload.")
    if document.get("from", bus.agent) != bus.agent:
        raise InvalidMessage(f'"from" is not {bus.agent}', f"Leave it out: you are {bus.agent}.")
    unknown = sorted(document.keys() - {"to", "to_slug", "from", "intent", "payload", *FIELDS})
    if unknown:
        raise InvalidMessage(
            f'"{unknown[0][:80]}" cannot be set in a batch', "The bus sets id, version, ts and delivery."
        )
    to, intent, payload = document["to"], document["intent"], document["payload"]
    if not (isinstance(to, str) and isinstance(intent, str) and isinstance(payload, dict)):
        raise InvalidMessage("to and intent must be texts and payload an object", "See schemas/message.schema.json.")
    slug = document.get("to_slug")
    if slug is not None:
        if not isinstance(slug, str) or "/" in to:
            raise InvalidMessage("to_slug must be a text, beside a bare to", 'Or give both as "to": "agent/slug".')
        to = f"{to}/{slug}"
    fields = {name: document[name] for name in FIELDS if name in document}
    return bus.prepare(to, intent, payload, allow_secret=allow_secret, **fields)
