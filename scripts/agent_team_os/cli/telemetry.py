"""telemetry."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from ..mail import identity
from ..protocol import show
from . import here, output

if TYPE_CHECKING:
    from ..bus import Bus

_SLOW = 1.0  # seconds after which a person is told how far it is


@click.command()
@click.option(
    "--by", type=click.Choice(("agent", "domain", "thread", "session", "model", "day")), default="agent",
    help="What a line is for; default: agent.",
)  # fmt: skip
@click.option("--since", metavar="D", help="Only from then on: today, 7d, 12h or a day as 2026-05-01.")
@click.option("--agent", metavar="A", help="Only the requests of this agent.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def telemetry(by: str, since: str | None, agent: str | None, as_json: bool) -> None:
    """Say how many tokens and dollars were spent.

    By whom, on which thread, with which model. Read from the client's transcripts in $CLAUDE_CONFIG_DIR/projects,
    else ~/.claude/projects; each time only what is new.
    """
    from ..telemetry import aside, notice, prices, report, store, transcripts

    start = report.since(since)
    bus = here.open_bus()

    def work(db: sqlite3.Connection) -> dict[str, Any]:
        if agent not in (None, notice.ANONYMOUS) and not report.known(db, str(agent)):
            identity.check_known(bus.map, str(agent))
        try:
            _count(db, bus)
        except sqlite3.OperationalError as error:
            if store.is_damage(error):
                raise
            output.note("Nothing new was counted: {}", store.refusal(notice.usage(bus.home), error).message)
        return report.build(db, by, start, agent, bus.map.get("agents", {}))

    found = store.using(bus.home, work)
    if as_json:
        output.emit(found)
    else:
        folder = transcripts.root(os.environ)
        output.show_page(report.page(found, agent, bool(prices.version()), folder, output.program()))
    left = aside.found(bus.home)
    if left:
        what, rest = show.one_line(left[-1], 200), "What only it knew is in no sum. Remove it to end this note."
        if len(left) > 1:
            what += f" and {len(left) - 1} more"
        output.note("A store that was damaged, or of another version, was set aside as {}. {}", what, rest)


def _count(db: sqlite3.Connection, bus: Bus) -> None:
    """Count what is new; a person at a terminal sees how far it is."""
    from ..telemetry import counting

    bar: Any = None
    began = time.monotonic()
    shown = 0

    def progress(done: int, total: int) -> None:
        nonlocal bar, shown
        if bar is None and time.monotonic() - began > _SLOW and sys.stderr is not None and sys.stderr.isatty():
            bar = click.progressbar(length=total, label="Reading transcripts", file=sys.stderr)
        if bar is not None:
            bar.update(done - shown)
            shown = done

    try:
        unread = counting.run(db, bus.home, os.environ, bus.map, progress)
    finally:
        if bar is not None:
            bar.render_finish()
    for path in unread:
        output.note("{} cannot be read and is not counted.", show.one_line(path, 200))
