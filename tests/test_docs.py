"""The docs are complete and true: every verb, option, field, path and status is there, and what is shown happens."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from agent_team_os.cli.main import VERBS
from agent_team_os.hooks import announce
from agent_team_os.mail import attachments, inbox, registry
from agent_team_os.protocol import documents, errors, ids, message, strictjson, thread
from agent_team_os.protocol import home as layout
from agent_team_os.storage import lock, spool
from agent_team_os.tasks import provider
from conftest import Team
from support import plans
from support.cli import PATIENCE, ROOT, environment
from support.pages import (
    PROTOCOL,
    README,
    below,
    blocks,
    codes,
    command,
    paths,
    pattern,
    prose,
    schema_of,
    section,
    tables,
)

PAGES = (
    "README.md",
    "AGENTS.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/protocol.md",
    "docs/settings.md",
    "docs/people.md",
)
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "scripts/agent_team_os").rglob("*.py")))
EVERYWHERE = {"--json", "--help", "-h"}  # said once in the README, for all verbs
MIB = 1_048_576


def options(verb: str) -> dict[str, click.Parameter]:
    """The options of a verb, and of the commands it has below it, by each of their names."""
    verbs = [command(verb), *below(command(verb)).values()]
    named = [parameter for each in verbs for parameter in each.params if isinstance(parameter, click.Option)]
    return {name: parameter for parameter in named for name in parameter.opts}


def documented(verb: str) -> dict[str, str]:
    """The options the README gives a verb, each with the row it stands in."""
    _, reference = tables(section(README, "## Commands"))
    rows = [row for row in reference if any(code.split()[0] == verb for code in codes(row[0]))]
    return {name: " ".join(row) for row in rows for name in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row[1])}


def asked_of_installer() -> set[str]:
    """The options that install.sh says it has."""
    done = subprocess.run(
        ["sh", str(ROOT / "install.sh"), "--help"], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", done.stdout))


# ---- Verbs and options --------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_option_is_in_the_readme(verb: str) -> None:
    """The README lists each verb with its arguments, and each of its options with all its names and choices."""
    verbs, _ = tables(section(README, "## Commands"))
    (row,) = [row for row in verbs if row[0].startswith(f"`ato {verb}")]
    for parameter in command(verb).params:
        if isinstance(parameter, click.Argument):
            choices = "|".join(parameter.type.choices) if isinstance(parameter.type, click.Choice) else ""
            name = (parameter.metavar or choices or str(parameter.name).upper()).strip("[]")
            assert name in codes(row[0])[0], row
    listed = documented(verb)
    assert below(command(verb)).keys() <= set(re.findall("[a-z]+", " ".join([*codes(row[0]), *listed.values()])))
    for name, option in options(verb).items():
        assert name in listed or name in EVERYWHERE, f"ato {verb} {name} is not in the README"
        for choice in option.type.choices if isinstance(option.type, click.Choice) else ():
            assert f"`{choice}`" in listed[name], f"ato {verb} {name} {choice} is not in the README"
    missing = {"--json", "--help", "-h"} - set(codes(section(README, "## Commands")))
    assert not missing
    assert ("--json" in options(verb)) == (verb != "hook"), "the README says: every verb but hook"


@pytest.mark.parametrize("verb", VERBS)
def test_the_reference_has_no_option_too_many(verb: str) -> None:
    """An option in the README's reference of a verb is one that the verb takes."""
    assert documented(verb).keys() <= options(verb).keys()


@pytest.mark.parametrize("page", PAGES)
def test_docs_name_no_verb_or_option_that_does_not_exist(page: str) -> None:
    """Wherever a page writes a command, its verb exists and takes the options it is given."""
    text = (ROOT / page).read_text(encoding="utf-8")
    known = {"--version", "--marketplace", "--plugin-dir", *EVERYWHERE, *asked_of_installer()}
    for verb in VERBS:
        known |= options(verb).keys()
    for name in re.findall(r"(?<![\w-])--[a-z][a-z-]*", re.sub(r"(?ms)^```mermaid.*?^```", "", text)):
        assert name in known, f"{page} names {name}"
    lines = [line for _, content in blocks(text) for line in content.splitlines()]
    for line in lines + codes(prose(text)):
        for verb, rest in re.findall(r"(?<![\w/.~-])(?:ato|agentops) ([a-z][a-z-]*)(.*)", line):
            assert verb in VERBS, f"{page} names the verb {verb}: {line}"
            for name in re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest.split(" ato ")[0]):
                assert name in {*options(verb), *EVERYWHERE}, f"{page} gives {verb} the option {name}"


