"""What a session may do after its person's yes: for each act the page that is shown, and what is then done.

The keys are those of `person.TABLE` that a session may be asked about. An act is opened twice, before the question and
after the yes; its digest says whether the page would still be the same.
"""

from __future__ import annotations

import os
from collections import namedtuple

from .. import text
from ..bus import Bus
from ..mail import halt, identity
from ..orchestration import gods, notice, pages, plans
from ..protocol import agentmap, frame, show
from ..protocol import home as layout
from ..protocol.errors import NotConfirmed, UnknownAgent, Usage
from ..storage import home as homes
from . import tool_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Callable, NamedTuple

    Say = Callable[[str], None]

    class Act(NamedTuple):
        """An act as it would be done now; `facts` is all that its page says, `do` carries it out and says so."""

        name: str  # a key of person.TABLE
        words: list[str]  # what the model calls, complete
        title: str
        facts: object
        lines: list[str]
        do: Callable[[Mapping[str, Any], Mapping[str, str], Say], None]

else:
    Act = namedtuple("Act", "name words title facts lines do")


def open_act(words: list[str], environ: Mapping[str, str], home: str, workspace: str, folder: str = "") -> Act:
    """The act that these words call for, as it would be done now; a BusError if it would be refused.

    `folder` is where the call is made, in a session of the workspace.
    """
    verb = tool_call.verb_of(words)
    rest, options = _parse(verb, words[1 + verb.count(" ") :])
    agent_map = homes.read_map(home) if homes.check(home) else {}
    try:
        who = identity.of_workspace(agent_map, environ, workspace)
    except UnknownAgent:
        if verb != "join":  # the name may be the one that is to join
            raise
        who = identity.of_workspace(agent_map, {}, workspace)
    if "--path" in options:
        options["--path"] = [os.path.join(folder or workspace, options["--path"][-1])]
    return _BUILDERS[verb](Bus(home, agent_map, who), rest, options)


def page(act: Act) -> list[str]:
    """What the person is shown, line by line: all that others wrote is visible, and none of it opens a tag."""
    return ["agent-team-os asks you:", *(frame.harmless(show.visible(line)) for line in act.lines)]


