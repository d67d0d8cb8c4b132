"""Any bytes as input of a send: refused in one line, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conftest import Team
from support import corpus
from support.broken import GOOD, WORDS, box, message, one_line, place, plain, snapshot

# A batch, below, meets all texts. What is not UTF-8 or has no field is no body either.
INPUTS = {
    "--payload": (*list(corpus.EARLY)[::2], *list(corpus.WRONG)[::3], *corpus.THINGS),
    "--body": ("UTF-16", "Latin-1", "random bytes", "array", "over 1 MiB", *corpus.THINGS),
}


@pytest.mark.parametrize("option", INPUTS)
def test_as_payload_and_body(team: Team, tmp_path: Path, option: str) -> None:
    """A payload or body that is none, in a file, is refused in one line, and nothing is written."""
    before = snapshot(team.home)
    for number, kind in enumerate(INPUTS[option]):
        path = tmp_path / f"input-{number}"
        corpus.write(kind, path, {"summary": "x"}, tmp_path)
        done = team.run("ops", "send", "dev", "note", option, f"@{path}")
        assert done.returncode in (4, 64), (kind, done.stderr)
        one_line(done, done.returncode)
    assert snapshot(team.home) == before


def test_as_payload_by_stdin(team: Team) -> None:
    """A payload that is none, by stdin or as an argument, is refused in one line, and nothing is written."""
    before = snapshot(team.home)
    for kind in list(corpus.WRONG)[1::3]:
        given = corpus.text(kind, {"summary": "x"})
        one_line(team.run("ops", "send", "dev", "note", "--payload", "-", stdin=given), 4)
    for kind in ("NaN", "duplicate key", "duplicate half of a pair", "33 levels", "array", "cut at a half", "no JSON"):
        given = corpus.text(kind, {"summary": "x"})
        one_line(team.run("ops", "send", "dev", "note", "--payload", given.decode()), 4)
    assert snapshot(team.home) == before


BATCH_FAULTS: dict[str, dict[str, Any]] = {
    f"{name} = {str(value)[:20]!r}": {"to": "dev", "intent": "note", "payload": {}, name: value}
    for name in ("to", "intent", "payload", "from", "to_slug", "type", "priority", "context_refs", "requires_response",
                 "response_by", "thread_id", "in_reply_to", "cc_of", "task_id", "budget_minutes", "escalate_after")
    for value in (True, 7, 1.5, "\n", "../../x", [5], ["\n"], {"a": 1}, "x" * 5000)
    if not (name == "payload" and isinstance(value, dict)) and not (name == "requires_response" and value is True)
    and not (name == "budget_minutes" and value == 7)
    and not (name == "task_id" and isinstance(value, str) and len(value) < 256)
    and not (name == "context_refs" and value == ["\n"])
}  # fmt: skip


def test_as_batch(team: Team) -> None:
    """Each bad line of a batch gets its error, the good ones between are sent, and the first error's status is left."""
    good = corpus.compact({"to": "dev", "intent": "note", "payload": {}})
    bad = [corpus.text(kind, {"to": "dev", "intent": "note", "payload": {}}) for kind in corpus.TEXTS]
    bad = [line for line in bad if b"\n" not in line and line.strip()]
    bad += [corpus.compact(document) for document in BATCH_FAULTS.values()]
    bad += [b'{"to":"dev"}', b'{"to":"dev","intent":"note","payload":{},"id":"x"}', b"{}"]
    lines = [line for each in bad for line in (each, good)]
    done = team.run("ops", "send", "--batch", "-", stdin=b"\n".join(lines))
    assert done.returncode == 4
    assert "Traceback" not in done.stdout + done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(lines), done.stderr
    accepted = [line[:200] for line, result in zip(bad, results[::2]) if "error" not in result]
    assert accepted == []
    assert [result["line"] for result in results[::2]] == list(range(1, len(lines), 2))
    assert all("id" in result for result in results[1::2])
    assert team.json("dev", "inbox")["count"] == len(bad)
    assert sum(path.read_bytes().count(b"\n") for path in (team.home / "outbox").glob("*.jsonl")) == len(bad)


def test_hostile_text_in_a_valid_letter(team: Team) -> None:
    """A valid letter whose every text is an attack is shown, and nothing of it reaches the terminal as it is."""
    attack = "\x1b[2J\x1b]0;x\x07\r\x85\u202e\u2066\u200b\U000e0041\ufeff\u2028\x9b31m\x7f"
    place(
        box(team) / f"{GOOD}.json",
        message(
            GOOD,
            payload={"summary": f"{WORDS}{attack}", attack: attack, "list": [attack], "deep": {attack: [attack]}},
            context_refs=[f"file:///{attack}", attack],
            attachments=[{"name": f"a{attack}b", "size": 1, "sha256": "0" * 64, "media_type": attack}],
        ),
    )
    for verb in (["inbox"], ["read", "--peek"], ["read"], ["trace", GOOD], ["doctor"]):
        done = plain(team.run("dev", *verb))
        assert WORDS in done.stdout or verb[0] in ("trace", "doctor")
    assert team.run("dev", "send", "ops", "note", "--summary", f"x{attack}y").returncode == 0
    for verb in (["thread"], ["inbox"]):
        plain(team.run("ops", *verb))


def test_hostile_text_in_a_dry_run(team: Team) -> None:
    """What a dry run shows of a message is made visible like any message: the words may be somebody else's."""
    done = plain(team.run("ops", "send", "dev", "note", "--dry-run", "--summary", "x\x1b[2J\x9b31m\x7f\u202e\u200by"))
    assert "<U+202E>" in done.stdout
