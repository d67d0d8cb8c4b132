"""The harness, and what the project takes for granted of the real client; each with a small plugin of its own.

When the pinned version of the client moves, this file says what moved with it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import pytest

from support import client
from support.client import NoClient, Room, until
from support.model import Model, Turn, bash

# What the client does, not what this program does: asked again when the pinned version moves.
pytestmark = pytest.mark.full

# Writes down what a hook is given, and prints what it is told to print.
RECORD = """\
import json, os, subprocess, sys
parent = os.getppid()
above = subprocess.run(["ps", "-o", "ppid=", "-p", str(parent)], stdout=subprocess.PIPE).stdout
seen = {"input": json.load(sys.stdin), "env": dict(os.environ), "parents": [parent, int(above)]}
with open(os.environ["HOME"] + "/seen.jsonl", "a") as log:
    log.write(json.dumps(seen) + "\\n")
if seen["input"]["hook_event_name"] == "SessionStart":
    with open(os.environ["CLAUDE_ENV_FILE"], "a") as exports:
        exports.write("export SESSION_OF='ops in web'\\n")
print(sys.argv[1])
"""
COMMAND = """\
---
name: greet
description: Greet somebody
argument-hint: "[who]"
allowed-tools: Bash("${CLAUDE_PLUGIN_ROOT}/scripts/ato":*)
---
Greet $ARGUMENTS, first $0, from ${CLAUDE_PLUGIN_ROOT}.
"""
ALWAYS = {"session_id", "transcript_path", "cwd", "hook_event_name"}
PROMPT = ALWAYS | {"prompt_id", "permission_mode"}
TOOL = PROMPT | {"effort", "tool_name", "tool_input", "tool_use_id"}
FIELDS = {
    "SessionStart": ALWAYS | {"source"},
    "UserPromptSubmit": PROMPT | {"prompt"},
    "UserPromptExpansion": PROMPT | {"prompt", "expansion_type", "command_name", "command_args", "command_source"},
    "PreToolUse": TOOL,
    "PostToolUse": TOOL | {"tool_response", "duration_ms"},
    "Stop": PROMPT | {"effort", "stop_hook_active", "last_assistant_message", "background_tasks", "session_crons"},
    "SessionEnd": ALWAYS | {"prompt_id", "reason"},
}


def context(event: str, text: str, **more: Any) -> dict[str, Any]:
    """What a hook prints to tell the model something."""
    return {"hookSpecificOutput": {"hookEventName": event, "additionalContext": text, **more}}


def plugin(
    room: Room, hooks: Mapping[str, Optional[dict[str, Any]]], *, shell: bool = False, matcher: str = "", only: str = ""
) -> Path:
    """A plugin "tool" with the command `greet`, a helper, and hooks that record and print the document given.

    The hooks run without a shell, or by one; for tools that `matcher` names, `only` where its rule holds.
    """
    rule = {"if": only} if only else {}
    entries = {event: [{"matcher": matcher, "hooks": [_hook(out, shell) | rule]}] for event, out in hooks.items()}
    folder = room.project("plugins/tool")
    for path, text in {
        ".claude-plugin/plugin.json": json.dumps(
            {"name": "tool", "version": "1.0.0", "description": "A tool", "author": {"name": "me"}}
        ),
        ".claude-plugin/marketplace.json": json.dumps(
            {"name": "market", "owner": {"name": "me"}, "plugins": [{"name": "tool", "source": "./"}]}
        ),
        "hooks/hooks.json": json.dumps({"hooks": entries}),
        "hooks/launch": 'exec python3 "$(dirname "$0")/record.py" "$1"\n',
        "hooks/record.py": RECORD,
        "commands/greet.md": COMMAND,
        "scripts/ato": '#!/bin/sh\necho "helper ran: $*"\n',
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "scripts/ato").chmod(0o755)
    return folder


def _hook(out: Optional[dict[str, Any]], shell: bool) -> dict[str, Any]:
    printed = json.dumps(out) if out else ""
    if shell:
        return {"type": "command", "command": f"sh \"${{CLAUDE_PLUGIN_ROOT}}/hooks/launch\" '{printed}'"}
    return {"type": "command", "command": "sh", "args": ["${CLAUDE_PLUGIN_ROOT}/hooks/launch", printed]}


def seen(room: Room, event: str = "") -> list[dict[str, Any]]:
    """What the hooks of an event, or all hooks, have recorded so far, in order."""
    log = room.home / "seen.jsonl"
    records = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return [record for record in records if event in ("", record["input"]["hook_event_name"])]


def alive(pid: int) -> bool:
    """Whether a process is there, and not merely waiting to be counted as dead."""
    asked = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, check=False)
    return asked.stdout[:1] not in (b"", b"Z")


# ---- The harness itself -------------------------------------------------------------------------


def test_a_prompt_reaches_the_model_and_the_answer_comes_back(room: Room, model: Model) -> None:
    """A headless run sends its prompt to the scripted model and to nobody else, and prints what the model says."""
    model.say("A scripted answer.")
    answer = room.headless("What is new?", room.project("web"))
    assert (answer.status, answer.text) == (0, "A scripted answer.")
    (request,) = model.asked()
    assert "What is new?" in request.newest
    assert request.session == answer.session
    assert model.others == []


def test_each_key_has_its_own_queue(room: Room, model: Model) -> None:
    """Two sessions with different keys are scripted apart."""
    model.say("for dev", key="dev")
    model.say("for ops", key="ops")
    for key in ("ops", "dev"):
        assert room.headless("Hello", room.project(key), ANTHROPIC_API_KEY=key).text == f"for {key}"
        assert len(model.asked(key)) == 1


def test_a_rule_goes_before_the_queue(room: Room, model: Model) -> None:
    """A rule answers the prompts it is about, as often as it says, and takes nothing from the queue."""
    model.say("from the queue")
    model.when("my draft", "from the rule", times=1)
    asked = [room.headless("Please read my draft", room.project("web")).text for _ in range(2)]
    assert asked == ["from the rule", "from the queue"]


def test_closing_a_room_ends_everything_in_it(room: Room, model: Model) -> None:
    """The client, the commands it runs and the terminal's server are gone once the room is closed."""
    web = room.project("web")
    model.say(bash("echo $$ > pid; echo x > ready; tail -f /dev/null"))
    terminal = room.terminal(web, "--allowedTools", "Bash")
    terminal.submit("Run it")
    terminal.wait((web / "ready").exists, "the command")
    command = int((web / "pid").read_text())
    assert alive(terminal.pid)
    assert alive(command)
    room.close()
    assert not alive(terminal.pid)
    until(lambda: not alive(command), lambda: "the end of the command")


