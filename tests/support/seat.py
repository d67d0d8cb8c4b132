"""Where a person or a client sits: a process that nobody of the test run is above of, and a command it runs.

with Seat(env, folder, [*PROGRAM, "plan", "confirm", "a1b2c3"]) as seat:  # at a pseudo-terminal of its own
    seat.wait_for("[y/N]")
    seat.type("y\\n")
    status, shown = seat.end()

A command must not see what the test run itself was started from: a session of Claude Code may be above it. So the
process leaves its parents. It has the variables `above`, as a client has that was itself started from a session; the
command has those of `env`, in which `{pid}` stands for the process, as CLAUDE_PID does for the client.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

from support.cli import ORDINARY, PATIENCE

SCRIPT = Path(__file__).with_name("seated.py")
_END = re.compile(rb"\n@end (-?[0-9]+)\n\Z")


class Seat:
    """A command at a terminal, or with `given` as its stdin; what the `with` leaves of it is killed."""

    def __init__(
        self, env: Mapping[str, str], folder: Path, command: Sequence[str], *,
        above: Optional[Mapping[str, str]] = None, given: Optional[str] = None,
    ) -> None:  # fmt: skip
        job = {"env": dict(env), "folder": str(folder), "command": list(command), "given": given}
        self.shown = b""
        self._status: Optional[int] = None
        self._process = subprocess.Popen(
            [*ORDINARY, sys.executable, "-I", "-S", str(SCRIPT), json.dumps(job)],
            env={"PATH": os.environ.get("PATH", os.defpath), **(above or {})},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._process.wait(PATIENCE)  # it has left us
        self.pid = int(self._line())

    def __enter__(self) -> Seat:
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            data = self._read(1)
            assert data, "the process of the seat did not start"
            line += data
        return line

    def _read(self, most: int = 65_536) -> bytes:
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        ready, _, _ = select.select([fd], [], [], PATIENCE)
        assert ready, f"it hangs behind {self.shown!r}"
        return os.read(fd, most)

    def wait_for(self, text: str) -> None:
        """Read until the command has shown a text."""
        while text.encode() not in self.shown:
            data = self._read()
            assert data, f"it ended without {text!r}: {self.shown!r}"
            self.shown += data

    def type(self, text: str) -> None:
        """Type into the terminal; nobody is left to read it where the command has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            os.write(self._process.stdin.fileno(), text.encode())

    def end(self) -> tuple[int, str]:
        """The status of the command when it has ended, and all that was shown; without a terminal its stdout."""
        while True:
            data = self._read()
            self.shown += data
            if not data:
                break
        found = _END.search(self.shown)
        assert found is not None, self.shown
        self._status = int(found[1])
        return self._status, self.shown[: found.start()].decode().replace("\r\n", "\n")
