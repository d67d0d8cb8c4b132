"""Words that would rather be orders, in every field at once, through every verb and every event: byte by byte."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from conftest import Team
from support import foreign
from support.attacks import unseen
from support.desk import drain
from support.foreign import CANARY, TEXTS
from support.forks import Call, Done, hook, run, slash
from support.hooks import said
from support.sessions import document

THREAD = "thread-20260520-abc123"
MODEL = {"CLAUDECODE": "1"}
# What no program that passes bytes on to a terminal or a model should ever print, but for newlines and tabs.
CONTROLS = re.compile(
    rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]|\xf3\xa0[\x80\x81]"
)


def letter(number: int, text: str) -> dict[str, Any]:
    """A valid message that has a text in every field that can hold one, in all ways a payload can."""
    name = re.sub(r"[/\\\0]", "", text)[:200]
    return document(
        number,
        priority="urgent",
        payload={"summary": text, text: text, "list": [text, text], "deep": {text: [text, {"a": text}]}, "text": text},
        context_refs=[text, f"gh://{text}/r/issues/1", f"file:///{text}", f"{text}://x"],
        attachments=[{"name": name, "media_type": text[:200], "size": 1, "sha256": "0" * 64}],
        task_id=text[:200],
        thread_id=f"thread-20260520-{number:06d}",
        requires_response=True,
        x_unknown=text,
    )


@pytest.fixture
def haunted(team: Team) -> Team:
    """A bus on which dev has one letter, and one thread, for each text."""
    drain(team)
    (team.home / "inboxes/dev/.read").mkdir()
    with (team.home / "outbox/2026-05-20.jsonl").open("w") as log:
        for number, text in enumerate(TEXTS.values()):
            message = letter(number, text)
            (team.home / f"inboxes/dev/{message['id']}.json").write_text(json.dumps(message))
            log.write(json.dumps(message) + "\n")
            entry = {key: message[key] for key in ("id", "from", "to", "type", "intent", "ts")}
            thread = {"id": message["thread_id"], "subject": text, "participants": ["dev", "ops"], "messages": [entry]}
            (team.home / f"threads/{thread['id']}.json").write_text(
                json.dumps({**thread, "status": "open", "opened": entry["ts"], "closed": None})
            )
    return team


def verbs(team: Team) -> list[Call]:
    """Every verb that shows a message, or could."""
    ids = sorted(path.stem for path in (team.home / "inboxes/dev").glob("msg-*"))
    calls = [Call("dev", ["inbox"]), Call("dev", ["inbox", "--all"]), Call("dev", ["thread"]), Call("dev", ["bus"])]
    calls += [Call("dev", ["whoami"]), Call("dev", ["doctor"]), Call("dev", ["trace", ids[0]])]
    for each in ids:
        calls.append(Call("dev", ["read", each, "--peek"]))
        calls.append(Call("dev", ["thread", f"thread-20260520-{int(each[-8:]):06d}"]))
    text = TEXTS["a reminder"].replace(CANARY, "")  # their own words, which a dry run shows
    for write in (["send", "ops", "note"], ["reply", ids[0], "response"], ["reply", ids[1], "response", "--dry-run"]):
        calls.append(Call("dev", [*write, "-s", text, "-f", f"x={text}"]))
    handoff = ["handoff", "ops", "--state-summary", text, "--next-step", text, "--dry-run"]
    return [*calls, Call("dev", handoff), *(Call("dev", ["read"]) for _ in range(3))]


def check(done: Done, framed: bool) -> None:
    """Nothing hidden in what was printed, and nobody else's words outside of a frame."""
    for text in (done.stdout, done.stderr):
        assert CONTROLS.search(text.encode()) is None, done
        assert unseen(re.sub("[\n\t]", "", text)) == [], done
    if framed:
        foreign.check(done.stdout.rstrip("\n"), shown=False)
        assert CANARY not in done.stderr


def test_every_verb_in_a_terminal(haunted: Team) -> None:
    """In a person's terminal no verb prints a byte that drives it or hides anything."""
    seen = run(haunted, verbs(haunted))
    for done in seen:
        assert done.status in (0, 4), done
        check(done, framed=False)
    assert sum(CANARY in done.stdout for done in seen) > 2 * len(TEXTS)


def test_every_verb_in_a_session(haunted: Team) -> None:
    """In the shell of a session no verb shows a model anybody's words outside of a frame."""
    seen = run(haunted, [call._replace(env=MODEL) for call in verbs(haunted)])
    for done in seen:
        check(done, framed=True)
    assert sum(CANARY in done.stdout for done in seen) > 2 * len(TEXTS)


def test_every_verb_as_json(haunted: Team) -> None:
    """With --json a program gets every text as it was written, on one line without a raw byte that drives anything."""
    calls = [call._replace(args=[call.args[0], "--json", *call.args[1:]]) for call in verbs(haunted)][::5]
    stored = {path.stem: json.loads(path.read_bytes()) for path in (haunted.home / "inboxes/dev").glob("msg-*")}
    seen = run(haunted, calls)
    for done in seen:
        assert done.stdout.count("\n") == 1, done
        assert unseen(done.stdout[:-1]) == [], done
        json.loads(done.stdout)
        check(done._replace(stdout=""), framed=False)
    assert {each["id"]: each for each in json.loads(seen[0].stdout)["pending"]} == stored


def test_every_event(haunted: Team) -> None:
    """No event prints a byte that drives a terminal, and a model sees nobody's words outside of a frame."""
    ids = sorted(path.stem for path in (haunted.home / "inboxes/dev").glob("msg-*"))
    calls = [hook(event) for event in ("SessionStart", "UserPromptSubmit", "Stop")]
    calls += [hook("SessionStart", source="compact"), hook("UserPromptSubmit", session_id="s-2")]
    calls += [slash(line) for line in ("/inbox", "/thread", "/bus", "/bus doctor", "/bus join dev", "/send ops note")]
    for each in ids:
        calls.append(slash(f"/read {each} --peek"))
    seen = [done for done in run(haunted, calls) if done.stdout]
    for done in seen:
        assert (done.status, done.stderr, done.stdout.count("\n")) == (0, "", 1)
        assert CONTROLS.search(done.stdout.encode()) is None, done
        assert unseen(done.stdout[:-1]) == []
        answer = json.loads(done.stdout)
        foreign.check(said(answer), shown=False)
        assert CANARY not in json.dumps({**answer, "reason": "", "hookSpecificOutput": {}})
    assert sum(CANARY in done.stdout for done in seen) > len(ids)
