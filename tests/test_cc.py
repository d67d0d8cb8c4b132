"""Mail between two domains is told to their hubs: a copy that says who, to whom and about what, and no more."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from agent_team_os.bus import Bus
from conftest import Team
from support import state
from support.cli import ROOT
from support.copied import AGENTS, DOMAINS, ask, copies, run, settled, waiting

MESSAGE = json.loads((ROOT / "schemas/message.schema.json").read_bytes())


@pytest.fixture
def domains(team: Team) -> Team:
    """A bus of two domains with a hub each."""
    team.map(agents=AGENTS, domains=DOMAINS)
    return team


# ---- What a copy is -----------------------------------------------------------------------------


def test_both_hubs_get_a_copy(domains: Team) -> None:
    """The hub of each domain gets a cc-notify with who, to whom, type, intent, priority and the summary's line."""
    (domains.root / "dev/trace.txt").write_text("trace")
    payload = ["--summary", "Login loops\non Safari", "--field", "project=web", "--field", "text=for secure alone"]
    more = ["--priority", "urgent", "--attach", "trace.txt", "--ref", "gh://me/web/issues/1"]
    sent = run(domains, "dev", "send", "secure/web", "bug-fix", *payload, *more, "--requires-response")
    settled(domains, sent)
    told = [copies(domains)[copy_id] for copy_id in sent["cc"]]
    assert [copy["to"] for copy in told] == ["lead", "ops"]
    for copy in told:
        jsonschema.validate(copy, MESSAGE)
        assert (copy["from"], copy["cc_of"], copy["thread_id"]) == ("dev", sent["id"], sent["thread_id"])
        assert (copy["type"], copy["intent"], copy["priority"]) == ("cc-notify", "cc-notify", "low")
        assert (copy["requires_response"], copy["response_by"], copy["in_reply_to"]) == (False, None, None)
        assert (copy["attachments"], copy["context_refs"], copy["delivery"]) == ([], [], "agent")
        assert copy["payload"] == {
            "from": "dev", "to": "secure", "type": "request", "intent": "bug-fix", "priority": "urgent",
            "summary": "Login loops",
        }  # fmt: skip
        assert waiting(domains, copy["to"]) == [copy]
    assert not any("copy" in warning for warning in sent["warnings"])


def test_a_payload_of_one_line_is_not_passed_on(domains: Team) -> None:
    """Of a summary a copy has 200 characters at most."""
    run(domains, "dev", "send", "secure", "question", "--field", "question=" + "x" * 9000)
    assert {copy["payload"]["summary"] for copy in copies(domains).values()} == {"x" * 200}


def test_a_hub_reads_and_answers_a_copy(domains: Team) -> None:
    """A copy is listed with its summary, read and archived like any message, and answered to who wrote the original."""
    sent = ask(domains)
    (listed,) = run(domains, "lead", "inbox")["pending"]
    assert (listed["type"], listed["cc_of"]) == ("cc-notify", sent["id"])
    assert "Which branch?" in domains.run("dev", "inbox", AGENT_TEAM_OS_AGENT="lead").stdout
    assert run(domains, "lead", "read")["archived"]
    answer = run(domains, "lead", "reply", listed["id"], "question", "--field", "question=Why?")
    assert (answer["to"], answer["thread_id"], answer["cc"]) == ("dev", sent["thread_id"], [])


def test_a_secret_that_may_be_sent_may_be_summed_up(domains: Team) -> None:
    """What --allow-secret lets through is in the copy's summary too."""
    secret = "AKIA" + "IOSFODNN7EXAMPLQ"
    text = f"question=Is {secret} yours?"
    assert domains.run("dev", "send", "secure", "question", "--field", text).returncode == 4
    assert copies(domains) == {}
    sent = run(domains, "dev", "send", "secure", "question", "--field", text, "--allow-secret")
    assert secret in copies(domains)[sent["cc"][0]]["payload"]["summary"]


# ---- Who is told --------------------------------------------------------------------------------

