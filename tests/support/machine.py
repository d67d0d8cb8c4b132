"""A scratch machine to install on: an empty home, a copy of the program, and a PATH with nothing unexpected on it.

machine = ready(tmp_path)
result = machine.install("--dir", "elsewhere")
machine.ato("whoami")

Packages come from a stand-in for `uv`, which lends those of the environment that runs the tests: quick, and without a
network. The stand-in waits where it is told to, for tests that look at what is only half done.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Optional

from support.cli import PATIENCE, ROOT

PROGRAM = [
    "install.sh",
    "scripts",
    "schemas",
    "docs",
    "commands",
    "hooks",
    "skills",
    ".claude-plugin",
    "requirements.lock",
    "requirements.lock.sha256",
    "requirements-dev.lock",
    "pyproject.toml",
    "README.md",
    "LICENSE",
]
# What the scripts call. A PATH of these alone has no Python on it, whatever the machine has.
TOOLS = ["cat", "cmp", "cp", "date", "dirname", "env", "find", "grep", "ln", "ls", "mkdir", "mktemp", "mv", "readlink"]
TOOLS += ["rm", "rmdir", "sh", "sleep", "tail", "touch"]
MOST = 170  # seconds for an installation from the package index
REAL_PYTHON = str(getattr(sys, "_base_executable", sys.executable))
# Links, not a .pth file: the program is started without `site`, which alone would read one.
LEND = f"""lend() {{ # PYTHON
    ln -s {shlex.quote(sysconfig.get_path("purelib"))}/* \\
        "$("$1" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    ln -s {shlex.quote(sys.prefix)}/bin/ruff "${{1%/*}}/ruff"
}}
"""

FAKE_UV = f"""#!/bin/sh
{LEND}
echo "$*" >>"$0.calls"
case $1 in
venv)
    for folder; do :; done
    {shlex.quote(REAL_PYTHON)} -I -m venv --without-pip "$folder" ;;
pip)
    [ ! -p "$0.block" ] || {{ : >"$0.blocked"; read -r _ <"$0.block"; }}
    lend "$4" ;;
esac
"""


def copy_of(name: str, clone: Path) -> None:
    """Copy a file or folder of the project, without what Python compiled."""
    if (ROOT / name).is_dir():
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(ROOT / name, clone / name)


class Machine:
    """A scratch machine: an empty home, a copy of the program, and a PATH of its own."""

    def __init__(self, place: Path) -> None:
        self.home = place / "höme of me"
        self.tools = place / "tools"
        self.clone = place / "the clone"
        self.temporary = place / "tmp"
        for folder in (self.home, self.tools, self.clone, self.temporary):
            folder.mkdir()
        for name in TOOLS:
            found = shutil.which(name)
            assert found, name
            (self.tools / name).symlink_to(found)
        for name in PROGRAM:
            copy_of(name, self.clone)
        self.data = self.home / ".local/share/agent-team-os"
        self.bin = self.home / ".local/bin"
        self.mail = self.home / ".agent-team-os"
        self.environment = {
            "HOME": str(self.home),
            "PATH": str(self.tools),
            "TMPDIR": str(self.temporary),
            # Where an unreachable index is asked, it is asked twice.
            "PIP_RETRIES": "1",
        }

    def tool(self, name: str, text: str) -> Path:
        """Put a program on PATH."""
        path = self.tools / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def python(self, name: str = "python3") -> None:
        """Put the Python that runs the tests on PATH, behind a shim, as version managers do."""
        self.tool(name, f'#!/bin/sh\nexec {shlex.quote(REAL_PYTHON)} "$@"\n')

    def stub_demo(self, text: str) -> None:
        """Replace the demo of the clone by a shell script."""
        demo = self.clone / "scripts/demo"
        demo.write_text("#!/bin/sh\n" + text)
        demo.chmod(0o755)

    def uv_calls(self) -> list[str]:
        """The arguments of each call of the stand-in for uv."""
        calls = self.tools / "uv.calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def block_uv(self) -> None:
        """Let the stand-in for uv wait, with an environment that has no packages yet, until `release_uv`."""
        os.mkfifo(self.tools / "uv.block")

    def release_uv(self) -> None:
        """Let it go on, and wait no more; there need not be one that waits."""
        block = os.open(self.tools / "uv.block", os.O_RDWR)
        (self.tools / "uv.block").unlink()
        os.close(block)

    def command(self, *arguments: str) -> list[str]:
        """What runs install.sh of the clone."""
        return [str(self.clone / "install.sh"), *arguments]

    def install(self, *arguments: str, cwd: Optional[Path] = None) -> subprocess.CompletedProcess[str]:
        """Run install.sh of the clone."""
        return self.run(*self.command(*arguments), cwd=cwd)

    def run(self, *command: str, cwd: Optional[Path] = None) -> subprocess.CompletedProcess[str]:
        """Run a program with the machine's environment."""
        return subprocess.run(
            command,
            cwd=cwd or self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=MOST,
        )

    def ato(self, *arguments: str, cwd: Optional[Path] = None) -> subprocess.CompletedProcess[str]:
        """Call the installed program as a person does: by its name, through PATH."""
        path = f"{self.bin}:{self.tools}"
        return subprocess.run(
            ["env", f"PATH={path}", "ato", *arguments],
            cwd=cwd or self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def start(self, *command: str, sign: Path) -> subprocess.Popen[str]:
        """Start a program in a process group of its own, and wait until `sign` exists."""
        process = subprocess.Popen(
            command,
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Whoever starts the tests in the background has them ignore it, and a shell cannot undo that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
        )
        end = time.monotonic() + PATIENCE
        while not sign.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, f"{sign} is still missing"
            time.sleep(0.02)
        return process

    def files(self, below: Optional[Path] = None) -> set[str]:
        """The paths of everything below a folder, but for what Python compiled."""
        top = below or self.home
        return {str(path.relative_to(top)) for path in top.rglob("*") if "__pycache__" not in path.parts}


def ready(place: Path) -> Machine:
    """A scratch machine with Python and the stand-in for uv."""
    machine = Machine(place)
    machine.python()
    machine.tool("uv", FAKE_UV)
    return machine


def assert_refused(result: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    """install.sh ended with this status and one line, with these words in it."""
    assert result.returncode == status, result
    assert result.stderr.startswith("install.sh: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def fake_python(version: str, *, new: bool, means: str, real: str = "/opt/some/python") -> str:
    """A shell script that answers install.sh's question, and nothing else, as some Python would."""
    age = "new" if new else "old"
    return f"#!/bin/sh\ncase $* in *ensurepip*) printf '%s\\n' {version} {age} {means} '{real}' ;; *) exit 9 ;; esac\n"
