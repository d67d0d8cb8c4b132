"""What an issue of GitHub is as a task, and what of it stays the person's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.protocol.errors import InvalidMap
from agent_team_os.tasks import github as kind
from agent_team_os.tasks.provider import InvalidTask, Place, TaskProviderFailed, UnknownTask
from support.github import REPO, GitHub

DUE = "2026-05-23T16:00:00Z"
THREAD = "thread-20260520-abc123"
MARK = "<!-- agent-team-os"


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    """A repository in which nothing was ever done."""
    with GitHub().used(tmp_path) as server:
        yield server


@pytest.fixture
def provider(github: GitHub, tmp_path: Path) -> kind.GitHub:
    """Its tasks."""
    return github.provider(tmp_path)


def test_any_issue_is_a_task(github: GitHub, provider: kind.GitHub) -> None:
    """An issue that a person has made is a task to do, of ordinary priority; a pull request is none."""
    github.add("Login loops", ("bug", "priority:high"), "As alex said")
    github.add("Fix the login", pull_request={"url": "https://api.github.com/"})
    github.add("Old", state="closed", state_reason="not_planned")
    first, old = provider.list({})
    assert first == {
        "id": "1", "title": "Login loops", "status": "todo", "assignee": None, "priority": "p2", "depends_on": [],
        "due": None, "refs": [], "thread_id": None,
    }  # fmt: skip
    assert (old["id"], old["status"]) == ("3", "done")
    for way in (provider.get, provider.close):
        with pytest.raises(UnknownTask):
            way("2")
    assert github.issues[2]["state"] == "open"


def test_all_pages_are_read(github: GitHub, provider: kind.GitHub) -> None:
    """A list goes on until GitHub says there is no further page, also of the labels and the comments."""
    github.page = 20
    for number in range(100):
        github.add(f"task {number}", (f"label {number}", "agent:dev"), state="closed" if number % 3 else "open")
    assert [task["title"] for task in provider.list({"assignee": "dev"})] == [f"task {number}" for number in range(100)]
    assert len(github.requests) == 5
    assert len(provider.list({"status": "done"})) == 66
    assert len(github.requests) == 5 + 4
    for number in range(21):
        github.make_comment({}, {"body": f"note {number}"}, "1")
    assert len(provider.get("1")["notes"]) == 21
    github.labels["priority:p0"] = {"name": "priority:p0", "color": "ededed", "description": None}
    provider.update("1", {"priority": "p0"})
    assert "/labels" not in [path for path, _ in github.sent("POST")]


def test_what_is_made_while_the_pages_come(github: GitHub, provider: kind.GitHub) -> None:
    """An issue made between two pages of a list is in it, and none is in it twice."""
    github.page = 2
    for number in range(3):
        github.add(f"task {number}")
    github.before["GET", "/repositories/1/issues"] = lambda: github.add("task 3")
    assert [task["title"] for task in provider.list({})] == [f"task {number}" for number in range(4)]


def test_github_chooses_where_it_can(github: GitHub, provider: kind.GitHub) -> None:
    """State and labels of a filter are GitHub's to look for, so that a few of many thousand come alone."""
    for number in range(3):
        github.add(f"task {number}", ("agent:dev",) if number else (), state="open" if number else "closed")
    provider.list({"status": "doing", "assignee": "dev"})
    provider.list({"status": "done"})
    provider.list({"ref": "file:///x"})
    doing, done, ref = (path for path, _ in github.sent("GET"))
    assert "state=open&" in doing
    assert "labels=status%3Adoing%2Cagent%3Adev" in doing
    assert "state=closed&" in done
    assert "state=all&" in ref


def test_a_task_is_one_request(github: GitHub, provider: kind.GitHub) -> None:
    """A new task has title, body and labels from its first moment; labels are made before, and made once."""
    made = provider.create({"title": "one", "assignee": "dev", "priority": "p1", "due": DUE})
    provider.create({"title": "two", "assignee": "dev", "priority": "p1"})
    assert [path for path, _ in github.sent("POST")] == [
        f"/repos/{REPO}/{x}" for x in ("labels", "labels", "issues", "issues")
    ]
    assert github.on(1) == {"priority:p1", "agent:dev"}
    assert {label["color"] for label in github.labels.values()} == {"d93f0b", "1d76db"}
    assert provider.list({"ref": "x"}) == []
    assert provider.list({"assignee": "dev"})[0] == made


