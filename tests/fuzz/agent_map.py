"""The agent map: any bytes are refused with their own error, or route and name as the schema lets them."""

from __future__ import annotations

import copy
import itertools
import json
import os
from typing import Any

from jsonschema import Draft202012Validator

from agent_team_os.mail import identity
from agent_team_os.protocol import agentmap, ids, message, schemas, show, strictjson
from agent_team_os.protocol.errors import InvalidMap, RoutingDenied

_VALID = Draft202012Validator(schemas.load("agent-map")).is_valid


def check(data: bytes) -> None:
    """Raise if these bytes are taken for a map they are not, or make a wrong one of themselves."""
    try:
        document: Any = agentmap.parse(data, "/x/AGENT_MAP.json")
    except InvalidMap as error:
        check_refusal(data, error.message)
        return
    assert _VALID(document)
    assert agentmap.parse(strictjson.compact(document), "x") == document
    names = sorted(agentmap.agents(document))
    assert all(map(ids.is_agent, names))
    for sender, to in itertools.product([*names[:5], "nobody"], repeat=2):
        check_routing(document, sender, to)
    for name in [*names[:5], "nobody"]:
        drain = agentmap.drain_of(document, name)
        assert drain["min_priority"] in message.PRIORITIES
        assert 1 <= drain["max_blocks"] <= 7
    patterns = [rule["pattern"] for rule in document.get("rules", ())][:5]
    for place in ("/", "/me/work", *patterns, *(f"{pattern}/x" for pattern in patterns)):
        check_identity(document, names, place)
    check_settling(document)


def check_refusal(data: bytes, why: str) -> None:
    """What is refused is no map, and the reason can be shown."""
    assert show.one_line(why, 500).isprintable()
    try:
        document = strictjson.parse(data)
    except strictjson.BadJSON:
        return
    assert not _VALID(document)


def check_routing(document: Any, sender: str, to: str) -> None:
    """A message is refused if the map says so, and only then; a hub that is told of it may be written to."""
    pairs = document.get("routing", {}).get("blocked_pairs", ())
    refused = to in document.get("routing_rules", {}).get(sender, {}).get("deny", ()) or (
        sender != to and any(sorted(pair) == sorted((sender, to)) for pair in pairs)
    )
    assert may_write(document, sender, to) is not refused
    told = agentmap.hubs_between(document, sender, to)
    assert len(set(told)) == len(told) <= 2
    for hub in told:
        assert ids.is_agent(hub)
        assert hub not in (sender, to)
        assert may_write(document, sender, hub)
        assert may_write(document, to, hub)


def may_write(document: Any, sender: str, to: str) -> bool:
    """Whether the map lets one agent write to another."""
    try:
        agentmap.check_routing(document, sender, to)
    except RoutingDenied:
        return False
    return True


def check_identity(document: Any, names: list[str], place: str) -> None:
    """Whoever a folder belongs to is an agent of the map; the folder of an exact rule belongs to one that has it."""
    who = identity.of_workspace(document, {}, place)
    assert who.agent is None or who.agent in names
    assert (who.slug is None) is (who.agent is None)
    assert who.slug is None or ids.is_agent(who.slug)
    real = os.path.realpath(place)
    exact = {
        rule["agent"]
        for rule in document.get("rules", ())
        if rule.get("match") == "exact" and agentmap.resolve(rule["pattern"]) == real
    }
    assert not exact or who.agent in exact


def check_settling(document: Any) -> None:
    """An agent that joins is in the map, with a rule for its folder, and the map is one after it."""
    changed = copy.deepcopy(document)
    number = agentmap.settle(changed, "newcomer", "/me/new", {"role": "engineer"})
    again = agentmap.parse(json.dumps(changed).encode(), "x")
    rule: Any = again["rules"][number - 1]
    assert rule["agent"] == "newcomer"
    assert agentmap.matches(rule, agentmap.resolve(rule["pattern"]), "/me/new")
    assert again["agents"]["newcomer"]["role"] == "engineer"
