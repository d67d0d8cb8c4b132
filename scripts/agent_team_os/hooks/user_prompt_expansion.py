"""UserPromptExpansion: our slash commands get their data from here, and no shell ever sees their arguments."""

from __future__ import annotations

from .. import text
from ..bus import Bus
from ..mail import delivery, identity, inbox, person
from ..protocol import frame, show
from ..protocol import home as layout
from ..protocol.errors import BusError, UnknownAgent, Usage
from ..storage import home as homes
from . import announce, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Callable

    Say = Callable[[str], None]

HOW_TO_JOIN = (
    "This folder is on no bus yet. Your user can put it there: /bus join NAME, with a name such as ops or dev "
    "for the sessions that work here."
)


class Asked:
    """A slash command: who asks, with which words, and on which bus."""

    def __init__(self, home: str, verb: str, given: dict[str, Any], environ: Mapping[str, str], workspace: str) -> None:
        self.verb = verb
        self.given = given
        self.environ = environ
        self.workspace = workspace
        arguments = given.get("command_args")
        self.words = arguments.split() if isinstance(arguments, str) else []
        self.ato = f'"{layout.launcher()}"'
        there = homes.check(home)
        agent_map = homes.read_map(home) if there else {}
        if there:
            delivery.recover(home, inbox.PER_HOOK)
        try:
            who = identity.of_workspace(agent_map, environ, workspace)
        except UnknownAgent:
            if verb not in ("bus", "msg"):  # the name may be the one that is to join; people have their own
                raise
            who = identity.of_workspace(agent_map, {}, workspace)
        self.bus = Bus(home, agent_map, who)
        self.bus.aside = inbox.Aside(inbox.PER_HOOK)

    def flags(self, *allowed: str) -> set[str]:
        """The options among the words, taken out of them; Usage for any other."""
        found = {word for word in self.words if word.startswith("-")}
        if found - set(allowed):
            wrong = sorted(found - set(allowed))[0]
            raise Usage(f'there is no option "{wrong[:40]}" here', f"See: {self.ato} --help")
        self.words = [word for word in self.words if word not in found]
        return found

    def at_most(self, number: int) -> None:
        """Usage for more words than that: what is not understood is not ignored."""
        if len(self.words) > number:
            raise Usage(f'"{self.words[number][:40]}" is one word too many', "See the command's hint.")


def run(home: str, verb: str, given: dict[str, Any], environ: Mapping[str, str], workspace: str, say: Say) -> None:
    """Carry out a command and say what came of it; `say` returns when the words are handed over."""
    try:
        asked = Asked(home, verb, given, environ, workspace)
        if asked.bus.who.agent is None and verb not in ("bus", "msg"):
            say(HOW_TO_JOIN)
        else:
            _VERBS[verb](asked, say)
    except BusError as error:
        say(refusal(error))


def refusal(error: BusError) -> str:
    """Why a command did not work, framed: it may quote anybody."""
    words = show.calls(show.one_line(error.words(), 800), f'"{layout.launcher()}"')
    return frame.frame([words], frame.REFUSAL)


def _inbox(asked: Asked, say: Say) -> None:
    every = "--all" in asked.flags("--all")
    asked.at_most(0)
    bus = asked.bus
    letters = bus.inbox(every)
    name = bus.agent if every else f"{bus.agent}/{bus.who.slug}"
    page = text.framed(text.inbox(name, letters, asked.ato))
    say(show.cut(page, announce.MOST_CHARACTERS, f"The list goes on: {asked.ato} inbox{' --all' * every}"))


def _read(asked: Asked, say: Say) -> None:
    peek = "--peek" in asked.flags("--peek")
    asked.at_most(1)
    bus = asked.bus
    with bus.reading(asked.words[0] if asked.words else None, peek) as letter:
        page = text.framed(text.letter(bus.home, letter, [], asked.ato))
        rest = f"The message goes on: {asked.ato} read {letter['message']['id']} --peek"
        say(show.cut(page, announce.MOST_CHARACTERS, rest))


