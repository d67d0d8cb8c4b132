"""This person's mail, as the verbs of `msg` see it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from ..post import me, notice, page, people
from ..protocol import home as layout
from ..protocol.errors import LockBusy
from ..storage import home as homes
from ..text import Page
from . import output

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


class Here:
    """This person's mail: the home, the map with the store, and how the answer is wanted."""

    def __init__(self, as_json: bool, set_up: bool = True) -> None:
        self.home = layout.find(os.environ)
        self.map: Mapping[str, Any] = homes.read_map(self.home) if homes.check(self.home) else {}
        self.as_json = as_json or bool(click.get_current_context().obj)
        self.ato = output.program()
        self.me: Mapping[str, str] = {}
        if set_up:
            self.me = me.check_known(os.environ)
            self.url = me.check_store(self.map)
            homes.make(self.home)

    def say(self, document: Any, shown: Page) -> None:
        """The answer, as it is wanted."""
        if self.as_json:
            output.emit(document)
        else:
            output.show_page(shown)

    def sync(
        self, budget: float | None = None, wait: float = 5.0, progress: Any = None, shown: bool = True
    ) -> dict[str, Any]:
        """A sync that is waited for; not `shown` where nobody is told what came of it."""
        from ..post import sync

        return sync.run(self.home, os.environ, self.url, budget, wait, progress, shown)

    def ask_store(self) -> str:
        """A short sync before it is said that something is not there; why the store could not be asked, else empty."""
        try:
            return self.sync(notice.BUDGET, notice.BUDGET, shown=False)["error"] or ""
        except LockBusy:
            return "another sync is still at work"

    def introduce(self, known: people.Directory, uid: str) -> None:
        """Show the fingerprint of somebody at the first contact."""
        from ..post import directory

        lines = page.first(known, uid, directory.fingerprint(known[uid]), self.ato)
        output.note_page(Page([], lines, [], page.SENTENCE))
