"""What the end-to-end tests start from: the real client in a clean room, and the model it talks to.

def test_something(room: Room, model: Model) -> None:
    model.say("The answer.")
    assert room.headless("A question", room.project("web")).text == "The answer."
    assert "A question" in model.asked()[0].newest
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import client
from support.client import NoClient, Room
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
