"""What a person gets who installs the wheel, and what the lock files promise."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
OURS = (
    *LOCKS,
    ".ci/run",
    ".gitignore",
    "LICENSE",
    "install.sh",
    "pyproject.toml",
    "scripts/ato",
    "scripts/environment.sh",
    "scripts/plugin.sh",
    "scripts/runtime.sh",
    "requirements.lock.sha256",
    "hooks/run",
    "tests/apt.txt",
)


def run(*command: str | Path, cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout


def locked(name: str) -> dict[str, list[str]]:
    """The packages of a lock file, each with the checksums it may have."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return {re.split("[=; ]", line)[0]: re.findall(r"--hash=sha256:([0-9a-f]{64})(?!\S)", line) for line in lines}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^a-z0-9-]", requirement)[0] for requirement in requirements}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network by the backend that is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "--no-index", "--no-cache-dir",
        "-w", folder, ROOT, cwd=folder)  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_every_schema_and_module(wheel: Path) -> None:
    """The wheel holds each schema, each module and the license, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    package = {
        str(path.relative_to(ROOT / "scripts"))
        for path in (ROOT / "scripts/agent_team_os").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    schemas = {f"agent_team_os/{path.relative_to(ROOT)}" for path in (ROOT / "schemas").rglob("*.json")}
    assert schemas
    assert {name for name in inside if ".dist-info/" not in name} == package | schemas
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in inside)


def test_the_installed_wheel_answers_by_both_names(wheel: Path, tmp_path: Path) -> None:
    """Installed into an environment of its own, the wheel gives both commands, and they work."""
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv/bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", "--no-cache-dir",
        wheel, cwd=tmp_path)  # fmt: skip
    (site_packages,) = (tmp_path / "venv").glob("lib/*/site-packages")
    (site_packages / "lent.pth").write_text(sysconfig.get_path("purelib"))
    version = run(python, "-I", "-c", "import agent_team_os; print(agent_team_os.__version__)", cwd=tmp_path).strip()
    assert f"-{version}-" in wheel.name
    for name in ("ato", "agent-team-os"):
        assert version in run(tmp_path / "venv/bin" / name, "--version", cwd=tmp_path)
    home = tmp_path / "home"
    run("env", f"AGENT_TEAM_OS_HOME={home}", tmp_path / "venv/bin/ato", "init", cwd=tmp_path)
    assert (home / "AGENT_MAP.json").exists()


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_checksums(name: str) -> None:
    """No package can be installed whose file is not known, and compiled ones are known for every kind of machine."""
    packages = locked(name)
    assert all(packages.values()), packages
    # Linux of two kinds, macOS of two kinds and Windows, for four Pythons.
    assert len(packages["rpds-py"]) > 20


def test_the_locks_cover_what_pyproject_asks_for() -> None:
    """Every dependency is locked, and the environment of the tests has the very packages of the program."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    dependencies = names(project["project"]["dependencies"])
    development = names(project["dependency-groups"]["dev"])
    program, tests = map(locked, LOCKS)
    assert dependencies <= set(program)
    assert dependencies | development <= set(tests)
    for name, sums in program.items():
        assert tests[name] == sums


def test_every_runtime_dependency_says_what_it_is_for() -> None:
    """Above each dependency in pyproject.toml stands a comment with its reason."""
    text = (ROOT / "pyproject.toml").read_text()
    block = text.partition("\ndependencies = [\n")[2].partition("\n]")[0].splitlines()
    assert len(block) == 2 * len(tomllib.loads(text)["project"]["dependencies"])
    for reason, dependency in zip(block[::2], block[1::2]):
        assert reason.startswith("  # "), dependency
        assert dependency.startswith('  "'), dependency


@pytest.mark.parametrize("name", OURS)
def test_no_file_names_a_package_index(name: str) -> None:
    """Where packages come from is the machine's own setting: no address stands in what installs."""
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert "index-url" not in text
