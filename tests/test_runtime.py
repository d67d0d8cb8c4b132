"""What `scripts/ato` does where nothing was installed: it makes its packages an environment, once, and says so."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Optional

import pytest

from support import cli
from support.cli import ORDINARY, PATIENCE, ROOT
from support.machine import REAL_PYTHON, Machine, fake_python
from support.machine import ready as ready_machine


@pytest.fixture
def ready(tmp_path: Path) -> Machine:
    """A scratch machine with Python and the stand-in for uv, and a clone that was not installed."""
    return ready_machine(tmp_path)


def ato(machine: Machine, *arguments: str, stdin: Optional[str] = None) -> subprocess.CompletedProcess[str]:
    """Call the launcher in the clone."""
    return subprocess.run(
        [str(machine.clone / "scripts/ato"), *arguments],
        cwd=machine.home,
        env=machine.environment,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def start(machine: Machine) -> subprocess.Popen[str]:
    """A first command whose packages are just being fetched."""
    return machine.start(str(machine.clone / "scripts/ato"), "--version", sign=machine.tools / "uv.blocked")


def builder(machine: Machine) -> int:
    """The process that makes the environment just now."""
    (new,) = (machine.data / "runtime").glob(".new-*")
    return int(new.name.removeprefix(".new-"))


def made(machine: Machine) -> list[str]:
    """What lies in the folder of the environments, but for the lock's file."""
    return sorted(path.name for path in (machine.data / "runtime").iterdir() if path.name != "lock")


def sum_of(machine: Machine) -> str:
    """The checksum by which the clone names its environment."""
    return (machine.clone / "requirements.lock.sha256").read_text().split()[0]


def newer_lock(machine: Machine) -> None:
    """Change the lock file of the clone, as an update does."""
    lock = machine.clone / "requirements.lock"
    lock.write_text(lock.read_text() + "# newer\n")
    (machine.clone / "requirements.lock.sha256").write_text(
        hashlib.sha256(lock.read_bytes()).hexdigest() + "  requirements.lock\n"
    )


