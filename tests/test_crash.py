"""Killed or failed anywhere, a command leaves all of a message or none of it after the next command."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple

import pytest

from conftest import Team
from support import copied, crash, state

QUESTION = ["question", "--field", "question=Which branch?"]
THREAD = "thread-20260520-abc123"


class Site(NamedTuple):
    """A folder that is about to be disturbed, and what is in it before."""

    starter: crash.Starter
    team: Team
    check: Callable[[Path], set[str]]
    before: set[str]

    def run(self, agent: str, *args: str) -> crash.Outcome:
        """The next command, undisturbed."""
        done = self.starter.run(crash.Act(self.team.root / agent, self.team.env, args))
        assert done.status == 0, f"then ato {' '.join(args)}: exit {done.status} {done.stdout}{done.stderr}"
        assert not done.stderr.startswith("ato: "), done.stderr
        return done

    def news(self) -> set[str]:
        """The ids of the mail that is new, after another command; that all mail is whole is checked."""
        self.run("dev", "inbox")
        return self.check(self.team.home) - self.before


Judge = Callable[[Site, crash.Outcome, str], None]


class Verb(NamedTuple):
    """A command: what it needs beforehand, by which its arguments are known; stdin; what must hold; its least calls."""

    prepare: Callable[[Team], list[str]]
    judge: Judge
    least: int
    stdin: str = ""


def all_or_nothing(site: Site, outcome: crash.Outcome, _fault: str) -> None:
    """A message that was acknowledged is there, one that was refused is not, else it is whole or not there."""
    new = site.news()
    assert len(new) <= 1
    assert outcome.stdout.count("\n") <= 1, "more than one document"
    if outcome.status == 0:
        assert len(new) == 1, "said yes and sent nothing"
        assert not outcome.stdout or json.loads(outcome.stdout)["id"] in new, "said yes to something else"
    elif outcome.status > 0 and outcome.status != 75:
        assert outcome.status == 73
        assert not new, "said no and sent it"


def with_its_copies(site: Site, outcome: crash.Outcome, fault: str) -> None:
    """A message with its two copies is all there or not; what could not be kept of a copy is named in a warning."""
    new = site.news()
    if outcome.status < 0:
        assert len(new) in (0, 3), f"of a message and its two copies there are {len(new)}"
    elif outcome.status == 0:
        assert new, "said yes and sent nothing"
        if not fault.endswith("+"):  # else nobody may be left who could be told
            assert len(new) + outcome.stderr.count("gets no copy") == 3, f"of three there are {len(new)}"
    elif outcome.status != 75:
        assert outcome.status == 73
        assert not new, "said no and sent it"


def line_by_line(site: Site, outcome: crash.Outcome, _fault: str) -> None:
    """Of a batch each line that got its result is sent and each that got an error is not, whatever became of others."""
    new = site.news()
    assert len(new) <= len(LINES)
    results = [json.loads(line) for line in outcome.stdout.splitlines()]
    sent = {result["id"] for result in results if "id" in result}
    undecided = [result for result in results if "error" in result and result["error"]["code"] == "undecided"]
    refused = [result for result in results if "error" in result and result["error"]["code"] == "cannot-write"]
    assert len(sent) + len(undecided) + len(refused) == len(results)
    assert sent <= new, "said yes and sent nothing"
    if len(results) == len(LINES):
        assert len(new) <= len(sent) + len(undecided), "said no and sent it"
    if outcome.status == 0:
        assert len(new) == len(sent) == len(LINES)


def archived_when_shown(site: Site, outcome: crash.Outcome, _fault: str) -> None:
    """A message is not archived before its reader has got all of it, and is when the command says so."""
    assert site.news() == set()
    [path] = state.boxes(site.team.home)[min(site.before)]
    archived = path.parent.name == ".read"
    assert outcome.stdout.count("\n") <= 1, "more than one document"
    shown = outcome.stdout.endswith("}\n") and json.loads(outcome.stdout).get("id") == path.stem
    assert shown or not archived, "archived and never shown"
    assert not archived or "stays in the inbox" not in outcome.stdout + outcome.stderr
    if outcome.status == 0:
        assert shown
        assert archived
    elif outcome.status > 0:
        assert outcome.status == 73
    if not archived:
        assert json.loads(site.run("ops", "read", "--json").stdout)["id"] == path.stem


def joined_or_not(site: Site, outcome: crash.Outcome, _fault: str) -> None:
    """The map is whole, as it was or with the new rule; the same again succeeds, and makes no second rule."""
    assert site.news() == set()
    before = _rules(site)
    assert before in (["ops", "dev"], ["ops", "dev", "growth"])
    if outcome.status == 0:
        assert before[2:]
    elif outcome.status > 0:
        assert outcome.status == 73
    site.run("second", "join", "growth")
    assert _rules(site) == ["ops", "dev", "growth"]
    assert site.run("second", "inbox").stdout.startswith("growth/second")


def _rules(site: Site) -> list[str]:
    document = json.loads((site.team.home / "AGENT_MAP.json").read_bytes())
    return [rule["agent"] for rule in document["rules"]]


def send(_team: Team) -> list[str]:
    """A plain message."""
    return ["send", "dev", *QUESTION, "--json"]


def send_file(team: Team) -> list[str]:
    """A message with an attachment."""
    (team.root / "ops/trace.txt").write_text("trace")
    return ["send", "dev", *QUESTION, "--attach", "trace.txt", "--json"]


def send_session(_team: Team) -> list[str]:
    """A message to one session, whose box does not exist yet."""
    return ["send", "dev/web", *QUESTION, "--json"]


def send_copied(team: Team) -> list[str]:
    """A message from one domain to another, of which two hubs get copies."""
    team.map(agents=copied.AGENTS, domains={"work": {"hub": "secure"}, "side": {"hub": "lead"}})
    return ["send", "dev", *QUESTION]


def send_batch(_team: Team) -> list[str]:
    """Three messages on stdin."""
    return ["send", "--batch", "-"]


def reply(team: Team) -> list[str]:
    """An answer with an attachment, which archives the original: all that a send can do but a new box."""
    (team.root / "ops/trace.txt").write_text("trace")
    asked = team.ask("dev", "ops")["id"]
    return ["reply", asked, "response", "--summary", "main", "--attach", "trace.txt", "--json"]


def handoff(team: Team) -> list[str]:
    """A handoff in a thread that exists."""
    team.ask("dev", "ops", "--thread", THREAD)
    return ["handoff", "dev", "--state-summary", "half", "--next-step", "the rest", "--thread", THREAD, "--json"]


def read(team: Team) -> list[str]:
    """Reading, which archives."""
    team.ask("dev", "ops")
    return ["read", "--json"]


def join(team: Team) -> list[str]:
    """Joining a second folder."""
    (team.root / "second").mkdir()
    return ["join", "growth", "--path", "../second"]


def _line(**fields: Any) -> dict[str, Any]:
    return {"to": "dev", "intent": "note", "payload": {"summary": "x"}, **fields}


LINES = [_line(), _line(to="dev/web"), _line(thread_id=THREAD)]
VERBS = {
    "send": Verb(send, all_or_nothing, 20),
    "send-file": Verb(send_file, all_or_nothing, 25),
    "send-session": Verb(send_session, all_or_nothing, 20),
    "send-copied": Verb(send_copied, with_its_copies, 50),
    "send-batch": Verb(send_batch, line_by_line, 35, "".join(json.dumps(line) + "\n" for line in LINES)),
    "reply": Verb(reply, all_or_nothing, 30),
    "handoff": Verb(handoff, all_or_nothing, 20),
    "read": Verb(read, archived_when_shown, 6),
    "join": Verb(join, joined_or_not, 15),
}


@contextlib.contextmanager
def at_site(verb: Verb, team: Team, script: Path = crash.PROGRAM) -> Iterator[tuple[Site, crash.Act, Path]]:
    """All is prepared for a verb: the site, the command, and the folder of which each run gets a copy."""
    args = verb.prepare(team)
    template = team.root.rename(team.root.parent / "template")
    check = copied.check if verb.prepare is send_copied else state.check
    with crash.Starter() as starter:
        site = Site(starter, team, check, check(template / ".agent-team-os"))
        yield site, crash.Act(team.root / "ops", team.env, args, verb.stdin, script), template


def disturb(
    verb: Verb, team: Team, faults: Callable[[int, crash.Point], list[str]], script: Path = crash.PROGRAM
) -> int:
    """Run a verb with each of these faults at each call and judge what is left each time; how often that was."""
    with at_site(verb, team, script) as (site, act, template):

        def judge(outcome: crash.Outcome, fault: str) -> None:
            verb.judge(site, outcome, fault)

        return crash.explore(site.starter, act, template, team.root, faults, judge)


@pytest.mark.parametrize("name", VERBS)
def test_killed_at_every_call(name: str, team: Team) -> None:
    """Whatever call a kill hits, the next command finds the message whole or not at all."""
    assert disturb(VERBS[name], team, crash.kill) >= VERBS[name].least


@pytest.mark.parametrize("name", VERBS)
def test_failed_at_every_other_call(name: str, team: Team) -> None:
    """Whatever call a disk error hits, once or for good, yes means sent and no means not sent."""
    assert disturb(VERBS[name], team, crash.some_errors) >= VERBS[name].least // 4


@pytest.mark.full
@pytest.mark.parametrize("name", VERBS)
def test_failed_in_every_way_at_every_call(name: str, team: Team) -> None:
    """As above, with each error at each call."""
    assert disturb(VERBS[name], team, crash.every_error) >= 3 * VERBS[name].least
