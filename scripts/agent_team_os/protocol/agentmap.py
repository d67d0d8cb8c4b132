"""The agent map: who an agent is, which folder is whose, and who may write to whom."""

from __future__ import annotations

import os

from . import home as layout
from . import strictjson
from .errors import InvalidMap, RoutingDenied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

    from .documents import AgentMap

MAX_MAP = 1_048_576
STRENGTH = {"exact": 2, "prefix": 1, "glob": 1}
_LOCAL = frozenset(("file", "taskwarrior"))  # kinds of task managers that keep what they are told in files here
FIX = "Nothing is sent until it is mended; check with: ato doctor"


def starter() -> AgentMap:
    """A map with nobody in it, for a person to go on with."""
    return {
        "$schema": "./AGENT_MAP.schema.json",
        "version": "2.0",
        "rules": [],
        "fallback": None,
        "agents": {},
        "routing": {"blocked_pairs": []},
    }


def parse(data: bytes, path: str) -> AgentMap:
    """The map in `data`; InvalidMap naming line and column of what is wrong in the file at `path`."""
    try:
        document = strictjson.parse(data)
    except strictjson.BadJSON as error:
        where = f"{path}, line {error.line}, column {error.column}" if error.line else path
        raise InvalidMap(f"{where}: {error.message}", FIX) from None
    from . import schemas

    wrong = schemas.checker("agent-map")(document)
    if wrong is None:
        return document  # type: ignore[no-any-return]  # checked by its schema
    steps, words = wrong
    line, column = strictjson.position(data.decode("utf-8"), steps)
    name = ".".join(step for step in steps if isinstance(step, str)) or "the map"
    raise InvalidMap(f"{path}, line {line}, column {column}: {name} {words}", FIX)


def agents(document: AgentMap) -> dict[str, dict[str, Any]]:
    """Every agent the map knows with what it says of it, also those only a rule names (as in version 1)."""
    known: dict[str, dict[str, Any]] = dict(document.get("agents", {}))
    for rule in document.get("rules", ()):
        known.setdefault(rule["agent"], {})
    if document.get("fallback"):
        known.setdefault(document["fallback"], {})
    return known


def resolve(pattern: str) -> str:
    """A rule's pattern as an absolute path: `~` expanded, symbolic links followed up to the first wildcard."""
    pattern = os.path.expanduser(pattern)
    head, rest = pattern, ""
    while any(char in head for char in "*?["):
        head, _, last = head.rstrip("/").rpartition("/")
        rest = f"/{last}{rest}"
    return os.path.realpath(head or "/").rstrip("/") + rest or "/"


def matches(rule: dict[str, Any], pattern: str, workspace: str) -> bool:
    """Whether a rule with this resolved pattern covers a resolved workspace."""
    kind = rule.get("match", "prefix")
    if kind == "glob":
        return _glob(pattern.split("/"), workspace.split("/"))
    if workspace == pattern:
        return True
    return kind == "prefix" and workspace.startswith(pattern.rstrip("/") + "/")


def _glob(pattern: list[str], parts: list[str]) -> bool:
    """Folder by folder: `*` stays within one name, `**` crosses any; what lies below a match matches too.

    Each run of names between two `**` takes the first place where it fits. Nothing is tried twice, so that no
    pattern is slow, and nothing is missed, since a later place leaves less for the runs behind it.
    """
    from fnmatch import fnmatchcase

    at = 0
    for number, run in enumerate(_runs(pattern)):
        last = len(parts) - len(run)
        places = range(at, last + 1) if number else range(min(1, last + 1))  # the first run begins at the root
        fits = (start for start in places if all(map(fnmatchcase, parts[start:], run)))
        start = next(fits, -1)
        if start < 0:
            return False
        at = start + len(run)
    return True


def _runs(pattern: list[str]) -> list[list[str]]:
    """The names of a pattern, split at each `**`."""
    runs: list[list[str]] = [[]]
    for name in pattern:
        if name == "**":
            runs.append([])
        else:
            runs[-1].append(name)
    return runs


def agent_for(document: AgentMap, workspace: str) -> tuple[Optional[str], str]:
    """The agent that lives in a folder and the words for why; (None, "") if nobody does."""
    place = os.path.realpath(workspace)
    best: Optional[tuple[int, int]] = None
    agent, why = None, ""
    for number, rule in enumerate(document.get("rules", ()), 1):
        pattern = resolve(rule["pattern"])
        score = (STRENGTH[rule.get("match", "prefix")], len(pattern))
        if (best is None or score > best) and matches(rule, pattern, place):
            best, agent, why = score, rule["agent"], f"rule {number} ({rule['pattern']})"
    if agent is None and document.get("fallback"):
        return document["fallback"], "fallback"
    return agent, why


def owner_of(document: AgentMap, name: str, place: str) -> str:
    """The agent that would lose a folder if `name` got it; empty for nobody."""
    owner, why = agent_for(document, place)
    return owner if owner and owner != name and why != "fallback" else ""


