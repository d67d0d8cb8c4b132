"""One change of an issue, request by request, and the way back when one of them fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from . import github_block
from . import github_issue as meaning
from .github_api import Api, Refused
from .provider import TaskProviderFailed


class Change:
    """What is being done to one issue; `address` is where a person looks at it."""

    def __init__(self, api: Api, repo: str, number: int) -> None:
        self._api = api
        self._repo = f"repos/{repo}"
        self._issue = f"{self._repo}/issues/{number}"
        self.address = f"https://{api.host}/{repo}/issues/{number}"
        self._undo: list[Callable[[], object]] = []

    def set(self, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """Title, state, body: what of `new` differs, in one request. The issue as it is then, or `old`."""
        differs = [name for name in new if new[name] != old[name]]
        if not differs:
            return old

        def setting(values: dict[str, Any]) -> Callable[[], Any]:
            return lambda: self._api.call("PATCH", self._issue, {name: values[name] for name in differs})

        return meaning.read(self._tried(setting(new), setting(old)))

    def note(self, text: str) -> None:
        """Add a comment."""
        comment = self._api.call("POST", f"{self._issue}/comments", {"body": github_block.note(text)})
        if isinstance(comment, dict) and isinstance(comment.get("id"), int):
            self._undo.append(lambda: self._api.call("DELETE", f"{self._repo}/issues/comments/{comment['id']}"))

    def label(
        self, labels: list[str], wanted: dict[str, str | None], make: Callable[[dict[str, str]], None]
    ) -> list[str]:
        """Give the issue, which has `labels`, the one wanted of each kind; `make` makes them. The labels it has then.

        They are added and taken away one by one, and GitHub says after each request which there are. Who adds last
        so takes away what others have added, and one label of a kind stays.
        """
        missing = {kind: label for kind, label in wanted.items() if label and not meaning.has(labels, label)}
        if missing:
            make(missing)
            labels = self._add(missing.values())
        for kind, label in wanted.items():
            for other in meaning.of_kind(labels, kind):
                if other.lower() != label:
                    labels = self._remove(other)
            if label and not meaning.of_kind(labels, kind):
                # Somebody who set another took ours away, and we theirs: without this there would be none.
                labels = self._add([label])
        return labels

    def take_back(self, failure: TaskProviderFailed) -> None:
        """Undo what was done, the last first. Where that fails too, the failure says what to look at."""
        steps, self._undo = self._undo, []
        for step in reversed(steps):
            try:
                step()
            except TaskProviderFailed:
                failure.hint += f" The task may be half changed: look at {self.address}"
                return

    def _add(self, labels: Iterable[str]) -> list[str]:
        added = list(labels)

        def back() -> None:
            for label in added:
                self._remove(label)

        return meaning.names(
            self._tried(lambda: self._api.call("POST", f"{self._issue}/labels", {"labels": added}), back)
        )

    def _remove(self, label: str) -> list[str]:
        endpoint = f"{self._issue}/labels"
        try:
            answer = self._tried(
                lambda: self._api.call("DELETE", f"{endpoint}/{quote(label, safe='')}"), lambda: self._add([label])
            )
        except Refused as failure:
            if failure.http != 404:
                raise
            answer = self._api.pages(f"{endpoint}?per_page=100")  # somebody else has taken it away
        return meaning.names(answer)

    def _tried(self, request: Callable[[], Any], back: Callable[[], object]) -> Any:
        """What a request answers, and `back` is kept: also when it failed and may have had its effect."""
        try:
            answer = request()
        except Refused as failure:
            if failure.unsure:
                self._undo.append(back)
            raise
        self._undo.append(back)
        return answer
