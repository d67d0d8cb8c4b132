"""What takes a person, on the command line: see the table of `mail.person`."""

from __future__ import annotations

import os

import click

from ..mail import person
from ..protocol.errors import NotConfirmed
from . import output


def check(act: str, *words: str) -> None:
    """NotConfirmed unless whoever runs this may do `act`, a key of the table; `words` are those of the command."""
    import shlex

    person.check(act, os.environ, shlex.join(words), output.program())


def retype(key: str) -> None:
    """Let the person type the last group of a key that they were shown; NotConfirmed for anything else."""
    question = "To say yes, type the last group of the key, its last 4 characters"
    typed = click.prompt(question, default="", show_default=False, err=True)
    if typed.strip().lower() != key[-4:].lower():
        raise NotConfirmed(
            "that is not the last group of the key, so nothing was changed", "Compare the key, then call this again."
        )


def agree(question: str, refusal: str) -> None:
    """Ask a question; NotConfirmed with `refusal` without a yes."""
    if not click.confirm(question, err=True):
        raise NotConfirmed(refusal)
