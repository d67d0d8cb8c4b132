"""A bus with a long past: thousands of threads, a hundred thousand read messages, a conversation without an end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import Team
from support import large, state
from support.desk import drain
from support.forks import Call, hook, run, slash
from support.homes import MACHINE
from support.hooks import said
from support.large import Conversation
from support.sessions import ids

NOTE = ["note", "--summary", "New"]


def answer(team: Team, agent: str, *args: str, stdin: str = "") -> Any:
    """What a verb prints with --json when all is well."""
    (done,) = run(team, [Call(agent, [args[0], "--json", *args[1:]], stdin)], patience=600)  # doctor opens every file
    assert done.status == 0, done
    return json.loads(done.stdout)


def told(team: Team, call: Call) -> str:
    """What an event tells the model, empty for nothing."""
    (done,) = run(team, [call])
    assert (done.status, done.stderr) == (0, "")
    return said(json.loads(done.stdout)) if done.stdout else ""


def findings(team: Team, *options: str) -> list[str]:
    """The codes of what doctor finds in the home, but for what it says of the machine."""
    found = answer(team, "dev", "doctor", *options)["findings"]
    return [finding["code"] for finding in found if finding["code"] not in MACHINE]


def with_past(team: Team, threads: int, messages: int, days: int) -> list[Conversation]:
    """A long past for five agents, of whom ops and dev have folders."""
    team.map(agents={name: {} for name in large.AGENTS})
    return large.fill(str(team.home), threads, messages, days)


@pytest.mark.parametrize(
    ("threads", "messages"), [(10_000, 1), pytest.param(10_000, 10, marks=pytest.mark.full, id="100,000 read")]
)
def test_a_long_past(threads: int, messages: int, team: Team) -> None:
    """Among thousands of threads and read messages every verb finds the right one, and doctor finds nothing."""
    past = with_past(team, threads, messages, days=100)
    drain(team, scope="owed")
    to_dev = [each for each in past if each.agents[1] == "dev"]  # the first message is from ops
    old, late = to_dev[0], to_dev[-2]

    # Reading: by the whole id, by the end of it, by a part that fits several.
    for each in (old, late):
        for given in (each.messages[0], each.messages[0][-8:]):
            assert answer(team, "dev", "read", given, "--peek")["id"] == each.messages[0]
            traced = answer(team, "dev", "trace", given)
            assert (traced["id"], traced["state"]) == (each.messages[0], "read" if messages == 1 else "replied")
    part = old.messages[0][-8:-3]
    fits = [path for path in (team.home / "inboxes/dev/.read").iterdir() if path.stem[-8:].startswith(part)]
    (refused,) = run(team, [Call("dev", ["read", part])])
    assert (refused.status, f"fits {len(fits)} messages" in refused.stderr) == (1, True), refused
    assert len(refused.stderr) < 1000

    # Threads: the newest twenty, each by any of its names, with the words of its messages.
    newest = answer(team, "dev", "thread")["threads"]
    assert [thread["id"] for thread in newest] == [each.id for each in past[:-21:-1]]
    wanted = "open" if messages == 1 else "completed"
    assert [thread["id"] for thread in answer(team, "dev", "thread", "--status", wanted)["threads"]] == [
        thread["id"] for thread in newest
    ]
    for each in (old, late):
        for given in (each.id, each.id[-6:]):
            shown = answer(team, "dev", "thread", given)
            assert [entry["id"] for entry in shown["messages"]] == each.messages
            assert shown["messages"][-1]["summary"] == f"Part {messages - 1} of conversation {past.index(each)}"

    # What is new is all there is to see.
    assert told(team, hook("SessionStart")).split("\n")[1] == "Inbox: nothing pending."
    assert told(team, hook("Stop")) == ""
    first = answer(team, "ops", "send", "dev", *NOTE, "--priority", "high")
    again = answer(team, "ops", "send", "dev", *NOTE, "--requires-response", "--thread", old.id[-6:])
    assert again["thread_id"] == old.id
    assert ids(told(team, hook("UserPromptSubmit"))) == [first["id"]]
    for options in ([], ["--all"]):
        assert [each["id"] for each in answer(team, "dev", "inbox", *options)["pending"]] == [first["id"], again["id"]]
    assert [row["pending"] for row in answer(team, "dev", "bus")["agents"] if row["name"] == "dev"] == [2]
    assert first["id"] in told(team, slash("/read"))
    assert answer(team, "dev", "read")["id"] == again["id"]
    assert again["id"] in told(team, hook("Stop"))  # it wants an answer
    answered = answer(team, "dev", "reply", again["id"][-8:], "response", "--summary", "Done")
    assert (answered["thread_id"], answered["thread_status"]) == (old.id, "completed")
    assert told(team, hook("Stop")) == ""
    reply = answer(team, "dev", "reply", late.messages[0], "response", "--summary", "Late")
    assert reply["thread_id"] == late.id
    assert told(team, slash("/thread")).count("thread-") == 20
    assert told(team, slash(f"/thread {late.id}")).count("Part") == 1 + messages
    sent = [first["id"], again["id"], answered["id"], reply["id"]]
    sent += [json.loads(line)["id"] for line in run(team, [
        Call("dev", ["send", "--batch", "-"], '{"to":"ops","intent":"note","payload":{}}\n' * 3)
    ])[0].stdout.splitlines()]  # fmt: skip

    # Nothing is wrong, and what is lost is found again.
    assert findings(team) == []
    lost = team.home / f"threads/{old.id}.json"
    before = json.loads(lost.read_bytes())
    lost.unlink()
    assert findings(team, "--repair") == []
    assert json.loads(lost.read_bytes()) == before
    assert state.check(team.home) == {*sent, *(name for each in past for name in each.messages)}


def test_a_conversation_without_an_end(team: Team) -> None:
    """A thread of 5,000 messages is shown, answered, counted and rebuilt like any other."""
    (past,) = with_past(team, 1, 5_000, days=5)
    drain(team, scope="owed")
    assert [entry["id"] for entry in answer(team, "ops", "thread", past.id)["messages"]] == past.messages
    (page,) = run(team, [Call("ops", ["thread", past.id])])
    assert page.stdout.count("\n") >= len(past.messages)
    cut = told(team, slash(f"/thread {past.id}"))
    assert len(cut.encode("utf-16-le")) <= 18_000
    assert f"thread {past.id}" in cut.rpartition("\n")[2]

    sent = answer(team, "ops", "send", "dev", *NOTE, "--requires-response", "--thread", past.id)
    assert (sent["thread_id"], sent["thread_status"]) == (past.id, "open")
    assert answer(team, "dev", "read")["id"] == sent["id"]
    assert sent["id"] in told(team, hook("Stop"))
    replied = answer(team, "dev", "reply", sent["id"], "response", "--summary", "Done")
    assert replied["thread_status"] == "completed"
    assert told(team, hook("Stop")) == ""
    lines = [{"to": "dev", "intent": "note", "payload": {}, "thread_id": past.id}] * 10
    (batch,) = run(team, [Call("ops", ["send", "--batch", "-"], "\n".join(map(json.dumps, lines)))])
    more = [json.loads(line)["id"] for line in batch.stdout.splitlines()]
    whole = [*past.messages, sent["id"], replied["id"], *more]
    assert [entry["id"] for entry in answer(team, "dev", "thread", past.id[-6:])["messages"]] == whole
    assert answer(team, "ops", "trace", past.messages[0])["state"] == "replied"

    assert findings(team) == []
    (team.home / f"threads/{past.id}.json").write_text("{")
    again = answer(team, "dev", "send", "ops", *NOTE, "--thread", past.id)
    stored = json.loads((team.home / f"threads/{past.id}.json").read_bytes())
    assert [entry["id"] for entry in stored["messages"]] == [*whole, again["id"]]
    assert state.check(team.home) == {*whole, again["id"]}