def test_an_export_has_the_project_and_no_caches(exported: Path) -> None:
    """What a person gets has the program and what is not committed yet, but nothing that git ignores."""
    assert (exported / "scripts/agent_team_os/__main__.py").is_file()
    assert not {".git", ".cache", ".venv"} & {path.name for path in exported.iterdir()}
    assert list(exported.rglob("__pycache__")) == []


def test_two_at_once_fetch_the_client_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that install at the same time one calls npm, the other waits, and both get the same program."""
    (tmp_path / "npm").write_text(
        '#!/bin/sh\necho called >>"$0.calls"\nbin=$3/node_modules/.bin\nmkdir -p "$bin"\n'
        f'printf \'#!/bin/sh\\necho {client.VERSION}\\n\' >"$bin/claude"\nchmod +x "$bin/claude"\n'
    )
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    programs: list[Path] = []
    callers = [threading.Thread(target=lambda: programs.append(client.install(tmp_path / "cache"))) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert programs == [tmp_path / f"cache/claude-{client.VERSION}/node_modules/.bin/claude"] * 2
    assert (tmp_path / "npm.calls").read_text() == "called\n"


def test_without_npm_there_is_no_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where npm is missing, installing says so and leaves no half of a client."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoClient, match="npm"):
        client.install(tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["claude.lock"]


# ---- What hooks are given, and what they can say ------------------------------------------------


def test_each_event_gets_these_fields(room: Room, model: Model) -> None:
    """The document on a hook's stdin has exactly these keys, and Stop follows the turn's last answer."""
    tool = plugin(room, dict.fromkeys(FIELDS))
    model.say(bash("true"), "Done.")
    room.headless("/greet dev", room.project("web"), "--plugin-dir", str(tool), "--allowedTools", "Bash")
    given = [record["input"] for record in seen(room)]
    assert {each["hook_event_name"]: set(each) for each in given} == FIELDS
    assert [each["hook_event_name"] for each in given] == list(FIELDS)
    assert given[0]["source"] == "startup"
    assert (given[5]["stop_hook_active"], given[5]["last_assistant_message"]) == (False, "Done.")


def test_the_environment_of_a_hook(room: Room, model: Model) -> None:
    """A hook knows the plugin's folder and a place for its data, the project, the session, and how the client runs."""
    tool, web = plugin(room, {"SessionStart": None}), room.project("web")
    answer = room.headless("Hello", web, "--plugin-dir", str(tool))
    env = seen(room)[0]["env"]
    assert env["CLAUDE_PLUGIN_ROOT"] == str(tool)
    assert env["CLAUDE_PLUGIN_DATA"] == str(room.home / ".claude/plugins/data/tool-inline")
    assert env["CLAUDE_PROJECT_DIR"] == str(web)
    assert env["CLAUDE_CODE_SESSION_ID"] == answer.session == model.asked()[0].session
    assert (env["CLAUDE_CODE_ENTRYPOINT"], env["CLAUDE_CODE_SESSION_ATTENDED"]) == ("sdk-cli", "0")


