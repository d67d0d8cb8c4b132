"""Killed or failed anywhere, a hook breaks no session, touches no mail, and what it did not say the next one says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable, NamedTuple

import pytest

from conftest import Team
from support import crash, sessions, state
from support.breakages.mail import sender_killed_after_the_line
from support.hooks import said

WEEK = 8 * 86_400  # seconds


class Site(NamedTuple):
    """The session of dev whose hook is about to be disturbed."""

    starter: crash.Starter
    team: Team

    def act(self, event: str, **given: Any) -> crash.Act:
        """An event as Claude Code hands it to hooks/run, and hooks/run to the hook."""
        document = {"session_id": "s-1", "hook_event_name": event, "cwd": str(self.team.root / "dev"), **given}
        env = {
            **self.team.env, "CLAUDE_PID": str(os.getpid()), "CLAUDE_PROJECT_DIR": str(self.team.root / "dev"),
            "CLAUDE_ENV_FILE": str(self.team.root / "exports"),
        }  # fmt: skip
        return crash.Act(self.team.root / "dev", env, [event], json.dumps(document), crash.HOOKS)

    def fire(self, event: str, **given: Any) -> str:
        """What an undisturbed hook says."""
        return heard(self.starter.run(self.act(event, **given)))


def heard(outcome: crash.Outcome) -> str:
    """What a hook told the model, empty for nothing; it ends with 0, and prints nothing or one document of one line."""
    assert outcome.status in (0, -9)
    assert outcome.stderr == ""
    if not outcome.stdout:
        return ""
    assert outcome.stdout.endswith("}\n")
    assert outcome.stdout.count("\n") == 1
    return said(json.loads(outcome.stdout))


class Event(NamedTuple):
    """What a session has before it, and the hook that is then disturbed."""

    prepare: Callable[[Site], None]
    name: str
    given: dict[str, Any]
    judge: Callable[[Site, str, set[str]], None]
    least: int


def new_session(site: Site) -> None:
    """Two messages wait for a session that is new; an old one left its memory."""
    for _ in range(2):
        site.team.ask("ops", "dev")
    old = site.team.home / "state/s-old.json"
    old.parent.mkdir(exist_ok=True)
    old.write_text("{}")
    os.utime(old, (old.stat().st_mtime - WEEK,) * 2)


def killed_sender(site: Site) -> None:
    """The session was told of one message; a second one is left in the spool by a sender that was killed."""
    site.team.ask("ops", "dev")
    site.fire("SessionStart", source="startup")
    sender_killed_after_the_line(site.team.home)


def drained(site: Site) -> None:
    """Drain is on; the session owes an answer to what it has read, and something new is pending."""
    site.team.map(drain={"enabled": True, "scope": "owed", "max_blocks": 3})
    site.team.ask("ops", "dev", "--requires-response")
    site.fire("SessionStart", source="startup")
    assert site.team.run("dev", "read").returncode == 0
    site.team.ask("ops", "dev")


def start_again(site: Site, first: str, news: set[str]) -> None:
    """The next start says who the session is, counts all mail, and shows what was not shown before."""
    again = site.fire("SessionStart", source="resume")
    assert again.startswith("You are dev")
    assert f"{len(list((site.team.home / 'inboxes/dev').glob('msg-*')))} pending" in again
    assert set(sessions.ids(first)) | set(sessions.ids(again)) == news, "never told"


def stop_again(site: Site, first: str, news: set[str]) -> None:
    """The next stops are blocked as often as the map says, each with all that is unhandled, and then no more."""
    again = [site.fire("Stop", stop_hook_active=True) for _ in range(4)]
    blocked = [text != "" for text in again]
    assert blocked == sorted(blocked, reverse=True), "a block after it had let go"
    assert 2 <= sum(blocked) <= 3 - (first != "")
    assert all(set(sessions.ids(text)) == news for text in (first, *again) if text)


EVENTS = {
    "new-session": Event(new_session, "SessionStart", {"source": "startup"}, start_again, 15),
    "killed-sender": Event(killed_sender, "SessionStart", {"source": "resume"}, start_again, 20),
    "stop": Event(drained, "Stop", {"stop_hook_active": False}, stop_again, 12),
}


def disturb(
    event: Event, team: Team, faults: Callable[[int, crash.Point], list[str]], script: Path = crash.HOOKS
) -> int:
    """Fire an event with each of these faults at each call and judge what is left each time; how often that was."""
    with crash.Starter() as starter:
        site = Site(starter, team)
        event.prepare(site)
        before = crash.mail(team.home)
        act = site.act(event.name, **event.given)._replace(script=script)
        template = team.root.rename(team.root.parent / "template")
        crash.fresh(template, team.root)
        news = set(sessions.ids(heard(starter.run(act))))
        assert news
        after = crash.mail(team.home)
        state.check(team.home)

        def judge(outcome: crash.Outcome, fault: str) -> None:
            assert (outcome.status == 0) == (fault != "kill")
            first = heard(outcome)
            assert before.items() <= crash.mail(team.home).items(), "mail was touched"
            event.judge(site, first, news)
            assert site.fire("UserPromptSubmit", prompt="Go on") == "", "told again"
            assert crash.mail(team.home) == after

        return crash.explore(starter, act, template, team.root, faults, judge)


@pytest.mark.parametrize("name", EVENTS)
def test_killed_at_every_call(name: str, team: Team) -> None:
    """Whatever call a kill hits, the mail is as it was, and what the session was not told the next hook tells it."""
    assert disturb(EVENTS[name], team, crash.kill) >= EVENTS[name].least


@pytest.mark.parametrize("name", EVENTS)
def test_failed_at_every_other_call(name: str, team: Team) -> None:
    """Whatever call a disk error hits, once or for good, the hook also succeeds, with one document or without."""
    assert disturb(EVENTS[name], team, crash.some_errors) >= EVENTS[name].least // 4


@pytest.mark.full
@pytest.mark.parametrize("name", EVENTS)
def test_failed_in_every_way_at_every_call(name: str, team: Team) -> None:
    """As above, with each error at each call."""
    assert disturb(EVENTS[name], team, crash.every_error) >= 3 * EVENTS[name].least
