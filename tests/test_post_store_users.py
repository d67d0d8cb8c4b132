"""A store in a folder that several users of a machine share: who may read, and who may change what."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_team_os.post import store as stores
from support.cli import PATIENCE, ROOT

MAX, ALEX, EVE = "m" * 26, "a" * 26, "e" * 26
LETTER = f"v1/from/{MAX}/to/{ALEX}/0001.age"
UIDS = {"max": 41001, "alex": 41002, "eve": 41003}
GROUP = 41000
# Run as root, for another user may not be able to read this project: gives that up when all is imported.
AS_USER = """
import asyncio, os, sys
import obstore, obstore.exceptions, obstore.store
from agent_team_os.post import folder, store
from agent_team_os.post.store import Denied, Missing, StoreFailed, make_folder_store, open_store, probe
uid, group, umask, url, script = sys.argv[1:]
os.setgroups([int(group)] if group else [])
os.setgid(int(uid))
os.setuid(int(uid))
os.umask(int(umask, 8))
os.chdir("/")
exec(script)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder every user of this machine can reach."""
    if os.geteuid() != 0:
        pytest.fail("what one user of a machine can do to another is tried as two users, which takes root")
    # Not where TMPDIR says: the folders above that may be one user's alone.
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def run(person: str, root: Path, script: str, group: str = str(GROUP), umask: str = "077") -> str:
    """What a script of a person's prints; `url` is the address of the store in it."""
    done = subprocess.run(
        [sys.executable, "-c", AS_USER, str(UIDS[person]), group, umask, str(root), script],
        capture_output=True, text=True, timeout=PATIENCE, check=False, env={"PYTHONPATH": str(ROOT / "scripts")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refused(person: str, root: Path, *scripts: str, **how: str) -> list[str]:
    """What a person is told whom the store or the kernel refuses something; each time on a line of its own."""
    body = "".join(
        f"try:\n    {script}\n    print('allowed')\n"
        "except (StoreFailed, OSError) as error:\n    print(type(error).__name__, error)\n"
        for script in scripts
    )
    return run(person, root, body, **how).splitlines()


PUT = f"open_store(url, {{}}).put_new({LETTER!r}, b'a letter')"
GET = f"print(open_store(url, {{}}).get({LETTER!r}, 100))"


@pytest.mark.parametrize(
    ("umask", "mode", "file", "folder", "common"),
    [
        ("077", 0o2770, 0o640, 0o2750, 0o3770),
        ("000", 0o2770, 0o640, 0o2750, 0o3770),
        ("077", 0o1777, 0o644, 0o755, 0o1777),
        ("000", 0o2775, 0o644, 0o2755, 0o3775),
    ],
)
def test_two_users(place: Path, umask: str, mode: int, file: int, folder: int, common: int) -> None:
    """Two users keep letters in one folder, whatever their umask: all who may read the folder read them, and only
    who wrote them can change or remove them."""
    root = place / "store"
    root.mkdir()
    os.chown(root, -1, GROUP)
    root.chmod(mode)
    stores.make_folder_store(str(root))
    run("max", root, PUT, umask=umask)
    run("alex", root, PUT.replace(MAX, ALEX), umask=umask)
    assert run("alex", root, GET, umask=umask) == "b'a letter'"
    modes = {path: (root / path).stat().st_mode & 0o7777 for path in (LETTER, f"v1/from/{MAX}/to", f"v1/from/{MAX}")}
    assert modes == {LETTER: file, f"v1/from/{MAX}/to": folder, f"v1/from/{MAX}": folder}
    assert {path: (root / path).stat().st_mode & 0o7777 for path in ("", "v1", "v1/from", "v1/dir")} == dict.fromkeys(
        ("", "v1", "v1/from", "v1/dir"), common
    )
    deeds = [f"os.unlink(url + '/{LETTER}')", f"open(url + '/{LETTER}', 'r+b')"]
    for path in (LETTER, f"v1/from/{MAX}/to/{ALEX}", f"v1/from/{MAX}", "v1/from", "v1"):
        deeds += [f"os.rename(url + '/{path}', url + '/{path}.gone')", f"os.chmod(url + '/{path}', 0o777)"]
    assert [said.split()[0] for said in refused("alex", root, *deeds)] == ["PermissionError"] * len(deeds)
    puts = [PUT.replace("0001", "0002"), PUT.replace("/to/", "/ack/"), PUT.replace("put_new", "replace")]
    said = refused("alex", root, *puts)
    assert [line.split()[0] for line in said] == ["Denied"] * 3, said


def test_who_may_not_enter_the_folder_reads_nothing(place: Path) -> None:
    """A folder of a group is closed to everybody else, and says so."""
    root = place / "store"
    root.mkdir()
    os.chown(root, -1, GROUP)
    root.chmod(0o2770)
    stores.make_folder_store(str(root))
    run("max", root, PUT)
    said = refused("eve", root, GET, PUT.replace(MAX, EVE), "open_store(url, {}).keys('v1')", group="")
    assert [line.split()[0] for line in said] == ["Denied"] * 3, said
    assert run("alex", root, GET) == "b'a letter'"


def test_a_folder_only_its_owner_reads_stops_nobody(place: Path) -> None:
    """What somebody keeps to themselves in a shared store is passed over in a listing, and is Denied by name."""
    root = place / "store"
    root.mkdir(mode=0o1777)
    root.chmod(0o1777)
    stores.make_folder_store(str(root))
    run("max", root, PUT)
    run("eve", root, PUT.replace(MAX, EVE) + f"; os.chmod(url + '/v1/from/{EVE}/to', 0o700)")
    assert run("alex", root, "print(open_store(url, {}).keys('v1'))") == str([(LETTER, 8)])
    said = refused("alex", root, GET.replace(MAX, EVE), f"open_store(url, {{}}).keys('v1/from/{EVE}/to')")
    assert [line.split()[0] for line in said] == ["Denied"] * 2, said


def test_a_folder_without_the_sticky_bit_is_a_finding(place: Path) -> None:
    """Setup makes a shared folder safe where it may, and a probe names one where everybody can remove everything."""
    root = place / "store"
    root.mkdir()
    root.chmod(0o777)
    run("max", root, "make_folder_store(url)")
    probe = f"print(probe(open_store(url, {{}}), 'v1/from/{MAX}/probe/1'))"
    assert run("max", root, probe) == str(
        [f"Whoever may write in {root} may remove what others put there: chmod +t {root}"]
    )
    stores.make_folder_store(str(root))  # by its owner
    assert run("max", root, probe) == "[]"
