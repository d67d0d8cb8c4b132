"""What fails on the way to GitHub: what went wrong and what to do next is said, and nothing is left half done."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.tasks import github as kind
from agent_team_os.tasks.provider import Changes, Place, TaskProviderFailed
from support.github import REPO, TOKEN, GitHub

ISSUE = f"/repos/{REPO}/issues/1"
SHORT = 0.5  # seconds after which gh is not waited for, here
# How every request fails: what is said about it, and what to do next.
FAILURES: dict[str, tuple[Any, str, str, str]] = {
    "a wrong token": (401, "Bad credentials", "Bad credentials", "gh auth login"),
    "no right": (403, "Resource not accessible by personal access token", "not accessible", "token that may write"),
    "too many requests": (403, "API rate limit exceeded for user ID 1.", "rate limit", "gh api rate_limit"),
    "too many at once": (429, "You have exceeded a secondary rate limit", "secondary", "gh api rate_limit"),
    "no such repository": (404, "Not Found", "Not Found", "repo in task_provider"),
    "a repository that has moved": (307, "Moved", "307", "new name"),
    "no issues": (410, "Issues are disabled for this repo", "disabled", "changed nothing"),
    "refused": (422, "Validation Failed", "Validation Failed", "changed nothing"),
    "a server error": (500, "", "500", "try again later"),
    "a bad gateway": (502, "Server Error", "502", "try again later"),
    "a page for people": ("html", "", "broken", "gh api"),
    "half an answer": ("truncated", "", "unexpected EOF", "try again later"),
    "broken JSON": ("broken", "", "broken", "gh api"),
    "a hung up connection": ("dropped", "", "EOF", "connection"),
}
ALL: Changes = {
    "title": "new", "status": "doing", "assignee": "secure", "priority": "p0", "due": "2026-05-23T16:00:00Z",
    "note": "a note",
}  # fmt: skip
# Requests of that change, and whether they have their effect before they fail.
STEPS = [
    ("PATCH", "/issues/1$", False), ("PATCH", "/issues/1$", True), ("POST", "/comments$", False),
    ("POST", f"{REPO}/labels$", False), ("POST", "/1/labels$", False), ("POST", "/1/labels$", True),
    ("DELETE", "/labels/agent:dev$", False), ("DELETE", "/labels/priority:p2$", True),
]  # fmt: skip


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    """A repository with one issue, and without the label of secure."""
    with GitHub().used(tmp_path) as server:
        server.seed()
        server.add("as it was", ("bug", "agent:dev", "priority:p2"), "Text")
        yield server


@pytest.fixture
def provider(github: GitHub, tmp_path: Path) -> kind.GitHub:
    """Its tasks."""
    return github.provider(tmp_path)


def kept(github: GitHub) -> Any:
    """All that a person sees of the issues."""
    return copy.deepcopy(
        [{**issue, "labels": sorted(issue["labels"]), "body": issue["body"] or ""} for issue in github.issues.values()]
    ), copy.deepcopy(github.comments)


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_says_what_to_do(name: str, github: GitHub, provider: kind.GitHub) -> None:
    """A failure names what has failed and what to do next, on one line."""
    how, message, said, hint = FAILURES[name]
    before = kept(github)
    github.fail("GET", "", how, message)
    with pytest.raises(TaskProviderFailed) as failure:
        provider.list({})
    assert said in failure.value.message
    assert "github.com" in failure.value.message
    assert hint in failure.value.hint
    assert "\n" not in failure.value.message + failure.value.hint
    assert kept(github) == before


def test_no_program(github: GitHub, tmp_path: Path) -> None:
    """Without gh, and with something else in its place, the person is told where to get it, or where to name it."""
    (tmp_path / "text").write_text("not a program")
    for program in ("gh-that-nobody-has", str(tmp_path / "text"), str(tmp_path)):
        with pytest.raises(TaskProviderFailed, match="cannot be run") as failure:
            github.provider(tmp_path, program=program).list({})
        assert "cli.github.com" in failure.value.hint


def test_a_program_in_the_home_of_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in the setting program is the person's home, as in every other kind."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "gh").write_text("#!/bin/sh\necho '[]'\n")
    (tmp_path / "gh").chmod(0o700)
    settings = {"kind": "github", "repo": REPO, "program": "~/gh"}
    assert kind.open(settings, Place(str(tmp_path / "bus"), "side")).list({}) == []


def test_not_logged_in(provider: kind.GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not logged in is told how to."""
    monkeypatch.delenv("GH_TOKEN")
    monkeypatch.delenv("GH_ENTERPRISE_TOKEN")
    with pytest.raises(TaskProviderFailed) as failure:
        provider.list({})
    assert failure.value.hint == "Log in: gh auth login --hostname github.com"