@pytest.mark.parametrize("shell", [False, True], ids=["exec", "shell"])
def test_a_hook_knows_the_process_that_lives_as_long_as_the_session(room: Room, model: Model, shell: bool) -> None:
    """CLAUDE_PID is the client, which is the parent of a hook in exec form and at most a shell away in shell form."""
    tool = plugin(room, {"SessionStart": context("SessionStart", "it is me")}, shell=shell)
    terminal = room.terminal(room.project("web"), "--plugin-dir", str(tool))
    terminal.submit("Hello")
    assert "it is me" in model.wait_for("Hello").newest
    (start,) = seen(room)
    assert start["env"]["CLAUDE_PID"] == str(terminal.pid)
    assert terminal.pid in (start["parents"] if shell else start["parents"][:1])
    assert (start["env"]["CLAUDE_CODE_ENTRYPOINT"], start["env"]["CLAUDE_CODE_SESSION_ATTENDED"]) == ("cli", "1")
    assert set(start["input"]) == FIELDS["SessionStart"] | {"model"}


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit", "PostToolUse"])
def test_additional_context_reaches_the_model(room: Room, model: Model, event: str) -> None:
    """What these hooks add stands beside the prompt or the tool's result, once."""
    tool = plugin(room, {event: context(event, "mail from dev")})
    model.say(bash("echo ran"))
    room.headless("Hello", room.project("web"), "--plugin-dir", str(tool), "--allowedTools", "Bash")
    first, second = model.asked()
    where = second if event == "PostToolUse" else first
    assert where.newest.count("hook additional context: mail from dev") == 1
    assert len(seen(room)) == 1


def test_plain_text_of_a_hook_reaches_the_model_too(room: Room, model: Model) -> None:
    """What is no JSON, as a document cut short, is told to the model, so a hook must print a whole one or nothing."""
    tool = plugin(room, {"UserPromptSubmit": None})
    (tool / "hooks/launch").write_text("printf '{\"half'\n")
    room.headless("Hello", room.project("web"), "--plugin-dir", str(tool))
    assert 'UserPromptSubmit hook success: {"half' in model.asked()[0].newest


def test_exports_of_session_start_reach_later_commands(room: Room, model: Model) -> None:
    """What SessionStart appends to CLAUDE_ENV_FILE is in the environment of the model's commands."""
    tool = plugin(room, {"SessionStart": None})
    model.say(bash('echo "session=$SESSION_OF root=$CLAUDE_PLUGIN_ROOT"'))
    room.headless("Hello", room.project("web"), "--plugin-dir", str(tool), "--allowedTools", "Bash")
    assert "session=ops in web root=\n" in model.asked()[1].newest + "\n"


def test_hooks_of_a_subagent_carry_its_id(room: Room, model: Model) -> None:
    """Only what happens inside a subagent has an agent_id."""
    tool = plugin(room, {"PreToolUse": None})
    task = {"description": "look", "prompt": "LOOK AROUND", "subagent_type": "general-purpose"}
    model.when(lambda request: "LOOK AROUND" in request.newest and "Delegate" not in request.text, bash("true"), 1)
    model.say(Turn(tools=(("Agent", task),)))
    room.headless("Delegate", room.project("web"), "--plugin-dir", str(tool), "--allowedTools", "Bash", "Agent")
    tools = {record["input"]["tool_name"]: "agent_id" in record["input"] for record in seen(room)}
    assert tools == {"Agent": False, "Bash": True}


