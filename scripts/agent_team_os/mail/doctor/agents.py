"""The agent map: what is wrong with it, and with what it leads to, with the line to edit."""

from __future__ import annotations

import os

from ...protocol import agentmap, ids, schemas, strictjson
from ...protocol import home as layout
from ...protocol.errors import InvalidMap
from ...storage import files
from ...storage import home as homes
from .. import inbox
from .finding import REPAIR, counted, done, finding, look, nearest, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Optional

    from ...protocol.documents import AgentMap, Finding

    Steps = tuple[str | int, ...]

MAX_PERSONA = 4096  # bytes
# Other packages add task providers, each with settings of its own.
_FREE = frozenset(("task_provider",))


def examine(home: str) -> Iterator[Finding]:
    """Everything about the map; where it cannot be used, only that."""
    path = layout.agent_map(home)
    try:
        data = files.read(path, agentmap.MAX_MAP)
        document = agentmap.parse(data, path)
    except FileNotFoundError:
        yield map_missing(path)
    except files.BadFile as error:
        aside = f"mv {quoted(path)} {quoted(path + '.old')}"
        yield map_invalid(path, f"{path} cannot be read: {error.why}", aside, " && ")
    except InvalidMap as error:
        yield map_invalid(path, error.message, f"Edit {path} there", ", or go back to the map before: ")
    else:
        for check in CHECKS:
            yield from look(check, home, data.decode("utf-8"), document)


def map_missing(path: str) -> Finding:
    """There is no map: nobody lives anywhere yet, or it was lost, and then nothing is sent."""
    what = f"There is no agent map at {path}"
    if not os.path.lexists(path + ".bak"):
        fix = "cd into a project folder and run: ato join NAME"
        return finding("map-missing", "note", path, f"{what}.", fix)
    if homes.before_map(path)[1]:
        return finding(
            "map-missing", "error", path, f"{what}; the one before its last change is there.", homes.bring_back(path)
        )
    fix = f"Write one, or begin again: mv {quoted(path + '.bak')} {quoted(path + '.old')}"
    return finding("map-missing", "error", path, f"{what}, and the one before its last change cannot be used.", fix)


def map_invalid(path: str, words: str, fix: str, link: str) -> Finding:
    """The map cannot be used, so nothing is sent."""
    if homes.before_map(path)[1]:
        fix += f"{link}{homes.bring_back(path)}"
    return finding("map-invalid", "error", path, f"{words}; nothing is sent until it is mended.", fix)


def line_of(text: str, steps: Steps) -> int:
    """The line of the map in which the value at `steps` begins."""
    return strictjson.position(text, steps)[0]


def dotted(steps: Steps) -> str:
    """The keys that lead to a place; which item of a list it is, the line says."""
    return ".".join(step for step in steps if isinstance(step, str))


def edit(home: str, text: str, steps: Steps) -> str:
    """The words for where to edit the map."""
    return f"Edit line {line_of(text, steps)} of {layout.agent_map(home)}"


def unknown_key(home: str, text: str, document: AgentMap) -> Iterator[Finding]:
    """A key of the map that nothing reads: kept, and without effect."""
    schema = schemas.load("agent-map")
    for steps, known in _unknown(schema, schema, document, ()):
        key = str(steps[-1])
        what = f'The key "{dotted(steps)}" of the map (line {line_of(text, steps)}) has no effect.{nearest(key, known)}'
        fix = f"{edit(home, text, steps)}: correct the key, or take it out"
        yield finding("map-unknown-key", "warning", layout.agent_map(home), what, fix)


def _unknown(part: Any, root: Any, node: Any, steps: Steps) -> Iterator[tuple[Steps, list[str]]]:
    """The steps to every key the schema does not know, with the keys it knows there."""
    if "$ref" in part:
        part = root["$defs"][part["$ref"].removeprefix("#/$defs/")]
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _unknown(part.get("items", {}), root, item, (*steps, index))
    elif isinstance(node, dict) and not (steps and steps[-1] in _FREE):
        known, others = part.get("properties", {}), part.get("additionalProperties")
        for key, item in node.items():
            if key in known or others:
                yield from _unknown(known.get(key, others), root, item, (*steps, key))
            else:
                yield (*steps, key), list(known)


