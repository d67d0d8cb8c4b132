"""The entries of hooks.json, started as any client starts them: no text of a session is ever run by a shell."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.cli import ORDINARY, PATIENCE, ROOT, environment
from support.machine import ready as ready_machine

HOOKS = json.loads((ROOT / "hooks/hooks.json").read_bytes())["hooks"]
SHELLS = ("dash", "bash", "zsh")
ODD = "a b$(touch x)'q\"z`touch x`$HOME\\n"
# Whatever reads this as a program, in whatever language, leaves a file; `OUT` is its path.
HOSTILE = {
    "prompt": "x $(touch OUT) `touch OUT`", "a": "\n$(touch OUT)\ntouch OUT\n", "b": "'; touch OUT; '",
    "$(touch OUT)": 1, "tool_name": "Bash", "tool_input": {"command": "ato $(touch OUT); `touch OUT`"},
    "command_name": "$(touch OUT)",
}  # fmt: skip


def entries() -> list[tuple[str, dict[str, Any]]]:
    """Each entry with its event, as a client sees it that knows neither `if` nor `args` nor `matcher`."""
    return [(event, hook) for event, groups in HOOKS.items() for group in groups for hook in group["hooks"]]


def start(
    tmp_path: Path, command: str, shell: str, root: str | None, inner: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """Run a command line as a client does, in a folder of its own, with hostile JSON on stdin; nothing may come of it.

    `inner` is the shell that stands for `sh`.
    """
    folder = tmp_path / "project"
    folder.mkdir(exist_ok=True)
    env = {**environment(tmp_path), **({} if root is None else {"CLAUDE_PLUGIN_ROOT": root})}
    if inner:
        tool = tmp_path / f"bin-{inner}" / "sh"  # as which it behaves like one
        if not tool.parent.exists():
            tool.parent.mkdir()
            tool.symlink_to(str(shutil.which(inner)))
        assert "exec /bin/sh -c" in command
        command = command.replace("/bin/sh", str(tool))
    given = json.dumps(HOSTILE).replace("OUT", str(tmp_path / "out"))
    done = subprocess.run(
        [*ORDINARY, shell, "-c", command], cwd=folder, env=env, input=given.encode(), capture_output=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert not (tmp_path / "out").exists()
    assert list(folder.iterdir()) == []
    return done


def plugin(tmp_path: Path, run: str | None = None) -> Path:
    """A plugin in a folder with an odd name; `run` is what stands in its hooks/run."""
    root = tmp_path / ODD
    (root / "hooks").mkdir(parents=True, exist_ok=True)
    if run is not None:
        (root / "hooks/run").write_bytes(run.encode("latin-1"))
    return root


@pytest.mark.parametrize(("event", "entry"), entries())
def test_a_client_that_knows_the_command_alone(event: str, entry: dict[str, Any], tmp_path: Path) -> None:
    """Whatever else of an entry a client ignores, our launcher is started with its event, and no text is a program."""
    assert set(entry) <= {"type", "if", "command", "timeout"}
    root = plugin(tmp_path, 'main() {\nprintf "%s\\n" "$0 $1"\ncat\n}\nmain "$@"\n')
    done = start(tmp_path, entry["command"], "sh", str(root))
    first, _, rest = done.stdout.decode().partition("\n")
    assert (done.returncode, done.stderr, first) == (0, b"", f"{root}/hooks/run {event}")
    assert json.loads(rest)["tool_name"] == "Bash"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("inner", SHELLS)
def test_in_every_shell(shell: str, inner: str, tmp_path: Path) -> None:
    """The same in each shell that a client may use, and with each that may be `sh`; it takes the place of the first."""
    root = plugin(tmp_path, 'main() {\nprintf "%s\\n" "$0 $1 $$ $PPID"\n}\nmain "$@"\n')
    command = HOOKS["Stop"][0]["hooks"][0]["command"]
    done = start(tmp_path, f"echo $$; {command}", shell, str(root), inner)
    outer, line = done.stdout.decode().splitlines()
    path, own, parent = line.rsplit(" ", 2)
    assert path == f"{root}/hooks/run Stop"
    assert (own, parent) == (outer, str(os.getpid()))


WHOLE = (ROOT / "hooks/run").read_text(encoding="utf-8")
FILES: dict[str, str | None] = {
    "missing": None, "empty": "", "no program": "\x00\x01\xff(", "a syntax error": "main() {\nif [ x; then\n",
    "a stray word": "nosuchprogram\n", "an exit of 2": "exit 2\n", "an unset variable": "set -u; echo $nope\n",
    "Windows line ends": WHOLE.replace("\n", "\r\n"), "a return of 2": "return 2\n",
    **{f"cut off at {part} of 7": WHOLE[: len(WHOLE) * part // 7] for part in range(1, 7)},
    "without its last line": WHOLE[: WHOLE.rindex("main")], "cut off in it": WHOLE[: WHOLE.rindex('"$@"')],
}  # fmt: skip


@pytest.mark.parametrize("inner", SHELLS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_wrong(name: str, inner: str, tmp_path: Path) -> None:
    """Whatever is wrong with the launcher, the client is told nothing, and above all no status of 2, which blocks."""
    root = plugin(tmp_path, FILES[name])
    done = start(tmp_path, HOOKS["UserPromptSubmit"][0]["hooks"][0]["command"], "sh", str(root), inner)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_root_that_leads_into_the_project(tmp_path: Path) -> None:
    """A relative place of the plugin, which would be one in the project, is none."""
    bait = tmp_path / "project/hooks"
    bait.mkdir(parents=True)
    (bait / "run").write_text(f"touch '{tmp_path}/out'\n")
    for root in (".", "./", "../project"):
        env = {**environment(tmp_path), "CLAUDE_PLUGIN_ROOT": root}
        line = HOOKS["Stop"][0]["hooks"][0]["command"]
        done = subprocess.run(["sh", "-c", line], cwd=bait.parent, env=env, input=b"{}", check=False, timeout=PATIENCE)
        assert (done.returncode, (tmp_path / "out").exists()) == (0, False)


@pytest.mark.parametrize("kind", ["a folder", "unreadable", "a FIFO", "a loop", "no variable", "an empty variable"])
def test_no_file_at_all(kind: str, tmp_path: Path) -> None:
    """Nor if there is something else in its place, or nobody says where it is."""
    root = plugin(tmp_path)
    path = root / "hooks/run"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a loop":
        path.symlink_to(path)
    elif kind == "unreadable":
        path.write_text("echo x")
        path.chmod(0)
    told = {"no variable": None, "an empty variable": ""}.get(kind, str(root))
    for shell in SHELLS:
        done = start(tmp_path, HOOKS["Stop"][0]["hooks"][0]["command"], shell, told)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), shell


def test_no_command_of_ours_is_an_interpreter() -> None:
    """In no file of hooks does a command leave it to an option that is not known everywhere what is run."""
    for path in (ROOT / "hooks/hooks.json", ROOT / ".codex-plugin/hooks.json"):
        text = path.read_text(encoding="utf-8")
        assert '"args"' not in text
        for command in re.findall(r'"command": "((?:[^"\\]|\\.)*)"', text):
            assert re.fullmatch(
                r"""exec /bin/sh -c '[^']*' \\"\$CLAUDE_PLUGIN_ROOT/hooks/run\\" \w+ 2>/dev/null""", command
            )


