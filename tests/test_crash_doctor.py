"""Killed or failed anywhere, `doctor --repair` loses and doubles nothing, and the next one ends where it would have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest

from support import crash, homes, state
from support.breakages import history, locks, mail, place
from support.cli import environment

# In this order: most look for the one pending message, of which the last makes two.
BREAKAGES = (
    mail.sender_killed_before_the_line, mail.sender_killed_after_the_line, mail.blob_left, mail.card_broken,
    mail.inbox_gone, history.thread_entry_gone, locks.guard_a_folder, place.folder_gone, place.temporary_left,
    place.modes_opened, mail.pending_no_message, mail.read_and_pending,
)  # fmt: skip
LEAST = 60


def found(outcome: crash.Outcome) -> set[tuple[str, str]]:
    """Code and path of each finding that is left."""
    assert outcome.status == 0, outcome.stdout + outcome.stderr
    document: dict[str, Any] = json.loads(outcome.stdout)
    return {(finding["code"], finding["path"]) for finding in document["findings"]} - homes.MACHINE


def contents(home: Path) -> set[bytes]:
    """The bytes of every message in a box, an archive or a quarantine."""
    return {content for path, content in crash.mail(home).items() if path.startswith("inboxes/")}


def disturb(folder: Path, patch: pytest.MonkeyPatch, faults: Callable[[int, crash.Point], list[str]]) -> int:
    """Repair a broken home with each of these faults at each call, and again without; how often that was."""
    root = folder / "home"
    home = homes.healthy(root, patch)
    for breaks in BREAKAGES:
        breaks(home)
    template = root.rename(folder / "template")
    act = crash.Act(folder, environment(root), ["doctor", "--repair", "--json"])
    with crash.Starter() as starter:
        crash.fresh(template, root)
        before = contents(home)
        left, after = found(starter.run(act)), crash.mail(home)
        assert {code for code, _ in left} == {"quarantined"}
        assert found(starter.run(act)) == left

        def judge(outcome: crash.Outcome, fault: str) -> None:
            assert fault == "kill" or outcome.status in ((0, 4) if outcome.stdout else (73,))  # when it cannot print
            assert before <= contents(home), "a message is lost"
            assert found(starter.run(act)) == left
            assert crash.mail(home) == after
            assert all(len(paths) == 1 for paths in state.boxes(home).values())

        return crash.explore(starter, act, template, root, faults, judge)


def test_killed_at_every_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever call of a repair a kill hits, no message is lost or doubled, and the next repair does the rest."""
    assert disturb(tmp_path, monkeypatch, crash.kill) >= LEAST


def test_failed_at_every_other_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever call of a repair a disk error hits, it mends what it can, and the next repair does the rest."""
    assert disturb(tmp_path, monkeypatch, crash.some_errors) >= LEAST // 4


@pytest.mark.full
@pytest.mark.parametrize("error", crash.FAILING)
def test_failed_in_every_way_at_every_call(error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, with each error at each call for which it is plausible."""
    assert disturb(tmp_path, monkeypatch, crash.each(error)) >= LEAST // 4
