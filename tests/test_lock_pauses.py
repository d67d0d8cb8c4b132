"""A lock never has two holders wherever one of them stands still, and blocks nobody wherever one is killed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import pauses
from support.cli import ROOT

SCRIPTS = ROOT / "scripts"
STARTS = ("free", "dead", "empty")  # nobody there; left by a killed process of ours; by a killed helper of version 1
# Every kind of call on the way in and out.
CALLS = {"openat", "fchmod", "flock", "mkdir", "newfstatat", "getdents64", "close", "write", "unlinkat", "rmdir"}

_TAKE = "                if _take(watched, ours, fresh or seen >= LEASE):\n"
# Ways to write this lock that look right. Of each: where it shows, and what to replace in storage/lock.py by what.
WRONG: dict[str, tuple[tuple[str, str, str], dict[str, str]]] = {
    "takeover removes the folder and makes it again": (
        ("empty", "helper", "stay"),
        {
            _TAKE: """\
                if not fresh and seen >= LEASE and not os.listdir(watched):
                    with contextlib.suppress(OSError):
                        os.rmdir(path)
                        fresh = _made(path)
                        os.close(watched)
                        watched = _open(path)
"""
            + _TAKE
        },
    ),
    "takeover renames a folder of ours over the name": (
        ("empty", "helper", "stay"),
        {
            _TAKE: """\
                if seen >= LEASE:
                    with contextlib.suppress(OSError):
                        os.mkdir(path + ".new", 0o700)
                        os.close(os.open(f"{path}.new/{ours}", os.O_WRONLY | os.O_CREAT, 0o600))
                        os.rename(path + ".new", path)
                        return _open(path)
"""
            + _TAKE
        },
    ),
    "process ids are probed where the guard should decide": (
        ("dead", "ours", "stay"),
        {
            "    with guard(home, agent, wait):\n": "    if True:\n",
            "all(process.is_ours(name) and _is_file(fd, name) for name in names)": (
                'not any(os.path.exists("/proc/" + name.split(".")[1]) for name in names)'
            ),
            "            os.unlink(name, dir_fd=fd)\n": (
                "            with contextlib.suppress(OSError):\n                os.unlink(name, dir_fd=fd)\n"
            ),
        },
    ),
    "the lease goes on when another helper has come": (
        ("empty", "helper", "stay"),
        {
            """\
                if watched >= 0 and (status.st_dev, status.st_ino) == inode:
                    os.close(fd)
""": """\
                if watched >= 0:
                    os.close(watched)
                    watched = fd
"""
        },
    ),
    "the guard is unlinked by who leaves it": (
        ("free", "ours", "again"),
        {
            "        flock(fd, name, wait)\n        yield\n": """\
        flock(fd, name, wait)
        yield
        with contextlib.suppress(OSError):
            os.unlink(layout.lock(home, name) + ".guard")
"""
        },
    ),
}


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pauses.Arena]:
    """Processes that fight for one lock of the program as it is."""
    with pauses.Arena(SCRIPTS, tmp_path_factory.mktemp("arena")) as arena:
        yield arena


@pytest.mark.parametrize("visit", ["stay", "again"])
@pytest.mark.parametrize("who", ["ours", "helper"])
@pytest.mark.parametrize("start", STARTS)
def test_never_two_inside(start: str, who: str, visit: str, arena: pauses.Arena) -> None:
    """Wherever a process stops on its way through the lock, whoever comes meanwhile and stays, or goes and comes
    again, is alone inside, and both have had their turn in the end.
    """
    found = list(arena.pauses(start, getattr(arena, who), visit))
    assert {point.name for point, _ in found} >= CALLS
    assert [f"{point}: {', '.join(wrong)}" for point, wrong in found if wrong] == []


@pytest.mark.parametrize("start", STARTS)
def test_the_killed_block_nobody(start: str, arena: pauses.Arena) -> None:
    """Wherever a process is killed on its way through the lock, the next one gets in, and leaves nothing behind."""
    found = list(arena.kills(start))
    assert {point.name for point, _ in found} >= CALLS
    assert [f"{point}: {', '.join(wrong)}" for point, wrong in found if wrong] == []


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_lock_is_seen(wrong: str, tmp_path: Path) -> None:
    """Of a copy of the program whose lock is written otherwise, the same look sees two inside at once."""
    (start, who, visit), changes = WRONG[wrong]
    scripts = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    file = scripts / "agent_team_os/storage/lock.py"
    text = file.read_text()
    for old, new in changes.items():
        assert text.count(old) == 1, f"storage/lock.py has changed: bring this wrong lock up to date with it: {old}"
        text = text.replace(old, new)
    file.write_text(text)
    with pauses.Arena(scripts, tmp_path) as arena:
        found = arena.pauses(start, getattr(arena, who), visit)
        seen = next(
            (problem for _, problems in found for problem in problems if problem.startswith(pauses.OVERLAP)), ""
        )
    assert seen, "nothing was seen"
