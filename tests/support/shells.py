"""A project beside a helper that tells how it was called, and real shells to run commands in, among traps.

place = shells.build(tmp_path)
place.passes("ATO whoami")  # what the hook decides
seen = place.observe("bash", place.fill("ATO trace 'a b'"), evaluated=False)
assert seen == Seen(calls=[(["trace", "a b"], "")])  # one process of the helper, and nothing else
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent_team_os.hooks import pre_tool_use, shell
from support.cli import PATIENCE

# Each shell once, under whatever names it is installed.
SHELLS = list(
    {
        os.path.realpath(path): name
        for name in ("sh", "zsh", "bash", "dash")
        if (path := shutil.which(name)) is not None
    }.values()
)
# Words of commands that a misread line would run as programs.
_TRAPS = [
    "touch", "cat", "ls", "id", "sh", "env", "echo", "a", "b", "c", "x", "y", "EOF", "a.txt", "-", "1", "2",
    "note", "dev", "send", "whoami", "trace", "inbox", "bus", "read", "reply", "ato",
]  # fmt: skip
_BASH = """
shopt -s expand_aliases extglob nullglob dotglob globstar 2>/dev/null
alias send='touch alias' whoami='touch alias' a='touch alias' b='touch alias' x='touch alias'
f() { touch function; }
"""
_ZSH = """
setopt extended_glob ksh_glob glob_dots null_glob glob_subst brace_ccl magic_equal_subst rc_quotes interactive_comments
alias send='touch alias' whoami='touch alias' a='touch alias' b='touch alias' x='touch alias'
"""


@dataclass(frozen=True)
class Seen:
    """What a command did: the arguments and the stdin of each process of the helper, and all else there was."""

    calls: list[tuple[list[str], str]]
    stderr: str = ""
    traps: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """A folder with a project `ws`, the helper in `tool`, and `out` for all that is none of the project's business."""

    base: Path

    @property
    def helper(self) -> str:
        """The path of the helper."""
        return f"{self.base}/tool/scripts/ato"

    @property
    def workspace(self) -> str:
        """The path of the project."""
        return f"{self.base}/ws"

    def fill(self, line: str) -> str:
        """A line with the real paths for ATO, WS, OUT and BASE."""
        paths = {"ATO": self.helper, "WS": self.workspace, "OUT": f"{self.base}/out", "BASE": str(self.base)}
        return re.sub("ATO|WS|OUT|BASE", lambda found: paths[found[0]], line)

    def given(self, line: str, **more: Any) -> dict[str, Any]:
        """The hook's input for a line, filled; `more` replaces what it holds."""
        return {
            "session_id": "s-1",
            "cwd": self.workspace,
            "hook_event_name": "PreToolUse",
            "tool_name": "Bash",
            "tool_input": {"command": self.fill(line), "description": "Mail"},
            **more,
        }

    def passes(self, line: str, **more: Any) -> bool:
        """Whether a line passes without a question."""
        return pre_tool_use.run(self.given(line, **more), self.workspace, self.helper)

    def observe(self, name: str, command: str, evaluated: bool) -> Seen:
        """Run a filled command in the project as `SHELL -c` does, or `eval` within it."""
        told = ['eval "$1"', "-", command] if evaluated else [command]
        before = self._files()
        done = subprocess.run(
            [shutil.which(name) or name, "-c", *(part.encode() for part in told)],
            cwd=self.workspace,
            env={
                "PATH": f"{self.base}/traps",
                "HOME": f"{self.base}/out",
                "BASH_ENV": f"{self.base}/bashrc",
                "ZDOTDIR": str(self.base),
                "IFS": "ae/",
                **dict.fromkeys(("x", "a", "EOF"), "$(touch variable); touch variable"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        calls = [_call(data) for data in _taken(self.base / "calls")]
        traps = [data.decode() for data in _taken(self.base / "caught")]
        return Seen(calls, done.stderr.decode(errors="replace"), traps, sorted(self._files() - before))

    def agrees(self, line: str, evaluated: bool) -> bool:
        """True if a line is understood, and then every shell runs the helper once, with those words, and nothing else.

        AssertionError if one does not, or if a line passes that is not understood.
        """
        command = self.fill(line)
        understood = shell.parse(command)
        if understood is None or understood[0][0] != self.helper:
            assert not self.passes(line)
            return False
        (_, *args), body = understood
        for name in SHELLS:
            assert self.observe(name, command, evaluated) == Seen([(args, body or "")]), name
        return True

    def _files(self) -> set[str]:
        return {entry.path for folder in ("ws", "out") for entry in os.scandir(self.base / folder)}


def _taken(folder: Path) -> list[bytes]:
    """What the files of a folder hold, which are removed."""
    found = []
    for name in sorted(os.listdir(folder)):
        found.append((folder / name).read_bytes())
        (folder / name).unlink()
    return found


def _call(data: bytes) -> tuple[list[str], str]:
    count, _, rest = data.partition(b"\0")
    *args, stdin = rest.split(b"\0", int(count))
    return [arg.decode() for arg in args], stdin.decode()


def build(base: Path) -> Place:
    """Make the place in an empty folder."""
    for name in (
        "tool/scripts",
        "ws/sub/.hidden",
        "ws/.git/hooks",
        "ws/scripts",
        "ws-evil",
        "traps",
        "calls",
        "caught",
    ):
        (base / name).mkdir(parents=True)
    (base / "out/scripts").mkdir(parents=True)
    helper = f"#!/bin/sh\n{{ printf '%s\\0' \"$#\" \"$@\"; /bin/cat; }} >'{base}/calls/'$$\n"
    for name in ("tool/scripts/ato", "ws/scripts/ato", "out/scripts/ato"):
        _program(base / name, helper)
    for name in _TRAPS:
        _program(base / "traps" / name, f"#!/bin/sh\nprintf %s \"$0\" >'{base}/caught/'$$\n")
    # Some have the names of options, and of what a pattern would find.
    for name in (
        "a.txt",
        "two words.txt",
        "sub/b.txt",
        "sub/.hidden/a.txt",
        ".env",
        ".git/config",
        "ab",
        "b",
        "--json",
    ):
        (base / "ws" / name).write_text("text\n")
    (base / "ws-evil/a.txt").write_text("text\n")
    (base / "out/secret.txt").write_text("secret\n")
    for name, target in (
        ("plugin", "tool"),
        ("out/link-to-ato", f"{base}/tool/scripts/ato"),
        ("ws/linked", f"{base}/tool"),
        ("ws/sub-link", "sub"),
        ("ws/out-link", "../out"),
        ("ws/secret-link", "../out/secret.txt"),
        ("ws/env-link", ".env"),
        ("ws/dangling-link", "../out/missing"),
    ):
        (base / name).symlink_to(target)
    (base / "bashrc").write_text(_BASH)
    (base / ".zshenv").write_text(_ZSH)
    return Place(base)


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