def test_labels_of_the_person_stay(github: GitHub, provider: kind.GitHub) -> None:
    """Only labels of our own form are taken away, however a person has written them; all others stay."""
    own = {"bug", "priority:high", "priority:p0x", "status:blocked", "status:doing it", "agent:", "agent:dev or ops"}
    github.add("x", (*own, "Priority:P3", "Agent:Ops", "status:doing"))
    assert provider.get("1").items() >= {"priority": "p3", "assignee": "ops", "status": "doing"}.items()
    changed = provider.update("1", {"priority": "p0", "assignee": None, "status": "todo"})
    assert changed.items() >= {"priority": "p0", "assignee": None, "status": "todo"}.items()
    assert github.on(1) == {*own, "priority:p0"}
    provider.update("1", {"priority": "p3"})
    assert github.on(1) == {*own, "Priority:P3"}
    assert len(github.sent("DELETE")) == 4
    assert [body["name"] for path, body in github.sent("POST") if path.endswith(f"{REPO}/labels")] == ["priority:p0"]


@pytest.mark.parametrize(
    "text", ["", "Steps:\r\n1. open\r\n\r\n", "ends here", f"{MARK} -->\nnever ended", "C:\\x ^ 🎉\n\n"]
)
def test_the_text_of_the_person_stays(text: str, github: GitHub, provider: kind.GitHub) -> None:
    """What a person wrote before our block and after it stays byte for byte, and is alone when the block goes."""
    issue = github.add("x", body=text)
    assert provider.update("1", {"due": DUE, "thread_id": THREAD})["due"] == DUE
    assert issue["body"].startswith(text)
    assert issue["body"].count("<!-- /agent-team-os -->") == 1
    issue["body"] = (issue["body"] + "\nThanks").replace("\n", "\r\n") if text == "" else issue["body"] + "\nThanks"
    changed = provider.update("1", {"refs": ["file:///a"], "due": None})
    assert changed.items() >= {"refs": ["file:///a"], "due": None, "thread_id": THREAD}.items()
    assert issue["body"].endswith("\nThanks")
    provider.update("1", {"refs": [], "thread_id": None})
    assert issue["body"].replace("\r\n", "\n") == (text + "\nThanks").replace("\r\n", "\n")


def test_the_block_can_be_edited(github: GitHub, provider: kind.GitHub) -> None:
    """A person may change the lines of the block in a browser; lines of another kind stay in it."""
    provider.create({"title": "x", "due": DUE, "refs": ["file:///a"]})
    issue = github.issues[1]
    lines = issue["body"].split("\n")
    assert lines[1:-1] == [f"Due: {DUE}", "Ref: file:///a"]
    mine = [
        "Due: 2027-01-02T03:04+01:00",
        "  Depends on: #7,#8",
        "Ref: https://example.com/a?b=1&c=@d",
        "Due: soon",
        "Ask max",
    ]
    issue["body"] = "Hello\r\n" + "\r\n".join([lines[0], *mine, lines[-1]])
    assert provider.get("1").items() >= {
        "due": "2027-01-02T02:04:00Z", "depends_on": ["7", "8"], "refs": ["https://example.com/a?b=1&c=@d"],
    }.items()  # fmt: skip
    assert provider.update("1", {"due": None})["due"] is None
    assert "\nDue: soon\nAsk max\n<" in issue["body"]


def test_a_quoted_block_is_no_block(github: GitHub, provider: kind.GitHub) -> None:
    """Of two blocks, one of them pasted from another issue, the last one counts."""
    provider.create({"title": "x", "due": DUE})
    mine = github.issues[1]["body"]
    github.issues[1]["body"] = f"As in the other:\n{mine.replace('2026', '2031')}\n\n{mine}"
    assert provider.get("1")["due"] == DUE
    provider.update("1", {"due": "2027-01-02T03:04:05Z"})
    assert github.issues[1]["body"].count("2031") == 1


def test_long_titles(github: GitHub, provider: kind.GitHub) -> None:
    """A title that GitHub would refuse is cut there and whole as a task, until a person writes another."""
    title = "é" * 255 + "🎉 <b> & `end` \\u0041"
    made = provider.create({"title": title})
    assert made["title"] == title
    assert github.issues[1]["title"] == "é" * 255 + "…"
    assert "\nTitle: ééé" in github.issues[1]["body"]
    assert provider.list({})[0]["title"] == title
    github.issues[1]["title"] = "Shorter"
    assert provider.get("1")["title"] == "Shorter"
    provider.update("1", {"title": "Mine"})
    assert (github.issues[1]["title"], github.issues[1]["body"]) == ("Mine", None)


