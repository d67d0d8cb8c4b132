"""`install.sh` installs and updates: where things go, what is left alone, and what is wrong usage."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from support.machine import Machine, assert_refused
from support.machine import ready as ready_machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A scratch machine without any Python."""
    return Machine(tmp_path)


@pytest.fixture
def ready(tmp_path: Path) -> Machine:
    """A scratch machine with Python and the stand-in for uv."""
    return ready_machine(tmp_path)


def test_help_names_every_option(machine: Machine) -> None:
    """--help describes each option that the script knows, and does nothing else."""
    result = machine.install("--help")
    assert result.returncode == 0
    for option in (
        "--dir DIR",
        "--no-plugin",
        "--uninstall",
        "--print-settings",
        "--demo",
        "--test",
        "--full",
        "--help",
    ):
        assert option in result.stdout
    assert machine.files() == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--frobnicate"],
        ["demo"],
        [""],
        ["--full"],
        ["--dir"],
        ["--dir="],
        ["--demo", "--test"],
        ["--test", "--dir", "x"],
        ["--uninstall", "--full"],
        ["--uninstall", "--no-plugin"],
        ["--print-settings", "--dir", "x"],
    ],
)
def test_wrong_usage_is_one_line_and_changes_nothing(ready: Machine, arguments: list[str]) -> None:
    """Unknown options and combinations that make no sense exit 64 with one line that points to --help."""
    assert_refused(ready.install(*arguments), 64, "./install.sh --help")
    assert ready.files() == set()


@pytest.mark.parametrize("arguments", [[], ["--uninstall"]])
def test_a_missing_home_is_said(ready: Machine, arguments: list[str]) -> None:
    """Without HOME there is no place to install to, and the script says so."""
    del ready.environment["HOME"]
    assert_refused(ready.install(*arguments, cwd=ready.clone), 70, "HOME is not set")


def test_install_makes_launcher_program_home_and_map(ready: Machine) -> None:
    """One run gives a program that answers through PATH, a home with a map, and the next steps in words."""
    result = ready.install()
    assert result.returncode == 0, result
    assert result.stderr == ""
    assert "ato join dev" in result.stdout
    assert 'export PATH="$HOME/.local/bin:$PATH"' in result.stdout
    assert ready.ato("--version").stdout == ready.run(str(ready.bin / "agent-team-os"), "--version").stdout != ""
    assert json.loads((ready.mail / "AGENT_MAP.json").read_text())["version"] == "2.0"
    assert os.readlink(ready.bin / "ato") == str(ready.data / "program/scripts/ato")
    assert list(ready.temporary.iterdir()) == []


def test_the_installed_program_needs_no_clone(ready: Machine) -> None:
    """The program goes on working, and can be taken away, after the clone it came from is gone."""
    assert ready.install().returncode == 0
    shutil.rmtree(ready.clone)
    project = ready.home / "code"
    project.mkdir()
    assert ready.ato("join", "dev", cwd=project).returncode == 0
    assert json.loads(ready.ato("whoami", "--json", cwd=project).stdout)["agent"] == "dev"
    assert ready.run(str(ready.data / "program/install.sh"), "--uninstall").returncode == 0
    assert not ready.data.exists()


def test_what_is_installed_is_compiled(ready: Machine) -> None:
    """Every module of the installed program has its bytecode, even where the settings say not to write any."""
    ready.environment["PYTHONDONTWRITEBYTECODE"] = "1"
    assert ready.install().returncode == 0
    for module in (ready.data / "program/scripts/agent_team_os").rglob("*.py"):
        compiled = module.parent / "__pycache__" / f"{module.stem}.{sys.implementation.cache_tag}.pyc"
        assert compiled.exists(), module


def test_a_second_run_changes_nothing_but_the_release(ready: Machine) -> None:
    """Run twice, the script leaves the same files, keeps a map that was edited, and makes no second environment."""
    assert ready.install().returncode == 0
    before = ready.files()
    release = os.readlink(ready.data / "program")
    map_file = ready.mail / "AGENT_MAP.json"
    edited = map_file.read_text().replace("{", '{"my own key": 1,', 1)
    map_file.write_text(edited)
    calls = (ready.tools / "uv.calls").read_text()

    assert ready.install().returncode == 0
    assert {path.replace(os.readlink(ready.data / "program"), release) for path in ready.files()} == before
    assert map_file.read_text() == edited
    assert (ready.tools / "uv.calls").read_text() == calls


def test_a_run_always_brings_the_newest_files(ready: Machine) -> None:
    """What changed in the clone is installed by the next run, and what went away there is gone."""
    (ready.clone / "skills/old.md").write_text("old")
    assert ready.install().returncode == 0
    assert (ready.data / "program/skills/old.md").exists()
    (ready.clone / "skills/old.md").rename(ready.clone / "skills/new.md")
    assert ready.install().returncode == 0
    assert [path.name for path in (ready.data / "program/skills").glob("*.md")] == ["new.md"]


def test_dir_chooses_the_place(ready: Machine) -> None:
    """--dir puts the program into another folder, relative to where the person is; its neighbours are left alone."""
    place = ready.home / "my prögrams"
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    assert ready.install("--dir", "my prögrams").returncode == 0
    assert os.readlink(ready.bin / "ato") == str(place / "program/scripts/ato")
    assert ready.ato("--version").returncode == 0
    assert not ready.data.exists()
    assert ready.install("--uninstall", f"--dir={place}").returncode == 0
    assert ready.files(place) == {"mine.txt"}


