"""`install.sh --demo` and `--test`, which need nothing but the clone, and `.ci/run`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import tomllib

from support.cli import ROOT
from support.machine import PROGRAM, Machine, assert_refused
from support.machine import ready as ready_machine


@pytest.fixture
def ready(tmp_path: Path) -> Machine:
    """A scratch machine with Python and the stand-in for uv."""
    return ready_machine(tmp_path)


def test_demo_runs_in_a_scratch_folder_that_goes_away(ready: Machine) -> None:
    """--demo reaches neither the person's home nor the person's mail, and passes on the status of the demo."""
    ready.stub_demo('(cd "$ATO_DEMO_DIR" && : >there)\necho "$ATO_DEMO_DIR|$HOME|${AGENT_TEAM_OS_HOME-none}"\nexit 5\n')
    ready.environment["AGENT_TEAM_OS_HOME"] = str(ready.mail)
    for _ in range(2):
        result = ready.install("--demo")
        assert result.returncode == 5
        folder, home, mail = result.stdout.splitlines()[-1].split("|")
        assert Path(folder).is_relative_to(ready.temporary)
        assert Path(home).is_relative_to(ready.temporary)
        assert mail == "none"
        assert list(ready.temporary.iterdir()) == []
        assert ready.files() == set()
    assert len([call for call in ready.uv_calls() if call.startswith("pip install")]) == 1


def test_demo_needs_no_environment_variables(ready: Machine) -> None:
    """--demo works where HOME is not set, from any folder, and so does a home that does not exist."""
    ready.stub_demo("echo played\n")
    del ready.environment["HOME"]
    assert ready.install("--demo").stdout.endswith("played\n")
    ready.environment["HOME"] = "/nowhere/at all"
    assert ready.install("--demo", cwd=Path("/")).stdout == "played\n"


def test_a_foreign_environment_in_the_clone_is_left_alone(ready: Machine) -> None:
    """A .venv that somebody made by hand is named and not replaced."""
    (ready.clone / ".venv").mkdir()
    (ready.clone / ".venv/mine").touch()
    assert_refused(ready.install("--demo"), 73, str(ready.clone / ".venv"), "in the way")
    assert ready.files(ready.clone / ".venv") == {"mine"}


@pytest.fixture
def small(ready: Machine) -> Machine:
    """A machine whose clone has next to no code and three tests, so that all checks are quick."""
    package = ready.clone / "scripts/agent_team_os"
    shutil.rmtree(package)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = {layer for contract in contracts for row in contract.get("layers", []) for layer in row.split(" | ")}
    named = {f"agent_team_os.{layer}" for layer in layers}
    for contract in contracts:
        modules = (*contract.get("source_modules", []), *contract.get("forbidden_modules", []))
        named |= {name for name in modules if name.startswith("agent_team_os.")}
    for name in named:
        module = ready.clone / "scripts" / name.replace(".", "/")
        module.mkdir(parents=True, exist_ok=True)
    for folder in (package, *package.rglob("*")):
        (folder / "__init__.py").touch()
    tests = ready.clone / "tests"
    tests.mkdir()
    (tests / "test_small.py").write_text(
        '''"""Three tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def test_short() -> None:
    """A short one."""


@pytest.mark.full
def test_long() -> None:
    """A long one."""


def test_home() -> None:
    """The home is a scratch folder."""
    assert Path.home().parent == Path(os.environ["TMPDIR"]).parent
    (Path.home() / "litter").touch()
'''
    )
    return ready


def test_the_suite_runs_without_leaving_anything_outside(small: Machine) -> None:
    """--test runs every check, ends with pytest's summary, and writes to the clone alone; --full adds the long runs."""
    first = small.install("--test")
    assert first.returncode == 0, first
    assert "2 passed" in first.stdout.splitlines()[-1]
    for name in ("ruff check", "ruff format", "mypy", "import-linter"):
        assert f"{name}: ok\n" in first.stdout
    second = small.install("--test", "--full")
    assert "3 passed" in second.stdout.splitlines()[-1]
    assert len([call for call in small.uv_calls() if call.startswith("pip install")]) == 1
    assert "requirements-dev.lock" in small.uv_calls()[-1]
    assert small.files() == set()
    assert list(small.temporary.iterdir()) == []
    new = {path.name for path in small.clone.iterdir()} - set(PROGRAM) - {"tests"}
    assert new == {".venv", ".cache"}


def test_a_failing_check_fails_the_suite_and_the_rest_still_runs(small: Machine) -> None:
    """One failed check makes the run fail by name at its end, after all the others have had their turn."""
    with (small.clone / "tests/test_small.py").open("a") as file:
        file.write("\n\nimport json\nwrong: int = 'text'\n")
    result = small.install("--test")
    assert result.returncode == 1
    assert "2 passed" in result.stdout.splitlines()[-1]
    assert result.stderr.splitlines()[-1] == "install.sh: failed: ruff check, ruff format, mypy"


def test_ci_installs_the_debian_packages_and_runs_the_suite(tmp_path: Path) -> None:
    """.ci/run installs the packages of tests/apt.txt that are missing, then runs exactly `./install.sh --test`."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    (tmp_path / "tests/apt.txt").write_text("# comment\n\nthere\nmissing  # why\nabsent")
    for path, text in {
        "install.sh": 'echo "install.sh $*" >>log',
        "bin/dpkg-query": 'for package; do :; done; [ "$package" != there ] || printf installed',
        "bin/apt-get": 'echo "apt-get $*" >>log',
        "bin/sudo": 'exec "$@"',
    }.items():
        (tmp_path / path).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / path).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}

    def log() -> list[str]:
        subprocess.run(["bash", str(tmp_path / ".ci/run")], cwd="/", env=environment, check=True)
        lines = (tmp_path / "log").read_text().splitlines()
        (tmp_path / "log").unlink()
        return lines

    update, install, suite = log()
    assert update.endswith(" update")
    assert install.endswith(" missing absent")
    assert suite == "install.sh --test"
    (tmp_path / "tests/apt.txt").write_text("# nothing\n")
    assert log() == ["install.sh --test"]
