"""What `ato telemetry` counts: transcripts whose sums were worked out by hand.

The prices, in dollars for a million tokens: claude-opus-4-5 takes 5 for input, 25 for output, 0.50 for what was read
from the cache, 6.25 for what was written to it for 5 minutes and 10 for an hour.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conftest import Team
from support.transcripts import line, read, said, write


def session(team: Team, name: str = "s-1") -> Path:
    """The transcript of a session of dev."""
    return team.root / f".claude/projects/-dev/{name}.jsonl"


def dev(team: Team) -> str:
    """The folder of dev, as a line names it."""
    return str(team.root / "dev")


def total(team: Team, *options: str) -> dict[str, Any]:
    """What was spent in all."""
    found: dict[str, Any] = team.json("dev", "telemetry", *options)["total"]
    return found


def rows(team: Team, by: str) -> dict[str, int]:
    """Tokens by key."""
    return {row["key"]: row["tokens"] for row in team.json("dev", "telemetry", "--by", by)["rows"]}


def test_a_request_of_every_kind_of_token(team: Team) -> None:
    """The five kinds of tokens are summed apart and priced apart."""
    kinds = {"ephemeral_5m_input_tokens": 100_000, "ephemeral_1h_input_tokens": 50_000}
    write(session(team), said(
        "s-1", dev(team), "msg_1", input_tokens=10_000, output_tokens=2_000, cache_read_input_tokens=400_000,
        cache_creation_input_tokens=150_000, cache_creation=kinds,
    ))  # fmt: skip
    # 0.05 + 0.05 + 0.20 + 0.625 + 0.50
    assert team.json("dev", "telemetry") == {
        "by": "agent", "since": None, "broken_lines": 0, "unpriced_models": [],
        "rows": [{
            "key": "dev", "input": 10_000, "output": 2_000, "cache_read": 400_000, "cache_write_5m": 100_000,
            "cache_write_1h": 50_000, "tokens": 562_000, "dollars": 1.425, "unpriced": 0,
        }],
        "total": {
            "input": 10_000, "output": 2_000, "cache_read": 400_000, "cache_write_5m": 100_000,
            "cache_write_1h": 50_000, "tokens": 562_000, "dollars": 1.425, "unpriced": 0,
        },
    }  # fmt: skip


def test_a_write_of_no_kind_is_one_for_five_minutes(team: Team) -> None:
    """What was written to the cache counts for five minutes where the line does not say for how long."""
    write(session(team), said("s-1", dev(team), "msg_1", cache_creation_input_tokens=1_000_000))
    found = total(team)
    assert (found["cache_write_5m"], found["cache_write_1h"], found["dollars"]) == (1_000_000, 0, 6.25)


def test_searches_cost_without_tokens(team: Team) -> None:
    """A web search costs a cent beside the tokens."""
    tools = {"web_search_requests": 3, "web_fetch_requests": 1}
    write(session(team), said("s-1", dev(team), "msg_1", output_tokens=1_000_000, server_tool_use=tools))
    assert total(team)["dollars"] == 25.03


def test_the_lines_of_one_answer_count_once(team: Team) -> None:
    """Each block of an answer is a line with the same usage; it was one request."""
    blocks: list[dict[str, Any]] = [{"type": "text", "text": "I look."}, {"type": "tool_use", "id": "t", "input": {}}]
    for number in range(3):
        for block in blocks:
            counts: dict[str, Any] = {"input_tokens": 7, "output_tokens": 3}
            write(session(team), said("s-1", dev(team), f"msg_{number}", content=[block], **counts))
    assert total(team)["tokens"] == 30


def test_an_answer_that_grew_counts_with_its_largest_usage(team: Team) -> None:
    """Where lines of one message differ the larger total wins, wherever it stands, and with all its parts."""
    for output in (1, 90, 40):
        write(session(team), said("s-1", dev(team), "msg_1", input_tokens=100 - output, output_tokens=2 * output))
    found = total(team)
    assert (found["input"], found["output"]) == (10, 180)


def test_a_resumed_session_repeats_nothing(team: Team) -> None:
    """Messages that a resumed or forked session has copied into its own transcript count once, for the first one."""
    old = [said("s-1", dev(team), f"msg_{number}", input_tokens=100) for number in range(3)]
    write(session(team), *old)
    assert rows(team, "session") == {"s-1": 300}
    copies = [{**entry, "sessionId": "s-2", "requestSessionId": "s-1", "uuid": "other"} for entry in old]
    write(session(team, "s-2"), *copies, said("s-2", dev(team), "msg_9", input_tokens=11))
    assert rows(team, "session") == {"s-1": 300, "s-2": 11}


def test_a_fork_that_is_read_first_gives_back_what_it_copied(team: Team) -> None:
    """A copy counts for the session and thread of the original, whichever of the two is found first."""
    copy = said("s-2", dev(team), "msg_1", input_tokens=100, requestSessionId="s-1")
    write(session(team, "s-2"), copy)
    assert rows(team, "session") == {"s-1": 100}
    thread = "thread-20260520-abc123"
    write(
        session(team), read("s-1", dev(team), f"Thread    {thread}"), said("s-1", dev(team), "msg_1", input_tokens=100)
    )
    assert rows(team, "thread") == {thread: 100}
    write(session(team, "s-2"), copy)
    assert rows(team, "thread") == {thread: 100}


def test_copies_that_do_not_say_whose_they_are_stay_with_the_first(team: Team) -> None:
    """A copy that is no better than what was counted changes nothing, not even the session."""
    write(session(team, "s-9"), said("s-9", dev(team), "msg_1", input_tokens=100))
    assert rows(team, "session") == {"s-9": 100}
    write(session(team, "s-1"), said("s-1", dev(team), "msg_1", input_tokens=100))
    assert rows(team, "session") == {"s-9": 100}


def test_subagents_count_for_their_session(team: Team) -> None:
    """A subagent's requests are its session's: its agent, also from a folder of somebody else, and its session."""
    write(session(team), said("s-1", dev(team), "msg_1", input_tokens=100))
    below = session(team).with_suffix("") / "subagents"
    elsewhere = str(team.root / "ops")
    write(below / "agent-a1.jsonl", said("s-1", elsewhere, "msg_2", input_tokens=20, isSidechain=True))
    deep = below / "runs/r1/agent-a2.jsonl"
    write(deep, said("other", elsewhere, "msg_3", input_tokens=3, isSidechain=True))
    assert rows(team, "agent") == {"dev": 123}
    assert rows(team, "session") == {"s-1": 123}


def test_what_is_no_side_chain_wins(team: Team) -> None:
    """Of a copy in a side chain and one that is none the latter counts, even with fewer tokens, in either order."""
    for number, order in enumerate(((True, False), (False, True))):
        for side in order:
            counts: dict[str, Any] = {"output_tokens": 500 if side else 40, "isSidechain": side}
            write(session(team), said("s-1", dev(team), f"msg_{number}", **counts))
    assert total(team)["tokens"] == 80


def test_a_line_that_is_no_side_chain_is_news(team: Team) -> None:
    """After a side chain's copy the same usage outside of it counts, so that no larger side chain wins any more."""
    for side, tokens in ((True, 40), (False, 40), (True, 500)):
        write(session(team), said("s-1", dev(team), "msg_1", output_tokens=tokens, isSidechain=side))
    assert total(team)["tokens"] == 40


