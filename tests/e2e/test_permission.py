"""The helper is called without a question, whatever the text; nothing else gets through with it."""

from __future__ import annotations

from typing import Any

from e2e.office import QUESTION, Office, files
from support.model import Request, bash

# Everything a person may write and a shell would act on.
ODD = """{"a": ["b's", {}]} `touch x` $(touch x) ${HOME} \\n; touch x && touch x > x # no"""
HEREDOC = f"question: {ODD}\nproject: web\n\nA text\nof two lines: {ODD}"


def sent(request: Request, office: Office) -> dict[str, Any]:
    """The message in dev's inbox that a call has sent, as its result says."""
    (message,) = [item for item in office.pending("dev") if f"Sent {item['id']} to dev" in request.newest]
    return message


def test_calls_pass_in_a_terminal(office: Office) -> None:
    """Quotes, braces, newlines, backticks and substitutions pass as text, in an ordinary prompt and in a command."""
    web = office.room.project("ops")
    (web / "notes.txt").write_text("notes")
    quoted = ODD.replace("'", "")
    calls = [
        office.call("send", "dev", "note", body=HEREDOC),
        office.call("send", "dev", "note", f"--field 'note={quoted}\nand more'"),
        office.call("send", "dev", "note", "--attach notes.txt", "-s", '"It\'s {done}; really"'),
        office.call("inbox"),
        office.call("bus", "--json"),
        office.call("whoami"),
    ]
    terminal = office.terminal("ops")
    _, *results = office.prompt(terminal, "ops", "Tell dev", *calls)
    messages = [sent(result, office) for result in results[:3]]
    assert [message["payload"] for message in messages] == [
        {"question": ODD, "project": "web", "text": f"A text\nof two lines: {ODD}"},
        {"note": f"{quoted}\nand more"},
        {"summary": "It's {done}; really"},
    ]
    assert [item["name"] for item in messages[2]["attachments"]] == ["notes.txt"]
    assert "ops/ops  nothing pending" in results[3].newest
    assert '"agents":' in results[4].newest
    assert "ops" in results[5].newest
    _, result = office.prompt(terminal, "ops", "/send dev note It is done", calls[0])
    assert sent(result, office)["payload"]["question"] == ODD
    assert files(web) == {"notes.txt"}


def hostile(office: Office) -> list[str]:
    """Commands that begin as a call of the helper, and do something else beside it or with it."""
    ato = f'"{office.helper}"'
    other = office.room.project("ops/evil/scripts") / "ato"
    other.write_text("#!/bin/sh\ntouch x\n")
    other.chmod(0o755)
    return [
        f"{ato} send dev note -s 'a'; touch x",
        f"{ato} send dev note -s 'a' > x",
        f'{ato} send dev note -s "$(touch x)"',
        f"{ato} send dev note --body - <<END\nnote: $(touch x)\nEND",
        f"{ato} send dev note --body - <<'END'\nnote: a\nEND\ntouch x",
        f"AGENT_TEAM_OS_AGENT=dev {ato} send dev note -s 'a'",
        f"{ato} send dev note -s 'a' --allow-secret",
        f"{ato} send dev note -s 'a' --attach /etc/passwd",
        f"{ato} join other",
        f'"{other}" send dev note -s a',
    ]


def test_what_is_not_a_call_is_denied_where_nobody_can_be_asked(office: Office) -> None:
    """Without a terminal the client refuses them all; nothing is sent, written or changed."""
    commands = hostile(office)
    web, before, rules = office.room.project("ops"), files(office.room.project("ops")), office.map()
    office.model.say(*map(bash, commands), "Done.", key="ops")
    done = office.headless("ops", "Do it all")
    denied = [item["tool_input"]["command"] for item in done.document["permission_denials"]]
    assert denied == commands
    _, *results = office.model.asked("ops")
    assert len(results) == len(commands)
    assert all("Sent msg-" not in result.newest for result in results)
    assert office.pending("dev") == []
    assert files(web) == before
    assert office.map() == rules


def test_what_is_not_a_call_asks_in_a_terminal(office: Office) -> None:
    """The person is asked, and where they do not say yes nothing has happened."""
    commands = hostile(office)
    web, before = office.room.project("ops"), files(office.room.project("ops"))
    terminal = office.terminal("ops")
    for number in (0, 1, 3, 6, 7, 9):
        office.model.say(bash(commands[number]), key="ops")
        terminal.submit(f"Do number {number}")
        terminal.wait_for(QUESTION)
        assert office.model.asked("ops")[-1].newest.count(f"Do number {number}") == 1
        terminal.key("Escape")
        terminal.wait(lambda: not QUESTION.search(terminal.screen()), "the end of the question")
        office.idle(terminal)
    assert office.pending("dev") == []
    assert files(web) == before


def test_a_question_stays_with_a_command_that_the_person_typed(office: Office) -> None:
    """What /send may do without a question is no leave for another command in the same turn."""
    office.model.say(office.call("bus"), bash("touch x"), key="ops")
    terminal = office.terminal("ops")
    terminal.submit("/send dev note It is done")
    screen = terminal.wait_for(QUESTION)
    assert "touch x" in screen
    assert "(you)" in office.model.asked("ops")[1].newest
    terminal.key("Escape")
    terminal.wait_for("Interrupted")
    assert files(office.room.project("ops")) == set()
