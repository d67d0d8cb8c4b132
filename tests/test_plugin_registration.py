"""What `install.sh` tells Claude Code of its plugin; the client is a stand-in here, the real one is in tests/e2e."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.machine import Machine
from support.machine import ready as ready_machine

PLUGIN = "agent-team-os@agent-team-os"
# Prints the lists it is given, writes down all else it is asked, and whether anything could be read from stdin.
CLAUDE = """#!/bin/sh
[ -z "$(cat)" ] || echo "has stdin" >>"$0.calls"
case $* in
'plugin marketplace list --json') cat "$0.markets" ;;
'plugin list --json') cat "$0.plugins" ;;
*) echo "$*" >>"$0.calls" ;;
esac
[ ! -e "$0.fails" ] || { echo "no such thing" >&2; exit 1; }
"""


class Client:
    """The stand-in for Claude Code on a machine, and what it was asked to do."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.tool = machine.tool("claude", CLAUDE)
        self.knows([], [])

    def knows(self, markets: list[dict[str, str]], plugins: list[str]) -> None:
        """What it has: marketplaces, and plugins by their ids."""
        Path(f"{self.tool}.markets").write_text(json.dumps(markets))
        Path(f"{self.tool}.plugins").write_text(json.dumps([{"id": name} for name in plugins]))

    def knows_ours(self, *plugins: str) -> None:
        """It has the marketplace that install.sh adds, and these plugins."""
        ours = {"name": "agent-team-os", "source": "directory", "path": str(self.machine.data / "program")}
        self.knows([{"name": "other", "source": "directory", "path": "/elsewhere"}, ours], list(plugins))

    def fails(self) -> None:
        """From now on it says yes to nothing."""
        Path(f"{self.tool}.fails").touch()

    def calls(self) -> list[str]:
        """What it was asked to do since the last look; looking at its lists does not count."""
        calls = Path(f"{self.tool}.calls")
        lines = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return lines


@pytest.fixture
def ready(tmp_path: Path) -> Machine:
    """A scratch machine with Python and the stand-in for uv."""
    return ready_machine(tmp_path)


@pytest.fixture
def client(ready: Machine) -> Client:
    """Claude Code on that machine."""
    return Client(ready)


# ---- Adding -------------------------------------------------------------------------------------


def test_the_plugin_is_added_where_it_lies(ready: Machine, client: Client) -> None:
    """A first run adds the folder of the program as a marketplace and installs the plugin from it."""
    result = ready.install()
    assert result.returncode == 0, result
    assert client.calls() == [f"plugin marketplace add {ready.data}/program", f"plugin install {PLUGIN}"]
    assert f"Claude Code has the plugin from its next session on, from {ready.data}/program." in result.stdout


def test_a_plugin_that_is_there_is_brought_up_to_date(ready: Machine, client: Client) -> None:
    """A later run installs nothing again, which would turn on a plugin that the person turned off."""
    client.knows_ours("other@other", PLUGIN)
    assert ready.install().returncode == 0
    assert client.calls() == [f"plugin update {PLUGIN}"]


def test_a_marketplace_without_its_plugin_gets_it(ready: Machine, client: Client) -> None:
    """Where only the marketplace is known, the plugin is installed from it."""
    client.knows_ours()
    assert ready.install().returncode == 0
    assert client.calls() == [f"plugin install {PLUGIN}"]


def test_no_plugin_leaves_the_client_alone(ready: Machine, client: Client) -> None:
    """With --no-plugin the client is not even asked what it has."""
    client.fails()
    result = ready.install("--no-plugin")
    assert result.returncode == 0
    assert "Claude Code" not in result.stdout
    assert client.calls() == []


def test_without_a_client_the_program_is_installed(ready: Machine) -> None:
    """Where there is no claude on PATH, the run succeeds and says how to come by the plugin later."""
    result = ready.install()
    assert result.returncode == 0
    assert "no claude on PATH" in result.stdout


