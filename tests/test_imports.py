"""What a hook or a verb imports is on a short list: a start cannot become heavy by accident.

Of the standard library a list names what our modules import by themselves. What those import in turn differs from one
Python to the next, so it is asked of the Python that runs the tests.
"""

from __future__ import annotations

import functools
import json
import shutil
import sysconfig
from collections.abc import Set
from pathlib import Path
from typing import Any

import pytest

from conftest import Team
from support import people
from support.cli import ROOT
from support.desk import drain
from support.imports import HOOK, VERB, bare, started
from support.sessions import put


@functools.cache
def with_theirs(words: str, folder: Path) -> frozenset[str]:
    """These modules and what they import in turn."""
    packages = f"import sys; sys.path.append({sysconfig.get_path('purelib')!r})\n"
    # Some of it click only imports when it runs a command.
    use = "\nclick.command(lambda: None).main([], standalone_mode=False)" if "click" in words.split() else ""
    (folder / "program.py").write_text(packages + "import " + ", ".join(words.split()) + use)
    return started(str(folder / "program.py"), cwd=str(folder)).modules


def of(words: str) -> set[str]:
    """The full names of modules of ours that are listed as `package.module`."""
    names = {f"agent_team_os.{name}" for name in words.split()}
    return names | {name.rpartition(".")[0] for name in names} | {"agent_team_os"}


def check(team: Team, found: Set[str], ours: str, others: str) -> None:
    """That our modules are exactly the listed ones, and all others are listed or belong to those that are."""
    new = found - bare().modules
    mine = {name for name in new if name.partition(".")[0] == "agent_team_os"}
    assert mine == of(ours), f"not on the list: {mine - of(ours)}; on the list only: {of(ours) - mine}"
    allowed = with_theirs(others, team.root)
    assert new - mine <= allowed, f"not on the list: {new - mine - allowed}"
    needless = set(others.split()) - found
    assert not needless, f"on the list only: {needless}"


# ---- Hooks --------------------------------------------------------------------------------------

LIGHT = "__future__ errno gc json os re stat sys time"
EVERY = """
    protocol.errors protocol.ids protocol.home protocol.strictjson protocol.agentmap protocol.show
    storage.files storage.home storage.notes storage.unsynced
    mail.halt mail.identity mail.memory hooks.call hooks.dispatch
"""
MAIL = """
    protocol.message protocol.frame storage.process mail.inbox mail.known mail.registry
    hooks.announce orchestration.notice
"""
NEWS = "protocol.schema protocol.schemas"  # where a document is met for the first time
SENDING = """
    protocol.thread storage.journal storage.lock storage.quarantine storage.spool mail.copies mail.outbox mail.threads
"""
POST = "post.attached post.box post.letter post.me post.notice post.page post.people post.reading post.spool"
VERBS = f"""
    bus protocol.message protocol.credentials storage.process mail.inbox mail.registry {SENDING}
    mail.attachments mail.check mail.delivery mail.halt mail.roster mail.workspace
"""


def hook(team: Team, event: str, folder: str = "dev", **given: Any) -> Set[str]:
    """What the hook of an event imports."""
    given = {"session_id": "s-1", "hook_event_name": event, **given}
    return started(HOOK, event, cwd=str(team.root / folder), env=team.env, given=given).modules


@pytest.fixture
def warm(team: Team) -> Team:
    """A bus on which dev has a session that was told of its one message."""
    put(team, 1, priority="high")
    hook(team, "SessionStart")
    hook(team, "UserPromptSubmit")
    return team


SAME = {
    "SessionStart": f"{EVERY} {MAIL} mail.due hooks.session_start",
    "UserPromptSubmit": f"{EVERY} {MAIL} hooks.user_prompt_submit",
    "PreToolUse": f"{EVERY} hooks.tool_call hooks.pre_tool_use hooks.shell",
    "Stop": f"{EVERY} {MAIL} hooks.stop",
    "SessionEnd": f"{EVERY} {NEWS} storage.process mail.registry hooks.session_end",
}


@pytest.mark.parametrize("event", SAME)
def test_an_event_of_every_turn(event: str, warm: Team) -> None:
    """Where nothing is new an event imports the modules on its list and no others."""
    found = hook(warm, event, tool_name="Bash", tool_input={"command": f"{ROOT}/scripts/ato inbox"})
    # A stop says which set of mail it blocked for by a sum.
    check(warm, found, SAME[event], f"{LIGHT} zlib" if event == "Stop" else LIGHT)


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit"])
def test_new_mail(event: str, warm: Team) -> None:
    """A message that is met for the first time needs the schemas and nothing else."""
    put(warm, 2)
    check(warm, hook(warm, event), f"{SAME[event]} {NEWS}", LIGHT)


def test_nothing_to_do(warm: Team) -> None:
    """In a folder of nobody's, and for a command of somebody else's, only what finds that out is imported."""
    (warm.root / "other").mkdir()
    check(warm, hook(warm, "UserPromptSubmit", "other"), EVERY, LIGHT)
    check(warm, hook(warm, "UserPromptExpansion", command_name="else:inbox"), EVERY, LIGHT)


def test_a_stop_that_asks_what_is_owed(warm: Team) -> None:
    """Only a drain of what was read looks into threads, and imports what that takes."""
    drain(warm, scope="owed")
    check(
        warm, hook(warm, "Stop"), f"{SAME['Stop']} {SENDING} {NEWS} mail.owed", f"{LIGHT} contextlib errno fcntl zlib"
    )


