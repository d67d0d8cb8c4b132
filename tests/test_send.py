"""send: what reaches the recipient's inbox, what is said about it, and what is refused."""

from __future__ import annotations

import itertools
import json
import os
import re
from typing import Any

import jsonschema
import pytest

from conftest import Team, tree
from support.cli import ROOT

MESSAGE = json.loads((ROOT / "schemas/message.schema.json").read_bytes())
TYPES = MESSAGE["properties"]["type"]["enum"]
# What an intent requires, as section 3 of the protocol says it; all else is free.
REQUIRED = {
    "bug-fix": ["project", "summary"],
    "feature-spec": ["project", "summary"],
    "refactor": ["project", "summary"],
    "code-review": ["target"],
    "architecture-review": ["target"],
    "question": ["question"],
    "handoff": ["state_summary", "next_steps"],
    "draft-post": ["topic"],
    "review-copy": ["topic"],
    "plan-campaign": ["topic"],
    "generate-screenshots": ["project", "summary", "deliverable"],
}
CHECKED = {"request", "brief", "question", "review-request", "handoff"}


def payload_of(team: Team, *options: str, stdin: str | bytes | None = None) -> Any:
    """The payload that `send` would send with these options, to an intent that asks for nothing."""
    message = team.json("ops", "send", "dev", "note", *options, "--dry-run", stdin=stdin)
    return message["payload"]


# ---- what is sent, and what is said about it ----------------------------------------------------


def test_the_result(team: Team) -> None:
    """`send --json` prints id, thread_id, to, session, path, cc, warnings and thread_status, and nothing else."""
    done = team.run("ops", "send", "dev", "question", "--field", "question=Which branch?", "--json")
    assert done.returncode == 0
    sent = json.loads(done.stdout)
    assert set(sent) == {"id", "thread_id", "to", "session", "path", "cc", "warnings", "thread_status"}
    assert (sent["to"], sent["session"], sent["cc"], sent["thread_status"]) == ("dev", None, [], "open")
    assert sent["path"] == f"{team.home}/inboxes/dev/{sent['id']}.json"
    # Nobody is there, so there is one warning; a notice goes to stderr as well.
    assert [warning + "\n" for warning in sent["warnings"]] == [done.stderr]


