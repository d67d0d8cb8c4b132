"""What `doctor` says of the place a home has: its owner, its modes, the Python and the disk under it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.mail import doctor
from agent_team_os.mail.doctor import place
from support.breakages.place import mode_too_narrow
from support.cli import ROOT
from support.homes import MACHINE, edit_map, examine, healthy, tree


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bus in which nothing is wrong."""
    return healthy(tmp_path, monkeypatch)


def test_no_bus_yet(tmp_path: Path) -> None:
    """Without a home there is one note and the command that makes it, and repair makes nothing."""
    [finding] = examine(tmp_path / "none")
    assert (finding["code"], finding["severity"], finding["fix"]) == ("home-missing", "note", "ato init")
    assert list(doctor.repair(str(tmp_path / "none"))) == []
    assert list(tmp_path.iterdir()) == []


def test_a_home_of_another_user(tmp_path: Path) -> None:
    """A home that belongs to somebody else is an error, is not looked into, and is not repaired."""
    theirs = tmp_path / "theirs"
    theirs.mkdir(0o777)
    theirs = theirs if os.geteuid() == 0 else Path("/usr")
    if os.geteuid() == 0:
        os.chown(theirs, 12345, -1)
    [finding] = examine(theirs)
    assert (finding["code"], finding["severity"]) == ("home-refused", "error")
    assert "belongs to another user" in finding["what"]
    assert list(doctor.repair(str(theirs))) == []


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    """A file in place of the home is an error."""
    (tmp_path / "home").touch()
    [finding] = examine(tmp_path / "home")
    assert (finding["code"], finding["severity"]) == ("home-refused", "error")


def test_things_of_another_user(home: Path) -> None:
    """What another user owns inside the home, as after sudo, is one error with the command that gives it back."""
    assert list(place.foreign_owner(str(home))) == []
    [finding] = place.foreign_owner(str(home), os.geteuid() + 1)
    assert finding["code"] == "foreign-owner"
    assert finding["fix"] == f'sudo chown -R "$(id -un)" {home}'


def test_a_home_that_cannot_be_written() -> None:
    """A home without the right to write is a warning: what is there can still be listed."""
    with tempfile.TemporaryDirectory(prefix="doctor-") as folder:
        home = Path(folder) / "home"
        home.mkdir(0o500)
        assert_read_only(home)


def assert_read_only(home: Path) -> None:
    """Look at an unwritable home as a user who is not root."""
    nobody = 65534
    if os.geteuid() == 0:
        home.parent.chmod(0o755)
        os.chown(home, nobody, -1)
        os.seteuid(nobody)
    try:
        [finding] = place.home_read_only(str(home))
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
    assert (finding["code"], finding["severity"]) == ("home-read-only", "warning")
    assert list(place.home_read_only(str(home.parent))) == []


def test_a_folder_that_cannot_be_opened(home: Path) -> None:
    """A folder without any permission is named for its mode, and is read again after the repair."""
    says = mode_too_narrow(home)
    assert any(finding["code"] == "wrong-mode" and says in finding["what"] for finding in examine(home))
    assert list(doctor.repair(str(home)))
    assert examine(home) == []


def test_what_cannot_be_looked_at(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder the system refuses to list is one error, and everything else is looked at all the same."""
    real = os.listdir

    def listdir(path: Any) -> list[str]:
        if path == str(home / "threads"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    edit_map(home, gods=["nobody"])
    found = {finding["code"]: finding for finding in examine(home)}
    assert found["cannot-look"]["path"] == str(home / "threads")
    assert "map-unknown-agent" in found


def test_a_link_in_the_place_of_a_folder(home: Path) -> None:
    """A home with a link where a folder belongs is refused by every command; nothing behind it is looked at."""
    (home / "threads").rename(home.parent / "elsewhere")
    (home / "threads").symlink_to(home.parent / "elsewhere")
    before = tree(home.parent)
    [finding] = examine(home)
    assert (finding["code"], finding["severity"]) == ("home-refused", "error")
    assert str(home / "threads") in finding["what"]
    assert list(doctor.repair(str(home))) == []
    assert tree(home.parent) == before


def test_python_too_old(home: Path) -> None:
    """A Python the command line was not written for is an error."""
    assert list(place.python_too_old(str(home))) == []
    [finding] = place.python_too_old(str(home), (3, 9))
    assert (finding["code"], finding["severity"]) == ("python-old", "error")
    assert finding["what"] == "Python 3.9 runs this; the command line needs 3.11 or newer."


def test_packages_missing(home: Path) -> None:
    """Run by a Python without the packages, doctor still works and names the packages."""
    code = f"""import sys, json; sys.path.insert(0, {str(ROOT / "scripts")!r})
from agent_team_os.mail import doctor
print(json.dumps(doctor.examine(sys.argv[1])))
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, home], capture_output=True, check=True)
    [finding] = [entry for entry in json.loads(done.stdout) if entry["code"] not in MACHINE]
    assert (finding["code"], finding["severity"]) == ("package-missing", "error")
    assert "click, jsonschema, portalocker" in finding["what"]


def test_disk_nearly_full(home: Path) -> None:
    """Less room than a few messages with attachments need is a warning."""
    assert list(place.disk_full(str(home), room=0)) == []
    [finding] = place.disk_full(str(home), room=2**62)
    assert (finding["code"], finding["severity"]) == ("disk-full", "warning")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("nfs4", "promised for local disks"),
        ("fuse.sshfs", "promised for local disks"),
        ("9p", "promised for local disks"),
        ("exfat", "no hard links"),
        ("ext4", None),
        ("fuse.gocryptfs", None),
    ],
)
def test_file_systems(kind: str, says: str | None, home: Path) -> None:
    """A file system that several machines write to, or without hard links, is a warning."""
    point = str(home.parent).replace(" ", "\\040")
    mounts = home.parent / "mounts"
    mounts.write_text(
        f"/dev/a / ext4 rw 0 0\nold {point} ext4 rw 0 0\nnew {point} {kind} rw 0 0\nb {point}x vfat rw 0 0\n"
    )
    found = list(place.file_system(str(home), str(mounts)))
    assert [finding["code"] for finding in found] == (["file-system"] if says else [])
    assert all(says and says in finding["what"] for finding in found)


def test_the_mount_table_of_this_machine(home: Path) -> None:
    """The type of the file system is found in the kernel's own table, wherever there is one."""
    assert bool(place.file_system_of(str(home), place.MOUNTS)) == os.path.exists(place.MOUNTS)
