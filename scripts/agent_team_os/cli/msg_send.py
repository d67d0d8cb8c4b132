"""msg send: a message is written to a person and kept; no network is waited for."""

from __future__ import annotations

import os
import sys

import click

from ..post import letter, me, notice, page, people, spool
from ..protocol import credentials
from ..protocol.errors import CannotWrite, InvalidLetter, SecretFound, UnknownPerson, Usage
from . import output
from .mailbox import AS_JSON as _AS_JSON
from .mailbox import Here

_MOST_INPUT = 1_048_576  # bytes read from stdin
_TWO = "A message is between two people: send it to each of them."


@click.command()
@click.argument("to", metavar="NAME")
@click.argument("words", metavar="TEXT", nargs=-1)
@click.option("--attach", multiple=True, metavar="FILE", help="Send a file along, at most 10 MiB; repeat for each.")
@click.option("--allow-secret", is_flag=True, help="Send although the text looks like it holds a credential.")
@_AS_JSON
def send(to: str, words: tuple[str, ...], attach: tuple[str, ...], allow_secret: bool, as_json: bool) -> None:
    """Send a message to a person.

    NAME is a name, or a whole address; see msg users. TEXT is one argument, in quotes; with - it is read from stdin.
    It is kept here and goes out in the background: nothing waits for the network.
    """
    here = Here(as_json)
    text = _text(here, to, words, attach)
    directory, uid = _recipient(here, to)
    people.check_trusted(directory, uid)
    found = None if allow_secret else credentials.find(text)
    if found:
        raise SecretFound(f"the text holds what looks like {found}", "Take it out; --allow-secret sends it anyway.")
    document = spool.add(here.home, here.me["uid"], uid, text, attach)
    first = people.meet(here.home, uid, document["sent_at"], wrote=True)
    address = people.address_of(directory, uid)
    try:
        if here.as_json:
            output.emit({**document, "address": address, "first": first})
        else:
            output.own(page.sent(address, document["attachments"]))
        output.flush()
    except CannotWrite as error:  # the status says what became of the letter
        output.note("ato: {}, but the message is kept and goes out.", error.message)
    if first and not directory[uid]["verified"]:
        here.introduce(directory, uid)
    notice.refresh(here.home, os.environ, pause=0.0)


def _recipient(here: Here, to: str) -> tuple[people.Directory, str]:
    """Who is meant; the store is asked only for a name that is not known here."""
    directory = people.load(here.home)
    try:
        uid = people.find(directory, to, here.me["uid"])
    except UnknownPerson:
        if _several(to):
            raise Usage(f'"{to[:80]}" is more than one name', _TWO) from None
        fault = here.ask_store()
        directory = people.load(here.home)
        try:
            uid = people.find(directory, to, here.me["uid"])
        except UnknownPerson as error:
            if fault:
                raise UnknownPerson(error.message, f"The store could not be asked: {fault}") from None
            raise
    if uid == here.me["uid"]:
        raise InvalidLetter(f"{here.me['address']} is you", "See who else there is: ato msg users")
    return directory, uid


def _several(text: str) -> bool:
    return any(sign in text for sign in ",; ")


def _text(here: Here, to: str, words: tuple[str, ...], attach: tuple[str, ...]) -> str:
    if len(words) > 1:
        directory = people.load(here.home)
        for word in words[:-1]:
            try:
                people.find(directory, word, here.me["uid"])
            except UnknownPerson:
                continue
            raise Usage(f'"{word[:80]}" would be a second recipient', _TWO)
        raise Usage(f'"{words[1][:80]}" is one argument too many', 'Put the text in quotes: ato msg NAME "TEXT"')
    text = words[0] if words else ""
    if text == "-":
        data = (sys.stdin.buffer.read(_MOST_INPUT) if sys.stdin is not None else b"").rstrip(b"\n")
        _check_size(len(data))
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidLetter("the text on stdin is not UTF-8", "Attach it as a file: --attach FILE") from None
    try:
        _check_size(len(text.encode("utf-8")))
    except UnicodeEncodeError:
        raise InvalidLetter("the text is not UTF-8", "Attach it as a file: --attach FILE") from None
    if not text.strip() and not attach:
        import difflib

        near = [] if words else difflib.get_close_matches(to, me.VERBS, 1)
        hint = f"Did you mean: ato msg {near[0]}" if near else 'Write: ato msg NAME "TEXT"'
        raise InvalidLetter(f'there is nothing to send to "{to[:80]}"', hint)
    return text


def _check_size(size: int) -> None:
    if size > letter.MAX_TEXT:
        more = f"more than {size - 1}" if size >= _MOST_INPUT else str(size)
        what = f"the text has {more} bytes; at most {letter.MAX_TEXT} go"
        raise InvalidLetter(what, "Attach it as a file: --attach FILE")