def test_a_finished_subagent_looks_like_a_prompt(room: Room, model: Model) -> None:
    """UserPromptSubmit also fires for the client's own notice of a task that ended, with nobody having typed."""
    tool = plugin(room, {"UserPromptSubmit": None})
    task = {"description": "look", "prompt": "LOOK AROUND", "subagent_type": "general-purpose"}
    model.say(Turn(tools=(("Agent", task),)))
    room.headless("Delegate", room.project("web"), "--plugin-dir", str(tool), "--allowedTools", "Agent")
    first, second = [record["input"]["prompt"] for record in seen(room)]
    assert first == "Delegate"
    assert second.startswith("<task-notification>")
    assert any("<task-notification>" in request.newest for request in model.asked())


# ---- Slash commands -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["greet", "tool:greet"])
def test_a_command_expands_under_both_its_names(room: Room, model: Model, name: str) -> None:
    """The expansion hook gets the arguments as typed, and what it adds reaches the model beside the command's text."""
    raw = 'dev; echo $(id) `x` "y'
    tool = plugin(room, {"UserPromptExpansion": context("UserPromptExpansion", "mail from dev")})
    room.headless(f"/{name} {raw}", room.project("web"), "--plugin-dir", str(tool))
    (expansion,) = [record["input"] for record in seen(room)]
    assert expansion["prompt"] == f"/tool:greet {raw}"
    assert expansion["command_name"] == "tool:greet"
    assert expansion["command_args"] == raw
    assert (expansion["expansion_type"], expansion["command_source"]) == ("slash_command", "plugin")
    newest = model.asked()[0].newest
    assert f"Greet {raw}, first dev" in newest
    assert "UserPromptExpansion hook additional context: mail from dev" in newest


def test_a_command_that_the_model_invokes_does_not_expand(room: Room, model: Model) -> None:
    """The model gets the command's text without any hook having added to it."""
    tool = plugin(room, {"UserPromptExpansion": context("UserPromptExpansion", "mail from dev")})
    model.say(Turn(tools=(("Skill", {"skill": "tool:greet", "args": "dev"}),)))
    room.headless("Greet dev", room.project("web"), "--plugin-dir", str(tool), "--allowedTools", "Skill")
    assert "Greet dev, first dev" in model.asked()[1].newest
    assert seen(room) == []


def test_the_text_of_a_command_names_the_plugin_folder(room: Room, model: Model) -> None:
    """The plugin's folder is put into the text and into allowed-tools, so the helper runs without a question."""
    tool = plugin(room, {})
    model.say(bash(f"\"{tool}/scripts/ato\" send --field 'a=b c'"), "Sent.")
    terminal = room.terminal(room.project("web"), "--plugin-dir", str(tool))
    terminal.submit("/greet dev")
    assert f"from {tool}." in model.wait_for("Greet dev").newest
    assert "helper ran: send --field a=b c" in model.wait_for("helper ran").newest
    terminal.wait_for("● Sent.")


# ---- Permissions --------------------------------------------------------------------------------


ALLOW = {"PreToolUse": {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "allow"}}}
OURS = "Bash(*scripts/ato*)"


def test_a_hook_lets_the_helper_pass_without_a_question(room: Room, model: Model) -> None:
    """A command the PreToolUse hook allows runs at once, even with what else makes the client ask."""
    tool = plugin(room, ALLOW, matcher="Bash", only=OURS)
    command = f'"{tool}/scripts/ato" send dev --body - <<\'END\'\nsummary: {{"a": `b` $(c)}}\nEND'
    model.say(bash(command), "Sent.")
    terminal = room.terminal(room.project("web"), "--plugin-dir", str(tool))
    terminal.submit("Tell dev")
    assert "helper ran: send dev --body -" in model.wait_for("helper ran").newest
    terminal.wait_for("● Sent.")
    assert [record["input"]["tool_input"]["command"] for record in seen(room)] == [command]