# ---- Documents ----------------------------------------------------------------------------------


def properties(schema: Any) -> Iterator[str]:
    """Every property name in a schema, at any depth."""
    if isinstance(schema, dict):
        for key, part in schema.items():
            if key == "properties":
                yield from part
            if key != "examples":
                yield from properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from properties(part)


@pytest.mark.parametrize(
    ("kind", "heading"),
    [
        ("message", "## Message"),
        ("agent-map", "## Agent map"),
        ("thread", "## Threads"),
        ("registry-card", "## Registry"),
        ("session", "## Registry"),
        ("letter", "### Letter"),
        ("receipt", "### Receipt"),
        ("entry", "### Directory entry"),
        ("grant", "### Grant"),
        ("error", "### Exit status and errors"),
    ],
)
def test_every_field_is_in_the_protocol(kind: str, heading: str) -> None:
    """Each field of a schema, at any depth, and each value it may have stands in the section on its document."""
    text, schema = section(PROTOCOL, heading), schema_of(kind)
    quoted = "\n".join(codes(text))
    for name in properties(schema):
        assert re.search(rf"(?<![\w$-]){re.escape(name)}(?![\w-])", quoted), f"{heading} does not name {name}"
    for values in re.findall(r'"enum": (\[[^]]*\])', json.dumps(schema)):
        for value in json.loads(values):
            assert f"`{value}`" in PROTOCOL, f"docs/protocol.md does not name {value}"


def test_the_message_table_is_the_schema() -> None:
    """The table of a message's fields has the schema's fields, no other, and marks the required ones."""
    schema, table = schema_of("message"), tables(section(PROTOCOL, "## Message"))[0]
    marked = {codes(row[0])[0]: row[1] == "yes" for row in table}
    assert marked == {name: name in schema["required"] for name in schema["properties"]}


def test_every_intent_is_in_the_protocol() -> None:
    """The table of intents has each schema of schemas/intents with what it requires, and no other."""
    (table,) = tables(section(PROTOCOL, "### Intents"))
    written = {intent: codes(row[1]) for row in table for intent in codes(row[0])}
    kinds = [path.name.removesuffix(".schema.json") for path in (ROOT / "schemas/intents").iterdir()]
    assert written == {kind: schema_of(f"intents/{kind}")["required"] for kind in kinds}
    checked = {word for word in codes(section(PROTOCOL, "### Intents").split("|")[0]) if word in message.TYPES}
    assert checked == message.INTENT_CHECKED


def test_every_error_is_in_the_protocol() -> None:
    """The table of exit statuses has each error class of the program under its status, and no other code."""
    (table,) = tables(section(PROTOCOL, "### Exit status and errors"))
    written = {code: int(row[0]) for row in table for code in codes(row[1])}
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.BusError)]
    assert written == {kind.code: kind.status for kind in classes}
    assert {int(row[0]) for row in table} == {kind.status for kind in classes} | {0, 130}


def test_limits_are_those_of_the_program() -> None:
    """The sizes and times in the docs are the constants of the code."""
    (table,) = tables(section(PROTOCOL, "### Limits and strict JSON"))
    assert dict(table) == {
        "payload when sent, as compact UTF-8 JSON": f"{message.MAX_PAYLOAD:,} bytes",
        "message file": f"{message.MAX_MESSAGE // MIB} MiB",
        "thread file": f"{thread.MAX_THREAD // MIB} MiB",
        "attachment": f"{attachments.MAX_SIZE // MIB} MiB",
        "registry file": f"{registry._MAX // 1024} KiB",
        "persona file": f"{announce.MAX_PERSONA // 1024} KB",
    }
    assert f"at most {message.MAX_PAYLOAD:,} bytes, an attachment {attachments.MAX_SIZE // MIB} MiB" in README
    assert f"more than {strictjson.MAX_LEVELS} levels" in PROTOCOL
    assert f"less than {lock.LEASE:.0f} s" in PROTOCOL
    assert f"waits {lock.WAIT:.0f} s" in PROTOCOL
    assert f"one of {lock.BUCKETS} groups" in PROTOCOL
    assert f"younger than {inbox.YOUNG:.0f} s" in PROTOCOL
    assert f"{registry.HEARTBEAT // 60} minutes" in PROTOCOL