def test_the_stored_message(team: Team) -> None:
    """A plain message has all the protocol's fields with their defaults, and lies in inbox, outbox and thread."""
    sent = team.json("ops", "send", "dev", "note", "--summary", "Grüße\x1b[31m")
    stored = team.stored(sent)
    jsonschema.validate(stored, MESSAGE)
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}Z", stored["ts"])
    assert stored == {
        "id": sent["id"],
        "version": "2.0",
        "from": "ops",
        "to": "dev",
        "thread_id": sent["thread_id"],
        "in_reply_to": None,
        "ts": stored["ts"],
        "type": "request",
        "intent": "note",
        "priority": "normal",
        "payload": {"summary": "Grüße\x1b[31m"},
        "context_refs": [],
        "attachments": [],
        "requires_response": False,
        "response_by": None,
        "delivery": "agent",
    }
    day = f"{sent['id'][4:8]}-{sent['id'][8:10]}-{sent['id'][10:12]}"
    line = (team.home / "outbox" / f"{day}.jsonl").read_bytes()
    assert line == json.dumps(stored, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    thread = json.loads((team.home / "threads" / f"{sent['thread_id']}.json").read_bytes())
    assert [entry["id"] for entry in thread["messages"]] == [sent["id"]]
    assert list((team.home / "outbox/.spool").iterdir()) == []


def test_the_outbox_only_grows(team: Team) -> None:
    """Each send adds one line to the audit log and leaves what is there as it is."""
    team.ask("ops", "dev")
    (log,) = (team.home / "outbox").glob("*.jsonl")
    before = log.read_bytes()
    team.ask("dev", "ops")
    after = b"".join(path.read_bytes() for path in sorted((team.home / "outbox").glob("*.jsonl")))
    assert after.startswith(before)
    assert after[len(before) :].count(b"\n") == 1


def test_what_a_person_reads(team: Team) -> None:
    """Without --json the id, recipient and thread are one line on stdout, and the warning is one on stderr."""
    done = team.run("ops", "send", "dev", "note", "--summary", "x")
    assert re.fullmatch(r"Sent msg-\w{8}T\w{6}Z-\w{8} to dev \(thread-\w{8}-\w{6}\)\.\n", done.stdout)
    assert done.stderr == "dev has no live session (never seen); it will see this when it opens.\n"


def test_every_option(team: Team) -> None:
    """Type, priority, references, deadline, thread and attachment are stored as they are given."""
    (team.root / "ops/a.txt").write_text("a")
    sent = team.json(
        "ops", "send", "dev", "bug-fix", "--type", "brief", "--summary", "Loops", "--field", "project=web",
        "--priority", "urgent", "--ref", "gh://o/r/issues/1", "--attach", "a.txt", "--requires-response",
        "--response-by", "2026-05-23T18:00+02:00", "--thread", "thread-20260520-abc123",
    )  # fmt: skip
    stored = team.stored(sent)
    assert stored["thread_id"] == sent["thread_id"] == "thread-20260520-abc123"
    assert (stored["type"], stored["priority"], stored["intent"]) == ("brief", "urgent", "bug-fix")
    assert stored["payload"] == {"summary": "Loops", "project": "web"}
    assert stored["context_refs"] == ["gh://o/r/issues/1"]
    assert (stored["requires_response"], stored["response_by"]) == (True, "2026-05-23T18:00+02:00")
    assert [item["name"] for item in stored["attachments"]] == ["a.txt"]


def test_dry_run_changes_nothing(team: Team) -> None:
    """`--dry-run` prints the message that would be sent with `dry_run`, and changes no file, attachments neither."""
    (team.root / "ops/a.txt").write_text("a")
    before = tree(team.root)
    arguments = ["send", "dev/web", "note", "--summary", "x", "--attach", "a.txt", "--dry-run"]
    shown = team.json("ops", *arguments)
    assert shown.pop("dry_run") is True
    jsonschema.validate(shown, MESSAGE)
    assert (shown["to"], shown["to_slug"], shown["payload"]) == ("dev", "web", {"summary": "x"})
    assert [item["size"] for item in shown["attachments"]] == [1]
    done = team.run("ops", *arguments)
    assert json.loads(done.stdout)["payload"] == {"summary": "x"}
    assert "Nothing was sent" in done.stderr
    assert tree(team.root) == before


def test_dry_run_still_checks(team: Team) -> None:
    """What `--dry-run` shows could be sent: a bad message is refused as without it."""
    team.refused(4, "invalid-payload", "ops", "send", "dev", "bug-fix", "--dry-run")
    team.refused(1, "unknown-agent", "ops", "send", "lead", "note", "--dry-run")


def test_to_oneself(team: Team) -> None:
    """An agent may write to itself."""
    sent = team.ask("dev", "dev")
    assert team.stored(sent)["to"] == "dev"
    assert team.json("dev", "thread", sent["thread_id"])["participants"] == ["dev"]


def test_from_below_the_folder(team: Team) -> None:
    """A command run in a folder below the agent's is the agent's."""
    (team.root / "ops/src/lib").mkdir(parents=True)
    assert team.stored(team.ask("ops/src/lib", "dev"))["from"] == "ops"


# ---- to one session -----------------------------------------------------------------------------


def test_to_one_session(team: Team) -> None:
    """Mail to `agent/slug` lies in that session's box, names it, and is seen there and with --all alone."""
    sent = team.ask("ops", "dev/web")
    assert (sent["to"], sent["session"]) == ("dev", "dev/web")
    assert sent["path"] == f"{team.home}/inboxes/dev/@web/{sent['id']}.json"
    stored = team.stored(sent)
    assert (stored["to"], stored["to_slug"], stored["delivery"]) == ("dev", "web", "session")
    for session, seen in (("dev/web", 1), ("dev/api", 0), ("dev/dev", 0)):
        assert team.json("dev", "inbox", AGENT_TEAM_OS_SESSION=session)["count"] == seen
    assert team.json("dev", "inbox", "--all", AGENT_TEAM_OS_SESSION="dev/api")["count"] == 1


def test_to_the_whole_agent(team: Team) -> None:
    """Mail to the bare agent is seen by every session of it."""
    sent = team.ask("ops", "dev")
    for session in ("dev/web", "dev/api"):
        pending = team.json("dev", "inbox", AGENT_TEAM_OS_SESSION=session)["pending"]
        assert [message["id"] for message in pending] == [sent["id"]]


# ---- recipients ---------------------------------------------------------------------------------


def test_an_agent_that_has_not_joined(team: Team) -> None:
    """An unknown recipient is named together with what would make it known, and who is known."""
    error = team.refused(1, "unknown-agent", "ops", "send", "lead", "note")
    assert error["message"] == (
        "lead has not joined yet: open Claude Code in its folder and type /bus join lead (known: dev, ops)"
    )


@pytest.mark.parametrize(("given", "meant"), [("devv", "dev"), ("op", "ops"), ("devv/web", "dev")])
def test_did_you_mean(given: str, meant: str, team: Team) -> None:
    """A name that is nearly one of the known is answered with that one."""
    error = team.refused(1, "unknown-agent", "ops", "send", given, "note")
    assert f"Did you mean {meant}? (known: dev, ops)" in error["message"]


@pytest.mark.parametrize(
    "to",
    ["..", "../dev", "dev/..", "dev/../ops", "dev/", "/dev", "/", "dev/web/x", "DEV", "dev\n", "dev/@web", "dev/.read",
     ".", "dev/w eb", "@dev", "dev/" + "a" * 64, "dév", "~", "dev\u202e", "*"],
)  # fmt: skip
def test_hostile_recipients(to: str, team: Team) -> None:
    """A recipient that is no name, or no slug behind one, is refused before it becomes a path."""
    error = team.refused(1, "unknown-agent", "ops", "send", to, "note", "--summary", "x")
    assert error["message"].isprintable()


# ---- intents and types --------------------------------------------------------------------------


def test_default_types(team: Team) -> None:
    """A question is of type question, everything else a request, unless --type says otherwise."""
    kinds = {
        intent: team.json("ops", "send", "dev", intent, "--field", f"{field}=x", "--dry-run")["type"]
        for intent, field in (("question", "question"), ("code-review", "target"), ("anything-new", "x"))
    }
    assert kinds == {"question": "question", "code-review": "request", "anything-new": "request"}


def lines(*messages: dict[str, Any]) -> str:
    """Messages as the input of a batch."""
    return "".join(json.dumps({"to": "dev", "payload": {}, **message}) + "\n" for message in messages)


def test_what_each_intent_requires(team: Team) -> None:
    """Each intent asks for exactly the fields of the protocol, as text or as a list of texts, none of them empty."""
    full: dict[str, dict[str, Any]] = {
        intent: {field: ["x"] if field == "next_steps" else "x" for field in fields}
        for intent, fields in REQUIRED.items()
    }
    tries = []
    for intent, fields in REQUIRED.items():
        whole = full[intent]
        tries.append((True, intent, whole))
        tries.append((True, intent, {**whole, "more": 1}))
        for field in fields:
            tries.append((False, intent, {key: value for key, value in whole.items() if key != field}))
            tries.append((False, intent, {**whole, field: [] if field == "next_steps" else ""}))
            tries.append((False, intent, {**whole, field: 1}))
    given = lines(*({"intent": intent, "payload": payload} for _, intent, payload in tries))
    done = team.run("ops", "send", "--batch", "-", "--dry-run", stdin=given)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(tries)
    for (passes, intent, payload), result in zip(tries, results, strict=True):
        assert ("error" not in result) is passes, (intent, payload, result)
        if not passes:
            assert result["error"]["code"] == "invalid-payload", (intent, payload)


def test_types_that_open_something_are_checked(team: Team) -> None:
    """Only request, brief, question, review-request and handoff must say what the intent requires."""
    given = lines(*({"intent": "bug-fix", "type": kind} for kind in TYPES))
    done = team.run("ops", "send", "--batch", "-", "--dry-run", stdin=given)
    refused = [kind for kind, line in zip(TYPES, done.stdout.splitlines(), strict=True) if "error" in json.loads(line)]
    assert set(refused) == CHECKED


def test_a_missing_field_is_named_with_its_option(team: Team) -> None:
    """The error names intent and field, and the hint is the option to add."""
    error = team.refused(4, "invalid-payload", "ops", "send", "dev", "bug-fix", "--summary", "x")
    assert 'a bug-fix needs payload field "project"' in error["message"]
    assert error["hint"] == "Add --field project=…"


@pytest.mark.parametrize("intent", ["Bug Fix", "bug_fix", "-x", "x-", "../message", "bug--fix", "x" * 64, "ä", "x\n"])
def test_an_intent_is_a_kebab_case_word(intent: str, team: Team) -> None:
    """An intent that is no kebab-case word is refused, and never becomes the path of a schema."""
    error = team.refused(4, "invalid-message", "ops", "send", "--summary", "x", "--", "dev", intent)
    assert error["message"].startswith("intent:")


@pytest.mark.parametrize(("option", "value"), [("--type", "letter"), ("--priority", "hot"), ("--nonsense", "x")])
def test_choices(option: str, value: str, team: Team) -> None:
    """A type or priority that is none, and an option that is none, are a misuse of the command line."""
    team.refused(64, "usage", "ops", "send", "dev", "note", option, value)


# ---- deadlines ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moment",
    ["tomorrow", "", "2026-05-23", "2026-05-23T18:00:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
     "2026-05-23T25:00:00Z", "2026-05-23T18:00:00Z\n", "٢٠٢٦-05-23T18:00:00Z", "2026-05-23T18:00:00 CET"],
)  # fmt: skip
def test_a_deadline_that_is_none(moment: str, team: Team) -> None:
    """A deadline without a zone, or that is no time at all, is refused by name."""
    error = team.refused(4, "invalid-message", "ops", "send", "dev", "note", "--summary", "x", "--response-by", moment)
    assert error["message"].startswith("response_by")


