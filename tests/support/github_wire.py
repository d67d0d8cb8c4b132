"""Between the `gh` program and the GitHub of the tests: HTTP over a socket, and all that can go wrong there."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

if TYPE_CHECKING:
    from support.github import GitHub

HTML = b"<!DOCTYPE html><html><title>Sign in to the hotel's network</title></html>"
_PATH = re.compile(r"(?:/repos/[^/]+/[^/]+|/repositories/1)(.*)")


class Refusal(Exception):
    """A status, and what GitHub says with it."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message, "documentation_url": "https://docs.github.com/rest", **more}


@dataclass
class Failure:
    """How requests fail: `kind` is a status, or one of html, broken, other, truncated, dropped, slow.

    With `after` the request has its effect all the same. It fails `times`, the first `passing` ones go through.
    """

    method: str
    path: str
    kind: object
    message: str = "Server Error"
    after: bool = False
    times: int = 10**9
    passing: int = 0


@contextlib.contextmanager
def serving(github: GitHub) -> Iterator[None]:
    """Answer on the socket of a GitHub as long as the `with` lasts."""
    handler = type("Handler", (_Handler,), {"github": github})
    with _Server(github.socket, handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            github.closing.set()
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingUnixStreamServer):
    request_queue_size = 64
    daemon_threads = False  # they all end with the server


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    github: GitHub

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Bear that gh hangs up, when it is killed."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def _received(self) -> Any:
        """The JSON that came, in chunks; None without any."""
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        while self.headers.get("Transfer-Encoding") == "chunked":
            size = int(self.rfile.readline(), 16)
            data += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                break
        return json.loads(data) if data else None

    def _answer(self) -> None:
        url, body, github = urlsplit(self.path), self._received(), self.github
        path = url.path.removeprefix("/api/v3") if self.headers["Host"] != "api.github.com" else url.path
        plain = unquote(path)
        with github.lock:
            github.requests.append((self.command, self.path, body))
            action = github.before.pop((self.command, plain), None)
        if action:
            action()
        failure = self._failure(plain)
        if failure and not failure.after:
            return self._fail(failure)
        try:
            with github.lock:
                if self.headers.get("Authorization", "").split(" ")[-1] not in github.tokens:
                    raise Refusal(401, "Bad credentials")
                query = {
                    name: values[0] for name, values in parse_qs(url.query, strict_parsing=bool(url.query)).items()
                }
                status, document, pages = github.answer(self.command, path, query, body)
                data = json.dumps(document, ensure_ascii=False).encode() if document is not None else b""
        except Refusal as refusal:
            return self._send(refusal.status, json.dumps(refusal.body).encode())
        if failure:
            return self._fail(failure)
        self._send(status, data, self._link(path, query, pages))

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def _link(self, path: str, query: dict[str, str], pages: int) -> dict[str, str]:
        """The header that leads to the next page, as GitHub writes it: by the number of the repository."""
        page, found = int(query.get("page", "1")), _PATH.fullmatch(path)
        if page >= pages or not found:
            return {}
        host = self.headers["Host"]
        base = f"https://{host}{'' if host == 'api.github.com' else '/api/v3'}/repositories/1{found.group(1)}"
        links = [
            f'<{base}?{urlencode({**query, "page": to})}>; rel="{rel}"'
            for rel, to in (("next", page + 1), ("last", pages))
        ]
        return {"Link": ", ".join(links)}

    def _failure(self, path: str) -> Optional[Failure]:
        with self.github.lock:
            for failure in self.github.failures:
                if re.fullmatch(failure.method, self.command) and re.search(failure.path, path) and failure.times > 0:
                    if failure.passing:
                        failure.passing -= 1
                        continue
                    failure.times -= 1
                    return failure
        return None

    def _fail(self, failure: Failure) -> None:
        if isinstance(failure.kind, int):
            body = {"message": failure.message} if failure.message else {}
            self._send(failure.kind, json.dumps(body).encode())
        elif failure.kind == "html":
            self._send(200, HTML, {"Content-Type": "text/html"})
        elif failure.kind == "broken":
            self._send(200, b'{"number": 1, "title": ')
        elif failure.kind == "other":
            self._send(200, b'{"number": "one"}')
        elif failure.kind == "truncated":
            self._send(200, b'{"number": 1, "title": ', {"Content-Length": "5000"})
        elif failure.kind == "slow":
            self.github.closing.wait()  # gh is killed before, or the test ends
        self.close_connection = True

    def _send(self, status: int, data: bytes, headers: Optional[dict[str, str]] = None) -> None:
        self.send_response(status)
        usual = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(data))}
        for name, value in {**usual, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
