"""Sessions for a plan that went out: printed and opened by a person at a terminal, and at work by themselves."""

from __future__ import annotations

import itertools
import os

from e2e.office import Office
from support.client import Terminal

MEND = {"title": "Mend the redirect", "assignee": "dev", "intent": "note", "summary": "Login loops on Safari"}


class Person:
    """Somebody at a terminal of their own, without a session; each command writes its stdout into a file."""

    def __init__(self, office: Office, **env: str) -> None:
        self._office = office
        self.terminal: Terminal = office.shell("ops", **env)
        self._out = office.room.project("ops") / "out"
        self._numbers = itertools.count()
        self._end = ""

    def begin(self, *words: str) -> None:
        """Type a command."""
        number = next(self._numbers)
        self._end = f"end {number} is "
        self.terminal.submit(f"'{self._office.helper}' {' '.join(words)} > out; echo end {number} is $?")

    def end(self, status: int) -> str:
        """What it prints when it has ended with that status."""
        self.terminal.wait_for(f"{self._end}{status}")
        return self._out.read_text()

    def asked(self, question: str, answer: str) -> None:
        """Wait for a question at the end of the screen, and answer it."""
        self.terminal.wait(lambda: self.terminal.screen().endswith(question), question)
        self.terminal.submit(answer)


def test_launch_prints_and_opens(office: Office) -> None:
    """It prints the commands; with --open, after a question, a client opens where its agent works, and reads."""
    office.domain("product", "ops", "dev")
    plan = office.propose("ops", MEND)
    person = Person(office, ANTHROPIC_API_KEY="dev")
    person.begin("plan", "launch", plan)
    person.end(2)
    person.begin("plan", "confirm", plan)
    person.asked("Let it out? [y/N]:", "y")
    assert f"{plan} is confirmed." in person.end(0)
    assert office.plan(plan)["confirmation"]["session"].startswith("/dev/")
    person.begin("plan", "dispatch", plan)
    assert f"{plan}  dispatched: 1 brief sent" in person.end(0)
    (brief,) = office.pending("dev")

    dev = office.room.project("dev")
    person.begin("plan", "launch", plan)
    assert person.end(0) == f"cd {dev} && claude /inbox\n"
    person.begin("plan", "launch", "--open", plan)
    person.asked("Open 1 session? [y/N]:", "n")
    assert person.end(2) == ""
    assert office.sessions("dev") == []
    office.model.say(office.call("read", brief["id"]), "Read.", key="dev")
    person.begin("plan", "launch", "--open", plan)
    person.asked("Open 1 session? [y/N]:", "y")
    assert person.end(0) == "Opened ato:dev\n"
    inbox, read = office.model.wait_for(f"{brief['id']}\n"), office.model.wait_for("summary  Login loops on Safari")
    assert "dev/dev  1 pending" in inbox.newest
    assert f"Ref       plan://{plan}/1" in read.newest
    assert office.archived("dev") == [brief["id"]]
    (session,) = office.sessions("dev")
    assert session["workspace_path"] == str(dev)
    tmux = ["tmux", "-S", f"{office.room.env['TMPDIR']}/tmux-{os.getuid()}/default"]
    windows = office.room.run(dev, *tmux, "list-panes", "-a", "-F", "#{window_name} #{pane_pid} #{pane_current_path}")
    assert windows.stdout == f"dev {session['pid']} {dev}\n"