@pytest.mark.parametrize("moment", ["2026-05-23T18:00Z", "2026-05-23T18:00:00.5+05:30", "2028-02-29T00:00:00-1100"])
def test_a_deadline(moment: str, team: Team) -> None:
    """A deadline in ISO-8601 with a zone is stored as it is given."""
    assert team.json("ops", "send", "dev", "note", "--response-by", moment, "--dry-run")["response_by"] == moment


# ---- the payload and its sources ----------------------------------------------------------------

DOCUMENT = "summary: Login loops\nstep: open\nstep: sign in\n  with two accounts\nempty:\n\nFree: text\n\n  as it is\n"
PARSED = {
    "summary": "Login loops",
    "step": ["open", "sign in\nwith two accounts"],
    "empty": "",
    "text": "Free: text\n\n  as it is",
}


def test_body_from_stdin_and_file(team: Team) -> None:
    """A body is fields, repeated ones a list, indented lines a continuation; after an empty line free text."""
    (team.root / "ops/body.txt").write_text(DOCUMENT)
    assert payload_of(team, "--body", "-", stdin=DOCUMENT) == PARSED
    assert payload_of(team, "--body", "@body.txt") == PARSED
    assert payload_of(team, "--body", "-", stdin=DOCUMENT.replace("\n", "\r\n").encode())["step"] == PARSED["step"]


