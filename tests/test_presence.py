"""The registry: which sessions are there, and what a sender is told about them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conftest import Team, tree
from support import plans
from support.cli import ROOT

SESSION = json.loads((ROOT / "schemas/session.schema.json").read_bytes())
CARD = json.loads((ROOT / "schemas/registry-card.schema.json").read_bytes())
HEARTBEAT = 240 * 60


@pytest.fixture
def alive() -> Iterator[int]:
    """The number of a process that runs."""
    with subprocess.Popen([sys.executable, "-I", "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.terminate()


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def start(team: Team, folder: str, session_id: str, **given: Any) -> None:
    """A session begins in a folder, as far as its hook can tell."""
    done = team.run(folder, "hook", "SessionStart", stdin=json.dumps({"session_id": session_id, **given}))
    assert (done.returncode, done.stderr) == (0, "")


def end(team: Team, folder: str, session_id: str) -> None:
    """A session ends."""
    done = team.run(folder, "hook", "SessionEnd", stdin=json.dumps({"session_id": session_id}))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def entry(team: Team, session_id: str, agent: str = "dev") -> Path:
    """Where a session is registered."""
    return team.home / "registry" / f"{agent}.d" / f"{session_id}.json"


def enter(team: Team, session_id: str, slug: str = "web", *, seen: float = 0, **changes: Any) -> None:
    """Register a session of dev by hand, last seen so many seconds ago."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seen))
    document = {
        "agent": "dev", "session": f"dev/{slug}", "slug": slug, "session_id": session_id, "pid": os.getpid(),
        "host": os.uname().nodename.lower(), "workspace_path": str(team.root / "dev"), "session_started": stamp,
        "last_seen": stamp, "state": "active", **changes,
    }  # fmt: skip
    path = entry(team, session_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def state(team: Team) -> str:
    """What `bus` says of dev."""
    (row,) = [row for row in team.json("ops", "bus")["agents"] if row["name"] == "dev"]
    assert isinstance(row["state"], str)
    return row["state"]


def warnings(team: Team, to: str) -> list[str]:
    """What a sender is told about the recipient."""
    found: list[str] = team.ask("ops", to)["warnings"]
    return found


# ---- the hooks enter and take out ---------------------------------------------------------------


def test_a_session_is_registered(team: Team) -> None:
    """SessionStart writes the session's entry and the agent's card, each valid by its schema."""
    start(team, "dev", "s-1")
    session = json.loads(entry(team, "s-1").read_bytes())
    jsonschema.validate(session, SESSION)
    assert set(session) == {
        "agent", "session", "slug", "session_id", "pid", "host", "workspace_path", "session_started", "last_seen",
        "state",
    }  # fmt: skip
    assert (session["agent"], session["session"], session["slug"]) == ("dev", "dev/dev", "dev")
    assert (session["session_id"], session["state"], session["pid"]) == ("s-1", "active", None)
    assert session["workspace_path"] == str(team.root / "dev")
    card = json.loads((team.home / "registry/dev.json").read_bytes())
    jsonschema.validate(card, CARD)
    assert set(card) == {"name", "active", "last_seen", "workspace_path", "session_started"}
    assert (card["name"], card["active"], card["workspace_path"]) == ("dev", True, session["workspace_path"])
    (row,) = [row for row in team.json("ops", "bus")["agents"] if row["name"] == "dev"]
    assert (row["state"], row["sessions"]) == ("live", [session])
    assert row["last_seen"] >= session["last_seen"]


def test_a_session_goes_on(team: Team) -> None:
    """A session that is resumed or compacted keeps its entry and the time it started."""
    started = "2026-05-20T09:18:12Z"
    start(team, "dev", "s-1")
    memory = team.home / "state/s-1.json"
    memory.write_text(json.dumps({**json.loads(memory.read_bytes()), "started": started}))
    for source in ("compact", "resume"):
        enter(team, "s-1", "dev", seen=3600)
        seen = json.loads(entry(team, "s-1").read_bytes())["last_seen"]
        start(team, "dev", "s-1", source=source)
        session = json.loads(entry(team, "s-1").read_bytes())
        assert session["session_started"] == started
        assert session["last_seen"] > seen
        assert len(list(entry(team, "s-1").parent.iterdir())) == 1


def test_a_session_ends(team: Team) -> None:
    """SessionEnd takes the entry out; the card says that nobody is there and when that was."""
    start(team, "dev", "s-1")
    end(team, "dev", "s-1")
    assert not entry(team, "s-1").exists()
    card = json.loads((team.home / "registry/dev.json").read_bytes())
    assert (card["active"], card["session_started"]) == (False, None)
    (row,) = [row for row in team.json("ops", "bus")["agents"] if row["name"] == "dev"]
    assert (row["state"], row["last_seen"], row["sessions"]) == ("offline", card["last_seen"], [])
    (warning,) = warnings(team, "dev")
    assert re.fullmatch(
        r"dev has no live session \(last seen (just now|.* ago)\); it will see this when it opens\.", warning
    )


def test_one_of_two_sessions_ends(team: Team) -> None:
    """While another session is live the agent's card stays active; the end of an unknown session changes nothing."""
    start(team, "dev", "s-1")
    start(team, "dev", "s-2")
    end(team, "dev", "s-1")
    assert json.loads((team.home / "registry/dev.json").read_bytes())["active"] is True
    before = tree(team.root)
    end(team, "dev", "s-9")
    assert tree(team.root) == before


@pytest.mark.parametrize("session_id", ["../../../evil", "", ".", "a/b", "x" * 129, "-x", "a\n", None, 5, ["x"]])
def test_an_id_that_is_none(session_id: Any, team: Team) -> None:
    """A session id that could be a path is entered nowhere and remembered nowhere; the session is greeted as any."""
    before = set(tree(team.root))
    for event in ("SessionStart", "UserPromptSubmit", "Stop", "SessionEnd"):
        done = team.run("dev", "hook", event, stdin=json.dumps({"session_id": session_id}))
        assert (done.returncode, done.stderr) == (0, "")
        assert ("You are dev" in done.stdout) is (event == "SessionStart")
    home = team.home.relative_to(team.root)
    ran = {f"{home}/state/{name}.ran" for name in ("SessionStart", "UserPromptSubmit", "Stop", "SessionEnd")}
    assert set(tree(team.root)) - before == ran


# ---- who is live --------------------------------------------------------------------------------


def test_a_process_that_runs(alive: int, team: Team) -> None:
    """A session whose process runs on this machine is live."""
    enter(team, "s-1", pid=alive)
    assert state(team) == "live"


def test_a_process_that_has_ended(dead: int, team: Team) -> None:
    """A session whose process has ended is gone at once, however fresh its heartbeat is."""
    enter(team, "s-1", pid=dead)
    assert state(team) == "offline"


def test_a_process_nobody_has_taken_note_of(team: Team) -> None:
    """A session whose process has ended is gone too while its parent has not asked what became of it."""
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read() == b""  # it has closed all it had
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        enter(team, "s-1", pid=process.pid)
        assert state(team) == "offline"


def test_a_process_that_has_run_for_long(team: Team) -> None:
    """A session is live while its process is, however long ago it was last seen, also where it may not be signalled."""
    ticks = int(Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19])
    age = float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    enter(team, "s-1", pid=1, seen=max(age - 5, 0))
    assert state(team) == "live"


