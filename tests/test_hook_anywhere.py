"""hooks/run never fails a session, wherever it lies, however it is called, and whatever is around it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess

import pytest

from agent_team_os.hooks import dispatch
from conftest import Team
from support.cli import ORDINARY, PATIENCE, ROOT
from support.hooks import LAUNCHER, said
from support.launcher import GIVEN, program, run
from support.shells import SHELLS

# ---- Wherever it is called ----------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell(shell: str, team: Team) -> None:
    """Any shell that is somebody's sh starts the hook, the first time and later."""
    for _ in range(2):
        assert said(run(team, shell=shell)).startswith("You are dev")


@pytest.mark.parametrize(
    ("script", "launcher"),
    [
        ('cd HERE/hooks; exec "$@"', "run"),
        ('cd HERE/hooks; exec "$@"', "./run"),
        ('cd HERE; exec "$@"', "hooks/run"),
        ('cd HERE/scripts; exec "$@"', "../hooks/run"),
        ('exec "$@"', "HERE/hooks/../hooks/run"),
        ('exec "$@"', "HERE/scripts/../hooks/run"),
        ('ln -s HERE link; exec "$@"', "LINK/hooks/run"),
        ('ln -s HERE link; exec "$@"', "link/hooks/run"),
    ],
)
def test_every_way_to_call_it(script: str, launcher: str, team: Team) -> None:
    """Called by an absolute or a relative path, through a linked folder, and with a CDPATH, it is the same hook."""
    here = shlex.quote(str(ROOT))
    env = {**team.env, "CLAUDE_PROJECT_DIR": str(team.root / "dev"), "CDPATH": f"{team.root}:/:/tmp"}
    (team.root / "hooks").mkdir()
    names = {"HERE": str(ROOT), "LINK": str(team.root / "dev/link")}
    path = re.sub("HERE|LINK", lambda found: names[found[0]], launcher)
    answer = run(team, env=env, script=script.replace("HERE", here), launcher=path)
    assert said(answer).startswith("You are dev")


def test_a_link_to_the_file(team: Team) -> None:
    """A link to the launcher alone says nothing of where the program is: there is silence."""
    (team.root / "x/hooks").mkdir(parents=True)
    for link in (team.root / "link", team.root / "x/hooks/run"):
        link.symlink_to(LAUNCHER)
        assert run(team, launcher=str(link)) in ({}, run(team))


@pytest.mark.parametrize("name", ["two  words", "it's", 'a "b" $x `id` \\n;&|', "Zürich 日本 😀", "-n", "*", "a\nb"])
def test_every_place(name: str, team: Team) -> None:
    """A plugin, a home and a project in folders of any name work, and the names are shown in one line."""
    place = team.root / "p" / name
    place.mkdir(parents=True)
    for part in ("hooks", "schemas", "scripts/agent_team_os"):
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.move(team.home, place / "bus")
    project = place / "project"
    project.mkdir()
    map_ = place / "bus/AGENT_MAP.json"
    map_.write_text(
        json.dumps({"version": "2.0", "rules": [{"pattern": str(project), "agent": "dev", "match": "exact"}]})
    )
    if "*" in name:
        map_.write_text(json.dumps({"version": "2.0", "fallback": "dev"}))
    env = {**team.env, "AGENT_TEAM_OS_HOME": str(place / "bus")}
    text = said(run(team, env=env, cwd=project, launcher=str(place / "hooks/run")))
    first, *rest = text.split("\n")
    assert first.startswith("You are dev on the agent-team-os bus, session dev/project")
    assert len(rest) == (2 if name in ("-n", "*") else 4)  # what could say something is on a framed line


# ---- Whatever is around it ----------------------------------------------------------------------


BARE = {
    "no HOME": {"PATH": os.defpath},
    "no PATH": {"HOME": "HOME"},
    "empty": {"HOME": "", "PATH": "", "XDG_CACHE_HOME": "", "AGENT_TEAM_OS_HOME": "", "CLAUDE_PROJECT_DIR": ""},
    "relative": {"HOME": "x", "PATH": f"::y:{os.defpath}"},
    "odd": {"HOME": "HOME", "PATH": os.defpath, "TMPDIR": "/nowhere", "LC_ALL": "xx_YY", "TZ": ":/etc/passwd"},
}