def test_any_other_command_asks(room: Room, model: Model) -> None:
    """A command that does not name the helper never reaches the hook; the person is asked, and can refuse."""
    tool, web = plugin(room, ALLOW, matcher="Bash", only=OURS), room.project("web")
    model.say(bash("touch evil"))
    terminal = room.terminal(web, "--plugin-dir", str(tool))
    terminal.submit("Touch it")
    assert "touch evil" in terminal.wait_for("Do you want to proceed?")
    terminal.key("Escape")
    terminal.wait_for("Interrupted")
    assert not (web / "evil").exists()
    assert seen(room) == []
    assert len(model.asked()) == 1


# ---- Stop ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cap", "blocks"), [("", 8), ("2", 2)], ids=["default", "set"])
def test_the_client_ignores_a_block_beyond_its_cap(room: Room, model: Model, cap: str, blocks: int) -> None:
    """Each block's reason reaches the model, until the ninth in a row, or one more than the variable says."""
    tool = plugin(room, {"Stop": {"decision": "block", "reason": "one letter is unhandled"}})
    env = {"CLAUDE_CODE_STOP_HOOK_BLOCK_CAP": cap} if cap else {}
    assert room.headless("Hello", room.project("web"), "--plugin-dir", str(tool), **env).status == 0
    first, *blocked = model.asked()
    assert "unhandled" not in first.text
    assert len(blocked) == blocks
    assert all("Stop hook feedback:\none letter is unhandled" in request.newest for request in blocked)
    assert [record["input"]["stop_hook_active"] for record in seen(room)] == [False] + [True] * blocks


# ---- The terminal -------------------------------------------------------------------------------


def test_a_prompt_and_its_answer_are_on_the_screen(room: Room, model: Model) -> None:
    """What is typed goes to the model, the answer appears, and /exit ends the client."""
    tool = plugin(room, {"SessionEnd": None})
    model.say("A scripted answer.")
    terminal = room.terminal(room.project("web"), "--plugin-dir", str(tool))
    terminal.submit("What is new; and what is not;")
    assert "❯ What is new; and what is not;" in terminal.wait_for("● A scripted answer.")
    assert "What is new; and what is not;" in model.asked()[0].newest
    terminal.submit("/exit")
    terminal.wait_end()
    assert [record["input"]["reason"] for record in seen(room)] == ["prompt_input_exit"]


def test_escape_ends_a_turn_without_a_stop(room: Room, model: Model) -> None:
    """Esc interrupts, gives the prompt back, and fires no Stop hook; the next turn's Stop is the first."""
    tool = plugin(room, {"Stop": None})
    model.when("Be slow", Turn("Never.", delay=60))
    terminal = room.terminal(room.project("web"), "--plugin-dir", str(tool))
    terminal.submit("Be slow")
    model.wait_for("Be slow")
    terminal.wait_for("esc to interrupt")
    terminal.key("Escape")
    terminal.wait_for(re.compile(r"─\n❯\sBe slow"))
    terminal.key("C-u")
    terminal.submit("Be quick")
    terminal.wait_for("● OK.")
    terminal.wait(lambda: bool(seen(room)), "the Stop hook")
    assert [record["input"]["last_assistant_message"] for record in seen(room)] == ["OK."]
    assert "Be slow" not in model.asked()[1].text


def test_clear_starts_a_new_session_in_the_same_process(room: Room, model: Model) -> None:
    """/clear ends one session and starts another with a new id, in one process, with nothing of the old told."""
    tool = plugin(room, {"SessionStart": context("SessionStart", "you are ops"), "SessionEnd": None})
    terminal = room.terminal(room.project("web"), "--plugin-dir", str(tool))
    terminal.submit("First letter")
    terminal.wait_for("● OK.")
    terminal.submit("/clear")
    terminal.wait(lambda: len(seen(room)) == 3, "the hooks of /clear")
    terminal.submit("Second letter")
    newest = model.wait_for("Second letter")
    assert newest.text.count("you are ops") == 1
    assert "First letter" not in newest.text
    start, end, again = seen(room)
    assert (end["input"]["reason"], again["input"]["source"]) == ("clear", "clear")
    assert start["input"]["session_id"] == end["input"]["session_id"] != again["input"]["session_id"]
    assert start["env"]["CLAUDE_PID"] == again["env"]["CLAUDE_PID"] == str(terminal.pid)
    assert newest.session == again["input"]["session_id"]


