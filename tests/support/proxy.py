"""A proxy in front of an S3 server, in which goes wrong what can go wrong between a program and its store.

with Proxy(team.endpoint) as proxy:
    team = dataclasses.replace(team, endpoint=proxy.url)
    proxy.put = lambda path, data: ...    # instead of what the server does with a PUT
    proxy.answers = [(503, b"")]          # to the next requests, which go no further
"""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Optional
from urllib.parse import urlsplit


class Proxy:
    """Passes requests on, signature and all; what it does to them can be changed at any time."""

    def __init__(self, endpoint: str) -> None:
        self.upstream = urlsplit(endpoint).netloc
        self.put: Optional[Callable[[str, bytes], None]] = None
        self.answers: list[tuple[int, bytes]] = []  # status and body for the next requests
        self.refuses = ""  # what a path has in it that is answered with 403
        self.cut: Optional[int] = None  # how many bytes of an answer are passed on before the connection ends
        self.hangs = False  # whether requests are never answered
        self.seen: list[str] = []  # method and path of each request
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    proxy: Proxy

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.proxy.seen.append(f"{self.command} {self.path}")
        self.close_connection = True
        if self.proxy.hangs:
            self.proxy.closing.wait()
            return
        if self.proxy.answers:
            self._answer(*self.proxy.answers.pop(0), headers=[("ETag", '"0"')])
            return
        if self.proxy.refuses and self.proxy.refuses in self.path:
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>", headers=[])
            return
        if self.proxy.put and self.command == "PUT":
            self.proxy.put(self.path, body)
            self._answer(200, b"", headers=[("ETag", '"0"')])
            return
        upstream = http.client.HTTPConnection(self.proxy.upstream)
        upstream.request(self.command, self.path, body, dict(self.headers.items()))
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        self._answer(answer.status, data, answer.getheaders())

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _pass_on

    def _answer(self, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
        if self.proxy.cut == 0:
            return
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = dict(headers).get("Content-Length", str(len(body)))
        self.send_header("Content-Length", length)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[: self.proxy.cut])

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is written anywhere."""
