"""Who may write to whom, and what a refusal says."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import Team
from support.maps import denied

SPELLINGS: list[dict[str, Any]] = [
    {"routing": {"blocked_pairs": [["dev", "ops"]]}, "routing_rules": {"ops": {"reason": "client data\x1b[31m"}}},
    {"routing_rules": {"ops": {"deny": ["dev"], "reason": "client data\x1b[31m"}}},
]


def test_everybody_may_write_to_everybody() -> None:
    """Without rules the mesh is full, for oneself too."""
    document = {
        "agents": {"a": {}, "b": {}},
        "routing": {},
        "routing_rules": {"a": {"reason": "none"}, "b": {"deny": []}},
    }
    assert [denied(document, one, other) for one in "ab" for other in "ab"] == [None] * 4


def test_a_blocked_pair_is_symmetric() -> None:
    """A pair blocks both directions and nothing else; nobody is blocked from writing to itself by a pair."""
    document = {"routing": {"blocked_pairs": [["a", "b"], ["c", "c"]]}}
    blocked = {(one, other) for one in "abc" for other in "abc" if denied(document, one, other)}
    assert blocked == {("a", "b"), ("b", "a")}


def test_a_denial_is_one_way() -> None:
    """`deny` forbids the way it names and not the way back."""
    document = {"routing_rules": {"a": {"deny": ["b", "c"]}}}
    blocked = {(one, other) for one in "abc" for other in "abc" if denied(document, one, other)}
    assert blocked == {("a", "b"), ("a", "c")}


@pytest.mark.parametrize(
    ("document", "message", "hint"),
    [
        (
            {"routing_rules": {"a": {"deny": ["b"], "reason": "why not"}}},
            "a may not write to b (why not)",
            "AGENT_MAP.json",
        ),
        ({"routing_rules": {"a": {"deny": ["b"]}}}, "a may not write to b", "AGENT_MAP.json"),
        (
            {"routing": {"blocked_pairs": [["b", "a"]]}, "routing_rules": {"b": {"reason": "theirs"}}},
            "a may not write to b (theirs)",
            "AGENT_MAP.json",
        ),
        (
            {
                "routing": {"blocked_pairs": [["b", "a"]]},
                "routing_rules": {"b": {"reason": "theirs"}, "a": {"reason": "ours"}},
            },
            "a may not write to b (ours)",
            "AGENT_MAP.json",
        ),
        ({"routing_rules": {"a": {"deny": ["b"]}}, "cc_awareness": {"hub": "h"}}, "a may not write to b", "through h"),
        (
            {
                "routing_rules": {"a": {"deny": ["b"]}},
                "agents": {"a": {"domain": "d"}},
                "domains": {"d": {"hub": "lead"}},
                "cc_awareness": {"hub": "h"},
            },
            "a may not write to b",
            "through lead",
        ),
        ({"routing_rules": {"a": {"deny": ["b"]}}, "cc_awareness": {"hub": "b"}}, "a may not", "AGENT_MAP.json"),
        ({"routing_rules": {"a": {"deny": ["b"]}}, "cc_awareness": {"hub": "a"}}, "a may not", "AGENT_MAP.json"),
        ({"routing_rules": {"a": {"deny": ["b"]}}, "cc_awareness": {"hub": None}}, "a may not", "AGENT_MAP.json"),
    ],
)
def test_a_refusal_names_reason_and_hub(document: dict[str, Any], message: str, hint: str) -> None:
    """A refusal gives the reason of the rule and the hub to go through, of the domain before that of all."""
    said = denied(document, "a", "b")
    assert said is not None
    assert message in said[0]
    assert hint in said[1]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=["blocked_pairs", "deny"])
def test_routing_through_the_program(team: Team, spelling: dict[str, Any]) -> None:
    """Both spellings refuse every kind of letter with exit status 2, reason and hub, and nothing is written."""
    team.join("lead")
    team.map(**spelling, cc_awareness={"hub": "lead"})
    handoff = ["handoff", "dev", "--state-summary", "x", "--next-step", "y"]
    for verb in (["send", "dev", "note"], ["send", "dev/web", "note", "--dry-run"], handoff):
        error = team.refused(2, "routing-denied", "ops", *verb)
        assert error["message"] == "ops may not write to dev (client data<U+001B>[31m)"
        assert error["hint"] == "Go through lead."
    done = team.run("ops", "send", "dev", "note")
    assert done.returncode == 2
    assert done.stderr == "ato: ops may not write to dev (client data<U+001B>[31m). Go through lead.\n"
    assert team.run("dev", "send", "ops", "note").returncode == (2 if "routing" in spelling else 0)


@pytest.mark.parametrize("spelling", SPELLINGS, ids=["blocked_pairs", "deny"])
def test_replies_obey_routing(team: Team, spelling: dict[str, Any]) -> None:
    """An answer is refused like any letter, and the message it was to answer stays pending."""
    sent = team.ask("dev", "ops")
    team.map(**spelling)
    team.refused(2, "routing-denied", "ops", "reply", sent["id"], "response")
    assert team.json("ops", "inbox")["count"] == 1


def test_routing_is_checked_after_the_recipient_and_before_the_document(team: Team) -> None:
    """An unknown recipient is named first, then routing refuses, and only then the payload is looked at."""
    team.map(routing={"blocked_pairs": [["ops", "dev"], ["ops", "gone"]]})
    team.refused(1, "unknown-agent", "ops", "send", "gone", "bug-fix")
    team.refused(2, "routing-denied", "ops", "send", "dev", "bug-fix")
    team.refused(4, "invalid-payload", "dev", "send", "dev", "bug-fix")