def test_a_number_that_was_given_again(alive: int, team: Team) -> None:
    """A process that began long after the session was last seen is another one with the same number."""
    enter(team, "s-1", pid=alive, seen=3600)
    assert state(team) == "offline"


@pytest.mark.parametrize("pid", [10**9, 2**31, 2**53])
def test_a_number_no_process_has(pid: int, team: Team) -> None:
    """A number beyond all processes is no live session and no error."""
    enter(team, "s-1", pid=pid)
    assert state(team) == "offline"


@pytest.mark.parametrize(("seen", "expected"), [(HEARTBEAT - 120, "live"), (HEARTBEAT + 120, "offline")])
@pytest.mark.parametrize("changes", [{"host": "another-host"}, {"pid": None}, {"host": None}])
def test_where_the_process_cannot_be_seen(
    changes: dict[str, Any], seen: float, expected: str, dead: int, team: Team
) -> None:
    """Of a session on another host, or without a process id, the heartbeat decides: 240 minutes."""
    enter(team, "s-1", seen=seen, **{"pid": dead, **changes})
    assert state(team) == expected


def test_idle(team: Team) -> None:
    """An agent whose live sessions are all idle is idle; with one active it is live; with none it is offline."""
    enter(team, "s-1", state="idle")
    assert state(team) == "idle"
    assert warnings(team, "dev") == []
    enter(team, "s-2", "api")
    assert state(team) == "live"
    text = team.run("ops", "bus").stdout
    assert "api, web" in text