def test_body_of_text_alone(team: Team) -> None:
    """A body that begins with an empty line is free text; an empty one is nothing."""
    assert payload_of(team, "--body", "-", stdin="\nJust: text\n") == {"text": "Just: text"}
    assert payload_of(team, "--body", "-", stdin="") == {}


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        (b"just text\n", "line 1"),
        (b"a: b\nno field\n", "line 2"),
        (b"  indented\n", "line 1"),
        (b"a: \xff\n", "not UTF-8"),
        (b"a:b\n", "line 1"),
    ],
)
def test_a_body_that_is_none(stdin: bytes, words: str, team: Team) -> None:
    """A line that is neither field nor continuation is named by its number."""
    error = team.refused(4, "invalid-payload", "ops", "send", "dev", "note", "--body", "-", stdin=stdin)
    assert words in error["message"]


def test_payload_forms(team: Team) -> None:
    """A payload is JSON on the command line, in a file or on stdin, with values of any kind."""
    payload = {"a": [1, 2.5, None, True, {"b": "ü"}], "": ""}
    text = json.dumps(payload)
    (team.root / "ops/p.json").write_text(text)
    assert payload_of(team, "--payload", text) == payload
    assert payload_of(team, "--payload", "@p.json") == payload
    assert payload_of(team, "--payload", "-", stdin=text) == payload


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"x"',
        "null",
        "{} {}",
        "{'a': 1}",
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": 1e999}',
        '{"a": 1, "a": 1}',
        '{"a": 9007199254740993}',
        '{"a": "\\ud800"}',
        '{"a": ' + "[" * 32 + "]" * 32 + "}",
        '{"a": ' + "9" * 5000 + "}",
        "[" * 100_000,
    ],
)
def test_a_payload_that_is_none(text: str, team: Team) -> None:
    """JSON that is broken, no object, or means different things to different readers is refused."""
    error = team.refused(4, "invalid-payload", "ops", "send", "dev", "note", "--payload", text)
    assert error["message"].startswith("--payload")
    assert len(error["message"]) < 300