def relative_rule(home: str, text: str, document: AgentMap) -> Iterator[Finding]:
    """A rule whose folder depends on where a command is run."""
    for index, rule in _rules(document):
        if not _absolute(rule["pattern"]):
            what = f"Rule {index + 1} ({rule['pattern']}) is no absolute path and means another folder everywhere."
            fix = f"{edit(home, text, ('rules', index))}: begin the pattern with / or ~/"
            yield finding("rule-relative", "warning", layout.agent_map(home), what, fix)


def rule_without_folder(home: str, text: str, document: AgentMap) -> Iterator[Finding]:
    """A rule that points to no directory here."""
    for index, rule in _rules(document):
        pattern = agentmap.resolve(rule["pattern"])
        glob = rule.get("match") == "glob"
        there = _some_folder("/", pattern.split("/")[1:]) if glob else os.path.isdir(pattern)
        if _absolute(rule["pattern"]) and not there:
            what = f"Rule {index + 1} ({rule['pattern']}) of {rule['agent']} points to no folder here."
            meant = ' or add "match": "glob"' if not glob and any(char in pattern for char in "*?[") else ""
            fix = f"{edit(home, text, ('rules', index))}: name a folder that exists{meant}, or take the rule out"
            yield finding("rule-without-folder", "warning", layout.agent_map(home), what, fix)


def _rules(document: AgentMap) -> list[tuple[int, dict[str, Any]]]:
    return list(enumerate(document.get("rules", ())))


def _absolute(pattern: str) -> bool:
    return os.path.isabs(os.path.expanduser(pattern))


def _some_folder(folder: str, parts: list[str]) -> bool:
    """Whether some folder matches a glob; `**` is not followed, that could walk the whole disk."""
    import fnmatch

    if not parts or parts[0] == "**":
        return os.path.isdir(folder)
    if not any(char in parts[0] for char in "*?["):
        return _some_folder(os.path.join(folder, parts[0]), parts[1:])
    try:
        names = files.names(folder)
    except OSError:
        return False
    return any(
        _some_folder(os.path.join(folder, name), parts[1:]) for name in names if fnmatch.fnmatchcase(name, parts[0])
    )


def rules_at_odds(home: str, text: str, document: AgentMap) -> Iterator[Finding]:
    """Two rules give the same folder to different agents; the first of them wins."""
    first: dict[tuple[str, int], int] = {}
    for index, rule in _rules(document):
        key = agentmap.resolve(rule["pattern"]), agentmap.STRENGTH[rule.get("match", "prefix")]
        other = document["rules"][first.setdefault(key, index)]
        if other["agent"] != rule["agent"]:
            what = (
                f"Rule {index + 1} gives {rule['pattern']} to {rule['agent']} without effect: "
                f"rule {first[key] + 1} gives it to {other['agent']} before."
            )
            fix = f"{edit(home, text, ('rules', index))}: take one of the two rules out"
            yield finding("rules-at-odds", "warning", layout.agent_map(home), what, fix)


def home_in_workspace(home: str, text: str, document: AgentMap) -> Iterator[Finding]:
    """A rule's own folder contains the bus home; the hooks stay silent in a session opened there."""
    inside = os.path.realpath(home).rstrip("/") + "/"
    for index, rule in _rules(document):
        folder = agentmap.resolve(rule["pattern"])
        if rule.get("match") != "glob" and inside.startswith(folder.rstrip("/") + "/"):
            what = (
                f"The folder of rule {index + 1} ({rule['pattern']}) holds the bus home; a session there hears nothing."
            )
            fix = f"{edit(home, text, ('rules', index))}: name the project folders, not the one above the bus home"
            yield finding("home-in-workspace", "note", layout.agent_map(home), what, fix)


def unknown_agent(home: str, text: str, document: AgentMap) -> Iterator[Finding]:
    """A routing rule, hub or god names nobody: what it was to forbid or to reach, it does not."""
    known = agentmap.agents(document)
    for steps, name in _named(document):
        if name not in known:
            line = line_of(text, steps)
            what = f'{dotted(steps)} (line {line}) names "{name}", which is no agent of the map.{nearest(name, known)}'
            fix = f"{edit(home, text, steps)}, or give {name} a folder: ato join {name} --path DIR"
            yield finding("map-unknown-agent", "warning", layout.agent_map(home), what, fix)


