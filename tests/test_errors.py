"""Every refusal: one plain line or one JSON document, the exit status of the protocol, and nothing changed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conftest import ERROR, Team, tree
from support import state
from support.cli import ORDINARY, PATIENCE, PROGRAM

TOKEN = "gh" + "p_" + "a" * 36
SAID = "msg-20260520T091812Z-aaaaaaaa"
DEVICE = "age18evkz4lp0wmpgnc40tsxrsswsva752cd8ccq69kc64pwdgn9eqcq277vum"


@dataclass(frozen=True)
class Case:
    """A command that must be refused: by whom, with what status and code, and what its line must name."""

    status: int
    code: str
    arguments: str
    names: str
    agent: str = "ops"
    stdin: str = ""
    before: Callable[[Team], object] = lambda _: None
    env: dict[str, str] = field(default_factory=dict)


def other(team: Team) -> None:
    """A folder of nobody's."""
    (team.root / "other").mkdir()


def blocked(team: Team) -> None:
    """A map that forbids ops to write to dev, with a reason and a hub to go through."""
    team.map(
        routing_rules={"ops": {"deny": ["dev"], "reason": "client data stays inside"}},
        agents={"ops": {"domain": "work"}, "dev": {}, "lead": {}},
        domains={"work": {"hub": "lead"}},
    )


def broken_map(team: Team) -> None:
    """A map somebody has mistyped."""
    (team.home / "AGENT_MAP.json").write_text('{\n  "version": "2.0",\n  "rules": [}\n}')


def wrong_map(team: Team) -> None:
    """A map with a value that is not allowed."""
    (team.home / "AGENT_MAP.json").write_text('{"version": "2.0",\n "routing": {"blocked_pairs": [["ops"]]}}')


def no_map(team: Team) -> None:
    """A map that may not be read."""
    (team.home / "AGENT_MAP.json").chmod(0)


def attachment(team: Team) -> None:
    """A message with a file whose bytes are gone."""
    (team.root / "dev/a.txt").write_text("a")
    sent = team.json("dev", "send", "ops", "note", "--attach", "a.txt")
    (team.home / "attachments" / team.stored(sent)["attachments"][0]["sha256"]).unlink()


def closed_spool(team: Team) -> None:
    """A home in which no send can begin."""
    (team.home / "outbox/.spool").chmod(0o500)


def halted(team: Team) -> None:
    """A bus that somebody has halted."""
    assert team.run("dev", "halt", "tests are red").returncode == 0


def people(team: Team) -> None:
    """max has set up mail between people, and nobody else has."""
    (team.root / "store").mkdir()
    made = team.run(".", "msg", "setup", "--address", "max@example.org", "--store", f"{team.root}/store", "--yes")
    assert made.returncode == 0, made.stderr
    (team.home / "people/started").unlink()  # no sync begins by itself


