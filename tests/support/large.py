"""A bus with a past: thousands of read messages, laid down as the bus would have, without its fsyncs.

past = fill(home, threads=10_000, messages=10, days=100)  # ended yesterday; of agents that have joined
past[0].id, past[0].agents, past[0].messages  # the oldest conversation, its two agents, the ids of its messages

Benchmarks use it too, so it stands on the standard library alone.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

AGENTS = ("ops", "dev", "growth", "secure", "lead")
DAY = 86_400
LONG = "The login page loops on Safari after the session cookie was renewed by the second tab. "
# A message as the bus writes it; %% is not in it, and no value needs an escape.
MESSAGE = (
    '{"id":"%s","version":"2.0","from":"%s","to":"%s","thread_id":"%s","in_reply_to":%s,"ts":"%s",'
    '"type":"%s","intent":"login-loop","priority":"normal","payload":{"summary":"Part %d of conversation %d",'
    f'"text":"{LONG}"}},"context_refs":[],"attachments":[],'
    '"requires_response":%s,"response_by":null,"delivery":"agent"}'
)


class Conversation(NamedTuple):
    """A thread of the past: one asks, the other answers, in turns; it ends with an answer."""

    id: str
    agents: tuple[str, str]
    messages: list[str]


def fill(home: str, threads: int, messages: int, days: int, agents: Sequence[str] = AGENTS) -> list[Conversation]:
    """Lay down so many conversations of so many messages each, evenly over the days before today, the oldest first.

    An even number of messages ends with a response to the first question, and one alone asks nothing: nobody owes
    anything.
    """
    total = threads * messages
    begin = int(time.time()) // DAY * DAY - days * DAY
    logs: dict[str, list[str]] = defaultdict(list)
    for agent in agents:
        for folder in (f"{home}/inboxes/{agent}", f"{home}/inboxes/{agent}/.read"):
            os.makedirs(folder, mode=0o700, exist_ok=True)
    past = []
    for number in range(threads):
        people = (agents[number % len(agents)], agents[(number + 1) % len(agents)])
        entries: list[dict[str, str]] = []
        thread_id = ""
        for part in range(messages):
            count = number * messages + part
            at = begin + count * days * DAY // total
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
            thread_id = thread_id or f"thread-{stamp[:8]}-{number:06d}"
            sender, to = people if part % 2 == 0 else people[::-1]
            last = part == messages - 1
            kind = ("event" if last else "question") if part == 0 else "response" if last else "event"
            entry = {
                "id": f"msg-{stamp}-{count:08d}", "from": sender, "to": to, "type": kind, "intent": "login-loop",
                "ts": f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:]}",
            }  # fmt: skip
            before = f'"{entries[-1]["id"]}"' if entries else "null"
            text = MESSAGE % (
                entry["id"], sender, to, thread_id, before, entry["ts"], kind, part, number,
                "true" if kind == "question" else "false",
            )  # fmt: skip
            entries.append(entry)
            logs[entry["ts"][:10]].append(text)
            _write(f"{home}/inboxes/{to}/.read/{entry['id']}.json", (text, "\n"))
        closed = messages > 1
        thread = {
            "id": thread_id, "subject": f"Part 0 of conversation {number}", "participants": sorted(people),
            "messages": entries, "status": "completed" if closed else "open", "opened": entries[0]["ts"],
            "closed": entries[-1]["ts"] if closed else None,
        }  # fmt: skip
        path = f"{home}/threads/{thread_id}.json"
        _write(path, (json.dumps(thread, separators=(",", ":")), "\n"))
        os.utime(path, (at, at))
        past.append(Conversation(thread_id, people, [entry["id"] for entry in entries]))
    for day, lines in logs.items():
        _write(f"{home}/outbox/{day}.jsonl", (line + "\n" for line in lines))
    return past


def _write(path: str, texts: Iterable[str]) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.writelines(texts)
