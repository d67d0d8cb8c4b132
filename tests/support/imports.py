"""Which modules a real process of the program has imported when it ends, and how much memory it took.

seen = started(HOOK, "Stop", cwd=folder, env=env, given={"session_id": "s-1"})
seen.modules - bare(python)  # what the hook added to an interpreter that does nothing

Benchmarks use it too, so it stands on the standard library alone.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOOK = os.path.join(ROOT, "scripts/agent_team_os/hooks/__main__.py")
VERB = os.path.join(ROOT, "scripts/agent_team_os/__main__.py")
# The program ends with os._exit; then this tells what is there, in the last line of stderr. It needs no module of its
# own beside the two that are there before.
WRAPPED = """
import os, sys

def leave(status, end=os._exit):
    with open("/proc/self/status" if os.path.exists("/proc/self/status") else os.devnull) as file:
        peak = [line.split()[1] for line in file if line.startswith("VmHWM:")]
    os.write(2, ("\\n" + " ".join(sorted(sys.modules) + (peak or ["0"]))).encode())
    end(status)

os._exit = leave
path, sys.argv = sys.argv[1], sys.argv[1:]
with open(path, encoding="utf-8") as file:
    code = compile(file.read(), path, "exec")
exec(code, {"__name__": "__main__", "__file__": path})
leave(0)
"""


class Seen(NamedTuple):
    """What a process had at its end: modules, and the most memory it ever took, in KiB; 0 where nobody tells."""

    modules: frozenset[str]
    peak: int
    stdout: str


def started(
    program: str, *args: str, cwd: str, env: Optional[Mapping[str, str]] = None, given: Any = None,
    python: str = sys.executable,
) -> Seen:  # fmt: skip
    """Run a file of Python as the launchers do, with `given` as JSON on stdin; subprocess errors if it fails."""
    done = subprocess.run(
        [python, "-I", "-S", "-E", "-c", WRAPPED, program, *args], input=json.dumps(given).encode(),
        cwd=cwd, env=env, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    *modules, peak = done.stderr.decode().rpartition("\n")[2].split()
    return Seen(frozenset(modules), int(peak), done.stdout.decode())


@functools.cache
def bare(python: str = sys.executable) -> Seen:
    """The same of an empty program."""
    return started(os.devnull, cwd=ROOT, python=python)