# ---- Names on the disk and in the environment ---------------------------------------------------


def test_every_file_of_a_conversation_is_in_the_table_of_paths(team: Team) -> None:
    """After all kinds of mail, bad files, and hooks that work and fail, each file in the home has a row in the docs."""
    (team.root / "ops" / "trace.txt").write_text("trace")
    sent = team.ask("ops", "dev", "--attach", "trace.txt")
    team.ask("ops", "dev/dev")
    team.json("dev", "read")
    team.json("dev", "read")
    team.json("dev", "reply", sent["id"], "response", "--summary", "main")
    team.json("dev", "drain", "on")
    (team.home / "inboxes/ops/msg-20260101T000000Z-aaaaaaaa.json").write_text("no message")
    team.json("ops", "inbox")
    (team.home / "threads" / (sent["thread_id"] + ".json")).write_text("no thread")
    team.json("dev", "reply", sent["id"], "confirm", "--summary", "main")
    team.run("dev", "hook", "SessionStart", stdin=json.dumps({"session_id": "s-1"}))
    team.run("dev", "hook", "SessionStart", stdin="no JSON")
    rows = [re.compile(pattern(path)) for path in paths()]
    files = [str(path.relative_to(team.home)) for path in team.home.rglob("*") if not path.is_dir()]
    assert len(files) > 20
    for name in files:
        assert any(row.fullmatch(name) for row in rows), f"{name} is not in the table of paths"


def test_names_in_the_code_are_in_the_protocol() -> None:
    """Each folder, archive, guard and environment variable the code names is in docs/protocol.md."""
    table = paths()
    for folder in (*layout.FOLDERS, layout.READ, layout.DONE, layout.QUARANTINE):
        assert any(f"/{folder}/" in f"/{path}" for path in table), f"the table of paths lacks {folder}"
    assert any(path.endswith(spool.BLOB) for path in table)
    locks = section(PROTOCOL, "## Locks")
    guards = set(re.findall(r'"(@[a-z][a-z-]*)"', SOURCE))
    assert guards >= {"@agent-map", "@quarantine", "@read-", "@thread-"}
    for guard in guards:
        name = f"{guard}NN" if guard.endswith("-") else guard
        assert f"`locks/{name}.guard`" in locks, f"the table of guards lacks {name}"
    (variables,) = tables(section(PROTOCOL, "### Environment"))
    used = set(re.findall(r'"((?:AGENT_TEAM_OS|AB|CLAUDE|AWS|XDG)_[A-Z0-9_]+|CLAUDECODE|NO_COLOR)"', SOURCE))
    used |= set(re.findall(r"\$\{(XDG_[A-Z_]+)", (ROOT / "hooks/run").read_text() + (ROOT / "scripts/ato").read_text()))
    assert used == {code for row in variables for code in codes(row[0])}


# ---- The JSON of the verbs ----------------------------------------------------------------------


def exchange(team: Team) -> str:
    """A message from ops that dev has answered; its id."""
    sent = team.ask("ops", "dev")
    team.json("dev", "reply", sent["id"], "accept")
    return str(sent["id"])


def planned(team: Team, state: str = "") -> str:
    """A plan of ops, as far as it is to be; its id."""
    plan_id = plans.propose(plans.gods(team))
    if state:
        plans.confirm(team, plan_id)
    if state == "dispatched":
        plans.run(team, "ops", "dispatch", plan_id)
    return plan_id


def of_person(team: Team, *args: str) -> Any:
    """The document that a verb prints which takes a person at a terminal."""
    shown = plans.at_terminal(team, "ops", *args, "--json")[1]
    return json.loads(shown[shown.index("{") :].splitlines()[0])


