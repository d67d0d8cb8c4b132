"""A GitHub of our own: the part of its API that tasks use, for the real `gh`, on a socket of this machine.

with GitHub().used(folder) as server:    # one repository, ops/web, with nothing in it
    provider = server.provider(folder)   # gh finds this server and nothing else: no network, no login of a person
    server.fail("POST", r"/issues$", "html")
    server.requests                      # (method, path with query, body) of all that came

gh speaks plain HTTP over the socket, whatever host it is told. The server is stricter than GitHub where that finds
mistakes: labels have to be made before an issue can have them, and fields and parameters it does not know are refused.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional
from urllib.parse import unquote

import pytest

from agent_team_os.tasks import github
from agent_team_os.tasks.provider import Place
from support import github_wire as wire
from support.cli import PATIENCE
from support.github_wire import Failure, Refusal

TOKEN = "gho_" + "t0ken" * 8  # in the form of GitHub's own
REPO = "ops/web"
_TIME = "2026-05-01T12:00:00Z"


def invalid(resource: str, code: str, name: str) -> Refusal:
    """The 422 for a field."""
    error = {"resource": resource, "code": code, "field": name}
    return Refusal(422, "Validation Failed", errors=[error])


@dataclass
class GitHub:
    """The server; whoever changes what it keeps, beside it, holds `lock`."""

    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)  # by their names in lower case
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    page: int = 100  # the most entries of a page
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    labelling: bool = True  # whether the token may label
    socket: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    before: dict[tuple[str, str], Callable[[], object]] = field(default_factory=dict)  # once, by method and path
    closing: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def serving(self) -> Iterator[GitHub]:
        """Answer as long as the `with` lasts."""
        with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp") as folder:  # the name of a socket is short
            self.socket = os.path.join(folder, "api")
            with wire.serving(self):
                yield self

    def environ(self, folder: Path, socket: Optional[str] = None) -> dict[str, str]:
        """The variables that lead gh here; its configuration goes into `folder`."""
        folder.mkdir(exist_ok=True)
        (folder / "config.yml").write_text(f"http_unix_socket: {socket or self.socket}\n")
        return {"GH_CONFIG_DIR": str(folder), "GH_TOKEN": TOKEN, "GH_ENTERPRISE_TOKEN": TOKEN}

    @contextlib.contextmanager
    def used(self, folder: Path) -> Iterator[GitHub]:
        """Serve, and let gh use it in this process too; what it needs goes into `folder`."""
        with self.serving(), pytest.MonkeyPatch.context() as patch:
            for name, value in self.environ(folder / "gh").items():
                patch.setenv(name, value)
            yield self
            assert not self.before, "a request that should have come has not"

    def provider(self, folder: Path, timeout: float = PATIENCE, **settings: str) -> github.GitHub:
        """The provider for this repository; `folder` becomes the bus home."""
        made = github.open({"kind": "github", "repo": REPO, **settings}, Place(str(folder / "bus"), "side"))
        made._api.timeout = timeout
        return made

    def fail(self, method: str, path: str, kind: object, message: str = "Server Error", **how: Any) -> None:
        """Let requests fail whose path, without the query, matches; see Failure."""
        self.failures.append(Failure(method, path, kind, message, **how))

    @contextlib.contextmanager
    def failing(self, kind: object, message: str = "Server Error") -> Iterator[None]:
        """Let every request fail as long as the `with` lasts."""
        self.fail(".*", "", kind, message)
        try:
            yield
        finally:
            self.failures.pop()

    def add(self, title: str, labels: tuple[str, ...] = (), body: Optional[str] = None, **more: Any) -> dict[str, Any]:
        """Put an issue there, as a person makes it in a browser; its labels too."""
        with self.lock:
            for name in labels:
                self.labels.setdefault(name.lower(), {"name": name, "color": "ededed", "description": None})
            number = max(self.issues, default=0) + 1
            issue = {
                "number": number, "title": title, "body": body, "state": "open", "state_reason": None,
                "labels": list(labels), "created_at": _TIME, "user": {"login": "alex"}, "assignees": [],
                "author_association": "OWNER", **more,
            }  # fmt: skip
            self.issues[number] = issue
            return issue

    def on(self, number: int) -> set[str]:
        """The labels of an issue."""
        return set(self.issues[number]["labels"])

    def sent(self, method: str) -> list[tuple[str, Any]]:
        """Paths and bodies of the requests with this method."""
        return [(path, body) for used, path, body in self.requests if used == method]

    def seed(self) -> None:
        """Make the labels that most tasks have."""
        for name in ("status:doing", *(f"priority:p{n}" for n in range(4)), "agent:dev", "agent:ops"):
            self.labels[name] = {"name": name, "color": "ededed", "description": None}

    # ---- Answers; the lock is held

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any, int]:
        """Status, document, and of a listing the number of its pages, else 0. Refusal if GitHub would refuse."""
        match = re.fullmatch(r"/(?:repos/([^/]+/[^/]+)|repositories/1)(/.*)?", path)
        if not match or (match.group(1) or REPO).lower() != REPO:
            raise Refusal(404, "Not Found")
        rest = match.group(2) or ""
        for used, pattern, way in _WAYS:
            if used == method and (found := re.fullmatch(pattern, rest)):
                return way(self, query, body, *map(unquote, found.groups()))  # type: ignore[no-any-return]
        raise Refusal(404, "Not Found")

    def repository(self, query: dict[str, str], body: Any) -> tuple[int, Any, int]:
        """The repository itself."""
        return 200, {"id": 1, "full_name": REPO}, 0

    def list_issues(self, query: dict[str, str], body: Any) -> tuple[int, Any, int]:
        """Issues and pull requests, the newest first unless told."""
        known(query, "state", "labels", "sort", "direction", "per_page", "page")
        state = query.get("state", "open")
        names = [name.lower() for name in query.get("labels", "").split(",") if name]
        found = [
            issue for issue in self.issues.values()
            if state in {"all", issue["state"]} and set(names) <= {name.lower() for name in issue["labels"]}
        ]  # fmt: skip
        if query.get("direction", "desc") == "desc":
            found.reverse()
        entries, pages = self.paged(found, query)
        return 200, [self.shown(issue) for issue in entries], pages

    def list_labels(self, query: dict[str, str], body: Any) -> tuple[int, Any, int]:
        """The labels of the repository."""
        known(query, "per_page", "page")
        entries, pages = self.paged(list(self.labels.values()), query)
        return 200, entries, pages

    def make_label(self, query: dict[str, str], body: Any) -> tuple[int, Any, int]:
        """A new label; its name is new in any case of its letters."""
        known(body, "name", "color", "description")
        name, color = body.get("name"), body.get("color", "ededed")
        if not self.labelling:
            raise Refusal(403, "Resource not accessible by personal access token")
        if not isinstance(name, str) or not 0 < len(name) <= 50:
            raise invalid("Label", "invalid", "name")
        if not re.fullmatch("[0-9a-f]{6}", color) or len(body.get("description") or "") > 100:
            raise invalid("Label", "invalid", "color")
        if name.lower() in self.labels:
            raise invalid("Label", "already_exists", "name")
        self.labels[name.lower()] = {"name": name, "color": color, "description": body.get("description")}
        return 201, self.labels[name.lower()], 0

    def make_issue(self, query: dict[str, str], body: Any) -> tuple[int, Any, int]:
        """A new issue; without the right to label, GitHub leaves the labels out and says nothing."""
        known(body, "title", "body", "labels")
        self.check(body, {"title": ""})
        labels = self.existing(body.get("labels", [])) if self.labelling else []
        issue = self.add(body["title"].strip(), tuple(labels), body.get("body") or None)
        return 201, self.shown(issue), 0

    def get_issue(self, query: dict[str, str], body: Any, number: str) -> tuple[int, Any, int]:
        """One issue, or pull request."""
        return 200, self.shown(self.issue(number)), 0

    def change_issue(self, query: dict[str, str], body: Any, number: str) -> tuple[int, Any, int]:
        """Title, body, state."""
        known(body, "title", "body", "state", "state_reason")
        issue = self.issue(number)
        self.check(body, issue)
        for name, value in body.items():
            issue[name] = value.strip() if name == "title" else value or None
        return 200, self.shown(issue), 0

    def labels_of(self, query: dict[str, str], body: Any, number: str) -> tuple[int, Any, int]:
        """The labels of one issue."""
        return 200, self.shown(self.issue(number))["labels"], 0

    def add_labels(self, query: dict[str, str], body: Any, number: str) -> tuple[int, Any, int]:
        """Add to the labels of one issue; answers with all of them."""
        known(body, "labels")
        issue = self.issue(number)
        for name in self.existing(body["labels"]):
            if name not in issue["labels"]:
                issue["labels"].append(name)
        return 200, self.shown(issue)["labels"], 0

    def remove_label(self, query: dict[str, str], body: Any, number: str, name: str) -> tuple[int, Any, int]:
        """Take a label from one issue; answers with those left."""
        issue = self.issue(number)
        if name.lower() not in {label.lower() for label in issue["labels"]}:
            raise Refusal(404, "Label does not exist")
        issue["labels"] = [label for label in issue["labels"] if label.lower() != name.lower()]
        return 200, self.shown(issue)["labels"], 0

    def list_comments(self, query: dict[str, str], body: Any, number: str) -> tuple[int, Any, int]:
        """The comments of one issue, the oldest first."""
        known(query, "per_page", "page")
        self.issue(number)
        entries, pages = self.paged([one for one in self.comments.values() if one["issue"] == int(number)], query)
        return 200, entries, pages

    def make_comment(self, query: dict[str, str], body: Any, number: str) -> tuple[int, Any, int]:
        """A comment."""
        known(body, "body")
        self.issue(number)
        if not body["body"].strip() or len(body["body"]) > 65536:
            raise invalid("IssueComment", "invalid", "body")
        made = max(self.comments, default=100) + 1
        self.comments[made] = {"id": made, "body": body["body"], "issue": int(number), "user": {"login": "alex"}}
        return 201, self.comments[made], 0

    def remove_comment(self, query: dict[str, str], body: Any, number: str) -> tuple[int, Any, int]:
        """Take a comment away; answers with nothing."""
        if self.comments.pop(int(number), None) is None:
            raise Refusal(404, "Not Found")
        return 204, None, 0

    def issue(self, number: str) -> dict[str, Any]:
        """The issue with this number."""
        found = self.issues.get(int(number))
        if found is None:
            raise Refusal(404, "Not Found")
        if found.get("deleted"):
            raise Refusal(410, "This issue was deleted")
        return found

    def shown(self, issue: dict[str, Any]) -> dict[str, Any]:
        """An issue as it is sent."""
        names = sorted(issue["labels"], key=lambda name: list(self.labels).index(name.lower()))
        return {**issue, "labels": [{"id": 1, **self.labels[name.lower()]} for name in names]}

    def existing(self, names: list[str]) -> list[str]:
        """The names of labels as they were made; Refusal for those that were not."""
        if not names or not all(name.lower() in self.labels for name in names):
            raise invalid("Label", "missing", "name")
        return [self.labels[name.lower()]["name"] for name in names]

    def check(self, body: dict[str, Any], old: dict[str, Any]) -> None:
        """Refusal for what no issue may be."""
        title = {**old, **body}["title"]
        if not isinstance(title, str) or not title.strip() or len(title) > 256 or "\n" in title:
            raise invalid("Issue", "custom", "title")
        if not isinstance(body.get("body") or "", str) or len(body.get("body") or "") > 65536:
            raise invalid("Issue", "custom", "body")
        if body.get("state", "open") not in {"open", "closed"}:
            raise invalid("Issue", "invalid", "state")

    def paged(self, entries: list[Any], query: dict[str, str]) -> tuple[list[Any], int]:
        """The entries of the page asked for, and how many pages there are."""
        size, page = min(int(query.get("per_page", "30")), self.page), int(query.get("page", "1"))
        return entries[(page - 1) * size : page * size], max(1, -(-len(entries) // size))


_WAYS: list[tuple[str, str, Callable[..., Any]]] = [
    ("GET", "", GitHub.repository),
    ("GET", "/issues", GitHub.list_issues),
    ("POST", "/issues", GitHub.make_issue),
    ("GET", "/issues/([0-9]+)", GitHub.get_issue),
    ("PATCH", "/issues/([0-9]+)", GitHub.change_issue),
    ("GET", "/issues/([0-9]+)/labels", GitHub.labels_of),
    ("POST", "/issues/([0-9]+)/labels", GitHub.add_labels),
    ("DELETE", "/issues/([0-9]+)/labels/([^/]+)", GitHub.remove_label),
    ("GET", "/issues/([0-9]+)/comments", GitHub.list_comments),
    ("POST", "/issues/([0-9]+)/comments", GitHub.make_comment),
    ("DELETE", "/issues/comments/([0-9]+)", GitHub.remove_comment),
    ("GET", "/labels", GitHub.list_labels),
    ("POST", "/labels", GitHub.make_label),
]


def known(given: Any, *names: str) -> None:
    """Refusal for a field or parameter that the way does not have."""
    if not isinstance(given, dict) or given.keys() - set(names):
        raise Refusal(422, f"Invalid request. {given} is not a permitted key.")
