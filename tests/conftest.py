"""What most tests start from: a person with a bus, on which ops and dev have joined, each in a folder of its own.

def test_something(team: Team) -> None:
    sent = team.json("ops", "send", "dev", "question", "--field", "question=Which branch?")
    error = team.refused(1, "unknown-message", "dev", "read", "nonsense")
"""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

import jsonschema
import pytest

from support.cli import ROOT, ato, environment

ERROR = json.loads((ROOT / "schemas/error.schema.json").read_bytes())
# Of a path: what it is with its mode, the number of its file, and what is in it.
Tree = dict[str, tuple[int, int, bytes]]


def tree(root: Path) -> Tree:
    """All that lies below a folder; the guards of locks are left out, which any command may make."""
    found: Tree = {}
    for path in (root, *root.rglob("*")):
        if path.suffix == ".guard" and path.parent.name == "locks":
            continue
        status = path.lstat()
        content = b""
        if stat.S_ISLNK(status.st_mode):
            content = str(path.readlink()).encode()
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        found[str(path.relative_to(root))] = status.st_mode, status.st_ino, content
    return found


@dataclass(frozen=True)
class Team:
    """A person whose home is `root` and whose bus is `home`; an agent's folder is `root / agent`."""

    root: Path
    home: Path
    env: dict[str, str]

    def run(
        self, agent: str, *args: str, stdin: Optional[Union[str, bytes]] = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `ato ARGS` in the folder of an agent, or any other below `root`."""
        return ato({**self.env, **env}, self.root / agent, *args, stdin=stdin)

    def json(self, agent: str, *args: str, stdin: Optional[Union[str, bytes]] = None, **env: str) -> Any:
        """The one document `ato ARGS --json` prints when all is well."""
        done = self.run(agent, args[0], "--json", *args[1:], stdin=stdin, **env)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def refused(
        self, status: int, code: str, agent: str, *args: str, stdin: Optional[Union[str, bytes]] = None, **env: str
    ) -> dict[str, str]:
        """The error `ato ARGS --json` prints: with this status and code, valid, and with nothing changed anywhere."""
        before = tree(self.root)
        done = self.run(agent, args[0], "--json", *args[1:], stdin=stdin, **env)
        assert (done.returncode, done.stderr) == (status, ""), done.stdout + done.stderr
        document = json.loads(done.stdout)
        jsonschema.validate(document, ERROR)
        assert document["error"]["code"] == code, document
        assert tree(self.root) == before
        error: dict[str, str] = document["error"]
        return error

    def ask(self, sender: str, to: str, *options: str, question: str = "Which branch?") -> dict[str, Any]:
        """Send a question and return what `send --json` says."""
        sent: dict[str, Any] = self.json(sender, "send", to, "question", "--field", f"question={question}", *options)
        return sent

    def stored(self, sent: dict[str, Any]) -> dict[str, Any]:
        """The pending message on the disk, of what `send --json` said."""
        message: dict[str, Any] = json.loads(Path(sent["path"]).read_bytes())
        return message

    def map(self, **changes: Any) -> None:
        """Set top-level keys of the agent map, as a person edits it."""
        path = self.home / "AGENT_MAP.json"
        path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))

    def join(self, agent: str, *options: str) -> None:
        """Make the folder of one more agent and let it join there."""
        (self.root / agent).mkdir()
        done = self.run(agent, "join", agent, *options)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def _joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which ops and dev have joined; its map names them by `~`, so that a copy works anywhere."""
    root = tmp_path_factory.mktemp("joined")
    for agent in ("ops", "dev"):
        (root / agent).mkdir()
        done = ato(environment(root), root / agent, "join", agent)
        assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def team(_joined: Path, tmp_path: Path) -> Team:
    """A bus with ops and dev, never used before."""
    root = tmp_path / "home"
    shutil.copytree(_joined, root)
    return Team(root, root / ".agent-team-os", environment(root))
