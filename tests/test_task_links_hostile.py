"""Whatever a message says and whatever lies among the kept changes, a task is what it should be, and mail goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Team
from support import state
from support.tasked import about_tasks, answer, in_file, kept, listed, no_such_kind, request

NEVER_SENT = "msg-20260520T091812Z-x7q3abcd"
TITLES = {
    "lines": ("\n Login loops \t on Safari \r\x0b\nignore all that", "Login loops   on Safari"),
    "control characters": ("Login\x1b[2J loops\x07\x9b", "Login [2J loops"),
    "direction marks": ("Login \u202eirafaS no spool\u2066", "Login  irafaS no spool"),
    "nothing that prints": ("\u200b\u202e\u2060", "note"),
    "as long as it may be": ("x" * 10_000, "x" * 500),
    "a space at the end of a title": ("x" * 499 + " " + "y" * 100, "x" * 499),
    "shell and markup": ("$(id) `id` --help <b> [x] \\n", "$(id) `id` --help <b> [x] \\n"),
}


def test_titles(team: Team) -> None:
    """The title is the first line of the summary as far as it prints, cut; where nothing prints it is the intent."""
    for summary, _ in TITLES.values():
        payload = {"summary": summary}
        sent = team.json("ops", "send", "dev", "note", "--payload", "-", "--task", stdin=json.dumps(payload))
        assert about_tasks(sent) == []
        assert team.stored(sent)["payload"] == payload
    found = dict(zip(TITLES, (task["title"] for task in listed(team)), strict=True))
    assert found == {name: title for name, (_, title) in TITLES.items()}


def test_references(team: Team) -> None:
    """References that a task cannot have stay in the message; the others are the task's, as many as a message has."""
    odd = ["x:a b", "x:a\nb", "x:\u202e", "x:\x1b[2J", "x:\u00a0"]
    for uris in ([*odd, "x:1", "x:2"], [f"x:{number}" for number in range(256)]):
        sent = request(team, *[word for uri in uris for word in ("--ref", uri)])
        assert about_tasks(sent) == []
        assert team.stored(sent)["context_refs"] == uris
        assert in_file(team)[-1]["refs"] == [*(uri for uri in uris if uri not in odd), f"ato://{sent['id']}"]


def test_reasons(team: Team) -> None:
    """The reason of a decline is one line of what prints, cut."""
    for text in ("No \x1b[2J\u202etime\nat all", "x" * 10_000):
        payload = json.dumps({"summary": text})
        sent = request(team)
        declined = team.json("dev", "reply", sent["id"], "decline", "--payload", "-", stdin=payload)
        assert about_tasks(declined) == []
    first, second = (task["notes"][0]["text"] for task in in_file(team))
    assert first == "declined by dev: No  [2J time"
    assert second == ("declined by dev: " + "x" * 500)[:500]


@pytest.mark.parametrize("task_id", ["../../x", "t-1\n\x1b[2J", f"ato://{NEVER_SENT}", "x" * 255])
def test_ids(task_id: str, team: Team) -> None:
    """An answer to a message that names a task nobody has is sent, with one warning, in which all is visible."""
    line = {"to": "dev", "intent": "note", "payload": {"summary": "x"}, "task_id": task_id}
    sent = json.loads(team.run("ops", "send", "--batch", "-", stdin=json.dumps(line)).stdout)
    done = team.run("dev", "reply", sent["id"], "accept")
    assert done.returncode == 0
    assert done.stderr.count("was not changed") == 1
    assert "\x1b" not in done.stdout + done.stderr
    assert all("was not changed" in line or "no live session" in line for line in done.stderr.splitlines())
    assert len(state.check(team.home)) == 2
    assert kept(team) == []


def change(message_id: str, **fields: Any) -> dict[str, Any]:
    """A change as the program keeps it, but for these fields."""
    task = {"title": "x", "refs": []}
    whole = {"agent": "dev", "task_id": f"ato://{message_id}", "task": task, "changes": None, "number": 1}
    return {"message_id": message_id, **whole, **fields}


# No change of a task: left where they are, and nothing is done.
WRONG: dict[str, Any] = {
    "a list": [],
    "a text": "x",
    "null": None,
    "nothing": {},
    "another key": {**change("ID"), "color": "red"},
    "another message": change(NEVER_SENT),
    "an agent with slashes": change("ID", agent="../../dev"),
    "an agent that is none": change("ID", agent=["dev"]),
    "a task that is none": change("ID", task=["x"]),
    "references that are none": change("ID", task={"title": "x", "refs": 5}),
    "a task of another message": change("ID", task_id="ato://msg-20260520T091812Z-aaaaaaaa"),
    "an id with slashes": change("ID", task_id="../../x"),
    "an id that is none": change("ID", task_id=5),
    "neither": change("ID", task=None),
    "a number that is none": change("ID", number="1"),
}


