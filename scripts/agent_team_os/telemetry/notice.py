"""What hooks and the roster may know of it: the figures of today as the last pass left them, and how to ask for more.

Light enough for a hook: one small file is read, and whoever asks for a new pass never waits for it.
"""

from __future__ import annotations

import os
import time

from ..protocol import home as layout
from ..protocol import ids
from ..storage import files, notes, process, unsynced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

    Figures = dict[str, tuple[int, Optional[float]]]

PAUSE = 60.0  # seconds from one pass in the background to the next
ANONYMOUS = "anonymous"  # whose requests are those from folders of nobody


def folder(home: str) -> str:
    """Where telemetry keeps what it has counted."""
    return os.path.join(home, "telemetry")


def usage(home: str) -> str:
    """Every request that was ever counted."""
    return os.path.join(folder(home), "usage.sqlite")


def today(home: str) -> tuple[Figures, Optional[str]]:
    """Tokens and dollars of each agent since midnight, and when they were counted; ({}, None) if not today.

    The dollars are None where no price was known. The figures are as old as the last pass: see `refresh`.
    """
    note = notes.read(_today(home))
    counted, agents = note.get("counted_at"), note.get("agents")
    if note.get("day") != time.strftime("%Y-%m-%d") or not isinstance(counted, str) or not isinstance(agents, dict):
        return {}, None
    return {name: figures for name, given in agents.items() if (figures := _figures(name, given))}, counted


def _figures(name: str, given: Any) -> Optional[tuple[int, Optional[float]]]:
    if not ids.is_agent(name) or not isinstance(given, list) or len(given) != 2:
        return None
    tokens, dollars = given
    if type(tokens) is not int or not (dollars is None or type(dollars) in (int, float)):
        return None
    return tokens, None if dollars is None else float(dollars)


def spent(home: str) -> tuple[dict[str, str], str]:
    """The figures of today in words, by agent, as `1.2M tokens $3.40`; and when they were counted, else empty."""
    figures, counted = today(home)
    return {name: _words(*numbers) for name, numbers in figures.items()}, counted or ""


def _words(tokens: int, dollars: Optional[float]) -> str:
    return f"{amount(tokens)} tokens" + ("" if dollars is None else f" ${money(dollars)}")


def amount(tokens: int) -> str:
    """A number of tokens as people say it: `940`, `12.3K`, `4.5M`."""
    for size, unit in ((1_000_000_000, "B"), (1_000_000, "M"), (1000, "K")):
        if tokens >= size:
            return f"{tokens / size:.{0 if tokens >= 100 * size else 1}f}{unit}"
    return str(tokens)


def money(dollars: float) -> str:
    """Dollars and cents; what is less than a cent is not nothing."""
    return "<0.01" if 0 < dollars < 0.005 else f"{dollars:,.2f}"


def keep_today(home: str, day: str, counted_at: str, agents: Figures) -> None:
    """Leave the figures of a day for `today`; OSError where the disk says no."""
    notes.write(_today(home), {"day": day, "counted_at": counted_at, "agents": agents})


def _today(home: str) -> str:
    return os.path.join(folder(home), "today.json")


def refresh(home: str, environ: Mapping[str, str]) -> bool:
    """Start a pass in the background, at most one a minute, and return at once; whether one was started.

    Only where `ato telemetry` has been called before: transcripts are read by nobody who was not asked to.
    """
    stamp = os.path.join(folder(home), "started")
    if not files.is_file(usage(home)) or (files.is_file(stamp) and 0 <= files.age(stamp) < PAUSE):
        return False
    try:
        unsynced.touch(stamp)
        process.detach([layout.launcher(), "telemetry"], {**environ, "AGENT_TEAM_OS_HOME": home})
    except (OSError, NotImplementedError):
        return False  # a full disk, a program that is gone: the figures stay as old as they are
    return True
