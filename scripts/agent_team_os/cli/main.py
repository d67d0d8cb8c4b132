"""The group of all verbs, and the one handler of errors."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import click

from .. import __version__
from ..protocol.errors import BusError, CannotWrite
from . import output

# Which module holds a verb: only the one that is called is imported.
VERBS = {
    "init": "house",
    "join": "house",
    "whoami": "house",
    "bus": "house",
    "inbox": "reading",
    "read": "reading",
    "send": "writing",
    "reply": "writing",
    "handoff": "writing",
    "thread": "reading",
    "trace": "reading",
    "overdue": "overdue",
    "drain": "house",
    "god": "orchestration",
    "plan": "orchestration",
    "halt": "orchestration",
    "resume": "orchestration",
    "tasks": "tasks",
    "telemetry": "telemetry",
    "msg": "msg",
    "doctor": "house",
    "hook": "house",
}


class Verbs(click.Group):
    """The verbs, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order a person meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb; None if there is no such verb."""
        if cmd_name not in VERBS:
            return None
        from importlib import import_module

        command: click.Command = getattr(import_module(f"{__package__}.{VERBS[cmd_name]}"), cmd_name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The verb that was asked for, with the nearest one when there is none of that name."""
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, VERBS, 1)
            raise click.UsageError(f'no verb "{name[:80]}"' + (f". Did you mean {near[0]}?" if near else ""), ctx)
        found, command, rest = super().resolve_command(ctx, args)
        if not rest and isinstance(command, click.Group) and command.no_args_is_help:
            rest = ["--help"]  # as the program itself does without a verb
        return found, command, rest


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="agent-team-os", message="%(prog)s %(version)s")
def main() -> None:
    """Mail between coding sessions, over plain files in ~/.agent-team-os."""


def run() -> NoReturn:
    """Run the program and leave with the exit status of the protocol."""
    output.prepare()
    try:
        status = main.main(sys.argv[1:] or ["--help"], prog_name="ato", standalone_mode=False)
        status = status if isinstance(status, int) else 0
        output.flush()
    except click.exceptions.Exit as leave:
        status = leave.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "ato"
        status = output.failure("usage", error.format_message(), f"See: {command} --help", 64)
    except BusError as error:
        if error.__cause__ and os.environ.get("AGENT_TEAM_OS_DEBUG"):  # somebody else's mistake
            raise
        status = output.failure(error.code, error.message, error.hint, error.status)
    except (click.Abort, KeyboardInterrupt):
        status = 130
    except OSError as error:
        what = f"cannot read or write {error.filename or 'a file'}: {error.strerror or error}"
        status = output.failure(CannotWrite.code, what, "See: ato doctor", CannotWrite.status)
    except Exception as error:
        if os.environ.get("AGENT_TEAM_OS_DEBUG"):
            raise
        what = f"{type(error).__name__}: {error}"
        status = output.failure("internal", what, "Please report this; AGENT_TEAM_OS_DEBUG=1 shows where.", 70)
    output.unread()
    output.leave(status)
