"""A real S3 server with users and access rules: SeaweedFS, on this machine alone, one for all tests of a run.

    team = seaweed.team({"max": uid, "alex": uid})
    store = open_store(team.url, team.environ("max"))  # may do what policy.json gives a person

The first that needs the server starts it, through a keeper, a process of its own. Who uses it holds a lock, which the
kernel takes back from a process that dies in whatever way; when nobody holds it any more, the keeper kills the server
and removes its folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLICY = Path(__file__).with_name("policy.json").read_text()
_PATIENCE = 60  # seconds
_PORTS = ("master.port", "volume.port", "filer.port", "s3.port")


@dataclass(frozen=True)
class Team:
    """A bucket of its own, and the keys of people who may use it as the policy says."""

    bucket: str
    endpoint: str
    prefix: str = ""

    @property
    def url(self) -> str:
        """The address of the store."""
        return f"s3://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    def environ(self, person: str) -> dict[str, str]:
        """The environment in which somebody's programs run; `admin` may do everything."""
        key = person if person == "admin" else f"{self.bucket}-{person}"
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": f"secret of {key}",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
        }


def policy(bucket: str, person: str, prefix: str = "") -> dict[str, Any]:
    """The access rules of one person: what an organisation would give their user of S3."""
    text = POLICY.replace("BUCKET", bucket).replace("PERSON", person)
    document: dict[str, Any] = json.loads(text.replace("v1/", f"{prefix}/v1/") if prefix else text)
    return document


def team(people: Mapping[str, str], prefix: str = "") -> Team:
    """A new bucket for these people, given as name and uid."""
    folder = _running()
    made = Team(f"t{secrets.token_hex(6)}", f"http://127.0.0.1:{_ports(folder)['s3.port']}", prefix)
    with _locked(folder / "change"):
        path = folder / "s3.json"
        rules = json.loads(path.read_bytes())
        for person, uid in people.items():
            name = made.environ(person)["AWS_ACCESS_KEY_ID"]
            content = json.dumps(policy(made.bucket, uid, prefix))
            rules["identities"].append(_identity(name, policyNames=[name]))
            rules["policies"].append({"name": name, "content": content})
        (folder / "s3.json.new").write_text(json.dumps(rules))
        (folder / "s3.json.new").rename(path)
        os.kill(json.loads((folder / "server.json").read_bytes())["pid"], signal.SIGHUP)
    # The door without any access rules, through which a folder is made that is a bucket.
    bucket = f"http://127.0.0.1:{_ports(folder)['filer.port']}/buckets/{made.bucket}/"
    with urllib.request.urlopen(urllib.request.Request(bucket, method="POST"), timeout=_PATIENCE):
        pass
    for person, uid in people.items():
        _await(lambda person=person, uid=uid: _is_known(made, person, uid))
    return made


def _is_known(made: Team, person: str, uid: str) -> bool:
    from agent_team_os.post import store

    try:
        store.open_store(made.url, made.environ(person)).keys(f"v1/dir/{uid}")
    except store.Denied:
        return False
    return True


def _identity(name: str, **rights: list[str]) -> dict[str, Any]:
    return {"name": name, "credentials": [{"accessKey": name, "secretKey": f"secret of {name}"}], **rights}


# ---- The server of this run ---------------------------------------------------------------------


@functools.cache
def _running() -> Path:
    """The folder of the server, which runs from now on until this process ends."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"alone-{os.getpid()}"
    folder = Path(tempfile.gettempdir()) / f"agent-team-os-seaweed-{run}"
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            users = os.open(folder / "users", os.O_RDWR | os.O_CREAT)  # open until this process ends
            fcntl.flock(users, fcntl.LOCK_SH)  # waits while a keeper is clearing away
            if (folder / "users").stat().st_ino == os.fstat(users).st_ino:
                break
            os.close(users)
    with _locked(folder / "change"):
        if not (folder / "server.json").exists():
            subprocess.run([sys.executable, __file__, folder], check=True, timeout=2 * _PATIENCE)
    return folder


def _ports(folder: Path) -> dict[str, int]:
    ports: dict[str, int] = json.loads((folder / "server.json").read_bytes())["ports"]
    return ports


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _await(ready: Any) -> None:
    end = time.monotonic() + _PATIENCE
    while not ready():
        assert time.monotonic() < end, "SeaweedFS does not answer"
        time.sleep(0.02)


# ---- The keeper ---------------------------------------------------------------------------------


def _keep(folder: Path) -> None:
    """Start the server, return when it answers, and leave a process behind that ends it."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        if os.read(reader, 1) != b"+":
            sys.exit(f"SeaweedFS did not start:\n{(folder / 'log').read_text()[-3000:]}")
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nothing, fd)
    ports = _free()
    server = _start(folder, ports)
    try:
        _await(lambda: server.poll() is not None or _answers(ports["s3.port"]))
        if server.poll() is None:
            (folder / "server.new").write_text(json.dumps({"pid": server.pid, "ports": ports}))
            (folder / "server.new").rename(folder / "server.json")
            os.write(writer, b"+")
            os.close(writer)
            fcntl.flock((folder / "users").open("a"), fcntl.LOCK_EX)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
        for port in ports.values():
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)


def _start(folder: Path, ports: Mapping[str, int]) -> subprocess.Popen[bytes]:
    weed = Path(sys.executable).with_name("weed")
    rights = ["Admin", "Read", "Write", "List", "Tagging"]
    (folder / "s3.json").write_text(json.dumps({"identities": [_identity("admin", actions=rights)], "policies": []}))
    (folder / "data").mkdir()
    # fmt: off
    command = [
        str(weed), "-logtostderr", "server", f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-filer", "-s3", f"-s3.config={folder}/s3.json", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-s3.autoCreateBucket=false", "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=500",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    # fmt: on
    # One volume for each bucket, where it would make seven.
    env = {**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
    with (folder / "log").open("wb") as log:
        # The keeper has one thread.
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=env, preexec_fn=_die_with_parent)  # noqa: PLW1509


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _free() -> dict[str, int]:
    """Ports nobody listens at."""
    with contextlib.ExitStack() as stack:
        sockets = {name + more: stack.enter_context(socket.socket()) for name in _PORTS for more in ("", ".grpc")}
        for each in sockets.values():
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in sockets.items()}


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=_PATIENCE):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