def digest(act: Act) -> str:
    """Sixteen characters that change with anything that the page says."""
    import json
    from hashlib import sha256

    said = json.dumps([act.name, act.words, act.facts], sort_keys=True, default=str)
    return sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _parse(verb: str, words: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The arguments and the options of a verb; Usage for an option that it does not have."""
    arguments: list[str] = []
    options: dict[str, list[str]] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            arguments.append(word)
            continue
        name, equals, value = word.partition("=")
        takes = tool_call.OPTIONS[verb].get(name)
        if takes is None or (equals and not takes):
            raise Usage(f'there is no option "{word[:40]}" here', f"See: ato {verb} --help")
        if takes and not equals:
            value = next(rest, "")
        options.setdefault(name, []).append(value)
    return arguments, options


def _one(verb: str, arguments: list[str], what: str) -> str:
    """The only argument; Usage without exactly one."""
    if len(arguments) != 1:
        raise Usage(f"{verb} takes exactly one word, {what}", f"See: ato {verb} --help")
    return arguments[0]


def _switch(verb: str, arguments: list[str]) -> str:
    """`on` or `off`; Usage for anything else."""
    switch = _one(verb, arguments, "on or off")
    if switch not in ("on", "off"):
        raise Usage(f'{verb} is on or off, not "{switch[:40]}"', f"See: ato {verb} --help")
    return switch


def _join(bus: Bus, arguments: list[str], options: dict[str, list[str]]) -> Act:
    name = _one("join", arguments, "a name")
    folder = options.get("--path", [bus.who.workspace])[-1]
    about: dict[str, Any] = {key: options.get(f"--{key}", [None])[-1] for key in ("role", "domain")}
    about["capabilities"] = options.get("--capability", [])
    place, owner = bus.to_join(name, folder)
    altered = bus.altered(name, about)
    lines = [f"Give the folder {_exactly(agentmap.short(place))}, with all below it, to the agent {name}?"]
    if owner:
        lines.append(f"It is {owner}'s now. Mail for {owner} stays with {owner}, and sessions here no longer see it.")
    lines.append(f"Sessions here will read the mail of {name} and write as {name}.")
    for key, value in about.items():
        before = f" (now: {_exactly(str(altered[key]))})" if key in altered else ""
        lines += [f"  {key}: {_exactly(str(value))}{before}"] if value else []

    def do(given: Mapping[str, Any], environ: Mapping[str, str], say: Say) -> None:
        from . import session_start
        from .call import Call

        number = bus.join(name, place, about, owner)
        who = identity.of_workspace(bus.map, environ, bus.who.workspace)
        folder, of_map = text.place(place), agentmap.place(bus.home)
        what = f"the folder {folder}" if frame.is_plain(folder) else "this folder"
        where = f"rule {number} of {of_map}" if frame.is_plain(of_map) else f"rule {number} of the map"
        done = f"Done: {what} is now {name}'s ({where})."
        if who.agent != name:
            stays = frame.said("This session stays {}, because {} says so.", who.agent, who.why)
            say(f"{done}\n{stays if who.agent else 'This session stays without an agent.'}")
            return
        call = Call("PostToolUse", dict(given), environ, bus.home, bus.map, who)
        say("\n".join([done, session_start.enter(call)]))
        for step in call.after:
            step()

    # The folder in full: where the command is carried out does not matter then.
    words = ["join", name, "--path", place]
    for key in ("--role", "--domain", "--capability"):
        words += [word for value in options.get(key, ()) for word in (key, value)]
    return Act("rejoin" if owner or altered else "join", words, f"Join as {name}", [owner, altered], lines, do)


def _exactly(words: str) -> str:
    """A text as it is; where not all of it would be seen, as it is written in JSON."""
    import json

    return words if words == show.one_line(words) else json.dumps(words)


def _drain(bus: Bus, arguments: list[str], options: dict[str, list[str]]) -> Act:
    switch = _switch("drain", arguments)
    agent = options.get("--agent", [""])[-1] or bus.agent
    identity.check_known(bus.map, agent)
    may = "may then not end while it has mail" if switch == "on" else "may then end while it has mail"

    def do(_: object, __: object, say: Say) -> None:
        say(text.drain(bus.drain(agent, switch == "on")))

    lines = [f"Turn drain {switch} for {agent}? A session of {agent} {may}."]
    return Act("drain", ["drain", switch, "--agent", agent], f"Turn drain {switch}", None, lines, do)


def _god(bus: Bus, arguments: list[str], _: object) -> Act:
    on = _switch("god", arguments) == "on"
    agent = bus.agent
    if on:
        gods.check(bus.map, agent)
    what = "plans, and hands work out after your yes to each plan" if on else "works like any other agent"

    def do(_: object, __: object, say: Say) -> None:
        state = gods.switch(bus, on)
        lines = [pages.god(bus.map, agent, state["enabled"])]
        say("\n".join([*lines, *notice.lines(bus.map, agent, _ato())]))

    switch = "on" if on else "off"
    lines = [f"Turn god mode {switch} for {agent}? It then {what}."]
    return Act("god", ["god", switch], f"Turn god mode {switch}", agent, lines, do)


def _resume(bus: Bus, arguments: list[str], _: object) -> Act:
    if arguments:
        raise Usage("resume takes no further word", "Write: ato resume")
    halted = halt.current(bus.home)
    if halted is None:
        raise Usage("the bus is not halted")
    why = f": {show.one_line(halted['reason'])}" if halted["reason"] else ""
    lines = ["Lift the halt? Mail goes out again.", f"Now {halt.sentence(halted)}{why}"]

    def do(_: object, __: object, say: Say) -> None:
        say(pages.resumed(bus.resume()))

    return Act("resume", ["resume"], "Lift the halt", halted, lines, do)


def _confirm(bus: Bus, arguments: list[str], _: object) -> Act:
    plan = plans.load(bus.home, _one("plan confirm", arguments, "the plan"))
    if plan["status"] == "dispatched":
        raise Usage(f"{plan['id']} has gone out already", f"See how far it is: ato plan show {plan['id']}")
    session = f"{bus.agent}/{bus.who.slug}"
    shown = plans.digest(plan)
    plans.check_god(bus.map, plan["god"])
    plans.check_plan(bus.map, plan)

    def do(_: object, __: object, say: Say) -> None:
        done = plans.confirm(bus.home, bus.map, plan["id"], session, shown)
        say(text.framed(pages.plan(bus.home, done, {}, _ato())))

    lines = ["Let this plan out?", *text.plain(pages.plan(bus.home, plan, {})).split("\n")[:-1]]
    return Act("plan confirm", ["plan", "confirm", plan["id"]], f"Confirm {plan['id']}", shown, lines, do)


def _launch(bus: Bus, arguments: list[str], options: dict[str, list[str]]) -> Act:
    from ..orchestration import launch

    plan = plans.load(bus.home, _one("plan launch", arguments, "the plan"))
    opens = "--open" in options
    wanted = launch.sessions(bus.home, bus.map, plan)
    commands = launch.commands(wanted, opens)
    if not commands:
        raise Usage("there is no session to open", f"See how far it is: ato plan show {plan['id']}")

    def do(_: object, __: object, say: Say) -> None:
        _, done, notes = launch.carry_out(wanted, opens)
        say(text.framed(text.Page([], [*done, *notes], [], frame.FOUND)))

    what = "Open these sessions in tmux?" if opens else "Show the commands that open these sessions?"
    words = ["plan", "launch", plan["id"], *["--open"] * opens]
    return Act("plan launch", words, "Open sessions", [plans.digest(plan), commands], [what, *commands], do)


_BUILDERS: dict[str, Callable[[Bus, list[str], dict[str, list[str]]], Act]] = {
    "join": _join,
    "drain": _drain,
    "god": _god,
    "resume": _resume,
    "plan confirm": _confirm,
    "plan launch": _launch,
}


def _ato() -> str:
    """How a model calls this program."""
    return f'"{layout.launcher()}"'


def refuse(act: Act, why: str) -> NotConfirmed:
    """The error for an act whose question does not count."""
    import shlex

    hint = f"At a terminal: ato {shlex.join(act.words)}"
    return NotConfirmed(f"{act.title}: this was not done, because {why}", hint)
