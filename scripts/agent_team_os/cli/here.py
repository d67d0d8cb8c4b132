"""The bus as seen from where the command was called."""

from __future__ import annotations

import os

from ..bus import Bus
from ..protocol.errors import Usage


def folder() -> str:
    """The working directory; Usage if it is gone."""
    try:
        return os.getcwd()
    except OSError:
        raise Usage("the working directory is gone", "cd into a folder that exists.") from None


def open_bus() -> Bus:
    """The bus of this environment and folder."""
    return Bus.open(os.environ, folder())
