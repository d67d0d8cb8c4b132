"""What a message must be before it is sent, with jsonschema's words for what it is not."""

from __future__ import annotations

from ..protocol import credentials, schemas, show, strictjson
from ..protocol import message as messages
from ..protocol.errors import BusError, InvalidMessage, InvalidPayload, SecretFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..protocol.documents import Message

_TOO_LARGE = "Put large content into files and name them: --ref file:///… or --attach FILE."


def message(document: Message, allow_secret: bool = False) -> None:
    """Raise what is wrong with a message that is about to be sent: its form, payload, intent or a secret in it."""
    try:
        # What nobody could read back must not be written: depth, integers, surrogates.
        size = len(strictjson.compact(document["payload"]))
        strictjson.parse(strictjson.compact(document))
    except UnicodeEncodeError:
        raise InvalidPayload("a text of the message is not UTF-8", "Check what the command line was given.") from None
    except (ValueError, RecursionError) as error:
        raise InvalidPayload(
            f"the message cannot be written as JSON: {_first_line(error)}", "Mend the payload."
        ) from None
    if size > messages.MAX_PAYLOAD:
        raise InvalidPayload(f"the payload has {size} bytes, more than the {messages.MAX_PAYLOAD} allowed", _TOO_LARGE)
    if schemas.checker("message")(document) is not None:
        raise InvalidMessage(explain("message", document), "What each field may be is in docs/protocol.md.")
    for field in ("response_by", "escalate_after"):
        moment = document.get(field)
        if moment is not None and show.seconds_of(moment) is None:
            raise InvalidMessage(f"{field} {moment!r} is no time", "Write it as 2026-05-23T18:00:00+02:00.")
    if document["type"] in messages.INTENT_CHECKED and not document.get("in_reply_to"):
        _intent(document)  # an answer, asking back for one, leans on what it answers
    found = None if allow_secret else credentials.find("\n".join(_texts(document)))
    if found:
        raise SecretFound(
            f"the message holds what looks like {found}; messages are kept for ever",
            "Say where the secret is instead of what it is, or insist with --allow-secret.",
        )


def _texts(item: Any) -> Iterator[str]:
    """Every text in a document, as it is: in JSON an escape would stand where a credential begins."""
    if isinstance(item, str):
        yield item
    elif isinstance(item, dict):
        for key, value in item.items():
            yield key
            yield from _texts(value)
    elif isinstance(item, list):
        for value in item:
            yield from _texts(value)


def _intent(document: Message) -> None:
    """Check the payload against the intent's schema; an intent without one is free."""
    kind = "intents/" + document["intent"]
    try:
        check = schemas.checker(kind)
    except FileNotFoundError:
        return
    wrong = check(document["payload"])
    if wrong is None:
        return
    intent, schema = document["intent"], schemas.load(kind)
    field = str(wrong[0][0]) if wrong[0] else ""
    what = schema["properties"].get(field, {}).get("description", "")
    article = "an" if intent[0] in "aeiou" else "a"
    if wrong[1] == "missing":
        needed = f'payload field "{field}" ({schemas.field(schema, field)})'
        raise InvalidPayload(f"{article} {intent} needs {needed}", f"Add {_option(field)}")
    raise InvalidPayload(
        f"payload of {article} {intent}: {explain(kind, document['payload'])}", f"Give {field}: {what}" if what else ""
    )


def _option(field: str) -> str:
    """The shortest way to give a payload field on the command line."""
    options = {"summary": "--summary", "state_summary": "--state-summary", "next_steps": "--next-step"}
    return f"{options[field]} …" if field in options else f"--field {field}=…"


def explain(kind: str, document: Any) -> str:
    """One line on what a document violates: which field, what it is, what is allowed.

    jsonschema writes it where it is installed; the compiled check, which found the fault, says it otherwise.
    """
    schema = schemas.load(kind)
    try:
        import jsonschema
    except ImportError:
        wrong = schemas.checker(kind)(document)
        return schemas.describe(wrong) if wrong else "valid"
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(document))
    if error is None:  # the two validators disagree, which a property test is there to prevent
        raise BusError(f"the checks of schemas/{kind}.schema.json disagree", "Please report this.")
    field = ".".join(str(step) for step in error.absolute_path)
    words = error.message
    if error.validator == "pattern" and "title" in error.schema:
        words = f"{strictjson.compact(error.instance).decode()[:200]} is not {error.schema['title']}"
    elif len(words) > 300:
        words = f"the value violates {error.validator} {error.validator_value}"
    return f"{field}: {words}" if field else words


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0] or type(error).__name__