def tasked(team: Team, *args: str) -> Any:
    """The document of `tasks ARGS`, where there are two tasks."""
    for title in ("Mend", "Post"):
        assert team.run("ops", "tasks", "add", title).returncode == 0
    return json.loads(team.run("ops", "tasks", *args, "--json").stdout)


SHAPES: dict[str, Callable[[Team], Any]] = {
    "ato init": lambda team: team.json("ops", "init"),
    "ato join": lambda team: team.json("ops", "join", "ops"),
    "ato whoami": lambda team: team.json("ops", "whoami"),
    "ato bus": lambda team: team.json("ops", "bus"),
    "ato inbox": lambda team: team.json("ops", "inbox"),
    "ato read": lambda team: (exchange(team), team.json("ops", "read", "--save", "out"))[1],
    "ato send": lambda team: team.ask("ops", "dev"),
    "ato reply": lambda team: team.json("dev", "reply", team.ask("ops", "dev")["id"], "accept"),
    "ato handoff": lambda team: team.json("ops", "handoff", "dev", "--state-summary", "x", "--next-step", "y"),
    "--dry-run": lambda team: team.ask("ops", "dev", "--dry-run"),
    "ato thread ID": lambda team: team.json("ops", "thread", team.ask("ops", "dev")["thread_id"]),
    "ato thread": lambda team: (exchange(team), team.json("ops", "thread"))[1],
    "ato trace": lambda team: team.json("ops", "trace", exchange(team)),
    "ato overdue": lambda team: team.json("ops", "overdue"),
    "ato god": lambda team: team.json("ops", "god"),
    "ato plan propose": lambda team: plans.run(
        plans.gods(team), "ops", "propose", "-", stdin=json.dumps(plans.document())
    ),
    "ato plan show PLAN": lambda team: plans.run(team, "ops", "show", planned(team)),
    "ato plan show": lambda team: plans.run(team, "ops", "show"),
    "ato plan confirm": lambda team: of_person(team, "plan", "confirm", planned(team)),
    "ato plan dispatch": lambda team: plans.run(team, "ops", "dispatch", planned(team, "confirmed")),
    "ato plan launch": lambda team: of_person(team, "plan", "launch", planned(team, "dispatched")),
    "ato tasks list": lambda team: tasked(team, "list"),
    "ato tasks show": lambda team: tasked(team, "show", "t-1"),
    "ato tasks add": lambda team: tasked(team, "add", "Tell"),
    "ato tasks start": lambda team: tasked(team, "start", "t-1"),
    "ato tasks done": lambda team: tasked(team, "done", "t-1"),
    "ato tasks depend": lambda team: tasked(team, "depend", "t-1", "t-2"),
    "ato halt": lambda team: team.json("ops", "halt"),
    "ato resume": lambda team: of_person(team, "resume"),
    "ato telemetry": lambda team: team.json("ops", "telemetry"),
    "ato drain": lambda team: team.json("ops", "drain", "status"),
    "ato doctor": lambda team: team.json("ops", "doctor"),
}


@pytest.mark.parametrize("label", SHAPES)
def test_the_protocol_lists_the_keys_of_every_verb(label: str, team: Team) -> None:
    """The keys a verb prints with --json are those of its row."""
    (table,) = tables(section(PROTOCOL, "### JSON output"))
    (row,) = [row for row in table if label in codes(row[0])]
    expected = {code for code in codes(row[1]) if not code.startswith("-")}
    for kind in ("message", "thread", "plan"):
        if f"the fields of the {kind}" in row[1]:
            optional = {*schema_of(kind)["properties"]} - {*schema_of(kind)["required"]}
            expected |= {*schema_of(kind)["required"], *(SHAPES[label](team).keys() & optional)}
    if "the fields of the task" in row[1] and label != "ato tasks list":
        expected |= provider.Task.__annotations__.keys() - {"notes"}
    expected -= {"ato thread ID": {"summary"}, "ato tasks list": {"blocked"}}.get(label, set())  # of an entry
    assert SHAPES[label](team).keys() == expected


