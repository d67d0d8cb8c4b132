"""A first install and a first demo with the real package index, as a person has them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A scratch machine without any Python."""
    return Machine(tmp_path)


def own_network_settings(machine: Machine) -> None:
    """What this machine knows about the way to the package index counts for these runs too."""
    names = ("PIP_", "UV_", "SSL_", "REQUESTS_", "CURL_")
    proxies = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    machine.environment |= {
        name: value for name, value in os.environ.items() if name.startswith(names) or name.lower() in proxies
    }
    machine.python()


def test_a_first_install_from_the_index(machine: Machine) -> None:
    """In an empty home two people's first letter goes out and is read, with nothing but Python and the index."""
    own_network_settings(machine)
    result = machine.install()
    assert result.returncode == 0, result
    for agent in ("ops", "dev"):
        (machine.home / agent).mkdir()
        assert machine.ato("join", agent, cwd=machine.home / agent).returncode == 0
    sent = machine.ato("send", "dev", "question", "--field", "question=Where?", "--json", cwd=machine.home / "ops")
    assert sent.returncode == 0, sent
    read = machine.ato("read", json.loads(sent.stdout)["id"], "--json", cwd=machine.home / "dev")
    assert json.loads(read.stdout)["payload"] == {"question": "Where?"}
    assert machine.install().returncode == 0
    assert machine.install("--uninstall").returncode == 0
    assert list((machine.mail / "inboxes/dev/.read").iterdir())


def test_a_first_demo_from_the_index(machine: Machine) -> None:
    """--demo in a fresh clone plays to its end, and leaves nothing in the home or the scratch folder."""
    own_network_settings(machine)
    machine.environment["PATH"] += ":/usr/bin:/bin"
    result = machine.install("--demo")
    assert result.returncode == 0, result
    assert machine.files() == set()
    assert list(machine.temporary.iterdir()) == []
