"""A PATH with relative or empty folders leads into the project one is in: nothing of ours starts a program there."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Team
from support.cli import PATIENCE, ROOT
from support.hooks import said
from support.launcher import NAMES, REAL, cache, program, run
from support.machine import TOOLS, Machine
from support.machine import ready as ready_machine

HERE = ["", ".", "bin", "./bin", "node_modules/.bin", "../project", "~/bin"]
TRAPS = {
    *TOOLS, *NAMES, "uv", "git", "claude", "timeout", "tmux", "gh", "task", "chmod", "id", "head", "awk", "ato", "pip",
    "bash", "dash", "test", "printf", "echo", "true", "[", "sum", "xcode-select", "pyenv",
}  # fmt: skip


def project(place: Path) -> Path:
    """A folder with a program of every name that could be looked for, wherever a PATH may lead from it."""
    folder = place / "project"
    for name in TRAPS:
        trap = program(folder / name, f'echo "{name}" >>{shlex.quote(str(place / "sprung"))}; exit 3')
        for there in ("bin", "node_modules/.bin", "~/bin"):
            (folder / there).mkdir(parents=True, exist_ok=True)
            (folder / there / name).symlink_to(trap)
    return folder


def sprung(place: Path) -> str:
    """Which traps were stepped into."""
    path = place / "sprung"
    return path.read_text() if path.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A scratch machine whose PATH leads into a project first, and again last, in every way there is."""
    machine = ready_machine(tmp_path)
    project(tmp_path)
    machine.tool("claude", "#!/bin/sh\nexit 1\n")
    machine.environment["PATH"] = ":".join([*HERE, str(machine.tools), *HERE])
    return machine


def called(machine: Machine, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in the project."""
    return subprocess.run(
        command, cwd=machine.home.parent / "project", env=machine.environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def test_the_installer(machine: Machine) -> None:
    """Installing, updating, printing, helping and taking away, and the program through its link, start none of them."""
    sh, script = str(machine.tools / "sh"), str(machine.clone / "install.sh")
    for words in (["--help"], [], ["--print-settings"]):
        done = called(machine, sh, script, *words)
        assert done.returncode == 0, done
    done = called(machine, sh, str(machine.bin / "ato"), "whoami")
    assert "project" in done.stdout + done.stderr, done
    done = called(machine, sh, script, "--uninstall")
    assert done.returncode == 0, done
    assert sprung(machine.home.parent) == ""


def test_the_first_command_and_the_demo(machine: Machine) -> None:
    """Nor does the first command of a copy that was not installed, by its link, nor the demo on its own."""
    sh = str(machine.tools / "sh")
    link = machine.home / "link"
    link.symlink_to(machine.clone / "scripts/ato")
    done = called(machine, sh, str(link), "--version")
    assert (done.returncode, done.stdout[:14]) == (0, "agent-team-os "), done
    name = (machine.clone / "requirements.lock.sha256").read_text().split()[0]
    (machine.clone / ".venv").symlink_to(machine.data / "runtime" / name)
    (machine.home / "demo").mkdir()
    machine.environment["ATO_DEMO_DIR"] = str(machine.home / "demo")
    done = called(machine, sh, str(machine.clone / "scripts/demo"))
    assert done.returncode == 0, done
    assert sprung(machine.home.parent) == ""


def test_no_other_folder_on_path(machine: Machine) -> None:
    """Where PATH has nothing else, the system's own folders count, and the project's still do not."""
    machine.environment["PATH"] = ":".join(HERE)
    done = called(machine, str(machine.tools / "sh"), str(machine.clone / "install.sh"), "--help")
    assert (done.returncode, done.stdout[:6]) == (0, "Usage:"), done
    (machine.clone / ".venv").symlink_to(sys.prefix)
    (machine.home / "link").symlink_to(machine.clone / "scripts/ato")
    done = called(machine, str(machine.tools / "sh"), str(machine.home / "link"), "--version")
    assert (done.returncode, done.stdout[:14]) == (0, "agent-team-os "), done
    assert sprung(machine.home.parent) == ""


@pytest.mark.parametrize("script", ["install.sh", "ato"])
def test_a_script_that_only_path_finds(script: str, tmp_path: Path) -> None:
    """A shell that looks up its script on PATH has it take no neighbour in the project for the program."""
    folder = project(tmp_path)
    source = "install.sh" if script == "install.sh" else "scripts/ato"
    shutil.copy(ROOT / source, tmp_path / script)
    (folder / "ato").unlink()
    (folder / "scripts").mkdir()
    for name in ("ato", "environment.sh", "plugin.sh"):
        program(folder / "scripts" / name, f"touch '{tmp_path}/sprung'")
    program(tmp_path / ".venv/bin/python", f"touch '{tmp_path}/sprung'")
    path = f"..:{Path(shutil.which('bash') or '').parent}"
    done = subprocess.run(
        [shutil.which("bash") or "", script, "--help"], cwd=folder, env={"PATH": path}, capture_output=True, check=False
    )
    assert done.returncode == 70, done
    assert sprung(tmp_path) == ""


# ---- Hooks and the program ----------------------------------------------------------------------


def test_a_shim_that_looks_on_path_itself(team: Team) -> None:
    """A hook that asks a shim which Python it stands for does so with a PATH, and in a folder, without the project."""
    folder = project(team.root)
    shim = f'[ "$PWD" = / ] || touch {team.root}/sprung; env true; exec {shlex.quote(REAL)} "$@"'
    program(team.root / "shims/python3", shim)
    env = {**team.env, "PATH": ":".join([*HERE, str(team.root / "shims"), team.env["PATH"]])}
    env["AGENT_TEAM_OS_AGENT"] = "dev"
    assert said(run(team, env=env, cwd=folder)).startswith("You are dev")
    assert cache(team).read_text() == f"{REAL}\n"
    assert sprung(team.root) == ""


def test_what_the_program_starts_gets_the_same_path(team: Team) -> None:
    """A program that is started, and all that it starts in turn, sees the absolute folders of PATH and no others."""
    told = team.root / "told"
    program(team.root / "tools/task", f'printf %s "$PATH" >{shlex.quote(str(told))}; exit 1')
    provider = {"kind": "taskwarrior", "data": str(team.root / "tools")}
    team.map(agents={"ops": {"domain": "work"}, "dev": {}}, domains={"work": {"task_provider": provider}})
    start = [sys.executable, "-I", str(ROOT / "scripts/agent_team_os"), "tasks", "add", "x"]
    for path in (f".:{team.root}/tools::/bin:bin:", f":{team.root}/tools:~/x:/bin"):
        done = subprocess.run(
            start, cwd=team.root / "ops", env={**team.env, "PATH": path}, capture_output=True, check=False
        )
        assert told.exists(), done
        assert told.read_text() == f"{team.root}/tools:/bin"
        told.unlink()


def test_the_same_lines_everywhere() -> None:
    """The lines that take the project out of PATH are the same in each script that is called on its own."""

    def lines(script: str) -> list[str]:
        text = [line.strip() for line in (ROOT / script).read_text().splitlines()]
        start = text.index("case :${PATH-}: in")
        return text[start : text.index("esac", text.index("done", start)) + 1]

    assert lines("scripts/ato") == lines("hooks/run") == lines("scripts/environment.sh")
