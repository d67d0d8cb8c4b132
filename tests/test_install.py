"""`install.sh`, `scripts/ato` and `.ci/run`, run for real in scratch folders.

Most runs here get their packages from a stand-in for `uv`, which lends them the packages of the environment that
runs the tests: quick, and without a network. The last two go to the package index, as a person's first run does.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = [
    "install.sh",
    "scripts",
    "schemas",
    "requirements.lock",
    "requirements-dev.lock",
    "pyproject.toml",
    "LICENSE",
]
# What the scripts call. A PATH of these alone has no Python on it, whatever the machine has.
TOOLS = ["cat", "cmp", "cp", "date", "dirname", "env", "find", "grep", "ln", "ls", "mkdir", "mktemp", "mv", "readlink"]
TOOLS += ["rm", "rmdir", "sh", "sleep", "tail", "touch"]
REAL_PYTHON = str(getattr(sys, "_base_executable", sys.executable))
# Links, not a .pth file: the program is started without `site`, which alone would read one.
LEND = f"""lend() {{ # PYTHON
    ln -s {shlex.quote(sysconfig.get_path("purelib"))}/* \\
        "$("$1" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    ln -s {shlex.quote(sys.prefix)}/bin/ruff "${{1%/*}}/ruff"
}}
"""

FAKE_UV = f"""#!/bin/sh
{LEND}
echo "$*" >>"$0.calls"
case $1 in
venv)
    for folder; do :; done
    {shlex.quote(REAL_PYTHON)} -I -m venv --without-pip "$folder" ;;
pip)
    [ ! -e "$0.block" ] || {{ : >"$0.blocked"; sleep 60; }}
    lend "$4" ;;
esac
"""


class Machine:
    """A scratch machine: an empty home, a copy of the program, and a PATH of its own."""

    def __init__(self, place: Path) -> None:
        self.home = place / "höme of me"
        self.tools = place / "tools"
        self.clone = place / "the clone"
        self.temporary = place / "tmp"
        for folder in (self.home, self.tools, self.clone, self.temporary):
            folder.mkdir()
        for name in TOOLS:
            found = shutil.which(name)
            assert found, name
            (self.tools / name).symlink_to(found)
        for name in PROGRAM:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.clone / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, self.clone / name)
        self.data = self.home / ".local/share/agent-team-os"
        self.bin = self.home / ".local/bin"
        self.mail = self.home / ".agent-team-os"
        self.environment = {
            "HOME": str(self.home),
            "PATH": str(self.tools),
            "TMPDIR": str(self.temporary),
            # Where an unreachable index is asked, it is asked twice.
            "PIP_RETRIES": "1",
        }

    def tool(self, name: str, text: str) -> Path:
        path = self.tools / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def python(self, name: str = "python3") -> None:
        """Put the Python that runs the tests on PATH, behind a shim, as version managers do."""
        self.tool(name, f'#!/bin/sh\nexec {shlex.quote(REAL_PYTHON)} "$@"\n')

    def command(self, *arguments: str) -> list[str]:
        return [str(self.clone / "install.sh"), *arguments]

    def install(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.run(*self.command(*arguments), cwd=cwd)

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd or self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=170,
        )

    def ato(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Call the installed program as a person does: by its name, through PATH."""
        path = f"{self.bin}:{self.tools}"
        return subprocess.run(
            ["env", f"PATH={path}", "ato", *arguments],
            cwd=cwd or self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def files(self, below: Path | None = None) -> set[str]:
        """The paths of everything below a folder, but for what Python compiled."""
        top = below or self.home
        return {str(path.relative_to(top)) for path in top.rglob("*") if "__pycache__" not in path.parts}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A scratch machine without any Python."""
    return Machine(tmp_path)


@pytest.fixture
def ready(machine: Machine) -> Machine:
    """A scratch machine with Python and the stand-in for uv."""
    machine.python()
    machine.tool("uv", FAKE_UV)
    return machine


def assert_refused(result: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert result.returncode == status, result
    assert result.stderr.startswith("install.sh: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def fake_python(version: str, *, new: bool, means: str, real: str = "/opt/some/python") -> str:
    """A shell script that answers install.sh's question, and nothing else, as some Python would."""
    age = "new" if new else "old"
    return f"#!/bin/sh\ncase $* in *ensurepip*) printf '%s\\n' {version} {age} {means} '{real}' ;; *) exit 9 ;; esac\n"


# ---- Usage --------------------------------------------------------------------------------------


def test_help_names_every_option(machine: Machine) -> None:
    """--help describes each option that the script knows, and does nothing else."""
    result = machine.install("--help")
    assert result.returncode == 0
    for option in ("--dir DIR", "--uninstall", "--demo", "--test", "--full", "--help"):
        assert option in result.stdout
    assert machine.files() == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--frobnicate"],
        ["demo"],
        [""],
        ["--full"],
        ["--dir"],
        ["--dir="],
        ["--demo", "--test"],
        ["--test", "--dir", "x"],
        ["--uninstall", "--full"],
    ],
)
def test_wrong_usage_is_one_line_and_changes_nothing(ready: Machine, arguments: list[str]) -> None:
    """Unknown options and combinations that make no sense exit 64 with one line that points to --help."""
    assert_refused(ready.install(*arguments), 64, "./install.sh --help")
    assert ready.files() == set()


@pytest.mark.parametrize("arguments", [[], ["--uninstall"]])
def test_a_missing_home_is_said(ready: Machine, arguments: list[str]) -> None:
    """Without HOME there is no place to install to, and the script says so."""
    del ready.environment["HOME"]
    assert_refused(ready.install(*arguments, cwd=ready.clone), 70, "HOME is not set")


# ---- Finding Python -----------------------------------------------------------------------------


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


# ---- Installing ---------------------------------------------------------------------------------


def test_install_makes_launcher_program_home_and_map(ready: Machine) -> None:
    """One run gives a program that answers through PATH, a home with a map, and the next steps in words."""
    result = ready.install()
    assert result.returncode == 0, result
    assert result.stderr == ""
    assert "ato join dev" in result.stdout
    assert 'export PATH="$HOME/.local/bin:$PATH"' in result.stdout
    assert ready.ato("--version").stdout == ready.run(str(ready.bin / "agent-team-os"), "--version").stdout != ""
    assert json.loads((ready.mail / "AGENT_MAP.json").read_text())["version"] == "2.0"
    assert os.readlink(ready.bin / "ato") == str(ready.data / "program/scripts/ato")
    assert list(ready.temporary.iterdir()) == []


def test_the_installed_program_needs_no_clone(ready: Machine) -> None:
    """The program goes on working, and can be taken away, after the clone it came from is gone."""
    assert ready.install().returncode == 0
    shutil.rmtree(ready.clone)
    project = ready.home / "code"
    project.mkdir()
    assert ready.ato("join", "dev", cwd=project).returncode == 0
    assert json.loads(ready.ato("whoami", "--json", cwd=project).stdout)["agent"] == "dev"
    assert ready.run(str(ready.data / "program/install.sh"), "--uninstall").returncode == 0
    assert not ready.data.exists()


def test_what_is_installed_is_compiled(ready: Machine) -> None:
    """Every module of the installed program has its bytecode, even where the settings say not to write any."""
    ready.environment["PYTHONDONTWRITEBYTECODE"] = "1"
    assert ready.install().returncode == 0
    for module in (ready.data / "program/scripts/agent_team_os").rglob("*.py"):
        compiled = module.parent / "__pycache__" / f"{module.stem}.{sys.implementation.cache_tag}.pyc"
        assert compiled.exists(), module


def test_a_second_run_changes_nothing_but_the_release(ready: Machine) -> None:
    """Run twice, the script leaves the same files, keeps a map that was edited, and makes no second environment."""
    assert ready.install().returncode == 0
    before = ready.files()
    release = os.readlink(ready.data / "program")
    map_file = ready.mail / "AGENT_MAP.json"
    edited = map_file.read_text().replace("{", '{"my own key": 1,', 1)
    map_file.write_text(edited)
    calls = (ready.tools / "uv.calls").read_text()

    assert ready.install().returncode == 0
    assert {path.replace(os.readlink(ready.data / "program"), release) for path in ready.files()} == before
    assert map_file.read_text() == edited
    assert (ready.tools / "uv.calls").read_text() == calls


def test_a_run_always_brings_the_newest_files(ready: Machine) -> None:
    """What changed in the clone is installed by the next run, and what went away there is gone."""
    (ready.clone / "skills").mkdir()
    (ready.clone / "skills/old.md").write_text("old")
    assert ready.install().returncode == 0
    assert (ready.data / "program/skills/old.md").exists()
    (ready.clone / "skills/old.md").rename(ready.clone / "skills/new.md")
    assert ready.install().returncode == 0
    assert [path.name for path in (ready.data / "program/skills").iterdir()] == ["new.md"]


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


def test_dir_chooses_the_place(ready: Machine) -> None:
    """--dir puts the program into another folder, relative to where the person is; its neighbours are left alone."""
    place = ready.home / "my prögrams"
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    assert ready.install("--dir", "my prögrams").returncode == 0
    assert os.readlink(ready.bin / "ato") == str(place / "program/scripts/ato")
    assert ready.ato("--version").returncode == 0
    assert not ready.data.exists()
    assert ready.install("--uninstall", f"--dir={place}").returncode == 0
    assert ready.files(place) == {"mine.txt"}


def test_without_dir_the_data_folder_of_the_settings_counts(ready: Machine) -> None:
    """XDG_DATA_HOME moves the program; launchers that led elsewhere follow, and the person is told."""
    assert ready.install("--dir", "first").returncode == 0
    ready.environment["XDG_DATA_HOME"] = str(ready.home / "data")
    result = ready.install()
    assert result.returncode == 0, result
    assert f"{ready.bin}/ato led to {ready.home}/first/program/scripts/ato before" in result.stdout
    assert os.readlink(ready.bin / "ato") == str(ready.home / "data/agent-team-os/program/scripts/ato")
    result = ready.install("--uninstall", "--dir", "first")
    assert f"Left {ready.bin}/ato alone" in result.stdout
    assert ready.ato("--version").returncode == 0


def test_the_mail_is_no_place_for_the_program(ready: Machine) -> None:
    """The folder of the mail, which people copy and commit, is refused as the program's."""
    assert_refused(ready.install("--dir", str(ready.mail)), 64, str(ready.mail), "--dir")
    assert ready.files() == set()


@pytest.mark.parametrize("umask", [0o002, 0o077])
def test_any_umask_will_do(ready: Machine, umask: int) -> None:
    """The program is installed and works under a shared and under a private umask."""
    before = os.umask(umask)
    try:
        assert ready.install().returncode == 0
    finally:
        os.umask(before)
    assert ready.ato("whoami").returncode == 0
    assert (ready.data / "program/scripts/ato").stat().st_mode & umask == 0


@pytest.mark.parametrize("name", ["ato", "agent-team-os"])
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_a_foreign_launcher_is_never_overwritten(ready: Machine, name: str, kind: str) -> None:
    """Something else at a launcher's place is named and left, and nothing is installed beside it."""
    ready.bin.mkdir(parents=True)
    foreign = ready.bin / name
    if kind == "file":
        foreign.write_text("#!/bin/sh\n")
    elif kind == "link":
        foreign.symlink_to("/opt/other/ato")
    else:
        foreign.mkdir()
    before = ready.files()
    assert_refused(ready.install(), 73, str(foreign), "in the way")
    assert ready.files() == before


@pytest.mark.parametrize("name", ["program", "program.d"])
def test_a_foreign_program_folder_is_never_replaced(ready: Machine, name: str) -> None:
    """A folder of somebody else's at the program's place is named and left as it is, by both directions."""
    (ready.data / name).mkdir(parents=True)
    (ready.data / name / "thesis.txt").write_text("years of work")
    assert_refused(ready.install(), 73, str(ready.data / name), "--dir")
    assert ready.install("--uninstall").returncode == 0
    assert (ready.data / name / "thesis.txt").read_text() == "years of work"


def test_another_ato_first_on_path_is_pointed_out(ready: Machine) -> None:
    """Where a different ato comes first on PATH, the person learns which, and what to type instead."""
    other = ready.tool("ato", "#!/bin/sh\n")
    ready.environment["PATH"] += f":{ready.bin}"
    result = ready.install()
    assert f"Another ato comes first on your PATH, {other}: type agent-team-os instead." in result.stdout
    assert "export PATH" not in result.stdout


# ---- Interruptions ------------------------------------------------------------------------------


def start_and_wait_for(machine: Machine, sign: Path, *arguments: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        machine.command(*arguments),
        env=machine.environment,
        cwd=machine.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # Whoever starts the tests in the background has them ignore it, and a shell cannot undo that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    end = time.monotonic() + 60
    while not sign.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_update_leaves_the_old_program_at_work(ready: Machine, how: signal.Signals) -> None:
    """A run that is killed halfway changes nothing that is in use, and the next run clears away what it left."""
    assert ready.install().returncode == 0
    with (ready.clone / "requirements.lock").open("a") as lock:
        lock.write("# newer\n")
    (ready.tools / "uv.block").touch()
    process = start_and_wait_for(ready, ready.tools / "uv.blocked")
    os.killpg(process.pid, how)
    assert process.wait(30) != 0
    assert ready.ato("--version").returncode == 0

    (ready.tools / "uv.block").unlink()
    result = ready.install()
    assert result.returncode == 0, result
    left = {path.name.partition("-")[0] for path in (ready.data / "program.d").iterdir()}
    assert len(list((ready.data / "program.d").iterdir())) == 3
    assert {"env", "made"} < left


def test_an_interrupted_demo_is_no_trouble_for_the_next(ready: Machine) -> None:
    """An environment in the clone counts only when complete; what a killed run left there goes with the next run."""
    stub_demo(ready, "echo played\n")
    (ready.tools / "uv.block").touch()
    process = start_and_wait_for(ready, ready.tools / "uv.blocked", "--demo")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
    assert not (ready.clone / ".venv").exists()
    (ready.tools / "uv.block").unlink()
    assert ready.install("--demo").stdout.endswith("played\n")
    assert [path.name for path in ready.clone.glob(".venv*")] == [".venv"]
    assert list((ready.clone / ".cache").iterdir()) == []


def test_a_reader_that_goes_away_leaves_no_litter(ready: Machine) -> None:
    """Where the reader of the output is gone, as behind `| head`, the scratch folder is removed all the same."""
    ready.run("sh", "-c", '"$0" | :', *ready.command())
    assert list(ready.temporary.iterdir()) == []
    assert not (ready.data / "program.d/busy").is_symlink()


def test_two_runs_do_not_meet(ready: Machine) -> None:
    """While one run is at work a second one for the same folder says so, and the first is not disturbed."""
    (ready.tools / "uv.block").touch()
    process = start_and_wait_for(ready, ready.tools / "uv.blocked")
    try:
        assert_refused(ready.install(), 3, f"process {process.pid}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def test_a_program_that_does_not_start_is_not_swapped_in(ready: Machine) -> None:
    """A release that cannot even tell its version never replaces the one at work."""
    assert ready.install().returncode == 0
    (ready.clone / "scripts/agent_team_os/__main__.py").write_text("raise SystemExit('broken')\n")
    assert_refused(ready.install(), 70, "nothing was changed")
    assert ready.ato("--version").returncode == 0


# ---- Uninstalling -------------------------------------------------------------------------------


def test_uninstall_takes_the_program_and_keeps_the_mail(ready: Machine) -> None:
    """--uninstall removes launchers and program, keeps the mail and says where it is; a second time it does no harm."""
    assert ready.install().returncode == 0
    mail = {path: path.read_bytes() for path in ready.mail.rglob("*") if path.is_file()}
    assert mail
    for words in ("Removed the program", "There is no program"):
        result = ready.install("--uninstall")
        assert result.returncode == 0, result
        assert words in result.stdout
        assert f"The mail stays where it is, in {ready.mail}." in result.stdout
    assert {path: path.read_bytes() for path in ready.mail.rglob("*") if path.is_file()} == mail
    assert {path for path in ready.files() if not path.startswith(".agent-team-os")} == {
        ".local",
        ".local/bin",
        ".local/share",
    }


def test_uninstall_leaves_foreign_launchers(ready: Machine) -> None:
    """A launcher that a person replaced by something else stays, and is mentioned."""
    assert ready.install().returncode == 0
    (ready.bin / "ato").unlink()
    (ready.bin / "ato").write_text("mine")
    result = ready.install("--uninstall")
    assert result.returncode == 0
    assert f"Left {ready.bin}/ato alone" in result.stdout
    assert ready.files(ready.bin) == {"ato"}


# ---- Demo and test ------------------------------------------------------------------------------


def stub_demo(machine: Machine, text: str) -> None:
    demo = machine.clone / "scripts/demo"
    demo.write_text("#!/bin/sh\n" + text)
    demo.chmod(0o755)


def test_demo_runs_in_a_scratch_folder_that_goes_away(ready: Machine) -> None:
    """--demo reaches neither the person's home nor the person's mail, and passes on the status of the demo."""
    stub_demo(
        ready, '(cd "$ATO_DEMO_DIR" && : >there)\necho "$ATO_DEMO_DIR|$HOME|${AGENT_TEAM_OS_HOME-none}"\nexit 5\n'
    )
    ready.environment["AGENT_TEAM_OS_HOME"] = str(ready.mail)
    for _ in range(2):
        result = ready.install("--demo")
        assert result.returncode == 5
        folder, home, mail = result.stdout.splitlines()[-1].split("|")
        assert Path(folder).is_relative_to(ready.temporary)
        assert Path(home).is_relative_to(ready.temporary)
        assert mail == "none"
        assert list(ready.temporary.iterdir()) == []
        assert ready.files() == set()
    assert (ready.tools / "uv.calls").read_text().count("pip install") == 1


def test_demo_needs_no_environment_variables(ready: Machine) -> None:
    """--demo works where HOME is not set, from any folder, and so does a home that does not exist."""
    stub_demo(ready, "echo played\n")
    del ready.environment["HOME"]
    assert ready.install("--demo").stdout.endswith("played\n")
    ready.environment["HOME"] = "/nowhere/at all"
    assert ready.install("--demo", cwd=Path("/")).stdout == "played\n"


def test_a_foreign_environment_in_the_clone_is_left_alone(ready: Machine) -> None:
    """A .venv that somebody made by hand is named and not replaced."""
    (ready.clone / ".venv").mkdir()
    (ready.clone / ".venv/mine").touch()
    assert_refused(ready.install("--demo"), 73, str(ready.clone / ".venv"), "in the way")
    assert ready.files(ready.clone / ".venv") == {"mine"}


@pytest.fixture
def small(ready: Machine) -> Machine:
    """A machine whose clone has next to no code and three tests, so that all checks are quick."""
    package = ready.clone / "scripts/agent_team_os"
    shutil.rmtree(package)
    for layer in ("cli", "hooks", "bus", "mail", "storage", "protocol"):
        (package / layer).mkdir(parents=True)
        (package / layer / "__init__.py").touch()
    (package / "__init__.py").touch()
    tests = ready.clone / "tests"
    tests.mkdir()
    (tests / "test_small.py").write_text(
        '''"""Three tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def test_short() -> None:
    """A short one."""


@pytest.mark.full
def test_long() -> None:
    """A long one."""


def test_home() -> None:
    """The home is a scratch folder."""
    assert Path.home().parent == Path(os.environ["TMPDIR"]).parent
    (Path.home() / "litter").touch()
'''
    )
    return ready


def test_the_suite_runs_without_leaving_anything_outside(small: Machine) -> None:
    """--test runs every check, ends with pytest's summary, and writes to the clone alone; --full adds the long runs."""
    first = small.install("--test")
    assert first.returncode == 0, first
    assert "2 passed" in first.stdout.splitlines()[-1]
    for name in ("ruff check", "ruff format", "mypy", "import-linter"):
        assert f"{name}: ok\n" in first.stdout
    second = small.install("--test", "--full")
    assert "3 passed" in second.stdout.splitlines()[-1]
    assert (small.tools / "uv.calls").read_text().count("pip install") == 1
    assert "requirements-dev.lock" in (small.tools / "uv.calls").read_text()
    assert small.files() == set()
    assert list(small.temporary.iterdir()) == []
    new = {path.name for path in small.clone.iterdir()} - set(PROGRAM) - {"tests"}
    assert new == {".venv", ".cache"}


def test_a_failing_check_fails_the_suite_and_the_rest_still_runs(small: Machine) -> None:
    """One failed check makes the run fail by name at its end, after all the others have had their turn."""
    with (small.clone / "tests/test_small.py").open("a") as file:
        file.write("\n\nimport json\nwrong: int = 'text'\n")
    result = small.install("--test")
    assert result.returncode == 1
    assert "2 passed" in result.stdout.splitlines()[-1]
    assert result.stderr.splitlines()[-1] == "install.sh: failed: ruff check, ruff format, mypy"


def test_ci_installs_the_debian_packages_and_runs_the_suite(tmp_path: Path) -> None:
    """.ci/run installs the packages of tests/apt.txt that are missing, then runs exactly `./install.sh --test`."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    (tmp_path / "tests/apt.txt").write_text("# comment\n\nthere\nmissing  # why\nabsent")
    for path, text in {
        "install.sh": 'echo "install.sh $*" >>log',
        "bin/dpkg-query": 'for package; do :; done; [ "$package" != there ] || printf installed',
        "bin/apt-get": 'echo "apt-get $*" >>log',
        "bin/sudo": 'exec "$@"',
    }.items():
        (tmp_path / path).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / path).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}

    def log() -> list[str]:
        subprocess.run(["bash", str(tmp_path / ".ci/run")], cwd="/", env=environment, check=True)
        lines = (tmp_path / "log").read_text().splitlines()
        (tmp_path / "log").unlink()
        return lines

    update, install, suite = log()
    assert update.endswith(" update")
    assert install.endswith(" missing absent")
    assert suite == "install.sh --test"
    (tmp_path / "tests/apt.txt").write_text("# nothing\n")
    assert log() == ["install.sh --test"]


# ---- The launcher -------------------------------------------------------------------------------


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """A launcher in a folder with an odd name, whose program prints its own place, its Python's and its arguments."""
    root = tmp_path / "the 'clöne' $HOME"
    (root / "scripts/agent_team_os").mkdir(parents=True)
    (root / "scripts/agent_team_os/__main__.py").write_text(
        "import sys\nprint(__file__, sys.executable, sys.argv[1:], sep='|')\n"
    )
    shutil.copy(ROOT / "scripts/ato", root / "scripts/ato")
    subprocess.run([REAL_PYTHON, "-I", "-m", "venv", "--without-pip", str(root / ".venv")], check=True)
    return root / "scripts/ato"


def absolute(launcher: Path) -> tuple[list[str], Path]:
    return [str(launcher)], Path("/")


def beside(launcher: Path) -> tuple[list[str], Path]:
    return ["./ato"], launcher.parent


def above(launcher: Path) -> tuple[list[str], Path]:
    return ["scripts/ato"], launcher.parent.parent


def below(launcher: Path) -> tuple[list[str], Path]:
    return ["../ato"], launcher.parent / "agent_team_os"


def by_path(launcher: Path) -> tuple[list[str], Path]:
    return ["env", f"PATH={launcher.parent}:{os.environ['PATH']}", "ato"], Path("/")


def by_relative_path(launcher: Path) -> tuple[list[str], Path]:
    return ["env", f"PATH=scripts:{os.environ['PATH']}", "ato"], launcher.parent.parent


def as_argument_of_sh(launcher: Path) -> tuple[list[str], Path]:
    return ["sh", "ato"], launcher.parent


def by_chain_of_links(launcher: Path) -> tuple[list[str], Path]:
    links = launcher.parent.parent.parent / "links"
    links.mkdir()
    (links / "third").symlink_to(launcher)
    (links / "second").symlink_to("third")
    (links / "first").symlink_to("../links/second")
    return ["links/first"], links.parent


def by_linked_folder(launcher: Path) -> tuple[list[str], Path]:
    """A folder named scripts that is a link, beside an environment that is somebody else's."""
    other = launcher.parent.parent.parent / "other"
    other.mkdir()
    (other / "scripts").symlink_to(launcher.parent)
    (other / ".venv/bin").mkdir(parents=True)
    (other / ".venv/bin/python").symlink_to("/bin/false")
    return [str(other / "scripts/ato")], Path("/")


def by_dots_behind_a_link(launcher: Path) -> tuple[list[str], Path]:
    other = launcher.parent.parent.parent / "other"
    other.mkdir()
    (other / "package").symlink_to(launcher.parent / "agent_team_os")
    return [str(other / "package/../../scripts/ato")], Path("/")


@pytest.mark.parametrize(
    "way",
    [
        absolute,
        beside,
        above,
        below,
        by_path,
        by_relative_path,
        as_argument_of_sh,
        by_chain_of_links,
        by_linked_folder,
        by_dots_behind_a_link,
    ],
)
def test_the_launcher_finds_its_program(launcher: Path, way: Callable[[Path], tuple[list[str], Path]]) -> None:
    """However it is called, the launcher runs the program in its own environment, with the arguments as they are."""
    command, cwd = way(launcher)
    result = subprocess.run([*command, "a b", "", "*"], cwd=cwd, capture_output=True, text=True, check=True)
    program, python, arguments = result.stdout.rstrip("\n").split("|")
    # As texts: from its own path Python concludes where its packages are.
    assert os.path.normpath(program) == str(launcher.parent / "agent_team_os/__main__.py")
    assert os.path.normpath(python) == str(launcher.parent.parent / ".venv/bin/python")
    assert arguments == "['a b', '', '*']"


def test_a_launcher_without_its_environment_says_what_to_run(launcher: Path) -> None:
    """Without a Python environment the launcher exits 70 with one line that names the folder and the command."""
    shutil.rmtree(launcher.parent.parent / ".venv")
    result = subprocess.run([str(launcher), "inbox"], capture_output=True, text=True, check=False)
    assert result.returncode == 70
    assert result.stderr.count("\n") == 1
    assert str(launcher.parent.parent) in result.stderr
    assert "./install.sh" in result.stderr


# ---- With the package index ---------------------------------------------------------------------


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