def settle(document: AgentMap, name: str, place: str, about: dict[str, Any]) -> int:
    """Give a resolved folder to an agent, in the map in place; returns the number of the rule. Says the same twice."""
    document.setdefault("version", "2.0")
    rules: list[dict[str, Any]] = document.setdefault("rules", [])
    document.setdefault("fallback", None)
    same = [rule for rule in rules if rule.get("match") != "glob" and resolve(rule["pattern"]) == place]
    rule = same[0] if same else {"pattern": short(place), "match": "prefix", "agent": name}
    if not same:
        rules.append(rule)
    rule["agent"] = name
    agent = document.setdefault("agents", {}).setdefault(name, {})
    agent.update({key: value for key, value in about.items() if value})
    return rules.index(rule) + 1


def check_routing(document: AgentMap, sender: str, to: str) -> None:
    """Raise RoutingDenied, with the reason and the hub to go through, if `sender` may not write to `to`."""
    rules = document.get("routing_rules", {})
    denied = to in rules.get(sender, {}).get("deny", ())
    blocked = any(
        sender != to and {sender, to} == set(pair) for pair in document.get("routing", {}).get("blocked_pairs", ())
    )
    if not denied and not blocked:
        return
    # The sender's own reason first; a symmetric pair may be explained on either side.
    reason = rules.get(sender, {}).get("reason") if denied or sender in rules else None
    if not denied and not reason:
        reason = rules.get(to, {}).get("reason")
    hub = hub_of(document, sender)
    through = hub if hub and hub not in (sender, to) else None
    raise RoutingDenied(
        f"{sender} may not write to {to}" + (f" ({reason})" if reason else ""),
        f"Go through {through}." if through else "The rule is in AGENT_MAP.json.",
    )


def hub_of(document: AgentMap, agent: str) -> Optional[str]:
    """The hub of an agent's domain, else the hub of all; None if there is none."""
    domain = document.get("agents", {}).get(agent, {}).get("domain")
    own: Optional[str] = document.get("domains", {}).get(domain, {}).get("hub") if domain else None
    return own or document.get("cc_awareness", {}).get("hub")


def hubs_between(document: AgentMap, sender: str, to: str) -> list[str]:
    """The hubs that are told of mail between two agents: the sender's domain's, then the recipient's, each once.

    None within one domain, where one of the two has no domain or is itself a hub, and where the map turns it
    off. A hub to which one of the two may not write is left out.
    """
    about, general = document.get("agents", {}), document.get("cc_awareness", {})
    one, other = (about.get(agent, {}).get("domain") for agent in (sender, to))
    if not one or not other or one == other or general.get("enabled") is False:
        return []
    hubs = {domain.get("hub") for domain in document.get("domains", {}).values()} | {general.get("hub")}
    if sender in hubs or to in hubs:
        return []
    told = []
    for hub in dict.fromkeys((hub_of(document, sender), hub_of(document, to))):
        if hub is not None:
            try:
                check_routing(document, sender, hub)
                check_routing(document, to, hub)
            except RoutingDenied:
                continue
            told.append(hub)
    return told


def god_of(document: AgentMap, agent: str) -> Optional[str]:
    """The god of an agent's domain, the first where there are several; None without a domain or a god."""
    about = document.get("agents", {})
    domain = about.get(agent, {}).get("domain")
    gods = (god for god in document.get("gods", ()) if domain and about.get(god, {}).get("domain") == domain)
    return next(gods, None)


def task_provider(document: Mapping[str, Any], agent: str) -> Mapping[str, Any]:
    """The settings of an agent's task manager: its own, else those of its domain, else those of the file."""
    about = document.get("agents", {}).get(agent, {})
    of_domain = document.get("domains", {}).get(about.get("domain"), {}).get("task_provider")
    settings: Mapping[str, Any] = about.get("task_provider") or of_domain or {"kind": "file"}
    return settings


def leaves_machine(document: Mapping[str, Any], agent: str) -> bool:
    """Whether what an agent says of a task may leave this machine: its task manager is not one that keeps files here.

    Of a manager that is not known to be local it is assumed.
    """
    return task_provider(document, agent).get("kind") not in _LOCAL


def drain_of(document: AgentMap, agent: str) -> dict[str, Any]:
    """The Stop hook's settings of an agent: its own over everybody's over the defaults."""
    return {
        "enabled": False,
        "scope": "pending",
        "min_priority": "low",
        "max_blocks": 3,
        **document.get("drain", {}),
        **document.get("agents", {}).get(agent, {}).get("drain", {}),
    }


def place(home: str) -> str:
    """How a person finds the map of this home."""
    return short(layout.agent_map(home))


def short(path: str) -> str:
    """A path with the user's home written as `~`."""
    user = os.path.expanduser("~")
    return "~" + path[len(user) :] if user != "/" and (path + "/").startswith(user.rstrip("/") + "/") else path
