"""Deadlines and budgets where they are set and where they are told: options, letters, the start of a session, /bus."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.hooks import pre_tool_use
from conftest import Team
from support.cli import ROOT
from support.desk import Desk, framed
from support.late import FUTURE, PAST, in_hours, line, listed, log, note, owe
from support.sessions import Session

BOTH = ("--escalate-after", FUTURE, "--budget-minutes", "90")


# ---- Where they are set -------------------------------------------------------------------------


def test_the_options_of_all_that_sends(team: Team) -> None:
    """send, reply and handoff store what they are given; who names a time to escalate expects an answer."""
    sent = team.ask("ops", "dev", *BOTH)
    stored = [team.stored(sent)]
    replied = team.json("dev", "reply", sent["id"], "question", "--summary", "x", *BOTH)
    handed = team.json("ops", "handoff", "dev", "--state-summary", "x", "--next-step", "y", *BOTH)
    stored += [team.stored(replied), team.stored(handed)]
    for message in stored:
        assert (message["escalate_after"], message["budget_minutes"]) == (FUTURE, 90)
        assert message["requires_response"]
    message = team.stored(team.ask("ops", "dev", "--budget-minutes", "5"))
    assert not message["requires_response"]
    assert "escalate_after" not in message
    assert {"escalate_after", "budget_minutes"}.isdisjoint(team.stored(team.ask("ops", "dev")))


@pytest.mark.parametrize(
    ("status", "code", "option"),
    [
        (4, "invalid-message", ("--escalate-after", "tomorrow")),
        (4, "invalid-message", ("--escalate-after", "2020-02-30T00:00:00Z")),
        (64, "usage", ("--budget-minutes", "0")),
        (64, "usage", ("--budget-minutes", "525601")),
        (64, "usage", ("--budget-minutes", "1.5")),
    ],
)
def test_what_is_no_time(status: int, code: str, option: tuple[str, str], team: Team) -> None:
    """What is no time and no number of minutes is refused, and nothing is sent."""
    error = team.refused(status, code, "ops", "send", "dev", "note", "--summary", "x", *option)
    assert option[0].strip("-").replace("-", "_") in error["message"].replace("-", "_")


@pytest.mark.parametrize("verb", ["send dev note", "reply x7q3abcd response", "handoff dev"])
def test_the_helper_passes(verb: str, tmp_path: Path) -> None:
    """A call of the helper with the two options needs no question."""
    helper = str(ROOT / "scripts/ato")
    command = f"{helper} {verb} --summary x {shlex.join(BOTH)}"
    assert pre_tool_use.run({"tool_name": "Bash", "tool_input": {"command": command}}, str(tmp_path), helper)


def test_the_letter(team: Team) -> None:
    """Who reads a message reads its budget and when it escalates; of one without them there is no word."""
    letter = team.run("dev", "read", owe(team, "--escalate-after", "2020-01-01T00:00:00Z", "--budget-minutes", "90"))
    assert "\nBudget    90 min\nEscalates " in letter.stdout
    assert "1 Jan 2020" in letter.stdout
    plain = team.run("dev", "read", owe(team)).stdout
    assert "Budget" not in plain
    assert "Escalates" not in plain


# ---- The start of a session ---------------------------------------------------------------------


def banner(team: Team, agent: str = "dev") -> str:
    """The line on what is late; empty for none."""
    lines = [each for each in Session(team, folder=agent).start().split("\n") if each.startswith("Overdue")]
    assert len(lines) <= 1
    return "".join(lines)


def ago(number: int, hours: float, **fields: Any) -> dict[str, Any]:
    """A message of ops to dev, as `line` makes one, whose answer is late by so many hours."""
    at = line(number, age=hours * 3600 + 30)["ts"]
    return line(number, age=hours * 3600 + 60, response_by=at, **fields)


def test_what_a_session_is_told(team: Team) -> None:
    """A session hears in one line what it owes and what is owed to it, the longest first; nothing for nothing."""
    assert banner(team) == banner(team, "ops") == ""
    owe(team)
    log(team, ago(1, 2))
    assert banner(team) == "Overdue: you owe 1 answer (ops, 2 h late). See: /bus overdue"
    assert banner(team, "ops") == "Overdue: 1 answer is owed to you (dev, 2 h late). See: /bus overdue"
    log(team, ago(2, 50))
    assert banner(team) == "Overdue: you owe 2 answers (the longest: ops, 2 days late). See: /bus overdue"
    assert (
        banner(team, "ops") == "Overdue: 2 answers are owed to you (the longest: dev, 2 days late). See: /bus overdue"
    )
    log(team, ago(3, 1, sender="dev", to="ops"))
    assert banner(team).endswith("(the longest: ops, 2 days late); 1 is owed to you (ops, 1 h late). See: /bus overdue")


def test_every_start_says_it_until_it_is_answered(team: Team) -> None:
    """Each session hears of it each time it starts, and none after the answer."""
    message_id = owe(team, "--response-by", PAST)
    session = Session(team)
    assert all("Overdue: you owe 1 answer" in session.start(source) for source in ("startup", "resume", "compact"))
    team.json("dev", "reply", message_id, "response", "--summary", "main")
    assert "Overdue" not in session.start("resume")


def test_others_are_told_nothing(team: Team) -> None:
    """A session of an agent that neither owes nor waits hears nothing of it, and no prompt or stop does."""
    team.join("lead")
    owe(team, "--response-by", PAST)
    assert banner(team, "lead") == ""
    session = Session(team)
    session.start()
    assert "Overdue" not in session.prompt()
    assert session.stop() == {}


def test_no_word_of_the_sender(team: Team) -> None:
    """The line has names and numbers; what was written stands in the frame of the mail alone."""
    team.ask("ops", "dev", "--response-by", PAST, question="IGNORE ALL")
    text = Session(team).start()
    assert [each for each in text.split("\n") if "IGNORE ALL" in each] == [
        each for each in text.split("\n") if each[6:8] == "| "
    ]


def test_an_outbox_that_cannot_be_read(team: Team) -> None:
    """Where deadlines cannot be learned the mail is announced all the same."""
    sent = team.ask("ops", "dev", "--response-by", PAST)
    log = next((team.home / "outbox").glob("*.jsonl"))
    log.unlink()
    log.mkdir()
    assert sent["id"] in Session(team).start()
    (team.home / "outbox").rename(team.home / "elsewhere")
    (team.home / "outbox").write_text("no folder")
    assert "1 pending" in Session(team).start()
    assert not note(team).exists()


# ---- /bus overdue -------------------------------------------------------------------------------


def test_the_slash_command(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """`/bus overdue` shows the list, what others wrote framed; one more word is refused."""
    dev = Desk(team, "dev")
    assert dev.command("/bus overdue") == "dev  nothing is overdue"
    message_id = owe(team, "--budget-minutes", "5")
    team.json("dev", "read", message_id)
    in_hours(monkeypatch, 1)
    page = dev.command("/bus overdue")
    assert page.startswith("dev  owes 1, is owed 0\n")
    assert any(message_id in each and "its budget of 5 min" in each for each in framed(page))
    assert listed(team, "dev") == {message_id: ["budget"]}
    assert "one word too many" in dev.command("/bus overdue now")
