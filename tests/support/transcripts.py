"""Transcripts as Claude Code writes them: single lines for a test to put together, and large sets for timing.

write(folder / "p/s-1.jsonl", said("s-1", "/home/me/web", "msg_1", output_tokens=5))  # one request of five tokens
found = counted(home, folder)  # a pass; its report by agent, by model and so on
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from agent_team_os.telemetry import counting, report, store

MIB = 1_048_576
Entry = dict[str, Any]
# As they stand inside a JSON string.
_WORDS = (
    *("the", "of", "a", "file", "line", "def", "return", "import", "self", "value", "config", "test", "error", "with"),
    *(
        "\\n",
        "\\n",
        '\\"',
        ":",
        ",",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "=",
        "->",
        "if",
        "not",
        "for",
        "in",
        "None",
        "x",
        "i",
    ),
    *("from", "json", "path", "open", "thread", "usage", "state", "token", "tokens", "result", "class", '\\"usage\\"'),
)


def said(session: str, cwd: str, message: Optional[str], at: str = "2026-05-20T09:00:00.000Z", **given: Any) -> Entry:
    """A line of an answer: keys of `usage` as they are, `model`, and whatever else a line may have."""
    usage = {key: given.pop(key) for key in list(given) if key in USAGE}
    content = given.pop("content", [{"type": "text", "text": "Done."}])
    answer = {
        "type": "message",
        "role": "assistant",
        "model": given.pop("model", "claude-opus-4-5"),
        "content": content,
    }
    if message is not None:
        answer["id"] = message
    entry = {
        "parentUuid": None, "isSidechain": False, "type": "assistant", "message": {**answer, "usage": usage},
        "uuid": f"uuid-of-{message}", "timestamp": at, "cwd": cwd, "sessionId": session, "version": "2.1.330",
    }  # fmt: skip
    return {key: value for key, value in {**entry, **given}.items() if value is not ...}


USAGE = frozenset((
    "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation",
    "server_tool_use", "speed", "service_tier", "inference_geo",
))  # fmt: skip


def read(session: str, cwd: str, text: str, at: str = "2026-05-20T09:00:00.000Z", **given: Any) -> Entry:
    """A line with what a tool returned, once for the model and once for the screen."""
    result = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": text, "is_error": False}]
    return {
        "isSidechain": False, "type": "user", "message": {"role": "user", "content": result}, "timestamp": at,
        "toolUseResult": {"stdout": text, "stderr": "", "interrupted": False}, "cwd": cwd, "sessionId": session,
        **given,
    }  # fmt: skip


def line(entry: Entry) -> bytes:
    """An entry as the client writes it."""
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def write(path: Any, *entries: Entry) -> None:
    """Add entries to a transcript, which is made where there is none."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "ab") as file:
        file.write(b"".join(map(line, entries)))


# ---- Large sets ---------------------------------------------------------------------------------


def fill(projects: str, size: int, seed: int = 1) -> dict[str, int]:
    """Write sessions of some megabytes below a folder until there are so many bytes; returns what they spent.

    Two thirds of the bytes are what tools returned, as in the client's own. Each answer has a line for each of its
    blocks with the same usage; one in forty starts a subagent with a transcript of its own.
    """
    chance = random.Random(seed)
    texts = [_text(chance, int(length)) for length in (200, 400, 800, 1500, 3000, 6000, 12000, 25000) for _ in "abc"]
    spent = {"bytes": 0, "requests": 0, "input": 0, "output": 0, "cache_read": 0, "cache_write_5m": 0}
    number = itertools.count(seed * 1_000_000_000)
    while spent["bytes"] < size:
        session = f"{chance.getrandbits(128):032x}"
        folder = os.path.join(projects, f"-home-me-project{chance.randrange(8)}")
        os.makedirs(folder, exist_ok=True)
        requests = chance.randrange(100, 400)
        _session(os.path.join(folder, session + ".jsonl"), session, requests, chance, texts, number, spent)
    return spent


