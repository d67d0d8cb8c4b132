"""No bytes break the parsers of messages, JSON and the agent map: a search guided by the branches that it reaches."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.protocol import schemas
from support import corpus
from support.cli import ROOT

RUNS = {"message": 500_000, "agent_map": 120_000}
LONGEST = 8192  # bytes of an input
# Two domains with their hubs, all ways to forbid a message, and rules that meet in one folder.
MAP = {
    "version": "2.0",
    "rules": [
        {"pattern": "/me/work", "agent": "ops"},
        {"pattern": "/me/work", "match": "exact", "agent": "dev"},
        {"pattern": "/me/*/**/x", "match": "glob", "agent": "lead"},
    ],
    "fallback": "secure",
    "agents": {
        "ops": {"domain": "work", "drain": {"scope": "owed"}},
        "secure": {"domain": "work"},
        "lead": {"domain": "side"},
        "dev": {"domain": "side"},
    },
    "domains": {"work": {"hub": "ops"}, "side": {"hub": "lead"}},
    "routing": {"blocked_pairs": [["ops", "lead"]]},
    "routing_rules": {"secure": {"deny": ["lead"], "reason": "client data"}},
    "drain": {"enabled": True, "min_priority": "high", "max_blocks": 7},
}
# Where Atheris has wheels, as the lock file of the tests knows too.
HERE = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 14)


def seeds(target: str) -> list[bytes]:
    """What the search begins with: valid documents, the corpus of broken ones, and wrong values in every field."""
    schema = schemas.load(target.replace("_", "-"))
    valid: list[dict[str, Any]] = [*schema["examples"], *([MAP] if target == "agent_map" else ())]
    broken = [corpus.text(kind, valid[0]) for kind in corpus.TEXTS]
    wrong = [corpus.compact(document) for _, document in corpus.wrong_fields(valid[-1], schema)]
    deep = corpus.compact(valid[0])[:-1] + b',"junk":' + b"[" * 3000 + b"]" * 3000 + b"}"
    return [*map(corpus.compact, valid), *broken, *wrong, deep]


@pytest.mark.parametrize("target", RUNS)
def test_the_seeds(target: str) -> None:
    """What the search begins with, valid and broken, is parsed rightly."""
    check = import_module(f"fuzz.{target}").check
    for data in seeds(target):
        check(data)


if HERE:

    @pytest.mark.full
    @pytest.mark.parametrize("target", RUNS)
    def test_any_bytes(target: str, tmp_path: Path) -> None:
        """No bytes that the search comes upon are parsed wrongly, or for longer than ten seconds."""
        (tmp_path / "seeds").mkdir()
        for number, data in enumerate(seeds(target)):
            if len(data) <= LONGEST:
                (tmp_path / f"seeds/{number}").write_bytes(data)
        done = subprocess.run(
            [
                sys.executable, "-m", "fuzz", target, f"{tmp_path}/seeds", f"-runs={RUNS[target]}", "-seed=1",
                f"-max_len={LONGEST}", "-timeout=10", f"-artifact_prefix={tmp_path}/found-",
            ],
            cwd=tmp_path, env={"PYTHONPATH": f"{ROOT}/scripts:{ROOT}/tests"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1200, check=False,
        )  # fmt: skip
        said = done.stdout.decode(errors="replace")
        found = [path.read_bytes() for path in tmp_path.glob("found-*")]
        assert (done.returncode, found) == (0, []), said[-3000:]
        assert f"Done {RUNS[target]} runs" in said
