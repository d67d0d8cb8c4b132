"""god, plan, halt, resume."""

from __future__ import annotations

import os

import click

from ..bus import Bus
from ..orchestration import pages, plans
from ..protocol import strictjson
from ..protocol.errors import InvalidMap, InvalidPlan, NotConfirmed, UnknownAgent, Usage
from ..storage import files
from . import content, gate, here, output

_AS_JSON = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document.",
    callback=lambda context, _, given: given or bool(context.obj),  # it may stand before the second word, too
)  # fmt: skip
_MOST = 1_048_576  # bytes of a plan


@click.command()
@click.argument("switch", type=click.Choice(("on", "off", "status")), default="status")
@_AS_JSON
def god(switch: str, as_json: bool) -> None:
    """Switch the god mode of this agent.

    Only an agent that the map lists in gods can have it on. A session that starts while it is on is told to plan,
    ask and dispatch instead of doing the work itself.
    """
    from ..orchestration import gods

    bus = here.open_bus()
    if switch != "status":
        gate.check("god", "god", switch)
    state = gods.switch(bus, {"on": True, "off": False, "status": None}[switch])
    output.emit(state) if as_json else output.own(pages.god(bus.map, state["agent"], state["enabled"]))


@click.group()
@_AS_JSON
@click.pass_context
def plan(context: click.Context, as_json: bool) -> None:
    """Propose a plan, confirm it, send it out."""
    context.obj = as_json


@plan.command()
@click.argument("source", metavar="FILE|-")
@_AS_JSON
def propose(source: str, as_json: bool) -> None:
    """Keep a plan for a person to decide on.

    The JSON object in FILE, or on stdin, has objective and tasks. A task has title, assignee, intent, summary; and
    may have priority (p0 to p3), depends_on (titles), payload, context_refs, response_by, budget_minutes.

    \b
    {"objective": "Safari users can sign in again",
     "tasks": [{"title": "Mend the redirect", "assignee": "dev", "intent": "bug-fix",
                "summary": "Login loops on Safari", "payload": {"project": "web"}}]}
    """
    from ..orchestration import dispatch as sending

    bus = here.open_bus()
    made = plans.propose(bus, _document(source), sending.check_tasks)
    if as_json:
        output.emit({"id": made["id"], "status": made["status"], "tasks": made["tasks"]})
    else:
        output.show_page(pages.plan(bus.home, made, {}, output.program()))


def _document(source: str) -> object:
    """The JSON in a file, or on stdin."""
    try:
        return strictjson.parse(content.stdin() if source == "-" else files.read(source, _MOST))
    except FileNotFoundError:
        raise Usage(f"no file {source}", "Give a file, or - for stdin.") from None
    except (files.BadFile, strictjson.BadJSON) as error:
        raise InvalidPlan(f"the plan in {source} is no JSON: {error}", "See: ato plan propose --help") from None


@plan.command()
@click.argument("name", metavar="[PLAN]", required=False)
@_AS_JSON
def show(name: str | None, as_json: bool) -> None:
    """Show PLAN and how far it has come, or list the plans."""
    from ..orchestration import dispatch as sending

    bus = here.open_bus()
    if name is None:
        found = plans.recent(bus.home)
        output.emit({"plans": found}) if as_json else output.show_page(pages.listing(found, output.program()))
        return
    document = plans.load(bus.home, name)
    if as_json:
        output.emit(document)
    else:
        output.show_page(pages.plan(bus.home, document, sending.briefs(bus.home, document), output.program()))


@plan.command()
@click.argument("name", metavar="PLAN")
@_AS_JSON
def confirm(name: str, as_json: bool) -> None:
    """Say yes to PLAN.

    Takes a person: at a terminal, or in a session, where Claude Code asks.
    """
    bus = here.open_bus()
    gate.check("plan confirm", "plan", "confirm", name)
    document = plans.load(bus.home, name)
    output.note_page(pages.plan(bus.home, document, {}))
    if document["status"] == "dispatched":
        raise Usage(f"{document['id']} has gone out already", f"See how far it is: ato plan show {document['id']}")
    if not click.confirm("Let it out?", err=True):
        raise NotConfirmed(f"{document['id']} stays {document['status']}")
    done = plans.confirm(bus.home, bus.map, document["id"], _terminal(), plans.digest(document))
    if as_json:
        output.emit({"id": done["id"], "status": done["status"], "confirmation": done["confirmation"]})
    else:
        words = "{} is {}. {} sends it out: ato plan dispatch {}"
        output.say(words, done["id"], done["status"], done["god"], done["id"])


@plan.command()
@click.argument("name", metavar="PLAN")
@_AS_JSON
def dispatch(name: str, as_json: bool) -> None:
    """Send PLAN out: its tasks and a brief for each.

    What has gone out before does not go out again.
    """
    from ..orchestration import dispatch as sending

    result = sending.dispatch(here.open_bus(), name)
    if as_json:
        output.emit(result)
    else:
        output.show_page(pages.dispatched(result, output.program()))
        if result["use_tool"]:
            from . import tasks

            tasks.show_tools(result["use_tool"])
    output.warn(result["warnings"])


@plan.command()
@click.argument("name", metavar="PLAN")
@click.option("--open", "opens", is_flag=True, help="Open them in tmux windows, after a question.")
@_AS_JSON
def launch(name: str, opens: bool, as_json: bool) -> None:
    """Open a session for each assignee of PLAN.

    Prints the commands that do it. Takes a person: at a terminal, or in a session, where Claude Code asks.
    """
    from ..orchestration import launch as launching

    bus = here.open_bus()
    gate.check("plan launch", "plan", "launch", *["--open"] * opens, name)
    wanted = launching.sessions(bus.home, bus.map, plans.load(bus.home, name))
    lines = launching.commands(wanted, opens)
    if opens and lines:
        for line in lines:
            output.note("{}", line)
        if not click.confirm(f"Open {len(lines)} session{'s' if len(lines) > 1 else ''}?", err=True):
            raise NotConfirmed("no session was opened")
    opened, done, notes = launching.carry_out(wanted, opens)
    if as_json:
        output.emit({"sessions": wanted, "opened": opened})
        return
    for line in done:
        output.say("{}", line)
    for note in notes:
        output.note("{}", note)


@click.command()
@click.argument("reason", nargs=-1)
@_AS_JSON
def halt(reason: tuple[str, ...], as_json: bool) -> None:
    """Stop all sending, at once, for REASON.

    Every session is told by its next hook. A person lifts it: ato resume
    """
    try:
        bus = here.open_bus()
    except (InvalidMap, UnknownAgent):  # nothing that is wrong with a map or a name may keep the bus from being halted
        bus = Bus.of_nobody(os.environ, here.folder())
    done = bus.halt(" ".join(reason))
    output.emit({"halted": True, **done}) if as_json else output.say("The bus is halted. A person lifts it: ato resume")


@click.command()
@_AS_JSON
def resume(as_json: bool) -> None:
    """Lift a halt.

    Takes a person: at a terminal, or in a session, where Claude Code asks.
    """
    bus = here.open_bus()
    gate.check("resume", "resume")
    lifted = bus.resume()
    output.emit({"halted": False, "lifted": lifted}) if as_json else output.own(pages.resumed(lifted))


def _terminal() -> str:
    try:
        return os.ttyname(0)
    except OSError:
        return "terminal"
