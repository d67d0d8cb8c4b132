"""For which thread a request was: the one whose message its session read, answered or sent last before it."""

from __future__ import annotations

from typing import Any

from conftest import Team
from support.transcripts import read, said, write
from test_telemetry import dev, rows, session

ONE, TWO = "thread-20260520-abc123", "thread-20260521-def456"


def test_a_request_is_for_the_thread_that_was_read_last(team: Team) -> None:
    """What `ato read`, `send` and `reply` print tells the thread of all requests behind it, also in a later pass."""
    path, here = session(team), dev(team)
    write(path, said("s-1", here, "msg_1", input_tokens=1))
    write(path, read("s-1", here, f"From      ops\nThread    {ONE}\nMessage   msg-20260520T000000Z-aaaaaaaa"))
    write(path, said("s-1", here, "msg_2", input_tokens=10))
    assert rows(team, "thread") == {"none": 1, ONE: 10}
    write(path, said("s-1", here, "msg_3", input_tokens=100))
    write(path, read("s-1", here, f"Sent msg-20260520T000000Z-aaaaaaaa to ops ({TWO})."))
    write(path, said("s-1", here, "msg_4", input_tokens=1000))
    assert rows(team, "thread") == {"none": 1, ONE: 110, TWO: 1000}


def test_the_real_pages_name_their_thread(team: Team) -> None:
    """The output of the program's own verbs, as text and as JSON, moves the session to the thread of the message."""
    path, here = session(team), dev(team)
    sent = team.ask("ops", "dev")
    write(path, read("s-1", here, team.run("dev", "read", "--peek").stdout))
    write(path, said("s-1", here, "msg_1", input_tokens=1))
    answer = team.run("dev", "reply", sent["id"], "accept", "--json").stdout
    write(path, read("s-1", here, answer), said("s-1", here, "msg_2", input_tokens=10))
    other = team.run("dev", "send", "ops", "note", "--summary", "x").stdout
    write(path, read("s-1", here, other), said("s-1", here, "msg_3", input_tokens=100))
    inbox = team.run("dev", "inbox").stdout
    write(path, read("s-1", here, inbox), said("s-1", here, "msg_4", input_tokens=1000))
    found = rows(team, "thread")
    assert found.pop(sent["thread_id"]) == 11
    assert list(found.values()) == [1100]


def test_a_listing_and_a_mention_change_nothing(team: Team) -> None:
    """A result that names several threads, or one in other words than ours, and what is no result change nothing."""
    path, here = session(team), dev(team)
    write(path, read("s-1", here, f"Thread    {ONE}"))
    write(path, read("s-1", here, f"Sent msg-1 to ops ({ONE}).\nSent msg-2 to ops ({TWO})."))
    for mention in (
        TWO, f"See {TWO}.", f"notes.md:3:Thread    {TWO}", f"    Thread    {TWO}", f"Thread: {TWO}",
        f"  body  Thread    {TWO}", f"I sent msg-1 to ops ({TWO}).", f"Sent it ({TWO}).",
        f'outbox/2026-05-21.jsonl:{{"id":"msg-1","thread_id":"{TWO}"}}', f'"thread_id":"{TWO}"',
        f'{{"thread_id":"{ONE}","other":{{"thread_id":"{TWO}"}}}}',
    ):  # fmt: skip
        write(path, read("s-1", here, mention))
    for content in (f"Thread    {TWO}", [{"type": "text", "text": f"Thread    {TWO}"}]):
        write(path, {**read("s-1", here, ""), "message": {"role": "user", "content": content}})
    write(path, {**read("s-1", here, ""), "toolUseResult": {"prompt": f"Thread    {TWO}"}})
    for kind in ("queued_command", "file"):
        write(path, {"type": "attachment", "attachment": {"type": kind, "content": f"Thread    {TWO}"}})
    write(path, {"type": "system", "subtype": "local_command", "content": f"Thread    {TWO}"})
    write(path, said("s-1", here, "msg_1", content=[{"type": "text", "text": f"About {TWO}"}], input_tokens=1))
    write(path, {"type": "api-request-blob", "message": {"role": "user", "content": f"Thread    {TWO}"}})
    write(path, read("s-1", here, f"{TWO}x and thread-2026-abc123 and a thread-safe one"))
    write(path, said("s-1", here, "msg_2", input_tokens=10))
    assert rows(team, "thread") == {ONE: 11}


def test_a_mention_inside_a_message_is_not_its_thread(team: Team) -> None:
    """A message that quotes another thread, in whatever form, is read for its own; also in a frame and as JSON."""
    path, here = session(team), dev(team)
    body = {"body": f"As in\nThread    {TWO}\nSent msg-1 to ops ({TWO})."}
    sent = team.json("ops", "send", "dev", "note", "--field", f"body={body['body']}")
    for number, (args, more) in enumerate((((), {}), ((), {"CLAUDECODE": "1"}), (("--json",), {}))):
        write(path, read("s-1", here, f"Thread    {TWO}"))
        write(path, read("s-1", here, team.run("dev", "read", "--peek", *args, **more).stdout))
        write(path, said("s-1", here, f"msg_{number}", input_tokens=10**number))
    assert rows(team, "thread") == {sent["thread_id"]: 111}


def test_a_handoff_names_its_thread(team: Team) -> None:
    """What `ato handoff` prints is what was sent, as that of `send` is."""
    shown = team.run("dev", "handoff", "ops", "--state-summary", "half", "--next-step", "test").stdout
    assert shown.startswith("Handed over ")
    write(session(team), read("s-1", dev(team), shown), said("s-1", dev(team), "msg_1", input_tokens=3))
    (thread,) = rows(team, "thread")
    assert thread.startswith("thread-")


def test_a_command_of_ours_names_it_too(team: Team) -> None:
    """What a hook gave a slash command as context counts like the output of a tool."""
    context: dict[str, Any] = {"type": "hook_additional_context", "content": [f"Thread    {ONE}"]}
    entry = {"type": "attachment", "attachment": context, "timestamp": "2026-05-20T09:00:00Z", "cwd": dev(team)}
    write(session(team), entry, said("s-1", dev(team), "msg_1", input_tokens=4))
    assert rows(team, "thread") == {ONE: 4}


def test_a_subagent_works_for_the_thread_of_its_session(team: Team) -> None:
    """A subagent's request is for the thread its session was in at that time, until it reads a message itself."""
    path, here = session(team), dev(team)
    below = path.with_suffix("") / "subagents/agent-a1.jsonl"
    write(path, said("s-1", here, "msg_1", "2026-05-20T09:00:00.000Z", input_tokens=1))
    write(path, read("s-1", here, f"Thread    {ONE}", "2026-05-20T10:00:00.000Z"))
    write(path, read("s-1", here, f"Thread    {TWO}", "2026-05-20T11:00:00.000Z"))
    for number, hour in enumerate(("09:30", "10:30", "11:30")):
        write(below, said("s-1", here, f"msg_1{number}", f"2026-05-20T{hour}:00.000Z", output_tokens=10**number))
    write(below, read("s-1", here, f"Thread    {ONE}", "2026-05-20T12:00:00.000Z"))
    write(below, said("s-1", here, "msg_20", "2026-05-20T12:30:00.000Z", output_tokens=1000))
    assert rows(team, "thread") == {"none": 2, ONE: 1010, TWO: 100}
