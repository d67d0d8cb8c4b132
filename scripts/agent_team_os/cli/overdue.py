"""overdue."""

from __future__ import annotations

import click

from .. import text
from ..mail import overdue as lateness
from . import here, output


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def overdue(as_json: bool) -> None:
    """List what is late, by this agent and for it.

    Answers whose time has passed, and work that ran past its budget. A hub that is to be told of a missing answer is
    told now.
    """
    bus = here.open_bus()
    found, trouble = lateness.report(bus.home, bus.map, bus.agent)
    output.emit(found) if as_json else output.show_page(text.overdue(found, output.program()))
    output.flush()
    if trouble is not None:
        output.note("a hub could not be told: {}. The next look tries again.", trouble)
