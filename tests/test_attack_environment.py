"""Variables, modules and programs that a project or a shell brings along: none is run, and none changes a thing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.hooks import dispatch
from conftest import Team
from support.cli import ORDINARY, PATIENCE, ROOT
from support.hooks import said
from support.launcher import cache, found, program
from support.shells import SHELLS

MODULES = (
    "json", "os", "re", "io", "gc", "time", "stat", "enum", "types", "typing", "errno", "fcntl", "zlib", "codecs",
    "contextlib", "subprocess", "site", "sitecustomize", "usercustomize", "encodings", "click", "jsonschema",
    "portalocker", "agent_team_os", "startup", "__main__",
)  # fmt: skip
PROGRAMS = (
    "python3", "python", "sh", "git", "env", "dirname", "readlink", "mkdir", "mv", "rm", "cat", "uname", "xcode-select",
    "test", "ato", "uv", "pip",
)  # fmt: skip


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as somebody fetched it, with the packages of the Python that runs the tests."""
    place = tmp_path_factory.mktemp("clone")
    for part in ("hooks", "schemas", "scripts"):
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    (place / ".venv").symlink_to(sys.prefix)
    return place


@pytest.fixture
def trapped(team: Team) -> Team:
    """A bus whose dev works in a folder with a module and a program for every name that could be looked for."""
    trap, folder = team.root / "sprung", team.root / "dev"
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"open({str(trap)!r}, 'a').write('{name} ')\nraise SystemExit(3)\n")
    for name in ("agent_team_os", "click", "encodings"):
        (folder / name).mkdir()
        shutil.copy(folder / f"{name}.py", folder / name / "__init__.py")
    for name in PROGRAMS:
        program(folder / name, f"printf '%s ' {name} >>'{trap}'; exit 3")
    (folder / "startup.sh").write_text(f"printf 'startup ' >>'{trap}'\n")
    return team


def sprung(team: Team) -> str:
    """Which traps were stepped into."""
    path = team.root / "sprung"
    return path.read_text() if path.exists() else ""


def hostile(team: Team) -> dict[str, str]:
    """An environment that leads every interpreter into the folder of dev."""
    folder = str(team.root / "dev")
    return {
        **team.env,
        "PYTHONPATH": folder, "PYTHONSTARTUP": f"{folder}/startup.py", "PYTHONHOME": folder, "PYTHONINSPECT": "1",
        "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0", "PYTHONOPTIMIZE": "2",
        "PYTHONVERBOSE": "1", "PYTHONUSERBASE": folder, "PYTHONPLATLIBDIR": folder,
        "PYTHONBREAKPOINT": "startup.x", "PYTHONDEVMODE": "1", "PYTHONPROFILEIMPORTTIME": "1", "PYTHONSAFEPATH": "",
        "PYTHONCASEOK": "1", "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder, "PYTHONCOERCECLOCALE": "0",
        "PYTHONNODEBUGRANGES": "1", "PYTHONHASHSEED": "nonsense", "PYTHONMALLOC": "debug",
        "BASH_ENV": f"{folder}/startup.sh", "ENV": f"{folder}/startup.sh", "CDPATH": f"{folder}:/", "IFS": "/o",
        "PS4": "$(./sh)", "LD_LIBRARY_PATH": "", "GLOBIGNORE": "*", "POSIXLY_CORRECT": "1", "LC_ALL": "C",
        "GIT_DIR": folder, "VIRTUAL_ENV": folder, "CLICOLOR_FORCE": "1",
    }  # fmt: skip


