"""The bus as a person or a model reads it: plain aligned text, the useful fact first, what to do next at the end.

Every text is a Page, whose middle holds what other agents wrote: for a model it is put into a frame. All of it has
passed `protocol.show`, and nothing from a sender ever begins a line. Head and foot hold names and numbers at most.
"""

from __future__ import annotations

import os
import time

from .mail import attachments, hook_log
from .protocol import agentmap, frame, show
from .protocol import message as messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Callable, NamedTuple, Optional

    from .bus import Bus
    from .mail.inbox import Letter
    from .protocol.documents import Finding, Message, Thread

    class Page(NamedTuple):
        """Lines of our own, lines from elsewhere, lines of our own; and what introduces the foreign ones to a model."""

        head: list[str]
        mail: list[str]
        foot: list[str]
        sentence: str = frame.MAIL

else:
    from collections import namedtuple

    Page = namedtuple("Page", "head mail foot sentence", defaults=[frame.MAIL])

_WIDTH = 80


def plain(page: Page) -> str:
    """A page for a person's terminal."""
    return "\n".join([*page.head, *page.mail, *page.foot])


def framed(page: Page) -> str:
    """A page for a model: what other agents wrote stands in a frame."""
    words = "\n".join([*page.head, *([frame.frame(page.mail, page.sentence)] if page.mail else []), *page.foot])
    return frame.harmless(words)


def short(identifier: str) -> str:
    """The part of an id that people type."""
    return identifier.rpartition("-")[2]


def place(path: str) -> str:
    """A path as a person reads it: short, on one line, with nothing hidden in it."""
    return show.one_line(agentmap.short(path))


def inbox(name: str, letters: list[Letter], ato: str = "ato", bold: Callable[[str], str] = lambda text: text) -> Page:
    """The list of pending messages; `ato` is how the reader calls the program, `bold` marks what is urgent."""
    if not letters:
        return Page([f"{name}  nothing pending"], [], [])
    kinds = [frame.kind(message) for message, _ in letters]
    ages = [show.age(message["ts"]) for message, _ in letters]
    wide = max(map(len, kinds)), max(len(message["from"]) for message, _ in letters), max(map(len, ages))
    room = max(_WIDTH - 2 - 8 - sum(wide) - 5 - 6, 24)
    lines = []
    for (message, path), kind, age in zip(letters, kinds, ages):
        priority = f"{message.get('priority', 'normal'):<8}"
        if messages.rank(message) < 2:
            priority = bold(priority)
        summary = show.one_line(messages.summary(message), room)
        lines.append(
            f"  {priority}{kind:<{wide[0]}}  from {message['from']:<{wide[1]}}  {age:<{wide[2]}}  {summary}".rstrip()
        )
        due = f"  answer by {show.day_time(message['response_by'])}" if message.get("response_by") else ""
        slug = os.path.basename(os.path.dirname(path))
        only = f"  for {message['to']}/{slug[1:]}" if slug.startswith("@") else ""
        lines.append(f"          {message['id']}{due}{only}")
    first = short(letters[0][0]["id"])
    foot = f"Read one: {ato} read {first}      Answer: {ato} reply {first} response"
    return Page([f"{name}  {len(letters)} pending"], lines, [foot])


