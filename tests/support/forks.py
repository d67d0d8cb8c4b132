"""Many command lines in little time: a process that has imported the program forks for each of them.

What it forks is the program as it stands, with arguments, variables, streams, folder and umask of its own. Arguments
may hold what no process can be started with, a NUL for one.

for done in forks.run(team, [Call("ops", ["send", "dev", "note"]), hook("SessionStart")]):
    done.status, done.stdout, done.stderr
"""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from conftest import Team
from support.cli import ORDINARY, PATIENCE, ROOT

HUNG = -14  # the status of a command that did not end by itself
SERVER = """
import gc, importlib, io, json, os, signal, sys, tempfile
scripts, packages = sys.argv[1:]
sys.path[:0], sys.path[len(sys.path):] = [scripts], [packages]
for folder, _, names in os.walk(scripts + "/agent_team_os"):
    for name in names:
        if name.endswith(".py") and not name.startswith("__"):
            importlib.import_module(os.path.relpath(os.path.join(folder, name), scripts)[:-3].replace("/", "."))
import difflib, hashlib, jsonschema, mimetypes, portalocker, subprocess
from agent_team_os.cli.main import run
shared = "/dev/shm" if os.path.isdir("/dev/shm") else None
gc.disable()
gc.freeze()

def command(call):
    streams = [tempfile.TemporaryFile(dir=shared) for _ in range(3)]
    streams[0].write(call["stdin"].encode("utf-8", "surrogatepass"))
    streams[0].seek(0)
    child = os.fork()
    if not child:
        signal.alarm(call["patience"])
        for number, stream in enumerate(streams):
            os.dup2(stream.fileno(), number)
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0)))
        os.chdir(call["cwd"])
        os.environ.clear()
        os.environ.update(call["env"])
        os.umask(call["umask"])
        sys.argv = ["ato", *call["args"]]
        run()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for stream in streams:
        stream.seek(0)
    answer = [status, *(stream.read().decode("utf-8") for stream in streams[1:])]
    for stream in streams:
        stream.close()
    return answer

for line in sys.stdin:
    answers = []
    for call in json.loads(line):
        answers.append(command(call))
        if answers[-1][0] == -signal.SIGALRM:  # those behind it would only wait as long
            break
    print(json.dumps(answers), flush=True)
"""


class Call(NamedTuple):
    """A command line in the folder of an agent; `env` are variables beside those of the person."""

    agent: str
    args: Sequence[str]
    stdin: str = ""
    env: Mapping[str, str] = MappingProxyType({})


class Done(NamedTuple):
    """What came of a call."""

    call: Call
    status: int
    stdout: str
    stderr: str


@functools.cache
def _server() -> subprocess.Popen[str]:
    command = [*ORDINARY, sys.executable, "-I", "-S", "-B", "-c", SERVER]
    started = subprocess.Popen(
        [*command, str(ROOT / "scripts"), sysconfig.get_path("purelib")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    atexit.register(started.communicate)  # which closes its stdin, and that ends it
    return started


def run(team: Team, calls: Sequence[Call], umask: int = 0o022, patience: int = PATIENCE) -> list[Done]:
    """Run command lines one after the other. Each must end by itself in so many seconds, none with an error of ours."""
    given = [
        {"args": call.args, "stdin": call.stdin, "env": {**team.env, **call.env},
         "cwd": str(team.root / call.agent), "umask": umask, "patience": patience}
        for call in calls
    ]  # fmt: skip
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(given) + "\n")
    server.stdin.flush()
    answers = [Done(call, *answer) for call, answer in zip(calls, json.loads(server.stdout.readline()))]
    for answer in answers:
        assert answer.status not in (70, HUNG), answer
        assert "Traceback" not in answer.stdout + answer.stderr, answer
    return answers


def hook(event: str, agent: str = "dev", **given: Any) -> Call:
    """An event of a session, as the client calls it."""
    return Call(agent, ["hook", event], json.dumps({"session_id": "s-1", "hook_event_name": event, **given}))


def slash(line: str, agent: str = "dev") -> Call:
    """A slash command of ours, as it is typed."""
    name, _, rest = line.partition(" ")
    asked = {"command_name": f"agent-team-os:{name[1:]}", "command_args": rest, "command_source": "plugin"}
    return hook("UserPromptExpansion", agent, **asked)