def test_every_verb_has_a_row_of_keys() -> None:
    """The table of JSON keys has each verb that takes --json, and no other."""
    (table,) = tables(section(PROTOCOL, "### JSON output"))
    labels = {code for row in table for code in codes(row[0])}
    of_people = {label for label in labels if label.startswith("ato msg ")}
    single = {name for name, each in below(command("msg")).items() if not isinstance(each, click.Group)}
    assert {label.split()[-1] for label in of_people} == single
    assert labels - of_people == set(SHAPES)
    assert {label.split()[1] for label in labels if label.startswith("ato")} == set(VERBS) - {"hook"}


def test_entries_inside_the_json_are_in_the_protocol(team: Team) -> None:
    """The keys of a roster entry, a trace event, a finding and a thread entry are named below the table."""
    text = section(PROTOCOL, "### JSON output") + section(PROTOCOL, "## Threads")
    message_id = exchange(team)
    inside = {*team.json("ops", "bus")["agents"][0], *team.json("ops", "bus")["routing"]}
    inside |= team.json("ops", "trace", message_id)["events"][0].keys() | documents.Finding.__annotations__.keys()
    inside |= team.json("ops", "thread")["threads"][0]["messages"][0].keys()
    assert inside <= set(codes(text))


# ---- What the docs show is what happens ---------------------------------------------------------

# What another run has otherwise: ids, ages and times.
_ID = re.compile(rf"{ids.MESSAGE.pattern}|{ids.THREAD.pattern}")
_WHEN = re.compile(r"[A-Z][a-z]{2} \d{1,2} [A-Z][a-z]{2}( \d{4})? \d\d:\d\d|just now|\d+ (min|h|days?) ago")


class Shell:
    """A person's shell in an empty home, with the program on the path as `ato`."""

    def __init__(self, home: Path) -> None:
        tools = home / ".local/bin"
        tools.mkdir(parents=True)
        launcher = tools / "ato"
        program = [sys.executable, "-I", str(ROOT / "scripts/agent_team_os/__main__.py")]
        launcher.write_text(f'#!/bin/sh\nexec {shlex.join(program)} "$@"\n')
        launcher.chmod(0o700)
        self.env = environment(home)
        self.env["PATH"] = f"{tools}{os.pathsep}{self.env['PATH']}"
        self.folder = str(home)
        self.ids: dict[str, str] = {}  # of the docs, with what this run has instead

    def type(self, commands: str, expected: str) -> None:
        """Run the commands; what they print must be what is expected, but for ids, ages and times."""
        script = self.here(commands) + '\nstatus=$?; echo "in $PWD"; exit $status'
        done = subprocess.run(
            ["sh", "-c", script], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=PATIENCE, check=False,
        )  # fmt: skip
        printed, _, self.folder = done.stdout.rstrip("\n").rpartition("in ")
        assert done.returncode == 0, printed
        for old, new in zip(_ID.findall(expected), _ID.findall(printed)):
            assert self.ids.setdefault(old, new) == new, printed
        assert self.plain(printed) == self.plain(self.here(expected))

    def here(self, text: str) -> str:
        """A text of the docs with the ids of this run, whole and by their last part."""
        for old, new in self.ids.items():
            text = text.replace(old, new).replace(old.rpartition("-")[2], new.rpartition("-")[2])
        return text

    def plain(self, text: str) -> list[str]:
        """Lines without what differs from run to run, and without the padding that follows from it."""
        return [" ".join(_WHEN.sub("then", line).split()) for line in text.strip().splitlines()]


