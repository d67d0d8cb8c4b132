"""The halt word with the real client: an open session hears of it at once, and only its person lifts it."""

from __future__ import annotations

from e2e.office import Office
from support.model import bash

LIFT = "A person lifts it: /bus resume in a session, or at a terminal: ato resume"
HALTED = "the bus is halted since "
ALLOWED = ("--allowedTools", "Bash")


def test_an_open_session_is_halted_and_resumed(office: Office) -> None:
    """The very next hook tells the model, its send is refused, it cannot lift the halt itself, and its person can."""
    terminal = office.terminal("ops", *ALLOWED)
    send = office.call("send", "dev", "note", "-s", "'Login loops'")
    (before,) = office.prompt(terminal, "ops", "Good morning")
    assert HALTED not in before.text
    office.ato("dev", "halt", "wrong", "branch")
    told, refused, tried = office.prompt(terminal, "ops", "Tell dev", send, bash(f"{office.helper} resume; true"))
    assert HALTED in told.newest
    assert " by dev. Nothing can be sent, answered, handed over or dispatched. " + LIFT in told.newest
    assert "| wrong branch" in told.newest
    assert "Exit code 2" in refused.newest
    assert HALTED in refused.newest
    assert "lifting a halt takes a person, and this is a shell of a session" in tried.newest
    assert (office.home / "HALT.json").exists()
    assert office.pending("dev") == []

    _, resumed, sent = office.agreed(terminal, "ops", "/bus resume", office.call("resume"), send)
    assert "The halt is lifted; mail goes out again." in resumed.newest
    assert not (office.home / "HALT.json").exists()
    (message,) = office.pending("dev")
    assert f"Sent {message['id']} to dev" in sent.newest
    (after,) = office.prompt(terminal, "ops", "Good evening")
    assert HALTED not in after.newest


def test_a_halt_between_two_calls_of_a_turn(office: Office) -> None:
    """A model in the middle of its work, halted by itself or by anybody, cannot send any more; nobody waits for it."""
    halt, send = office.call("halt", "stop", "all", "work"), office.call("send", "dev", "note", "-s", "One")
    end = office.send("dev", "ops", "Which branch?")[-8:]
    office.model.say(send, halt, send, office.call("reply", end, "accept"), "Stopped.", key="ops")
    done = office.headless("ops", "Tell dev", *ALLOWED)
    first, sent, halted, *refused = office.model.asked("ops")
    assert HALTED not in first.text
    assert "Sent msg-" in sent.newest
    assert "The bus is halted. A person lifts it: ato resume" in halted.newest
    for result in refused:
        assert "Exit code 2" in result.newest
        assert HALTED in result.newest
    assert done.text == "Stopped."
    assert len(office.pending("dev")) == 1

    # A new session, of whatever agent, hears of it when it starts; a nested client is nobody's person.
    office.headless("dev", "/bus resume")
    (request,) = office.model.asked("dev")
    assert HALTED in request.text
    assert "this was not done, because nobody sits at this session" in request.newest
    assert (office.home / "HALT.json").exists()
