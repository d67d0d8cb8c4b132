"""Where things are below the bus home: every path the program uses, built from checked ids only."""

from __future__ import annotations

import os

from . import ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Optional

FOLDERS = ("inboxes", "outbox", "outbox/.spool", "threads", "registry", "locks", "attachments", "state")
READ, DONE, QUARANTINE = ".read", ".done", ".quarantine"
ARCHIVES = (READ, DONE, QUARANTINE)
NO_DOMAIN = "_none"  # no name of a domain begins so


def find(environ: Mapping[str, str]) -> str:
    """The bus home of this environment, absolute; it need not exist."""
    named = environ.get("AGENT_TEAM_OS_HOME") or environ.get("AB_HOME") or "~/.agent-team-os"
    return os.path.abspath(os.path.expanduser(named))


def launcher() -> str:
    """How the program is called: the launcher beside the package, in a clone or a plugin, else what is on PATH."""
    path = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "ato")
    return path if os.path.exists(path) else "ato"


def agent_map(home: str) -> str:
    """AGENT_MAP.json."""
    return os.path.join(home, "AGENT_MAP.json")


def box(home: str, agent: str, slug: Optional[str] = None) -> str:
    """The folder of an agent's pending mail, or of the mail for one of its sessions."""
    folder = os.path.join(home, "inboxes", ids.check_agent(agent))
    return os.path.join(folder, "@" + ids.check_agent(slug)) if slug else folder


def pending(home: str, agent: str, slug: Optional[str], message_id: str) -> str:
    """Where a message waits until it is read."""
    return os.path.join(box(home, agent, slug), ids.check_message(message_id) + ".json")


def outbox(home: str, day: str) -> str:
    """The audit log of one day (`YYYY-MM-DD`, as `ids.day_of` gives it); ValueError for anything else."""
    if not ids.DAY.fullmatch(day):
        raise ValueError("no day")
    return os.path.join(home, "outbox", day + ".jsonl")


def spool(home: str) -> str:
    """The folder of sends in flight."""
    return os.path.join(home, "outbox", ".spool")


def thread(home: str, thread_id: str) -> str:
    """The history of one conversation."""
    return os.path.join(home, "threads", ids.check_thread(thread_id) + ".json")


def draft(home: str, message_id: str) -> str:
    """What becomes the thread that a message opens. Not in the spool, where all senders would wait for one folder."""
    return os.path.join(home, "threads", f".{ids.check_message(message_id)}.tmp")


def plan(home: str, plan_id: str) -> str:
    """A plan that a god has proposed."""
    return os.path.join(home, "plans", ids.check_plan(plan_id) + ".json")


def tasks(home: str, domain: str, ending: str = ".json") -> str:
    """Where the tasks of a domain are; those of agents without a domain are in `_none`. ValueError for no domain."""
    if domain != NO_DOMAIN and not ids.is_agent(domain):
        raise ValueError("no domain")
    return os.path.join(home, "tasks", domain + ending)


def task_change(home: str, message_id: str) -> str:
    """A change of a task that a message brings, until the task manager has it."""
    return os.path.join(home, "tasks", "changes", ids.check_message(message_id) + ".json")


def halt(home: str) -> str:
    """The file that is there while the bus is halted."""
    return os.path.join(home, "HALT.json")


def card(home: str, agent: str) -> str:
    """An agent's registry card."""
    return os.path.join(home, "registry", ids.check_agent(agent) + ".json")


def sessions(home: str, agent: str) -> str:
    """The folder with one file for each session of an agent."""
    return os.path.join(home, "registry", ids.check_agent(agent) + ".d")


def attachment(home: str, sha256: str) -> str:
    """A blob, named by the sum of its bytes (checked by the message's schema, and here again)."""
    if len(sha256) != 64 or sha256.strip("0123456789abcdef"):
        raise ValueError("no SHA-256 sum")
    return os.path.join(home, "attachments", sha256)


def lock(home: str, name: str) -> str:
    """The path of a lock without its ending; `.lock` and `.guard` stand beside each other.

    Locks that are no agent's begin with `@`, which no agent's name does. ValueError for anything else.
    """
    if not ids.is_agent(name.removeprefix("@")):
        raise ValueError("no lock name")
    return os.path.join(home, "locks", name)


def memory(home: str, session_id: str) -> str:
    """What the hooks remember of one session."""
    if not ids.is_session_id(session_id):
        raise ValueError("no session id")
    return os.path.join(home, "state", session_id + ".json")


def known(home: str, agent: str) -> str:
    """What the hooks have learned of an agent's pending mail."""
    return os.path.join(home, "state", "@" + ids.check_agent(agent) + ".json")


def owed(home: str, agent: str) -> str:
    """What the hooks have seen of an agent's archives."""
    return os.path.join(home, "state", "@" + ids.check_agent(agent) + ".owed.json")


def checked_map(home: str) -> str:
    """A copy of the agent map that was last found valid."""
    return os.path.join(home, "state", "map.checked")


def hook_ran(home: str, event: str) -> str:
    """An empty file: its time says when the hook of an event last ran."""
    if not (event.isascii() and event.isalpha()):
        raise ValueError("no event")
    return os.path.join(home, "state", event + ".ran")


def hook_errors(home: str) -> str:
    """What went wrong in a hook, a line each."""
    return os.path.join(home, "state", "hook-errors.log")
