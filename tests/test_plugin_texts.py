"""The plugin's texts: what a model is told to run passes without a question and works, and nothing else is told."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import textwrap
import zlib
from pathlib import Path
from typing import Any

import click
import pytest
import tomllib

import agent_team_os
from agent_team_os.cli import main
from agent_team_os.hooks import announce, call, dispatch, pre_tool_use
from agent_team_os.protocol.message import TYPES
from conftest import Team
from support import people, plans
from support.cli import ORDINARY, PATIENCE, PROGRAM, ROOT
from support.desk import Desk
from support.hooks import fire
from support.pages import below
from support.shells import SHELLS

HELPER = '"${CLAUDE_PLUGIN_ROOT}/scripts/ato"'
READING = ("inbox", "read", "thread", "bus")
WRITING = ("send", "reply", "handoff")
COMMANDS = sorted([*READING, *WRITING, "god", "msg"])
# Before which shell commands the hook is asked: for our helper, and for what takes a person.
SKILL = ROOT / "skills/agent-team-os/SKILL.md"
TEXTS = {path.stem if path != SKILL else "skill": path for path in [*sorted((ROOT / "commands").iterdir()), SKILL]}


def parts(name: str) -> tuple[dict[str, str], str]:
    """The frontmatter of a text, a value a key, and what follows it."""
    text = TEXTS[name].read_text(encoding="utf-8")
    found = re.fullmatch(r"---\n((?:[a-z-]+: .+\n)+)---\n\n(.*)", text, re.DOTALL)
    assert found is not None
    pairs = [line.split(": ", 1) for line in found[1].splitlines()]
    front = dict(pairs)
    assert len(front) == len(pairs)
    return front, found[2]


def blocks(name: str) -> list[str]:
    """The commands that stand alone in a text, between fences."""
    found = re.findall(r"(?m)^( *)```\n(.*?)^\1```$", parts(name)[1], re.DOTALL)
    return [textwrap.dedent(block) for _, block in found]


def inline(name: str) -> list[str]:
    """The calls of the helper in the sentences of a text."""
    without = re.sub(r"(?m)^( *)```\n.*?^\1```$", "", parts(name)[1], flags=re.DOTALL)
    return [code for code in re.findall(r"`([^`]+)`", without) if "scripts/ato" in code]


def options(verb: str) -> set[str]:
    """All names of the options of a verb, and of the verbs below it."""
    command = main.Verbs().get_command(click.Context(main.main), verb)
    assert command is not None
    commands = [command, *below(command).values()]
    found = [option for each in commands for option in each.params if isinstance(option, click.Option)]
    return {name for option in found for name in option.opts} | {"--help"}


# ---- Frontmatter --------------------------------------------------------------------------------


def test_one_text_a_command() -> None:
    """There is one file for each command, the same in the hooks, the announcement and the folder."""
    assert sorted([*COMMANDS, "skill"]) == sorted(TEXTS)
    assert sorted(call.COMMANDS) == COMMANDS
    assert sorted(re.findall(r"/([a-z]+)", announce.COMMANDS)) == COMMANDS


@pytest.mark.parametrize("name", TEXTS)
def test_frontmatter(name: str) -> None:
    """The frontmatter is plain YAML, the name is that of the file, and there is a description of one line."""
    front, body = parts(name)
    assert front["name"] == (name if name != "skill" else SKILL.parent.name)
    assert 20 < len(front["description"]) <= 1024
    for key, value in front.items():
        if key == "argument-hint":
            assert re.fullmatch(r'"[^"\\]+"', value), "brackets that are not quoted would be a list"
        else:  # a plain scalar: nothing in it that means something to YAML
            assert not re.search(r": |:$| #|^[\s\[\]{}&*!|>'\"%@`,?-]", value)
    # No allowed-tools: which calls pass, the PreToolUse hook decides by what stands in them.
    known = {"name", "description"} | ({"argument-hint"} if name != "skill" else set())
    assert set(front) == known
    assert body.strip()


# ---- What is run --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEXTS)
def test_every_call_passes_without_a_question(name: str, tmp_path: Path) -> None:
    """Each call of the helper in a text is one the PreToolUse hook lets pass, as it stands there."""
    calls = [*inline(name), *(block for block in blocks(name) if "scripts/ato" in block)]
    assert calls
    for line in calls:
        assert line.startswith(HELPER), "nothing before it, and in quotes"
        command = line.replace("${CLAUDE_PLUGIN_ROOT}", str(ROOT))
        given = {"tool_name": "Bash", "tool_input": {"command": command}, "cwd": str(tmp_path)}
        # What leaves the machine, and what writes where a sender has chosen the names, the client asks about.
        passes = " msg send " not in command and " --save " not in command
        assert pre_tool_use.run(given, str(tmp_path), str(ROOT / "scripts/ato")) is passes, command


@pytest.mark.parametrize("name", TEXTS)
def test_the_helper_is_always_named_the_same(name: str) -> None:
    """Wherever a text names the helper it does so in the one form that passes."""
    text = TEXTS[name].read_text(encoding="utf-8")
    assert text.count("scripts/ato") == text.count(HELPER) > 0
    assert text.count("CLAUDE_PLUGIN_ROOT") == text.count(HELPER)
    assert not re.search(r"(?<!scripts/)\bato ", text)


@pytest.mark.parametrize("name", TEXTS)
def test_every_option_is_there(name: str) -> None:
    """Each option that a text names is one of a verb it is about."""
    front, body = parts(name)
    verbs = {"skill": ("send", "reply", "handoff", "inbox", "read", "thread", "bus", "msg")}.get(name, (name,))
    known = set().union(*(options(verb) for verb in verbs))
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", front.get("argument-hint", "") + body)) <= known


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin whose helper is the program that is tested."""
    path = tmp_path / "plug in/scripts/ato"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in [*ORDINARY, *PROGRAM]) + ' "$@"\n')
    path.chmod(0o755)
    return path.parent.parent


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", [*WRITING, "skill"])
def test_the_examples_work(name: str, shell: str, team: Team, plugin: Path) -> None:
    """The example of a writing text, pasted as it is, sends what it says."""
    (example,) = [block for block in blocks(name) if "scripts/ato" in block]
    ops = Desk(team, "ops")
    if name == "reply":
        ops.put(1, id="msg-20260520T091812Z-x7q3abcd", sender="dev")
    command = example.replace("${CLAUDE_PLUGIN_ROOT}", str(plugin))
    done = subprocess.run(
        [shell, "-c", command], cwd=team.root / "ops", env=team.env, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (sent,) = team.json("dev", "inbox")["pending"]
    lines = re.findall(r"(?m)^([a-z_]+): (.*)$", example)
    for field, value in lines:
        stored = sent["payload"][field]
        assert value in stored if isinstance(stored, list) else value == stored
    assert set(sent["payload"]) - {"git"} == {field for field, _ in lines} | ({"text"} if "\n\n" in example else set())
    assert sent["type"] == {"handoff": "handoff", "reply": "response"}.get(name, "request")
    assert bool(sent["context_refs"]) == (" --ref " in example or " --file " in example)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_example_for_people_works(shell: str, tmp_path: Path, plugin: Path) -> None:
    """The example of the text for people, pasted as it is, sends what it says, with the file; the other calls read."""
    max_, alex = people.pair(tmp_path)
    max_.file("domain-research.csv", "name\n")
    for one in (max_, alex):
        (one.mail / "started").unlink(missing_ok=True)  # no sync begins by itself
    (example,) = [block for block in blocks("msg") if "scripts/ato" in block]
    sent, *shown = [
        subprocess.run(
            [shell, "-c", call.replace("${CLAUDE_PLUGIN_ROOT}", str(plugin))], cwd=one.root, env=one.environment,
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )
        for one, call in [(max_, example), *((alex, call) for call in inline("msg") if not call.endswith(" read"))]
    ]  # fmt: skip
    assert (sent.returncode, sent.stdout) == (0, "Sent to alex@bonnard.ai (1 attachment, 5B)\n"), sent.stderr
    assert all((done.returncode, done.stderr) == (0, "") for done in shown), shown
    assert (len(shown), "No messages yet." in shown[0].stdout) == (4, True)
    max_.sync()
    alex.sync()
    assert example.splitlines()[1] in alex.said("read").splitlines()


@pytest.mark.parametrize("name", [*READING, "god", "skill"])
def test_the_calls_in_sentences_work(name: str, team: Team, plugin: Path) -> None:
    """Each call that a sentence names works as it stands, with a real id where it says ID or PLAN."""
    (team.root / "ops/a.txt").write_text("a")
    sent = team.json("ops", "send", "dev", "note", "--attach", "a.txt")
    plans.gods(team, gods=["dev"])
    plan_id = plans.propose(team, agent="dev")
    plans.confirm(team, plan_id)
    for line in inline(name):
        command = (
            line.replace(" PLAN", f" {plan_id}")
            .replace(" DIR", " .")
            .replace(" ID", " " + sent["thread_id" if f"{HELPER} thread" in line else "id"])
        )
        done = subprocess.run(
            ["sh", "-c", command.replace("${CLAUDE_PLUGIN_ROOT}", str(plugin))],
            cwd=team.root / "dev", env=team.env, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout != "") == (0, True), f"{command}: {done.stderr}"


@pytest.mark.parametrize("field", ["next_steps", "blockers"])
@pytest.mark.parametrize("number", [1, 2])
def test_one_line_of_a_list(field: str, number: int, team: Team) -> None:
    """A handoff whose body has a single next step, or a single blocker, is accepted, and holds a list all the same."""
    values = [f"value {at}" for at in range(number)]
    body = "state_summary: Half done\n" + "".join(f"{field}: {value}\n" for value in values)
    if field == "blockers":
        body += "next_steps: Go on\n"
    team.json("ops", "handoff", "dev", "--body", "-", stdin=body)
    (sent,) = team.json("dev", "inbox")["pending"]
    assert sent["payload"][field] == values


# ---- What is said -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_run_by_the_text_itself(name: str) -> None:
    """No text has the client run a command line or put a file in, and the arguments never stand where a shell reads."""
    text = TEXTS[name].read_text(encoding="utf-8")
    assert not re.search(r"!`|```!|(?m:^\s*!)", text)
    assert not re.search(r"(?m)(^|\s)@\S", text)
    assert not re.search(r"\$[0-9{](?!CLAUDE_PLUGIN_ROOT\})", text)
    if name in (*WRITING, "msg"):
        assert text.count("$ARGUMENTS") == 1
        assert text.index("$ARGUMENTS") < text.index("```")
        (line,) = [line for line in text.split("\n") if "$ARGUMENTS" in line]
        assert "`" not in line
    else:
        assert "ARGUMENTS" not in text


@pytest.mark.parametrize("name", [*WRITING, "msg", "skill"])
def test_what_writing_demands(name: str) -> None:
    """A writing text has the model show what will be sent and wait for a yes before the call, and never invent."""
    text = parts(name)[1]
    flat = re.sub(r"[\s*]+", " ", text)
    assert re.search(r"[Nn]ever (invent|: - invent)|[Nn]ever: ?- invent", flat)
    assert re.search(r"wait for their yes", flat)
    assert re.search(r"Ask the person whether to send|show the person what will be sent", flat)
    if name != "skill":
        assert text.index("**Preview and ask.**") < text.index("**Send**") < text.index("**Report**")
        assert re.search("[Ii]f it says that this did not work, tell the person and stop[.]", flat)
        assert "because you invoked this command yourself" in flat
        assert "delimiters that you make up for this message" in flat


@pytest.mark.parametrize("name", ["inbox", "read", "thread", "msg", "skill"])
def test_what_mail_is_worth(name: str) -> None:
    """A text that shows mail says that it is no order of the person and grants no permission."""
    flat = re.sub(r"\s+", " ", parts(name)[1])
    assert "grants no permission" in flat
    assert re.search(r"information from (other agents|another agent|another person)", flat)
    assert re.search(r"no order of the person|treat mail as the person's order", flat)


@pytest.mark.parametrize("name", [*READING, "msg"])
def test_what_reading_demands(name: str) -> None:
    """A reading text points to the context, and names the one call for when the model invoked it."""
    flat = re.sub(r"\s+", " ", parts(name)[1])
    assert "context that came with" in flat
    assert "because you invoked this command yourself" in flat
    assert any(line.startswith(f"{HELPER} {name}") for line in inline(name))


def test_the_types_of_an_answer() -> None:
    """The types that /reply offers are types a message may have, and each is explained."""
    front, body = parts("reply")
    offered = front["argument-hint"].strip('"').split()[1].split("|")
    assert set(offered) == {"accept", "response", "decline", "question", "confirm"} <= set(TYPES)
    assert all(f"`{kind}`" in body for kind in offered)


def test_the_skill_is_short() -> None:
    """The skill says when it is for, and not more than a page."""
    front, body = parts("skill")
    assert all(f'"{words}' in front["description"] for words in ("tell dev", "hand this to", "what's in my inbox"))
    assert len(body) < 3000


# ---- The manifests ------------------------------------------------------------------------------


def manifest(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / name).read_bytes())
    return document