OTHER = {**AGENTS, "growth": {"domain": "web"}, "max": {}, "alex": {}}
ONE_HUB = {"domains": {}, "cc_awareness": {"hub": "ops"}}
WHO: dict[str, tuple[str, str, dict[str, Any], list[str]]] = {
    "two domains": ("dev", "secure", {}, ["lead", "ops"]),
    "the other way": ("secure", "dev", {}, ["ops", "lead"]),
    "turned on": ("dev", "secure", {"cc_awareness": {"enabled": True}}, ["lead", "ops"]),
    "turned off": ("dev", "secure", {"cc_awareness": {"enabled": False}}, []),
    "one hub for all": ("dev", "secure", ONE_HUB, ["ops"]),
    "one hub of both": ("dev", "secure", {"domains": {name: {"hub": "max"} for name in DOMAINS}}, ["max"]),
    "a hub and the hub of all": ("dev", "growth", {"cc_awareness": {"hub": "max"}}, ["lead", "max"]),
    "a domain without a hub": ("dev", "growth", {}, ["lead"]),
    "no hub at all": ("dev", "secure", {"domains": {}}, []),
    "a hub that is null": ("dev", "secure", {"domains": {}, "cc_awareness": {"hub": None}}, []),
    "one domain": ("ops", "secure", {"domains": {"work": {"hub": "max"}}}, []),
    "to oneself": ("dev", "dev", {}, []),
    "from a hub": ("ops", "dev", {}, []),
    "to a hub": ("dev", "ops", {}, []),
    "to the hub of one's own domain": ("dev", "lead", {"agents": {**OTHER, "lead": {"domain": "work"}}}, []),
    "from the hub of a third domain": ("growth", "dev", {"domains": {**DOMAINS, "x": {"hub": "growth"}}}, []),
    "to the hub of all": ("dev", "growth", {"cc_awareness": {"hub": "growth"}}, []),
    "a sender of no domain": ("max", "secure", {}, []),
    "a recipient of no domain": ("dev", "max", {}, []),
    "neither has a domain": ("alex", "max", ONE_HUB, []),
    "sender to hub denied": ("dev", "secure", {"routing_rules": {"dev": {"deny": ["ops"]}}}, ["lead"]),
    "recipient to hub denied": ("dev", "secure", {"routing_rules": {"secure": {"deny": ["lead"]}}}, ["ops"]),
    "sender to its own hub denied": ("dev", "secure", {"routing_rules": {"dev": {"deny": ["lead"]}}}, ["ops"]),
    "a pair of hub and recipient": ("dev", "secure", {"routing": {"blocked_pairs": [["lead", "secure"]]}}, ["ops"]),
    "hub to both denied": ("dev", "secure", {"routing_rules": {"ops": {"deny": ["dev", "secure"]}}}, ["lead", "ops"]),
}


@pytest.mark.parametrize("case", WHO)
def test_who_is_told(case: str, team: Team) -> None:
    """Hubs are told of mail between two domains, unless one side is a hub, or the map says otherwise."""
    sender, to, changes, hubs = WHO[case]
    team.map(**{"agents": OTHER, "domains": DOMAINS, **changes})
    bus = Bus.open({"AGENT_TEAM_OS_HOME": str(team.home), "AGENT_TEAM_OS_AGENT": sender}, "/")
    sent = bus.send(to, "question", {"question": "Which branch?"})
    found = copies(team)
    assert [found[copy_id]["to"] for copy_id in sent["cc"]] == hubs
    assert {message["id"] for hub in hubs for message in waiting(team, hub)} == set(found)
    assert len(state.outbox(team.home)) == 1 + len(hubs)
    assert not any("copy" in warning for warning in sent["warnings"])


def test_a_hub_nobody_knows(domains: Team) -> None:
    """A hub that is no agent of the map gets nothing, the sender is warned, and the other hub gets its copy."""
    domains.map(domains={**DOMAINS, "work": {"hub": "growth"}})
    sent = ask(domains)
    settled(domains, sent)
    assert [copy["to"] for copy in copies(domains).values()] == ["lead"]
    assert any("growth" in warning and "AGENT_MAP.json" in warning for warning in sent["warnings"])
    assert not (domains.home / "inboxes/growth").exists()