def ato(team: Team, clone: Path, env: Mapping[str, str], *args: str) -> Any:
    """What a verb prints with --json, started by its launcher in the folder of dev."""
    done = subprocess.run(
        [*ORDINARY, found("sh"), str(clone / "scripts/ato"), args[0], "--json", *args[1:]],
        cwd=team.root / "dev", env=dict(env), capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def event(team: Team, clone: Path, env: Mapping[str, str], name: str, shell: str = "sh") -> str:
    """What the hook of an event tells a session in the folder of dev."""
    given = {"session_id": "s-1", "tool_name": "Bash", "tool_input": {"command": "ls"}}
    done = subprocess.run(
        [*ORDINARY, found(shell), str(clone / "hooks/run"), name], input=json.dumps(given).encode(),
        cwd=team.root / "dev", env=dict(env), capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    return said(json.loads(done.stdout)) if done.stdout else ""


def test_a_verb(trapped: Team, clone: Path) -> None:
    """A verb started in such a folder, with such variables, does what it always does."""
    sent = trapped.ask("ops", "dev", question="Zürich 日本?")
    env = hostile(trapped)
    assert ato(trapped, clone, env, "whoami")["agent"] == "dev"
    assert ato(trapped, clone, env, "read")["payload"] == {"question": "Zürich 日本?"}
    answer = ato(trapped, clone, env, "reply", sent["id"], "response", "--summary", "x")
    assert trapped.stored(answer)["in_reply_to"] == sent["id"]
    assert ato(trapped, clone, env, "doctor")["ok"]
    assert sprung(trapped) == ""


@pytest.mark.parametrize("python", ["/nowhere", "DEV/bin/python"])
def test_a_verb_where_python_is_said_to_be_elsewhere(python: str, trapped: Team, clone: Path) -> None:
    """A variable that names another Python leads to no packages but the program's own."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = trapped.root / f"dev/lib/{version}/site-packages"
    shutil.copytree(trapped.root / "dev/click", packages / "click")
    env = {**trapped.env, "PYTHONEXECUTABLE": python.replace("DEV", str(trapped.root / "dev"))}
    assert ato(trapped, clone, env, "whoami")["agent"] == "dev"
    assert sprung(trapped) == ""


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("options", ["", "errexit:nounset:noglob:noclobber:pipefail"])
def test_every_event(shell: str, options: str, trapped: Team, clone: Path) -> None:
    """The hooks too, the first time and later, whatever options the shell is told to have."""
    env = {**hostile(trapped), **({"SHELLOPTS": options} if options else {}), "PYTHONEXECUTABLE": "/nowhere"}
    for name in ("SessionStart", *dispatch.EVENTS):
        told = event(trapped, clone, env, name, shell)
        assert name != "SessionStart" or told.startswith("You are dev")
    assert sprung(trapped) == ""
    assert not cache(trapped).read_text().startswith(str(trapped.root))


# ---- Where the working directory is on PATH -----------------------------------------------------

HERE = ["", ".", "bin/.."]


def searched(team: Team, here: str) -> dict[str, str]:
    """An environment whose PATH leads into the folder of dev first, however it says so."""
    (team.root / "dev/bin").mkdir(exist_ok=True)
    return {**team.env, "PATH": f"{here}:{team.env['PATH']}"}


@pytest.mark.parametrize("here", HERE)
def test_events_where_path_leads_into_the_project(here: str, trapped: Team, clone: Path) -> None:
    """The hooks run no program that PATH finds in the working directory, the first time neither."""
    for name in ("SessionStart", *dispatch.EVENTS):
        told = event(trapped, clone, searched(trapped, here), name)
        assert name != "SessionStart" or told.startswith("You are dev")
    assert sprung(trapped) == ""


def test_verbs_where_path_leads_into_the_project(trapped: Team, clone: Path) -> None:
    """Nor does any verb but handoff, which asks the person's git for the state of the work tree."""
    env = searched(trapped, ".")
    sent = ato(trapped, clone, env, "send", "ops", "note", "--summary", "x")
    for args in (["inbox"], ["bus"], ["thread", sent["thread_id"]], ["trace", sent["id"]], ["doctor"]):
        assert ato(trapped, clone, env, *args)
    assert sprung(trapped) == ""
