"""The pages of the docs, taken apart: sections, tables, code, and what stands between backticks."""

from __future__ import annotations

import json
import re
from typing import Any

import click

from agent_team_os.cli.main import main
from agent_team_os.protocol import home as layout
from agent_team_os.protocol import ids
from support.cli import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROTOCOL = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
PEOPLE = (ROOT / "docs/people.md").read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    level = heading.split(" ", 1)[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", page, re.M | re.S)
    assert found, f'there is no "{heading}"'
    return found[1]


def blocks(text: str) -> list[tuple[str, str]]:
    """The language and the content of each code block."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)


def codes(text: str) -> list[str]:
    """What stands between backticks in a line or a cell."""
    return [code.replace("\\|", "|") for code in re.findall(r"`([^`]+)`", text)]


def prose(text: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"(?ms)^```.*?^```", "", text)


def tables(text: str) -> list[list[list[str]]]:
    """The rows of each table, without its head; an empty first cell takes the one above."""
    found: list[list[list[str]]] = []
    for lines in re.findall(r"(?:^\|.*\n)+", text, re.M):
        rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines.splitlines()[2:]]
        for above, row in zip(rows, rows[1:]):
            row[0] = row[0] or above[0]
        found.append(rows)
    return found


def paths() -> list[str]:
    """The patterns of the table of paths, without the final slash of folders."""
    (table,) = tables(section(PROTOCOL, "## Paths"))
    return [code.rstrip("/") for row in table for code in codes(row[0])]


def pattern(path: str) -> str:
    """A path of the table as a regular expression."""
    names = {
        "agent": ids.AGENT.pattern,
        "slug": ids.AGENT.pattern,
        "message-id": ids.MESSAGE.pattern,
        "thread-id": ids.THREAD.pattern,
        "plan-id": ids.PLAN.pattern,
        "domain": f"{layout.NO_DOMAIN}|{ids.AGENT.pattern}",
        "session-id": ids.SESSION_ID.pattern,
        "day": r"\d{4}-\d\d-\d\d",
        "sha256": "[0-9a-f]{64}",
        "name": r"[a-z-]+\d{0,2}",
        "event": "[A-Za-z]+",
        "any": "[^/]+",
        **dict.fromkeys(("uid", "sender", "recipient", "reader"), "[a-z2-7]{26}"),
        "letter-id": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "n": "[0-9]+",
    }
    parts = re.split(r"<([a-z0-9-]+)>", path)
    return "".join(names[part] if odd % 2 else re.escape(part) for odd, part in enumerate(parts))


def schema_of(kind: str) -> Any:
    """A schema file."""
    return json.loads((ROOT / f"schemas/{kind}.schema.json").read_bytes())


def command(verb: str) -> click.Command:
    """The click command of a verb."""
    found = main.get_command(click.Context(main), verb)
    assert found is not None
    return found


def below(found: click.Command) -> dict[str, click.Command]:
    """The commands that a verb has below it, and those below them, by name."""
    if not isinstance(found, click.Group):
        return {}
    context = click.Context(found)
    direct = {name: each for name in found.list_commands(context) if (each := found.get_command(context, name))}
    return {**direct, **{name: each for one in direct.values() for name, each in below(one).items()}}