def test_sessions_of_long_ago(dead: int, team: Team) -> None:
    """The entry of a session gone for seven days is removed in passing; one of six days ago stays."""
    for days in (6, 8):
        enter(team, f"s-{days}", pid=dead, seen=days * 86400)
        stamp = time.time() - days * 86400
        os.utime(entry(team, f"s-{days}"), (stamp, stamp))
    start(team, "dev", "s-1")
    assert sorted(path.stem for path in entry(team, "s-1").parent.iterdir()) == ["s-1", "s-6"]


def test_what_cannot_be_read_is_not_there(team: Team, dead: int) -> None:
    """An entry that is broken, of another agent, no file, or oddly named, counts for nothing and stops nobody."""
    folder = entry(team, "x").parent
    folder.mkdir(parents=True)
    enter(team, "good", pid=dead)
    good = json.loads(entry(team, "good").read_bytes())
    live = {**good, "pid": os.getpid()}
    (folder / "empty.json").touch()
    (folder / "half.json").write_text(json.dumps(live)[:50])
    (folder / "list.json").write_text("[]")
    (folder / "other.json").write_text(json.dumps({**live, "agent": "ops"}))
    (folder / "odd.json").write_text(json.dumps({**live, "pid": "1"}))
    (folder / ".hidden.json").write_text(json.dumps(live))
    (folder / "a b.json").write_text(json.dumps(live))
    (folder / "folder.json").mkdir()
    (folder / "link.json").symlink_to(team.root / "dev/live.json")
    (team.root / "dev/live.json").write_text(json.dumps(live))
    os.mkfifo(folder / "fifo.json")
    (team.home / "registry/@odd.d").mkdir()
    (team.home / "registry/dev.json").write_text("{")
    assert state(team) == "offline"
    assert team.json("dev", "whoami")["session"] == "dev/dev"


def test_a_card_of_version_1(team: Team) -> None:
    """A card a 1.x helper wrote tells when the agent was last seen."""
    card = {"name": "dev", "active": True, "last_seen": "2026-05-20T09:18:12Z", "workspace_path": "/x"}
    (team.home / "registry/dev.json").write_text(json.dumps({**card, "session_started": "2026-05-20T09:18:12Z"}))
    (warning,) = warnings(team, "dev")
    assert warning.startswith("dev has no live session (last seen ")
    assert "days ago" in warning


# ---- what a sender is told ----------------------------------------------------------------------


def test_one_live_session(team: Team) -> None:
    """Where the one live session will see the mail there is nothing to say, on stderr neither."""
    enter(team, "s-1", "web")
    for to in ("dev", "dev/web"):
        done = team.run("ops", "send", to, "note", "--summary", "x")
        assert (done.returncode, done.stderr) == (0, "")
        assert warnings(team, to) == []


def test_several_live_sessions(team: Team) -> None:
    """A bare agent with several live sessions: all of them see it, and the sender learns how to reach one."""
    for number, slug in enumerate(("web", "api", "web")):
        enter(team, f"s-{number}", slug)
    assert warnings(team, "dev") == ["dev has 2 live sessions (api, web), and all see this; for one: dev/api"]
    assert warnings(team, "dev/web") == []


