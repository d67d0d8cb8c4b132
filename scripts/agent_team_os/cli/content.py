"""The options that write a message, shared by send, reply and handoff."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from ..protocol import body, strictjson
from ..protocol.errors import InvalidPayload, Usage
from ..protocol.message import MAX_PAYLOAD, PRIORITIES
from ..storage import files

_MOST = 1_048_576  # bytes read from a file or stdin; a payload is far smaller
_OPTIONS = (
    click.option("--summary", "-s", help="One line that says what it is about (payload.summary)."),
    click.option("--body", metavar="-|@FILE", help="Fields and free text, from stdin or a file."),
    click.option("--payload", metavar="JSON|@FILE|-", help="The whole payload as a JSON object."),
    click.option("--field", "-f", multiple=True, metavar="K=V", help="One payload field; repeated, a list."),
    click.option("--priority", "-p", type=click.Choice(PRIORITIES), help="Default: normal."),
    click.option("--ref", multiple=True, metavar="URI", help="What it is about: a URI, or a path here."),
    click.option("--attach", "-a", multiple=True, metavar="FILE", help="A file to send along, at most 10 MiB."),
    click.option("--requires-response", is_flag=True, help="Say that an answer is expected."),
    click.option("--response-by", metavar="ISO", help="Until when, like 2026-05-23T18:00:00+02:00."),
    click.option("--escalate-after", metavar="ISO", help="When to tell the hub that no answer came."),
    click.option("--budget-minutes", type=click.IntRange(1, 525_600), metavar="N", help="How long the work may take."),
    click.option("--dry-run", is_flag=True, help="Show the message and send nothing."),
    click.option("--allow-secret", is_flag=True, help="Send although it looks like it holds a credential."),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a message's content to a command, which gets them as `**given`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def fields(given: dict[str, Any]) -> dict[str, Any]:
    """The options that are not payload, as the bus takes them."""
    return {
        "priority": given["priority"],
        "context_refs": [reference(text) for text in given["ref"]],
        "attach": given["attach"],
        "requires_response": given["requires_response"] or bool(given["response_by"] or given["escalate_after"]),
        "response_by": given["response_by"],
        "escalate_after": given["escalate_after"],
        "budget_minutes": given["budget_minutes"],
        "dry_run": given["dry_run"],
        "allow_secret": given["allow_secret"],
    }


def check(given: dict[str, Any]) -> None:
    """Usage for options that contradict each other or have no form; what they lead to is not read yet."""
    if given["body"] == "-" and given["payload"] == "-":
        raise Usage("--body - and --payload - both want stdin", "Give one of them as @FILE.")
    if given["body"] is not None and given["body"] != "-" and not given["body"].startswith("@"):
        raise Usage("--body takes - for stdin or @FILE", "To give text on the command line: --summary or --field.")
    for text in given["field"]:
        _pair(text)


def payload(given: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The payload from all its sources; Usage if two of them say different things about one field."""
    sources: list[tuple[str, dict[str, Any]]] = []
    if given["summary"] is not None:
        sources.append(("--summary", {"summary": given["summary"]}))
    if given["payload"] is not None:
        sources.append(("--payload", _json(given["payload"])))
    if given["body"] is not None:
        sources.append(("--body", body.parse(_text(given["body"], "--body"))))
    sources.append(("--field", body.collect([_pair(text) for text in given["field"]])))
    sources.append(("an option", {name: value for name, value in more.items() if value}))
    result: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for source, part in sources:
        for name, value in part.items():
            if name in result and result[name] != value:
                twice = f'the field "{name[:80]}" is given twice, by {origin[name]} and {source}'
                raise Usage(twice, "Keep one of them.")
            result[name], origin[name] = value, source
    return result


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise Usage(f'--field "{text[:80]}" is no K=V', "Write it as --field project=web.")
    return name.strip(), value


def _json(given: str) -> dict[str, Any]:
    text = _text(given, "--payload") if given == "-" or given.startswith("@") else given
    try:
        document = strictjson.parse(text.encode("utf-8", "surrogatepass"))
    except strictjson.BadJSON as error:
        raise InvalidPayload(f"--payload is no JSON: {error}", 'Give an object like {"summary":"…"}.') from None
    if not isinstance(document, dict):
        raise InvalidPayload("--payload is no JSON object", 'Give an object like {"summary":"…"}.')
    return document


def _text(given: str, option: str) -> str:
    """What `-` or `@FILE` leads to."""
    if given == "-":
        data = stdin()
    else:
        try:
            data = files.read(given[1:], _MOST)
        except FileNotFoundError:
            raise Usage(f"no file {given[1:]} for {option}", "Check the path.") from None
        except files.BadFile as error:
            if "more than" in error.why:
                raise _too_large(error.why) from None
            raise Usage(f"{option} cannot read {given[1:]}: {error.why}", "Give a regular file.") from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidPayload(f"{option} is not UTF-8 at byte {error.start}") from None


def stdin() -> bytes:
    """All of stdin; InvalidPayload if it is more than any message could hold."""
    if sys.stdin is None:
        raise Usage("there is no standard input to read from")
    data = sys.stdin.buffer.read(_MOST + 1)
    if len(data) > _MOST:
        raise _too_large("more than 1 MiB")
    return data


def _too_large(size: str) -> InvalidPayload:
    return InvalidPayload(
        f"the payload has {size}; at most {MAX_PAYLOAD} bytes are allowed",
        "Put large content into files and name them: --ref file:///… or --attach FILE.",
    )


def reference(text: str) -> str:
    """A URI as it is; a path, of something that exists or not, as the file:// URI of its absolute form."""
    scheme, colon, _ = text.partition(":")
    if (
        colon
        and scheme.isascii()
        and scheme[:1].isalpha()
        and scheme.replace("+", "").replace("-", "").replace(".", "").isalnum()
    ):
        return text
    from urllib.parse import quote

    return "file://" + quote(os.path.abspath(text), safe="/", errors="surrogateescape")
