"""The whole bus against a few dictionaries: whatever is done, and whoever is killed over it, the files are as they say.

Every step is a real one on a real home (tests/support/bus_machine.py); what must be there after it is what the model
says (tests/support/bus_model.py).
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from agent_team_os.bus import Bus
from agent_team_os.mail import doctor
from agent_team_os.protocol.errors import NothingToRead
from support import bus_model, corpus
from support.bus_machine import FOR_EVER, MOST, Deed, Office
from support.bus_model import DOMAINS, PRIORITIES, Draft
from support.homes import codes
from support.mortal import Death

JUNK = ("duplicate key", "NaN", "33 levels", "UTF-16", "array", "no JSON", "FIFO", "folder", "link to nothing")
DEATHS = st.none() | st.tuples(st.sampled_from(sorted(MOST)), st.integers(0, 44))
AGENTS = st.sampled_from(sorted(DOMAINS))
SLUGS = st.sampled_from(("web", "api"))
SESSIONS = st.tuples(AGENTS, SLUGS)
ANY = st.integers(0, 10_000)  # picks one of the messages or threads there are
KINDS = st.sampled_from(("request", "event", "response", "confirm", "accept", "decline", "review-request"))


class Machine(Office):
    """What can happen to a bus."""

    @rule(
        session=SESSIONS, to=AGENTS, slug=st.none() | SLUGS, kind=KINDS, priority=st.sampled_from(PRIORITIES),
        thread=ANY, attached=st.none() | st.sampled_from((b"", b"a", b"b")), death=DEATHS,
    )  # fmt: skip
    def send(
        self, session: tuple[str, str], to: str, slug: Optional[str], kind: str, priority: str, thread: int,
        attached: Optional[bytes], death: Death,
    ) -> None:  # fmt: skip
        """Somebody writes to an agent or a session."""
        draft = Draft(session[0], to, slug, kind, priority, next(self.texts), self.thread_of(thread))
        paths = []
        if attached is not None:
            paths = [str(self.template.parent / "attachment")]
            Path(paths[0]).write_bytes(attached)

        def act(bus: Bus) -> list[dict[str, Any]]:
            address = f"{to}/{slug}" if slug else to
            fields: dict[str, Any] = {"type": kind, "priority": priority, "thread_id": draft.thread, "attach": paths}
            return [bus.send(address, "news", {"summary": draft.text}, **fields)]

        self.do(Deed(session, act, [draft]), death)

    @rule(session=SESSIONS, to=st.lists(st.tuples(AGENTS, ANY), min_size=1, max_size=6), death=DEATHS)
    def batch(self, session: tuple[str, str], to: list[tuple[str, int]], death: Death) -> None:
        """Somebody writes several messages with one command."""
        drafts = [
            Draft(session[0], agent, None, "event", "normal", next(self.texts), self.thread_of(thread))
            for agent, thread in to
            if {agent, session[0]} <= self.agents
        ]
        lines = [
            {"to": draft.to, "intent": "news", "type": "event", "payload": {"summary": draft.text}}
            | ({"thread_id": draft.thread} if draft.thread else {})
            for draft in drafts
        ]
        if drafts:
            text = "".join(json.dumps(line) + "\n" for line in lines)
            self.do(Deed(session, lambda _: [], drafts, lines=text), death)

    @rule(session=SESSIONS, to=AGENTS, death=DEATHS)
    def handoff(self, session: tuple[str, str], to: str, death: Death) -> None:
        """Somebody hands work over."""
        draft = Draft(session[0], to, None, "handoff", "high", next(self.texts))
        payload = {"summary": draft.text, "state_summary": "half done", "next_steps": ["the other half"]}
        self.do(Deed(session, lambda bus: [bus.handoff(to, "handoff", dict(payload))], [draft]), death)

    @rule(number=ANY, kind=KINDS, death=DEATHS)
    def reply(self, number: int, kind: str, death: Death) -> None:
        """Whoever got a message answers it."""
        found = self.pick(number)
        if found is None:
            return
        message_id, session = found
        letter = self.model.letters[message_id]
        draft = Draft(
            session[0], letter.sender, None, kind, "normal", next(self.texts), letter.thread, answers=message_id
        )

        def act(bus: Bus) -> list[dict[str, Any]]:
            return [bus.reply(bus.find(message_id)[0], kind, {"summary": draft.text})]

        self.do(Deed(session, act, [draft]), death)

    @rule(number=ANY, peek=st.booleans(), death=DEATHS)
    def read(self, number: int, peek: bool, death: Death) -> None:
        """Whoever got a message reads it, perhaps once more."""
        found = self.pick(number)
        if found is None:
            return
        message_id, session = found

        def act(bus: Bus) -> list[dict[str, Any]]:
            with bus.reading(message_id, peek) as shown:
                assert shown["message"]["payload"]["summary"] == self.model.letters[message_id].text
            return []

        self.do(Deed(session, act, [], None if peek else message_id), death)

    @rule(session=SESSIONS)
    def read_next(self, session: tuple[str, str]) -> None:
        """A session reads what is most urgent, the oldest first."""
        if session[0] not in self.agents:
            return
        bus = self.open(session)
        pending = self.model.pending(*session)
        if pending:
            with bus.reading() as shown:
                assert shown["message"]["id"] == pending[0]
            self.model.read(pending[0])
        else:
            with pytest.raises(NothingToRead), bus.reading():
                pass

    @rule()
    def inboxes(self) -> None:
        """Every session looks at its inbox, which sets aside what is no message."""
        for session in itertools.product(sorted(self.agents), ("web", "api")):
            listed = [message["id"] for message, _ in self.open(session).inbox()]
            assert listed == self.model.pending(*session)
        assert {path.parent.name for path in self.junk_paths().values()} <= {".quarantine"}

    @rule()
    def threads(self) -> None:
        """Somebody looks at the threads."""
        bus = self.open()
        for thread, entries in self.model.threads.items():
            shown = bus.thread(thread)
            assert {entry["id"]: entry.get("summary") for entry in shown["messages"]} == {
                message_id: self.model.letters[message_id].text for message_id in entries
            }
        counted = {row["name"]: row["pending"] for row in bus.roster()}
        assert counted.keys() == self.agents
        waiting = [letter.box.partition("/")[0] for letter in self.model.letters.values() if not letter.was_read]
        broken = [path.relative_to(self.home / "inboxes").parts for path in self.junk_paths().values()]
        waiting += [parts[0] for parts in broken if ".quarantine" not in parts]
        assert counted == {agent: waiting.count(agent) for agent in self.agents}

    @rule(death=DEATHS)
    def join(self, death: Death) -> None:
        """One more agent joins, or joins again in another role."""
        folder, role = str(self.template.parent / "growth"), next(self.texts)

        def act(bus: Bus) -> list[dict[str, Any]]:
            bus.join("growth", folder, {"domain": DOMAINS["growth"], "role": role})
            return []

        self.do(Deed(("ops", "web"), act, [], role=role), death)

    @rule(sender=AGENTS, to=AGENTS, logged=st.booleans())
    def version_1(self, sender: str, to: str, logged: bool) -> None:
        """A shell script of version 1 writes, with or without the outbox, in a thread of its own."""
        if {sender, to} - self.agents:
            return
        lock = self.home / f"locks/{to}.lock"
        if lock.exists():  # a killed process has left it: the script gives up
            return
        text = next(self.texts)
        number = f"{int(text.split()[1]):06}"
        message_id, thread = f"msg-20260520T091812Z-v1{number}", f"thread-20260520-{number}"
        lock.mkdir()
        bus_model.write_as_version_1(self.home, message_id, sender, to, thread, text, logged)
        lock.rmdir()
        self.model.foreign(message_id, sender, to, thread, text, logged)

    @rule(to=SESSIONS, for_session=st.booleans(), kind=st.sampled_from(JUNK))
    def broken(self, to: tuple[str, str], for_session: bool, kind: str) -> None:
        """Something that is no message appears under the name of one."""
        if to[0] not in self.agents:
            return
        box = self.home / "inboxes" / to[0] / (f"@{to[1]}" if for_session else "")
        box.mkdir(exist_ok=True, mode=0o700)
        name = f"msg-20260520T091812Z-junk{len(self.junk):04}"
        corpus.write(kind, box / f"{name}.json", {"id": name}, self.template.parent)
        self.junk[name] = (box / f"{name}.json").lstat().st_ino

    @rule()
    def doctor(self) -> None:
        """A look at everything finds what is known to be wrong, and nothing else."""
        self.open()
        found = codes(self.home)
        assert self.known_faults() <= found <= self.known_faults() | self.explained

    @rule(death=DEATHS)
    def repair(self, death: Death) -> None:
        """A repair mends what killed processes left, and sets aside what is no message."""

        def act(_: Bus) -> list[dict[str, Any]]:
            list(doctor.repair(str(self.home)))
            return []

        self.do(Deed(("ops", "web"), act, []), death)
        if not self.uncertain:
            self.explained &= FOR_EVER
            assert {path.parent.name for path in self.junk_paths().values()} <= {".quarantine"}
            assert self.known_faults() <= codes(self.home) <= self.known_faults() | self.explained


def check(place: Path, examples: int, steps: int, fixed: bool) -> None:
    """Run the machine from a home in which all but growth have joined."""
    home = place / "template"
    for agent in sorted(DOMAINS):
        (place / agent).mkdir()
    for agent in sorted(DOMAINS.keys() - {"growth"}):
        bus = Bus.open({"AGENT_TEAM_OS_HOME": str(home)}, "/")
        bus.join(agent, str(place / agent), {"domain": DOMAINS[agent]})
    bus.change_map(
        lambda document: document.update(domains={name: {"hub": hub} for name, hub in bus_model.HUBS.items()})
    )
    assert codes(home) == set()
    machine = type("Here", (Machine,), {"template": home, "numbers": itertools.count()})
    rules = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=fixed,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
    )
    before = os.umask(0o077)  # as whoever writes into a home has it
    try:
        run_state_machine_as_test(machine, settings=rules)
    finally:
        os.umask(before)


def test_the_bus_is_what_its_model_says(tmp_path: Path) -> None:
    """Whatever is sent, read, answered, broken or killed, in any order, each home is what the model says."""
    check(tmp_path, 120, 25, fixed=True)


@pytest.mark.full
def test_the_bus_is_what_its_model_says_for_long(tmp_path: Path) -> None:
    """The same with other deeds each time, and more of them."""
    check(tmp_path, 500, 40, fixed=False)
