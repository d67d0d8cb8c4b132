"""The requests of the real client, counted by `ato telemetry`: they are what the client itself says it has spent."""

from __future__ import annotations

import json
from typing import Any

from e2e.office import Office
from support.model import Turn, bash


def accounts(office: Office) -> dict[str, Any]:
    """What each session says it has spent, by its id: the last such line of its transcript."""
    found = {}
    for path in (office.room.home / ".claude/projects").glob("*/*.jsonl"):
        for line in path.read_bytes().splitlines():
            entry = json.loads(line)
            if entry["type"] == "cost-state":
                found[path.stem] = entry
    return found


def report(office: Office, by: str) -> dict[str, Any]:
    """The report as dev asks for it outside of any session."""
    return dict(json.loads(office.ato("dev", "telemetry", "--json", "--by", by)))


def test_the_client_and_the_report_agree(office: Office) -> None:
    """Blocks, tools, a subagent, a resumed and a forked session: tokens and dollars are those of the client itself."""
    office.send("ops", "dev", "Login loops")
    read, reply = office.call("read"), Turn("", (("Agent", {
        "description": "look", "prompt": "SUBJOB look around", "subagent_type": "general-purpose",
    }),))  # fmt: skip
    office.model.when("SUBJOB", "I have looked.", times=1)
    office.model.say(bash("true", "First a word."), read, reply, "Done.")
    allowed = ("--allowedTools", "Bash,Agent")
    session = office.headless("dev", "Good morning", *allowed).session
    office.headless("dev", "Go on", "--resume", session)
    fork = office.headless("dev", "And now?", "--resume", session, "--fork-session").session
    assert fork != session

    found = report(office, "session")
    assert {row["key"] for row in found["rows"]} == {session, fork}
    # A fork's own account begins with that of the session it came from.
    whole = accounts(office)[fork]
    (model,) = whole["modelUsage"].values()
    total = found["total"]
    assert (total["input"], total["output"]) == (model["inputTokens"], model["outputTokens"])
    assert abs(total["dollars"] - whole["totalCostUSD"]) < 1e-6
    assert (total["unpriced"], found["broken_lines"]) == (0, 0)

    (row,) = report(office, "agent")["rows"]
    assert (row["key"], row["tokens"]) == ("dev", total["tokens"])
    threads = {row["key"]: row["tokens"] for row in report(office, "thread")["rows"]}
    assert set(threads) == {"none", *(path.stem for path in (office.home / "threads").glob("thread-*.json"))}
    assert threads["none"] < total["tokens"] / 2
