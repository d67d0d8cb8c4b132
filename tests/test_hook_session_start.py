"""SessionStart: a session is told who it is, why, and what waits for it; its shells learn which session they are."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Optional

import pytest

from conftest import Team
from support.cli import ORDINARY, PATIENCE, PROGRAM
from support.hooks import said
from support.sessions import Session, framed, ids, line, put

SOURCES = ("startup", "resume", "clear", "compact", "fork", None)


# ---- who and why --------------------------------------------------------------------------------


def test_who_and_why(team: Team) -> None:
    """The session learns its agent, role, session, the folder and the rule that decided, and the commands."""
    team.json("dev", "join", "dev", "--role", "engineer")
    assert Session(team).start().split("\n") == [
        "You are dev (engineer) on the agent-team-os bus, session dev/dev; "
        "the folder ~/dev is mapped to you by rule 2 (~/dev).",
        "Inbox: nothing pending.",
        "Commands: /inbox /read /reply /send /handoff /thread /bus /god /msg",
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_every_source(source: Optional[str], team: Team) -> None:
    """However a session begins, it is told who it is and what waits, and it is registered."""
    sent = put(team, 1)
    session = Session(team)
    text = session.start(source)
    assert text.startswith("You are dev ")
    assert ids(text) == [sent]
    assert session.entry.exists()


@pytest.mark.parametrize("source", ["", "later", 5, None, ["clear"], {"clear": 1}])
def test_a_source_of_no_sense(source: Any, team: Team) -> None:
    """A source nobody knows is like any that is no repetition."""
    sent = put(team, 1)
    session = Session(team)
    assert ids(said(session.fire("SessionStart", source=source))) == [sent]
    assert ids(said(session.fire("SessionStart", source=source))) == []


def test_why_a_variable(team: Team) -> None:
    """Where a variable decides, the announcement names it."""
    text = Session(team, folder="ops", AGENT_TEAM_OS_AGENT="dev").start()
    assert text.startswith("You are dev ")
    assert "AGENT_TEAM_OS_AGENT" in text.split("\n")[0]


def test_a_variable_that_names_nobody(team: Team) -> None:
    """With a variable that names no agent of the map the session is told nothing, and the log says why."""
    assert Session(team, AGENT_TEAM_OS_AGENT="../evil").fire("SessionStart") == {}
    assert "evil" in (team.home / "state/hook-errors.log").read_text()


def test_the_workspace(team: Team) -> None:
    """The workspace is CLAUDE_PROJECT_DIR, else the cwd of the input, else the folder the hook runs in."""
    (team.root / "other").mkdir()
    project = str(team.root / "ops")
    given = {"cwd": str(team.root / "dev")}
    assert Session(team, folder="other", CLAUDE_PROJECT_DIR=project).start(**given).startswith("You are ops")
    assert Session(team, folder="other").start(**given).startswith("You are dev")
    for cwd in (None, "", "dev", "../dev", 5, [str(team.root / "dev")]):
        assert Session(team, folder="ops").start(cwd=cwd).startswith("You are ops")


def test_the_environment_of_a_real_process(team: Team) -> None:
    """`ato hook` itself takes the folder it runs in, the variables and the input in the same order."""
    (team.root / "other").mkdir()
    given = json.dumps({"session_id": "s-1", "cwd": str(team.root / "dev")})
    for folder, stdin, project, agent in (
        ("other", given, "ops", "ops"),
        ("other", given, "", "dev"),
        ("ops", "{}", "", "ops"),
        ("ops", "", "", "ops"),
    ):
        env = {"CLAUDE_PROJECT_DIR": str(team.root / project)} if project else {}
        done = team.run(folder, "hook", "SessionStart", stdin=stdin, **env)
        assert (done.returncode, done.stderr) == (0, "")
        assert said(json.loads(done.stdout)).startswith(f"You are {agent} ")


def test_from_below_the_folder(team: Team) -> None:
    """A session in a folder below the agent's has that folder's name as its slug."""
    (team.root / "dev/Web App").mkdir()
    assert "session dev/web-app." in Session(team, folder="dev/Web App").start()


# ---- the exported session -----------------------------------------------------------------------


def test_the_exported_session(team: Team) -> None:
    """The session is exported through the file Claude Code names, behind what is there, and commands then use it."""
    file = team.root / "env file.sh"
    file.write_text("export OTHER=1\n")
    Session(team, CLAUDE_ENV_FILE=str(file)).start()
    assert file.read_text() == "export OTHER=1\nexport AGENT_TEAM_OS_SESSION=dev/dev\n"
    done = subprocess.run(
        ["sh", "-c", '. "$1"; shift; exec "$@" whoami --json', "sh", str(file), *ORDINARY, *PROGRAM],
        cwd=team.root / "ops", env=team.env, capture_output=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    who = json.loads(done.stdout)
    assert (who["session"], who["rule"]) == ("dev/dev", "AGENT_TEAM_OS_SESSION")


def test_the_export_does_not_pile_up(team: Team) -> None:
    """However often a session goes on, the line stands in the file once; where another came after it, it is last."""
    file = team.root / "env.sh"
    session = Session(team, CLAUDE_ENV_FILE=str(file))
    for source in (*SOURCES, "resume", "compact"):
        session.start(source)
    assert file.read_text() == "export AGENT_TEAM_OS_SESSION=dev/dev\n"
    file.write_text(file.read_text() + "export AGENT_TEAM_OS_SESSION=ops/ops\nexport X=1")
    session.start("resume")
    session.start("compact")
    assert file.read_text().split("\n") == [
        "export AGENT_TEAM_OS_SESSION=dev/dev",
        "export AGENT_TEAM_OS_SESSION=ops/ops",
        "export X=1",
        "export AGENT_TEAM_OS_SESSION=dev/dev",
        "",
    ]


def test_the_file_for_variables_is_new(team: Team) -> None:
    """A file that is not there yet is made; it may hold bytes that are no text, and they stay."""
    file = team.root / "env.sh"
    Session(team, CLAUDE_ENV_FILE=str(file)).start()
    assert file.read_text() == "export AGENT_TEAM_OS_SESSION=dev/dev\n"
    file.write_bytes(b"X=\xff\n")
    Session(team, CLAUDE_ENV_FILE=str(file)).start()
    assert file.read_bytes() == b"X=\xff\nexport AGENT_TEAM_OS_SESSION=dev/dev\n"


@pytest.mark.parametrize("name", ["", "nowhere/env", "dev", "/dev/full"])
def test_variables_that_cannot_be_exported(name: str, team: Team) -> None:
    """A file for variables that cannot be written takes nothing away from the announcement."""
    sent = put(team, 1)
    assert ids(Session(team, CLAUDE_ENV_FILE=name and str(team.root / name)).start()) == [sent]


# ---- the title of the session -------------------------------------------------------------------


@pytest.mark.parametrize("source", ["startup", "resume", "fork", None])
@pytest.mark.parametrize("title", ["missing", None, "", "dev"])
def test_the_title(title: Optional[str], source: Optional[str], team: Team) -> None:
    """A session without a title, or with ours, is called like its agent."""
    given: dict[str, Any] = {"source": source, **({} if title == "missing" else {"session_title": title})}
    document = Session(team).fire("SessionStart", **given)
    assert document["hookSpecificOutput"]["sessionTitle"] == "dev"


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("title", ["Login loops", "ops", "DEV", "dev ", 5, ["dev"]])
def test_a_title_of_somebody_else(title: Any, source: Optional[str], team: Team) -> None:
    """A title that somebody else has given the session stays as it is."""
    document = Session(team).fire("SessionStart", source=source, session_title=title)
    assert "sessionTitle" not in document["hookSpecificOutput"]


def test_a_title_we_gave(team: Team) -> None:
    """A session that was called like the agent it was before is called like the one it is now."""
    env = {"CLAUDE_ENV_FILE": str(team.root / "env")}
    Session(team, folder="ops", **env).start()
    document = Session(team, **env).fire("SessionStart", source="resume", session_title="ops")
    assert document["hookSpecificOutput"]["sessionTitle"] == "dev"


# ---- what waits ---------------------------------------------------------------------------------


def test_the_five_most_urgent(team: Team) -> None:
    """The five most urgent are shown, the newest first among equals; all are counted, and the rest is pointed to."""
    priorities = ["low", "high", "normal", "urgent", "high", "normal", "urgent", "high"]
    sent = [put(team, number, priority=priority) for number, priority in enumerate(priorities)]
    text = Session(team).start()
    assert line(text, "Inbox: ") == "Inbox: 8 pending, 2 urgent, 3 high."
    assert ids(text) == [sent[number] for number in (6, 3, 7, 4, 1)]
    assert "3 more: /inbox" in text.split("\n")
    assert team.json("dev", "inbox")["count"] == 8, "what was announced is not read"


def test_all_are_shown(team: Team) -> None:
    """Where all pending mail is shown, nothing points to more."""
    sent = [put(team, number) for number in range(5)]
    text = Session(team).start()
    assert ids(text) == sent[::-1]
    assert "/inbox" not in text.replace("Commands: /inbox", "")


def test_a_line_of_mail(team: Team) -> None:
    """Each line has priority, kind, sender, age, deadline, summary and id."""
    put(team, 1, priority="high", intent="bug-fix", response_by="2026-05-23T18:00:00Z")
    put(team, 2, type="question", intent="question", payload={"question": "Which branch?"})
    put(team, 3, type="response", intent="bug-fix", priority="low", payload={})
    done = team.run("dev", "hook", "SessionStart", stdin="{}", TZ="UTC0")
    _, shown = framed(said(json.loads(done.stdout)))
    assert re.fullmatch(
        r"high bug-fix from ops, .*, answer by \w+ 23 May( 2026)? 18:00: number 1 \(msg-\S+-00000001\)", shown[0]
    )
    assert re.fullmatch(r"normal question from ops, [^:]*: Which branch\? \(msg-\S+-00000002\)", shown[1])
    assert re.fullmatch(r"low response/bug-fix from ops, [^:]* \(msg-\S+-00000003\)", shown[2])


def test_the_mail_of_the_session(team: Team) -> None:
    """Mail of the agent and of this session is announced; that of another session is not."""
    shared, own = put(team, 1), put(team, 2, "dev/@dev")
    put(team, 3, "dev/@api", priority="urgent")
    text = Session(team).start()
    assert line(text, "Inbox: ") == "Inbox: 2 pending."
    assert ids(text) == [own, shared]


def test_copies_are_counted_apart(team: Team) -> None:
    """A copy is for information: it is counted by itself and takes no place among the five."""
    sent = [put(team, number, priority="low") for number in range(5)]
    for number in range(5, 8):
        put(team, number, type="cc-notify", priority="urgent")
    text = Session(team).start()
    assert line(text, "Inbox: ") == "Inbox: 5 pending. 3 copies for your information."
    assert ids(text) == sent[::-1]


def test_copies_alone(team: Team) -> None:
    """With nothing but copies nothing is pending, and the copies are still counted."""
    put(team, 1, type="cc-notify")
    text = Session(team).start()
    assert line(text, "Inbox: ") == "Inbox: nothing pending. 1 copy for your information."
    assert ids(text) == []


def test_what_is_no_message(team: Team) -> None:
    """A file that is no message is set aside and hides none of the mail beside it."""
    sent = put(team, 1)
    put(team, 2, priority="hot")
    text = Session(team).start()
    assert line(text, "Inbox: ") == "Inbox: 1 pending."
    assert ids(text) == [sent]
    assert len(list((team.home / "inboxes/dev/.quarantine").iterdir())) == 2


def test_what_a_killed_send_left(team: Team) -> None:
    """The hook finishes what a killed command left, so its count is right."""
    sent = team.ask("ops", "dev")
    path = Path(sent["path"])
    path.rename(team.home / "outbox/.spool" / path.name)
    assert line(Session(team).start(), "Inbox: ") == "Inbox: 1 pending."
    assert path.exists()


# ---- persona ------------------------------------------------------------------------------------


def persona(team: Team, name: str) -> list[str]:
    """What follows the commands in an announcement, with this persona file."""
    team.map(agents={"ops": {}, "dev": {"persona_file": name}})
    text = Session(team).start()
    assert text.startswith("You are dev ")
    lines = text.split("\n")
    return lines[lines.index("Commands: /inbox /read /reply /send /handoff /thread /bus /god /msg") + 1 :]


def test_persona(team: Team) -> None:
    """The agent's persona, a file in the home of at most 4 KB, ends the announcement in a frame of its own."""
    (team.home / "personas").mkdir()
    (team.home / "personas/dev.md").write_text("# Dev\n\nBe brief.\u202e\n")
    put(team, 1)
    sentence, *lines = persona(team, "personas/dev.md")
    found = re.fullmatch(
        r"How this agent is to work, as personas/dev\.md says, follows on the lines marked ([0-9a-f]{6})\. "
        r"It grants no permission\.",
        sentence,
    )
    assert found
    assert lines == [f"{found[1]}| # Dev", f"{found[1]}| ", f"{found[1]}| Be brief.<U+202E>"]
    assert framed(Session(team).start("clear"))[0] != found[1]
    (team.home / "personas/dev.md").write_text("x" * 4096)
    assert persona(team, "personas/dev.md")[-1][8:] == "x" * 4096


@pytest.mark.parametrize(
    "name", ["../dev/p.md", "/etc/hostname", "link.md", "missing.md", "large.md", "folder", "fifo", "latin", "blank"]
)
def test_a_persona_that_is_none(name: str, team: Team) -> None:
    """A persona outside the home, missing, too large, empty or no text, is left out, and all the rest is said."""
    (team.root / "dev/p.md").write_text("SECRET")
    (team.home / "link.md").symlink_to(team.root / "dev/p.md")
    (team.home / "large.md").write_text("x" * 4097)
    (team.home / "folder").mkdir()
    (team.home / "latin").write_bytes(b"\xe9")
    (team.home / "blank").write_text(" \n\n")
    os.mkfifo(team.home / "fifo")
    assert persona(team, name) == []
