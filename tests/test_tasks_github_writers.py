"""Two who write to one issue at once: neither loses what the other did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_team_os.protocol.errors import LockBusy
from agent_team_os.storage import lock
from agent_team_os.tasks import github as kind
from support.github import REPO, GitHub

ISSUE = f"/repos/{REPO}/issues/1"
DUE = "2026-05-23T16:00:00Z"


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    """A repository with one issue of priority p1."""
    with GitHub().used(tmp_path) as server:
        server.seed()
        server.add("x", ("priority:p1",), "Text")
        yield server


@pytest.fixture
def one(github: GitHub, tmp_path: Path) -> kind.GitHub:
    """The first writer."""
    return github.provider(tmp_path)


@pytest.fixture
def two(github: GitHub, tmp_path: Path) -> kind.GitHub:
    """The second writer."""
    return github.provider(tmp_path)


# Where the first writer stands when the second does all of its change.
MOMENTS = [("POST", f"{ISSUE}/labels"), ("DELETE", f"{ISSUE}/labels/priority:p1")]


@pytest.mark.parametrize("moment", MOMENTS)
def test_one_priority_stays(moment: tuple[str, str], github: GitHub, one: kind.GitHub, two: kind.GitHub) -> None:
    """Of two who set another priority at once one wins, and both are told what there is."""
    github.before[moment] = lambda: two.update("1", {"priority": "p3"})
    said = one.update("1", {"priority": "p0"})
    assert len(github.on(1)) == 1
    assert said["priority"] == two.get("1")["priority"]


def test_each_takes_the_other_away(github: GitHub, one: kind.GitHub, two: kind.GitHub) -> None:
    """Who sets the priority there was, while another replaces it, does not leave the task without one."""
    github.before["DELETE", f"{ISSUE}/labels/priority:p1"] = lambda: two.update("1", {"priority": "p1"})
    assert one.update("1", {"priority": "p0"})["priority"] == "p0"
    assert github.on(1) == {"priority:p0"}


def test_a_label_that_is_gone_already(github: GitHub, one: kind.GitHub) -> None:
    """Who takes away a label that a person has just taken away says what labels there are now."""

    def person() -> None:
        github.issues[1]["labels"] = ["priority:p0", "agent:dev"]

    github.before["DELETE", f"{ISSUE}/labels/priority:p1"] = person
    assert one.update("1", {"priority": "p0"})["assignee"] == "dev"


def test_other_labels_stay(github: GitHub, one: kind.GitHub, two: kind.GitHub) -> None:
    """Labels of another kind that come while one is changed stay."""
    github.before["POST", f"{ISSUE}/labels"] = lambda: two.update("1", {"assignee": "dev", "status": "doing"})
    assert one.update("1", {"priority": "p0"}).items() >= {"assignee": "dev", "status": "doing"}.items()
    assert github.on(1) == {"priority:p0", "agent:dev", "status:doing"}


def test_who_changes_no_text_writes_none(github: GitHub, one: kind.GitHub) -> None:
    """What a person writes into an issue while its status and labels are changed stays, and the title too."""

    def person() -> None:
        github.issues[1].update(body="Text, edited", title="y")

    github.before["PATCH", ISSUE] = person
    done = one.update("1", {"status": "done", "priority": "p0"})
    assert (done["title"], github.issues[1]["body"], github.issues[1]["state"]) == ("y", "Text, edited", "closed")


def test_a_label_made_by_both(github: GitHub, one: kind.GitHub, two: kind.GitHub) -> None:
    """A label that another makes at the same moment is the same label."""
    github.before["POST", f"/repos/{REPO}/labels"] = lambda: two.update("1", {"assignee": "secure"})
    assert one.update("1", {"assignee": "secure"})["assignee"] == "secure"
    assert github.on(1) == {"priority:p1", "agent:secure"}


def test_the_block_is_written_by_one_at_a_time(
    github: GitHub, one: kind.GitHub, two: kind.GitHub, tmp_path: Path
) -> None:
    """From the look at the body to its writing no other process of the bus may write one; who does not, waits not."""
    refused: list[str] = []

    def while_writing() -> None:
        for guard in (tmp_path / "bus/locks").glob("@github-*.guard"):
            with pytest.raises(LockBusy), lock.guard(str(tmp_path / "bus"), guard.stem, 0):
                pass
            refused.append(guard.stem)
        two.update("1", {"status": "doing", "note": "I wait for nobody"})

    for moment in (("GET", ISSUE), ("PATCH", ISSUE)):
        github.before[moment] = while_writing
        one.update("1", {"due": DUE if moment[0] == "GET" else None})
    assert len(refused) == 2
    assert two.get("1")["status"] == "doing"


def test_what_another_wrote_before_is_read(github: GitHub, one: kind.GitHub) -> None:
    """The body is read after the dependencies were looked up, so that what came meanwhile is not written over."""
    github.add("first")

    def person() -> None:
        github.issues[1]["body"] = "Text, edited"

    github.before["GET", f"/repos/{REPO}/issues/2"] = person
    assert one.update("1", {"depends_on": ["2"]})["depends_on"] == ["2"]
    assert github.issues[1]["body"].startswith("Text, edited\n")