def test_fields(team: Team) -> None:
    """`--field` values are texts, also what looks like a number; a repeated one is a list in the order given."""
    assert payload_of(team, "--field", "n=1", "-f", "url=a=b", "-f", "empty=", "-f", "x= y ", "-f", "n=2") == {
        "n": ["1", "2"],
        "url": "a=b",
        "empty": "",
        "x": " y ",
    }


@pytest.mark.parametrize("field", ["x", "=x", " =x", ""])
def test_a_field_that_is_none(field: str, team: Team) -> None:
    """A field without a name or without an equals sign is a misuse."""
    team.refused(64, "usage", "ops", "send", "dev", "note", "--field", field)


SOURCES = {
    "--summary": ["--summary", "same"],
    "--payload": ["--payload", '{"summary": "same"}'],
    "--body": ["--body", "-"],
    "--field": ["--field", "summary=same"],
}


def test_the_same_field_from_two_sources(team: Team) -> None:
    """A field may come from every source at once as long as all of them say the same."""
    options = [option for pair in SOURCES.values() for option in pair]
    assert payload_of(team, *options, stdin="summary: same\n") == {"summary": "same"}


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(SOURCES, 2)))
def test_two_sources_that_differ(first: str, second: str, team: Team) -> None:
    """A field that two sources give differently is refused, naming both; none of them wins silently."""
    options = [*SOURCES[first], *(text.replace("same", "other") for text in SOURCES[second])]
    stdin = "summary: other\n" if second == "--body" else "summary: same\n"
    error = team.refused(64, "usage", "ops", "send", "dev", "note", *options, stdin=stdin)
    assert first in error["message"]
    assert second in error["message"]


def test_stdin_twice(team: Team) -> None:
    """Body and payload cannot both come from stdin."""
    team.refused(64, "usage", "ops", "send", "dev", "note", "--body", "-", "--payload", "-", stdin="{}")


@pytest.mark.parametrize("option", ["--body", "--payload"])
def test_a_file_of_text_that_is_none(option: str, team: Team) -> None:
    """A text file that is missing, a folder, a FIFO, a device or a link is refused at once."""
    folder = team.root / "ops"
    os.mkfifo(folder / "fifo")
    (folder / "real.txt").write_text("{}")
    (folder / "link").symlink_to("real.txt")
    for name in ("missing", ".", "fifo", "/dev/zero", "link"):
        error = team.refused(64, "usage", "ops", "send", "dev", "note", option, f"@{name}")
        assert name in error["message"]
    team.refused(64 if option == "--body" else 4, "usage" if option == "--body" else "invalid-payload",
                 "ops", "send", "dev", "note", option, "text")  # fmt: skip


