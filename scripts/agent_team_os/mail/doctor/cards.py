"""Registry entries that cannot be read. They are derived: the next sign of a session writes a new one."""

from __future__ import annotations

import os

from ...protocol import home as layout
from ...protocol import ids, strictjson
from ...storage import files, quarantine
from .finding import REPAIR, done, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Optional

    from ...protocol.documents import Finding

_MAX_CARD = 65_536


def bad_card(home: str) -> Iterator[Finding]:
    """A registry entry that cannot be read: the agent or session counts as never seen."""
    for path, why in _bad_cards(home):
        yield finding("bad-card", "warning", path, f"{path} cannot be read: {why}.", REPAIR)


def _bad_cards(home: str) -> Iterator[tuple[str, str]]:
    registry = os.path.join(home, "registry")
    folders = [os.path.join(registry, name) for name in sorted(files.names(registry)) if name.endswith(".d")]
    for folder in (registry, *folders):
        for name in sorted(files.names(folder)):
            path = os.path.join(folder, name)
            why = _card_fault(path) if name.endswith(".json") and ids.is_session_id(name[:-5]) else None
            if why:
                yield path, why


def _card_fault(path: str) -> Optional[str]:
    try:
        strictjson.parse(files.read(path, _MAX_CARD))
    except FileNotFoundError:
        return None
    except (files.BadFile, strictjson.BadJSON) as error:
        return str(error)
    return None


def repair_cards(home: str) -> Iterator[str]:
    """Set unreadable entries aside; the session's next sign writes a new one."""
    for path, why in list(_bad_cards(home)):

        def set_aside(path: str = path, why: str = why) -> None:
            if _card_fault(path):
                quarantine.set_aside(home, path, why)

        if done(set_aside):
            yield f"{path} was set aside in {layout.QUARANTINE} beside it: {why}."


CHECKS = (bad_card,)
