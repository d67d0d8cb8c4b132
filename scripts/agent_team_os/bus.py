"""The bus: what an agent can do with its mail, one method a verb. The page to read first.

    bus = Bus.open(os.environ, os.getcwd())
    sent = bus.send("dev", "bug-fix", {"project": "web", "summary": "Login loops on Safari"})

A send goes from here through the checks of `protocol` and `mail.check` to `mail.delivery`, once, and comes back
as the stored message. Every method raises a `BusError` whose text a person can act on.
"""

from __future__ import annotations

import contextlib
import itertools
import os

from .mail import attachments, check, copies, delivery, halt, identity, inbox, registry, roster, threads, workspace
from .mail.delivery import Outgoing
from .protocol import agentmap, ids
from .protocol import home as layout
from .protocol import message as messages
from .protocol.errors import (
    Anonymous,
    BusError,
    CannotWrite,
    Halted,
    LockBusy,
    NotConfirmed,
    NothingToRead,
    UnknownAgent,
    Usage,
)
from .storage import files, lock
from .storage import home as homes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Optional

    from .mail.inbox import Letter
    from .protocol.documents import AgentMap, Message, Thread

# What a sender may set of a message; everything else is the bus's own.
FIELDS = (
    "type", "priority", "context_refs", "requires_response", "response_by", "thread_id", "in_reply_to",
    "cc_of", "task_id", "budget_minutes", "escalate_after",
)  # fmt: skip
_GOD = "god"  # as a recipient: the god of the sender's own domain


def _recipient_and_day(one: Outgoing) -> tuple[str, str]:
    return one.message["to"], ids.day_of(one.message["id"])