def letter(home: str, shown: dict[str, Any], saved: list[str], ato: str = "ato") -> Page:
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
    if message.get("budget_minutes"):
        lines.append(f"Budget    {message['budget_minutes']:.0f} min")
    if message.get("escalate_after"):
        lines.append(f"Escalates {show.day_time(message['escalate_after'])}, if no answer came")
    width = min(max((len(show.one_line(key)) for key in message["payload"]), default=0), 20)
    for key, item in message["payload"].items():
        name = f"  {show.one_line(key):<{width}}  "
        lines.append(name + show.value(item).replace("\n", "\n" + " " * len(name)))
    lines += [f"Ref       {opened(uri)}" for uri in message.get("context_refs", ())]
    for item in message.get("attachments", ()):
        fault = attachments.state(home, item)
        state = "" if fault == "ok" else f", {fault}"
        lines.append(f"Attached  {show.one_line(item['name'])} ({show.size(item['size'])}{state})")
    lines += [f"Saved     {show.one_line(path)}" for path in saved]
    foot = []
    if message.get("attachments") and not saved:
        foot.append(f"Take the files out: {ato} read {end} --save .")
    done = "Archived." if shown["archived"] else "Still in the inbox."
    wants = message["type"] in messages.INTENT_CHECKED or message.get("requires_response")
    foot.append(f"{done} Answer: {ato} reply {end} response --body -" if wants else done)
    return Page([], lines, foot)


def overdue(found: dict[str, Any], ato: str = "ato") -> Page:
    """What is late, by an agent and for it, each with why and the next command."""
    mine, theirs = found["owed_by_me"], found["owed_to_me"]
    if not mine and not theirs:
        return Page([f"{found['agent']}  nothing is overdue"], [], [])
    lines = [] if not mine else [f"Owed by {found['agent']}"]
    for item in mine:
        lines += _late(item, f"from {item['from']}", f"{ato} reply {short(item['id'])} response")
    lines += [] if not theirs else [f"Owed to {found['agent']}"]
    for item in theirs:
        lines += _late(item, f"to {item['to']}", f"{ato} thread {short(item['thread_id'])}")
    return Page([f"{found['agent']}  owes {len(mine)}, is owed {len(theirs)}"], lines, [])


def _late(item: dict[str, Any], whom: str, following: str) -> list[str]:
    since = f"{show.day_time(item['since'])}, {show.age(item['since'])}"
    words = {
        "response_by": f"answer was due {show.day_time(item['response_by'])}, {show.age(item['response_by'])}",
        "escalate_after": f"was to be escalated {show.day_time(item['escalate_after'])}",
        "budget": f"ran past its budget of {item['budget_minutes']} min",
    }
    why = "; ".join(words[name] + (f" {since}" if name == "budget" == item["why"][0] else "") for name in item["why"])
    summary = show.one_line(item["summary"], _WIDTH - 8)
    return [
        f"  {item['intent']} {whom}{': ' + summary if summary else ''}",
        f"          {item['id']}  {why}",
        f"          Next: {following}",
    ]


def opened(uri: str) -> str:
    """A reference and how to open it: a file with its size or that it is missing, an issue as the command to run."""
    from urllib.parse import unquote_to_bytes, urlsplit

    shown = show.one_line(uri).replace(" ", "%20")  # so that nothing in it looks like what stands behind it
    try:
        parts = urlsplit(uri)
        if parts.scheme == "gh":
            return f"{shown}{_issue(parts.netloc, parts.path)}"
        if parts.scheme != "file" or parts.netloc:
            return shown
        path = os.fsdecode(unquote_to_bytes(parts.path))
        return f"{shown} ({'a folder' if os.path.isdir(path) else show.size(os.stat(path).st_size)})"
    except OSError:
        return f"{shown} (missing)"
    except ValueError:  # no URI after all, or a path no system could have
        return shown


def _issue(owner: str, path: str) -> str:
    """The command that shows an issue or a pull request; empty where a part is none that may stand in a command."""
    import re

    found = re.fullmatch(r"/([A-Za-z0-9_][A-Za-z0-9._-]*)/(issues|pulls?)/([0-9]{1,9})/?", path)
    if found is None or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", owner):
        return ""
    kind = "issue" if found[2] == "issues" else "pr"
    return f" (open: gh {kind} view {found[3]} --repo {owner}/{found[1]})"


def thread(document: Thread, agent: Optional[str], ato: str = "ato") -> Page:
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
    open_ = mine and document["status"] in ("open", "accepted")
    return Page([], lines, [f"Answer: {ato} reply {short(mine[-1]['id'])} response"] if open_ else [])


