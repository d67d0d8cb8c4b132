"""What hooks and the roster know of telemetry: today's figures from one small file, and a pass they do not wait for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent_team_os.protocol import agentmap
from agent_team_os.telemetry import counting, notice
from conftest import Team
from support.cli import PATIENCE, ROOT
from support.client import until
from support.transcripts import MIB, fill, said, write


def now() -> str:
    """This moment as a transcript writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


def spend(team: Team, agent: str, tokens: int, at: str = "", model: str = "claude-opus-4-5") -> None:
    """A request of an agent."""
    path = team.root / ".claude/projects/-x/s-1.jsonl"
    write(
        path,
        said("s-1", str(team.root / agent), f"msg_{agent}_{tokens}", at or now(), model=model, input_tokens=tokens),
    )


def test_the_figures_of_today(team: Team) -> None:
    """A pass leaves for each agent what it spent since midnight; without a price the dollars are unknown."""
    spend(team, "dev", 1_000_000)
    spend(team, "dev", 2_000_000, "2026-01-01T00:00:00Z")
    spend(team, "ops", 7, model="claude-nobody-9")
    assert notice.today(str(team.home)) == ({}, None)
    team.json("dev", "telemetry")
    figures, counted = notice.today(str(team.home))
    assert figures == {"dev": (1_000_000, 5.0), "ops": (7, None)}
    assert notice.spent(str(team.home)) == ({"dev": "1.0M tokens $5.00", "ops": "7 tokens"}, counted)
    assert counted is not None
    assert counted[:10] == time.strftime("%Y-%m-%d", time.gmtime())


def test_yesterday_s_figures_are_none(team: Team) -> None:
    """Figures of another day are not those of today."""
    spend(team, "dev", 1_000_000)
    team.json("dev", "telemetry")
    path = team.home / "telemetry/today.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "day": "2026-01-01"}))
    assert notice.today(str(team.home)) == ({}, None)
    assert notice.spent(str(team.home)) == ({}, "")


@pytest.mark.parametrize("agents", [
    {"dev": 5}, {"dev": [1]}, {"dev": ["1", 2]}, {"dev": [1, "2"]}, {"dev": [True, 1]}, {"de\x1bv": [1, 2]}, [], None,
])  # fmt: skip
def test_figures_of_another_form_are_none(team: Team, agents: object) -> None:
    """Whatever lies in the place of the figures, nothing of it is shown and nothing fails."""
    path = team.home / "telemetry/today.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"day": time.strftime("%Y-%m-%d"), "counted_at": "x", "agents": agents}))
    assert notice.today(str(team.home))[0] == {}


def test_little_news_is_counted_on_the_way(team: Team) -> None:
    """Where counting was asked for before, the roster may count what is new, as long as that is little."""
    agent_map = {"rules": [{"pattern": str(team.root / "dev"), "agent": "dev"}]}
    environ = {"CLAUDE_CONFIG_DIR": str(team.root / ".claude")}
    spend(team, "dev", 10)
    counting.catch_up(str(team.home), environ, agent_map)
    assert not (team.home / "telemetry").exists()
    team.json("dev", "telemetry")
    spend(team, "dev", 500)
    counting.catch_up(str(team.home), environ, agent_map)
    assert notice.today(str(team.home))[0]["dev"][0] == 510
    fill(str(team.root / ".claude/projects"), counting.LITTLE + MIB)
    spend(team, "dev", 6000)
    counting.catch_up(str(team.home), environ, agent_map)
    assert notice.today(str(team.home))[0]["dev"][0] == 510
    (team.home / "telemetry/usage.sqlite").chmod(0)
    (team.home / "telemetry").chmod(0o500)
    counting.catch_up(str(team.home), environ, agentmap.starter())
    (team.home / "telemetry").chmod(0o700)


