"""A process that dies at one of its calls that change files: a fork of this one, so that a death costs milliseconds.

alive, said = fork(work, ("call", 7))  # before its eighth change of a file
alive, said = fork(work, ("write", 1))  # halfway through its second write
alive, said = fork(work, None)

`said` are the JSON documents it printed, a line each. Death is SIGKILL: nothing in the process can prevent or mend it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Mapping
from typing import Any, Callable, NoReturn, Optional

from agent_team_os.cli import main as command_line
from agent_team_os.cli import writing  # noqa: F401 - so that the child imports nothing

Death = Optional[tuple[str, int]]
CHANGES = (
    "open", "write", "pwrite", "writev", "link", "symlink", "rename", "replace", "unlink", "mkdir", "rmdir", "fsync",
    "fdatasync", "truncate", "ftruncate", "chmod", "fchmod", "utime",
)  # fmt: skip


def fork(work: Callable[[], None], death: Death, given: str = "") -> tuple[bool, list[Any]]:
    """Whether a child that does some work survived it, and what it printed; AssertionError if it failed instead.

    What it finds on stdin is `given`, at most as much as a pipe holds.
    """
    (source, told), (answer, said) = os.pipe(), os.pipe()
    os.write(told, given.encode())
    os.close(told)
    with warnings.catch_warnings():  # the threads that pytest may have hold nothing of ours
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os.dup2(source, 0)
        os.dup2(said, 1)
        _live(work, death)
    os.close(source)
    os.close(said)
    with open(answer, encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    _, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL), found[-1]
    return status == 0, found


def _live(work: Callable[[], None], death: Death) -> NoReturn:
    """The child's whole life."""
    try:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the end
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        _prepare(death)
        work()
        sys.stdout.flush()
    except BaseException:
        print(json.dumps(traceback.format_exc()), flush=True)
        os._exit(1)
    os._exit(0)


def _prepare(death: Death) -> None:
    """From now on this process dies at one of its calls that change files."""
    if death is None:
        return
    when, left = death

    def dying(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            if when in ("call", name) and (name != "open" or args[1] & (os.O_CREAT | os.O_TRUNC)):
                left -= 1
                if left < 0:
                    if when == "write":
                        call(args[0], args[1][: len(args[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return changed

    for name in CHANGES:
        setattr(os, name, dying(name, getattr(os, name)))


def become(environ: Mapping[str, str], *args: str) -> NoReturn:
    """In the child: be the program from now on, with these variables and arguments."""
    sys.argv = ["ato", *args]
    os.environ.clear()
    os.environ.update(environ)
    command_line.run()