def put(team: Team, name: str, data: bytes) -> Path:
    """A file among the changes."""
    path = team.home / "tasks/changes" / name
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def lay_out(team: Team) -> list[Path]:
    """Every kind of file that is no change, as if it were one of a message that was sent; where they lie."""
    paths = []
    line = {"to": "ops", "intent": "note", "payload": {"summary": "x"}}
    done = team.run("ops", "send", "--batch", "-", stdin=(json.dumps(line) + "\n") * len(WRONG))
    for document, sent in zip(WRONG.values(), done.stdout.splitlines(), strict=True):
        message_id = json.loads(sent)["id"]
        paths.append(put(team, f"{message_id}.json", json.dumps(document).replace('"ID"', f'"{message_id}"').encode()))
    raw: list[bytes | Callable[[Path], None]] = [
        b"", b"{", b"\xff\xfe", b"[" * 100_000, b" " * 3_000_000, b'{"number":' + b"9" * 5000 + b"}",
        os.mkfifo, Path.mkdir, lambda path: path.symlink_to(team.home / "AGENT_MAP.json"),
    ]  # fmt: skip
    for index, content in enumerate(raw):
        path = put(team, f"msg-20260520T09181{index}Z-x7q3abcd.json", b"")
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.unlink()
            content(path)
        paths.append(path)
    names = ("notes.txt", ".hidden", "msg-1.json", "msg-20260520T091812Z-x7q3abcd.json.bak", "\x1b[2J")
    return [*paths, *(put(team, name, b"{}") for name in names)]


def test_what_is_no_change(team: Team) -> None:
    """What is no change is left where it is, hinders nothing and says nothing."""
    paths = lay_out(team)
    sent = request(team)
    assert about_tasks(sent) == []
    assert about_tasks(answer(team, sent, "accept")) == []
    done = team.run("dev", "tasks", "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [(task["id"], task["status"]) for task in json.loads(done.stdout)["tasks"]] == [("t-1", "doing")]
    assert kept(team) == sorted(paths)


def test_a_change_of_a_message_that_was_never_sent(team: Team) -> None:
    """It is dropped, and closes no task of another message."""
    sent = request(team)
    for fields in ({"task_id": f"ato://{sent['id']}"}, {"task": None, "changes": {"status": "done"}}, {}):
        path = put(team, f"{NEVER_SENT}.json", json.dumps(change(NEVER_SENT, **fields)).encode())
        assert [task["status"] for task in listed(team)] == ["todo"]
        path.unlink(missing_ok=True)


@pytest.mark.parametrize(
    "fields",
    [
        {"changes": {"status": "nonsense"}}, {"changes": {"assignee": "../x"}}, {"changes": {"color": "red"}},
        {"changes": {"refs": [5], "note": 5}}, {"task": {"refs": []}}, {"task": {"title": {}, "refs": [[]]}},
    ],
)  # fmt: skip
def test_a_change_that_no_manager_takes(fields: dict[str, Any], team: Team) -> None:
    """The change of a message that was sent, edited into nonsense, is said once and forgotten."""
    sent = request(team)
    answered = answer(team, sent, "accept")
    name = answered["id"]
    whole = change(name, task=None, **fields) if "changes" in fields else change(name, **fields)
    put(team, f"{name}.json", json.dumps(whole | ({"task_id": "t-1"} if "changes" in fields else {})).encode())
    done = team.run("dev", "tasks", "list")
    assert done.returncode == 0
    assert done.stderr.count("was not changed") == 1
    assert kept(team) == []
    assert [task["status"] for task in in_file(team)] == ["doing"]


def test_the_highest_number(team: Team) -> None:
    """A change with the highest number there is hides none that comes after it."""
    with no_such_kind(team):
        first = request(team)
        path = team.home / f"tasks/changes/{first['id']}.json"
        path.write_text(json.dumps({**json.loads(path.read_bytes()), "number": 2**53}))
        request(team, summary="Ship it")
    assert {task["title"] for task in listed(team)} == {"Login loops on Safari", "Ship it"}
    assert kept(team) == []
