"""What the store of letters costs those who do not need it: nothing."""

from __future__ import annotations

import subprocess
import sys

import tomllib

from support.cli import ROOT

HEAVY = ("obstore", "asyncio", "configparser", "boto3", "nacl", "pyrage", "apprise")


def test_importing_the_store_imports_no_package() -> None:
    """The module of the store can be imported where no store is opened, without obstore or anything of its weight."""
    script = f"import sys; import agent_team_os.post.store; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(ROOT / "scripts")}, capture_output=True, check=True
    )
    assert done.stdout.strip() == b"[]"


def test_without_obstore_one_line_says_what_to_install() -> None:
    """Where the extra `msg` was not installed, opening a store says that, and what would help."""
    script = (
        "import sys; sys.modules['obstore'] = None\n"
        "from agent_team_os.post.store import open_store\n"
        "from agent_team_os.protocol.errors import NotInstalled\n"
        "try: open_store('/srv', {})\n"
        "except NotInstalled as error: print(error.message, error.hint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(ROOT / "scripts")}, capture_output=True, check=True
    )
    assert done.stdout.decode() == (
        "ato msg needs obstore, which is missing Install it: pip install 'agent-team-os[msg]'\n"
    )


def test_every_module_of_the_post_but_one_is_kept_from_the_hooks() -> None:
    """pyproject.toml forbids the hooks of every prompt each module of the post, all but the notice."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (forbidden,) = (each["forbidden_modules"] for each in contracts if each["name"].startswith("every prompt"))
    there = {path.stem for path in (ROOT / "scripts/agent_team_os/post").glob("*.py")} - {"__init__", "notice"}
    assert {name.rpartition(".")[2] for name in forbidden if name.startswith("agent_team_os.post.")} == there