def test_another_session_is_live(team: Team) -> None:
    """Mail for a session that is not live, while others are: the sender learns which."""
    enter(team, "s-1", "web")
    enter(team, "s-2", "api")
    assert warnings(team, "dev/docs") == [
        "dev/docs has no live session (live: dev/api, dev/web); it will see this when it opens."
    ]


def test_nobody_is_there(dead: int, team: Team) -> None:
    """With nobody there the sender is told when somebody was, in the reply and the handoff as in the send."""
    assert warnings(team, "dev") == ["dev has no live session (never seen); it will see this when it opens."]
    enter(team, "s-1", pid=dead, seen=2 * 3600 + 60)
    expected = ["dev has no live session (last seen 2 h ago); it will see this when it opens."]
    assert warnings(team, "dev/web") == expected
    sent = team.ask("dev", "ops")
    assert team.json("ops", "reply", sent["id"], "response")["warnings"] == expected
    options = ["--state-summary", "x", "--next-step", "y"]
    assert team.json("ops", "handoff", "dev", *options)["warnings"] == expected


# ---- the session a command belongs to -----------------------------------------------------------


def test_the_nearest_live_session(team: Team, dead: int) -> None:
    """A command takes the nearest live session whose workspace contains its folder, and none that is dead."""
    for folder in ("dev/web/src", "dev/web/src/lib"):
        (team.root / folder).mkdir(parents=True)
    enter(team, "s-1", "dev")
    assert team.json("dev/web/src", "whoami")["session"] == "dev/dev"
    for later, earlier in ((0, 30), (30, 0)):  # whichever of the two was seen last
        enter(team, "s-1", "dev", seen=later)
        enter(team, "s-2", "web", seen=earlier, workspace_path=str(team.root / "dev/web"))
        assert team.json("dev/web/src", "whoami")["session"] == "dev/web"
    enter(team, "s-3", "src", workspace_path=str(team.root / "dev/web/src"), pid=dead)
    assert team.json("dev/web/src/lib", "whoami")["session"] == "dev/web"
    assert team.json("ops", "whoami")["session"] == "ops/ops"
    entry(team, "s-2").unlink()
    assert team.json("dev/web/src", "whoami")["session"] == "dev/dev"


def test_a_workspace_ends_at_a_path_boundary(team: Team) -> None:
    """A session in one folder says nothing about a folder whose name only begins the same."""
    (team.root / "developer").mkdir()
    enter(team, "s-1", "dev")
    assert team.json("developer", "whoami")["agent"] is None


def test_a_workspace_behind_a_link(team: Team) -> None:
    """A session started through a symbolic link is found from the real folder."""
    (team.root / "link").symlink_to("dev")
    (team.root / "dev/src").mkdir()
    enter(team, "s-1", "link", workspace_path=str(team.root / "link"))
    assert team.json("dev/src", "whoami")["agent"] == "dev"


def test_a_variable_over_the_session(team: Team) -> None:
    """What the session exported decides over every registered session."""
    enter(team, "s-1", "dev")
    assert team.json("dev", "whoami", AGENT_TEAM_OS_SESSION="ops/web")["session"] == "ops/web"


def test_unread_mail_lies_in_the_box(team: Team) -> None:
    """Mail for a session waits in its box while nobody is there, and the session sees it when it opens."""
    sent = team.ask("ops", "dev/dev")
    start(team, "dev", "s-1")
    assert [message["id"] for message in team.json("dev", "inbox")["pending"]] == [sent["id"]]
    end(team, "dev", "s-1")
    assert Path(sent["path"]).exists()


def test_a_session_further_up_does_not_take_the_folder_of_another_agent(team: Team) -> None:
    """In a folder of its own inside the workspace of a live session an agent is itself."""
    start = json.dumps({"session_id": "s1", "cwd": str(team.root / "dev"), "source": "startup"})
    assert team.run("dev", "hook", "SessionStart", stdin=start).returncode == 0
    (team.root / "dev/web").mkdir()
    assert team.json("dev/web", "whoami")["session"] == "dev/dev"
    assert plans.at_terminal(team, "dev/web", "join", "web")[0] == 0
    assert team.json("dev/web", "whoami")["session"] == "web/web"
