"""Messages are kept for ever, so what looks like a credential is not sent, wherever in the message it stands.

The examples are made up, and put together here from parts, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_team_os.protocol import credentials
from conftest import Team, tree

PATIENT = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])


def pieces(*parts: str) -> str:
    return "".join(parts)


WORD = "q7Rt2Vx9Lm4Zp8Ws1Yk6Bn3Dc5Fg0HjQwErTyUiOpAsDfGhJkLzXcVbNm1029384756"
UPPER = "QZ7RT2VXLM4ZPWSYK6BN3DC5FGHJ" + "QWERTYUIPASDFGHJKLZXCVBNM234567"

# For each row of the table: what is found, and what only begins like it.
EXAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "an AWS access key id": (
        [pieces("AK", "IA", UPPER[:16].replace("8", "2"))],
        [pieces("AK", "IA", UPPER[:15]), pieces("AK", "IA", UPPER[:17]), pieces("XAK", "IA", UPPER[:16]),
         pieces("ak", "ia", UPPER[:16].lower()), "AKIA"],
    ),
    "a temporary AWS access key id": (
        [pieces("AS", "IA", UPPER[:16])],
        [pieces("AS", "IA", UPPER[:12]), pieces("AS", "IA", UPPER[:18]), pieces("EUR", "AS", "IA", UPPER[:16])],
    ),
    "a GitHub token": (
        [pieces("gh", kind, "_", WORD[:36]) for kind in "pousr"],
        [pieces("gh", "p_", WORD[:35]), pieces("gh", "x_", WORD[:36]), pieces("agh", "p_", WORD[:36]), "gh pr list"],
    ),
    "a fine-grained GitHub token": (
        [pieces("github", "_pat_", WORD[:22], "_", WORD[:59])],
        [pieces("github", "_pat_", WORD[:22]), pieces("github", "_pat_", WORD[:59]), "github_pat_x_y"],
    ),
    "a GitLab token": (
        [pieces("gl", "pat-", WORD[:20]), pieces("gl", "pat-", WORD[:10], "_-", WORD[:12])],
        [pieces("gl", "pat-", WORD[:19]), "glpat-"],
    ),
    "a Slack token": (
        [pieces("xo", "x", kind, "-1234567890-", WORD[:24]) for kind in "bpaosre"],
        [pieces("xo", "x", "b-", WORD[:9]), pieces("xo", "x", "q-", WORD[:30]), "xoxo-darling-see-you"],
    ),
    "an Anthropic API key": (
        [pieces("sk-", "ant-", "api03-", WORD, "-AA"), pieces("sk-", "ant-", "oat01-", WORD)],
        [pieces("sk-", "ant-", "api03-", WORD[:19]), pieces("sk-", "ant-", WORD[:19]), "sk-ant-"],
    ),
    "an OpenAI API key": (
        [pieces("sk-", kind, "-", WORD[:48]) for kind in ("proj", "svcacct", "admin")],
        [pieces("sk-", "proj-", WORD[:19]), pieces("task-", "proj-", WORD), pieces("di", "sk-", "admin-", WORD)],
    ),
    "a Google API key": (
        [pieces("AI", "za", WORD[:35]), pieces("AI", "za", WORD[:33], "_-")],
        [pieces("AI", "za", WORD[:34]), pieces("AI", "za", WORD[:36]), pieces("xAI", "za", WORD[:35])],
    ),
    "a Stripe live key": (
        [pieces(kind, "k_live", "_", WORD[:24]) for kind in "sr"],
        [pieces("sk_", "test_", WORD[:24]), pieces("pk_", "live_", WORD[:24]), pieces("sk_", "live_", WORD[:15])],
    ),
    "an npm token": (
        [pieces("np", "m_", WORD[:36])],
        [pieces("np", "m_", WORD[:35]), pieces("np", "m_", WORD[:37]), pieces("_np", "m_", WORD[:36]), "npm_config"],
    ),
    "a PyPI token": (
        [pieces("py", "pi-", "AgE", "IcHlwaS5vcmc", WORD)],
        [pieces("py", "pi-", "AgE", WORD[:49]), pieces("py", "pi-", WORD), "pypi-mirror"],
    ),
    "a SendGrid key": (
        [pieces("S", "G.", WORD[:22], ".", WORD[:43])],
        [pieces("S", "G.", WORD[:22], ".", WORD[:42]), pieces("MS", "G.", WORD[:22], ".", WORD[:43]), "SG. 5 kg"],
    ),
    "a Hugging Face token": (
        [pieces("h", "f_", "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH")],
        [pieces("h", "f_", WORD[:33]), pieces("sh", "f_", WORD[:34]), "hf_hub_download"],
    ),
    "an age private key": (
        [pieces("AGE-SECRET-", "KEY-1", (UPPER * 2)[:58])],
        [pieces("AGE-SECRET-", "KEY-1", UPPER[:49]), pieces("age1", UPPER.lower())],
    ),
    "a private key": (
        [pieces("-----BEGIN ", kind, "PRIVATE ", "KEY-----") for kind in ("", "RSA ", "EC ", "OPENSSH ", "A B ")],
        [pieces("-----BEGIN ", "PUBLIC ", "KEY-----"), pieces("-----BEGIN ", "CERTIFICATE-----"), "PRIVATE KEY"],
    ),
}  # fmt: skip
SECRETS = [(what, secret) for what, (secrets, _) in EXAMPLES.items() for secret in secrets]
NEAR = [(what, text) for what, (_, near) in EXAMPLES.items() for text in near]


def test_each_row_of_the_table_is_tested() -> None:
    """The examples here and the rows of the table are about the same kinds of credential."""
    assert sorted(EXAMPLES) == sorted(row[0] for row in credentials.TABLE)
    assert len(credentials.TABLE) >= 12


@pytest.mark.parametrize(
    ("what", "secret"), SECRETS, ids=[f"{what}-{number}" for number, (what, _) in enumerate(SECRETS)]
)
def test_credentials_are_found(what: str, secret: str) -> None:
    """A credential is found alone and amid text, and called by its name."""
    for text in (secret, f"token={secret}", f'"{secret}"', f"use {secret}, please", f"x\n{secret}\ny", f"({secret})"):
        assert credentials.find(text) == what, text


@pytest.mark.parametrize(("what", "text"), NEAR, ids=[f"{what}-{number}" for number, (what, _) in enumerate(NEAR)])
def test_what_only_looks_alike_passes(what: str, text: str) -> None:
    """What is too short, too long, part of another word or of another kind is no credential."""
    assert credentials.find(text) is None, what
    assert credentials.find(f"see {text} there") is None, what


@PATIENT
@given(st.text(string.printable + "é日", max_size=80))
def test_ordinary_text_passes(text: str) -> None:
    """Text that nobody made up to look like one holds no credential."""
    assert credentials.find(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "msg-20260520T091812Z-x7q3abcd in thread-20260520-abc123",
        "3f2a9c10-0001-4f3e-9d7a-1234567890ab",
        "the task-project-admin-panel-redesign-for-the-new-customers",
        "a password of 40 characters is long: correct-horse-battery-staple-and-more",
        "https://example.com/ghp/hf/npm?key=AIza&live=sk",
        "eyJhbGciOi" + "JIUzI1NiJ9",
    ],
)
def test_hashes_ids_and_urls_pass(text: str) -> None:
    """Hashes, ids, uuids and addresses, which letters are full of, are no credentials."""
    assert credentials.find(text) is None


TOKEN = pieces("gh", "p_", WORD[:36])


@pytest.mark.parametrize(
    "options",
    [
        ["--summary", f"use {TOKEN}"],
        ["--field", f"key={TOKEN}"],
        ["--field", f"{TOKEN}=x"],
        ["--field", "list=a", "--field", f"list={TOKEN}"],
        ["--ref", f"https://x:{TOKEN}@github.com/a/b"],
        ["--ref", f"../{TOKEN}"],
        ["--payload", json.dumps({"a": {"b": [1, {"c": ["x", f"y {TOKEN}"]}]}})],
        ["--payload", json.dumps({"a": {TOKEN: 1}})],
        ["--payload", '{"a":"' + TOKEN.replace("_", "\\u005f") + '"}'],
        ["--payload", json.dumps({"a": f"line one\n{TOKEN}\nline three"})],
        ["--payload", json.dumps({"a": f"token:\t{TOKEN}"})],
        ["--payload", json.dumps({"a": f"C:\\{TOKEN}"})],
    ],
    ids=[
        "summary",
        "field",
        "field name",
        "list",
        "ref",
        "path",
        "nested",
        "key",
        "escaped",
        "line",
        "tab",
        "backslash",
    ],
)
def test_no_secret_is_sent(team: Team, options: list[str]) -> None:
    """A credential in any part of a message is refused with exit status 4 and not repeated, and nothing is written."""
    error = team.refused(4, "secret", "ops", "send", "dev", "note", *options)
    assert "a GitHub token" in error["message"]
    assert TOKEN not in error["message"] + error["hint"]
    assert "--allow-secret" in error["hint"]


def test_no_secret_is_sent_in_a_body(team: Team) -> None:
    """A credential in the fields or the free text of a body is refused, at the beginning of a line too."""
    for text in (f"key: {TOKEN}", f"a: b\n  {TOKEN}", f"\n{TOKEN}", f"a: b\n\nMine:\n{TOKEN}\n", f"\nx\n\t{TOKEN}\n"):
        team.refused(4, "secret", "ops", "send", "dev", "note", "--body", "-", stdin=text)
    key = pieces("-----BEGIN ", "OPENSSH PRIVATE ", "KEY-----")
    error = team.refused(4, "secret", "ops", "send", "dev", "note", "--body", "-", stdin=f"a: b\n\n{key}\nb3Bl\n")
    assert "a private key" in error["message"]


def test_no_secret_is_sent_as_the_name_of_a_file(team: Team) -> None:
    """The name of an attachment stands in the message, so it is looked at; its content is the sender's affair."""
    (team.root / "ops" / TOKEN).write_text("x")
    (team.root / "ops" / "notes.txt").write_text(TOKEN)
    team.refused(4, "secret", "ops", "send", "dev", "note", "--attach", TOKEN)
    assert team.run("ops", "send", "dev", "note", "--attach", "notes.txt").returncode == 0