@pytest.mark.parametrize(
    ("market", "place"),
    [
        ({"source": "github", "repo": "someone/agent-team-os"}, "someone/agent-team-os"),
        ({"source": "git", "url": "https://example.org/x.git"}, "https://example.org/x.git"),
        ({"source": "directory", "path": "/home/me/clone"}, "/home/me/clone"),
    ],
)
def test_a_plugin_from_elsewhere_is_left_alone(
    ready: Machine, client: Client, market: dict[str, str], place: str
) -> None:
    """A marketplace of the same name with another source stays in both directions; the person learns how to change."""
    client.knows([{"name": "agent-team-os", **market}], [PLUGIN])
    result = ready.install()
    assert result.returncode == 0
    assert f"from {place}, and it was left alone" in result.stdout
    assert "  claude plugin marketplace remove agent-team-os\n" in result.stdout
    result = ready.install("--uninstall")
    assert result.returncode == 0
    assert f"it comes from {place}." in result.stdout
    assert client.calls() == []


def test_a_plugin_from_another_marketplace_is_left_alone(ready: Machine, client: Client) -> None:
    """A plugin of the same name from another marketplace would run every hook twice beside ours."""
    client.knows([{"name": "all", "source": "github", "repo": "a/b"}], ["agent-team-os@all"])
    result = ready.install()
    assert result.returncode == 0
    assert "  claude plugin uninstall agent-team-os@all\n" in result.stdout
    assert client.calls() == []


# ---- A client that will not ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["fails", "babbles", "is no list"])
def test_a_failing_client_fails_no_installation(ready: Machine, client: Client, how: str) -> None:
    """Whatever the client says, the program is installed, and the person gets the two commands to type."""
    if how == "fails":
        client.fails()
    else:
        Path(f"{client.tool}.markets").write_text({"babbles": "Welcome!", "is no list": "{}"}[how])
    if how == "is no list":
        Path(f"{client.tool}.plugins").write_text("null")
    result = ready.install()
    assert result.returncode == 0, result
    assert result.stderr == ""
    assert (
        f'  claude plugin marketplace add "{ready.data}/program"\n  claude plugin install {PLUGIN}\n' in result.stdout
    )
    assert ready.ato("--version").returncode == 0
    result = ready.install("--uninstall")
    assert (result.returncode, result.stderr) == (0, "")
    assert "  claude plugin marketplace remove agent-team-os\n" in result.stdout
    assert not ready.data.exists()


def test_a_client_that_hangs_is_given_up(ready: Machine, client: Client) -> None:
    """A client that never answers is ended by `timeout`, where the system has one."""
    client.tool.write_text('#!/bin/sh\necho hung >>"$0.calls"\nexec tail -f /dev/null\n')
    limit = shutil.which("timeout")
    assert limit
    # Shorter than a person's patience; what install.sh asks for is written down.
    ready.tool("timeout", f'#!/bin/sh\necho "$1 $2 $3" >>"$0.calls"\nshift 3\nexec {limit} -k 5 0.3 "$@"\n')
    result = ready.install()
    assert result.returncode == 0, result
    assert "Claude Code did not take the plugin" in result.stdout
    assert client.calls() == ["hung"]
    assert (ready.tools / "timeout.calls").read_text() == "-k 5 60\n"


# ---- Taking away --------------------------------------------------------------------------------


def test_uninstalling_takes_plugin_and_marketplace_away(ready: Machine, client: Client) -> None:
    """--uninstall takes out of the client what installing put in, also where the program itself is gone already."""
    assert ready.install("--no-plugin").returncode == 0
    client.knows_ours(PLUGIN)
    for _ in range(2):
        result = ready.install("--uninstall")
        assert result.returncode == 0
        assert "Removed the plugin from Claude Code." in result.stdout
        assert client.calls() == [f"plugin uninstall {PLUGIN}", "plugin marketplace remove agent-team-os"]


def test_uninstalling_asks_nothing_of_a_client_that_has_nothing(ready: Machine, client: Client) -> None:
    """A client that does not know the plugin is left as it is, without a word."""
    assert ready.install("--no-plugin").returncode == 0
    result = ready.install("--uninstall")
    assert result.returncode == 0
    assert "Claude Code" not in result.stdout
    assert client.calls() == []
