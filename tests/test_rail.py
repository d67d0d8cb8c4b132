"""The rail: in every session a model is denied the shell commands that do what only a person may do, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent_team_os.hooks import rail
from conftest import Team, tree
from support.broken import patience
from support.cli import ROOT
from support.desk import Desk
from support.hooks import fire, hook

PLAN = "plan-20260520-a1b2c3"
DENIED = {
    "calls a hook": [
        f"sh {ROOT}/hooks/run UserPromptExpansion",
        f"sh '{ROOT}/hooks/run' UserPromptExpansion <<< '{{}}'",
        "hooks/run Stop",
        "cat x.json|hooks/run Stop",
        'sh "$CLAUDE_PLUGIN_ROOT/hooks/run" UserPromptExpansion',
        'sh ho"ok"s/r\\un UserPromptExpansion',
        "bash -c 'exec sh ~/p/hooks/run UserPromptExpansion < in.json'",
        "echo x; ato hook UserPromptExpansion < in.json",
        "agent-team-os hook UserPromptExpansion",
        "python -m agent_team_os hook UserPromptExpansion",
        "python3 scripts/agent_team_os/__main__.py hook UserPromptExpansion",
        f'"{ROOT}/scripts/ato" hook UserPromptExpansion',
    ],
    "confirms a plan": [
        f"ato plan confirm {PLAN}",
        f'"{ROOT}/scripts/ato" plan confirm {PLAN}',
        f"ato plan confirm --json {PLAN}",
        f"ato plan  --json \t confirm {PLAN}",
        f"ato 'plan' \"confirm\" {PLAN}",
        f"ato pl\\an con''firm {PLAN}",
        f"ato \\\n plan \\\n  confirm {PLAN}",
        f"echo y | ato plan confirm {PLAN}",
        f"script -qc 'ato plan confirm {PLAN}' /dev/null",
        f"env -i PATH=$PATH ato plan confirm {PLAN}",
        f"env -u CLAUDECODE agent-team-os plan confirm {PLAN}",
        f'python -c \'import pty; pty.spawn(["ato", "plan", "confirm"])\'; ato plan confirm {PLAN}',
        f"cd /tmp && (ato plan confirm {PLAN})",
        f"tmux new-session -d 'ato plan confirm {PLAN}'",
        f"A=ato; $A plan confirm {PLAN}",
        f'"${{ATO}}" plan confirm {PLAN}',
        f"$(command -v ato) plan confirm {PLAN}",
        f"`which ato` plan confirm {PLAN}",
        f"python -m agent_team_os plan confirm {PLAN}",
        f"true\nato plan confirm {PLAN}\n",
        f"bash <<EOF\nato plan confirm {PLAN}\nEOF",
    ],
    "opens sessions": [f"ato plan launch {PLAN}", f"ato plan launch --open {PLAN}", f"scripts/ato plan launch {PLAN}"],
    "lifts a halt": [
        "ato resume",
        "ato resume --json",
        "ato --json resume",
        "agent-team-os resume",
        "echo y|ato resume;true",
        "a'to' res\"ume\"",
        f'"{ROOT}/scripts/ato" resume',
    ],
    "says whose a key is": [
        "ato msg verify alex --yes",
        "ato msg verify alex --fingerprint '0123 4567'",
        "ato msg --json verify alex",
        f'"{ROOT}/scripts/ato" msg verify alex --yes',
        "env -i HOME=$HOME ato msg ver'ify' alex --yes",
        "setsid ato msg verify alex --yes",
        "A=ato; $A msg verify alex",
        "yes | ato msg verify alex",
        "python -m agent_team_os msg verify alex --yes",
        "script -qc 'ato msg verify alex' /dev/null",
        "ato msg list && ato msg verify alex",
    ],
    "hands your user's keys": [
        "ato msg device accept age1x --yes",
        "ato msg device --json accept age1x",
        "ato msg --json device accept age1x",
        f'"{ROOT}/scripts/ato" msg device accept age1x',
        "agent-team-os msg de\\vice accept age1x --yes",
        "`which ato` msg device accept age1x",
        "echo y | ato msg device accept age1x",
    ],
    "types a command": [
        f"claude -p '/god confirm {PLAN}'",
        f"claude -p '/agent-team-os:god confirm {PLAN}'",
        f'claude "/god confirm {PLAN}"',
        "claude -p '/god on'",
        f"/usr/local/bin/claude --print=/god\\ confirm\\ {PLAN}",
        f"npx @anthropic-ai/claude-code -p '/god confirm {PLAN}'",
        f"claude -p <<< '/god confirm {PLAN}'",
        f"echo '/god confirm {PLAN}' | claude -p",
        f"tmux send-keys -t 0 '/god confirm {PLAN}' Enter",
        f"echo '/god confirm {PLAN}' | tmux load-buffer -",
        f"screen -X stuff '/god confirm {PLAN}\n'",
        f"expect -c 'spawn claude; send \"/god confirm {PLAN}\"'",
        f"env -u CLAUDECODE claude '/god confirm {PLAN}'",
        f"tmux new-window 'claude \"/god confirm {PLAN}\"'",
        "claude -p '/bus resume'",
        "tmux send-keys '/bus  resume' Enter",
        "tmux send-keys '/agent-team-os:bus resume' Enter",
    ],
}
HARMLESS = [
    *("", "ls", "git status", "true\n" * 50, "claude --resume", "claude --resume 1a2b3c4d -p 'go on'", "claude -c"),
    *("cat resume.md", "cat ~/resume", "vim resume.tex && ls", "cat ato resume.md", "potato resume", "git hook"),
    *("terraform plan -out=x", "terraform plan && terraform apply", "pulumi plan", "fg; jobs; kill -CONT 5"),
    *("docker pause x", "docker compose up -d", "virsh resume vm", "kubectl rollout resume deploy/web"),
    *("cat src/hooks/run.ts", "sh .git/hooks/run-tests", "npm test -- webhooks/run", "ls hooks/runner", "ls hooks"),
    *("cat scripts/agent_team_os/hooks/god.py", "ruff check scripts/agent_team_os/hooks", "vi src/god.ts"),
    *("cat .claude/plugins/agent-team-os/commands/god.md", "ls ~/.claude/god", "ls /godot", "claude mcp list"),
    *("grep -rn '/godot' ~/.claude", "tmux ls", "tmux send-keys -t 1 'make test' Enter", "cat src/screen/god.ts"),
    *("ato inbox", "ato read", "ato plan show", f"ato plan show {PLAN}", "ato plan propose -", "ato halt now"),
    *(f"ato plan dispatch {PLAN}", "ato god status", "ato god on", "ato plan --help", "ato bus", "ato tasks list"),
    "ato send dev note --summary 'We plan launch for May; please confirm'",
    "ato send dev note --body - <<'EOF'\nsummary: plan confirm\n\nPlease resume the work on the hook.\nEOF",
    "git commit -m 'Plan launch day' && git push",
    *("ato msg list", "ato msg read 3 && ls", "ato msg users; ls", "ato msg setup; ls", "ato msg verified hi; ls"),
    *("ato msg device add --store /srv/mail", "ato msg device --help; ls", "$A msg device add", "ato msg sync; ls"),
    "ato msg send alex 'Please verify, then accept the device'",
    "ato msg alex 'To be sure: ato msg verify max, and msg device accept'",
    "ato msg alex - --attach x.csv <<'EOF'\nPlease call: ato msg verify max\nato msg device accept age1x\nEOF",
    "ato send dev note --summary 'msg verify is a verb' && ls",
    "git commit -m 'Refuse ato msg verify and ato msg device accept in sessions'",
    "grep -rn 'ato msg verify' docs",
    "grep -rn 'plan confirm' docs",
    "echo 'hooks/running is a folder' > notes.txt",
    "claude -p 'Summarise /bus and say what god mode is'",
]  # fmt: skip
ODD: list[Any] = [
    None, 1, [], {}, "", {"tool_name": "Bash"}, {"tool_name": "Bash", "tool_input": None},
    {"tool_name": "Bash", "tool_input": []}, {"tool_name": "Bash", "tool_input": {"command": None}},
    {"tool_name": "Bash", "tool_input": {"command": ["ato", "resume"]}},
    {"tool_name": ["Bash"], "tool_input": {"command": "ato resume"}},
    {"tool_name": "Bash", "tool_input": {"command": "\ud83d\0\x1b[2J"}},
    {"tool_name": "Read", "tool_input": {"command": "ato resume", "file_path": "hooks/run"}},
]  # fmt: skip


def asked(command: str, **more: Any) -> dict[str, Any]:
    """The input of the hook before a shell command."""
    return {"tool_name": "Bash", "tool_input": {"command": command}, "session_id": "s-1", **more}


def decision(answer: dict[str, Any]) -> tuple[str, str]:
    """What the hook has decided and why; both empty for nothing."""
    specific = answer.get("hookSpecificOutput", {})
    return specific.get("permissionDecision", ""), specific.get("permissionDecisionReason", "")


@pytest.mark.parametrize(("what", "command"), [(what, each) for what, all_ in DENIED.items() for each in all_])
def test_denied(what: str, command: str) -> None:
    """Each way to do a person's part through a shell is denied; the model is told what, and how a person does it."""
    why = rail.refusal(asked(command))
    assert f"this command {what}" in why
    assert "\n" not in why
    ways = ("plan confirm", "plan launch", "resume", "msg verify", "msg device accept")
    for way in ("/god confirm", "/bus resume", *(f"ato {verb}" for verb in ways)):
        assert way in why


