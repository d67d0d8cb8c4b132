"""What takes a person, on the command line: see the table of `mail.person`."""

from __future__ import annotations

import os

import click

from ..mail import person
from ..protocol.errors import NotConfirmed, NotVerified
from . import output


def check(act: str, *words: str) -> None:
    """NotConfirmed unless whoever runs this may do `act`, a key of the table; `words` are those of the command."""
    import shlex

    person.check(act, os.environ, shlex.join(words), output.program())


def retype(shown: str, key: str) -> None:
    """Show what it is about, and let the person type the last group of a key; NotVerified for anything else."""
    output.note("{}", shown)
    group = key.rsplit(maxsplit=1)[-1] if " " in key else key[-4:]
    typed = click.prompt(f"Type the last group of it, {len(group)} characters, to say yes", err=True, default="")
    if typed.strip().lower() != group.lower():
        raise NotVerified("that is not the last group, so nothing was changed", "Compare it, then call this again.")


def agree(question: str, refusal: str) -> None:
    """Ask a question; NotConfirmed with `refusal` without a yes."""
    if not click.confirm(question, err=True):
        raise NotConfirmed(refusal)
