"""A home of version 1 is read and written by both sides, at the same time."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from conftest import Team
from support import state
from support.cli import PROGRAM

HELPERS = Path(__file__).parent / "support" / "v1.sh"
MAP = {
    "version": "1.2",
    "updated": "2026-05-20",
    "rules": [
        {"pattern": "~/ops", "match": "prefix", "agent": "ops"},
        {"pattern": "~/dev", "match": "prefix", "agent": "dev"},
    ],
    "fallback": None,
    "agents": {"ops": {"display_name": "Ops", "role": "Orchestrator"}, "dev": {"display_name": "Dev"}, "secure": {}},
    "routing_rules": {"dev": {"deny": ["secure"], "reason": "client data stays inside"}},
}


@pytest.fixture
def old(team: Team) -> Team:
    """A home as version 1 leaves it: its folders and its map, nothing of version 2."""
    subprocess.run(["rm", "-rf", str(team.home)], check=True)
    for name in ("inboxes/ops", "inboxes/dev", "inboxes/secure", "outbox", "threads", "registry", "locks", "agents"):
        (team.home / name).mkdir(parents=True)
    (team.home / "AGENT_MAP.json").write_text(json.dumps(MAP, indent=2))
    (team.home / "registry" / "dev.json").write_text("{}")
    return team


def helper(team: Team, script: str) -> str:
    """Run the stand-in for version 1 and return what it prints."""
    done = subprocess.run(
        ["bash", "-c", f"set -eu; . {HELPERS}; {script}"],
        env={**team.env, "BUS": str(team.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_mail_of_version_1_is_read_and_answered(old: Team) -> None:
    """A message a shell helper wrote is listed, read, answered in its thread and archived."""
    sent = helper(old, "v1_send ops dev request bug-fix 'Login loops'")
    listed = old.json("dev", "inbox")
    assert [message["id"] for message in listed["pending"]] == [sent]
    assert listed["quarantined"] == 0
    assert old.json("dev", "read")["archived"] is True
    answer = old.json("dev", "reply", sent, "response", "--summary", "Fixed")
    assert answer["thread_status"] == "completed"
    assert state.check(old.home) == {sent, answer["id"]}
    thread = old.json("dev", "thread", answer["thread_id"])
    assert [entry["type"] for entry in thread["messages"]] == ["request", "response"]
    assert [entry["summary"] for entry in thread["messages"]] == ["Login loops", "Fixed"]


def test_mail_of_version_2_is_read_by_version_1(old: Team) -> None:
    """A shell helper lists, reads and archives what we wrote, and we see that it did."""
    sent = old.json("ops", "send", "dev", "bug-fix", "--summary", "Loops", "--field", "project=web")
    assert helper(old, "v1_list dev") == sent["id"]
    shown = json.loads(helper(old, f"v1_read dev {sent['id']}"))
    assert shown["payload"] == {"summary": "Loops", "project": "web"}
    assert old.json("dev", "inbox")["count"] == 0
    assert old.json("ops", "trace", sent["id"])["state"] == "read"
    assert helper(old, "v1_list dev") == ""


def test_session_mail_of_version_1_reaches_its_session(old: Team) -> None:
    """What a helper put into the box of one session is that session's alone."""
    here = helper(old, "v1_send ops dev request review 'for dev/dev' '' dev")
    helper(old, "v1_send ops dev request review 'for another' '' other")
    assert [message["id"] for message in old.json("dev", "inbox")["pending"]] == [here]
    assert old.json("dev", "inbox", "--all")["count"] == 2
    assert old.json("dev", "read", here)["archived"] is True
    assert (old.home / "inboxes" / "dev" / "@dev" / ".read" / f"{here}.json").exists()


def test_what_version_1_filed_as_done_is_known(old: Team) -> None:
    """A message in `.done/` counts as read, can be answered, and is not delivered again by recovery."""
    sent = old.json("ops", "send", "dev", "question", "--field", "question=Which?")
    # As if the sender had been killed between the link and the end of its send.
    spooled = old.home / "outbox" / ".spool" / f"{sent['id']}.json"
    spooled.hardlink_to(sent["path"])
    helper(old, f"v1_read dev {sent['id']} .done")
    assert old.json("dev", "inbox")["count"] == 0
    assert not spooled.exists()
    assert old.json("ops", "trace", sent["id"])["state"] == "read"
    assert old.json("dev", "reply", sent["id"], "response", "--summary", "main")["to"] == "ops"


def test_the_map_of_version_1_decides(old: Team) -> None:
    """Identity and the one-way denial of a version 1 map hold, and joining keeps what it says."""
    assert old.json("dev", "whoami")["agent"] == "dev"
    error = old.refused(2, "routing-denied", "dev", "send", "secure", "event", "--summary", "hi")
    assert "client data stays inside" in error["message"]
    assert old.json("ops", "send", "secure", "event", "--type", "event", "--summary", "hi")["to"] == "secure"
    old.join("growth")
    document = json.loads((old.home / "AGENT_MAP.json").read_bytes())
    assert document["updated"] == "2026-05-20"
    assert document["rules"][:2] == MAP["rules"]
    assert document["routing_rules"] == MAP["routing_rules"]
    assert document["agents"]["dev"] == {"display_name": "Dev"}


def test_both_versions_write_at_once(old: Team) -> None:
    """Four helpers and four processes of ours write to one inbox at once, and nothing is lost or torn."""
    script = f'. {HELPERS}; for i in 1 2 3 4 5 6 7 8 9 10; do v1_send ops dev event news "old $i" || exit 1; done'
    env = {**old.env, "BUS": str(old.home)}
    line = '{"to":"dev","intent":"news","type":"event","payload":{"summary":"new"}}\n'
    writers = [
        subprocess.Popen(["bash", "-c", script], env=env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        for _ in range(4)
    ]
    ours = [
        subprocess.Popen(
            [*PROGRAM, "send", "--batch", "-"],
            env=env,
            cwd=old.root / "ops",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    said = [process.communicate(line.encode() * 10, timeout=60)[0] for process in ours]
    told = [process.communicate(timeout=60)[0] for process in writers]
    assert [process.returncode for process in [*ours, *writers]] == [0] * 8
    acknowledged = {json.loads(one)["id"] for text in said for one in text.splitlines()}
    acknowledged |= {one.decode() for text in told for one in text.splitlines()}
    assert len(acknowledged) == 80
    assert state.check(old.home) == acknowledged
    assert old.json("dev", "inbox")["count"] == 80
    assert old.json("dev", "doctor")["ok"] is True
