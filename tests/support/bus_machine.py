"""A bus beside its model, and deeds that are done, or that somebody is killed over.

A deed may be given a death: then a child process does it and is killed at the n-th call that changes a file. What it
leaves is not looked at until the next command, of which another may die; after the first that lives the deed must
have happened whole, or not at all.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant

from agent_team_os.bus import Bus
from agent_team_os.protocol.errors import UnknownAgent
from support import bus_model, mortal
from support.bus_model import DOMAINS, Draft, Model, outbox, places
from support.mortal import Death

# What doctor may say of what a killed command leaves, until it is told to mend it.
LEFT = {"spool-left", "lock-dead", "inbox-missing", "blob-unused", "bad-outbox-line"}
FOR_EVER = {"blob-unused", "bad-outbox-line"}  # or still after it
MOST = {"call": 45, "write": 8}  # that a deed has, about


class Deed(NamedTuple):
    """What somebody does: as a call, or as a command that reads lines."""

    session: tuple[str, str]
    act: Callable[[Bus], list[dict[str, Any]]]  # returns what each send returned
    drafts: list[Draft]
    reads: Optional[str] = None  # the message that is archived then
    role: Optional[str] = None  # what the map says of growth then
    lines: str = ""


class Office(RuleBasedStateMachine):
    """A bus and its model; the rules are for a test to add."""

    template: Path
    numbers: Iterator[int]

    def __init__(self) -> None:
        super().__init__()
        self.home = self.template.parent / f"home-{next(self.numbers)}"
        shutil.copytree(self.template, self.home)
        self.model = Model()
        self.agents = set(DOMAINS) - {"growth"}
        self.role: Optional[str] = None
        self.deeds = 0
        self.junk: dict[str, int] = {}  # the file number of each file that is no message
        self.uncertain: list[Deed] = []  # what killed processes were doing
        self.acknowledged: set[str] = set()
        self.explained: set[str] = set()
        self.texts = (f"text {number}" for number in itertools.count())

    def teardown(self) -> None:
        """Nothing is left."""
        shutil.rmtree(self.home)

    # How things are done, and what is known then

    def environ(self, agent: str) -> dict[str, str]:
        """The variables of an agent."""
        return {"AGENT_TEAM_OS_HOME": str(self.home), "AGENT_TEAM_OS_AGENT": agent, "PATH": os.environ["PATH"]}

    def open(self, session: tuple[str, str] = ("ops", "web")) -> Bus:
        """The next command: after it all that was left undone is done or taken back."""
        bus = Bus.open(self.environ(session[0]), "/" + session[1])
        self.settle()
        return bus

    def settle(self) -> None:
        """Learn what became of the deeds of killed processes: all of each message, or nothing."""
        lines = [line for line in outbox(self.home) if line["id"] not in self.model.letters]
        for deed in self.uncertain:
            for draft in deed.drafts:
                own = [line for line in lines if line["payload"]["summary"] == draft.text]
                if own:
                    self.model.sent(draft, own)
            if deed.reads and places(self.home)[deed.reads].parent.name == ".read":
                self.model.read(deed.reads)
        growth = json.loads((self.home / "AGENT_MAP.json").read_bytes())["agents"].get("growth", {})
        assert growth.get("role") in {self.role, *(deed.role for deed in self.uncertain)}
        self.role = growth.get("role")
        if growth:
            assert growth == {"role": self.role, "domain": DOMAINS["growth"]}
            self.agents = set(DOMAINS)
        self.uncertain = []
        assert self.acknowledged <= self.model.letters.keys()

    def do(self, deed: Deed, death: Death) -> None:
        """Do a deed, or die over it."""
        strangers = {deed.session[0], *(draft.to for draft in deed.drafts)} - self.agents
        if strangers:
            self.open()
        if strangers - self.agents:
            with pytest.raises(UnknownAgent):
                deed.act(self.open(deed.session))
            return
        self.deeds += 1
        if death:  # Hypothesis likes to draw the same again: so each deed of a run dies elsewhere
            death = death[0], (death[1] + 7 * self.deeds) % MOST[death[0]]
        if death or deed.lines:
            alive, results = mortal.fork(lambda: self.alone(deed), death, deed.lines)
        else:
            alive, results = True, deed.act(self.open(deed.session))
        self.uncertain.append(deed)
        self.acknowledged |= {message_id for result in results for message_id in (result["id"], *result["cc"])}
        if not alive:
            self.explained |= LEFT
            for lock in (self.home / "locks").glob("*.lock"):
                if not list(lock.iterdir()):
                    lock.rmdir()  # or the next send waits for two seconds, as tests/test_locks.py proves
            return
        self.settle()
        assert len(results) == len(deed.drafts)
        for result in results:
            assert result["thread_status"] == self.model.status[result["thread_id"]]
        assert not deed.reads or self.model.letters[deed.reads].was_read
        assert not deed.role or deed.role == self.role

    def alone(self, deed: Deed) -> None:
        """Do a deed in a process of its own, and print what was acknowledged, a line each."""
        environ = self.environ(deed.session[0])
        if deed.lines:
            mortal.become(environ, "send", "--batch", "-")
        for result in deed.act(Bus.open(environ, "/" + deed.session[1])):
            print(json.dumps(result), flush=True)

    def pick(self, number: int) -> Optional[tuple[str, tuple[str, str]]]:
        """One of the messages there are, and a session that sees it; None if there is none."""
        if not self.model.letters:
            return None
        message_id = sorted(self.model.letters)[number % len(self.model.letters)]
        agent, _, slug = self.model.letters[message_id].box.partition("/@")
        return message_id, (agent, slug or "web")

    def thread_of(self, number: int) -> Optional[str]:
        """One of the threads there are, or a new one."""
        known = [None, *sorted(self.model.threads)]
        return known[number % len(known)]

    def known_faults(self) -> set[str]:
        """What doctor must find."""
        places = {path.parent.name for path in self.junk_paths().values()}
        faults = {"quarantined"} if ".quarantine" in places else set()
        faults |= {"bad-message"} if places - {".quarantine"} else set()
        return faults | ({"not-in-outbox"} if self.model.unlogged else set())

    def junk_paths(self) -> dict[str, Path]:
        """Where each file that is no message lies: as it is, in one place."""
        there = places(self.home)
        found = {name: there[name] for name in self.junk}
        assert {name: path.lstat().st_ino for name, path in found.items()} == self.junk
        return found

    @invariant()
    def everything_is_where_it_must_be(self) -> None:
        """The home is what the model says; after a death nothing that was there before is lost or doubled."""
        self.junk_paths()
        seen = bus_model.look(self.home, set(self.junk))
        assert seen["mail"].keys() >= self.model.letters.keys() | self.acknowledged
        assert self.uncertain or seen == self.model.expected()
