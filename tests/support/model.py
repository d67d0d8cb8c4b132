"""A scripted stand-in for the model's server, for the real client to talk to on loopback.

with Model() as model:
    model.say(bash("ls"), "Done.")  # the next two answers: a tool call, then a text
    model.when("my draft", Turn(error=500), times=1)  # goes first where the newest text contains this
    ...  # run a client against model.url
    assert "the hook's context" in model.asked()[0].text

A request of the conversation carries tools and takes the next answer of its key's queue. Titles, probes and such
carry none: they get a fixed answer and never disturb the queue. A subagent and /compact do take answers; a rule
keeps them apart.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Optional, Union

PATIENCE = 30  # seconds to wait for a request before the test fails
USAGE = {"input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 5}
Block = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """One answer: a text, then tool calls as (name, input); or an HTTP error; `delay` is in seconds before it."""

    text: str = ""
    tools: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    error: int = 0
    delay: float = 0

    def blocks(self) -> list[Block]:
        """The answer as content blocks of the API."""
        made: list[Block] = [{"type": "text", "text": self.text}] if self.text or not self.tools else []
        for name, given in self.tools:
            made.append({"type": "tool_use", "id": _name("toolu"), "name": name, "input": dict(given)})
        return made


Answer = Union[str, Turn]


def bash(command: str, text: str = "") -> Turn:
    """The model calls the Bash tool."""
    return Turn(text, (("Bash", {"command": command, "description": "a command"}),))


@dataclass(frozen=True)
class Request:
    """What a client asked: with which key, in which session, and the whole document."""

    key: str
    body: dict[str, Any]

    @property
    def side(self) -> bool:
        """Whether this is no part of the conversation: a title, a probe."""
        return not self.body.get("tools")

    @property
    def session(self) -> str:
        """The client's session_id; empty if it sent none."""
        user = self.body.get("metadata", {}).get("user_id", "")
        try:
            return str(json.loads(user)["session_id"])
        except (ValueError, KeyError, TypeError):
            return ""

    @property
    def text(self) -> str:
        """All the model reads: the system prompt and every message with its tool calls and results."""
        return "\n".join([_text(self.body.get("system", "")), *map(_text, self._messages)])

    @property
    def newest(self) -> str:
        """What came after the model's last answer."""
        fresh: list[str] = []
        for message in reversed(self._messages):
            if message["role"] == "assistant":
                break
            fresh.insert(0, _text(message))
        return "\n".join(fresh)

    @property
    def _messages(self) -> list[dict[str, Any]]:
        return list(self.body.get("messages", ()))


def _text(item: Any) -> str:
    """The text of a message, a content block, or a list of blocks."""
    if isinstance(item, str):
        return item
    if isinstance(item, list):
        return "\n".join(map(_text, item))
    if item.get("type") == "tool_use":
        return json.dumps(item["input"], ensure_ascii=False)
    return _text(item.get("text", item.get("content", "")))


def _name(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex[:24]}"


@dataclass
class _Rule:
    what: Union[str, Callable[[Request], bool]]
    answer: Answer
    times: float

    def holds(self, request: Request) -> bool:
        if isinstance(self.what, str):
            return not request.side and self.what in request.newest
        return self.what(request)


class Model:
    """The server, listening at `url` from `with` to its end; every request is kept."""

    def __init__(self, default: Answer = "OK.") -> None:
        self.default = default
        self.requests: list[Request] = []
        # Whatever else a client called, as "GET /path".
        self.others: list[str] = []
        self._queues: dict[str, deque[Answer]] = defaultdict(deque)
        self._rules: list[_Rule] = []
        self._news = threading.Condition()
        self._closing = threading.Event()
        handler = type("Handler", (_Handler,), {"model": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Model:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def say(self, *answers: Answer, key: str = "") -> None:
        """Put answers into the queue of a key; the queue "" serves every key without one of its own."""
        with self._news:
            self._queues[key].extend(answers)

    def when(self, what: Union[str, Callable[[Request], bool]], answer: Answer, times: Optional[int] = None) -> None:
        """Answer so, before any queue, where the newest text of the conversation contains `what`, or `what` holds."""
        with self._news:
            self._rules.append(_Rule(what, answer, float("inf") if times is None else times))

    def asked(self, key: str = "") -> list[Request]:
        """The requests of the conversation so far, of one key or of all."""
        with self._news:
            return [request for request in self.requests if not request.side and key in ("", request.key)]

    def wait_for(self, what: str, key: str = "") -> Request:
        """The first request of the conversation whose newest text contains `what`; AssertionError if none comes."""
        end = time.monotonic() + PATIENCE
        with self._news:
            while True:
                for request in self.asked(key):
                    if what in request.newest:
                        return request
                left = end - time.monotonic()
                assert left > 0, f"nobody asked for {what!r}; asked: {[r.newest[-300:] for r in self.asked(key)]}"
                self._news.wait(left)

    def answer(self, request: Request) -> Turn:
        """Keep a request and choose what it gets."""
        with self._news:
            self.requests.append(request)
            self._news.notify_all()
            chosen = self._choose(request)
        turn = Turn(chosen) if isinstance(chosen, str) else chosen
        self._closing.wait(turn.delay)
        return turn

    def _choose(self, request: Request) -> Answer:
        for rule in self._rules:
            if rule.times > 0 and rule.holds(request):
                rule.times -= 1
                return rule.answer
        if request.side:
            return "A title"
        queue = self._queues[request.key if request.key in self._queues else ""]
        return queue.popleft() if queue else self.default


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, as on Esc, is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # so that a connection is kept, and a stream can come in chunks
    model: Model

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.model.others.append(f"HEAD {self.path}")
        self._send(200, {})

    def do_GET(self) -> None:
        self.model.others.append(f"GET {self.path}")
        self._send(404, {"type": "error", "error": {"type": "not_found_error", "message": "no such endpoint"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        path = self.path.partition("?")[0]
        if path != "/v1/messages":
            self.model.others.append(f"POST {path}")
            counted = path.endswith("/count_tokens")
            self._send(200 if counted else 404, {"input_tokens": 10} if counted else {})
            return
        turn = self.model.answer(Request(self.headers.get("x-api-key", ""), body))
        if turn.error:
            error = {"type": "api_error", "message": f"scripted error {turn.error}"}
            self._send(turn.error, {"type": "error", "error": error})
            return
        message = {
            "id": _name("msg"),
            "type": "message",
            "role": "assistant",
            "model": body.get("model"),
            "content": turn.blocks(),
            "stop_reason": "tool_use" if turn.tools else "end_turn",
            "stop_sequence": None,
            "usage": USAGE,
        }
        if body.get("stream"):
            self._stream(message)
        else:
            self._send(200, message)

    def _send(self, status: int, document: Mapping[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _stream(self, message: dict[str, Any]) -> None:
        """The message as the events of a stream, each block in one piece."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event("message_start", {"message": {**message, "content": [], "stop_reason": None}})
        for index, block in enumerate(message["content"]):
            if block["type"] == "text":
                empty: Block = {"type": "text", "text": ""}
                delta = {"type": "text_delta", "text": block["text"]}
            else:
                empty = {**block, "input": {}}
                delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            self._event("content_block_start", {"index": index, "content_block": empty})
            self._event("content_block_delta", {"index": index, "delta": delta})
            self._event("content_block_stop", {"index": index})
        end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        self._event("message_delta", {"delta": end, "usage": message["usage"]})
        self._event("message_stop", {})
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, name: str, fields: Mapping[str, Any]) -> None:
        data = f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
