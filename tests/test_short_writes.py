"""A write that gets only so far leaves no half of anything: the command takes it back, or the next one completes it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conftest import Team
from support import crash, state
from test_crash import LINES, THREAD, VERBS, Verb, at_site, line_by_line

_WRITE = re.compile(r'write\(\d+<(/[^>]*)>, ""\.*, (\d+)\) += (-?\d+)')


def fill(team: Team) -> None:
    """What a send writes later is larger: a limit that cuts it lets pass what comes before.

    The thread is longer than the outbox of today: most of its messages are in that of another day.
    """
    lines = [{"to": "dev", "intent": "note", "payload": {"summary": "x"}, "thread_id": THREAD}] * 10
    for count in (len(lines), 3):
        batch = "".join(json.dumps(line) + "\n" for line in lines[:count])
        assert team.run("ops", "send", "--batch", "-", stdin=batch).returncode == 0
        if count == len(lines):
            (log,) = (team.home / "outbox").glob("*.jsonl")
            log.rename(log.with_name("2026-05-20.jsonl"))


def send_file(team: Team) -> list[str]:
    """A message with an attachment, in a long thread."""
    fill(team)
    return [*VERBS["send-file"].prepare(team), "--thread", THREAD]


def send_batch(team: Team) -> list[str]:
    """Three messages in a long thread."""
    fill(team)
    return VERBS["send-batch"].prepare(team)


def reply(team: Team) -> list[str]:
    """An answer with an attachment, in a long thread."""
    fill(team)
    (team.root / "ops/trace.txt").write_text("trace")
    asked = team.ask("dev", "ops", "--thread", THREAD)["id"]
    return ["reply", asked, "response", "--summary", "main", "--attach", "trace.txt", "--json"]


CASES = {
    "send-file": VERBS["send-file"]._replace(prepare=send_file),
    "send-batch": Verb(
        send_batch, line_by_line, 0, "".join(json.dumps({**line, "thread_id": THREAD}) + "\n" for line in LINES)
    ),
    "reply": VERBS["reply"]._replace(prepare=reply),
    "read": VERBS["read"],
    "join": VERBS["join"],
}


def writes(outcome: crash.Outcome) -> list[tuple[Path, int, int]]:
    """Of each write into a file its path, how many bytes were to be written and how many were."""
    found = [match for match in map(_WRITE.match, outcome.calls) if match]
    return [(Path(match[1]), int(match[2]), int(match[3])) for match in found]


def kind(path: Path) -> str:
    """The path, the same for all runs."""
    return re.sub(r"(msg|thread)-\d{8}(T\d{6}Z)?-\w+|\d+\.tmp", "", path.name)


def limits(undisturbed: crash.Outcome, template: Path, root: Path) -> list[int]:
    """Sizes at which each write is refused, cut after its first byte, in the middle, before its last, or fits."""
    found = {0}
    sizes: dict[Path, int] = {}
    for path, wanted, written in writes(undisturbed):
        assert wanted == written
        before = template / path.relative_to(root)
        start = sizes.get(path, before.stat().st_size if before.exists() else 0)
        sizes[path] = end = start + wanted
        found |= {start, start + 1, (start + end) // 2, end - 1, end}
    return sorted(found)


@pytest.mark.parametrize("name", CASES)
def test_every_write_is_cut_short(name: str, team: Team) -> None:
    """Whatever size a file may not exceed, the command succeeds or says no, and mail is whole or not there."""
    verb = CASES[name]
    with at_site(verb, team) as (site, act, template):
        crash.fresh(template, team.root)
        undisturbed = site.starter.watch(act)
        cut = set()
        for limit in limits(undisturbed, template, team.root):
            crash.fresh(template, team.root)
            outcome = site.starter.watch(act._replace(limit=limit))
            where = f"no file over {limit} bytes: exit {outcome.status} {outcome.stdout}{outcome.stderr}"
            assert "Traceback" not in outcome.stderr, where
            assert outcome.status in (0, 73), where
            for log in (team.home / "outbox").glob("*.jsonl"):
                assert log.read_bytes()[-1:] in (b"", b"\n"), f"a line without its end; {where}"
            verb.judge(site, outcome, f"{limit}")
            site.run("dev", "send", "ops", "note", "--summary", "x")
            state.check(team.home)
            cut |= {kind(path) for path, wanted, written in writes(outcome) if written < wanted}
        assert outcome.status == 0, "with the largest limit nothing is cut"
    assert cut == {kind(path) for path, _, _ in writes(undisturbed)}