def test_a_start_that_looks_for_what_is_late(warm: Team) -> None:
    """An outbox that has grown is read under its lock; only where a time has passed somebody looks into threads."""
    warm.ask("dev", "ops")
    grown = f"{SAME['SessionStart']} storage.lock"
    check(warm, hook(warm, "SessionStart"), grown, f"{LIGHT} contextlib fcntl")
    warm.ask("dev", "ops", "--response-by", "2020-01-01T00:00:00Z")
    looking = f"{SAME['SessionStart']} {SENDING} {NEWS} mail.attachments mail.delivery mail.overdue mail.owed"
    check(warm, hook(warm, "SessionStart"), looking, f"{LIGHT} contextlib fcntl")


@pytest.mark.parametrize("folder", ["dev", "other"])
def test_a_start_with_unread_mail_from_people(warm: Team, folder: str) -> None:
    """Mail from people costs the start of a session one module, and none where nobody has set it up."""
    (warm.root / "other").mkdir()
    (warm.home / "people").mkdir()
    letter = {"number": 1, "address": "max@example.org", "name": "max", "arrived_at": "2026-04-08T09:15:00Z"}
    note = {"count": 1, "newest": [{**letter, "text": "Pick your top 3?", "attachments": ["a.csv"]}]}
    (warm.home / "people/unread.json").write_text(json.dumps(note))
    seen = hook(warm, "SessionStart", folder)
    ours = SAME["SessionStart"] if folder == "dev" else f"{EVERY} {MAIL}".replace("mail.registry", "")
    check(warm, seen, f"{ours} post.notice", LIGHT)


def test_a_command(warm: Team) -> None:
    """A slash command of ours may use the verbs, which no other event does, and none of the packages."""
    found = hook(
        warm, "UserPromptExpansion", command_name="agent-team-os:inbox", command_source="plugin", command_args=""
    )
    ours = f"{EVERY} {MAIL} {NEWS} {VERBS} text mail.person mail.hook_log hooks.writing"
    check(warm, found, f"{ours} hooks.user_prompt_expansion", f"{LIGHT} contextlib fcntl")


def test_the_command_for_people(warm: Team, tmp_path: Path) -> None:
    """/msg reads a letter with the standard library alone, and with nothing that signs, encrypts or reaches a store."""
    max_, alex = people.pair(tmp_path)
    max_.said("alex", "Pick your top 3?")
    max_.sync()
    alex.sync()
    alex.typed("verify", "max")
    shutil.copytree(alex.mail, warm.home / "people")
    (warm.home / "people/started").unlink(missing_ok=True)
    shutil.copytree(alex.config, warm.root / ".config/agent-team-os")
    warm.map(org={"store": people.shared(tmp_path)})
    found = hook(
        warm, "UserPromptExpansion", command_name="agent-team-os:msg", command_source="plugin", command_args="read"
    )
    assert len(list((warm.home / "people/receipts").iterdir())) == 1, "it was read"
    ours = f"{EVERY} {MAIL} {NEWS} {VERBS} {POST} text mail.person mail.hook_log hooks.writing"
    check(warm, found, f"{ours} hooks.user_prompt_expansion hooks.msg", f"{LIGHT} contextlib fcntl")


# ---- Verbs --------------------------------------------------------------------------------------


def verb(team: Team, agent: str, *args: str) -> Set[str]:
    """What a verb imports."""
    return started(VERB, *args, cwd=str(team.root / agent), env=team.env).modules


# What click needs is its own business; these are named by modules of ours.
CLICK = f"{LIGHT} click collections.abc contextlib fcntl importlib typing"
SAY = "cli.main cli.output cli.here protocol.errors protocol.ids protocol.home protocol.strictjson protocol.show"
BUS = f"""
    {VERBS} {NEWS} {SAY} protocol.agentmap protocol.frame storage.files storage.home storage.unsynced mail.identity
"""


def test_inbox(warm: Team) -> None:
    """Listing an inbox takes click and no other package."""
    listing = f"{BUS} cli.reading text mail.hook_log"
    check(warm, verb(warm, "dev", "inbox"), listing, CLICK)
    (warm.home / "people").mkdir()  # only there somebody may have to be told of mail from people
    check(warm, verb(warm, "dev", "inbox"), f"{listing} post.notice storage.notes", CLICK)


def test_overdue(warm: Team) -> None:
    """What is late is listed with click and no other package."""
    found = verb(warm, "dev", "overdue")
    check(
        warm,
        found,
        f"{BUS} cli.overdue mail.due mail.overdue mail.owed mail.known storage.notes text mail.hook_log",
        CLICK,
    )


def test_send(warm: Team) -> None:
    """Sending a message takes click and no other package."""
    found = verb(warm, "ops", "send", "dev", "note", "--summary", "x")
    check(warm, found, f"{BUS} cli.writing cli.content cli.batches protocol.body", f"{CLICK} encodings.ascii")


def test_a_message_to_a_person(team: Team, tmp_path: Path) -> None:
    """Writing to somebody takes click and no other package, and no module that signs, encrypts or reaches a store."""
    max_, _ = people.pair(tmp_path)
    max_.file("a.csv", "a")
    max_.typed("verify", "alex")
    (max_.mail / "started").unlink(missing_ok=True)
    call = ["msg", "alex", "Pick your top 3?", "--attach", "a.csv"]
    found = started(VERB, *call, cwd=str(max_.root), env=max_.environment).modules
    assert len(list((max_.mail / "spool").iterdir())) == 1
    ours = f"""
        {SAY} {POST} {NEWS} cli.msg cli.msg_send cli.mailbox cli.progress text
        protocol.agentmap protocol.credentials protocol.frame protocol.message mail.attachments mail.hook_log
        storage.files storage.home storage.lock storage.notes storage.process storage.unsynced
    """.replace("cli.here", "")
    check(team, found, ours, f"{CLICK} hashlib mimetypes threading types warnings")