def _named(document: AgentMap) -> Iterator[tuple[Steps, str]]:
    """Every place of the map that names an agent without making it one."""
    for index, pair in enumerate(document.get("routing", {}).get("blocked_pairs", ())):
        for side, name in enumerate(pair):
            yield ("routing", "blocked_pairs", index, side), name
    for sender, rule in document.get("routing_rules", {}).items():
        yield ("routing_rules", sender), sender
        for index, name in enumerate(rule.get("deny", ())):
            yield ("routing_rules", sender, "deny", index), name
    for domain, about in document.get("domains", {}).items():
        if about.get("hub"):
            yield ("domains", domain, "hub"), about["hub"]
    for index, name in enumerate(document.get("gods", ())):
        yield ("gods", index), name
    if document.get("cc_awareness", {}).get("hub"):
        yield ("cc_awareness", "hub"), document["cc_awareness"]["hub"]


def unknown_domain(home: str, text: str, document: AgentMap) -> Iterator[Finding]:
    """An agent's domain is not among the domains of the map, so it has no hub of its own."""
    domains = document.get("domains", {})
    for name, about in document.get("agents", {}).items():
        domain = about.get("domain")
        if domains and domain and domain not in domains:
            steps = "agents", name, "domain"
            what = f'{name} is of domain "{domain}", which is not among the map\'s domains.{nearest(domain, domains)}'
            fix = f"{edit(home, text, steps)}: name one of {', '.join(domains)}"
            yield finding("map-unknown-domain", "warning", layout.agent_map(home), what, fix)


def bad_persona(home: str, text: str, document: AgentMap) -> Iterator[Finding]:
    """A persona that no session will be told."""
    for name, about in document.get("agents", {}).items():
        fault = _persona_fault(home, about["persona_file"]) if about.get("persona_file") else None
        if fault:
            path = os.path.join(home, about["persona_file"])
            where = edit(home, text, ("agents", name, "persona_file"))
            fix = f"{where}: name a text of at most {MAX_PERSONA} bytes inside the bus home, or write it there"
            yield finding("bad-persona", "warning", path, f"The persona of {name}, {path}, {fault}.", fix)


def _persona_fault(home: str, name: str) -> Optional[str]:
    try:
        path = os.path.realpath(os.path.join(home, name))
        if not path.startswith(os.path.realpath(home) + "/"):
            return "lies outside the bus home"
        files.read(path, MAX_PERSONA).decode("utf-8")
    except FileNotFoundError:
        return "is missing"
    except files.BadFile as error:
        return f"cannot be read: {error.why}"
    except ValueError:
        return "is no text in UTF-8"
    return None


def inbox_missing(home: str, _text: str, document: AgentMap) -> Iterator[Finding]:
    """An agent without an inbox folder: helpers of version 1 refuse to write to it."""
    for name in agentmap.agents(document):
        path = layout.box(home, name)
        if not os.path.lexists(path):
            yield finding("inbox-missing", "note", path, f"{name} has no inbox folder yet.", REPAIR)


def repair_map(home: str) -> Iterator[str]:
    """Bring back a map that is gone, or has nothing in it. One that is wrong may be what a person is just writing."""
    path = layout.agent_map(home)
    restored: list[bool] = []
    if done(lambda: restored.append(homes.restore_map(home))) and restored[0]:
        yield f"{path} is there again, as it was before its last change."


def repair_inboxes(home: str) -> Iterator[str]:
    """Make an inbox for each agent of the map."""
    try:
        missing = list(inbox_missing(home, "", homes.read_map(home)))
    except InvalidMap:
        return
    for path in (found["path"] for found in missing):
        if done(files.make_folder, path) and os.path.isdir(path):
            yield f"{path} is there now."


def stranded_mail(home: str, _text: str, document: AgentMap) -> Iterator[Finding]:
    """Mail waits in the inbox of a name the map does not know."""
    known = agentmap.agents(document)
    for name in sorted(files.names(os.path.join(home, "inboxes"))):
        if ids.is_agent(name) and name not in known:
            count = sum(len(inbox.names(box)) for box in inbox.boxes(home, name))
            if count:
                waiting = counted(count, "message")
                what = f"Waiting for {name}, which is no agent of the map: {waiting}.{nearest(name, known)}"
                fix = f"Give it a folder: ato join {name} --path DIR"
                yield finding("mail-stranded", "warning", layout.box(home, name), what, fix)


CHECKS = (
    unknown_key, relative_rule, rule_without_folder, rules_at_odds, home_in_workspace, unknown_agent,
    unknown_domain, bad_persona, inbox_missing, stranded_mail,
)  # fmt: skip