def threads(found: list[Thread], ato: str = "ato") -> Page:
    """The recent conversations."""
    if not found:
        return Page([f"No threads yet. Open one: {ato} send TO INTENT --summary …"], [], [])
    lines = []
    for document in found:
        last = document["messages"][-1]["ts"] if document["messages"] else document.get("opened")
        subject = show.one_line(document["subject"], 40)
        people = ", ".join(document["participants"])
        lines.append(f"{document['id']}  {document['status']:<9}  {show.age(last):<11}  {people}: {subject}")
    return Page([], lines, [f"Show one: {ato} thread {short(found[0]['id'])}"])


def trace(found: dict[str, Any]) -> Page:
    """Where a message is."""
    lines = []
    for event in found["events"]:
        lines.append(f"  {show.one_line(event['at'] or '?'):<20}  {show.one_line(event['what'])}")
        lines.append(f"  {'':<20}  {place(event['path'])}")
    return Page([f"{found['id']}  {found['state']}"], lines, [], frame.FOUND)


def roster(
    bus: Bus, rows: list[dict[str, Any]], ato: str = "ato", spent: Optional[Mapping[str, str]] = None, counted: str = ""
) -> Page:
    """Who is on the bus, and who may not write to whom; with what each agent `spent` today and when it was counted."""
    if not rows:
        return Page([f"Nobody has joined yet. In a project folder: {ato} join NAME"], [], [])
    cells = []
    for row in rows:
        slugs = ", ".join(sorted({session["slug"] for session in row["sessions"]}))
        where = slugs or (f"last seen {show.age(row['last_seen'])}" if row["last_seen"] else "never seen")
        marks = f"  {spent[row['name']]}" if spent and row["name"] in spent else ""
        marks += "  god" if row["god"] else ""
        me = "  (you)" if row["name"] == bus.who.agent else ""
        role = show.one_line(row["role"] or "-", 24)
        cells.append(
            (row["name"], role, row["domain"] or "-", row["state"], where, f"{row['pending']} pending{marks}{me}")
        )
    widths = [max(len(row[column]) for row in cells) for column in range(5)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0])).rstrip() for row in cells]
    today = [f"Tokens and dollars are of today, counted {show.age(counted)}. More: {ato} telemetry"] if counted else []
    ran, failed = hooks(bus.home)
    return Page([], [*lines, *_rules(bus.map), *today, *ran, *failed], [], frame.FOUND)


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


def hooks(home: str) -> tuple[list[str], list[str]]:
    """When each hook last ran, and the last error, which may quote anybody."""
    ran, error = hook_log.ran(home), hook_log.last_error(home)
    return (
        ["Hooks: " + (", ".join(f"{event} {show.age(at)}" for event, at in ran.items()) or "none has run here yet")],
        [f"Last hook error: {show.one_line(error, 300)}"] if error else [],
    )


def drain(settings: dict[str, Any]) -> str:
    """Whether the sessions of an agent may end with mail unhandled."""
    state = "on" if settings["enabled"] else "off"
    return (
        f"drain is {state} for {settings['agent']} "
        f"(scope {settings['scope']}, from {settings['min_priority']}, at most {settings['max_blocks']} blocks)"
    )


def findings(home: str, found: list[Finding], ato: str = "ato") -> Page:
    """What doctor found, each with the next command. It quotes names and errors from files of anybody."""
    ran, lines = hooks(home)
    for finding in found:
        lines.append(f"{finding['severity']:<7}  {show.one_line(finding['what'])}")
        lines.append(f"         {place(finding['path'])}")
        if finding["fix"]:
            lines.append(f"         Next: {show.calls(show.one_line(finding['fix']), ato)}")
    return Page([*ran, *([] if found else ["Nothing is wrong."])], lines, [], frame.FOUND)