@pytest.mark.parametrize("event", [*dispatch.EVENTS, *BARE])
def test_a_bare_environment(event: str, team: Team) -> None:
    """Without any variable each hook succeeds, and with odd ones too; nothing is left in a project of nobody's."""
    env = {name: value.replace("HOME", str(team.root)) for name, value in BARE.get(event, {}).items()}
    folder = team.root / "other"
    folder.mkdir()
    program(folder / "python3", f"touch {shlex.quote(str(team.root / 'sprung'))}")
    assert run(team, env=env, event="SessionStart" if event in BARE else event, cwd=folder) == {}
    assert [path.name for path in folder.iterdir()] == ["python3"]
    assert not (team.root / "sprung").exists()


@pytest.mark.parametrize(
    "streams", ["<&-", "<&- >&-", "2>&-", ">/dev/full", "<&- >&- 2>&-", "</", "<$HOME/.agent-team-os/AGENT_MAP.json"]
)
def test_odd_streams(streams: str, team: Team) -> None:
    """With stdin, stdout or stderr closed, full, or something else, every hook succeeds."""
    run(team, script=f'exec "$@" {streams}')


def test_a_folder_that_is_gone(team: Team) -> None:
    """In a folder that somebody has removed the hook succeeds; the workspace that the client names still counts."""
    gone = team.root / "dev/gone"
    command = [*ORDINARY, "sh", "-c", 'rmdir ../gone; exec sh "$@" 2>/dev/null', "sh", str(LAUNCHER), "SessionStart"]
    for env in (team.env, {**team.env, "CLAUDE_PROJECT_DIR": str(team.root / "dev")}):
        gone.mkdir()
        done = subprocess.run(
            command, cwd=gone, env=env, input=GIVEN, capture_output=True, timeout=PATIENCE, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
    assert said(json.loads(done.stdout)).startswith("You are dev")


HOSTILE = "import os\nopen({trap!r}, 'w')\nraise SystemExit(3)\n"


def test_hostile_modules(team: Team) -> None:
    """Modules in the project or on a path of the environment are never imported, and no start-up file is read."""
    folder = team.root / "dev"
    trap = team.root / "sprung"
    names = ("json", "os", "re", "io", "gc", "time", "zlib", "site", "sitecustomize", "usercustomize", "encodings")
    for name in (*names, "agent_team_os", "startup"):
        (folder / f"{name}.py").write_text(HOSTILE.format(trap=str(trap)))
    env = {
        **team.env,
        "PYTHONPATH": str(folder), "PYTHONSTARTUP": str(folder / "startup.py"), "PYTHONHOME": str(folder),
        "PYTHONINSPECT": "1", "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0",
        "PYTHONOPTIMIZE": "2", "PYTHONVERBOSE": "1", "PYTHONUSERBASE": str(folder), "PYTHONPLATLIBDIR": "x",
        "PYTHONEXECUTABLE": "/nowhere", "PYTHONDUMPREFS": "1", "PYTHONDEVMODE": "1", "PYTHONBREAKPOINT": "startup.x",
        "ENV": str(folder / "startup.py"), "BASH_ENV": str(folder / "startup.py"), "LC_ALL": "C", "LANG": "C",
    }  # fmt: skip
    path = team.home / "AGENT_MAP.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "agents": {"dev": {"role": "Zürich 日本 😀"}}}))
    for _ in range(2):
        told = said(run(team, env=env))
        assert told.startswith("You are dev on the agent-team-os bus")
        assert "| Your role: Zürich 日本 😀.\n" in told
    assert not trap.exists()


@pytest.mark.parametrize(
    "event", ["", "nonsense", "../Stop", "-c", "$(touch sprung)", "; touch sprung", "Stop extra", "SessionStart\n"]
)
def test_events_nobody_knows(event: str, team: Team) -> None:
    """Another event, or none, is nothing to the hook."""
    assert run(team, event=event) == {}
    assert not list((team.root / "dev").iterdir())
