"""The bus as a person reads it: plain aligned text, the most useful fact first, what to do next at the end.

All text from messages passes `protocol.show`, and nothing from a sender ever begins a line.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from ..bus import Bus
from ..mail import attachments
from ..protocol import agentmap, frame, show
from ..protocol import message as messages
from . import output

if TYPE_CHECKING:
    from ..protocol.documents import Finding, Message, Thread

_WIDTH = 80


def short(identifier: str) -> str:
    """The part of an id that people type."""
    return identifier.rpartition("-")[2]


def place(path: str) -> str:
    """A path as a person reads it: short, on one line, with nothing hidden in it."""
    return show.one_line(agentmap.short(path))


def inbox(name: str, letters: list[tuple[Message, str]]) -> str:
    """The list of pending messages."""
    if not letters:
        return f"{name}  nothing pending"
    kinds = [frame.kind(message) for message, _ in letters]
    ages = [show.age(message["ts"]) for message, _ in letters]
    wide = max(map(len, kinds)), max(len(message["from"]) for message, _ in letters), max(map(len, ages))
    room = max(_WIDTH - 2 - 8 - sum(wide) - 5 - 6, 24)
    lines = [f"{name}  {len(letters)} pending"]
    for (message, path), kind, age in zip(letters, kinds, ages, strict=True):
        priority = f"{message.get('priority', 'normal'):<8}"
        if messages.rank(message) < 2:
            priority = output.bold(priority)
        summary = show.one_line(messages.summary(message), room)
        lines.append(
            f"  {priority}{kind:<{wide[0]}}  from {message['from']:<{wide[1]}}  {age:<{wide[2]}}  {summary}".rstrip()
        )
        due = f"  answer by {show.day_time(message['response_by'])}" if message.get("response_by") else ""
        slug = os.path.basename(os.path.dirname(path))
        only = f"  for {message['to']}/{slug[1:]}" if slug.startswith("@") else ""
        lines.append(f"          {message['id']}{due}{only}")
    first = short(letters[0][0]["id"])
    lines.append(f"Read one: ato read {first}      Answer: ato reply {first} response")
    return "\n".join(lines)


def letter(bus: Bus, shown: dict[str, Any], saved: list[str]) -> str:
    """One message: who, what, when; then its content, indented; then what to do next."""
    message: Message = shown["message"]
    end = short(message["id"])
    due = message.get("response_by")
    what = message["type"] if message["type"] == message["intent"] else f"{message['type']} / {message['intent']}"
    asks = f"{what}, {message.get('priority', 'normal')}"
    if due:
        late = (show.seconds_of(due) or 0) < time.time()
        asks += f", answer by {show.day_time(due)}" + (" (overdue)" if late else "")
    elif message.get("requires_response"):
        asks += ", wants an answer"
    slug = messages.slug(message)
    lines = [
        f"From      {message['from']}, {show.age(message['ts'])} ({show.day_time(message['ts'])})",
        f"To        {message['to']}{'/' + slug if slug else ''}",
        f"Asks      {asks}",
        f"Thread    {message['thread_id']}",
        f"Message   {message['id']}",
    ]
    width = min(max((len(show.one_line(key)) for key in message["payload"]), default=0), 20)
    for key, item in message["payload"].items():
        name = f"  {show.one_line(key):<{width}}  "
        lines.append(name + show.value(item).replace("\n", "\n" + " " * len(name)))
    lines += [f"Ref       {opened(uri)}" for uri in message.get("context_refs", ())]
    for item in message.get("attachments", ()):
        fault = attachments.state(bus.home, item)
        state = "" if fault == "ok" else f", {fault}"
        lines.append(f"Attached  {show.one_line(item['name'])} ({show.size(item['size'])}{state})")
    lines += [f"Saved     {show.one_line(path)}" for path in saved]
    if message.get("attachments") and not saved:
        lines.append(f"Take out  ato read {end} --save .")
    done = "Archived." if shown["archived"] else "Still in the inbox."
    wants = message["type"] in messages.INTENT_CHECKED or message.get("requires_response")
    lines.append(f"{done} Answer: ato reply {end} response --body -" if wants else done)
    return "\n".join(lines)


def opened(uri: str) -> str:
    """A reference with what is known of it: a file's size or that it is missing, the command for an issue."""
    from urllib.parse import unquote, urlsplit

    shown = show.one_line(uri)
    try:
        parts = urlsplit(uri)
        if parts.scheme != "file" or parts.netloc:
            return shown
        path = unquote(parts.path)
        return f"{shown} ({'a folder' if os.path.isdir(path) else show.size(os.stat(path).st_size)})"
    except OSError:
        return f"{shown} (missing here)"
    except ValueError:  # no URI after all, or a path no system could have
        return shown


