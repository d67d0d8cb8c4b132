"""Breakages of the agent map.

Each breaks a healthy home in one way and returns what the finding must name.
"""

from __future__ import annotations

from pathlib import Path

from support.homes import edit_map


def map_gone(home: Path) -> str:
    """The map was deleted; the version before, with the same agents, is still there."""
    (home / "AGENT_MAP.json").rename(home / "AGENT_MAP.json.bak")
    return "no agent map"


def map_broken(home: Path) -> str:
    """A comma too many in the map."""
    path = home / "AGENT_MAP.json"
    path.write_text('{\n  "version": "2.0",\n  "rules": [,]\n}\n')
    return "line 3, column 13"


def map_invalid(home: Path) -> str:
    """A value of the map is not what the schema allows."""
    edit_map(home, gods=["Ops"])
    return "gods must be a name"


def map_a_folder(home: Path) -> str:
    """A folder in place of the map."""
    (home / "AGENT_MAP.json").unlink()
    (home / "AGENT_MAP.json").mkdir(0o700)
    return "cannot be read: a folder"


def map_key_unknown(home: Path) -> str:
    """A misspelt key at the top of the map."""
    edit_map(home, cc_awarness={"enabled": True})
    return "Did you mean cc_awareness?"


def map_key_unknown_inside(home: Path) -> str:
    """A misspelt key inside an agent of the map."""
    edit_map(home, agents={"ops": {}, "dev": {"drain": {"max_block": 1}}})
    return '"agents.dev.drain.max_block" of the map (line '


def rule_relative(home: Path) -> str:
    """A rule with a relative path."""
    edit_map(home, rules=[{"pattern": "code/web", "agent": "dev"}])
    return "Rule 1 (code/web) is no absolute path"


def rule_to_nowhere(home: Path) -> str:
    """A rule whose folder was moved away."""
    edit_map(home, rules=[{"pattern": str(home.parent / "gone"), "agent": "dev"}])
    return "points to no folder here"


def glob_to_nowhere(home: Path) -> str:
    """A glob no folder matches."""
    edit_map(home, rules=[{"pattern": f"{home.parent}/*/web", "match": "glob", "agent": "dev"}])
    return "points to no folder here"


def rules_at_odds(home: Path) -> str:
    """Two rules for one folder and two agents."""
    rules = [{"pattern": str(home.parent / name), "agent": agent} for name, agent in (("ops", "ops"), ("ops/", "dev"))]
    edit_map(home, rules=rules)
    return "rule 1 gives it to ops before"


def rule_above_home(home: Path) -> str:
    """A rule for the folder the bus home lies in."""
    edit_map(home, fallback="dev", rules=[{"pattern": str(home.parent), "agent": "ops"}])
    return "holds the bus home"


def names_nobody(home: Path) -> str:
    """A blocked pair with a misspelt name, which blocks nobody."""
    edit_map(home, routing={"blocked_pairs": [["ops", "deb"]]})
    return 'names "deb", which is no agent of the map. Did you mean dev?'


def domain_unknown(home: Path) -> str:
    """An agent of a domain the map does not have."""
    edit_map(home, domains={"work": {"hub": "ops"}}, agents={"ops": {"domain": "work"}, "dev": {"domain": "wrok"}})
    return 'dev is of domain "wrok"'


def persona_gone(home: Path) -> str:
    """A persona file that is not there."""
    edit_map(home, agents={"dev": {"persona_file": "personas/dev.md"}})
    return "is missing"


def persona_outside(home: Path) -> str:
    """A persona file outside the home."""
    edit_map(home, agents={"dev": {"persona_file": "../dev/persona.md"}})
    return "lies outside the bus home"


def persona_large(home: Path) -> str:
    """A persona file over 4 KB."""
    (home / "dev.md").write_text("x" * 4097)
    edit_map(home, agents={"dev": {"persona_file": "dev.md"}})
    return "4097 bytes, more than the 4096 allowed"
