"""What `install.sh` makes the Python environment with, and what it says when it cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.machine import FAKE_UV, LEND, REAL_PYTHON, Machine, assert_refused, fake_python
from support.machine import ready as ready_machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A scratch machine without any Python."""
    return Machine(tmp_path)


@pytest.fixture
def ready(tmp_path: Path) -> Machine:
    """A scratch machine with Python and the stand-in for uv."""
    return ready_machine(tmp_path)


def test_no_python_at_all(machine: Machine) -> None:
    """Where PATH has no Python, the script says what is needed and how to get it."""
    assert_refused(machine.install(), 70, "Python 3.11 or newer is needed", "no Python at all", "apt install")


def test_python_too_old_is_listed_with_its_version(machine: Machine) -> None:
    """Every Python that will not do is named with its version, and the ones that do not run as such."""
    machine.tool("python3", fake_python("3.9.2", new=False, means="ensurepip", real="/usr/bin/python3"))
    machine.tool("python", fake_python("2.7.18", new=False, means="nothing", real="/usr/bin/python2.7"))
    shim = machine.tool("python3.12", "#!/bin/sh\necho 'python3.12: command not found' >&2\nexit 127\n")
    result = machine.install()
    assert_refused(result, 70, "3.11 or newer", "/usr/bin/python3 (3.9.2)", "/usr/bin/python2.7 (2.7.18)")
    assert f"{shim} (which does not run)" in result.stderr


def test_python_without_venv_names_the_package(machine: Machine) -> None:
    """A Python that cannot make environments is named, with the Debian package that mends it."""
    machine.tool("python3", fake_python("3.11.2", new=True, means="nothing"))
    assert_refused(machine.install(), 70, "/opt/some/python (3.11.2)", "apt install python3.11-venv")


def test_shims_that_fail_are_passed_over_and_the_real_python_is_used(ready: Machine) -> None:
    """A version manager's shim is followed to the interpreter behind it, or skipped if it leads nowhere."""
    ready.tool("python3.14", "#!/bin/sh\nexit 127\n")
    result = ready.install()
    assert result.returncode == 0, result
    assert f"with {REAL_PYTHON};" in result.stdout
    assert f"--python {REAL_PYTHON} " in (ready.tools / "uv.calls").read_text()


def test_uv_is_told_to_check_hashes_and_to_keep_nothing(ready: Machine) -> None:
    """uv gets the lock with its hashes, built packages only, and no leave to fetch a Python."""
    ready.tool("uv", FAKE_UV.replace('echo "$*"', 'echo "$* cache=$UV_NO_CACHE downloads=$UV_PYTHON_DOWNLOADS"'))
    assert ready.install().returncode == 0
    calls = (ready.tools / "uv.calls").read_text().splitlines()
    assert calls[0].startswith("--version")
    assert calls[1].startswith("venv ")
    assert calls[1].endswith("cache=1 downloads=never")
    assert calls[2].startswith("pip install ")
    assert "cache=1" in calls[2]
    for option in ("--require-hashes", "--only-binary :all:", f"-r {ready.clone}/requirements.lock"):
        assert option in calls[2]


@pytest.mark.parametrize("uv", ["", "#!/bin/sh\nexit 127\n", '#!/bin/sh\n[ "$1" = --version ]\n'])
def test_pip_steps_in_for_uv(machine: Machine, uv: str) -> None:
    """Without uv, with a shim in its place or with a uv that fails, Python's own pip installs, by hashes too."""
    if uv:
        machine.tool("uv", uv)
    machine.python("real")
    # A Python with venv and pip, but without ensurepip, as Debian has it.
    machine.tool(
        "python3",
        f"""#!/bin/sh
{LEND}
case $* in
*ensurepip*) printf '%s\\n' 3.11.2 new pip "$0" ;;
'-I -m pip --python '*)
    echo "$*" >"$0.calls"
    lend "$5" ;;
*) exec real "$@" ;;
esac
""",
    )
    result = machine.install()
    assert result.returncode == 0, result
    call = (machine.tools / "python3.calls").read_text()
    for option in ("--require-hashes", "--only-binary :all:", "--no-cache-dir", "--disable-pip-version-check"):
        assert option in call
    assert machine.ato("--version").returncode == 0


def test_an_unreachable_index_is_said_in_one_sentence(machine: Machine) -> None:
    """Without a network nothing is installed, and one line says so and names the file with the tools' output."""
    machine.python()
    machine.environment |= {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_CONFIG_FILE": os.devnull}
    result = machine.install()
    assert_refused(result, 70, "the package index could not be reached", "Check the network")
    log = Path(result.stderr.partition(" is in ")[2].strip())
    assert "Connection refused" in log.read_text()
    assert not machine.bin.joinpath("ato").is_symlink()
    assert not machine.data.joinpath("program").exists()
    assert not machine.mail.exists()
    assert list(machine.temporary.iterdir()) == []


def test_packages_that_fail_otherwise_end_with_the_last_error(ready: Machine) -> None:
    """A failure that is not the network's is told with the tool's own last error, not with a guess."""
    ready.tool("python3", fake_python("3.11.2", new=True, means="pip"))
    ready.tool("uv", '#!/bin/sh\n[ "$1" = --version ] || { echo "error: the disk is on fire" >&2; exit 1; }\n')
    assert_refused(ready.install(), 70, "requirements.lock could not be installed", "error: the disk is on fire")


@pytest.mark.parametrize("spoil", ["lock", "interpreter", "packages"])
def test_an_environment_that_no_longer_fits_is_made_anew(ready: Machine, spoil: str) -> None:
    """A changed lock, a removed Python or packages that are gone lead to a new environment, and the old one goes."""
    assert ready.install().returncode == 0
    first = os.readlink(ready.data / "program/.venv")
    environment = ready.data / "program/.venv"
    if spoil == "lock":
        with (ready.clone / "requirements.lock").open("a") as lock:
            lock.write("# newer\n")
    elif spoil == "interpreter":
        (environment / "bin/python").unlink()
        (environment / "bin/python").symlink_to("/nowhere/python")
    else:
        next(environment.glob("lib/*/site-packages/click")).unlink()
    assert ready.install().returncode == 0
    assert os.readlink(ready.data / "program/.venv") != first
    assert len(list((ready.data / "program.d").glob("env-*"))) == 1
    assert ready.ato("--version").returncode == 0
