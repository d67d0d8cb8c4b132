"""A bar on stderr for what takes longer than a second, and only where a person watches."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Any

import click

from ..protocol import show

_SLOW = 1.0  # seconds until a bar is worth showing
_STEP = 0.2  # seconds from one picture to the next


class Bar:
    """How far an upload or a download is, in bytes. A thread draws it: one request may take longer than a picture."""

    def __init__(self, silent: bool = False) -> None:
        self.silent = silent or sys.stderr is None or not sys.stderr.isatty()
        self.total = self.count = 0
        self.what = ""
        self.ended = threading.Event()
        self.painter: threading.Thread | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def begin(self, what: str, total: int) -> None:
        """So many bytes are to be moved."""
        self.end()
        if self.silent or not total:
            return
        self.what, self.total, self.count = f"{what} {show.size(total)}", total, 0
        self.ended.clear()
        self.painter = threading.Thread(target=self._paint, daemon=True)
        self.painter.start()

    def step(self, count: int) -> None:
        """So many more were moved."""
        self.count += count

    def end(self) -> None:
        """Take the bar away."""
        self.ended.set()
        if self.painter is not None:
            self.painter.join()
            self.painter = None

    def _paint(self) -> None:
        if self.ended.wait(_SLOW):
            return
        bar: Any = click.progressbar(length=self.total, label=self.what, file=sys.stderr)
        shown = 0
        while not self.ended.wait(_STEP):
            count = min(self.count, self.total)
            bar.update(count - shown)
            bar.render_progress()
            shown = count
        bar.update(min(self.count, self.total) - shown)
        bar.render_finish()