def test_no_line_and_no_file_stops_the_roster(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in a transcript, and whatever fails in a pass, the roster is shown with the figures there are."""
    spend(team, "dev", 10)
    team.json("dev", "telemetry")
    spend(team, "dev", 500, "9999-12-31T23:59:59-14:00")
    spend(team, "dev", 6000)
    assert "6.0K tokens" in team.run("dev", "bus").stdout

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(counting, "keep_today", fail)
    counting.catch_up(str(team.home), {"CLAUDE_CONFIG_DIR": str(team.root / ".claude")}, agentmap.starter())


def test_a_pass_in_the_background(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh returns at once, at most once a minute, and the figures come later."""
    started: list[int] = []
    spawn = os.posix_spawnp

    def noted(*args: Any, **options: Any) -> int:
        started.append(spawn(*args, **options))
        return started[-1]

    monkeypatch.setattr(os, "posix_spawnp", noted)  # to wait for what this very process starts
    environ = {**team.env, "AGENT_TEAM_OS_HOME": "/nowhere"}
    spend(team, "dev", 10)
    assert not notice.refresh(str(team.home), environ)  # nobody has asked for counting yet
    assert not (team.home / "telemetry").exists()
    team.json("dev", "telemetry")
    spend(team, "dev", 500)
    assert notice.refresh(str(team.home), environ)
    until(lambda: notice.today(str(team.home))[0] == {"dev": (510, 0.00255)}, lambda: "the figures")
    assert not notice.refresh(str(team.home), environ)
    stamp = team.home / "telemetry/started"
    os.utime(stamp, (time.time() - 61, time.time() - 61))
    assert notice.refresh(str(team.home), environ)
    assert not notice.refresh(str(team.home), environ)
    assert len(started) == 2
    for pid in started:
        os.waitpid(pid, 0)


def test_a_hook_does_not_wait_for_it(team: Team, tmp_path: Path) -> None:
    """The process that asks ends, and its output with it, while the pass is still at work in a session of its own."""
    team.json("dev", "telemetry")
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    program = tmp_path / "ato"
    program.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        "print('noise', flush=True); print('noise', file=sys.stderr, flush=True)\n"
        f"open({str(gate)!r}).read()\n"
        "alone = os.getsid(0) == os.getpid()\n"
        "said = f'{sys.argv[1:]} {os.environ[\"AGENT_TEAM_OS_HOME\"]} {alone}\\n'\n"
        f"with open({str(tmp_path / 'half')!r}, 'w') as file: file.write(said)\n"
        f"os.rename({str(tmp_path / 'half')!r}, {str(tmp_path / 'done')!r})\n"
    )
    program.chmod(0o700)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from agent_team_os.protocol import home\n"
        "home.launcher = lambda: sys.argv[3]\n"
        "from agent_team_os.telemetry import notice\n"
        "import os; assert notice.refresh(sys.argv[2], os.environ)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT / "scripts"), str(team.home), str(program)],
        env=team.env, capture_output=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (b"", b"")
    gate.write_text("go\n")
    until((tmp_path / "done").exists, lambda: "the end of the pass")
    assert (tmp_path / "done").read_text() == f"['telemetry'] {team.home} True\n"


def test_a_program_that_is_gone_starts_nothing(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the program cannot be started the roster does without."""
    team.json("dev", "telemetry")
    monkeypatch.setattr("agent_team_os.protocol.home.launcher", lambda: "/nowhere/ato")
    assert not notice.refresh(str(team.home), team.env)


def test_the_notice_is_light() -> None:
    """What a hook imports of telemetry runs on light modules alone, and brings nothing of the rest with it."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from agent_team_os.telemetry import notice\n"
        "print(' '.join(sys.modules))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(ROOT / "scripts")]
    found = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    heavy = {"sqlite3", "typing", "dataclasses", "pathlib", "subprocess", "logging", "datetime", "click"}
    assert not found & heavy
    ours = {name for name in found if name.startswith("agent_team_os.telemetry")}
    assert ours == {"agent_team_os.telemetry", "agent_team_os.telemetry.notice"}