def test_codex_has_no_hooks_of_ours() -> None:
    """Codex takes the manifest that is its own before that of Claude Code, and finds no hook there."""
    manifest = json.loads((ROOT / ".codex-plugin/plugin.json").read_bytes())
    ours = json.loads((ROOT / ".claude-plugin/plugin.json").read_bytes())
    assert (manifest["name"], manifest["version"]) == (ours["name"], ours["version"])
    assert json.loads((ROOT / manifest["hooks"]).read_bytes()) == {"hooks": {}}


def test_the_printed_settings_in_an_odd_folder(tmp_path: Path) -> None:
    """What --print-settings prints for a copy in a folder of any name starts that copy and nothing else."""
    machine = ready_machine(tmp_path)
    odd = tmp_path / ODD
    shutil.copytree(machine.clone, odd, symlinks=True)
    machine.clone = odd
    printed = machine.install("--print-settings")
    assert printed.returncode == 0, printed
    hooks = json.loads(printed.stdout)["hooks"]
    assert list(hooks) == list(HOOKS)
    (odd / "hooks/run").write_text('printf "%s\\n" "$0 $1"\n')
    for event, groups in hooks.items():
        done = start(tmp_path, groups[0]["hooks"][0]["command"], "sh", None)
        assert done.stdout.decode() == f"{odd}/hooks/run {event}\n"
