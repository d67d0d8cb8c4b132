"""`install.sh --uninstall` takes away what was installed, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.machine import Machine
from support.machine import ready as ready_machine


@pytest.fixture
def ready(tmp_path: Path) -> Machine:
    """A scratch machine with Python and the stand-in for uv."""
    return ready_machine(tmp_path)


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


def test_uninstall_takes_what_uninstalled_copies_have_made(ready: Machine) -> None:
    """The packages of a copy that runs without installation, and the hooks' note of a Python, go too."""
    assert ready.run(str(ready.clone / "scripts/ato"), "--version").returncode == 0
    assert ready.run("sh", str(ready.clone / "hooks/run"), "SessionStart").returncode == 0
    assert {".local/share/agent-team-os/runtime", ".cache/agent-team-os/python"} <= ready.files()
    assert ready.install("--uninstall").returncode == 0
    assert ready.files() == {".local", ".local/share", ".cache"}


def test_uninstall_leaves_foreign_launchers(ready: Machine) -> None:
    """A launcher that a person replaced by something else stays, and is mentioned."""
    assert ready.install().returncode == 0
    (ready.bin / "ato").unlink()
    (ready.bin / "ato").write_text("mine")
    result = ready.install("--uninstall")
    assert result.returncode == 0
    assert f"Left {ready.bin}/ato alone" in result.stdout
    assert ready.files(ready.bin) == {"ato"}
