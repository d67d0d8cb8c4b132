"""The issues of a repository on GitHub as tasks.

An issue without any of our labels is a task too: p2, nobody's, to do. A pull request is none. Two writers: labels are
added and taken away one by one, and title and state are set alone, so neither undoes what the other did. The body is
read just before its block is written, under a lock that all processes of this bus home share; GitHub can compare
nothing, so what somebody elsewhere writes into the body in that moment is lost.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote

from ..protocol.errors import InvalidMap
from ..storage import home, lock
from . import check
from . import github_issue as meaning
from .github_api import TIMEOUT, Api, Refused
from .github_change import Change
from .provider import Changes, Filter, NewTask, Place, Task, TaskProviderFailed, UnknownTask

_REPO = re.compile(r"(?![.]{1,2}/)[A-Za-z0-9._-]+/(?![.]{1,2}$)[A-Za-z0-9._-]+")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?")
_PROGRAM = re.compile(r"[^\0]+")
_STATES = {"todo": "open", "doing": "open", "done": "closed"}


def open(settings: Mapping[str, Any], place: Place) -> GitHub:
    """The issues of `repo` ("owner/name"), on `host` (github.com), by the program `program` (gh)."""
    unknown = sorted(settings.keys() - {"kind", "repo", "host", "program"})
    if unknown:
        what = f'the task provider "github" has no setting "{unknown[0][:80]}"'
        raise InvalidMap(what, "Its settings are repo, host, and program, a path.")
    repo, host, program = settings.get("repo"), settings.get("host", "github.com"), settings.get("program", "gh")
    for name, value, form, what in (
        ("repo", repo, _REPO, 'a repository as "owner/name"'),
        ("host", host, _HOST, "the name of a host"),
        ("program", program, _PROGRAM, "a program"),
    ):
        if not isinstance(value, str) or not form.fullmatch(value):
            raise InvalidMap(
                f"the agent map: task_provider of kind github needs as {name} {what}",
                'Write it so: {"kind": "github", "repo": "owner/name"}',
            )
    return GitHub(str(repo), str(host), os.path.expanduser(str(program)), place.home)


class GitHub:
    """A TaskProvider; `timeout` in seconds for each call of gh."""

    mapping = meaning.MAPPING

    def __init__(self, repo: str, host: str, program: str, bus: str, timeout: float = TIMEOUT) -> None:
        self._repo = repo
        self._endpoint = f"repos/{repo}"
        self._api = Api(program, host, timeout)
        self._bus = bus
        self._lock = "@github-" + lock.bucket(f"{host}/{repo}".lower())
        self._labels: set[str] | None = None  # that the repository has

    def get(self, task_id: str) -> Task:
        """One task, with its comments."""
        task = meaning.task(self._issue(task_id))
        comments = self._api.pages(f"{self._endpoint}/issues/{task_id}/comments?per_page=100")
        return {**task, "notes": meaning.notes(comments)}

    def create(self, task: NewTask) -> Task:
        """Make an issue in one request; the labels it needs are made before."""
        fields = cast("Changes", check.new(task))
        self._check_dependencies("", fields)
        wanted = [label for label in meaning.labels_for(fields).values() if label]
        document = {**meaning.written("", fields), "labels": wanted}
        self._make_labels({kind: label for kind, label in meaning.labels_for(fields).items() if label})
        issue = meaning.read(self._api.call("POST", f"{self._endpoint}/issues", document))
        if not all(meaning.has(meaning.names(issue["labels"]), label) for label in wanted):
            # Who may make issues and may not label them is not told so.
            failure = Refused("GitHub has left out the labels of the new issue", "Use a token that may write issues.")
            self._drop(issue, failure)
            raise failure
        return meaning.task(issue)

    def update(self, task_id: str, changes: Changes) -> Task:
        """Change an issue: first what stands in it, then the note, then its labels. What fails is taken back."""
        changes = check.changes(changes)
        wanted = meaning.labels_for(changes)
        with self._alone() if any(name in changes for name in meaning.BLOCK) else contextlib.nullcontext():
            issue = self._issue(task_id)
            if changes.get("depends_on"):
                self._check_dependencies(task_id, changes, meaning.task(issue))
                issue = self._issue(task_id)  # the search may have taken its time
            new = meaning.written(issue["body"], changes, issue["exact"])
            if "status" in changes:
                new["state"] = _STATES[changes["status"]]
            change = Change(self._api, self._repo, issue["number"])
            try:
                issue = change.set(issue, new)
                if "note" in changes:
                    change.note(changes["note"])
                labels = change.label(meaning.names(issue["labels"]), wanted, self._make_labels)
            except TaskProviderFailed as failure:
                change.take_back(failure)
                raise
        return meaning.task(issue, labels)

    def close(self, task_id: str) -> Task:
        """Close an issue, if it is open."""
        return self.update(task_id, {"status": "done"})

    def _issue(self, task_id: str) -> dict[str, Any]:
        """An issue as it is now; UnknownTask for a number that none has, or a pull request."""
        if not meaning.is_id(task_id):
            raise check.unknown(task_id)
        try:
            answer, exact = self._api.exactly(f"{self._endpoint}/issues/{task_id}")
            issue = {**meaning.read(answer), "exact": exact}
        except Refused as failure:
            if failure.http not in {404, 410}:
                raise
            self._api.call("GET", self._endpoint)  # Refused with its reason if it is the repository that is not there
            raise check.unknown(task_id) from None
        if "pull_request" in issue or str(issue["number"]) != task_id:  # a moved issue has another number
            raise check.unknown(task_id)
        return issue

    def _check_dependencies(self, task_id: str, fields: Changes, task: Task | None = None) -> None:
        """UnknownTask or InvalidTask for dependencies that cannot be; looks at those it comes upon, one by one."""
        tasks = {task_id: task} if task else {}
        ahead = list(fields.get("depends_on", ()))
        while ahead:
            other = ahead.pop()
            if other not in tasks and meaning.is_id(other):
                with contextlib.suppress(UnknownTask):
                    tasks[other] = meaning.task(self._issue(other))
                    ahead += tasks[other]["depends_on"]
        check.dependencies(task_id, fields.get("depends_on", ()), tasks)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no process of this bus home writes into a body of the repository."""
        home.make(self._bus)
        with lock.guard(self._bus, self._lock, TIMEOUT):
            yield

    def _make_labels(self, wanted: dict[str, str]) -> None:
        """Make those labels, each of its kind, that the repository does not have."""
        if self._labels is None:
            listed = meaning.names(self._api.pages(f"{self._endpoint}/labels?per_page=100"))
            self._labels = {name.lower() for name in listed}
        for kind, name in wanted.items():
            if name in self._labels:
                continue
            label = {"name": name, "color": meaning.COLOURS[kind], "description": "Agent Team OS"}
            try:
                self._api.call("POST", f"{self._endpoint}/labels", label)
            except Refused as failure:
                if not failure.exists():  # somebody else has made it since we looked
                    raise
            self._labels.add(name)

    def _drop(self, issue: dict[str, Any], failure: TaskProviderFailed) -> None:
        """Close an issue that did not become what it was to be."""
        change = Change(self._api, self._repo, issue["number"])
        try:
            change.set(issue, {"state": "closed"})
        except TaskProviderFailed:
            failure.hint += f" Close the issue yourself: {change.address}"

    # The last one: in the methods below it `list` would be this, not the type.
    def list(self, wanted: Filter) -> list[Task]:
        """The tasks that fit. GitHub chooses by state and labels, we by the rest."""
        status = wanted.get("status")
        labels = [meaning.DOING] if status == "doing" else []
        labels += [f"agent:{wanted['assignee']}"] if "assignee" in wanted else []
        query = f"state={_STATES[status] if status else 'all'}&sort=created&direction=asc&per_page=100"
        if labels:
            query += "&labels=" + quote(",".join(labels), safe="")
        issues = [meaning.read(issue) for issue in self._api.pages(f"{self._endpoint}/issues?{query}")]
        # By number: what others change while the pages come may stand on two of them.
        found = {issue["number"]: meaning.task(issue) for issue in issues if "pull_request" not in issue}
        return [task for _, task in sorted(found.items()) if check.fits(task, wanted)]
