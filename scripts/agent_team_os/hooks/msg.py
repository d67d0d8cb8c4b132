"""`/msg`: mail between people, as far as it needs no network and nothing but the standard library."""

from __future__ import annotations

import re

from ..post import attached, box, me, notice, page, people, reading
from ..protocol import show
from ..protocol.errors import InvalidLetter, NotSetUp, UnknownPerson, Usage
from ..storage import home as homes
from ..text import framed
from . import announce

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .user_prompt_expansion import Asked, Say

_ASKS = ("setup", "verify", "device")  # what asks a person
_ELSEWHERE = ("sync", "outbox")
_PLAIN = re.compile(r"[A-Za-z0-9@._+:/= -]{1,300}")  # words that are repeated in a call: no shell takes them apart
_UNREAD, _RECENT = 100, 20  # letters that were not read, and that were, in a list


def run(asked: Asked, say: Say) -> None:
    """Show what has come, one letter or who there is; for a name, what a model has to know to write to them."""
    home, ato = asked.bus.home, asked.ato
    word = asked.words[0] if asked.words else "list"
    if word == "send":  # as on the command line, it may be left out
        del asked.words[0]
        if not asked.words:
            raise Usage("/msg send needs somebody's name", "For example: /msg alex tell her that the list is done")
    if word == "help":
        say(
            "/msg lists what has come; also /msg list, /msg read [N], /msg users, /msg NAME WHAT TO SAY. The rest is "
            f"for a terminal: {ato} msg {', '.join([*_ELSEWHERE, *_ASKS])}."
        )
        return
    if word in (*_ASKS, *_ELSEWHERE):
        call = " ".join(asked.words)
        person = "It asks a person, so your user calls it in a terminal" if word in _ASKS else "Call it"
        say(f"/msg {word} is not answered here. {person}: {ato} msg {call if _PLAIN.fullmatch(call) else word}")
        return
    try:
        mine = me.check_known(asked.environ)
    except NotSetUp as error:
        raise NotSetUp(error.message, f"Your user does that in a terminal. {error.hint}") from None
    me.check_store(asked.bus.map)
    if homes.check(home):
        _VERBS.get(word, _write)(asked, mine["uid"], say)
        notice.refresh(home, asked.environ)


def _list(asked: Asked, _me: str, say: Say) -> None:
    asked.flags()
    asked.at_most(1)
    home = asked.bus.home
    index = box.Index(home)
    unread = index.unread()[::-1]
    read = [letter_id for letter_id in index.ordered()[::-1] if letter_id in index.read]
    shown = [*unread[:_UNREAD], *read[:_RECENT]]
    listed = [document for letter_id in shown if (document := index.open(letter_id)) is not None]
    found = page.inbox(listed, len(unread), len(unread) + len(read), people.load(home), asked.ato, str)
    say(show.cut(framed(found), announce.MOST_CHARACTERS, f"The list goes on: {asked.ato} msg list"))


def _read(asked: Asked, _me: str, say: Say) -> None:
    asked.flags()
    asked.at_most(2)
    home = asked.bus.home
    index, readings = reading.open_letters(home, asked.words[1] if asked.words[1:] else None)
    directory = people.load(home)
    shown: list[list[str]] = []
    foot: list[str] = []
    words, new = "", set[str]()  # the people who are introduced
    for number, one in enumerate(readings):
        one.save(attached.inbox(asked.environ), given=False)
        sender = people.label(directory, one.document, "from")
        shown.append(page.letter(one.document, sender, one.saved, one.faults))
        foot += _notes(asked, directory, one, new)
        left = len(readings) - number - 1
        more = [f"{left} more unread: /msg read"] if left else []
        longer = framed(page.letters(shown, foot + more))
        if number and show.units(longer) > announce.MOST_CHARACTERS:
            readings = readings[:number]  # what does not fit is not read
            break
        words = longer
    say(show.cut(words, announce.MOST_CHARACTERS, f"It goes on: {asked.ato} msg read {readings[0].document['number']}"))
    for one in readings:
        people.meet(home, one.document["from"], show.timestamp())
        one.done()
    box.count(home, index)


def _notes(asked: Asked, directory: people.Directory, one: reading.Reading, new: set[str]) -> list[str]:
    """What else is to be said of a letter: files that are not here, and the key of somebody who is new."""
    found = []
    if one.comes_later:
        found.append(f"Not all files are here. Fetch and save them: {asked.ato} msg read {one.document['number']}")
    sender = one.document["from"]
    about = directory.get(sender)
    if about is not None and not about["met"] and not about["verified"] and sender not in new:
        new.add(sender)
        from ..post import directory as entries

        found += page.first(directory, sender, entries.fingerprint(about), asked.ato)
    return found


def _users(asked: Asked, own: str, say: Say) -> None:
    asked.flags()
    asked.at_most(1)
    directory = people.load(asked.bus.home)
    from ..post import directory as entries

    prints = {uid: entries.fingerprint(about) for uid, about in directory.items()}
    found = page.users(directory, own, prints, asked.ato)
    say(show.cut(framed(found), announce.MOST_CHARACTERS, f"The list goes on: {asked.ato} msg users"))


def _write(asked: Asked, own: str, say: Say) -> None:
    """Whom a name means; what is to be written stands in the prompt."""
    if asked.words[0].startswith("-"):  # not behind the name: there it belongs to what is to be said
        asked.flags()
    directory = people.load(asked.bus.home)
    try:
        uid = people.find(directory, asked.words[0], own)
    except UnknownPerson as error:
        raise UnknownPerson(error.message, "Somebody new may be there after: ato msg sync") from None
    if uid == own:
        raise InvalidLetter(f"{directory[uid]['entry']['address']} is you", "See who else there is: ato msg users")
    people.check_trusted(directory, uid)
    entry = directory[uid]["entry"]
    trust = "verified" if directory[uid]["verified"] else "not verified by your user yet"
    say(
        f"The recipient is {entry['name']}, {entry['address']} ({trust}).\n"
        f"Send with: {asked.ato} msg send {entry['address']} - --attach FILE, and the text on stdin."
    )


_VERBS = {"list": _list, "read": _read, "users": _users}