@pytest.mark.parametrize("command", HARMLESS)
def test_harmless(command: str) -> None:
    """What only looks alike is left to its own permissions."""
    assert rail.refusal(asked(command)) == ""


@pytest.mark.parametrize("mode", ["default", "plan", "acceptEdits", "bypassPermissions", "dontAsk"])
def test_in_every_mode(mode: str, team: Team) -> None:
    """The hook answers deny whatever the permission mode is, and nothing on the disk changes."""
    dev = Desk(team, "dev")
    before = tree(team.root)
    answer = dev.fire("PreToolUse", **asked("ato plan confirm x", permission_mode=mode))
    assert decision(answer)[0] == "deny"
    assert "confirms a plan" in decision(answer)[1]
    assert tree(team.root) == before


def test_wherever_there_is_a_bus(team: Team) -> None:
    """It holds in subagents, in folders of nobody's, and with a map that is broken; and not where there is no bus."""
    (team.root / "other").mkdir()
    assert decision(Desk(team, "dev").fire("PreToolUse", **asked("ato resume", agent_id="a-1")))[0] == "deny"
    assert decision(Desk(team, "other").fire("PreToolUse", **asked("ato resume")))[0] == "deny"
    assert decision(hook(team.env, team.root / "other", "PreToolUse", asked("ato resume")))[0] == "deny"
    (team.home / "AGENT_MAP.json").write_text("{")
    assert decision(Desk(team, "dev").fire("PreToolUse", **asked("ato resume")))[0] == "deny"
    nobody = Desk(team, "dev", AGENT_TEAM_OS_HOME=str(team.root / "none"))
    assert nobody.fire("PreToolUse", **asked("ato resume")) == {}
    assert not (team.root / "none").exists()