def test_side_chains_alone_count(team: Team) -> None:
    """A request that is only in a side chain was paid for all the same."""
    write(session(team), said("s-1", dev(team), "msg_1", output_tokens=5, isSidechain=True))
    assert total(team)["tokens"] == 5


def test_missing_ids(team: Team) -> None:
    """Without a message id the request's id tells copies apart, then the line's own, then its bytes."""
    same: dict[str, Any] = {"input_tokens": 1}
    write(session(team), *[said("s-1", dev(team), None, requestId="req_1", uuid=f"u{n}", **same) for n in range(3)])
    write(session(team), *[said("s-1", dev(team), None, uuid=f"u{n % 2}", **same) for n in range(4)])
    write(session(team), *[said("s-1", dev(team), None, uuid=..., version=f"{n % 3}", **same) for n in range(6)])
    write(session(team), said("s-1", dev(team), "", uuid="", requestId=7, version="0", input_tokens=1000))
    assert total(team)["tokens"] == 1 + 2 + 3 + 1000


def test_an_unknown_model_has_tokens_and_no_dollars(team: Team) -> None:
    """A model without a price is named, with its tokens and no dollars; the others keep theirs."""
    write(session(team), said("s-1", dev(team), "msg_1", model="claude-nobody-9", input_tokens=300))
    write(session(team), said("s-1", dev(team), "msg_2", input_tokens=1_000_000))
    found = team.json("dev", "telemetry", "--by", "model")
    assert [(row["key"], row["tokens"], row["dollars"], row["unpriced"]) for row in found["rows"]] == [
        ("claude-opus-4-5", 1_000_000, 5.0, 0),
        ("claude-nobody-9", 300, None, 300),
    ]
    assert found["unpriced_models"] == ["claude-nobody-9"]
    assert (found["total"]["dollars"], found["total"]["unpriced"]) == (5.0, 300)
    assert "300 tokens have no known price, so no dollars: claude-nobody-9" in team.run("dev", "telemetry").stdout


