"""The program as a person runs it: a process of its own, in a clean environment.

env = environment(tmp_path)  # HOME is tmp_path, so the bus is tmp_path/.agent-team-os
done = ato(env, folder, "send", "ops", "question", "--body", "-", stdin="question: Which branch?")
done.returncode, done.stdout, done.stderr  # both texts were checked to be UTF-8
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Optional, Union

from agent_team_os.mail import person

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = [sys.executable, "-I", "-S", str(ROOT / "scripts/agent_team_os/__main__.py")]
PATIENCE = 60  # seconds after which a process counts as hung; no test asserts any shorter time


def _ordinary() -> list[str]:
    """What takes from root the right to read and write past the modes of files; nothing for everybody else."""
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    try:
        works = (
            os.geteuid() == 0 and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
        )
    except OSError:  # no Linux
        works = False
    return prefix if works else []


ORDINARY = _ordinary()


def _alone() -> list[str]:
    """What lets a command not see that the test run was started from a session; nothing where it was not."""
    script = str(Path(__file__).with_name("orphan.py"))
    return [sys.executable, "-I", "-S", script] if person.in_session(os.environ) else []


ALONE = _alone()


def environment(home: Path, **more: str) -> dict[str, str]:
    """The variables of a person whose home is `home`: nothing but HOME and PATH, and `more`."""
    return {"HOME": str(home), "PATH": os.environ.get("PATH", os.defpath), **more}


def ato(
    home_env: Mapping[str, str], cwd: Path, *args: str, stdin: Optional[Union[str, bytes]] = None
) -> subprocess.CompletedProcess[str]:
    """Run `ato ARGS` in `cwd` and return its status and texts; subprocess.TimeoutExpired if it hangs.

    Without `stdin` it is empty. UnicodeDecodeError if what it prints is not UTF-8.
    """
    given = stdin.encode("utf-8") if isinstance(stdin, str) else stdin or b""
    command = [*ORDINARY, *ALONE, *PROGRAM, *args]
    done = subprocess.run(
        command, cwd=cwd, env=dict(home_env), input=given, capture_output=True, timeout=PATIENCE, check=False
    )
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())