def test_the_helper_is_not_let_pass(team: Team) -> None:
    """A command that names our helper is denied or allowed, never both: a person's part is denied."""
    dev = Desk(team, "dev")
    helper = f'"{ROOT}/scripts/ato"'
    assert decision(dev.fire("PreToolUse", **asked(f"{helper} inbox"))) == ("allow", "")
    persons = ("resume", f"plan confirm {PLAN}", f"plan launch {PLAN}", "msg verify alex", "msg device accept age1x")
    for words in (*persons, "hook Stop"):
        assert decision(dev.fire("PreToolUse", **asked(f"{helper} {words}")))[0] == "deny"


def test_odd_input(team: Team) -> None:
    """Input of any other form is no reason to fall over, nor to deny."""
    for given in ODD:
        printed = fire("PreToolUse", json.dumps(given).encode(), team.env, str(team.root / "dev"))
        assert printed is None, given
    log = team.home / "state/hook-errors.log"
    assert not log.exists() or "rail" not in log.read_text()


@pytest.mark.parametrize(
    "words",
    [
        "ato -x ",
        "tmux ",
        "plan -plan ",
        "/god ",
        "$a ",
        "'\\\n",
        "ato plan -a ",
        "ato msg device -a ",
        "a" * 9,
        "$",
        "$(",
        "claude /gods ",
        "hooks/run.",
    ],
)
def test_a_command_without_end(words: str) -> None:
    """However long and repetitive a command is, it is looked at in time."""
    with patience():
        rail.refusal(asked(words * 150_000))


@pytest.mark.parametrize(
    "command",
    [
        f'ato send max question -f question="Please run: ato plan confirm {PLAN}"',
        "ato plan propose - <<'E'\nato resume\nhooks/run\nE\n",
        f'"{ROOT}/scripts/ato" reply x7q3 response -s "type /god confirm {PLAN} in claude"',
        'git commit -m "Mend the ato hook timeout"',
        "vim .git/hooks/run",
        "grep -rn 'ato plan confirm' docs",
        "ato plan show launch",
        "ato plan dispatch confirm",
    ],
)
def test_words_that_nobody_runs(command: str) -> None:
    """One plain command that reads, or writes a letter, may name all of it."""
    assert rail.refusal({"tool_name": "Bash", "tool_input": {"command": command}}) == ""


@pytest.mark.parametrize(
    "command",
    ["ato send x note -s y; ato resume", "cat x | ato resume", "ato inbox && ato plan confirm x", "$A resume"],
)
def test_what_stands_beside_them(command: str) -> None:
    """And so it is denied as soon as anything else stands beside it."""
    assert rail.refusal({"tool_name": "Bash", "tool_input": {"command": command}}) != ""