def _session(
    path: str, session: str, requests: int, chance: random.Random, texts: list[str], number: Iterator[int],
    spent: dict[str, int], agent: str = "",
) -> None:  # fmt: skip
    about = (
        f'"isSidechain":{"true" if agent else "false"},"userType":"external","cwd":"/home/me/{session[:1]}",'
        f'"sessionId":"{session}","version":"2.1.330","gitBranch":"main"'
    )
    out = []
    thread = ""
    context = 20_000
    for turn in range(requests):
        at = f'"timestamp":"2026-05-{1 + turn % 28:02}T{turn // 60 % 24:02}:{turn % 60:02}:00.{turn % 1000:03}Z"'
        if turn % 15 == 0:
            thread = f"Thread    thread-202605{1 + turn % 28:02}-{chance.getrandbits(28):07x}"[:-1]
            out.append(_returned(thread + "\\n" + chance.choice(texts[:12]), at, about))
        written, given = chance.randrange(200, 4000), chance.randrange(50, 1500)
        usage = (
            f'"usage":{{"input_tokens":{turn % 9},"cache_creation_input_tokens":{written},"cache_read_input_tokens":'
            f'{context},"output_tokens":{given},"output_tokens_details":{{"thinking_tokens":0}},"server_tool_use":'
            '{"web_search_requests":0,"web_fetch_requests":0},"service_tier":"standard","cache_creation":'
            f'{{"ephemeral_1h_input_tokens":0,"ephemeral_5m_input_tokens":{written}}},"inference_geo":"",'
            '"iterations":[],"speed":"standard"}'
        )
        message = f"msg_{next(number):024}"
        blocks = [f'{{"type":"tool_use","id":"toolu_1","name":"Edit","input":{{"new":"{chance.choice(texts[:12])}"}}}}']
        if turn % 2:
            blocks.insert(0, f'{{"type":"text","text":"{chance.choice(texts[:6])}"}}')
        if turn % 3 == 0:
            blocks.insert(0, f'{{"type":"thinking","thinking":"","signature":"{chance.choice(texts[6:12])}"}}')
        for block in blocks:
            out.append(
                f'{{"parentUuid":"{session}","message":{{"id":"{message}","type":"message","role":"assistant","model":'
                f'"claude-opus-4-5-20251101","content":[{block}],"stop_reason":"tool_use","stop_sequence":null,{usage}}},'
                f'"requestId":"req_{turn:024}","type":"assistant","uuid":"{message}",{at},{about}}}\n'
            )
        out.append(_returned(chance.choice(texts), at, about))
        spent["requests"] += 1
        for name, count in zip(
            ("input", "output", "cache_read", "cache_write_5m"), (turn % 9, given, context, written)
        ):
            spent[name] += count
        context += written
        if not agent and turn % 40 == 39:
            folder = os.path.join(path.removesuffix(".jsonl"), "subagents")
            os.makedirs(folder, exist_ok=True)
            name = f"agent-{turn:08}"
            _session(os.path.join(folder, name + ".jsonl"), session, 10, chance, texts, number, spent, name)
    data = "".join(out).encode()
    spent["bytes"] += len(data)
    with open(path, "wb") as file:
        file.write(data)


def _returned(text: str, at: str, about: str) -> str:
    return (
        f'{{"type":"user","message":{{"role":"user","content":[{{"tool_use_id":"toolu_1","type":"tool_result","content":'
        f'"{text}","is_error":false}}]}},"toolUseResult":{{"stdout":"{text}","stderr":"","interrupted":false}},{at},{about}}}\n'
    )


def _text(chance: random.Random, length: int) -> str:
    """So many characters of what looks like a program's output, as they stand inside a JSON string."""
    words: list[str] = []
    while length > 0:
        words.append(chance.choice(_WORDS))
        length -= len(words[-1]) + 1
    return " ".join(words)


# ---- Counting in this process -------------------------------------------------------------------


def counted(home: Path, client: Path, agent_map: Optional[dict[str, Any]] = None) -> dict[str, Any]:
    """Make one pass over what lies below the client's folder, and return the report of every kind."""

    def work(db: sqlite3.Connection) -> dict[str, Any]:
        counting.run(db, str(home), {"CLAUDE_CONFIG_DIR": str(client)}, agent_map or {})
        agents = (agent_map or {}).get("agents", {})
        return {kind: report.build(db, kind, None, None, agents) for kind in report.KINDS}

    home.mkdir(mode=0o700, exist_ok=True)
    return store.using(str(home), work)


def spent(found: dict[str, Any], kind: str = "agent") -> dict[str, int]:
    """All tokens by key."""
    return {row["key"]: row["tokens"] for row in found[kind]["rows"]}
