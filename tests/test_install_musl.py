"""Alpine and its like, for which one package of the lock has no wheel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import ROOT

# Makes an environment as install.sh does, up to the tool that would fill it.
SCRIPT = """
set -eu
die() { echo "$*" >&2; exit 70; }
. "$1/scripts/environment.sh"
fill_with_uv() { cp "$2" "$folder/given"; mkdir "$1"; }
folder=$2 log=$2/log python=$3
make_environment "$2/env" "$1/requirements.lock"
"""


def given(folder: Path, host: str) -> str:
    """The lock that the packages are taken from, on a system whose Python was built for `host`."""
    python = folder / "python"
    code = f"import sys, sysconfig; sysconfig.get_config_vars()['HOST_GNU_TYPE'] = '{host}'; exec(sys.argv[1])"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$3"\n')
    python.chmod(0o755)
    subprocess.run(["sh", "-c", SCRIPT, "sh", str(ROOT), str(folder), str(python)], check=True)
    assert (folder / "env/made-from.lock").read_bytes() == (ROOT / "requirements.lock").read_bytes()
    assert {path.name for path in folder.iterdir()} == {"python", "log", "env", "given"}
    return (folder / "given").read_text()


@pytest.mark.parametrize("host", ["x86_64-pc-linux-musl", "aarch64-alpine-linux-musl"])
def test_what_has_no_wheel_is_left_out(tmp_path: Path, host: str) -> None:
    """On musl all packages but pyrage are installed, so that all but `msg` works."""
    whole = (ROOT / "requirements.lock").read_text()
    before, _, rest = whole.partition("\npyrage==")
    after = rest[rest.index("\n", rest.index("# via")) :]
    assert given(tmp_path, host) == before + after


def test_elsewhere_nothing_is_left_out(tmp_path: Path) -> None:
    """On glibc the whole lock is installed."""
    assert given(tmp_path, "x86_64-pc-linux-gnu") == (ROOT / "requirements.lock").read_text()