def test_what_gh_shows_otherwise(github: GitHub, provider: kind.GitHub) -> None:
    """The code of a control character, which gh replaces, comes back whole; a text with one is never written over."""
    title, note = "\\u001b[31m \\u0041 &#92;u0041", "\\u001b[31m &#92; &#38;#92; \\n"
    made = provider.create({"title": title, "refs": ["x:\\u001b&#10;"]})
    assert provider.update("1", {"note": note}) == made
    assert provider.get("1") == {**made, "notes": [note]}
    assert github.issues[1]["title"] == title
    issue = github.add("x", body="It prints \\u001b[31m, see `a\\nb`")
    with pytest.raises(TaskProviderFailed, match="does not show the text"):
        provider.update("2", {"due": DUE})
    assert provider.update("2", {"title": "y", "status": "doing"})["title"] == "y"
    assert issue["body"] == "It prints \\u001b[31m, see `a\\nb`"


def test_issues_that_are_gone(github: GitHub, provider: kind.GitHub) -> None:
    """An issue that was deleted, and one that was moved to another repository, is no task."""
    github.add("deleted", deleted=True)
    github.add("moved")["number"] = 12
    for number in "12":
        with pytest.raises(UnknownTask):
            provider.update(number, {"title": "x"})


def test_another_host(github: GitHub, tmp_path: Path) -> None:
    """A GitHub of one's own is used by its name, on every page."""
    github.page = 2
    provider = github.provider(tmp_path, host="git.example.com")
    for number in range(3):
        provider.create({"title": f"task {number}"})
    assert len(provider.list({})) == 3
    assert all(path.startswith("/api/v3/") for _, path, _ in github.requests)


def test_text_is_never_a_word_of_the_command(github: GitHub, tmp_path: Path) -> None:
    """Words of the command are checked names and numbers: whatever a task says goes through stdin."""
    log, program = tmp_path / "words", tmp_path / "my gh"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{log}"\nexec gh "$@"\n')
    program.chmod(0o755)
    provider = github.provider(tmp_path, program=str(program))
    made = provider.create({"title": "SECRET --help", "refs": ["SECRET:-X"], "assignee": "dev"})
    provider.update(made["id"], {"title": "@SECRET", "note": "-f SECRET=@/etc/passwd"})
    provider.list({"ref": "SECRET", "thread_id": "SECRET"})
    assert "SECRET" not in log.read_text()
    assert github.issues[1]["title"] == "@SECRET"


def test_names_too_long_for_a_label(github: GitHub, provider: kind.GitHub) -> None:
    """An agent whose label GitHub would refuse gets no task, and GitHub is not asked."""
    with pytest.raises(InvalidTask, match="50"):
        provider.create({"title": "x", "assignee": "a" * 45})
    assert github.requests == []
    assert provider.create({"title": "x", "assignee": "a" * 44})["assignee"] == "a" * 44


def test_refs_too_long_for_a_body(github: GitHub, provider: kind.GitHub) -> None:
    """More refs than an issue can hold are InvalidTask, and nothing is changed."""
    made = provider.create({"title": "x"})
    refs = [f"file:///{number}/{'x' * 4000}" for number in range(17)]
    with pytest.raises(InvalidTask, match="65536"):
        provider.update("1", {"refs": refs})
    with pytest.raises(InvalidTask, match="65536"):
        provider.create({"title": "y", "refs": refs})
    assert provider.list({}) == [made]


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"repo": "web"}, {"repo": "ops/web/x"}, {"repo": "../web"}, {"repo": "ops/.."}, {"repo": "ops/we b"},
        {"repo": "ops/web?x"}, {"repo": "ops/web\n"}, {"repo": 1}, {"repo": "ops/web", "host": "-x"},
        {"repo": "ops/web", "host": "https://x"}, {"repo": "ops/web", "program": ""}, {"repo": "ops/web", "program": 1},
    ],
)  # fmt: skip
def test_settings_that_cannot_be(settings: dict[str, Any], tmp_path: Path) -> None:
    """Settings that name no repository, host or program are InvalidMap, before anything runs."""
    with pytest.raises(InvalidMap):
        kind.open({"kind": "github", **settings}, Place(str(tmp_path), "side"))
