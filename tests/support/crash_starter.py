"""An interpreter that has imported the program and forks from itself, for each line on stdin, a process that runs it.

A test of hundreds of kills would else wait for hundreds of interpreters to start. Nothing imports this file;
`support.crash.Starter` runs it with the options of the launcher: python -I -S crash_starter.py SCRIPTS SITE.

A job: {"script", "args", "cwd", "env", "stdin", "limit" or null, "watched", "terminal"}. The answer is one line when
the process has ended, {"status", "stdout", "stderr"}; before it, for a job that is watched, its {"pid"} when it stands
still, to go on at a SIGCONT.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import resource
import runpy
import signal
import sys
from typing import Any

PATIENCE = 60  # seconds until a process counts as hung
ANY_TRACER = 0x59616D61, ctypes.c_ulong(-1), 0, 0, 0  # PR_SET_PTRACER, PR_SET_PTRACER_ANY


def main() -> None:
    """Import the program, then do one job after the other."""
    scripts, site = sys.argv[1:]
    sys.path[:0] = [scripts]
    sys.path.append(site)
    for folder, _, names in os.walk(os.path.join(scripts, "agent_team_os")):
        package = os.path.relpath(folder, scripts).replace(os.sep, ".")
        for name in names:
            if name.endswith(".py") and not name.startswith("__"):
                importlib.import_module(f"{package}.{name[:-3]}")
    schemas = importlib.import_module("agent_team_os.protocol.schemas")
    for kind in ("agent-map", "message", "thread", "session", "registry-card"):
        schemas.checker(kind)
    libc = ctypes.CDLL(None)
    gc.freeze()
    for line in sys.stdin.buffer:
        serve(json.loads(line), libc)


def serve(job: dict[str, Any], libc: ctypes.CDLL) -> None:
    """Fork the process of a job and see it to its end."""
    pipes = [os.openpty()[::-1] if job["terminal"] else os.pipe(), os.pipe(), os.pipe()]
    (given, giving), (reading_out, out), (reading_err, err) = pipes
    os.write(giving, job["stdin"].encode())
    pid = os.fork()
    if pid == 0:
        try:
            become(job, (given, out, err), [end for pipe in pipes for end in pipe], libc)
        finally:
            os._exit(99)  # it ends by itself, else it is no program of ours
    for end in (given, out, err, *(() if job["terminal"] else (giving,))):  # of a terminal it would take what was typed
        os.close(end)
    if job["watched"]:
        os.waitpid(pid, os.WUNTRACED)
        tell({"pid": pid})
    texts = []
    for end in (reading_out, reading_err):
        with open(end, encoding="utf-8", errors="backslashreplace") as file:
            texts.append(file.read())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if job["terminal"]:
        os.close(giving)
    tell({"status": status, "stdout": texts[0], "stderr": texts[1]})


def become(job: dict[str, Any], streams: tuple[int, int, int], ends: list[int], libc: ctypes.CDLL) -> None:
    """Be the process a shell would have started for the job, and run its script."""
    for number, end in enumerate(streams):
        os.dup2(end, number)
    for end in ends:
        os.close(end)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    sys.argv = [job["script"], *job["args"]]
    signal.alarm(PATIENCE)
    if job["limit"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["limit"], job["limit"]))
    if job["watched"]:
        libc.prctl(*ANY_TRACER)
        os.kill(os.getpid(), signal.SIGSTOP)
    try:
        runpy.run_path(job["script"], run_name="__main__")
        status = 0
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    sys.stdout.flush()
    os._exit(status)


def tell(document: dict[str, Any]) -> None:
    """One line of an answer, past any buffer a child could inherit."""
    data = memoryview(json.dumps(document).encode() + b"\n")
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    main()
