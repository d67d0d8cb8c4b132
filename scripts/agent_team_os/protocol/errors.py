"""Every refusal of the bus: a class carries its code and exit status, an instance the words.

The command line has one handler for all of them; a hook prints none of them.
"""

from __future__ import annotations


class BusError(Exception):
    """A refusal a person can act on.

    `message` says what and where, `hint` what to do next; both are one plain line and may hold text from
    other agents, so whoever prints them makes control characters visible first.
    """

    code = "internal"
    status = 70

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def words(self) -> str:
        """What went wrong and what to do, in one text."""
        stop = "" if self.message.endswith((".", "?", "!")) or not self.hint else "."
        return f"{self.message}{stop} {self.hint}".strip()

    def document(self) -> dict[str, object]:
        """The error as `--json` prints it (schemas/error.schema.json)."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}


class UnknownAgent(BusError):
    """The name is no agent of this bus."""

    code, status = "unknown-agent", 1


class UnknownMessage(BusError):
    """No message, or more than one, answers to the id given."""

    code, status = "unknown-message", 1


class UnknownThread(BusError):
    """No thread, or more than one, answers to the id given."""

    code, status = "unknown-thread", 1


class UnknownPlan(BusError):
    """No plan, or more than one, answers to the id given."""

    code, status = "unknown-plan", 1


class UnknownTask(BusError):
    """The task manager has no task, or more than one, with this id."""

    code, status = "unknown-task", 1


class UnknownPerson(BusError):
    """Nobody in the directory, or more than one, answers to the name given."""

    code, status = "unknown-person", 1


class UnknownLetter(BusError):
    """No letter has this number or id."""

    code, status = "unknown-letter", 1


class NotSetUp(BusError):
    """Mail between people was not set up here, or has no store yet."""

    code, status = "not-set-up", 1


class NothingToRead(BusError):
    """The inbox is empty."""

    code, status = "nothing-to-read", 1


class Anonymous(BusError):
    """The workspace belongs to no agent."""

    code, status = "anonymous", 1


class RoutingDenied(BusError):
    """The agent map forbids this sender to write to this recipient."""

    code, status = "routing-denied", 2


class Halted(BusError):
    """Somebody has halted the bus: nothing is sent until a person lifts that."""

    code, status = "halted", 2


class NotConfirmed(BusError):
    """This needs the yes of a person, which is not there, or was given to something else."""

    code, status = "not-confirmed", 2


class NotVerified(BusError):
    """Who this person is has to be verified first: the key changed, or two people claim the address."""

    code, status = "not-verified", 2


class LockBusy(BusError):
    """Somebody else held a lock for as long as we were willing to wait; nothing was delivered."""

    code, status = "lock-busy", 3


class InvalidMessage(BusError):
    """The message, or a field of it, is not what its schema allows."""

    code, status = "invalid-message", 4


class InvalidPayload(BusError):
    """The payload is malformed, too large, or lacks what its intent requires."""

    code, status = "invalid-payload", 4


class InvalidPlan(BusError):
    """The plan is malformed, or names somebody or something it must not."""

    code, status = "invalid-plan", 4


class InvalidTask(BusError):
    """The task, or a change of it, is not what a task may be."""

    code, status = "invalid-task", 4


class InvalidMap(BusError):
    """AGENT_MAP.json cannot be read or is wrong; routing fails closed."""

    code, status = "invalid-map", 4


class InvalidLetter(BusError):
    """The letter is too long, or what was given for it is not what a letter may be."""

    code, status = "invalid-letter", 4


class InvalidAttachment(BusError):
    """The file cannot be attached, or a stored one no longer has the right bytes."""

    code, status = "invalid-attachment", 4


class SecretFound(BusError):
    """The payload holds what looks like a credential."""

    code, status = "secret", 4


class TaskProviderFailed(BusError):
    """The task manager is missing, or has refused; no task was changed."""

    code, status = "task-provider", 70


class StoreFailed(BusError):
    """The store is away, refuses, or is no store that letters can be kept in; what waits stays in the spool."""

    code, status = "store", 70


class NotInstalled(BusError):
    """A package is missing that this verb needs."""

    code, status = "not-installed", 70


class Usage(BusError):
    """The command line contradicts itself."""

    code, status = "usage", 64


class CannotWrite(BusError):
    """The disk said no (full, read-only, permissions); nothing was or will be delivered."""

    code, status = "cannot-write", 73


class Undecided(BusError):
    """A write failed and so did its undoing; the next command makes it all or nothing."""

    code, status = "undecided", 75
