"""What the start of a session says to a god whose mode is on. Standard library, and nothing is read but the map."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CONTRACT = (
    "God mode is on: you orchestrate the domain {domain}. Break what your user asks for into tasks, look at what the "
    "task manager has already ({ato} tasks list), and propose a plan ({ato} plan propose -, see --help). Then show it, "
    "and wait: only your user's own /god confirm PLAN lets it out ({ato} plan dispatch PLAN). Do none of the work "
    "yourself. Write tasks for your own domain only{others}."
)


def is_on(document: dict[str, Any], agent: str) -> bool:
    """Whether the god mode of an agent is on; never for one that is no god."""
    about = document.get("agents", {}).get(agent, {})
    return agent in document.get("gods", ()) and bool(about.get("god", {}).get("enabled"))


def lines(document: dict[str, Any], agent: str, ato: str) -> list[str]:
    """The contract a god works by, one line; none for any other agent."""
    if not is_on(document, agent):
        return []
    others = [god for god in document.get("gods", ()) if god != agent]
    ask = f"; for the rest ask {' or '.join(others)} by mail" if others else ""
    domain = document.get("agents", {}).get(agent, {}).get("domain") or "of none yet"
    return [_CONTRACT.replace("{domain}", domain).replace("{ato}", ato).replace("{others}", ask)]