def _thread(asked: Asked, say: Say) -> None:
    asked.flags()
    asked.at_most(1)
    bus = asked.bus
    if asked.words:
        document = bus.thread(asked.words[0])
        page = text.thread(document, bus.who.agent, asked.ato)
        rest = f"The thread goes on: {asked.ato} thread {document['id']}"
    else:
        page = text.threads(bus.recent_threads(), asked.ato)
        rest = f"The list goes on: {asked.ato} thread"
    say(show.cut(text.framed(page), announce.MOST_CHARACTERS, rest))


def _bus(asked: Asked, say: Say) -> None:
    what = asked.words.pop(0) if asked.words else ""
    if what == "join":
        _join(asked, say)
    elif what == "drain":
        _drain(asked, say)
    elif what == "doctor":
        asked.at_most(0)
        from ..mail import doctor

        page = text.framed(text.findings(asked.bus.home, doctor.examine(asked.bus.home, bare=True), asked.ato))
        say(show.cut(page, announce.MOST_CHARACTERS, f"The list goes on: {asked.ato} doctor"))
    elif what == "overdue":
        asked.at_most(0)
        from ..mail import overdue

        found, trouble = overdue.report(asked.bus.home, asked.bus.map, asked.bus.agent)
        page = text.framed(text.overdue(found, asked.ato))
        page += "\n" + frame.said("A hub could not be told: {}", trouble) if trouble else ""
        say(show.cut(page, announce.MOST_CHARACTERS, f"The list goes on: {asked.ato} overdue"))
    elif what == "halt":
        asked.bus.halt(" ".join(asked.words))
        say("Done.")
    elif what == "resume":
        _resume(asked, say)
    elif what:
        raise Usage(f'/bus knows join NAME, drain on|off, overdue, halt, resume and doctor, not "{what[:40]}"')
    else:
        from ..telemetry import notice

        page = text.framed(text.roster(asked.bus, asked.bus.roster(), asked.ato, *notice.spent(asked.bus.home)))
        rest = f"The list goes on: {asked.ato} bus"
        anonymous = [] if asked.bus.who.agent else [HOW_TO_JOIN]
        say(show.cut("\n".join([page, *anonymous]), announce.MOST_CHARACTERS, rest))
        notice.refresh(asked.bus.home, asked.environ)  # for the next one


def _join(asked: Asked, say: Say) -> None:
    asked.flags()
    asked.at_most(1)
    if not asked.words:
        raise Usage("/bus join needs a name, such as ops or dev", "For example: /bus join dev")
    to_ask(asked, say, "join", asked.words[0])


def _drain(asked: Asked, say: Say) -> None:
    asked.flags()
    asked.at_most(1)
    switch = asked.words[0] if asked.words else "status"
    if switch not in ("on", "off", "status"):
        raise Usage(f'drain is on or off, not "{switch[:40]}"', "Write: /bus drain on")
    if switch == "status":
        say(text.drain(asked.bus.drain(None, None)))
    else:
        to_ask(asked, say, "drain", switch)


def _resume(asked: Asked, say: Say) -> None:
    asked.at_most(0)
    to_ask(asked, say, "resume")


def to_ask(asked: Asked, say: Say, *words: str) -> None:
    """Tell the model which call makes the client ask the person for this; a BusError where that would be refused.

    A command is expanded as well when a schedule or a file of the project has typed it, so it does nothing itself.
    """
    from . import acts

    act = acts.open_act(list(words), asked.environ, asked.bus.home, asked.workspace)
    why = person.attended(asked.environ, person.TABLE[act.name])
    if why:
        raise acts.refuse(act, why)
    import shlex

    call = f"{asked.ato} {shlex.join(words)}"
    say(f"This takes a yes of your user, and Claude Code asks for it. Run exactly this and nothing else: {call}")


def _god(asked: Asked, say: Say) -> None:
    from . import god

    god.run(asked, say)


def _msg(asked: Asked, say: Say) -> None:
    from . import msg

    msg.run(asked, say)


def _writing(asked: Asked, say: Say) -> None:
    say(show.cut(writing.brief(asked.bus, asked.verb, asked.words), announce.MOST_CHARACTERS, "…"))


_VERBS: dict[str, Callable[[Asked, Say], None]] = {
    "inbox": _inbox,
    "read": _read,
    "thread": _thread,
    "bus": _bus,
    "send": _writing,
    "reply": _writing,
    "handoff": _writing,
    "god": _god,
    "msg": _msg,
}
