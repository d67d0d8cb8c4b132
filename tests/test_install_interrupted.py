"""Runs of `install.sh` that are killed, meet another run, or bring a program that does not start."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from support.machine import Machine, assert_refused
from support.machine import ready as ready_machine


@pytest.fixture
def ready(tmp_path: Path) -> Machine:
    """A scratch machine with Python and the stand-in for uv."""
    return ready_machine(tmp_path)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_update_leaves_the_old_program_at_work(ready: Machine, how: signal.Signals) -> None:
    """A run that is killed halfway changes nothing that is in use, and the next run clears away what it left."""
    assert ready.install().returncode == 0
    with (ready.clone / "requirements.lock").open("a") as lock:
        lock.write("# newer\n")
    ready.block_uv()
    process = ready.start(*ready.command(), sign=ready.tools / "uv.blocked")
    os.killpg(process.pid, how)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert ready.ato("--version").returncode == 0

    ready.release_uv()
    result = ready.install()
    assert result.returncode == 0, result
    left = {path.name.partition("-")[0] for path in (ready.data / "program.d").iterdir()}
    assert len(list((ready.data / "program.d").iterdir())) == 3
    assert {"env", "made"} < left


def test_an_interrupted_demo_is_no_trouble_for_the_next(ready: Machine) -> None:
    """An environment in the clone counts only when complete; what a killed run left there goes with the next run."""
    ready.stub_demo("echo played\n")
    ready.block_uv()
    process = ready.start(*ready.command("--demo"), sign=ready.tools / "uv.blocked")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert not (ready.clone / ".venv").exists()
    ready.release_uv()
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
    ready.block_uv()
    process = ready.start(*ready.command(), sign=ready.tools / "uv.blocked")
    try:
        assert_refused(ready.install(), 3, f"process {process.pid}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)


def test_a_program_that_does_not_start_is_not_swapped_in(ready: Machine) -> None:
    """A release that cannot even tell its version never replaces the one at work."""
    assert ready.install().returncode == 0
    (ready.clone / "scripts/agent_team_os/__main__.py").write_text("raise SystemExit('broken')\n")
    assert_refused(ready.install(), 70, "nothing was changed")
    assert ready.ato("--version").returncode == 0