def test_a_letter_in_a_terminal_works(tmp_path: Path) -> None:
    """Typed as they stand, in an empty home, the commands of "In a terminal" print what stands below each of them."""
    shell = Shell(tmp_path)
    steps = blocks(section(README, "## In a terminal"))
    assert [language for language, _ in steps] == ["sh", "text"] * (len(steps) // 2)
    assert len(steps) >= 6
    for (_, commands), (_, expected) in zip(steps[::2], steps[1::2]):
        shell.type(commands, expected)


def test_the_bash_client_of_the_protocol_joins_the_bus(team: Team, tmp_path: Path) -> None:
    """Ten lines with nothing but bash and coreutils deliver a message the program lists, reads, traces and answers."""
    ((language, script),) = blocks(section(PROTOCOL, "## A client in ten lines"))
    assert language == "bash"
    assert len(script.splitlines()) == 10
    tools = tmp_path / "coreutils"
    tools.mkdir()
    for name in ("date", "head", "mkdir", "mv", "rmdir", "sleep", "sync", "tr"):
        (tools / name).symlink_to(str(shutil.which(name)))
    env = {"HOME": str(team.root), "PATH": str(tools)}
    subprocess.run([str(shutil.which("bash")), "-c", script], env=env, check=True, timeout=PATIENCE)

    (pending,) = team.json("dev", "inbox")["pending"]
    assert (pending["from"], pending["payload"]) == ("ops", {"question": "Which branch is the release?"})
    assert not list((team.home / "locks").glob("*.lock"))
    assert not list((team.home / "inboxes/dev").glob(".*.tmp"))
    read = team.json("dev", "read")
    assert (read["id"], read["archived"]) == (pending["id"], True)
    answer = team.json("dev", "reply", pending["id"], "response", "--summary", "main")
    assert team.json("ops", "trace", pending["id"])["state"] == "replied"
    assert team.json("ops", "read")["id"] == answer["id"]
    assert team.run("ops", "doctor", "--repair").returncode == 0
    entries = team.json("ops", "thread", pending["thread_id"])["messages"]
    assert {entry["id"] for entry in entries} == {pending["id"], answer["id"]}


def test_the_bash_client_gives_up_on_a_lock_that_stays(team: Team) -> None:
    """The bash client leaves a lock alone that somebody else holds, and sends nothing."""
    ((_, script),) = blocks(section(PROTOCOL, "## A client in ten lines"))
    held = team.home / "locks/dev.lock"
    held.mkdir()
    quick = script.replace("sleep 0.1", "true")
    done = subprocess.run(["bash", "-c", quick], env=team.env, check=False, timeout=PATIENCE)
    assert done.returncode == errors.LockBusy.status
    assert held.is_dir()
    assert team.json("ops", "bus")["agents"][0]["pending"] == 0


def test_the_hook_prints_what_the_protocol_shows(team: Team) -> None:
    """The JSON of `hook SessionStart` has the form of the example in docs/protocol.md."""
    ((language, example),) = blocks(section(PROTOCOL, "## Hooks"))
    assert language == "json"
    shown = json.loads(example)["hookSpecificOutput"]
    done = team.run("dev", "hook", "SessionStart", stdin=json.dumps({"session_id": "s-1"}))
    printed = json.loads(done.stdout)["hookSpecificOutput"]
    assert printed.keys() == shown.keys()
    assert printed["hookEventName"] == shown["hookEventName"]
    assert printed["additionalContext"].startswith(shown["additionalContext"].removesuffix("…"))


def test_denials_of_the_readme_are_a_valid_map(team: Team) -> None:
    """The denials shown in the README, put into a map, refuse what they say they refuse, with the reason."""
    (example,) = [content for language, content in blocks(section(README, "## Concepts")) if language == "json"]
    team.join("growth")
    team.join("secure")
    team.map(**json.loads("{" + example + "}"))
    error = team.refused(2, "routing-denied", "growth", "send", "secure", "question", "--field", "question=x")
    assert "client data stays inside" in error["message"]
    assert "client data stays inside" in team.run("ops", "bus").stdout


# ---- Links --------------------------------------------------------------------------------------


def anchors(page: str) -> set[str]:
    """The anchors a page's headings get."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Each relative link of a page leads to an existing file, and its anchor to a heading there."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", prose(text)):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = ROOT / os.path.normpath(os.path.join(os.path.dirname(page), name)) if name else ROOT / page
        assert target.exists(), f"{page} links to {link}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{page} links to {link}"


def test_paths_in_the_page_for_developers_exist() -> None:
    """Each file and folder AGENTS.md names is there."""
    text = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
    roots = (ROOT, ROOT / "scripts/agent_team_os")
    for code in codes(prose(text)):
        if re.fullmatch(r"[\w./-]+(/|\.py|\.md|\.json|\.toml)", code):
            assert any((root / code).exists() for root in roots), f"AGENTS.md names {code}"