def thread(document: Thread, agent: str | None) -> str:
    """One conversation."""
    since = document.get("closed") or document.get("opened")
    state = f"{document['status']} since {show.day_time(since)} ({show.age(since)})"
    people = ", ".join(document["participants"])
    lines = [f"{show.one_line(document['subject'])}  {people}  {state}", document["id"]]
    wide = max((len(f"{entry['from']} → {entry['to']}") for entry in document["messages"]), default=0)
    for entry in document["messages"]:
        pair = f"{entry['from']} → {entry['to']}"
        summary = show.one_line(entry.get("summary", ""), 60)
        lines.append(f"  {show.day_time(entry['ts'])}  {pair:<{wide}}  {entry['type']:<8}  {summary}".rstrip())
    mine = [entry for entry in document["messages"] if entry["to"] == agent]
    if mine and document["status"] in ("open", "accepted"):
        lines.append(f"Answer: ato reply {short(mine[-1]['id'])} response")
    return "\n".join(lines)


def threads(found: list[Thread]) -> str:
    """The recent conversations."""
    if not found:
        return "No threads yet. Open one: ato send TO INTENT --summary …"
    lines = []
    for document in found:
        last = document["messages"][-1]["ts"] if document["messages"] else document.get("opened")
        subject = show.one_line(document["subject"], 40)
        people = ", ".join(document["participants"])
        lines.append(f"{document['id']}  {document['status']:<9}  {show.age(last):<11}  {people}: {subject}")
    lines.append(f"Show one: ato thread {short(found[0]['id'])}")
    return "\n".join(lines)


def trace(found: dict[str, Any]) -> str:
    """Where a message is."""
    lines = [f"{found['id']}  {found['state']}"]
    for event in found["events"]:
        lines.append(f"  {event['at'] or '?':<20}  {event['what']}")
        lines.append(f"  {'':<20}  {place(event['path'])}")
    return "\n".join(lines)


def roster(bus: Bus, rows: list[dict[str, Any]]) -> str:
    """Who is on the bus, and who may not write to whom."""
    if not rows:
        return "Nobody has joined yet. In a project folder: ato join NAME"
    cells = []
    for row in rows:
        slugs = ", ".join(sorted({session["slug"] for session in row["sessions"]}))
        where = slugs or (f"last seen {show.age(row['last_seen'])}" if row["last_seen"] else "never seen")
        marks = "  god" if row["god"] else ""
        me = "  (you)" if row["name"] == bus.who.agent else ""
        role = show.one_line(row["role"] or "-", 24)
        cells.append(
            (row["name"], role, row["domain"] or "-", row["state"], where, f"{row['pending']} pending{marks}{me}")
        )
    widths = [max(len(row[column]) for row in cells) for column in range(5)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True)).rstrip() for row in cells
    ]
    return "\n".join(lines + _rules(bus.map))


def _rules(document: dict[str, Any]) -> list[str]:
    lines = []
    rules = document.get("routing_rules", {})
    for one, other in document.get("routing", {}).get("blocked_pairs", ()):
        reason = rules.get(one, {}).get("reason") or rules.get(other, {}).get("reason")
        lines.append(f"Blocked: {one} ↔ {other}" + (f" ({show.one_line(reason)})" if reason else ""))
    for sender, rule in rules.items():
        for to in rule.get("deny", ()):
            reason = rule.get("reason")
            lines.append(f"Blocked: {sender} → {to}" + (f" ({show.one_line(reason)})" if reason else ""))
    hubs = [f"{about['hub']} for {name}" for name, about in document.get("domains", {}).items() if about.get("hub")]
    if hubs:
        lines.append("Hubs: " + ", ".join(hubs))
    return lines


def findings(found: list[Finding]) -> str:
    """What doctor found, each with the next command."""
    if not found:
        return "Nothing is wrong."
    lines = []
    for finding in found:
        lines.append(f"{finding['severity']:<7}  {show.one_line(finding['what'])}")
        lines.append(f"         {place(finding['path'])}")
        if finding["fix"]:
            lines.append(f"         Next: {show.one_line(finding['fix'])}")
    return "\n".join(lines)
