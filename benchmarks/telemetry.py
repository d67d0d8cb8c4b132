"""The passes of `ato telemetry` over transcripts as the client writes them: the first, and later ones.

256 MiB of them, and with --full a GiB. What is counted must be what was written, else nothing is timed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

from measure import Command, Row, cpu, interleaved

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MIB = 1_048_576
SIZE = (1024 if "--full" in sys.argv else 256) * MIB
RATE = 150.0  # MB of transcripts that a second of CPU must do in the first pass
LATER = 3.0  # times what whoami costs, for a pass with nothing new
KINDS = ("input", "output", "cache_read", "cache_write_5m")
# In a process of its own: what a process was once as large as counts for all it starts.
FILL = """
import json, sys
sys.path += [sys.argv[1], sys.argv[2]]
from support import transcripts
print(json.dumps(transcripts.fill(sys.argv[3], *map(int, sys.argv[4:]))))
"""


def run(ato: str, _python: str, env: dict[str, str], scratch: str, rounds: int) -> list[Row]:
    """Time a first pass, one with nothing new, and one with a MiB that is new."""
    home = {
        **env,
        "AGENT_TEAM_OS_HOME": os.path.join(scratch, "bus"),
        "CLAUDE_CONFIG_DIR": os.path.join(scratch, "client"),
    }
    folder = os.path.join(scratch, "web")
    os.mkdir(folder)
    subprocess.run([ato, "join", "dev"], env=home, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    spent = _fill(home, SIZE, 1)
    store = os.path.join(home["AGENT_TEAM_OS_HOME"], "telemetry")

    def expect(*parts: dict[str, int]) -> bytes:
        sums = {kind: sum(part[kind] for part in parts) for kind in KINDS}
        return b'"total":' + json.dumps(sums, separators=(",", ":")).rstrip("}").encode()

    ask = [ato, "telemetry", "--json"]
    first = Command("first pass", ask, home, folder, expect(spent), before=lambda: shutil.rmtree(store, True))
    interleaved([first], 3)
    took = min(first.cpu)  # the limit is no ratio, and what else the machine does can only add to it
    rate = spent["bytes"] / 1e6 / took
    more = _fill(home, MIB, 2)
    # The store as it is without the new transcript is put back each time.
    before = store + ".before"
    shutil.copytree(store, before)

    def restore() -> None:
        shutil.rmtree(store)
        shutil.copytree(before, store)

    commands = [
        Command("whoami", [ato, "whoami"], home, folder, b"dev/"),
        Command("a MiB is new", ask, home, folder, expect(spent, more), before=restore),
        # What is summed is little here, so that it is the pass that is timed.
        Command("nothing is new", [*ask, "--since", "today"], home, folder, b'"rows":[]'),
        Command("nothing is new, all is summed", ask, home, folder, expect(spent, more)),
    ]
    interleaved(commands, rounds)
    unit = cpu(commands[0])
    rows = [
        Row(
            f"first pass of {spent['bytes'] / 1e6:.0f} MB",
            f"{took * 1e3:6.0f} ms CPU",
            rate / RATE,
            1.0,
            f"{rate:.0f} MB/s, {first.memory:.0f} MiB",
            at_least=True,
        )
    ]
    for command, limit in zip(commands[1:], (None, LATER, None)):
        note = f"{unit:.0f} ms CPU of whoami"
        rows.append(Row(command.name, f"{cpu(command):6.1f} ms CPU", cpu(command) / unit, limit, note))
    return rows


def _fill(home: dict[str, str], size: int, seed: int) -> dict[str, int]:
    """Write transcripts of about so many bytes; what was spent in them."""
    projects = os.path.join(home["CLAUDE_CONFIG_DIR"], "projects")
    command = [sys.executable, "-c", FILL, f"{ROOT}/tests", f"{ROOT}/scripts", projects, str(size), str(seed)]
    spent: dict[str, int] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return spent
