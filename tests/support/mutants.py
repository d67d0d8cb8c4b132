"""Copies of the project in which one protection of the mail is taken out: an fsync, a link, or a lock.

for mutant in mutants():
    mutant.name           # storage/files.py replace_all sync_folder
    mutant.apply(folder)  # changes that one call in a copy made by `copy(folder)`
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.cli import ROOT

PACKAGE = Path("scripts/agent_team_os")
# What stands in the place of a call. A link becomes a rename, which overwrites; a lock is just not taken.
INSTEAD = {
    "sync": "None",
    "files.sync": "None",
    "os.fsync": "None",
    "sync_folder": "None",
    "files.sync_folder": "None",
    "journal.sync": "None",
    "files.flush": "{{}}",
    "settle": "{{}}",
    "spool.settle": "{{}}",
    "os.link": "os.replace({arguments})",
    "flock": "None",
    "lock.flock": "None",
    "lock.try_flock": "True",
    "guard": "contextlib.nullcontext()",
    "lock.guard": "contextlib.nullcontext()",
    "lock.recipient": "contextlib.nullcontext()",
    "inbox.claim": "contextlib.nullcontext()",
    "_claim": "os.open(os.path.dirname(folder), os.O_RDONLY)",
}


@dataclass(frozen=True)
class Mutant:
    """One call and what stands in its place; `name` is its file, its function and what it calls."""

    name: str
    path: Path
    first: tuple[int, int]
    last: tuple[int, int]
    instead: str

    def apply(self, folder: Path) -> None:
        """Change the call in a copy of the project."""
        path = folder / self.path
        lines = path.read_text().split("\n")
        begin, end = self.first, self.last
        before, after = lines[begin[0]][: begin[1]], lines[end[0]][end[1] :]
        # The lines stay where they are, for whoever reads a traceback.
        lines[begin[0] : end[0] + 1] = [before + self.instead + after, *[""] * (end[0] - begin[0])]
        text = "\n".join(lines).replace("\nimport os\n", "\nimport contextlib\nimport os\n", 1)
        path.unlink()  # a hard link
        path.write_text(text)


def mutants() -> list[Mutant]:
    """Every protection of the layers that write mail."""
    found = []
    for layer in ("storage", "mail"):
        for path in sorted((ROOT / PACKAGE / layer).rglob("*.py")):
            found += list(_of(path))
    return found


def _of(path: Path) -> Iterator[Mutant]:
    source = path.read_text()
    counts: Counter[str] = Counter()
    for function, call in _calls(ast.parse(source), ""):
        callee = ast.unparse(call.func)
        if callee not in INSTEAD:
            continue
        name = f"{path.relative_to(ROOT / PACKAGE)} {function} {callee}"
        counts[name] += 1
        arguments = ", ".join(map(ast.unparse, call.args))
        yield Mutant(
            name + (f" {counts[name]}" if counts[name] > 1 else ""),
            path.relative_to(ROOT),
            (call.lineno - 1, _column(source, call.lineno, call.col_offset)),
            (call.end_lineno - 1, _column(source, call.end_lineno, call.end_col_offset)),  # type: ignore[operator,arg-type]
            INSTEAD[callee].format(arguments=arguments),
        )


def _calls(node: ast.AST, function: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call below a node, in order, with the function it stands in."""
    for child in ast.iter_child_nodes(node):
        inside = function
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            inside = f"{function}.{child.name}".lstrip(".")
        if isinstance(child, ast.Call):
            yield function, child
        yield from _calls(child, inside)


def _column(source: str, line: int, offset: int) -> int:
    """The column in characters of an offset in bytes."""
    return len(source.split("\n")[line - 1].encode()[:offset].decode())


def copy(folder: Path) -> Path:
    """All of the project that tests run, under a folder of its own; unchanged files are hard links."""
    folder.mkdir(parents=True)
    for name in ("scripts", "schemas", "hooks", "tests", "docs", "commands", "skills", ".claude-plugin"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, copy_function=_link, symlinks=True, ignore=ignore)
    _link(ROOT / "pyproject.toml", folder / "pyproject.toml")
    return folder


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy2(source, target)


def passes(folder: Path, *tests: str) -> tuple[bool, str]:
    """Whether tests pass in a copy, and what pytest said. They must run: nothing else counts as an answer."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:xdist", "-m", ""]
    done = subprocess.run(
        [*command, f"--basetemp={folder / 'tmp'}", *tests], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), f"{tests} did not run:\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
    return done.returncode == 0, done.stdout