def test_without_dir_the_data_folder_of_the_settings_counts(ready: Machine) -> None:
    """XDG_DATA_HOME moves the program; launchers that led elsewhere follow, and the person is told."""
    assert ready.install("--dir", "first").returncode == 0
    ready.environment["XDG_DATA_HOME"] = str(ready.home / "data")
    result = ready.install()
    assert result.returncode == 0, result
    assert f"{ready.bin}/ato led to {ready.home}/first/program/scripts/ato before" in result.stdout
    assert os.readlink(ready.bin / "ato") == str(ready.home / "data/agent-team-os/program/scripts/ato")
    result = ready.install("--uninstall", "--dir", "first")
    assert f"Left {ready.bin}/ato alone" in result.stdout
    assert ready.ato("--version").returncode == 0


def test_the_mail_is_no_place_for_the_program(ready: Machine) -> None:
    """The folder of the mail, which people copy and commit, is refused as the program's."""
    assert_refused(ready.install("--dir", str(ready.mail)), 64, str(ready.mail), "--dir")
    assert ready.files() == set()


@pytest.mark.parametrize("umask", [0o002, 0o077])
def test_any_umask_will_do(ready: Machine, umask: int) -> None:
    """The program is installed and works under a shared and under a private umask."""
    before = os.umask(umask)
    try:
        assert ready.install().returncode == 0
    finally:
        os.umask(before)
    assert ready.ato("whoami").returncode == 0
    assert (ready.data / "program/scripts/ato").stat().st_mode & umask == 0


@pytest.mark.parametrize("name", ["ato", "agent-team-os"])
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_a_foreign_launcher_is_never_overwritten(ready: Machine, name: str, kind: str) -> None:
    """Something else at a launcher's place is named and left, and nothing is installed beside it."""
    ready.bin.mkdir(parents=True)
    foreign = ready.bin / name
    if kind == "file":
        foreign.write_text("#!/bin/sh\n")
    elif kind == "link":
        foreign.symlink_to("/opt/other/ato")
    else:
        foreign.mkdir()
    before = ready.files()
    assert_refused(ready.install(), 73, str(foreign), "in the way")
    assert ready.files() == before


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "folder"])
def test_another_program_called_agentops_stays(ready: Machine, kind: str) -> None:
    """There are others of that name: it is left as it is and said, and everything else is installed and taken away."""
    ready.bin.mkdir(parents=True)
    foreign = ready.bin / "agentops"
    if kind == "folder":
        foreign.mkdir()
    elif kind == "file":
        foreign.write_text("#!/bin/sh\necho theirs\n")
    else:
        foreign.symlink_to(ready.tools / "sh" if kind == "link" else "/opt/other/agentops")
    before = foreign.lstat()
    result = ready.install("--no-plugin")
    assert result.returncode == 0, result
    assert f"{foreign} is another program and stays; wherever agentops is written, type ato." in result.stdout
    assert os.readlink(ready.bin / "ato") == str(ready.data / "program/scripts/ato")
    removed = ready.install("--uninstall")
    assert removed.returncode == 0, removed
    assert f"Left {foreign} alone" in removed.stdout
    assert sorted(path.name for path in ready.bin.iterdir()) == ["agentops"]
    assert (foreign.lstat().st_ino, foreign.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_agentops_is_the_same_program(ready: Machine) -> None:
    """Where the name is free, agentops is a command of ours: it follows an installation elsewhere, and goes with it."""
    assert ready.install("--no-plugin", "--dir", "first").returncode == 0
    assert ready.run(str(ready.bin / "agentops"), "msg", "--help").stdout.startswith("Usage: ato msg")
    moved = ready.install("--no-plugin")
    assert f"{ready.bin}/agentops led to {ready.home}/first/program/scripts/ato before" in moved.stdout
    assert os.readlink(ready.bin / "agentops") == str(ready.data / "program/scripts/ato")
    assert ready.install("--uninstall").returncode == 0
    assert not os.path.lexists(ready.bin / "agentops")


@pytest.mark.parametrize("name", ["program", "program.d"])
def test_a_foreign_program_folder_is_never_replaced(ready: Machine, name: str) -> None:
    """A folder of somebody else's at the program's place is named and left as it is, by both directions."""
    (ready.data / name).mkdir(parents=True)
    (ready.data / name / "thesis.txt").write_text("years of work")
    assert_refused(ready.install(), 73, str(ready.data / name), "--dir")
    assert ready.install("--uninstall").returncode == 0
    assert (ready.data / name / "thesis.txt").read_text() == "years of work"


def test_another_ato_first_on_path_is_pointed_out(ready: Machine) -> None:
    """Where a different ato comes first on PATH, the person learns which, and what to type instead."""
    other = ready.tool("ato", "#!/bin/sh\n")
    ready.environment["PATH"] += f":{ready.bin}"
    result = ready.install()
    assert f"Another ato comes first on your PATH, {other}: type agent-team-os instead." in result.stdout
    assert "export PATH" not in result.stdout
