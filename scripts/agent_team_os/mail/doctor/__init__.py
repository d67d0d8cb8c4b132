"""The doctor: everything that is wrong with a bus home, and the repair of what can be mended without losing mail.

It opens nothing the way the verbs do: it works where the map is broken, where the home is refused and where
the disk cannot be written, and a look changes nothing. Each finding is one function of a module beside this
one: `place` (the folder and the machine), `agents` (the map), `cards` (the registry), `locks`, `letters` and
`history` (the mail, as `survey` sees it).
"""

from __future__ import annotations

from ...protocol import show
from . import agents, cards, history, letters, locks, place, survey
from .finding import SEVERITIES, look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...protocol.documents import Finding


def examine(home: str, bare: bool = False) -> list[Finding]:
    """What is wrong, the worst first. Says nothing about what other processes are just doing.

    `bare`: nor about the Python that runs it, which for a hook is any.
    """
    found = []
    for item in _findings(home, bare):
        if item not in found:
            found.append(item)
    return sorted(found, key=lambda item: SEVERITIES.index(item["severity"]))


def _findings(home: str, bare: bool) -> Iterator[Finding]:
    for check in (*(() if bare else place.PYTHON_CHECKS), *place.ALWAYS):
        yield from look(check, home)
    if not place.ours(home):
        return
    for check in (*place.CHECKS, agents.examine, *cards.CHECKS, *locks.CHECKS, *letters.CHECKS, *history.CHECKS, _mail):
        yield from look(check, home)


def _mail(home: str) -> Iterator[Finding]:
    mail = survey.take(home)
    for check in (*letters.MAIL_CHECKS, *history.MAIL_CHECKS):
        yield from look(check, home, mail)


def repair(home: str) -> Iterator[str]:
    """Mend what can be mended, yielding one plain sentence for each thing that was.

    Idempotent, and nothing that could be mail is deleted. First what the later steps need (modes, folders,
    locks), then the mail, then what is derived from it. What the disk refuses is left as it is.
    """
    if not place.ours(home):
        return
    for mend in (
        place.repair_modes, place.repair_folders, place.repair_temporaries, agents.repair_map,
        agents.repair_inboxes,
        locks.repair_guards, locks.repair_locks, cards.repair_cards, letters.repair_spool,
    ):  # fmt: skip
        yield from _as_far_as_possible(mend(home))
    try:
        mail = survey.take(home)
    except OSError:
        return
    for mend_mail in (letters.repair_bad_messages, letters.repair_twice, history.repair_threads):
        yield from _as_far_as_possible(mend_mail(home, mail))


def _as_far_as_possible(sentences: Iterator[str]) -> Iterator[str]:
    """The sentences up to the first thing the disk does not let us look at, which `examine` names."""
    try:
        for sentence in sentences:
            yield show.one_line(sentence)
    except OSError:
        return