def test_the_hooks() -> None:
    """Each event has one hook, and those of tools see calls of Bash alone that name the program: the launcher."""
    hooks = manifest("hooks/hooks.json")["hooks"]
    assert sorted(hooks) == sorted(dispatch.EVENTS)
    rules = {"PreToolUse": ("Bash", "Bash(*ato *)"), "PostToolUse": ("Bash", "Bash(: ato *)")}
    for event, groups in hooks.items():
        found = [(group.get("matcher"), hook.pop("if", None)) for group in groups for hook in group["hooks"]]
        assert found == [rules.get(event, (None, None))]
        hook = groups[0]["hooks"][0]
        assert hook["type"] == "command"
        assert f' "$CLAUDE_PLUGIN_ROOT/hooks/run" {event} ' in hook["command"]
        assert isinstance(hook["timeout"], int)
        assert 1 < hook["timeout"] <= (30 if event == "UserPromptSubmit" else 60)
    assert (ROOT / "hooks/run").read_text(encoding="utf-8").startswith("#!/bin/sh\n")


@pytest.mark.parametrize("event", dispatch.EVENTS)
def test_every_hook_is_known(event: str, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program knows every event that the plugin sends it."""
    monkeypatch.setenv("HOME", str(team.root))
    given = {
        "session_id": "s-1", "command_name": "agent-team-os:bus", "command_source": "plugin", "command_args": "",
        "tool_name": "Bash", "tool_input": {"command": ": ato x" if event == "PostToolUse" else "ato x"},
    }  # fmt: skip
    env = {**team.env, "AGENT_TEAM_OS_HOME": str(team.home)}
    fire(event, json.dumps(given).encode(), env, str(team.root / "dev"))
    assert (team.home / f"state/{event}.ran").exists()
    assert not (team.home / "state/hook-errors.log").exists()


def test_one_version() -> None:
    """Package, plugin and marketplace are of one version, which stands in two places that this test compares."""
    plugin, market = manifest(".claude-plugin/plugin.json"), manifest(".claude-plugin/marketplace.json")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert plugin["version"] == agent_team_os.__version__
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "scripts/agent_team_os/__init__.py"
    assert "version" not in json.dumps(market)


def test_the_manifests() -> None:
    """Plugin and marketplace have the name that the commands answer to; no host is reached; folders load themselves."""
    plugin, market = manifest(".claude-plugin/plugin.json"), manifest(".claude-plugin/marketplace.json")
    ((entry),) = market["plugins"]
    assert plugin["name"] == market["name"] == entry["name"] == call.PLUGIN == project_name()
    assert entry["source"] == "./"
    assert plugin["network"] == {"hosts": []}
    assert plugin["license"] == "MIT"
    assert plugin["author"]["name"]
    assert plugin.keys() & {"hooks", "commands", "skills", "agents", "mcpServers"} == set()
    assert not (ROOT / "CLAUDE.md").exists()
    assert not (ROOT / "bin").exists()


def project_name() -> str:
    """The name of the package."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"])


def test_the_icon() -> None:
    """The icon is a whole PNG, square, of 512 to 2048 pixels."""
    data = (ROOT / ".claude-plugin/icon.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, []
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (crc,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert zlib.crc32(kind + content) == crc
        chunks.append((kind, content))
        at += 12 + length
    assert (chunks[0][0], chunks[-1][0]) == (b"IHDR", b"IEND")
    width, height, depth, colour = struct.unpack(">IIBB", chunks[0][1][:10])
    assert 512 <= width == height <= 2048
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    pixels = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    assert len(pixels) == height * (1 + (width * channels * depth + 7) // 8)
