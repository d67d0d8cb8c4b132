"""What is installed or remembered for a user, no other user can write; what one could write is not run."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Team
from support.hooks import said
from support.launcher import REAL, cache, program, run
from support.machine import Machine, assert_refused
from support.machine import ready as ready_machine

SOMEBODY = 12345  # the number of another user


@pytest.fixture
def ready(tmp_path: Path) -> Machine:
    """A scratch machine with Python and the stand-in for uv."""
    machine = ready_machine(tmp_path)
    (machine.tools / "chmod").symlink_to(shutil.which("chmod") or "")
    return machine


@pytest.fixture(params=[0o000, 0o002], ids=["umask 000", "umask 002"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """A umask that leaves others, or the group, the right to write."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def open_to_others(folder: Path) -> set[str]:
    """What others can write below a folder, itself included."""
    paths = [folder, *folder.rglob("*")]
    return {str(path) for path in paths if not path.is_symlink() and path.stat().st_mode & 0o022}


def loosen(folder: Path) -> None:
    """Let everybody write all of it."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o777)


def test_whatever_the_umask(ready: Machine, umask: int) -> None:
    """Program, environment, commands and mail are for their owner to write, from a clone that all can write too."""
    assert umask & 0o020 == 0
    ready.home.chmod(0o755)
    loosen(ready.clone)
    result = ready.install()
    assert result.returncode == 0, result
    assert open_to_others(ready.home) == set()
    assert os.access(ready.data / "program/scripts/ato", os.X_OK)


def test_whatever_the_umask_without_installation(ready: Machine, umask: int) -> None:
    """So are the packages of a copy that nobody installed, and the Python that hooks remember."""
    assert umask & 0o020 == 0
    ready.home.chmod(0o755)
    for script, word in (("scripts/ato", "--version"), ("hooks/run", "SessionStart")):
        command = ["sh", str(ready.clone / script), word]
        subprocess.run(command, env=ready.environment, stdin=subprocess.DEVNULL, check=True)
    assert (ready.home / ".cache/agent-team-os/python").exists()
    assert open_to_others(ready.home) == set()


def test_an_acl_gives_nobody_more(ready: Machine) -> None:
    """Where a folder gives what is made in it modes of its own, the umask does not count and the rule still does."""
    everybody = b"".join(struct.pack("<HHI", who, 7, 0xFFFFFFFF) for who in (1, 4, 32))
    os.setxattr(ready.home, "system.posix_acl_default", struct.pack("<I", 2) + everybody)
    result = ready.install("--dir", "own")
    assert result.returncode == 0, result
    assert open_to_others(ready.home / "own") == set()


@pytest.mark.parametrize("how", ["mode", "owner"])
def test_an_environment_that_others_could_change_is_made_again(ready: Machine, how: str) -> None:
    """An update puts right what was open to others, and keeps no environment that they may have changed."""
    assert ready.install().returncode == 0
    (package,) = (ready.data / "program/.venv").resolve().glob("lib/python*/site-packages")
    planted = package / "planted.py"
    planted.touch()
    if how == "owner":
        os.chown(planted, SOMEBODY, SOMEBODY)
    else:
        loosen(ready.data)
    result = ready.install()
    assert result.returncode == 0, result
    assert not planted.exists()
    assert open_to_others(ready.data) == set()


def test_a_folder_of_many_is_no_place_for_a_program(ready: Machine) -> None:
    """A DIR that others can write is refused with the command that mends it, and is left as it is."""
    place = ready.home / "shared"
    place.mkdir()
    place.chmod(0o777)
    assert_refused(ready.install("--dir", "shared"), 73, f"chmod go-w {place}", "--dir")
    assert place.stat().st_mode & 0o777 == 0o777
    assert list(place.iterdir()) == []


def test_packages_of_another_user_are_not_run(ready: Machine) -> None:
    """An environment that somebody else put in the place of ours is not used, and its folder is refused by name."""
    name = (ready.clone / "requirements.lock.sha256").read_text().split()[0]
    data = ready.data / "runtime"
    program(data / name / "bin/python", f"touch '{ready.home}/sprung'")
    os.chown(data / name, SOMEBODY, SOMEBODY)
    command = [str(ready.clone / "scripts/ato"), "--version"]
    done = subprocess.run(command, env=ready.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:14]) == (0, "agent-team-os "), done
    os.chown(data, SOMEBODY, SOMEBODY)
    shutil.rmtree(data / name)
    done = subprocess.run(command, env=ready.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, f"{data} belongs to another user" in done.stderr) == (73, "", True), done
    assert not (ready.home / "sprung").exists()


# ---- The Python that hooks remember -------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file of another", "folder of another", "link"])
def test_what_another_user_wants_remembered(kind: str, team: Team) -> None:
    """hooks/run runs no Python that a note of another user, or one that a link leads to, names."""
    note, sprung = cache(team), team.root / "sprung"
    note.parent.mkdir(parents=True)
    note.write_text(f"{program(team.root / 'bad', f'touch {sprung}')}\n")
    if kind == "link":
        note.rename(team.root / "text")
        note.symlink_to(team.root / "text")
    else:
        os.chown(note if kind.startswith("file") else note.parent, SOMEBODY, SOMEBODY)
    assert said(run(team)).startswith("You are dev")
    assert not sprung.exists()
    if not kind.startswith("folder"):
        assert (note.is_symlink(), note.read_text(), note.stat().st_uid) == (False, f"{REAL}\n", os.getuid())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_note_that_others_can_write(kind: str, team: Team) -> None:
    """The first hook that finds its note open to others forgets it; the next one writes another, for itself alone."""
    note = cache(team)
    note.parent.mkdir(parents=True)
    note.write_text(f"{REAL}\n")
    (note if kind == "file" else note.parent).chmod(0o777)
    assert said(run(team)).startswith("You are dev")
    assert not note.exists()
    assert said(run(team)).startswith("You are dev")
    assert note.read_text() == f"{REAL}\n"
    assert open_to_others(note.parent) == set()


def test_a_link_where_the_note_is_written(team: Team) -> None:
    """A first hook writes through no link that lies where its note is to be."""
    precious = team.root / "precious"
    precious.write_text("mine")
    cache(team).parent.mkdir(parents=True)
    # The number of the process is that of the shell, which `exec` keeps.
    script = f'ln -s {precious} {cache(team).parent}/python.$$; exec "$@"'
    assert said(run(team, script=script)).startswith("You are dev")
    assert precious.read_text() == "mine"
