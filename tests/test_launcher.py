"""`scripts/ato` finds its program and its environment, however it is called."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cli import ROOT
from support.machine import REAL_PYTHON


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """A launcher in a folder with an odd name, whose program prints its own place, its Python's and its arguments."""
    root = tmp_path / "the 'clöne' $HOME"
    (root / "scripts/agent_team_os").mkdir(parents=True)
    (root / "scripts/agent_team_os/__main__.py").write_text(
        "import sys\nprint(__file__, sys.executable, sys.argv[1:], sep='|')\n"
    )
    shutil.copy(ROOT / "scripts/ato", root / "scripts/ato")
    subprocess.run([REAL_PYTHON, "-I", "-m", "venv", "--without-pip", str(root / ".venv")], check=True)
    return root / "scripts/ato"


def absolute(launcher: Path) -> tuple[list[str], Path]:
    return [str(launcher)], Path("/")


def beside(launcher: Path) -> tuple[list[str], Path]:
    return ["./ato"], launcher.parent


def above(launcher: Path) -> tuple[list[str], Path]:
    return ["scripts/ato"], launcher.parent.parent


def below(launcher: Path) -> tuple[list[str], Path]:
    return ["../ato"], launcher.parent / "agent_team_os"


def by_path(launcher: Path) -> tuple[list[str], Path]:
    return ["env", f"PATH={launcher.parent}:{os.environ['PATH']}", "ato"], Path("/")


def by_relative_path(launcher: Path) -> tuple[list[str], Path]:
    return ["env", f"PATH=scripts:{os.environ['PATH']}", "ato"], launcher.parent.parent


def as_argument_of_sh(launcher: Path) -> tuple[list[str], Path]:
    return ["sh", "ato"], launcher.parent


def by_chain_of_links(launcher: Path) -> tuple[list[str], Path]:
    links = launcher.parent.parent.parent / "links"
    links.mkdir()
    (links / "third").symlink_to(launcher)
    (links / "second").symlink_to("third")
    (links / "first").symlink_to("../links/second")
    return ["links/first"], links.parent


def by_linked_folder(launcher: Path) -> tuple[list[str], Path]:
    """A folder named scripts that is a link, beside an environment that is somebody else's."""
    other = launcher.parent.parent.parent / "other"
    other.mkdir()
    (other / "scripts").symlink_to(launcher.parent)
    (other / ".venv/bin").mkdir(parents=True)
    (other / ".venv/bin/python").symlink_to("/bin/false")
    return [str(other / "scripts/ato")], Path("/")


def by_dots_behind_a_link(launcher: Path) -> tuple[list[str], Path]:
    other = launcher.parent.parent.parent / "other"
    other.mkdir()
    (other / "package").symlink_to(launcher.parent / "agent_team_os")
    return [str(other / "package/../../scripts/ato")], Path("/")


@pytest.mark.parametrize(
    "way",
    [
        absolute,
        beside,
        above,
        below,
        by_path,
        by_relative_path,
        as_argument_of_sh,
        by_chain_of_links,
        by_linked_folder,
        by_dots_behind_a_link,
    ],
)
def test_the_launcher_finds_its_program(launcher: Path, way: Callable[[Path], tuple[list[str], Path]]) -> None:
    """However it is called, the launcher runs the program in its own environment, with the arguments as they are."""
    command, cwd = way(launcher)
    result = subprocess.run([*command, "a b", "", "*"], cwd=cwd, capture_output=True, text=True, check=True)
    program, python, arguments = result.stdout.rstrip("\n").split("|")
    # As texts: from its own path Python concludes where its packages are.
    assert os.path.normpath(program) == str(launcher.parent / "agent_team_os/__main__.py")
    assert os.path.normpath(python) == str(launcher.parent.parent / ".venv/bin/python")
    assert arguments == "['a b', '', '*']"
