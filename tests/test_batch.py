"""send --batch -: one message object a line on stdin, one result object a line on stdout."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conftest import ERROR, Team, tree
from support import state
from support.cli import ORDINARY, PATIENCE, PROGRAM

NOTE = {"to": "dev", "intent": "note", "payload": {"summary": "x"}}


def batch(
    team: Team, *given: dict[str, Any] | str | bytes, status: int = 0, options: tuple[str, ...] = ()
) -> list[Any]:
    """The results of a batch of these lines, as documents or as they stand."""
    parts = [line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
             for line in given]  # fmt: skip
    done = team.run("ops", "send", "--batch", "-", *options, stdin=b"\n".join(parts))
    assert done.returncode == status, done.stdout + done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    for result in results:
        if "error" in result:
            assert set(result) == {"line", "error"}
            jsonschema.validate({"error": result["error"]}, ERROR)
    return results


def test_results_in_order(team: Team) -> None:
    """Each line is a message of its own, and each result is what a single send prints, in the order given."""
    team.join("lead")
    given = [{**NOTE, "to": to, "payload": {"summary": to}} for to in ("dev", "lead", "dev/web", "dev")]
    results = batch(team, *given)
    assert [result["session"] or result["to"] for result in results] == ["dev", "lead", "dev/web", "dev"]
    for line, result in zip(given, results, strict=True):
        assert set(result) == {"id", "thread_id", "to", "session", "path", "cc", "warnings", "thread_status"}
        assert team.stored(result)["payload"] == line["payload"]
    assert len({result["thread_id"] for result in results}) == 4
    state.check(team.home)


def test_ids_sort_in_the_order_made(team: Team) -> None:
    """The ids made within one second by one process sort in the order made, so a list keeps the order."""
    results = batch(team, *[NOTE] * 40)
    ids = [result["id"] for result in results]
    assert ids == sorted(set(ids))
    assert [message["id"] for message in team.json("dev", "inbox")["pending"]] == ids


def test_all_fields(team: Team) -> None:
    """The fields of a message that a sender may set are stored as given; a null is as good as left out."""
    original = team.ask("dev", "ops")
    fields = {
        "type": "response",
        "priority": "urgent",
        "context_refs": ["gh://o/r/issues/1"],
        "requires_response": True,
        "response_by": "2026-05-23T18:00:00Z",
        "thread_id": original["thread_id"],
        "in_reply_to": original["id"],
        "task_id": "T-1",
        "budget_minutes": 30,
        "escalate_after": "2026-05-24T18:00:00Z",
        "cc_of": original["id"],
    }
    (full, slug, nulls) = batch(
        team,
        {**NOTE, **fields, "from": "ops"},
        {**NOTE, "to_slug": "web"},
        {**NOTE, **dict.fromkeys(("type", "priority", "thread_id", "in_reply_to", "to_slug", "response_by"))},
    )
    assert {key: value for key, value in team.stored(full).items() if key in fields} == fields
    assert not Path(original["path"]).exists(), "an answer archives its original, also in a batch"
    assert slug["session"] == "dev/web"
    assert (team.stored(nulls)["type"], team.stored(nulls)["priority"]) == ("request", "normal")


def test_a_bad_line_stops_nothing(team: Team) -> None:
    """A bad line is reported with its number and the rest goes on; the status is that of the first error."""
    results = batch(
        team,
        NOTE,
        "",
        {**NOTE, "to": "lead"},
        "not JSON",
        {**NOTE, "priority": "hot"},
        NOTE,
        status=1,
    )
    assert [result.get("line") for result in results] == [None, 3, 4, 5, None]
    assert [result["error"]["code"] for result in results[1:4]] == [
        "unknown-agent",
        "invalid-message",
        "invalid-message",
    ]
    assert team.json("dev", "inbox")["count"] == 2
    assert state.check(team.home) == {results[0]["id"], results[4]["id"]}


BAD: list[tuple[int, str, dict[str, Any] | str | bytes]] = [
    (4, "invalid-message", "[]"),
    (4, "invalid-message", '"x"'),
    (4, "invalid-message", "{} {}"),
    (4, "invalid-message", b"\xff"),
    (4, "invalid-message", b"\xef\xbb\xbf{}"),
    (4, "invalid-message", '{"to": "dev", "to": "dev", "intent": "note", "payload": {}}'),
    (4, "invalid-message", '{"to": "dev", "intent": "note", "payload": {"a": NaN}}'),
    (4, "invalid-message", "[" * 100_000),
    (4, "invalid-message", {"intent": "note", "payload": {}}),
    (4, "invalid-message", {"to": "dev", "payload": {}}),
    (4, "invalid-message", {"to": "dev", "intent": "note"}),
    (4, "invalid-message", {**NOTE, "payload": "x"}),
    (4, "invalid-message", {**NOTE, "to": 1}),
    (4, "invalid-message", {**NOTE, "intent": ["note"]}),
    (4, "invalid-message", {**NOTE, "intent": "Not Kebab"}),
    (4, "invalid-message", {**NOTE, "from": "dev"}),
    (4, "invalid-message", {**NOTE, "id": "msg-20260520T091812Z-aaaaaaaa"}),
    (4, "invalid-message", {**NOTE, "ts": "2026-05-20T09:18:12Z"}),
    (4, "invalid-message", {**NOTE, "nonsense": 1}),
    (4, "invalid-message", {**NOTE, "type": "letter"}),
    (4, "invalid-message", {**NOTE, "type": 1}),
    (4, "invalid-message", {**NOTE, "context_refs": "gh://x"}),
    (4, "invalid-message", {**NOTE, "context_refs": [1]}),
    (4, "invalid-message", {**NOTE, "requires_response": "yes"}),
    (4, "invalid-message", {**NOTE, "response_by": 5}),
    (4, "invalid-message", {**NOTE, "budget_minutes": -1}),
    (4, "invalid-message", {**NOTE, "in_reply_to": "../x"}),
    (4, "invalid-message", {**NOTE, "attachments": [{"name": "x", "size": 1, "sha256": "0" * 64}]}),
    (4, "invalid-payload", {**NOTE, "intent": "bug-fix"}),
    (4, "invalid-payload", {**NOTE, "payload": {"text": "x" * 10_240}}),
    (4, "secret", {**NOTE, "payload": {"text": "gh" + "p_" + "a" * 36}}),
    (1, "unknown-agent", {**NOTE, "to": ".."}),
    (1, "unknown-agent", {**NOTE, "to_slug": "../x"}),
    (4, "invalid-message", {**NOTE, "to_slug": 1}),
    (4, "invalid-message", {**NOTE, "to": "dev/web", "to_slug": "api"}),
    (1, "unknown-thread", {**NOTE, "thread_id": "../x"}),
    (4, "invalid-message", {**NOTE, "thread_id": 1}),
]


def test_every_bad_line(team: Team) -> None:
    """Whatever a line holds, it gets an error of its own, nothing is sent of it and nothing is left behind."""
    before = tree(team.root)
    results = batch(team, *[line for _, _, line in BAD], status=BAD[0][0])
    assert len(results) == len(BAD)
    for (_, code, line), result in zip(BAD, results, strict=True):
        assert result.get("error", {}).get("code") == code, (str(line)[:200], result)
    assert tree(team.root) == before


@pytest.mark.parametrize(("first", "second"), [(1, 4), (4, 1)])
def test_the_status_of_the_first_error(first: int, second: int, team: Team) -> None:
    """The exit status is that of the first error, whatever comes behind it."""
    lines = [next(line for status, _, line in BAD if status == wanted) for wanted in (first, second)]
    batch(team, NOTE, *lines, NOTE, status=first)


def test_routing_in_a_batch(team: Team) -> None:
    """A denied line fails with 2 and the lines beside it are sent."""
    team.join("lead")
    team.map(routing={"blocked_pairs": [["ops", "lead"]]})
    results = batch(team, NOTE, {**NOTE, "to": "lead"}, NOTE, status=2)
    assert [result.get("error", {}).get("code") for result in results] == [None, "routing-denied", None]


def test_a_large_line(team: Team) -> None:
    """A line of 10 MB is refused like any other bad line."""
    large = {**NOTE, "payload": {"text": "x" * 10_000_000}}
    results = batch(team, NOTE, large, NOTE, status=4)
    assert [result.get("error", {}).get("code") for result in results] == [None, "invalid-payload", None]
    assert len(json.dumps(results[1])) < 1000


def test_dry_run(team: Team) -> None:
    """`--dry-run` shows each message and sends none."""
    before = tree(team.root)
    results = batch(team, NOTE, {**NOTE, "to": "lead"}, status=1, options=("--dry-run",))
    assert (results[0]["dry_run"], results[0]["to"], results[1]["line"]) == (True, "dev", 2)
    assert tree(team.root) == before


def test_allow_secret(team: Team) -> None:
    """`--allow-secret` insists for every line."""
    secret = {**NOTE, "payload": {"text": "gh" + "p_" + "a" * 36}}
    assert len(batch(team, secret, secret, options=("--allow-secret",))) == 2


def test_an_empty_batch(team: Team) -> None:
    """No lines, or empty ones, are no messages and no error."""
    assert batch(team) == []
    assert batch(team, "", "  ", "") == []


def test_a_closed_stdin(team: Team) -> None:
    """A batch from a stdin that is closed is an empty one."""
    command = ["sh", "-c", '"$@" <&-', "sh", *ORDINARY, *PROGRAM, "send", "--batch", "-"]
    done = subprocess.run(command, cwd=team.root / "ops", env=team.env, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_json_is_the_form_of_a_batch(team: Team) -> None:
    """`--json` changes nothing: the results are JSON lines anyway."""
    assert len(batch(team, NOTE, NOTE, options=("--json",))) == 2


@pytest.mark.parametrize("options", [["dev"], ["dev", "note"], ["--summary", "x"], ["--type", "brief"]])
def test_a_batch_and_a_message(options: list[str], team: Team) -> None:
    """A batch takes its messages from stdin alone: what else is said on the command line is refused, not ignored."""
    team.refused(64, "usage", "ops", "send", "--batch", "-", *options, stdin=json.dumps(NOTE))


def test_a_batch_from_a_file(team: Team) -> None:
    """A batch is read from stdin only."""
    team.refused(64, "usage", "ops", "send", "--batch", "messages.jsonl")


def test_an_anonymous_batch(team: Team) -> None:
    """A folder of nobody's sends nothing, line by line."""
    (team.root / "other").mkdir()
    before = tree(team.root)
    done = team.run("other", "send", "--batch", "-", stdin=json.dumps(NOTE) + "\n[]\n")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[0])["error"]["code"] == "anonymous"
    assert tree(team.root) == before


def test_results_come_while_lines_are_read(team: Team) -> None:
    """A result is printed as soon as its message is sent, so a program may wait for it before it goes on."""
    command = [*ORDINARY, *PROGRAM, "send", "--batch", "-"]
    with subprocess.Popen(
        command, cwd=team.root / "ops", env=team.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(3):
            process.stdin.write(json.dumps(NOTE).encode() + b"\n")
            process.stdin.flush()
            sent = json.loads(process.stdout.readline())
            assert Path(sent["path"]).exists()
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