def test_compacting_keeps_the_session(room: Room, model: Model) -> None:
    """/compact fires SessionStart in the same session, so that what it told can be told again."""
    tool = plugin(room, {"SessionStart": context("SessionStart", "you are ops"), "SubagentStop": None})
    terminal = room.terminal(room.project("web"), "--plugin-dir", str(tool))
    terminal.submit("First letter")
    terminal.wait_for("● OK.")
    terminal.submit("/compact")
    terminal.wait(lambda: len(seen(room, "SessionStart")) == 2, "the hook of /compact")
    terminal.wait_for("Compacted")
    terminal.submit("Second letter")
    assert model.wait_for("Second letter").text.count("you are ops") == 1
    start, again = seen(room, "SessionStart")
    assert again["input"]["source"] == "compact"
    assert start["input"]["session_id"] == again["input"]["session_id"]
    assert {record["input"]["agent_type"] for record in seen(room, "SubagentStop")} == {""}


def test_resuming_keeps_the_session(room: Room, model: Model) -> None:
    """A resumed session has its id and its conversation; what the hook says again word for word is told once."""
    tool, web = plugin(room, {"SessionStart": context("SessionStart", "you are ops")}), room.project("web")
    first = room.headless("First letter", web, "--plugin-dir", str(tool))
    second = room.headless("Second letter", web, "--plugin-dir", str(tool), "--resume", first.session)
    assert first.session == second.session
    assert [record["input"]["source"] for record in seen(room)] == ["startup", "resume"]
    assert "First letter" in model.asked()[1].text
    assert model.asked()[1].text.count("you are ops") == 1


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit"])
def test_a_hook_gives_the_session_its_title(room: Room, model: Model, event: str) -> None:
    """sessionTitle stands above the prompt and in the terminal's title."""
    tool = plugin(room, {event: context(event, "you are ops", sessionTitle="ops in web")})
    terminal = room.terminal(room.project("web"), "--plugin-dir", str(tool))
    terminal.submit("Hello")
    terminal.wait_for("─ ops in web ─")
    terminal.wait(lambda: terminal.title.endswith("ops in web"), "the title")
    assert "you are ops" in model.wait_for("Hello").newest


def test_a_hook_knows_the_title_the_person_gave(room: Room, model: Model) -> None:
    """A hook that would set a title can see that the session has one."""
    tool = plugin(room, {"SessionStart": context("SessionStart", "you are ops")})
    room.headless("Hello", room.project("web"), "--plugin-dir", str(tool), "--name", "mine")
    assert seen(room)[0]["input"]["session_title"] == "mine"
    assert "you are ops" in model.asked()[0].newest


# ---- Plugins that are installed -----------------------------------------------------------------


def installed(room: Room) -> list[dict[str, Any]]:
    """What `claude plugin list` knows."""
    found: list[dict[str, Any]] = json.loads(room.plugin("list", "--json").stdout)
    return found


@pytest.mark.parametrize("source", ["folder", "github"])
def test_an_installed_plugin_works_until_it_is_uninstalled(room: Room, model: Model, source: str) -> None:
    """From a folder the plugin is used in place; from GitHub it is used from the client's own copy of it."""
    tool, web = plugin(room, {"SessionStart": context("SessionStart", "mail from dev")}), room.project("web")
    if source == "github":
        room.publish(tool, "me/tool")
        shutil.rmtree(tool)
    assert room.plugin("marketplace", "add", "me/tool" if source == "github" else str(tool)).returncode == 0
    assert room.plugin("install", "tool@market").returncode == 0
    (entry,) = installed(room)
    room.headless("Hello", web)
    assert "mail from dev" in model.asked()[0].newest
    root = entry["installPath"] if source == "github" else str(tool)
    assert seen(room)[0]["env"]["CLAUDE_PLUGIN_ROOT"] == root
    assert room.plugin("uninstall", "tool@market").returncode == 0
    assert installed(room) == []
    room.headless("Hello", web)
    assert "mail from dev" not in model.asked()[1].newest


def test_validate_refuses_a_plugin_without_a_name(room: Room) -> None:
    """`claude plugin validate --strict` passes the plugin of these tests, and not once its name is taken away."""
    tool = plugin(room, {})
    manifest = tool / ".claude-plugin/plugin.json"
    assert room.plugin("validate", str(manifest), "--strict").returncode == 0
    manifest.write_text('{"version": "1.0.0"}')
    assert room.plugin("validate", str(manifest), "--strict").returncode == 1
