"""handoff: the work goes over with where it stands, what comes next, and the state of the workspace."""

from __future__ import annotations

import subprocess
from pathlib import Path

from conftest import Team

STATE = ["--state-summary", "Tests pass", "--next-step", "Open the pull request"]


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder as somebody, without anybody's settings."""
    settings = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=trunk"]
    env = {"HOME": str(folder), "PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *settings, *arguments], cwd=folder, env=env, capture_output=True, check=True)
    return done.stdout.decode().strip()


def test_what_is_handed_over(team: Team) -> None:
    """A handoff has type handoff and priority high, its options in the payload, its files as references."""
    done = team.run(
        "ops", "handoff", "dev", "release", *STATE, "--next-step", "Tag it", "--blocker", "CI is red",
        "--blocker", "No key", "--file", "src/a b.ts", "--file", "/abs/x", "--ref", "gh://o/r/pull/1",
    )  # fmt: skip
    assert (done.returncode, done.stdout[:17]) == (0, "Handed over msg-2"), done.stderr
    (stored,) = team.json("dev", "inbox")["pending"]
    assert (stored["type"], stored["intent"], stored["priority"]) == ("handoff", "release", "high")
    assert stored["payload"] == {
        "state_summary": "Tests pass",
        "next_steps": ["Open the pull request", "Tag it"],
        "blockers": ["CI is red", "No key"],
    }
    assert stored["context_refs"] == ["gh://o/r/pull/1", f"file://{team.root}/ops/src/a%20b.ts", "file:///abs/x"]


def test_the_result(team: Team) -> None:
    """`handoff --json` prints the same as a send; the intent is handoff unless it is given."""
    sent = team.json("ops", "handoff", "dev/web", *STATE)
    assert set(sent) == {"id", "thread_id", "to", "session", "path", "cc", "warnings", "thread_status"}
    assert (sent["session"], sent["thread_status"]) == ("dev/web", "open")
    assert team.stored(sent)["intent"] == "handoff"


def test_every_option(team: Team) -> None:
    """A handoff takes the options of a send too; a priority that is given wins."""
    (team.root / "ops/a.txt").write_text("a")
    sent = team.json(
        "ops", "handoff", "dev", *STATE, "--body", "-", "--field", "b=2", "--summary", "s", "--priority", "low",
        "--attach", "a.txt", "--requires-response", "--response-by", "2026-05-23T18:00:00Z",
        "--thread", "thread-20260520-abc123", stdin="\ntext",
    )  # fmt: skip
    stored = team.stored(sent)
    assert stored["payload"] == {
        "summary": "s",
        "text": "text",
        "b": "2",
        "state_summary": "Tests pass",
        "next_steps": ["Open the pull request"],
    }
    assert (stored["priority"], stored["thread_id"]) == ("low", "thread-20260520-abc123")
    assert (stored["requires_response"], stored["response_by"]) == (True, "2026-05-23T18:00:00Z")
    assert stored["attachments"][0]["name"] == "a.txt"


def test_state_from_another_source(team: Team) -> None:
    """State and steps may come as a body or payload as well, and must not contradict the options."""
    payload = '{"state_summary": "Tests pass", "next_steps": ["Open the pull request"]}'
    sent = team.json("ops", "handoff", "dev", "--payload", payload, *STATE)
    assert team.stored(sent)["payload"]["next_steps"] == ["Open the pull request"]
    error = team.refused(64, "usage", "ops", "handoff", "dev", "--payload", payload, "--next-step", "Another")
    assert "next_steps" in error["message"]


def test_what_is_missing(team: Team) -> None:
    """Without a state or a next step nothing is handed over, and the hint is the option."""
    error = team.refused(4, "invalid-payload", "ops", "handoff", "dev", "--next-step", "x")
    assert error["hint"] == "Add --state-summary …"
    error = team.refused(4, "invalid-payload", "ops", "handoff", "dev", "--state-summary", "x")
    assert error["hint"] == "Add --next-step …"


def test_dry_run(team: Team) -> None:
    """`--dry-run` shows the whole handoff."""
    shown = team.json("ops", "handoff", "dev", *STATE, "--dry-run")
    assert (shown["dry_run"], shown["type"], shown["priority"]) == (True, "handoff", "high")
    assert team.json("dev", "inbox")["count"] == 0


def test_outside_git(team: Team) -> None:
    """In a folder that is no work tree nothing is said of git."""
    assert "git" not in team.stored(team.json("ops", "handoff", "dev", *STATE))["payload"]


def test_the_state_of_git(team: Team) -> None:
    """Branch, commit and changed files of the work tree go along, whatever their names are."""
    folder = team.root / "ops"
    git(folder, "init", "-q", "-b", "feature/login")
    state = team.stored(team.json("ops", "handoff", "dev", *STATE))["payload"]["git"]
    assert state == {"branch": "feature/login", "commit": "", "dirty": [], "dirty_count": 0}

    for name in ("kept", "changed", "old name"):
        (folder / name).write_text(name * 10)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "x")
    (folder / "changed").write_text("new")
    git(folder, "mv", "old name", "new name")
    (folder / "a\nb ü").touch()
    state = team.stored(team.json("ops", "handoff", "dev", *STATE))["payload"]["git"]
    assert (state["branch"], state["commit"]) == ("feature/login", git(folder, "rev-parse", "HEAD"))
    assert sorted(state["dirty"]) == ["a\nb ü", "changed", "new name"]
    assert state["dirty_count"] == 3
    git(folder, "checkout", "-q", "--detach")
    assert team.stored(team.json("ops", "handoff", "dev", *STATE))["payload"]["git"]["branch"] == "(detached)"


def test_many_changed_files(team: Team) -> None:
    """Fifty changed files are named and all are counted; that never makes the payload too large."""
    folder = team.root / "ops"
    git(folder, "init", "-q")
    for number in range(60):
        (folder / f"{number:02d}-{'x' * 220}").touch()
    state = team.stored(team.json("ops", "handoff", "dev", *STATE))["payload"]["git"]
    assert 0 < len(state["dirty"]) <= 50
    assert state["dirty_count"] == 60


def test_git_is_not_disturbed(team: Team) -> None:
    """Looking at a work tree takes none of git's locks and writes nothing into it."""
    folder = team.root / "ops"
    git(folder, "init", "-q")
    (folder / "a").touch()
    git(folder, "add", ".")
    (folder / ".git/index.lock").touch()
    before = (folder / ".git/index").stat().st_mtime_ns
    assert team.stored(team.json("ops", "handoff", "dev", *STATE))["payload"]["git"]["dirty_count"] == 1
    assert (folder / ".git/index").stat().st_mtime_ns == before
