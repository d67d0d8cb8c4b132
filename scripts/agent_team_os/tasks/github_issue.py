"""What an issue of GitHub means as a task: its labels, its title, and the block at the end of its body."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..protocol import ids
from . import github_block
from .provider import OURS, PRIORITIES, Changes, FieldMap, InvalidTask, Status, Task, TaskProviderFailed

DOING = "status:doing"
MAPPING = FieldMap(
    status={"todo": "open", "doing": f"open, with the label {DOING}", "done": "closed"},
    priority={priority: f"the label priority:{priority}" for priority in PRIORITIES},
    assignee="the label agent:<name>",
    depends_on="a line of the block at the end of the body: Depends on: #3, #5",
    others={
        "due": "a line of the block: Due",
        "thread_id": "a line of the block: Thread",
        "refs": "lines of the block: Ref",
        "note": "a comment",
    },
)
KINDS = {  # of labels that are ours; a person's priority:high or status:blocked is not
    "status": re.compile(DOING),
    "priority": re.compile("priority:(p[0-3])"),
    "assignee": re.compile(f"agent:({ids.AGENT.pattern})"),
}
COLOURS = {"status": "fbca04", "priority": "d93f0b", "assignee": "1d76db"}
BLOCK = ("title", "depends_on", "due", "refs", "thread_id")  # the fields that may stand in it
_ID = re.compile(r"[1-9][0-9]{0,17}")
# Who may open an issue may write anything into its text, also our block. Of these the repository's owner chose each.
_TRUSTED = frozenset(("OWNER", "MEMBER", "COLLABORATOR"))
_CHANGED = re.compile(r"[\\^]")  # in all that gh makes of a control character or its code
_MOST_TITLE, _MOST_LABEL, _MOST_BODY = 256, 50, 65536  # characters that GitHub takes


def is_id(text: object) -> bool:
    """Whether an issue could have this number."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def read(answer: Any) -> dict[str, Any]:
    """An issue as GitHub has sent it, its body a text; TaskProviderFailed if it is none."""
    if not (
        isinstance(answer, dict)
        and isinstance(answer.get("number"), int)
        and isinstance(answer.get("title"), str)
        and answer.get("state") in {"open", "closed"}
        and isinstance(answer.get("body"), (str, type(None)))
    ):
        raise _unclear()
    names(answer.get("labels"))
    return {**answer, "body": answer.get("body") or ""}


def names(labels: Any) -> list[str]:
    """The names of a list of labels as GitHub has sent it; TaskProviderFailed if it is none."""
    if not isinstance(labels, list):
        raise _unclear()
    return [_text(label.get("name") if isinstance(label, dict) else label) for label in labels]


def notes(comments: Any) -> list[str]:
    """The texts of comments as GitHub has sent them; TaskProviderFailed if they are none."""
    return [github_block.noted(_text(one.get("body") if isinstance(one, dict) else None)) for one in comments]


def task(issue: Mapping[str, Any], labels: Sequence[str] | None = None) -> Task:
    """The task that an issue is, with these labels or its own. References of ours count only by a trusted author."""
    said = _said(names(issue["labels"]) if labels is None else labels)
    kept = github_block.read(issue["body"])
    ours = kept.title is not None and github_block.alike(_cut(kept.title), issue["title"])  # else a person's new one
    status: Status = "doing" if "status" in said else "todo"
    return {
        "id": str(issue["number"]),
        "title": kept.title if kept.title and ours else issue["title"],
        "status": "done" if issue["state"] == "closed" else status,
        "assignee": said.get("assignee"),
        "priority": next((priority for priority in PRIORITIES if priority == said.get("priority")), "p2"),
        "depends_on": list(kept.depends_on),
        "due": kept.due,
        "refs": [ref for ref in kept.refs if not ref.startswith(OURS) or issue.get("author_association") in _TRUSTED],
        "thread_id": kept.thread_id,
    }


def _said(labels: Iterable[str]) -> dict[str, str]:
    """What the labels of each kind say. Of two of a kind, which a person may have given, the first by name counts."""
    found: dict[str, str] = {}
    for label in sorted(label.lower() for label in labels):
        for name, kind in KINDS.items():
            if match := kind.fullmatch(label):
                found.setdefault(name, match.group(match.lastindex or 0))
    return found


def has(labels: Iterable[str], wanted: str) -> bool:
    """Whether a label is among these; GitHub takes upper and lower case for the same."""
    return any(label.lower() == wanted for label in labels)


def of_kind(labels: Iterable[str], kind: str) -> list[str]:
    """Those of the labels that are of one of our kinds."""
    return [label for label in labels if KINDS[kind].fullmatch(label.lower())]


def labels_for(changes: Changes) -> dict[str, str | None]:
    """Of each kind of label that these fields set: the label wanted, None for none of that kind. InvalidTask."""
    found: dict[str, str | None] = {}
    if "status" in changes:
        found["status"] = DOING if changes["status"] == "doing" else None
    if "priority" in changes:
        found["priority"] = f"priority:{changes['priority']}"
    if "assignee" in changes:
        found["assignee"] = f"agent:{changes['assignee']}" if changes["assignee"] else None
    for label in found.values():
        if label and len(label) > _MOST_LABEL:
            raise InvalidTask(
                f"{label} is too long for a label on GitHub, which has at most {_MOST_LABEL} characters",
                "Give the task to an agent with a shorter name.",
            )
    return found


def written(body: str, changes: Changes, exact: bool = True) -> dict[str, str]:
    """Body, and title if it is changed, as they are to be on GitHub. InvalidTask if GitHub would not take them.

    TaskProviderFailed if the body cannot be written again because gh may have shown it otherwise than it is.
    """
    old = github_block.read(body)
    kept, new = old, {"body": body}
    if "title" in changes:
        title = changes["title"]
        new["title"] = _cut(title)
        kept = kept._replace(title=None if new["title"] == title and github_block.passes(title) else title)
    if "depends_on" in changes:
        kept = kept._replace(depends_on=tuple(changes["depends_on"]))
    if "refs" in changes:
        kept = kept._replace(refs=tuple(changes["refs"]))
    if "due" in changes:
        kept = kept._replace(due=changes["due"])
    if "thread_id" in changes:
        kept = kept._replace(thread_id=changes["thread_id"])
    if kept == old:
        return new
    if not exact and _CHANGED.search(github_block.outside(body)):
        raise TaskProviderFailed(
            "gh does not show the text of the issue as it is (a control character, or its code after a backslash)",
            "Take that out of the issue's text, or change the issue in a browser.",
        )
    new["body"] = github_block.write(body, kept)
    if len(new["body"]) > _MOST_BODY:
        raise InvalidTask(
            f"the text of the issue would be longer than the {_MOST_BODY} characters GitHub takes", "Give fewer refs."
        )
    return new


def _cut(title: str) -> str:
    return title if len(title) <= _MOST_TITLE else title[: _MOST_TITLE - 1].rstrip() + "…"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _unclear()
    return value


def _unclear() -> TaskProviderFailed:
    return TaskProviderFailed(
        "GitHub answered with something that is no issue",
        "Look whether gh is up to date, and whether a change has arrived before you try again.",
    )
