"""What was counted, summed as a person or a program wants it."""

from __future__ import annotations

import re
import sqlite3
import sys
import time
from collections.abc import Mapping
from typing import Any

from ..protocol import frame, show
from ..protocol.errors import Usage
from ..text import Page, place
from . import notice, store

KINDS = ("agent", "domain", "thread", "session", "model", "day")
COUNTS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "tokens")
NONE = "none"  # the key of requests that belong to no thread or domain
_KEYS = {
    "agent": "agent",
    "domain": "agent",
    "thread": f"coalesce(nullif(thread, ''), '{NONE}')",
    "session": "session",
    "model": "model",
    "day": "coalesce(date(at, 'unixepoch', 'localtime'), 'unknown')",
}
_SUMS = ", ".join(f"sum({name})" for name in COUNTS)
_UNPRICED = "sum(CASE WHEN nanodollars IS NULL THEN tokens ELSE 0 END)"
_UNITS = {"h": 3600, "d": 86_400}


def since(given: str | None, now: float | None = None) -> float | None:
    """The time that `today`, a day as 2026-05-01 or a span as 7d or 12h begins at; None for all times, else Usage."""
    if given is None:
        return None
    now = time.time() if now is None else now
    if given == "today":
        return _midnight(*time.localtime(now)[:3])
    span = re.fullmatch(r"([0-9]{1,6})([hd])", given)
    if span:
        return max(now - int(span[1]) * _UNITS[span[2]], 0)
    day = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", given)
    if day and show.seconds_of(f"{given}T00:00:00Z") is not None and int(day[1]) >= 1970:
        return _midnight(*map(int, day.groups()))
    raise Usage(f'"{given[:40]}" is no time', "Write today, a day as 2026-05-01, or a span as 7d or 12h.")


def _midnight(year: int, month: int, day: int) -> float:
    """When a day begins here, whatever the clock does on it."""
    return time.mktime((year, month, day, 0, 0, 0, 0, 0, -1))


def build(
    db: sqlite3.Connection, by: str, start: float | None, agent: str | None, agents: Mapping[str, Any]
) -> dict[str, Any]:
    """The document `--json` prints: a row for each key, what cost most first, or the latest day."""
    where, given = _where(start, agent)
    rows: dict[str, list[Any]] = {}
    for key, *sums in db.execute(
        f"SELECT {_KEYS[by]}, {_SUMS}, {_UNPRICED}, sum(nanodollars) FROM requests {where} GROUP BY 1", given
    ):
        name = (agents.get(key, {}).get("domain") or NONE) if by == "domain" else key
        rows[name] = _together(rows[name], sums) if name in rows else sums
    listed = [{"key": key, **_figures(sums)} for key, sums in rows.items()]
    if by == "day":
        listed.sort(key=lambda row: row["key"], reverse=True)
    else:
        listed.sort(key=lambda row: (-(row["dollars"] or 0), -row["tokens"], row["key"]))
    total: list[Any] = [0] * (len(COUNTS) + 1) + [None]
    for sums in rows.values():
        total = _together(total, sums)
    unknown = "AND" if where else "WHERE"
    models = db.execute(f"SELECT DISTINCT model FROM requests {where} {unknown} nanodollars IS NULL ORDER BY 1", given)
    return {
        "by": by,
        "since": None if start is None else show.timestamp(start),
        "rows": listed,
        "total": _figures(total),
        "broken_lines": store.broken(db),
        "unpriced_models": [model for (model,) in models],
    }


def _where(start: float | None, agent: str | None) -> tuple[str, list[Any]]:
    conditions, given = [], []
    for condition, value in (("at >= ?", start), ("agent = ?", agent)):
        if value is not None:
            conditions.append(condition)
            given.append(value)
    return ("WHERE " + " AND ".join(conditions) if conditions else ""), given


def _together(one: list[Any], other: list[Any]) -> list[Any]:
    """The sums of two rows; no dollars and some are some."""
    return [a if b is None else b if a is None else a + b for a, b in zip(one, other)]


def _figures(sums: list[Any]) -> dict[str, Any]:
    *counts, unpriced, nanodollars = sums
    dollars = None if nanodollars is None else nanodollars / 1e9
    return {**dict(zip(COUNTS, counts)), "dollars": dollars, "unpriced": unpriced}


def known(db: sqlite3.Connection, agent: str) -> bool:
    """Whether anything was ever counted for an agent."""
    return db.execute("SELECT 1 FROM requests WHERE agent = ? LIMIT 1", (agent,)).fetchone() is not None


def today(db: sqlite3.Connection) -> dict[str, tuple[int, float | None]]:
    """Tokens and dollars of each agent since midnight."""
    sums = "SELECT agent, sum(tokens), sum(nanodollars) FROM requests WHERE at >= ? GROUP BY 1"
    rows = db.execute(sums, (since("today"),))
    return {name: (tokens, None if nano is None else nano / 1e9) for name, tokens, nano in rows}


# ---- As a person or a model reads it ------------------------------------------------------------

_HEAD = ("dollars", "tokens", "input", "output", "cache read", "written 5m", "written 1h")


def page(found: dict[str, Any], agent: str | None, priced: bool, folder: str, ato: str) -> Page:
    """The table, and what to do next; without rows the folder in which transcripts are looked for.

    Names of models and sessions come from files of anybody: they are framed.
    """
    spent = f"Tokens and dollars by {found['by']}" + (f" for {agent}" if agent else "")
    spent += f", since {show.day_time(found['since'])}" if found["since"] else ""
    if not found["rows"]:
        return Page([f"{spent}: none."], [f"Transcripts are looked for in {place(folder)}."], [], frame.FOUND)
    rows = [(found["by"], *_HEAD), *((show.one_line(row["key"], 40), *_cells(row)) for row in found["rows"])]
    if len(found["rows"]) > 1:
        rows.append(("total", *_cells(found["total"])))
    # A column in which nothing was ever counted says nothing.
    used = [0, *(at for at in range(1, 8) if any(row[at] not in ("0", "-") for row in rows[1:]))]
    widths = [max(len(row[at]) for row in rows) for at in used]
    lines = [
        "  ".join(f"{row[at]:<{width}}" if at == 0 else f"{row[at]:>{width}}" for at, width in zip(used, widths))
        for row in rows
    ]
    foot = []
    total = found["total"]
    if priced and total["unpriced"]:
        models = ", ".join(show.one_line(name, 40) for name in found["unpriced_models"])
        lines.append(f"{notice.amount(total['unpriced'])} tokens have no known price, so no dollars: {models}")
    elif total["unpriced"]:
        foot.append(
            f'No dollars without the package genai-prices: "{sys.executable}" -m pip install "genai-prices<0.3"'
        )
    if found["broken_lines"]:
        foot.append(f"{found['broken_lines']} broken lines in transcripts were skipped.")
    other = "thread" if found["by"] != "thread" else "model"
    mine = f" --agent {agent}" if agent else ""
    foot.append(f"Next: {ato} telemetry --by {other}{mine}" + ("" if found["since"] else " --since 7d"))
    return Page([spent], lines, foot, frame.FOUND)


def _cells(row: dict[str, Any]) -> list[str]:
    dollars = "-" if row["dollars"] is None else notice.money(row["dollars"])
    return [dollars, notice.amount(row["tokens"]), *(notice.amount(row[name]) for name in COUNTS[:-1])]
