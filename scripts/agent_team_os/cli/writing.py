"""send, reply, handoff."""

from __future__ import annotations

from typing import Any

import click

from ..protocol import frame, show, strictjson
from ..protocol.errors import CannotWrite, Usage
from ..protocol.message import TYPES
from . import batches, content, here, output

_MOVING = ("accept", "response", "confirm", "decline")  # the answers that may move a task
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.command()
@click.argument("to", required=False)
@click.argument("intent", required=False)
@click.option("--type", "kind", type=click.Choice(TYPES), help="Default: request; question for a question.")
@content.options
@click.option("--thread", metavar="ID", help="Go on in this thread instead of opening one.")
@click.option("--task", is_flag=True, help="Make a task of it for the recipient, in its task manager.")
@click.option("--batch", metavar="-", help="One message object a line on stdin, one result a line on stdout.")
@_AS_JSON
def send(
    to: str | None,
    intent: str | None,
    kind: str | None,
    thread: str | None,
    task: bool,
    batch: str | None,
    as_json: bool,
    **given: Any,
) -> int:
    """Send a message to an agent or a session.

    TO is agent or agent/slug, INTENT a word for what it is about: bug-fix, question, …

    \b
    ato send dev bug-fix --summary "Login loops on Safari" --field project=web
    ato send ops question --field question="Which branch?"
    """
    if batch is not None:
        others = {**given, "dry_run": False, "allow_secret": False, "to": to, "intent": intent, "type": kind}
        if batch != "-" or thread or task or any(others.values()):
            raise Usage("--batch takes - and only --dry-run and --allow-secret", "ato send --batch - < messages.jsonl")
        return batches.send(here.open_bus(), given["dry_run"], given["allow_secret"])
    if not to or not intent:
        raise Usage("send needs a recipient and an intent", "ato send dev bug-fix --summary … --field project=…")
    content.check(given)
    bus = here.open_bus()
    bus.may_write(to)  # before the payload is looked at
    options = content.fields(given)
    dry_run = options.pop("dry_run")
    one = bus.prepare(to, intent, content.payload(given), type=kind, thread_id=thread, **options)
    if task and not dry_run:
        from ..tasks import links

        sent = links.send(bus, one)
    else:
        sent = bus.post_one(one, dry_run)
    _report(sent, as_json, "Sent")
    return 0


@click.command()
@click.argument("message", metavar="ID")
@click.argument("kind", metavar="TYPE", type=click.Choice(TYPES))
@content.options
@_AS_JSON
def reply(message: str, kind: str, as_json: bool, **given: Any) -> None:
    """Answer a message and archive it.

    The answer to message ID goes to its sender, in its thread.

    TYPE says how: accept takes the work on, response or confirm closes the thread, decline gives it back,
    question asks. ID may be a prefix, or the last part of an id.
    """
    content.check(given)
    bus = here.open_bus()
    original, _ = bus.find(message)
    bus.may_write(original["from"])
    options = content.fields(given)
    dry_run = options.pop("dry_run")
    one = bus.prepare_reply(original, kind, content.payload(given), **options)
    if kind in _MOVING and not dry_run:
        from ..tasks import links

        sent = links.reply(bus, original, one)
    else:
        sent = bus.post_one(one, dry_run)
    _report(sent, as_json, "Replied")


@click.command()
@click.argument("to")
@click.argument("intent", default="handoff")
@click.option("--state-summary", help="Where things stand.")
@click.option("--next-step", multiple=True, help="What to do next; repeat for each step.")
@click.option("--blocker", multiple=True, help="What is in the way; repeat for each.")
@click.option("--file", "file", multiple=True, metavar="F", help="A file the work is in; repeat for each.")
@content.options
@click.option("--thread", metavar="ID", help="Go on in this thread instead of opening one.")
@_AS_JSON
def handoff(
    to: str, intent: str, state_summary: str | None, next_step: tuple[str, ...], blocker: tuple[str, ...],
    file: tuple[str, ...], thread: str | None, as_json: bool, **given: Any,
) -> None:  # fmt: skip
    """Hand the work over to an agent.

    TO learns where it stands, what comes next, and the git state of this folder.
    """
    content.check(given)
    bus = here.open_bus()
    bus.may_write(to)
    payload = content.payload(given, state_summary=state_summary, next_steps=list(next_step), blockers=list(blocker))
    for name in ("next_steps", "blockers"):  # one line of a body is a text, where a list of one is meant
        if isinstance(payload.get(name), str):
            payload[name] = [payload[name]]
    options = content.fields(given)
    options["context_refs"] += [content.reference(path) for path in file]
    options["priority"] = options["priority"] or "high"
    _report(bus.handoff(to, intent, payload, thread_id=thread, **options), as_json, "Handed over")


def _report(sent: dict[str, Any], as_json: bool, done: str) -> None:
    """Say what was sent; warnings go to stderr in both forms.

    A result nobody can be shown is no failed send: the status says what became of the message.
    """
    try:
        if as_json:
            output.emit(sent)
        elif sent.get("dry_run"):
            from ..text import Page

            message = {key: value for key, value in sent.items() if key != "dry_run"}
            lines = show.visible(strictjson.readable(message).decode().rstrip(), lines=True).split("\n")
            output.show_page(Page([], lines, [], frame.SAID))
            output.note("Nothing was sent.")
        else:
            status = f", {sent['thread_status']}" if sent["thread_status"] not in (None, "open") else ""
            task = ""
            if sent.get("task_id"):
                from ..tasks import links

                # Of a reply it is the word of whoever has asked.
                task = f", task {sent['task_id']}" if links.is_plain(sent["task_id"]) else ", with its task"
            line = f"{done} {sent['id']} to {sent['session'] or sent['to']} ({sent['thread_id']}{status}){task}."
            output.own(line)
            if sent.get("use_tool"):
                from . import tasks

                tasks.show_tools(sent["use_tool"])
        output.flush()
    except CannotWrite as error:
        words = "ato: {}, but {} was not sent." if sent.get("dry_run") else "ato: {}, but {} was sent."
        output.note(words, error.message, sent["id"])
    output.warn(sent.get("warnings", ()))