# Those of plans and task managers, and of what asks the store of mail between people, have files of their own.
ELSEWHERE = {
    "unknown-plan", "invalid-plan", "unknown-task", "invalid-task", "task-provider", "unknown-person", "not-verified",
    "store",
}  # fmt: skip
CASES = {
    "unknown-agent": Case(1, "unknown-agent", "send devv note", "Did you mean dev?"),
    "hostile-agent": Case(1, "unknown-agent", "send .. note", '".." is no agent name'),
    "unknown-message": Case(1, "unknown-message", "read nonsense", "nonsense"),
    "unknown-thread": Case(1, "unknown-thread", "thread nonsense", "nonsense"),
    "nothing-to-read": Case(1, "nothing-to-read", "read", "ops/ops"),
    "anonymous": Case(1, "anonymous", "inbox", "~/other", "other", before=other),
    "anonymous-by-variable": Case(1, "unknown-agent", "inbox", "nobody", env={"AGENT_TEAM_OS_AGENT": "nobody"}),
    "routing-denied": Case(
        2, "routing-denied", "send dev note --summary x", "client data stays inside", before=blocked
    ),
    "routing-hub": Case(2, "routing-denied", "send dev note --summary x", "Go through lead.", before=blocked),
    "halted": Case(2, "halted", "send dev note --summary x", "by dev: tests are red", before=halted),
    "not-confirmed": Case(2, "not-confirmed", "resume", "nobody is at a terminal here", before=halted),
    "invalid-message": Case(4, "invalid-message", "send dev note --response-by tomorrow", "response_by"),
    "invalid-intent": Case(4, "invalid-message", "send dev Note", "intent"),
    "invalid-payload": Case(4, "invalid-payload", "send dev bug-fix --summary x", "--field project="),
    "invalid-json": Case(4, "invalid-payload", "send dev note --payload -", "--payload", stdin="{"),
    "invalid-body": Case(4, "invalid-payload", "send dev note --body -", "line 2", stdin="a: b\nc"),
    "payload-too-large": Case(4, "invalid-payload", "send dev note --body -", "--attach", stdin="\n" + "x" * 10_241),
    "broken-map": Case(4, "invalid-map", "send dev note", "AGENT_MAP.json, line 3, column 13", before=broken_map),
    "wrong-map": Case(4, "invalid-map", "inbox", "AGENT_MAP.json, line 2", before=wrong_map),
    "unreadable-map": Case(4, "invalid-map", "send dev note", "permission denied", before=no_map),
    "missing-file": Case(4, "invalid-attachment", "send dev note --attach missing", "missing"),
    "device": Case(4, "invalid-attachment", "send dev note --attach /dev/zero", "a device"),
    "lost-file": Case(4, "invalid-attachment", "read --save .", "a.txt", before=attachment),
    "secret": Case(4, "secret", f"send dev note --summary {TOKEN}", "--allow-secret"),
    "not-set-up": Case(1, "not-set-up", "msg list", "Set it up: ato msg setup"),
    "unknown-letter": Case(1, "unknown-letter", "msg read 7", 'no message "7"', before=people),
    "invalid-letter": Case(4, "invalid-letter", "msg max Hello", "max@example.org is you", before=people),
    "not-yours": Case(2, "not-confirmed", f"msg device accept {DEVICE}", "your keys to a device takes", before=people),
    "no-verb": Case(64, "usage", "sned", "Did you mean send?"),
    "no-such-option": Case(64, "usage", "send dev note --sumary x", "--sumary"),
    "no-argument": Case(64, "usage", "send dev", "send"),
    "no-choice": Case(64, "usage", "send dev note --priority hot", "hot"),
    "two-sources": Case(64, "usage", "send dev note --summary x --field summary=y", "summary"),
    "too-many": Case(64, "usage", "inbox x", "x"),
    "cannot-write": Case(73, "cannot-write", "send dev note", ".spool", before=closed_spool),
    "home-of-all": Case(73, "cannot-write", "inbox", "chmod go-w", before=lambda team: team.home.chmod(0o777)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_refusal(name: str, team: Team) -> None:
    """A refusal is one plain line on stderr, or with --json one document on stdout; both say the same."""
    case = CASES[name]
    case.before(team)
    arguments = case.arguments.split()
    error = team.refused(case.status, case.code, case.agent, *arguments, stdin=case.stdin, **case.env)
    before = tree(team.root)
    done = team.run(case.agent, *arguments, stdin=case.stdin, **case.env)
    assert (done.returncode, done.stdout) == (case.status, "")
    assert tree(team.root) == before
    (line,) = done.stderr.splitlines()
    assert line.startswith("ato: ")
    assert line.isprintable()
    assert case.names in line
    # The id of a message that was not sent is another one each time.
    line, message = (re.sub(r"msg-\w{8}T\w{6}Z-\w{8}", "ID", text) for text in (line, error["message"]))
    assert message in line
    assert line.endswith(error["hint"])
    assert error["hint"] or "?" in line or line.endswith(")") or case.code == "nothing-to-read", "what to do next?"


def test_every_code_has_a_case() -> None:
    """The cases here, below and elsewhere provoke every code of the schema but `internal`, a mistake of ours."""
    codes = set(ERROR["properties"]["error"]["properties"]["code"]["enum"])
    below = {"lock-busy", "undecided", "not-installed"}
    assert codes - {case.code for case in CASES.values()} == {*below, "internal", *ELSEWHERE}


@pytest.mark.parametrize("package", ["obstore", "pyrage", "nacl"])
def test_a_package_is_missing(package: str, team: Team) -> None:
    """Without one of its packages mail between people says in one line what to install."""
    *python, path = PROGRAM
    without = f"import runpy, sys; sys.modules[{package!r}] = None; del sys.argv[0]; "
    without += "runpy.run_path(sys.argv[0], None, '__main__')"
    call = [path, "msg", "setup", "--address", "max@example.org", "--store", f"{team.root}/store", "--yes"]
    done = subprocess.run(
        [*python, "-c", without, *call], cwd=team.root, env=team.env, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (70, "")
    (line,) = done.stderr.splitlines()
    assert "agent-team-os[msg]" in line


def test_no_arguments(team: Team) -> None:
    """Without a verb the help is shown, as text of several lines that a person can read."""
    done = team.run("ops")
    assert done.returncode in (0, 64)
    lines = (done.stdout + done.stderr).splitlines()
    assert any(line.strip().startswith("inbox ") for line in lines)


@pytest.mark.parametrize("arguments", ["drain", "send dev note --type x", "thread --status x", "join"])
def test_a_misuse_is_told_in_one_line(arguments: str, team: Team) -> None:
    """What is wrong with a command line is said in plain words, without the marks of layout."""
    done = team.run("ops", *arguments.split())
    assert done.returncode == 64
    (line,) = done.stderr.splitlines()
    assert "<U+" not in line
    assert f"ato {arguments.partition(' ')[0]} --help" in line


@pytest.mark.parametrize("verb", ["", "init", "join", "whoami", "bus", "inbox", "read", "send", "reply", "handoff",
                                  "thread", "trace", "overdue", "god", "plan", "plan propose", "plan dispatch", "halt",
                                  "resume", "tasks", "telemetry", "msg", "msg send", "msg setup", "msg device add",
                                  "drain", "doctor", "hook"])  # fmt: skip
def test_help(verb: str, team: Team) -> None:
    """Every verb has a help, which needs no bus and no identity."""
    done = team.run(".", *verb.split(), "--help", AGENT_TEAM_OS_AGENT="nobody")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: ato {verb}".rstrip())


# ---- the order of checks ------------------------------------------------------------------------

# Each of these is wrong by itself, from the first check to the last.
WRONG = {
    "usage": (64, ["--field", "novalue"]),
    "document": (4, ["--response-by", "tomorrow"]),
    "payload": (4, ["--payload", "{"]),
    "body": (4, ["--body", "-"]),
    "attachment": (4, ["--attach", "missing"]),
}


@pytest.mark.parametrize("document", ["document", "payload", "body", "attachment"])
def test_the_order_of_checks(document: str, team: Team) -> None:
    """Of several faults the first in this order is told: usage, own identity, recipient, routing, document."""
    other(team)
    blocked(team)
    options = WRONG[document][1]
    for status, code, agent, to, more in (
        (64, "usage", "other", "nobody", WRONG["usage"][1]),
        (1, "anonymous", "other", "nobody", []),
        (1, "unknown-agent", "ops", "nobody", []),
        (2, "routing-denied", "ops", "dev", []),
    ):
        error = team.refused(status, code, agent, "send", to, "note", *options, *more, stdin="no field")
        assert error["message"]
    expected = {"document": "invalid-message", "attachment": "invalid-attachment"}.get(document, "invalid-payload")
    team.refused(4, expected, "ops", "send", "lead", "note", *options, stdin="no field")


def test_the_order_of_checks_in_a_reply(team: Team) -> None:
    """A reply is checked in the same order: the message it answers stands for the recipient."""
    other(team)
    sent = team.ask("dev", "ops")
    blocked(team)
    bad = ["--response-by", "tomorrow"]
    team.refused(64, "usage", "other", "reply", "nonsense", "response", *bad, "--field", "novalue")
    team.refused(1, "anonymous", "other", "reply", "nonsense", "response", *bad)
    team.refused(1, "unknown-message", "ops", "reply", "nonsense", "response", *bad)
    team.refused(2, "routing-denied", "ops", "reply", sent["id"], "response", *bad)
    team.map(routing_rules={})
    team.refused(4, "invalid-message", "ops", "reply", sent["id"], "response", *bad)


# ---- locks --------------------------------------------------------------------------------------


@contextlib.contextmanager
def held(team: Team, name: str) -> Iterator[None]:
    """Hold a kernel lock, as another command would."""
    descriptor = os.open(team.home / "locks" / f"{name}.guard", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def test_lock_busy(team: Team) -> None:
    """While somebody else holds the recipient's lock a send gives up with 3, in both forms, and leaves nothing."""
    (team.root / "ops/a.txt").write_text("a")
    team.ask("ops", "dev")
    before = tree(team.root)
    arguments = ["send", "dev/web", "note", "--attach", "a.txt"]
    with held(team, "dev"):
        # Both at once: each of them waits its five seconds.
        processes = [
            subprocess.Popen(
                [*ORDINARY, *PROGRAM, *arguments, *form], cwd=team.root / "ops", env=team.env,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for form in ([], ["--json"])
        ]  # fmt: skip
        (_, line), (document, _) = (process.communicate(timeout=PATIENCE) for process in processes)
    assert [process.returncode for process in processes] == [3, 3]
    assert line.decode().count("\n") == 1
    assert line.startswith(b"ato: ")
    error = json.loads(document)
    jsonschema.validate(error, ERROR)
    assert error["error"]["code"] == "lock-busy"
    after = {path: what for path, what in tree(team.root).items() if path not in before or what != before[path]}
    # A blob is nobody's until a message names it; the box of a session is made before its first message.
    left = {path for path in after if not path.startswith(".agent-team-os/attachments")}
    assert left <= {".agent-team-os/inboxes/dev", ".agent-team-os/inboxes/dev/@web"}
    assert len(state.check(team.home)) == 1


# ---- the disk -----------------------------------------------------------------------------------


def test_undecided(team: Team) -> None:
    """A write that fails and cannot be taken back ends with 75, and the next command makes it all or nothing."""
    team.ask("ops", "dev")
    # The first three fsyncs are the spool file, the draft of the thread and the folder of the first; the fourth makes
    # the line in the outbox durable.
    faults = ["-e", "inject=fsync:error=EIO:when=4", "-e", "inject=ftruncate:error=EIO"]
    log = team.root.parent / "strace.log"
    for form in ([], ["--json"]):
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=fsync,ftruncate", *faults, *PROGRAM, "send", "dev",
             "note", "--summary", "x", *form],
            cwd=team.root / "ops", env=team.env, capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 75, done.stderr.decode() + log.read_text()
        if form:
            error = json.loads(done.stdout)
            jsonschema.validate(error, ERROR)
            assert error["error"]["code"] == "undecided"
        else:
            assert done.stdout == b""
            assert done.stderr.startswith(b"ato: ")
            assert done.stderr.count(b"\n") == 1
        assert team.run("dev", "inbox").returncode == 0
        state.check(team.home)


@pytest.mark.parametrize("place", ["outbox/.spool", "outbox", "inboxes/dev", "locks", "attachments"])
def test_a_folder_that_cannot_be_written(place: str, team: Team) -> None:
    """Where a folder of the home cannot be written nothing is sent, and nothing is in the way afterwards."""
    (team.root / "ops/a.txt").write_text("a")
    folder = team.home / place
    folder.chmod(0o500)
    try:
        done = team.run("ops", "send", "dev", "note", "--attach", "a.txt", "--json")
    finally:
        folder.chmod(0o700)
    assert done.returncode == 73, done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "cannot-write"
    assert str(folder) in error["message"], "the message names where"
    assert state.check(team.home) == set()
    team.json("ops", "send", "dev", "note", "--attach", "a.txt")
    assert len(state.check(team.home)) == 1


@pytest.mark.parametrize("place", ["AGENT_MAP.json", "locks"])
def test_a_map_that_cannot_be_written(place: str, team: Team) -> None:
    """Where the map cannot be changed `join` and `drain` say so, and it stays as it is."""
    folder = team.home if place == "AGENT_MAP.json" else team.home / place
    data = (team.home / "AGENT_MAP.json").read_bytes()
    (team.root / "new").mkdir()
    for path in (team.home / "locks").iterdir():
        path.unlink()
    folder.chmod(0o500)
    try:
        for agent, verb in (("new", ["join", "new"]), ("dev", ["drain", "on"])):
            done = team.run(agent, *verb)
            assert done.returncode == 73, done.stdout
            assert done.stderr.count("\n") == 1
    finally:
        folder.chmod(0o700)
    assert (team.home / "AGENT_MAP.json").read_bytes() == data


def test_a_message_that_cannot_be_archived(team: Team) -> None:
    """A message that is shown and cannot be archived stays pending; that is told."""
    sent = team.ask("ops", "dev")
    archive = Path(sent["path"]).parent / ".read"
    archive.touch()
    done = team.run("dev", "read")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Still in the inbox." in done.stdout
    assert team.json("dev", "read")["archived"] is False
    assert Path(sent["path"]).exists()


def test_a_folder_that_is_gone(team: Team) -> None:
    """In a folder somebody has removed a command says so, in one line."""
    (team.root / "gone").mkdir()
    done = subprocess.run(
        ["sh", "-c", 'rmdir ../gone; exec "$@"', "sh", *ORDINARY, *PROGRAM, "inbox"],
        cwd=team.root / "gone", env=team.env, capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode in (1, 64, 73)
    assert done.stderr.count(b"\n") == 1
    assert b"working directory" in done.stderr or b"this folder" in done.stderr


# ---- text from elsewhere in errors --------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["read", "x\x1b[31m\u202e\n\u2028z"],
        ["thread", "x\x1b[31m\u202e\n\u2028z"],
        ["trace", "x\x1b[31m\u202e\n\u2028z"],
        ["send", "x\x1b[31m\u202e\n\u2028z", "note"],
        ["send", "dev", "x\x1b[31m\u202e\n\u2028z"],
        ["send", "dev", "note", "--field", "x\x1b[31m\u202e\n\u2028z"],
        ["send", "dev", "note", "--attach", "x\x1b[31m\u202e\n\u2028z"],
        ["send", "dev", "note", "--response-by", "x\x1b[31m\u202e\n\u2028z"],
        ["send", "dev", "note", "--priority", "x\x1b[31m\u202e\n\u2028z"],
        ["send", "dev", "note", "--payload", '{"x\x1b[31m\u202e\n\u2028z'],
        ["x\x1b[31m\u202e\n\u2028z"],
        ["send", os.fsdecode(b"\xff\xfe"), "note"],
        ["read", os.fsdecode(b"\xff\xfe")],
        [os.fsdecode(b"\xff\xfe")],
        ["send", "dev", "note", "--attach", os.fsdecode(b"\xff\xfe")],
        ["join", "x\u202e"],
    ],
    ids=range(16),
)
def test_hostile_text_in_an_error(arguments: list[str], team: Team) -> None:
    """What an error quotes is made visible, on one line, and is UTF-8 whatever was given."""
    done = team.run("ops", *arguments)
    assert done.returncode in (1, 4, 64)
    (line,) = done.stderr.split("\n")[:-1]
    assert line.isprintable()
    document: Any = json.loads(team.run("ops", *arguments, "--json").stdout)
    jsonschema.validate(document, ERROR)
    assert document["error"]["message"].isprintable()


def test_long_text_in_an_error(team: Team) -> None:
    """What an error quotes is cut."""
    long = "x" * 100_000
    for arguments in (
        ["read", long], ["thread", long], ["trace", long], ["send", long, "note"], ["send", "dev", long], [long],
        ["send", "dev", "note", "--field", long], ["send", "dev", "note", "--response-by", long],
        ["drain", "on", "--agent", long], ["send", "dev", "note", "--thread", long], ["join", long],
        ["send", "dev", "note", "--payload", long], ["send", "dev", "note", "--priority", long],
    ):  # fmt: skip
        done = team.run("ops", *arguments)
        assert done.returncode in (1, 4, 64)
        assert len(done.stderr) < 2000, arguments[:3]


def test_what_cannot_be_archived_is_said_behind_the_document(team: Team) -> None:
    """With --json a message that was shown and cannot be archived is one document, and the error a line on stderr."""
    sent = team.ask("ops", "dev")
    command = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=rename:error=EIO", *PROGRAM, "read", "--json"]
    done = subprocess.run(
        command, cwd=team.root / "dev", env=team.env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 73
    assert json.loads(done.stdout)["id"] == sent["id"]
    assert "It stays in the inbox." in done.stderr
    assert Path(sent["path"]).exists()
