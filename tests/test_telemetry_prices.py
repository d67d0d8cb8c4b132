"""Dollars: the prices of the package, request by request, without the network, and none that are guessed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import sysconfig
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Optional

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot

from agent_team_os.telemetry import prices
from conftest import Team
from support.cli import PATIENCE, PROGRAM, ROOT
from support.transcripts import said, write

MODELS = sorted(
    model.id for provider in get_snapshot().providers if provider.id == "anthropic" for model in provider.models
)
OTHERS = ["deepseek-chat", "gpt-5", "kimi-k2"]
NO_TIMES = (
    "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "3000-01-01T00:00:00Z",
)  # fmt: skip
KINDS = ("plain", "output", "read", "short", "long", "searches")


@pytest.fixture(autouse=True)
def forgetful() -> None:
    """Nothing is known of prices when a test begins."""
    prices._steady.clear()
    prices._former.clear()


def asked(model: str, at: float, context: dict[str, str], numbers: dict[str, int]) -> int:
    """What the package itself takes for one request, in billionths of a dollar."""
    usage = Usage(
        input_tokens=numbers["plain"] + numbers["read"] + numbers["short"] + numbers["long"],
        cache_read_tokens=numbers["read"], cache_write_tokens=numbers["short"] + numbers["long"],
        cache_write_5m_tokens=numbers["short"], cache_write_1h_tokens=numbers["long"],
        output_tokens=numbers["output"], web_searches=numbers["searches"],
    )  # fmt: skip
    moment = datetime.fromtimestamp(at, timezone.utc)
    found = calc_price(usage, model, genai_request_timestamp=moment, price_context=context or None)
    return int((found.total_price * 10**9).quantize(Decimal(1), "ROUND_HALF_UP"))


@pytest.mark.parametrize("model", MODELS + OTHERS)
def test_every_price_is_that_of_the_package(model: str) -> None:
    """For requests of any size at any time the price is the one the package works out for that very request."""
    chance = random.Random(model)
    for _ in range(60):
        at = chance.uniform(1_700_000_000, 1_830_000_000)
        size = chance.choice((3, 1000, 100_000, 300_000))
        numbers = {kind: chance.choice((0, chance.randrange(size))) for kind in KINDS}
        assert prices.nanodollars(model, at, "", **numbers) == asked(model, at, {}, numbers)


def test_tiers_begin_behind_their_size() -> None:
    """A prompt of exactly the size takes the lower price, one token more the higher, for all of its tokens."""
    for more, price in ((0, 10_000_000), (1, 50_000_500)):
        numbers = {"plain": 50_000 + more, "output": 0, "read": 50_000, "short": 0, "long": 0, "searches": 0}
        wanted = 5_500_000 if not more else 27_500_500
        assert prices.nanodollars("claude-haiku-5-5", 1.8e9, "", **numbers) == wanted, price


def test_fast_mode_and_batches_cost_what_they_cost() -> None:
    """A request on other terms takes the price for these terms, and has none where the model has none for them."""
    one = {"plain": 1_000_000, "output": 0, "read": 0, "short": 0, "long": 0, "searches": 0}
    later = datetime(2026, 11, 1, tzinfo=timezone.utc).timestamp()
    for model, terms, wanted in (
        ("claude-opus-5", "", 5), ("claude-opus-5", "speed=fast", 10), ("claude-opus-5", "service_tier=batch", 2.5),
        ("claude-sonnet-5", "speed=fast", None), ("claude-opus-5", "inference_geo=us", None),
        ("claude-opus-5", "service_tier=priority", None), ("claude-opus-5", "speed=fast service_tier=batch", None),
    ):  # fmt: skip
        price = prices.nanodollars(model, later, terms, **one)
        assert (None if price is None else price / 1e9) == wanted, (model, terms)


def test_a_price_that_began_on_a_day_counts_from_then_on() -> None:
    """Before the day a model's price changed the old one counts, whichever is asked for first."""
    one = {"plain": 250_000, "output": 0, "read": 0, "short": 0, "long": 0, "searches": 0}
    before, after = (datetime(2026, 3, day, tzinfo=timezone.utc).timestamp() for day in (12, 13))
    for order in ((before, after), (after, before)):
        prices._steady.clear()
        found = {at: prices.nanodollars("claude-sonnet-4-6", at, "", **one) for at in order}
        assert found == {before: 1_500_000_000, after: 750_000_000}


def test_terms_reach_the_report(team: Team) -> None:
    """Speed, tier and place of a request are read from its line."""
    path = team.root / ".claude/projects/-dev/s-1.jsonl"
    usual: dict[str, Any] = {"speed": "standard", "service_tier": "standard", "inference_geo": "not_available"}
    for number, terms in enumerate((usual, {"speed": "fast"}, {"inference_geo": "us"})):
        counts = {"input_tokens": 1_000_000, **terms}
        write(path, said("s-1", "/x", f"msg_{number}", "2026-11-01T00:00:00Z", model="claude-opus-5", **counts))
    total = team.json("dev", "telemetry")["total"]
    assert (total["dollars"], total["tokens"], total["unpriced"]) == (15.0, 3_000_000, 1_000_000)


def test_a_request_without_a_time_has_no_price(team: Team) -> None:
    """Prices change, so that without a time there is none, or with one of no request; the day is then unknown."""
    times = (..., "yesterday", "2026-05-20T09:00:00", 5, *NO_TIMES)
    for number, at in enumerate(times):
        entry = said("s-1", "/x", f"msg_{number}", at, input_tokens=10)  # type: ignore[arg-type]
        write(team.root / ".claude/projects/-dev/s-1.jsonl", entry)
    found = team.json("dev", "telemetry", "--by", "day")
    wanted = [("unknown", 10 * len(times), None)]
    assert [(row["key"], row["tokens"], row["dollars"]) for row in found["rows"]] == wanted