def test_no_verb_sends_a_secret(team: Team) -> None:
    """Reply and handoff refuse a credential as send does, in a dry run too, and the original stays pending."""
    sent = team.ask("dev", "ops")
    team.refused(4, "secret", "ops", "reply", sent["id"], "response", "--summary", TOKEN)
    team.refused(4, "secret", "ops", "handoff", "dev", "--state-summary", TOKEN, "--next-step", "x")
    team.refused(4, "secret", "ops", "handoff", "dev", "--state-summary", "x", "--next-step", TOKEN)
    team.refused(4, "secret", "ops", "send", "dev", "note", "--summary", TOKEN, "--dry-run")
    assert team.json("ops", "inbox")["count"] == 1


def test_insisting(team: Team) -> None:
    """With --allow-secret the message is sent as it is."""
    for verb in (["send", "dev", "note"], ["handoff", "dev", "--state-summary", "x", "--next-step", "y"]):
        sent = team.json("ops", *verb, "--field", f"key={TOKEN}", "--allow-secret")
        assert team.stored(sent)["payload"]["key"] == TOKEN


def test_every_kind_is_refused_by_the_program(team: Team) -> None:
    """Each kind of credential stops its message, also on a line of its own, and a clean message beside it goes."""
    texts = [secret for _, secret in SECRETS] + ["clean"]
    lines = [
        json.dumps({"to": "dev", "intent": "note", "payload": {"text": text}})
        for each in texts
        for text in (each, f"see\n{each}\nthere")
    ]
    done = team.run("ops", "send", "--batch", "-", stdin="\n".join(lines))
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 4
    assert len(results) == len(lines)
    unnoticed = [line for line, result in zip(lines[:-2], results) if result.get("error", {}).get("code") != "secret"]
    assert unnoticed == []
    assert all("id" in result for result in results[-2:])
    assert team.json("dev", "inbox")["count"] == 2
    kept = "".join(content.decode() for _, _, content in tree(team.home).values())
    assert [secret for _, secret in SECRETS if secret in kept] == []


def test_what_only_looks_alike_is_sent(team: Team) -> None:
    """None of the near misses stops a message."""
    lines = [json.dumps({"to": "dev", "intent": "note", "payload": {"text": text}}) for _, text in NEAR]
    assert team.run("ops", "send", "--batch", "-", stdin="\n".join(lines)).returncode == 0
    assert team.json("dev", "inbox")["count"] == len(NEAR)


def test_a_batch_can_insist(team: Team) -> None:
    """--allow-secret counts for a whole batch."""
    line = json.dumps({"to": "dev", "intent": "note", "payload": {"key": TOKEN}})
    assert team.run("ops", "send", "--batch", "-", "--allow-secret", stdin=line).returncode == 0
