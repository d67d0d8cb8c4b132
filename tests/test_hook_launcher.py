"""hooks/run finds a Python, remembers it, and starts nothing else after that."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from conftest import Team
from support.cli import ORDINARY, PATIENCE
from support.hooks import LAUNCHER, said
from support.launcher import NAMES, REAL, TOOLS, apart, cache, found, program, run


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for a PATH with what the launcher may call, and no Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(found(name))
    return folder


# ---- Which Python -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["python3", "python3.12", "python3.9", "python"])
def test_the_only_python(name: str, team: Team, tools: Path) -> None:
    """A Python by any of its names is found, and the real one is remembered, readable for its owner alone."""
    folder = team.root / "two words's"
    folder.mkdir()
    (folder / name).symlink_to(apart(team))
    answer = run(team, hidden=True, env={**team.env, "PATH": f"{tools}:{folder}"})
    assert said(answer).startswith("You are dev")
    assert cache(team).read_text() == f"{apart(team)}\n"
    assert {path.stat().st_mode & 0o077 for path in (cache(team), cache(team).parent)} == {0}
    assert [path.name for path in cache(team).parent.iterdir()] == ["python"]


BROKEN = {
    "Python 2": "echo 'Unknown option: -I' >&2; exit 2",
    "too old": "exit 0",
    "not there": "echo 'python3: command not found' >&2; exit 127",
    "chatty": "echo Welcome; echo to Python",
    "a liar": "echo /nowhere/python3",
    "killed": "kill -KILL $$",
    "hungry": "cat; exit 1",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_one_first(kind: str, team: Team, tools: Path) -> None:
    """What only looks like a Python is passed over, and takes nothing from the stdin that is for the right one."""
    program(team.root / "bad/python3", BROKEN[kind])
    (team.root / "good").mkdir()
    (team.root / "good/python3").symlink_to(REAL)
    answer = run(team, env={**team.env, "PATH": f"{team.root}/bad:{team.root}/good:{tools}"})
    assert said(answer).startswith("You are dev")
    assert (team.home / "registry/dev.d/s-1.json").exists()
    assert cache(team).read_text() == f"{REAL}\n"


@pytest.mark.parametrize("kind", ["folder", "dangling", "no mode", "empty", "other machine"])
def test_things_with_the_name(kind: str, team: Team, tools: Path) -> None:
    """A folder, a link to nothing, a file nobody may run or that is no program, is no Python either."""
    bad = team.root / "bad/python3"
    bad.parent.mkdir()
    if kind == "folder":
        bad.mkdir()
    elif kind == "dangling":
        bad.symlink_to("nowhere")
    else:
        bad.write_bytes(b"\x7fELF\x02\x01\x01junk" if kind == "other machine" else b"")
        bad.chmod(0o644 if kind == "no mode" else 0o755)
    (team.root / "good").mkdir()
    (team.root / "good/python3").symlink_to(REAL)
    answer = run(team, env={**team.env, "PATH": f"{team.root}/bad:{team.root}/good:{tools}"})
    assert said(answer).startswith("You are dev")


def test_a_shim(team: Team, tools: Path) -> None:
    """Of a script that stands for a Python the real one is remembered, and the script is asked only once."""
    log = team.root / "asked"
    program(team.root / "shims/python3", f'echo asked >>{shlex.quote(str(log))}; exec {shlex.quote(REAL)} "$@"')
    env = {**team.env, "PATH": f"{team.root}/shims:{tools}"}
    assert said(run(team, env=env)).startswith("You are dev")
    assert cache(team).read_text() == f"{REAL}\n"
    assert said(run(team, env=env)).startswith("You are dev")
    assert log.read_text() == "asked\n"


def test_no_python_at_all(team: Team, tools: Path) -> None:
    """Without any Python the hook is silent, remembers nothing, and works as soon as there is one."""
    env = {**team.env, "PATH": str(tools)}
    assert run(team, hidden=True, env=env) == {}
    assert not cache(team).exists()
    (tools / "python3").symlink_to(apart(team))
    assert said(run(team, hidden=True, env=env)).startswith("You are dev")


# ---- What is remembered -------------------------------------------------------------------------


def trapped(team: Team) -> dict[str, str]:
    """An environment in which every program on PATH gives itself away."""
    traps = team.root / "traps"
    for name in (*TOOLS, *NAMES, "readlink", "env", "uname", "ls", "test", "printf", "echo", "true", "id", "git"):
        program(traps / name, f'echo "$0" >>{shlex.quote(str(team.root / "sprung"))}')
    return {**team.env, "PATH": str(traps)}


def remember(team: Team, what: str = REAL) -> None:
    """Let this be the Python that is remembered."""
    cache(team).parent.mkdir(parents=True, exist_ok=True)
    cache(team).write_text(what + "\n")


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit", "Stop", "SessionEnd", "nonsense"])
def test_nothing_is_asked_of_path(event: str, team: Team) -> None:
    """With a Python remembered no other program is started, by the launcher or by what it starts."""
    remember(team)
    run(team, env=trapped(team), event=event)
    assert not (team.root / "sprung").exists()


def test_one_process(team: Team) -> None:
    """With a Python remembered the launcher starts it and no other process."""
    remember(team)
    log = team.root / "calls"
    calls = "execve,execveat,fork,vfork,clone,clone3"
    trace = f'exec {found("strace")} -f -qq -s 4096 -e signal=none -e trace={calls} -o {shlex.quote(str(log))} "$@"'
    assert said(run(team, script=trace)).startswith("You are dev")
    lines = [line for line in log.read_text().splitlines() if "resumed>" not in line]
    assert len([line for line in lines if re.match(r"\d+ +(v?fork|clone3?)\(", line)]) == 1
    started = [line for line in lines if "execve" in line and "ENOENT" not in line]
    assert len(started) == 2
    assert f'"{REAL}", "-I", "-S", "-E"' in started[1]


@pytest.mark.parametrize(
    "left",
    ["/nowhere/python3", "", "\n", "python3", "./python3", "FOLDER", "NO MODE", "x" * 100_000, "\0\xff", "$(id)"],
)
def test_one_that_is_gone(left: str, team: Team, tools: Path) -> None:
    """Whatever is remembered that is no Python any more is found anew, and that is remembered."""
    folder = team.root / "dev"
    program(folder / "python3", f"touch {shlex.quote(str(team.root / 'sprung'))}")
    (team.root / "none").touch()
    names = {"FOLDER": str(folder), "NO MODE": str(team.root / "none")}
    remember(team, names.get(left, left))
    (tools / "python3").symlink_to(REAL)
    assert said(run(team, env={**team.env, "PATH": str(tools)})).startswith("You are dev")
    assert cache(team).read_text() == f"{REAL}\n"
    assert not (team.root / "sprung").exists(), "a path that is not absolute leads into the project"


@pytest.mark.parametrize(
    "code", ["exit 1", "exit 2", "exit 126", "exit 127", "kill -ILL $$", "kill -ABRT $$", "kill -SEGV $$"]
)
def test_one_that_is_broken(code: str, team: Team, tools: Path) -> None:
    """A remembered Python that does not start, or crashes, is found anew."""
    remember(team, str(program(team.root / "bad", code)))
    (tools / "python3").symlink_to(REAL)
    env = {**team.env, "PATH": str(tools)}
    run(team, env=env)
    assert said(run(team, env=env)).startswith("You are dev")
    assert cache(team).read_text() == f"{REAL}\n"


@pytest.mark.parametrize("signal", ["KILL", "TERM", "INT", "HUP", "ALRM"])
def test_one_that_was_killed(signal: str, team: Team) -> None:
    """A hook that somebody killed is over: it is not started again, and its Python stays the one."""
    bad = program(team.root / "bad", f"echo x >>{shlex.quote(str(team.root / 'started'))}; kill -{signal} $$")
    remember(team, str(bad))
    assert run(team) == {}
    assert (team.root / "started").read_text() == "x\n"
    assert cache(team).read_text() == f"{bad}\n"


@pytest.mark.parametrize("kind", ["no write", "file", "relative", "other", "spaces"])
def test_a_cache_elsewhere(kind: str, team: Team) -> None:
    """The cache is where the variable says if that is absolute; one that cannot be written is done without."""
    place = {"relative": "cache", "spaces": str(team.root / "a b'\"é")}.get(kind, str(team.root / "other"))
    if kind == "no write":
        Path(place).mkdir(mode=0o500)
    elif kind == "file":
        Path(place).touch()
    env = {**team.env, "XDG_CACHE_HOME": place}
    for _ in range(2):
        assert said(run(team, env=env)).startswith("You are dev")
    assert not (team.root / "dev/cache").exists()
    assert cache(team).exists() == (kind == "relative")
    assert (Path(place) / "agent-team-os/python").exists() == (kind in ("other", "spaces"))


def test_many_at_once(team: Team) -> None:
    """Several first hooks at once all answer, and leave one cache that is whole."""
    command = [*ORDINARY, "sh", str(LAUNCHER), "SessionStart"]
    running = [
        subprocess.Popen(command, cwd=team.root / "dev", env=team.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in running:
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert said(json.loads(out)).startswith("You are dev")
    assert Path(cache(team).read_text().rstrip("\n")).is_file()
    assert [path.name for path in cache(team).parent.iterdir()] == ["python"]
