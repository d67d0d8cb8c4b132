"""UserPromptSubmit: at each prompt a word about mail that came since the last one, and a sign of life."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import Team, tree
from support.hooks import said
from support.sessions import Session, document, framed, ids, line, path_of, put

HELPERS = Path(__file__).parent / "support" / "v1.sh"


def helper(team: Team, script: str) -> str:
    """Run the stand-in for the helpers of version 1; returns what it prints."""
    command = ["bash", "-c", f"set -eu; . {HELPERS}; {script}"]
    env = {**team.env, "BUS": str(team.home)}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


# ---- what is said -------------------------------------------------------------------------------


def test_nothing_new(team: Team) -> None:
    """Where nothing came since, nothing at all is printed."""
    session = Session(team)
    assert session.fire("UserPromptSubmit") == {}
    put(team, 1)
    session.start()
    for _ in range(2):
        assert session.fire("UserPromptSubmit") == {}


def test_what_presses_is_shown(team: Team) -> None:
    """Urgent and high mail is shown in full lines, the most urgent first and the newest among equals."""
    session = Session(team)
    session.start()
    sent = [put(team, number, priority=("high", "urgent")[number % 2]) for number in range(4)]
    text = session.prompt()
    assert text.split("\n")[0] == "New mail for dev/dev: 4 pending, 2 urgent, 2 high."
    assert ids(text) == [sent[number] for number in (3, 1, 2, 0)]
    assert re.fullmatch(r"urgent note from ops, [^:]*: number 3 \(msg-\S+-00000003\)", framed(text)[1][0])
    assert "/inbox" not in text


def test_the_rest_is_a_count(team: Team) -> None:
    """Normal and low mail is a count, by itself and beside what presses; none of its words are shown."""
    session = Session(team)
    session.start()
    put(team, 1, payload={"summary": "SECRET"})
    put(team, 2, priority="low", payload={"summary": "SECRET"})
    assert session.prompt().split("\n") == ["New mail for dev/dev: 2 pending.", "2 to look at: /inbox"]
    put(team, 3, payload={"summary": "SECRET"})
    sent = put(team, 4, priority="high")
    text = session.prompt()
    assert ids(text) == [sent]
    assert text.split("\n")[-1] == "1 more: /inbox"
    assert "SECRET" not in text


def test_copies_are_a_count(team: Team) -> None:
    """A copy is counted for information, whatever its priority, and never shown."""
    session = Session(team)
    session.start()
    put(team, 1, type="cc-notify", priority="urgent", payload={"summary": "SECRET"})
    assert session.prompt() == "New mail for dev/dev: nothing pending. 1 copy for your information."
    put(team, 2, type="cc-notify")
    put(team, 3, type="cc-notify")
    sent = put(team, 4, priority="urgent")
    text = session.prompt()
    assert text.startswith("New mail for dev/dev: 1 pending, 1 urgent. 2 copies for your information.\n")
    assert ids(text) == [sent]


def test_each_message_once(team: Team) -> None:
    """Mail that comes between prompts is announced at the next one alone, counted or shown."""
    session = Session(team)
    session.start()
    for number in range(6):
        put(team, number, priority=("high", "low")[number % 2])
        assert session.prompt().startswith("New mail for dev/dev: 1 pending")
        assert session.prompt() == ""


def test_more_than_can_be_shown(team: Team) -> None:
    """Of many pressing messages the twenty most urgent are shown and the rest is counted; all count as announced."""
    session = Session(team)
    session.start()
    for number in range(30):
        put(team, number, priority="high")
    text = session.prompt()
    assert len(ids(text)) == 20
    assert ids(text)[0].endswith("29")
    assert text.split("\n")[-1] == "10 more: /inbox"
    assert session.prompt() == ""


def test_a_prompt_before_any_start(team: Team) -> None:
    """A session whose start was never seen is told at its first prompt of all that waits, and is registered."""
    sent = put(team, 1, priority="urgent")
    session = Session(team)
    assert ids(session.prompt()) == [sent]
    assert session.entry.exists()
    assert session.prompt() == ""


# ---- whose mail ---------------------------------------------------------------------------------


def test_mail_for_one_session(team: Team) -> None:
    """Mail for `agent/slug` reaches the session of that slug alone; mail for the agent reaches both."""
    (team.root / "dev/api").mkdir()
    web, api = Session(team, "s-1"), Session(team, "s-2", "dev/api")
    web.start()
    api.start()
    own = put(team, 1, "dev/@api", to_slug="api", priority="high")
    assert web.prompt() == ""
    assert ids(api.prompt()) == [own]
    shared = put(team, 2, priority="high")
    assert ids(web.prompt()) == ids(api.prompt()) == [shared]
    put(team, 3, "dev/@docs", priority="high")
    put(team, 4, "ops", to="ops", priority="high")
    assert web.prompt() == api.prompt() == ""


def test_two_sessions_in_one_folder(team: Team) -> None:
    """Two sessions with one slug share its box, and each is told once."""
    first, second = Session(team, "s-1"), Session(team, "s-2")
    sent = put(team, 1, "dev/@dev", priority="high")
    assert ids(first.prompt()) == ids(second.prompt()) == [sent]
    assert first.prompt() == second.prompt() == ""


def test_mail_of_the_program(team: Team) -> None:
    """What `ato send` delivers is announced at the next prompt of the recipient, and not to the sender."""
    dev, ops = Session(team), Session(team, "s-2", "ops")
    dev.start()
    ops.start()
    sent = team.json("ops", "send", "dev", "note", "--summary", "Look", "--priority", "urgent")
    assert ids(dev.prompt()) == [sent["id"]]
    assert ops.prompt() == ""


def test_mail_of_version_1(team: Team) -> None:
    """What a helper of version 1 writes is announced, before the start and between prompts, and once."""
    session = Session(team)
    first = helper(team, "v1_send ops dev request bug-fix 'Login loops'")
    assert ids(session.start()) == [first]
    second = helper(team, "v1_send ops dev request review 'Look'")
    assert session.prompt().split("\n") == ["New mail for dev/dev: 1 pending.", "1 to look at: /inbox"]
    helper(team, f"v1_read dev {first}; v1_read dev {second} .done >/dev/null")
    assert session.prompt() == ""
    assert line(session.start("clear"), "Inbox: ") == "Inbox: nothing pending."


def test_mail_without_a_priority(team: Team) -> None:
    """A message without a priority, as some of version 1 are, is normal."""
    message = document(1)
    assert "priority" not in message
    put(team, 1)
    low, high = put(team, 2, priority="low"), put(team, 0, priority="high")
    session = Session(team)
    text = session.start()
    assert ids(text) == [high, message["id"], low]
    assert framed(text)[1][1].startswith("normal note from ops")
    put(team, 3)
    assert session.prompt() == "New mail for dev/dev: 1 pending.\n1 to look at: /inbox"


def test_a_half_written_file(team: Team) -> None:
    """A file that a foreign writer is still at is not spoken of until it is whole; then it is, once."""
    session = Session(team)
    session.start()
    message = document(1, priority="urgent")
    path = path_of(team, message["id"])
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = json.dumps(message)
    for part in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_text(whole[:part])
        assert session.prompt() == ""
        assert path.exists()
    path.write_text(whole)
    assert ids(session.prompt()) == [message["id"]]
    assert session.prompt() == ""


# ---- never a ghost ------------------------------------------------------------------------------


def test_mail_that_is_gone(team: Team) -> None:
    """Mail that was deleted, read or whose whole inbox was removed is neither counted nor shown."""
    session = Session(team)
    sent = [put(team, number, priority="high") for number in range(4)]
    assert len(ids(session.start())) == 4
    path_of(team, sent[0]).unlink()
    assert team.run("dev", "read", sent[1]).returncode == 0
    assert ids(session.start("clear")) == [sent[3], sent[2]]
    shutil.rmtree(team.home / "inboxes/dev")
    assert line(session.start("clear"), "Inbox: ") == "Inbox: nothing pending."
    assert session.prompt() == ""
    new = put(team, 9, priority="high")
    assert session.prompt().startswith("New mail for dev/dev: 1 pending, 1 high.\n")
    assert ids(session.start("compact")) == [new]


def test_mail_that_is_read_before_the_prompt(team: Team) -> None:
    """What came and was read between two prompts is never spoken of."""
    session = Session(team)
    session.start()
    sent = put(team, 1, priority="urgent")
    assert team.run("dev", "read", sent).returncode == 0
    assert session.prompt() == ""


def test_a_home_that_was_copied(team: Team) -> None:
    """Without `state/` and `registry/`, as people copy a home, the session is told all again."""
    sent = put(team, 1, priority="high")
    session = Session(team)
    session.start()
    shutil.rmtree(team.home / "state")
    shutil.rmtree(team.home / "registry")
    assert ids(session.prompt()) == [sent]
    assert session.prompt() == ""
    assert session.entry.exists()


# ---- the input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["hook_event_name", "cwd", "transcript_path", "prompt"])
def test_a_field_that_is_missing(missing: str, team: Team) -> None:
    """Whichever field the input lacks, the session is told."""
    sent = put(team, 1, priority="high")
    given = {"session_id": "s-1", "hook_event_name": "UserPromptSubmit", "cwd": "", "transcript_path": "", "prompt": ""}
    del given[missing]
    done = team.run("dev", "hook", "UserPromptSubmit", stdin=json.dumps(given))
    assert (done.returncode, done.stderr) == (0, "")
    assert ids(said(json.loads(done.stdout))) == [sent]


def test_a_prompt_of_any_size(team: Team) -> None:
    """The text of the prompt, however long and in whatever script, makes no difference."""
    sent = put(team, 1, priority="high")
    text = Session(team).fire("UserPromptSubmit", prompt='日本語 \u202e🎉 \\ " \n\x00' * 100_000)
    assert ids(said(text)) == [sent]


def test_a_subagent_says_nothing(team: Team) -> None:
    """In a subagent a prompt is answered with nothing, and nothing is written."""
    put(team, 1, priority="urgent")
    before = tree(team.root)
    assert Session(team).fire("UserPromptSubmit", agent_id="a1") == {}
    assert tree(team.root) == before
