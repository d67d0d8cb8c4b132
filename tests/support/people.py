"""People who write to each other: each with a home folder of their own, and one store.

max_, alex = people.pair(tmp_path)          # both set up with a shared folder, and each knows the other
max_.run("alex", "Which branch?", "--attach", "x.csv"), alex.sync(), alex.json("read")

No sync starts by itself unless a test asks for it with `background=True`: what a test sees is what it did.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Union

import jsonschema

from support.cli import PROGRAM, ROOT, ato, environment
from support.seat import Seat

ERROR = json.loads((ROOT / "schemas/error.schema.json").read_bytes())
_KEY = re.compile(r"(?:[0-9a-f]{4} ){7}([0-9a-f]{4})|age1[0-9a-z]{54}([0-9a-z]{4})")
ADDRESSES = {"max": "max@bonnard.ai", "alex": "alex@bonnard.ai", "eve": "eve@bonnard.ai"}


@dataclass(frozen=True)
class Person:
    """A user whose home folder is `root`; commands run there."""

    name: str
    root: Path
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The bus home."""
        return self.root / ".agent-team-os"

    @property
    def mail(self) -> Path:
        """Where mail between people is kept."""
        return self.home / "people"

    @property
    def config(self) -> Path:
        """Where the keys are."""
        return self.root / ".config/agent-team-os"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of every command."""
        return environment(self.root, **self.env)

    def run(
        self, *args: str, stdin: Optional[Union[str, bytes]] = None, background: Union[bool, str] = False, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `ato msg ARGS`."""
        if not background:
            (self.mail / "started").unlink(missing_ok=True)
        return ato({**self.environment, **env}, self.root, "msg", *args, stdin=stdin)

    def said(self, *args: str, stdin: Optional[Union[str, bytes]] = None, **env: str) -> str:
        """What `ato msg ARGS` prints when all is well."""
        done = self.run(*args, stdin=stdin, **env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, *args: str, stdin: Optional[Union[str, bytes]] = None, **env: str) -> Any:
        """The one document `ato msg --json ARGS` prints when all is well."""
        return json.loads(self.said("--json", *args, stdin=stdin, **env))

    def refused(
        self, status: int, code: str, *args: str, stdin: Optional[Union[str, bytes]] = None, **env: str
    ) -> dict[str, str]:
        """The error `ato msg --json ARGS` prints, with this status and code."""
        done = self.run("--json", *args, stdin=stdin, **env)
        assert done.returncode == status, (done.returncode, done.stdout + done.stderr)
        document = json.loads(done.stdout)
        jsonschema.validate(document, ERROR)
        assert document["error"]["code"] == code, document
        error: dict[str, str] = document["error"]
        return error

    def typed(self, *args: str, group: str = "", status: int = 0) -> str:
        """What `ato msg ARGS` shows a person at a terminal, who types the last group of the key shown, or `group`.

        With another status and no `group` nothing is typed, since nothing is asked.
        """
        (self.mail / "started").unlink(missing_ok=True)
        with Seat(self.environment, self.root, [*PROGRAM, "msg", *args]) as seat:
            if not status or group:
                seat.wait_for("its last 4 characters: ")
                *_, shown = _KEY.findall(seat.shown.decode())
                seat.type((group or "".join(shown)) + "\n")
            ended, text = seat.end()
        assert ended == status, text
        return text

    def at_terminal(self, *args: str, **env: str) -> tuple[int, str]:
        """The status of `ato msg ARGS` at a terminal outside of sessions, and what it shows there."""
        with Seat({**self.environment, **env}, self.root, [*PROGRAM, "msg", *args]) as seat:
            return seat.end()

    def set_up(self, store: str, **env: str) -> dict[str, Any]:
        """`msg setup` as a script does it; what it says."""
        address = ADDRESSES.get(self.name, f"{self.name}@example.org")
        said: dict[str, Any] = self.json("setup", "--address", address, "--store", store, "--yes", **env)
        return said

    def sync(self, **env: str) -> dict[str, Any]:
        """`msg sync`; what it says. It may have failed: `error` says why."""
        done = self.run("--json", "sync", **env)
        assert done.stdout, done.stderr
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
        return result

    def file(self, name: str, data: Union[str, bytes]) -> Path:
        """A file in this person's folder."""
        path = self.root / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    @property
    def inbox(self) -> Path:
        """Where attachments are saved."""
        return self.root / ".claude/shared/inbox"


def person(folder: Path, name: str, **env: str) -> Person:
    """Somebody whose home folder is made below `folder`; nothing is set up yet."""
    root = folder / name
    root.mkdir(exist_ok=True)
    return Person(name, root, env)


def shared(folder: Path) -> str:
    """A store in a folder."""
    place = folder / "store"
    place.mkdir(exist_ok=True)
    return f"file://{place}"


def trio(
    folder: Path, store: Optional[str] = None, envs: Optional[Mapping[str, Mapping[str, str]]] = None
) -> list[Person]:
    """max, alex and eve, set up with one store, each knowing the others."""
    url = store or shared(folder)
    everybody = [person(folder, name, **(envs or {}).get(name, {})) for name in ADDRESSES]
    for one in everybody:
        came = one.set_up(url)
        assert came["error"] is None, came
    for one in everybody[:-1]:
        assert one.sync()["error"] is None
    return everybody


def pair(folder: Path, store: Optional[str] = None) -> tuple[Person, Person]:
    """max and alex, set up with one store, each knowing the other."""
    url = store or shared(folder)
    one, other = person(folder, "max"), person(folder, "alex")
    for somebody in (one, other):
        assert somebody.set_up(url)["error"] is None
    assert one.sync()["error"] is None
    return one, other


def objects(store: str) -> dict[str, bytes]:
    """All objects of a store in a folder, by key."""
    root = Path(store.removeprefix("file://"))
    return {
        os.path.relpath(path, root): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "/probe/" not in str(path)
    }