def assert_one_line(result: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    """The command failed with this status and one line behind that of its progress, with these words in it."""
    assert result.returncode == status, result
    assert result.stdout == ""
    *progress, line = result.stderr.splitlines()
    assert all(text.startswith("ato: fetching ") for text in progress)
    assert line.startswith("ato: ")
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in line


# ---- The first command --------------------------------------------------------------------------


def test_the_checksum_is_that_of_the_lock() -> None:
    """requirements.lock.sha256 holds, in the form `sha256sum -c` reads, the sum of requirements.lock."""
    expected = hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()
    assert (ROOT / "requirements.lock.sha256").read_text() == f"{expected}  requirements.lock\n"


def test_the_first_command_fetches_once_and_says_so_in_one_line(ready: Machine) -> None:
    """The first command prints one line on stderr and does its work; the second has nothing to fetch or to say."""
    first = ato(ready, "--version")
    assert first.returncode == 0, first
    assert first.stdout.startswith("agent-team-os ")
    assert first.stderr.startswith("ato: fetching the Python packages once, into ")
    assert first.stderr.count("\n") == 1
    assert made(ready) == [sum_of(ready)]
    second = ato(ready, "--version")
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
    assert len(ready.uv_calls()) == 3  # --version, venv, pip install
    for option in ("--require-hashes", "--only-binary :all:", f"-r {ready.clone}/requirements.lock"):
        assert option in ready.uv_calls()[2]
    assert list(ready.temporary.iterdir()) == []


def test_what_is_on_stdin_is_for_the_program(ready: Machine) -> None:
    """A body given on stdin arrives whole although the packages are fetched first, and tools that read get nothing."""
    ready.tool("uv", (ready.tools / "uv").read_text().replace("#!/bin/sh\n", "#!/bin/sh\ncat >/dev/null\n"))
    # The bus was made by another copy; this one has still to fetch its packages.
    for agent in ("ops", "dev"):
        (ready.home / agent).mkdir()
        cli.ato(cli.environment(ready.home), ready.home / agent, "join", agent)
    ready.environment["AGENT_TEAM_OS_AGENT"] = "ops"
    body = "question: Which branch?\n\nAnd why?\n"
    result = ato(ready, "send", "dev", "question", "--body", "-", "--json", stdin=body)
    assert result.returncode == 0, result
    assert "fetching" in result.stderr
    message = json.loads(Path(json.loads(result.stdout)["path"]).read_bytes())
    assert message["payload"]["question"] == "Which branch?"
    assert "And why?" in message["payload"].values()


def test_the_usual_start_makes_no_process(ready: Machine) -> None:
    """Once the packages are there, the launcher becomes the program without a single fork."""
    assert ato(ready, "--version").returncode == 0
    trace = ready.home / "trace"
    command = ["strace", "-f", "-e", "trace=process", "-o", str(trace), str(ready.clone / "scripts/ato"), "--version"]
    subprocess.run(command, env=ready.environment | {"PATH": os.environ["PATH"]}, check=True, capture_output=True)
    calls = [line.split(maxsplit=1)[1].split("(")[0] for line in trace.read_text().splitlines()]
    assert calls.count("execve") == 2
    assert not {"fork", "vfork", "clone", "clone3"} & set(calls)


def test_an_environment_of_its_own_goes_first(ready: Machine) -> None:
    """With a .venv beside it the launcher makes nothing; with one whose Python is gone it makes what it needs."""
    subprocess.run([REAL_PYTHON, "-I", "-m", "venv", "--without-pip", str(ready.clone / ".venv")], check=True)
    (ready.clone / "scripts/agent_team_os/__main__.py").write_text("import sys; print(sys.executable)")
    assert ato(ready).stdout == f"{ready.clone}/.venv/bin/python\n"
    assert ready.files() == set()
    (ready.clone / ".venv/bin/python").unlink()
    (ready.clone / ".venv/bin/python").symlink_to("/nowhere/python")
    assert ato(ready).stdout == f"{ready.data}/runtime/{sum_of(ready)}/bin/python\n"


def test_the_settings_of_the_user_move_nothing(ready: Machine) -> None:
    """Variables that would break Python, or send the packages elsewhere, are not passed on; the way to the index is."""
    tell = '#!/bin/sh\ncase $1 in venv | pip) env >>"$0.env" ;; esac\n'
    ready.tool("uv", (ready.tools / "uv").read_text().replace("#!/bin/sh\n", tell))
    kept = {"PIP_INDEX_URL": "x", "PIP_CERT": "x", "UV_INDEX_URL": "x", "UV_HTTP_TIMEOUT": "9"}
    gone = {"PIP_TARGET": "x", "PIP_USER": "1", "PIP_DRY_RUN": "1", "UV_TARGET": "x", "UV_SYSTEM_PYTHON": "1"}
    gone |= {"PYTHONHOME": "/nowhere", "PYTHONPATH": str(ready.home), "UV_PYTHON": "x"}
    (ready.home / "click.py").write_text("raise SystemExit('the wrong one')")
    ready.environment |= kept | gone
    assert ato(ready, "--version").returncode == 0
    told = (ready.tools / "uv.env").read_text().splitlines()
    assert {f"{name}={value}" for name, value in kept.items()} <= set(told)
    assert not set(gone) & {line.partition("=")[0] for line in told}


@pytest.mark.parametrize("relative", ["", "data", "./data"])
def test_a_relative_data_folder_does_not_count(ready: Machine, relative: str) -> None:
    """XDG_DATA_HOME counts when it is absolute, and is ignored otherwise, as its specification says."""
    ready.environment["XDG_DATA_HOME"] = relative
    assert ato(ready, "--version").returncode == 0
    assert made(ready) == [sum_of(ready)]
    ready.environment["XDG_DATA_HOME"] = str(ready.home / "my data")
    assert ato(ready, "--version").returncode == 0
    assert (ready.home / "my data/agent-team-os/runtime" / sum_of(ready)).is_dir()


# ---- Updates and damage -------------------------------------------------------------------------


def test_an_update_makes_a_new_environment_and_removes_the_old_one(ready: Machine) -> None:
    """A changed lock file gets an environment of its own, and the one of the old lock file goes."""
    assert ato(ready, "--version").returncode == 0
    old = sum_of(ready)
    newer_lock(ready)
    assert sum_of(ready) != old
    result = ato(ready, "--version")
    assert result.returncode == 0, result
    assert made(ready) == [sum_of(ready)]


def test_a_python_that_vanished_is_replaced(ready: Machine) -> None:
    """Where the Python behind the environment was removed, the next command makes it anew."""
    assert ato(ready, "--version").returncode == 0
    python = ready.data / "runtime" / sum_of(ready) / "bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    result = ato(ready, "--version")
    assert result.returncode == 0, result
    assert made(ready) == [sum_of(ready)]
    assert os.access(python, os.X_OK)


# ---- Two at once, and killed ones ---------------------------------------------------------------


def test_of_two_first_commands_one_fetches_and_the_other_waits(ready: Machine) -> None:
    """A second command says that it waits for the first, starts nothing of its own, and then uses what was made."""
    ready.block_uv()
    first = start(ready)
    log = ready.home / "second.err"
    with log.open("w") as stderr:
        second = subprocess.Popen(
            [str(ready.clone / "scripts/ato"), "--version"],
            env=ready.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    end = time.monotonic() + PATIENCE
    while "waiting for it" not in log.read_text():
        assert second.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    ready.release_uv()
    assert first.communicate(timeout=PATIENCE)[0] == second.communicate(timeout=PATIENCE)[0] != ""
    assert (first.returncode, second.returncode) == (0, 0)
    assert log.read_text().count("\n") == 1
    assert [call for call in ready.uv_calls() if call.startswith("venv")] == [ready.uv_calls()[1]]
    assert made(ready) == [sum_of(ready)]


@pytest.mark.parametrize("victim", ["builder", "all"])
def test_a_killed_builder_blocks_nobody(ready: Machine, victim: str) -> None:
    """After a SIGKILL of the builder, alone or with all it started, the next command builds and clears up."""
    ready.block_uv()
    process = start(ready)
    if victim == "builder":
        os.kill(builder(ready), signal.SIGKILL)
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
    assert [name[:5] for name in made(ready)] == [".new-", "log"]
    # Whatever of the killed one still lives goes on waiting; the next one does not.
    (ready.tools / "uv.block").rename(ready.tools / "uv.block.old")
    result = ato(ready, "--version")
    assert result.returncode == 0, result
    assert result.stderr.count("\n") == 1
    assert made(ready) == [sum_of(ready)]
    (ready.tools / "uv.block.old").rename(ready.tools / "uv.block")
    ready.release_uv()
    process.communicate(timeout=PATIENCE)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_builder_leaves_nothing_half_made(ready: Machine, how: signal.Signals) -> None:
    """A person who interrupts the first command finds no half of an environment, and the next command works."""
    ready.block_uv()
    process = start(ready)
    os.killpg(process.pid, how)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert made(ready) == ["log"]
    ready.release_uv()
    assert ato(ready, "--version").returncode == 0


# ---- What cannot be done ------------------------------------------------------------------------


def test_without_a_network_it_says_what_works_and_the_next_time_it_works(ready: Machine) -> None:
    """Offline one line says what could not be fetched, what works without it and what to do; nothing is half made."""
    uv = (ready.tools / "uv").read_text()
    (ready.tools / "uv").unlink()
    ready.environment |= {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_CONFIG_FILE": os.devnull}
    result = ato(ready, "inbox")
    assert_one_line(result, 70, "packages", "could not be fetched", "Check the network", "run this again")
    assert "Hooks and slash commands that show mail work without" in result.stderr
    assert made(ready) == ["log"]
    assert not ready.mail.exists()
    assert list(ready.temporary.iterdir()) == []
    ready.tool("uv", uv)
    assert ato(ready, "--version").returncode == 0
    assert made(ready) == [sum_of(ready)]


def test_packages_that_landed_elsewhere_are_no_environment(ready: Machine) -> None:
    """An environment counts as made only when the packages can be imported from it, whatever the tools reported."""
    ready.tool("uv", (ready.tools / "uv").read_text().replace('lend "$4"', ":"))
    ready.environment["PIP_NO_INDEX"] = "1"
    assert_one_line(ato(ready, "--version"), 70, "packages")
    assert made(ready) == ["log"]


def test_without_a_new_enough_python_it_says_so(ready: Machine) -> None:
    """Where PATH has no Python of 3.11 or newer, one line says what there is and how to get one."""
    ready.tool("python3", fake_python("3.9.2", new=False, means="ensurepip", real="/usr/bin/python3"))
    assert_one_line(ato(ready, "inbox"), 70, "3.11 or newer", "/usr/bin/python3 (3.9.2)", "Hooks")
    assert ready.files() == set()


def test_a_missing_home_is_said(ready: Machine) -> None:
    """Without HOME and XDG_DATA_HOME there is no place for the packages, and the launcher says so."""
    del ready.environment["HOME"]
    assert_one_line(ato(ready, "inbox"), 70, "HOME is not set")
    assert ready.files() == set()


def test_an_incomplete_copy_is_said(ready: Machine) -> None:
    """A copy of the program without its checksum is named as incomplete."""
    (ready.clone / "requirements.lock.sha256").unlink()
    assert_one_line(ato(ready, "inbox"), 70, str(ready.clone), "requirements.lock.sha256")
    assert ready.files() == set()


@pytest.mark.parametrize("home", ["AGENT_TEAM_OS_HOME", "AB_HOME"])
def test_the_home_of_the_mail_stays_free_of_programs(ready: Machine, home: str) -> None:
    """Where the packages would lie inside the bus home, by whatever way, nothing is written and one line says so."""
    data = ready.home / "data"
    data.mkdir()
    (ready.home / "link").symlink_to(data)
    ready.environment |= {home: "~/link", "XDG_DATA_HOME": str(data)}
    before = ready.files()
    assert_one_line(ato(ready, "inbox"), 73, str(data), "mail", "XDG_DATA_HOME")
    assert ready.files() == before


def test_a_folder_that_cannot_be_written_is_said(ready: Machine) -> None:
    """Where the packages cannot be put, the status is 73 and one line names the folder and a way out."""
    data = ready.home / "data"
    data.mkdir(mode=0o500)
    ready.environment["XDG_DATA_HOME"] = str(data)
    ordinary = [str(shutil.which(ORDINARY[0])), *ORDINARY[1:]] if ORDINARY else []
    result = ready.run(*ordinary, str(ready.clone / "scripts/ato"), "inbox")
    assert_one_line(result, 73, str(data), "XDG_DATA_HOME")
    (ready.home / "file").touch()
    ready.environment["XDG_DATA_HOME"] = str(ready.home / "file")
    assert_one_line(ato(ready, "inbox"), 73, str(ready.home / "file"), "XDG_DATA_HOME")