def test_every_way_of_sending_makes_copies(domains: Team) -> None:
    """reply, handoff and each line of a batch tell the hubs as send does; a dry run tells nobody."""
    assert "cc" not in ask(domains, "dev", "secure", "--dry-run")
    assert copies(domains) == {}
    asked = ask(domains)
    answer = run(domains, "secure", "reply", asked["id"], "accept")
    handed = run(domains, "dev", "handoff", "secure", "--state-summary", "half", "--next-step", "rest")
    lines = [{"to": to, "intent": "news", "type": "event", "payload": {"text": to}} for to in ("secure", "lead")]
    done = domains.run("dev", "send", "--batch", "-", stdin="\n".join(map(json.dumps, lines)))
    batch = [json.loads(line) for line in done.stdout.splitlines()]
    for sent, told in ((answer, "accept"), (handed, "handoff"), (batch[0], "event")):
        settled(domains, sent)
        assert [copies(domains)[copy_id]["payload"]["type"] for copy_id in sent["cc"]] == [told, told]
        assert {copies(domains)[copy_id]["cc_of"] for copy_id in sent["cc"]} == {sent["id"]}
    assert copies(domains)[answer["cc"][0]]["from"] == "secure"
    assert batch[1]["cc"] == []


@pytest.mark.parametrize("fields", [{"type": "cc-notify"}, {"type": "event", "cc_of": "msg-20260520T091812Z-aaaaaaaa"}])
def test_a_copy_makes_no_copy(fields: dict[str, str], domains: Team) -> None:
    """What is sent as a cc-notify, or as a copy of something, is told to no hub."""
    line = {"to": "secure", "intent": "news", "payload": {"text": "x"}, **fields}
    done = domains.run("dev", "send", "--batch", "-", stdin=json.dumps(line))
    assert json.loads(done.stdout)["cc"] == []
    assert len(state.outbox(domains.home)) == 1


# ---- Threads, doctor, trace ---------------------------------------------------------------------


def test_a_copy_of_the_last_answer_leaves_the_thread_closed(domains: Team) -> None:
    """Copies stand in no thread, neither when they are sent nor when the thread is rebuilt, and reopen none."""
    asked = ask(domains)
    answer = run(domains, "secure", "reply", asked["id"], "response", "--summary", "main")
    assert answer["thread_status"] == "completed"
    settled(domains, answer)
    path = domains.home / "threads" / f"{asked['thread_id']}.json"
    before = json.loads(path.read_bytes())
    assert [entry["id"] for entry in before["messages"]] == [asked["id"], answer["id"]]
    assert (before["status"], before["participants"]) == ("completed", ["dev", "secure"])
    for damage in (path.unlink, lambda: path.write_text("no thread")):
        damage()
        assert domains.run("dev", "doctor", "--repair").returncode == 0
        assert json.loads(path.read_bytes()) == before
    path.unlink()
    again = run(domains, "dev", "reply", answer["id"], "confirm")
    entries = json.loads(path.read_bytes())["messages"]
    assert [entry["id"] for entry in entries] == [asked["id"], answer["id"], again["id"]]


def test_doctor_has_nothing_to_say_of_copies(domains: Team) -> None:
    """Copies that are pending, read and answered are no finding, and nothing to repair."""
    ask(domains)
    copy = waiting(domains, "lead")[0]
    run(domains, "lead", "read", copy["id"])
    run(domains, "ops", "reply", waiting(domains, "ops")[0]["id"], "accept")
    before = state.threads(domains.home)
    for options in ([], ["--repair"]):
        findings = run(domains, "dev", "doctor", *options)["findings"]
        about = {"thread-lacks-message", "in-no-inbox", "not-in-outbox", "spool-left", "delivered-twice", "bad-thread"}
        assert not {finding["code"] for finding in findings} & about
    assert state.threads(domains.home) == before


def test_trace_follows_a_copy(domains: Team) -> None:
    """The trace of a copy names its original, that of the original each of its copies."""
    sent = ask(domains)
    to_lead, to_ops = sent["cc"]
    trace = run(domains, "dev", "trace", to_lead)
    what = [event["what"] for event in trace["events"]]
    assert what == [f"sent by dev to lead as a copy of {sent['id']}", "pending in the inbox of lead"]
    assert trace["state"] == "pending"
    trace = run(domains, "dev", "trace", sent["id"])
    assert [event["what"] for event in trace["events"]] == [
        "sent by dev to secure", "pending in the inbox of secure",
        f"copied to lead as {to_lead}", f"copied to ops as {to_ops}",
    ]  # fmt: skip
    assert trace["state"] == "pending"
