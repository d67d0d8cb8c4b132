"""What the end-to-end tests start from: the real client in a clean room, and the model it talks to.

def test_something(room: Room, model: Model) -> None:
    model.say("The answer.")
    assert room.headless("A question", room.project("web")).text == "The answer."
    assert "A question" in model.asked()[0].newest

The tests of the plugin have an `office` instead: a room where it is installed, and ops and dev have joined.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.office import Office
from support import client
from support.cli import PATIENCE
from support.client import NoClient, Room
from support.machine import FAKE_UV
from support.model import Model


@pytest.fixture(scope="session")
def claude() -> Path:
    """The client's program; without npm the tests are skipped, but in continuous integration that is a failure."""
    try:
        return client.install()
    except NoClient as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as a person gets it: no caches, no environment. Nobody writes there."""
    return client.export(tmp_path_factory.mktemp("export") / "agent-team-os")


@pytest.fixture
def model() -> Iterator[Model]:
    """A model that says "OK." until it is told what to say."""
    with Model() as made:
        yield made


@pytest.fixture
def room(tmp_path: Path, claude: Path, model: Model) -> Iterator[Room]:
    """A person's machine; whatever runs there is ended with the test."""
    made = Room(tmp_path, claude, model)
    yield made
    made.close()


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone to install the plugin from, for all; Python writes down there what it has compiled."""
    return client.export(tmp_path_factory.mktemp("clone") / "agent-team-os")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, clone: Path) -> Path:
    """A data folder with the packages, made by the helper itself; only the network is spared, by a stand-in for uv."""
    root = tmp_path_factory.mktemp("data")
    (root / "uv").write_text(FAKE_UV)
    (root / "uv").chmod(0o755)
    env = {"HOME": str(root), "PATH": f"{root}:{os.environ['PATH']}", "XDG_DATA_HOME": str(root / "share")}
    done = subprocess.run(
        [str(clone / "scripts/ato"), "--version"],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "share"


@pytest.fixture
def office(room: Room, model: Model, clone: Path, data: Path) -> Office:
    """The plugin is installed, ops and dev have joined, and the packages are there."""
    made = Office(room, model, clone, data)
    made.install()
    made.join("ops", "dev")
    return made
