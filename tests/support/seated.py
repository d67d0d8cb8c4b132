"""The process of a seat: leaves its parents, then runs a command and tells how it ended.

Nothing imports this file; `support.seat.Seat` runs it, with the job as its one argument. What it prints: its number on
a line, what the command shows, and `@end STATUS` on a line of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import socket
import subprocess
import sys
import time


def main() -> None:
    """Leave the parents, then run the job in argv and say how it ended."""
    parent = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == parent:  # until the system has given us to somebody else
        time.sleep(0.001)
    os.setsid()
    job = json.loads(sys.argv[1])
    say(f"{os.getpid()}\n".encode())
    env = {name: value.replace("{pid}", str(os.getpid())) for name, value in job["env"].items()}
    status = piped(job, env) if job["given"] is not None else at_terminal(job, env)
    say(f"\n@end {status}\n".encode())


def say(data: bytes) -> None:
    """All of it, to whoever looks."""
    while data:
        data = data[os.write(1, data) :]


def piped(job: dict[str, object], env: dict[str, str]) -> int:
    """Run the job with what it is given on stdin."""
    command, given = job["command"], job["given"]
    assert isinstance(command, list)
    assert isinstance(given, str)
    ours, theirs = socket.socketpair()  # which is what the client gives its hooks
    with subprocess.Popen(
        command, cwd=str(job["folder"]), env=env, stdin=theirs.fileno(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        theirs.close()
        with contextlib.suppress(OSError):  # it need not read it
            ours.sendall(given.encode())
        ours.close()
        stdout, stderr = process.communicate()
    say(stdout + stderr)
    return process.returncode


def at_terminal(job: dict[str, object], env: dict[str, str]) -> int:
    """Run the job at a pseudo-terminal and pass on what is typed and shown."""
    command = job["command"]
    assert isinstance(command, list)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(str(job["folder"]))
        os.execvpe(command[0], command, env)
    typing = [0]
    while True:
        ready, _, _ = select.select([terminal, *typing], [], [])
        if 0 in ready:
            typed = os.read(0, 4096)
            if typed:
                os.write(terminal, typed)
            else:
                typing = []
        if terminal in ready:
            try:
                shown = os.read(terminal, 65_536)
            except OSError:  # nobody has it open any more
                shown = b""
            if not shown:
                break
            say(shown)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main()