# ---- With and without the package ---------------------------------------------------------------


def without_package(folder: Path) -> str:
    """A Python whose environment has all packages but the prices."""
    python = folder / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(os.path.realpath(sys.executable))
    theirs = Path(sysconfig.get_path("purelib"))
    ours = folder / f"venv/lib/{theirs.parent.name}/site-packages"
    ours.mkdir(parents=True)
    for path in theirs.iterdir():
        if not path.name.startswith("genai_prices"):
            (ours / path.name).symlink_to(path)
    return str(python)


def run(team: Team, python: str, *args: str) -> str:
    """What the program prints under another Python."""
    command = [python, *PROGRAM[1:], "telemetry", *args]
    done = subprocess.run(
        command, cwd=team.root / "dev", env=team.env, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stderr == ""
    return done.stdout


def test_without_the_package_there_are_tokens(team: Team, tmp_path: Path) -> None:
    """Without the package tokens are counted and a line says how to get it; once it is there all is priced."""
    path = team.root / ".claude/projects/-dev/s-1.jsonl"
    write(path, said("s-1", "/x", "msg_1", input_tokens=1_000_000))
    python = without_package(tmp_path / "other")
    shown = run(team, python)
    assert "1.0M" in shown
    assert "dollars  tokens" not in shown
    assert f'No dollars without the package genai-prices: "{python}" -m pip install "genai-prices<0.3"\n' in shown
    total = team.json("dev", "telemetry")["total"]
    assert (total["dollars"], total["unpriced"]) == (5.0, 0)
    write(path, said("s-1", "/x", "msg_2", input_tokens=2_000_000))
    assert '"dollars":5.0,"unpriced":2000000' in run(team, python, "--json")
    total = team.json("dev", "telemetry")["total"]
    assert (total["dollars"], total["unpriced"]) == (15.0, 0)


@pytest.mark.parametrize("broken", [
    "raise ImportError('no httpx')", "1/0", None,
])  # fmt: skip
def test_a_package_that_cannot_be_imported_is_none(team: Team, tmp_path: Path, broken: Optional[str]) -> None:
    """However the import fails, tokens count and a line says what lacks; once it works all is priced."""
    path = team.root / ".claude/projects/-dev/s-1.jsonl"
    write(path, said("s-1", "/x", "msg_1", input_tokens=1_000_000))
    python = without_package(tmp_path / "other")
    (packages,) = (tmp_path / "other/venv/lib").glob("*/site-packages")
    theirs = Path(sysconfig.get_path("purelib"))
    (information,) = theirs.glob("genai_prices-*")
    (packages / information.name).symlink_to(information)
    (packages / "genai_prices").mkdir()
    if broken is not None:
        (packages / "genai_prices/__init__.py").write_text(broken + "\n")
    for _ in range(2):
        shown = run(team, python)
        assert "1.0M" in shown
        assert "No dollars without the package genai-prices" in shown
    assert team.json("dev", "telemetry")["total"]["dollars"] == 5.0
    write(path, said("s-1", "/x", "msg_2", model="claude-haiku-4-5", input_tokens=1_000_000))
    assert '"dollars":5.0,"unpriced":1000000' in run(team, python, "--json")
    total = team.json("dev", "telemetry")["total"]
    assert (total["dollars"], total["unpriced"]) == (6.0, 0)


def test_other_inner_parts_have_no_prices(team: Team, tmp_path: Path) -> None:
    """A package that can be imported and then answers otherwise than is known gives no dollars, and stops nothing."""
    write(team.root / ".claude/projects/-dev/s-1.jsonl", said("s-1", "/x", "msg_1", input_tokens=1_000_000))
    python = without_package(tmp_path / "other")
    (packages,) = (tmp_path / "other/venv/lib").glob("*/site-packages")
    (packages / "genai_prices.py").write_text("class Usage: pass\ndef calc_price(*given): return 5\n")
    assert '"dollars":null,"unpriced":1000000' in run(team, python, "--json")


def test_a_name_that_begins_like_a_model_s_has_its_price() -> None:
    """The package knows models by how their names begin, dates, marks and all, and so does the report."""
    one = {"plain": 1_000_000, "output": 0, "read": 0, "short": 0, "long": 0, "searches": 0}
    found = {prices.nanodollars("claude-3-opus" + more, 1.8e9, "", **one) for more in ("-20240229", "-custom", "[1m]")}
    assert found == {15_000_000_000}


def test_no_price_is_fetched(team: Team) -> None:
    """A first pass reaches for no network, and one with nothing but known models does not even import the prices."""
    path = team.root / ".claude/projects/-dev/s-1.jsonl"
    watch = (
        "import os, sys\n"
        "def hook(event, given):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.sendto', 'urllib.Request'): os._exit(9)\n"
        "    if event == 'import' and given[0] == 'genai_prices': os.write(2, b'imported')\n"
        "sys.addaudithook(hook)\n"
        "sys.argv = sys.argv[1:]\n"
        "with open(sys.argv[0]) as file: code = compile(file.read(), sys.argv[0], 'exec')\n"
        "exec(code, {'__name__': '__main__', '__file__': sys.argv[0]})"
    )
    said_so = []
    for number in range(2):
        write(path, said("s-1", "/x", f"msg_{number}", input_tokens=1_000_000))
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", watch, str(ROOT / "scripts/agent_team_os/__main__.py"), "telemetry"],
            cwd=team.root / "dev", env=team.env, capture_output=True, text=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        said_so.append(done.stderr)
        assert f"{5 * number + 5}.00" in done.stdout
    assert said_so == ["imported", ""]