class Bus:
    """The post office as one agent, or an anonymous onlooker, sees it."""

    def __init__(self, home: str, agent_map: AgentMap, who: identity.Identity) -> None:
        self.home = home
        self.map = agent_map
        self.who = who
        self.aside = inbox.Aside()  # a hook sets aside less at once

    @classmethod
    def open(cls, environ: Mapping[str, str], cwd: str) -> Bus:
        """The bus of this environment, as seen from a folder. Finishes what a killed command left."""
        home = layout.find(environ)
        there = homes.check(home)
        agent_map = homes.read_map(home) if there else {}
        if there:
            delivery.recover(home)
        return cls(home, agent_map, identity.of_command(home, agent_map, environ, cwd))

    @classmethod
    def of_nobody(cls, environ: Mapping[str, str], cwd: str) -> Bus:
        """The bus of this environment for whoever asks, whatever its map says; for what must work at any time."""
        home = layout.find(environ)
        homes.check(home)
        return cls(home, {}, identity.Identity(None, None, cwd, ""))

    @property
    def agent(self) -> str:
        """The agent that is asking; Anonymous if the folder belongs to nobody."""
        if self.who.agent is None:
            raise Anonymous(
                f"{agentmap.short(self.who.workspace)} belongs to no agent of {agentmap.place(self.home)}",
                "Give it one: ato join NAME (in a session: /bus join NAME)",
            )
        return self.who.agent

    # Writing

    def send(
        self,
        to: str,
        intent: str,
        payload: dict[str, Any],
        *,
        attach: Sequence[str] = (),
        allow_secret: bool = False,
        dry_run: bool = False,
        **fields: Any,
    ) -> dict[str, Any]:
        """Send a message to `agent` or `agent/slug`; `fields` are named in FIELDS.

        Returns `{id, thread_id, to, session, path, cc, warnings, thread_status}`, or with `dry_run` the message
        that would be sent. Durable and delivered when this returns.
        """
        one = self.prepare(to, intent, payload, attach=attach, allow_secret=allow_secret, **fields)
        return self.post_one(one, dry_run)

    def prepare(
        self,
        to: str,
        intent: str,
        payload: dict[str, Any],
        *,
        attach: Sequence[str] = (),
        allow_secret: bool = False,
        **fields: Any,
    ) -> Outgoing:
        """A message that may be sent as it is, for `post`; nothing is written."""
        agent, slug = self.may_write(to)
        if isinstance(fields.get("thread_id"), str):
            fields["thread_id"] = threads.to_join(self.home, fields["thread_id"])
        described = [attachments.describe(path) for path in attach]
        message = messages.build(self.agent, agent, intent, payload, to_slug=slug, attachments=described, **fields)
        check.message(message, allow_secret)
        threads.check_room(self.home, message["thread_id"])
        return Outgoing(message, attach)

    def post_one(self, one: Outgoing, dry_run: bool = False) -> dict[str, Any]:
        """Send a message; returns what `send` does, or raises why it was not sent."""
        if dry_run:
            return {**one.message, "dry_run": True}
        (result,) = self.post([one])
        if isinstance(result, BusError):
            raise result
        return result

    def post(self, prepared: Sequence[Outgoing]) -> list[dict[str, Any] | BusError]:
        """Send messages in their order; for each what `send` returns, or why it was not sent.

        Neighbours with one recipient go with one commit, which makes many messages cheap.
        """
        try:
            halt.check(self.home)
        except Halted as error:
            return [error for _ in prepared]
        if prepared:
            self.make()
        # Asked before the first is sent: afterwards nothing may fail any more.
        recipients = {(one.message["to"], messages.slug(one.message)) for one in prepared}
        presence = {recipient: registry.warnings(self.home, *recipient) for recipient in recipients}
        for one in prepared:
            one.told, one.warnings = copies.of(self.map, one.message)
            one.warnings += presence[one.message["to"], messages.slug(one.message)]
        results: list[dict[str, Any] | BusError] = []
        for _, run in itertools.groupby(prepared, _recipient_and_day):
            group = list(run)
            delivery.send(self.home, group)
            results += [one.error or self._sent(one) for one in group]
        return results

    def _sent(self, one: Outgoing) -> dict[str, Any]:
        message, slug = one.message, messages.slug(one.message)
        return {
            "id": message["id"],
            "thread_id": message["thread_id"],
            "to": message["to"],
            "session": ids.session_name(message["to"], slug),
            "path": layout.pending(self.home, message["to"], slug, message["id"]),
            "cc": [copy["id"] for copy, _ in one.copies],
            "warnings": one.warnings,
            "thread_status": one.thread["status"] if one.thread else None,
        }

    def reply(
        self, original: Message, kind: str, payload: dict[str, Any], *, dry_run: bool = False, **options: Any
    ) -> dict[str, Any]:
        """Answer a message: to its sender, in its thread, with its intent; the original is archived."""
        one = self.prepare_reply(original, kind, payload, **options)
        return self.post_one(one, dry_run)

    def prepare_reply(self, original: Message, kind: str, payload: dict[str, Any], **options: Any) -> Outgoing:
        """The answer to a message, for `post`; nothing is written."""
        return self.prepare(
            original["from"],
            original["intent"],
            payload,
            type=kind,
            thread_id=original["thread_id"],
            in_reply_to=original["id"],
            **options,
        )

    def handoff(self, to: str, intent: str, payload: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Hand the work over: type handoff, high priority, with the git state of the workspace."""
        state = workspace.git_state(self.who.workspace)
        if state is not None:
            payload = {**payload, "git": state}
        options.setdefault("priority", "high")
        return self.send(to, intent, payload, type="handoff", **options)

    def may_write(self, to: str) -> tuple[str, Optional[str]]:
        """Agent and slug of a recipient that exists and that this agent may write to."""
        sender = self.agent
        halt.check(self.home)
        agent, slash, slug = to.partition("/")
        if agent == _GOD:
            agent = self._god()
        identity.check_known(self.map, agent)
        recipient = agent, ids.check_agent(slug) if slash else None
        agentmap.check_routing(self.map, sender, agent)
        return recipient

    def _god(self) -> str:
        """Whom mail to `god` reaches: the god of this agent's own domain."""
        god = agentmap.god_of(self.map, self.agent)
        if god is None:
            domain = self.map.get("agents", {}).get(self.agent, {}).get("domain")
            why = f"the domain {domain} has no god" if domain else f"{self.agent} is in no domain"
            raise UnknownAgent(f"{why}, so {_GOD} is nobody", f"See {agentmap.place(self.home)}: domain, gods.")
        return god

    # Reading

    def inbox(self, every: bool = False) -> list[Letter]:
        """The pending messages of this session, or with `every` of all the agent's sessions."""
        return inbox.listing(self.home, self.agent, self._boxes(every), self.aside)

    def _boxes(self, every: bool) -> list[str]:
        if every:
            return inbox.boxes(self.home, self.agent)
        return inbox.seen_by(self.home, self.agent, self.who.slug)

    @contextlib.contextmanager
    def reading(self, given: Optional[str] = None, peek: bool = False) -> Iterator[dict[str, Any]]:
        """Show a message inside the `with`; leaving it without an error archives the message.

        Yields `{message, path, archived}`: what was given by id or prefix, else the next pending one;
        `archived` says whether it will be in the archive afterwards. Killed while showing, it is shown again.
        Only one of several readers gets a pending message, the others wait for it; one that is read already is
        shown to whoever asks. Do not answer it inside the `with`: that would wait for this very reader.
        """
        with contextlib.ExitStack() as held:
            message, path = self._claim(given, held) if given else self._claim_next(held)
            pending = inbox.is_pending(path)
            archive = pending and not peek and inbox.can_archive(path)
            yield {"message": message, "path": path, "archived": archive or not pending}
            if archive:
                try:
                    inbox.archive(self.home, path)
                except OSError as error:
                    stays = "It stays in the inbox." if os.path.lexists(path) else "A power cut may bring it back."
                    raise CannotWrite(f"{path} cannot be archived: {error.strerror}", stays) from None

    def _claim(self, given: str, held: contextlib.ExitStack) -> Letter:
        message, path = self.find(given)
        held.enter_context(self._right_to(message, lock.WAIT))
        # Whoever held it before us may just have archived it.
        return (message, path) if os.path.lexists(path) else self.find(message["id"])

    def _claim_next(self, held: contextlib.ExitStack) -> Letter:
        """The first pending message nobody else is reading; if all are being read, wait for the first reader."""
        while True:
            letters = self.inbox()
            if not letters:
                raise NothingToRead(f"nothing to read for {ids.session_name(self.agent, self.who.slug) or self.agent}")
            for message, path in letters:
                with contextlib.suppress(LockBusy):
                    held.enter_context(self._right_to(message, 0))
                    if os.path.lexists(path):
                        return message, path
                    held.close()
            with self._right_to(letters[0][0], lock.WAIT):
                pass

    def _right_to(self, message: Message, wait: float) -> contextlib.AbstractContextManager[None]:
        """The claim on a message, or nothing to hold where the disk is read-only: there nothing can be archived."""
        if not os.access(os.path.join(self.home, "locks"), os.W_OK):
            return contextlib.nullcontext()
        return inbox.claim(self.home, message["id"], wait)

    def find(self, given: str) -> Letter:
        """A message of this agent, pending or read, by its id, a prefix of it or of its random part."""
        return inbox.look_up(self.home, self.agent, given)

    def save(self, message: Message, folder: str) -> list[str]:
        """Write the attachments of a message into a folder and return the paths; nothing is overwritten."""
        return [attachments.save(self.home, item, folder) for item in message.get("attachments", ())]

    # Threads

    def thread(self, given: str) -> Thread:
        """One conversation by id or unique prefix, each entry with the summary of its message where known."""
        return threads.look_up(self.home, given)

    def recent_threads(self, status: Optional[str] = None, most: int = 20) -> list[Thread]:
        """The conversations changed last, the newest first; those that cannot be read are left out."""
        return threads.recent(self.home, status, most)

    # The house

    def make(self) -> None:
        """Make the home and its folders where they are missing."""
        try:
            homes.make(self.home)
        except OSError as error:
            raise CannotWrite(f"cannot make {error.filename}: {error.strerror}", "Set AGENT_TEAM_OS_HOME.") from None

    def init(self) -> bool:
        """Make the home, a starter map and an inbox for each agent; False if there was a map, which is kept."""
        self.make()
        try:
            made = homes.make_map(self.home)
            for name in agentmap.agents(self.map):
                files.make_folder(layout.box(self.home, name))
        except OSError as error:
            raise CannotWrite(f"cannot write {error.filename}: {error.strerror}", "See: ato doctor") from None
        return made

    def to_join(self, name: str, folder: str) -> tuple[str, str]:
        """The real path of a folder that `name` may have, and the agent that would lose it; empty for nobody."""
        ids.check_agent(name)
        if name == _GOD:
            raise Usage(f'"{name}" means the orchestrator of a domain', "Choose another name.")
        place = workspace.to_join(self.home, folder)
        return place, agentmap.owner_of(self.map, name, place)

    def altered(self, name: str, about: dict[str, Any]) -> dict[str, Any]:
        """What the map says now of an agent, of all that a join with `about` would change."""
        known = self.map.get("agents", {}).get(name, {})
        return {key: known[key] for key, value in about.items() if value and known.get(key, value) != value}

    def join(self, name: str, folder: str, about: dict[str, Any], owner: Optional[str] = None) -> int:
        """Map a folder, and all below it, to an agent, and return the number of the rule. Idempotent.

        With the `owner` that a person was shown, and the real path of the folder, NotConfirmed if either has changed.
        """
        place, _ = self.to_join(name, folder)
        number = 0
        if owner is not None and place != folder:
            raise NotConfirmed(f"{folder} leads elsewhere now", "Join it again.")

        def change(document: AgentMap) -> None:
            nonlocal number
            if owner is not None and owner != agentmap.owner_of(document, name, place):
                raise NotConfirmed(f"{place} has another agent than before", "Join it again.")
            number = agentmap.settle(document, name, place, about)

        self.init()
        self.change_map(change)
        files.make_folder(layout.box(self.home, name))
        return number

    def drain(self, agent: Optional[str], enabled: Optional[bool]) -> dict[str, Any]:
        """Turn the Stop hook's drain of an agent on or off, or leave it; returns its settings."""
        name = identity.check_known(self.map, agent) if agent else self.agent

        def change(document: AgentMap) -> None:
            document.setdefault("agents", {}).setdefault(name, {}).setdefault("drain", {})["enabled"] = enabled

        if enabled is not None:
            self.change_map(change)
        return {"agent": name, **agentmap.drain_of(self.map, name)}

    def change_map(self, change: Any) -> None:
        """Edit the agent map as `storage.home.change_map` does; CannotWrite where the disk says no."""
        try:
            self.map = homes.change_map(self.home, change)
        except OSError as error:
            raise CannotWrite(
                f"cannot write {layout.agent_map(self.home)}: {error.strerror}", "See: ato doctor"
            ) from None

    def halt(self, reason: str) -> dict[str, Any]:
        """Stop all sending until a person lifts it; returns `{at, by, reason}`."""
        self.make()
        try:
            return halt.begin(self.home, self.who.agent or halt.A_PERSON, reason)
        except OSError as error:
            raise CannotWrite(f"the bus cannot be halted: {error.strerror}", "See: ato doctor") from None

    def resume(self) -> bool:
        """Lift the halt; False if there was none. Who calls this has made sure that a person wants it."""
        try:
            return halt.end(self.home)
        except OSError as error:
            raise CannotWrite(f"the halt cannot be lifted: {error.strerror}", "See: ato doctor") from None

    def roster(self) -> list[dict[str, Any]]:
        """Every agent: `{name, role, domain, god, pending, state, last_seen, sessions}`."""
        return [roster.row(self.home, self.map, name) for name in sorted(agentmap.agents(self.map))]