def test_broken_lines_are_counted_and_skipped(team: Team) -> None:
    """A line that has to be read and cannot be is counted, those around it are summed, the rest is not looked at."""
    good = line(said("s-1", dev(team), "msg_1", input_tokens=100))
    bad = [
        good[:-40] + b"\n",  # cut off
        good[:200] + good,  # written into
        good.replace(b"Done.", b"\xff\xfe"),  # no UTF-8
        good.replace(b":100", b":-5"),
        good.replace(b":100", b":1.5"),
        good.replace(b":100", b":true"),
        good.replace(b":100", b":" + b"9" * 5000),
        b'{"a":' * 100_000 + b'"usage"\n',  # deep
        b'{"message":"Thread    thread-20260520-abc123"\n',
    ]
    fine = [
        b"no JSON at all\n",
        b'["usage", 1]\n',
        b'"usage"\n',
        b"\n",
        line(read("s-1", dev(team), 'it says "usage" here')),
        line({"type": "assistant", "message": {"usage": "none"}}),
        line({"type": "progress", "data": json.loads(good)}),
    ]
    path = session(team)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"".join(bad) + good + b"".join(fine))
    found = team.json("dev", "telemetry")
    assert (found["total"]["tokens"], found["broken_lines"]) == (100, len(bad))
    assert "9 broken lines in transcripts were skipped." in team.run("dev", "telemetry").stdout


def test_error_messages_of_the_client_are_no_requests(team: Team) -> None:
    """An answer without any token, as the client writes for its own errors, is not listed as a model."""
    write(session(team), said("s-1", dev(team), "msg_1", model="<synthetic>", input_tokens=0, output_tokens=0))
    found = team.json("dev", "telemetry", "--by", "model")
    assert (found["rows"], found["unpriced_models"], found["total"]["dollars"]) == ([], [], None)


def test_whose_a_request_is(team: Team) -> None:
    """The folder of the line says whose it was, by the map; a folder of nobody's is anonymous."""
    for number, folder in enumerate((dev(team), dev(team) + "/deep/er", str(team.root / "ops"), "/", "", "\0", "x")):
        write(session(team), said("s-1", folder, f"msg_{number}", input_tokens=10**number))
    assert rows(team, "agent") == {"dev": 11, "ops": 100, "anonymous": 1_111_000}


def test_an_agent_that_moves_in_later_does_not_inherit(team: Team) -> None:
    """A request stays with the agent that lived in its folder when it was counted."""
    write(session(team), said("s-1", str(team.root / "later"), "msg_1", input_tokens=5))
    assert rows(team, "agent") == {"anonymous": 5}
    team.join("later")
    write(session(team), said("s-1", str(team.root / "later"), "msg_2", input_tokens=70))
    assert rows(team, "agent") == {"anonymous": 5, "later": 70}


def test_domains_are_those_of_the_map(team: Team) -> None:
    """A domain has what its agents have spent, as the map says now."""
    team.json("dev", "join", "dev", "--domain", "side")
    for number, folder in enumerate(("dev", "ops")):
        write(session(team), said("s-1", str(team.root / folder), f"msg_{number}", input_tokens=10 + number))
    assert rows(team, "domain") == {"side": 10, "none": 11}
    team.json("ops", "join", "ops", "--domain", "side")
    assert rows(team, "domain") == {"side": 21}