def exactly(size: int, fill: str = "x") -> str:
    """A payload whose compact form has `size` bytes."""
    room = size - len(b'{"text":""}')
    width = len(fill.encode())
    return json.dumps({"text": fill * (room // width) + "x" * (room % width)}, ensure_ascii=False)


@pytest.mark.parametrize("fill", ["x", "ü", "𝄞"])
def test_the_payload_limit(fill: str, team: Team) -> None:
    """A payload of 10,240 bytes of compact UTF-8 is sent; one byte more is refused, with what to do instead."""
    sent = team.json("ops", "send", "dev", "note", "--payload", "-", stdin=exactly(10_240, fill))
    assert len(json.dumps(team.stored(sent)["payload"], ensure_ascii=False, separators=(",", ":")).encode()) == 10_240
    error = team.refused(
        4, "invalid-payload", "ops", "send", "dev", "note", "--payload", "-", stdin=exactly(10_241, fill)
    )
    assert "10241 bytes, more than the 10240 allowed" in error["message"]
    assert "--ref" in error["hint"]
    assert "--attach" in error["hint"]


@pytest.mark.parametrize("option", ["--payload", "--body"])
def test_ten_megabytes_on_stdin(option: str, team: Team) -> None:
    """A payload of 10 MB on stdin, or in a file, is refused with the same advice."""
    text = exactly(10_000_000) if option == "--payload" else "\n" + "x" * 10_000_000
    (team.root / "ops/large").write_text(text)
    for source in ("-", "@large"):
        error = team.refused(4, "invalid-payload", "ops", "send", "dev", "note", option, source, stdin=text)
        assert "--attach" in error["hint"]


def test_an_argument_that_is_not_utf8(team: Team) -> None:
    """Bytes in an argument that are no text are refused; they cannot be stored, nor guessed."""
    odd = os.fsdecode(b"caf\xe9")
    for options in (["--summary", odd], ["--field", f"a={odd}"], ["--payload", f'{{"a":"{odd}"}}']):
        team.refused(4, "invalid-payload", "ops", "send", "dev", "note", *options)


# ---- references ---------------------------------------------------------------------------------


def test_references(team: Team) -> None:
    """A URI of any scheme is kept as it is; a path, there or not, becomes the file URI of its absolute form."""
    given = ["gh://o/r/issues/1", "artifact://x y", "wiki://Ünï", "x-own+v1.2:anything", "src/a b.ts", "/abs/ü", "."]
    message = team.json("ops", "send", "dev", "note", *(part for uri in given for part in ("--ref", uri)), "--dry-run")
    here = f"file://{team.root}/ops"
    assert message["context_refs"] == [*given[:4], f"{here}/src/a%20b.ts", "file:///abs/%C3%BC", here]


# ---- threads ------------------------------------------------------------------------------------


def test_going_on_in_a_thread(team: Team) -> None:
    """`--thread` joins a conversation, also by a prefix or the end of its id, and its history grows."""
    first = team.ask("ops", "dev")
    for given in (first["thread_id"], first["thread_id"][:-2], first["thread_id"][-6:]):
        assert team.ask("ops", "dev", "--thread", given)["thread_id"] == first["thread_id"]
    assert len(team.json("ops", "thread", first["thread_id"])["messages"]) == 4


@pytest.mark.parametrize("given", ["nonsense", "../../x", "thread-20260520-ABC123", "thread-2026-abc123", "thread-"])
def test_a_thread_that_is_none(given: str, team: Team) -> None:
    """A thread id that is none, or fits two, is refused; no new thread is guessed."""
    team.ask("ops", "dev")
    team.ask("ops", "dev")
    team.refused(1, "unknown-thread", "ops", "send", "dev", "note", "--thread", given)