def test_a_slow_server(github: GitHub, tmp_path: Path) -> None:
    """Who gets no answer is told after some time, and gh is not left behind."""
    before = kept(github)
    with github.failing("slow"), pytest.raises(TaskProviderFailed, match=f"within {SHORT} s"):
        github.provider(tmp_path, timeout=SHORT).list({})
    assert kept(github) == before


def test_a_page_that_fails(github: GitHub, provider: kind.GitHub) -> None:
    """When a later page fails, the pages before it are not taken for the list."""
    github.page = 1
    github.add("another")
    github.fail("GET", "/issues$", 502, passing=1)
    with pytest.raises(TaskProviderFailed, match="502"):
        provider.list({})


@pytest.mark.parametrize("answer", ["other", "html", "broken"])
def test_an_answer_that_is_no_issue(answer: str, github: GitHub, provider: kind.GitHub) -> None:
    """An answer that is something else than what was asked for is a failure, not a task."""
    with github.failing(answer):
        with pytest.raises(TaskProviderFailed):
            provider.list({})
        with pytest.raises(TaskProviderFailed):
            provider.get("1")


@pytest.mark.parametrize(("method", "path", "after"), STEPS)
def test_a_change_that_fails_in_the_middle(
    method: str, path: str, after: bool, github: GitHub, provider: kind.GitHub
) -> None:
    """Whichever request of a change fails, and whether or not it had its effect, the issue is as it was."""
    before = kept(github)
    github.fail(method, path, 502, after=after, times=1)
    with pytest.raises(TaskProviderFailed) as failure:
        provider.update("1", ALL)
    assert "half changed" not in failure.value.hint
    assert kept(github) == before


def test_a_change_works_when_github_does_again(github: GitHub, provider: kind.GitHub) -> None:
    """After a failure the same change can be made."""
    github.fail("POST", f"{REPO}/labels$", 502, times=1)
    with pytest.raises(TaskProviderFailed):
        provider.update("1", ALL)
    assert provider.update("1", ALL).items() >= {"title": "new", "status": "doing", "assignee": "secure"}.items()
    assert github.on(1) == {"bug", "status:doing", "agent:secure", "priority:p0"}


def test_a_change_that_cannot_be_taken_back(github: GitHub, provider: kind.GitHub) -> None:
    """Where GitHub fails for good in the middle of a change, the person is told which issue to look at."""
    github.fail("POST|DELETE|PATCH", "", 502, passing=1)
    with pytest.raises(TaskProviderFailed) as failure:
        provider.update("1", {"title": "new", "note": "a note"})
    assert failure.value.hint.endswith(f"The task may be half changed: look at https://github.com/{REPO}/issues/1")


@pytest.mark.parametrize("how", [502, "dropped", "html", "slow"])
def test_a_task_whose_making_was_not_confirmed(how: Any, github: GitHub, tmp_path: Path) -> None:
    """When the answer to a new task is lost, the person is told to look, and the reference finds the task."""
    provider = github.provider(tmp_path, timeout=SHORT if how == "slow" else 60)
    github.seed()
    github.fail("POST", "/issues$", how, after=True)
    with pytest.raises(TaskProviderFailed) as failure:
        provider.create({"title": "x", "refs": ["agent-team-os:msg/1"]})
    assert "may have arrived all the same" in failure.value.hint
    assert [task["title"] for task in provider.list({"ref": "agent-team-os:msg/1"})] == ["x"]


def test_labels_that_are_left_out(github: GitHub, provider: kind.GitHub) -> None:
    """Who may make issues and not label them gets no task that says less than it should: it is closed again."""
    github.seed()
    github.labelling = False
    with pytest.raises(TaskProviderFailed, match="left out the labels") as failure:
        provider.create({"title": "x", "assignee": "dev"})
    assert "token" in failure.value.hint
    assert github.issues[2]["state"] == "closed"


def test_labels_that_cannot_be_made(github: GitHub, provider: kind.GitHub) -> None:
    """Who may not make the labels makes no task without them."""
    github.labelling = False
    with pytest.raises(TaskProviderFailed, match="not accessible"):
        provider.create({"title": "x", "assignee": "secure"})
    assert list(github.issues) == [1]


def test_tokens_are_never_shown(github: GitHub, provider: kind.GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is in no error, not even when the server sends it back or gh is told to log all it does."""
    other = "gho_" + "0ther" * 8  # of another login, in gh's own file
    monkeypatch.setenv("GH_ENTERPRISE_TOKEN", "plain-and-simple")
    monkeypatch.setenv("GH_DEBUG", "api")
    said = f"no rights for {TOKEN}, {other} and plain-and-simple"
    with github.failing(403, said), pytest.raises(TaskProviderFailed, match="no rights for …, … and …") as failure:
        provider.list({})
    assert "Authorization" not in failure.value.message
