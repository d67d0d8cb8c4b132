"""init, join, whoami, bus, drain, doctor, hook."""

from __future__ import annotations

import contextlib
import os

import click

from .. import text
from ..mail import hook_log
from ..protocol import agentmap, ids
from ..protocol import home as layout
from ..protocol.errors import CannotWrite
from . import gate, here, output

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.command()
@_AS_JSON
def init(as_json: bool) -> None:
    """Make the bus home and a starter map.

    What is there stays as it is.
    """
    bus = here.open_bus()
    made = bus.init()
    path = layout.agent_map(bus.home)
    if as_json:
        output.emit({"home": bus.home, "map": path, "made": made})
        return
    words = "The bus is at {}; its map is {}." if made else "The bus is at {}; its map is {} (kept)."
    output.say(words, text.place(bus.home), text.place(path))
    output.say("Next: cd into a project folder and run: ato join NAME")


@click.command()
@click.argument("name")
@click.option("--path", metavar="DIR", help="The folder; default: this one.")
@click.option("--role", help="What the agent does, for the roster.")
@click.option("--domain", metavar="D", help="The domain it works in.")
@click.option("--capability", multiple=True, metavar="C", help="What can be asked of it; repeat for each.")
@_AS_JSON
def join(
    name: str, path: str | None, role: str | None, domain: str | None, capability: tuple[str, ...], as_json: bool
) -> None:
    """Map this folder, and all below it, to agent NAME.

    A folder that has another agent takes a person: at a terminal, or in a session, where Claude Code asks.
    """
    bus = here.open_bus()
    folder = os.path.abspath(os.path.join(here.folder(), path or ""))
    place, owner = bus.to_join(name, folder)
    about = {"role": role, "domain": domain, "capabilities": list(capability)}
    altered = bus.altered(name, about)
    given = [("--path", folder if path else None), ("--role", role), ("--domain", domain)]
    given += [("--capability", value) for value in capability]
    options = [word for option, value in given if value for word in (option, value)]
    gate.check("rejoin" if owner or altered else "join", "join", name, *options)
    if owner:
        output.note("{} is {}'s now. Its mail stays its own.", text.place(place), owner)
    for key, value in altered.items():
        output.note("{} has another {} now: {}", name, key, value)
    if owner or altered:
        gate.agree(f"Give the folder, with all below it, to {name}?", "nothing was changed")
    rule = bus.join(name, place, about, owner)
    if as_json:
        output.emit({"agent": name, "path": folder, "rule": rule, "map": layout.agent_map(bus.home)})
        return
    place = text.place(layout.agent_map(bus.home))
    output.say("{} now lives in {} (rule {} of {}).", name, text.place(folder), rule, place)
    others = sorted(agentmap.agents(bus.map).keys() - {name})
    if others:
        question = "Next: open Claude Code here, or try: ato send {} question --field question='Anyone there?'"
        output.say(question, others[0])
    else:
        output.say("Next: open Claude Code here, or join a second folder.")


@click.command()
@_AS_JSON
def whoami(as_json: bool) -> None:
    """Say which agent this folder belongs to, and why."""
    bus = here.open_bus()
    who = bus.who
    session = ids.session_name(who.agent, who.slug) if who.agent else None
    if as_json:
        output.emit(
            {"agent": who.agent, "session": session, "slug": who.slug, "rule": who.why or None, "home": bus.home}
        )
    elif who.agent is None:
        place = text.place(layout.agent_map(bus.home))
        output.say("Anonymous: {} belongs to no agent of {}.", text.place(who.workspace), place)
        output.say("Give it one: ato join NAME")
    elif who.why.startswith(("rule", "fallback")):
        output.say("{}, by {} of {}", session, who.why, text.place(layout.agent_map(bus.home)))
    else:
        output.say("{}, by {}", session, who.why)


@click.command()
@_AS_JSON
def bus(as_json: bool) -> None:
    """Show who is on the bus and who is there.

    Also how much mail waits, and who may not write to whom.
    """
    from ..telemetry import notice

    bus = here.open_bus()
    rows = bus.roster()
    if os.path.exists(notice.usage(bus.home)):  # nobody who does not count pays for the import
        with contextlib.suppress(ImportError):  # a Python without sqlite3
            from ..telemetry import counting

            counting.catch_up(bus.home, os.environ, bus.map)
    if as_json:
        figures, counted = notice.today(bus.home)
        for row in rows:
            tokens, dollars = figures.get(row["name"], (None, None))
            row["today"] = {"tokens": tokens, "dollars": dollars, "counted_at": counted}
        rules = {key: bus.map.get(key, {}) for key in ("routing", "routing_rules", "domains", "cc_awareness")}
        output.emit({"home": bus.home, "agents": rows, "routing": rules, "hooks": hook_log.both(bus.home)})
    else:
        output.show_page(text.roster(bus, rows, output.program(), *notice.spent(bus.home)))


@click.command()
@click.argument("switch", type=click.Choice(("on", "off", "status")))
@click.option("--agent", metavar="A", help="Another agent; default: this one.")
@_AS_JSON
def drain(switch: str, agent: str | None, as_json: bool) -> None:
    """Say if a session may end with unhandled mail.

    The switch is kept in the map, per agent.
    """
    bus = here.open_bus()
    if switch != "status":
        gate.check("drain", "drain", switch, *(["--agent", agent] if agent else []))
    settings = bus.drain(agent, {"on": True, "off": False, "status": None}[switch])
    if as_json:
        output.emit(settings)
        return
    output.own(text.drain(settings))


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can be mended without losing anything.")
@_AS_JSON
def doctor(repair: bool, as_json: bool) -> int:
    """Find what is wrong, and say what to do.

    Every finding comes with the exact next command.
    """
    from ..mail import doctor as clinic

    home = layout.find(os.environ)
    for done in clinic.repair(home) if repair else ():
        output.note("Repaired: {}", done)
    findings = clinic.examine(home)
    ok = not any(finding["severity"] == "error" for finding in findings)
    if as_json:
        output.emit({"ok": ok, "findings": findings, "hooks": hook_log.both(home)})
    else:
        output.show_page(text.findings(home, findings, output.program()))
    return 0 if ok else 4


@click.command()
@click.argument("event")
def hook(event: str) -> None:
    """Handle a hook EVENT of Claude Code.

    Its JSON is on stdin, ours goes to stdout. Never fails.
    """
    import sys

    from ..hooks import dispatch

    try:
        folder = os.getcwd()
    except OSError:  # it has been removed under us
        folder = "/"
    stdin, stdout = getattr(sys.stdin, "buffer", None), getattr(sys.stdout, "buffer", None)
    dispatch.run(event, os.environ, folder, stdin, stdout)
    with contextlib.suppress(CannotWrite):
        output.flush()
