"""init, join, whoami, bus and drain: from nothing to a bus with people on it."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conftest import Team, tree
from support import plans
from support.cli import ROOT, ato, environment

AGENT_MAP = json.loads((ROOT / "schemas/agent-map.schema.json").read_bytes())
HOSTILE = ["..", ".", "", "/", "a/b", "../dev", "-", "_x", "Dev", "dév", "dev\n", "d e", "a" * 64, "~", "$HOME"]


def modes(home: Path) -> set[tuple[bool, int]]:
    """Whether it is a folder, and the permission bits, of all that lies in a bus home."""
    found = set()
    for path in (home, *home.rglob("*")):
        mode = path.lstat().st_mode
        found.add((stat.S_ISDIR(mode), stat.S_IMODE(mode)))
    return found


def the_map(home: Path) -> Any:
    """The agent map as it is on the disk."""
    return json.loads((home / "AGENT_MAP.json").read_bytes())


# ---- init ---------------------------------------------------------------------------------------


def test_init_makes_home_and_starter_map(tmp_path: Path) -> None:
    """`init` makes the home with a valid map of nobody, which names its schema; the schema lies beside it."""
    env, home = environment(tmp_path), tmp_path / ".agent-team-os"
    done = ato(env, tmp_path, "init")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ato join" in done.stdout
    starter = the_map(home)
    jsonschema.validate(starter, AGENT_MAP)
    assert (starter["version"], starter["agents"], starter["rules"], starter["fallback"]) == ("2.0", {}, [], None)
    schema = (home / starter["$schema"]).read_bytes()
    assert json.loads(schema) == AGENT_MAP


def test_init_keeps_a_map_that_is_there(tmp_path: Path) -> None:
    """`init` never overwrites a map, and makes the missing folders around it, an inbox for each agent too."""
    env, home = environment(tmp_path), tmp_path / ".agent-team-os"
    home.mkdir(mode=0o700)
    text = '{"version":"2.0",   "mine": [1], "agents":{"growth":{}}}\n'
    (home / "AGENT_MAP.json").write_text(text)
    done = ato(env, tmp_path, "init", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"home": str(home), "map": str(home / "AGENT_MAP.json"), "made": False}
    assert (home / "AGENT_MAP.json").read_text() == text
    assert (home / "inboxes" / "growth").is_dir()
    before = tree(home)
    assert ato(env, tmp_path, "init").returncode == 0
    assert tree(home) == before


@pytest.mark.parametrize(
    ("env", "place"),
    [
        ({}, ".agent-team-os"),
        ({"AB_HOME": "old"}, "old"),
        ({"AB_HOME": "old", "AGENT_TEAM_OS_HOME": "new"}, "new"),
        ({"AGENT_TEAM_OS_HOME": "~/tilde"}, "tilde"),
    ],
)
def test_where_the_home_is(env: dict[str, str], place: str, tmp_path: Path) -> None:
    """The home is AGENT_TEAM_OS_HOME, else AB_HOME, else ~/.agent-team-os."""
    full = {name: value if value.startswith("~") else str(tmp_path / value) for name, value in env.items()}
    done = ato(environment(tmp_path, **full), tmp_path, "init", "--json")
    assert json.loads(done.stdout)["home"] == str(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == [place]


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277], ids=oct)
def test_modes_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    """All a bus holds is 0700 and 0600 whatever the umask, after every verb that writes and the session hooks."""
    env, home = environment(tmp_path), tmp_path / ".agent-team-os"
    for agent in ("ops", "dev"):
        (tmp_path / agent).mkdir()
    (tmp_path / "ops/a.txt").write_text("a")

    def run(agent: str, *args: str, stdin: str = "") -> Any:
        before = os.umask(umask)
        try:
            done = ato(env, tmp_path / agent, *args, stdin=stdin)
        finally:
            os.umask(before)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in args else None

    run("ops", "init")
    run("ops", "join", "ops")
    run("dev", "join", "dev")
    run("dev", "drain", "on")
    run("dev", "hook", "SessionStart", stdin='{"session_id":"s1"}')
    sent = run("ops", "send", "dev", "question", "-f", "question=?", "--attach", "a.txt", "--json")
    run("ops", "send", "dev/dev", "question", "-f", "question=?")
    run("dev", "reply", sent["id"], "response")
    run("dev", "read")
    (home / "inboxes/ops/msg-20260520T091812Z-aaaaaaaa.json").write_text("[]")
    (home / "inboxes/ops/msg-20260520T091812Z-aaaaaaaa.json").chmod(0o600)
    run("ops", "inbox")
    run("ops", "read")
    run("ops", "hook", "Nonsense", stdin="[")
    assert modes(home) == {(True, 0o700), (False, 0o600)}


# ---- join ---------------------------------------------------------------------------------------


def test_join_is_all_it_takes(tmp_path: Path) -> None:
    """`join` in a folder, with nothing there before, makes home, map and inbox, and the folder is the agent's."""
    env, folder = environment(tmp_path), tmp_path / "code" / "My Web"
    (folder / "src").mkdir(parents=True)
    done = ato(env, folder, "join", "dev")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("dev now lives in ~/code/My Web")
    home = tmp_path / ".agent-team-os"
    jsonschema.validate(the_map(home), AGENT_MAP)
    assert (home / "inboxes/dev").is_dir()
    who = json.loads(ato(env, folder, "whoami", "--json").stdout)
    assert who == {
        "agent": "dev",
        "session": "dev/my-web",
        "slug": "my-web",
        "rule": "rule 1 (~/code/My Web)",
        "home": str(home),
    }
    assert ato(env, folder / "src", "inbox").returncode == 0


def test_join_writes_what_it_is_told(team: Team) -> None:
    """`--path` names the folder; role, domain and each capability go into the map; the rest of it stays."""
    place = team.root / "site" / "sub"
    place.mkdir(parents=True)
    team.map(mine={"z": 1, "a": 2}, cc_awareness={"enabled": False})
    before = the_map(team.home)
    told = team.json(
        "dev", "join", "growth", "--path", str(place), "--role", "content", "--domain", "side",
        "--capability", "posts", "--capability", "copy",
    )  # fmt: skip
    assert told == {"agent": "growth", "path": str(place), "rule": 3, "map": str(team.home / "AGENT_MAP.json")}
    after = the_map(team.home)
    about = {"role": "content", "domain": "side", "capabilities": ["posts", "copy"]}
    assert after["agents"]["growth"] == about
    assert after["rules"][2] == {"pattern": "~/site/sub", "match": "prefix", "agent": "growth"}
    assert list(after) == list(before)
    assert list(after["mine"]) == ["z", "a"]
    assert json.loads((team.home / "AGENT_MAP.json.bak").read_bytes()) == before
    assert team.json("site/sub", "whoami")["agent"] == "growth"
    assert team.json("site", "whoami")["agent"] is None


def test_join_twice_changes_nothing(team: Team) -> None:
    """The same `join` again says the same and writes nothing."""
    before = tree(team.root)
    assert team.json("dev", "join", "dev")["rule"] == 2
    assert tree(team.root) == before


def test_join_under_another_name(team: Team) -> None:
    """A folder has one rule: joining it under another name moves it there, and the first agent stays known."""
    status, shown = plans.at_terminal(team, "dev", "join", "lead")
    assert (status, "lead now lives in ~/dev (rule 2" in shown) == (0, True), shown
    assert [rule["agent"] for rule in the_map(team.home)["rules"]] == ["ops", "lead"]
    assert team.json("dev", "whoami")["agent"] == "lead"
    assert set(the_map(team.home)["agents"]) == {"ops", "dev", "lead"}


def test_join_through_a_link(team: Team) -> None:
    """A folder joined through a symbolic link belongs to the agent by either path."""
    (team.root / "real").mkdir()
    (team.root / "link").symlink_to("real")
    team.json("link", "join", "growth")
    for folder in ("link", "real"):
        assert team.json(folder, "whoami")["agent"] == "growth"


@pytest.mark.parametrize("name", HOSTILE)
def test_join_refuses_what_is_no_name(name: str, team: Team) -> None:
    """What is no agent name cannot join, and nothing is made of it anywhere."""
    error = team.refused(1, "unknown-agent", "dev", "join", "--", name)
    assert "a-z, 0-9" in error["hint"]


def test_join_refuses_a_reserved_name(team: Team) -> None:
    """`god` is a word of the map and no agent."""
    assert "god" in team.refused(64, "usage", "dev", "join", "god")["message"]


@pytest.mark.parametrize("place", ["nowhere", "file.txt", "..", "../.agent-team-os", "/"])
def test_join_refuses_a_place_for_nobody(place: str, team: Team) -> None:
    """A folder that is none, that is the bus home, or that contains it, cannot be an agent's."""
    (team.root / "dev/file.txt").touch()
    team.refused(64, "usage", "dev", "join", "growth", "--path", place)


def test_join_does_not_touch_a_broken_map(team: Team) -> None:
    """A map that is broken is named with its line and stays as it is: `join` makes no new one over it."""
    (team.home / "AGENT_MAP.json").write_text('{"version": "2.0",\n "rules": [,]}')
    error = team.refused(4, "invalid-map", "dev", "join", "growth")
    assert "AGENT_MAP.json, line 2, column 12" in error["message"]


# ---- whoami -------------------------------------------------------------------------------------


def test_whoami_in_an_anonymous_folder(team: Team) -> None:
    """A folder of nobody's is anonymous: that is no error, and the text says how to join."""
    (team.root / "other").mkdir()
    assert team.json("other", "whoami") == {
        "agent": None,
        "session": None,
        "slug": None,
        "rule": None,
        "home": str(team.home),
    }
    assert "ato join NAME" in team.run("other", "whoami").stdout


@pytest.mark.parametrize(
    ("env", "agent", "session", "rule"),
    [
        ({"AGENT_TEAM_OS_AGENT": "ops"}, "ops", "ops/dev", "AGENT_TEAM_OS_AGENT"),
        ({"AGENT_TEAM_OS_SESSION": "ops/web"}, "ops", "ops/web", "AGENT_TEAM_OS_SESSION"),
        ({"AGENT_TEAM_OS_SESSION": "dev/x", "AGENT_TEAM_OS_AGENT": "ops"}, "ops", "ops/dev", "AGENT_TEAM_OS_AGENT"),
        ({"AGENT_TEAM_OS_AGENT": "", "AGENT_TEAM_OS_SESSION": ""}, "dev", "dev/dev", "rule 2 (~/dev)"),
    ],
)
def test_whoami_by_variable(env: dict[str, str], agent: str, session: str, rule: str, team: Team) -> None:
    """A variable decides over the map's rule, the agent's over the session's; `rule` names it."""
    who = team.json("dev", "whoami", **env)
    assert (who["agent"], who["session"], who["rule"]) == (agent, session, rule)


@pytest.mark.parametrize("name", ["AGENT_TEAM_OS_AGENT", "AGENT_TEAM_OS_SESSION"])
@pytest.mark.parametrize("value", ["nobody", "../x", "dev/../..", "dev\n", "opss/web", "/"])
def test_a_variable_that_names_nobody(name: str, value: str, team: Team) -> None:
    """A variable that names no agent of the map is refused, not ignored: mail would go out under a wrong name."""
    team.refused(1, "unknown-agent", "dev", "inbox", **{name: value})


# ---- bus ----------------------------------------------------------------------------------------


def test_bus_lists_everybody(team: Team) -> None:
    """`bus --json` has every agent, also one only a rule names, with role, domain, god, and all pending mail."""
    team.join("growth", "--role", "content", "--domain", "side")
    document = the_map(team.home)
    team.map(
        gods=["ops"],
        rules=[*document["rules"], {"pattern": "~/nowhere", "agent": "away"}],
        routing={"blocked_pairs": [["growth", "dev"]]},
        routing_rules={"growth": {"deny": ["ops"], "reason": "client data stays inside"}},
        domains={"side": {"hub": "ops"}},
    )
    team.ask("ops", "dev")
    team.ask("ops", "dev/web")
    shown = team.json("dev", "bus")
    assert set(shown) == {"home", "agents", "routing", "hooks"}
    assert shown["hooks"] == {"ran": {}, "error": None}
    assert shown["home"] == str(team.home)
    assert [row["name"] for row in shown["agents"]] == ["away", "dev", "growth", "ops"]
    rows = {row["name"]: row for row in shown["agents"]}
    for row in shown["agents"]:
        assert set(row) == {"name", "role", "domain", "god", "pending", "state", "last_seen", "sessions", "today"}
        assert (row["state"], row["last_seen"], row["sessions"]) == ("offline", None, [])
    assert (rows["growth"]["role"], rows["growth"]["domain"]) == ("content", "side")
    assert [name for name, row in rows.items() if row["god"] is True] == ["ops"]
    assert {name: row["pending"] for name, row in rows.items()} == {"away": 0, "dev": 2, "growth": 0, "ops": 0}
    assert shown["routing"]["routing"]["blocked_pairs"] == [["growth", "dev"]]
    assert shown["routing"]["routing_rules"]["growth"]["deny"] == ["ops"]

    text = team.run("dev", "bus").stdout
    assert "growth ↔ dev (client data stays inside)" in text
    assert "growth → ops (client data stays inside)" in text
    assert "ops for side" in text
    assert "Hooks: none has run here yet" in text.splitlines()
    mine = [line for line in text.splitlines() if line.startswith("dev ")]
    assert len(mine) == 1
    assert "2 pending" in mine[0]
    assert "(you)" in mine[0]


def test_bus_is_for_everybody(team: Team) -> None:
    """An anonymous folder may look at the roster; without a bus it is empty and says what to do."""
    (team.root / "other").mkdir()
    assert [row["name"] for row in team.json("other", "bus")["agents"]] == ["dev", "ops"]
    shutil.rmtree(team.home)
    assert team.json("other", "bus")["agents"] == []
    assert "ato join NAME" in team.run("other", "bus").stdout
    assert not team.home.exists(), "looking made a home"


# ---- drain --------------------------------------------------------------------------------------


def test_drain_is_kept_in_the_map(team: Team) -> None:
    """`drain on` and `off` switch the agent's own setting in the map and nothing else; `status` only looks."""
    settings = {"agent": "dev", "enabled": False, "scope": "owed", "min_priority": "low", "max_blocks": 3}
    team.map(drain={"scope": "owed"}, mine=1)
    before = tree(team.root)
    assert team.json("dev", "drain", "status") == settings
    assert tree(team.root) == before
    document = the_map(team.home)
    assert team.json("dev", "drain", "on") == {**settings, "enabled": True}
    assert the_map(team.home) == {**document, "agents": {"ops": {}, "dev": {"drain": {"enabled": True}}}}
    assert json.loads((team.home / "AGENT_MAP.json.bak").read_bytes()) == document
    assert team.json("ops", "drain", "status")["enabled"] is False
    assert team.json("ops", "drain", "off", "--agent", "dev") == settings
    assert the_map(team.home)["agents"]["dev"] == {"drain": {"enabled": False}}
    assert "drain is off for dev" in team.run("dev", "drain", "status").stdout


def test_drain_of_nobody(team: Team) -> None:
    """`drain` knows only agents of the map, with the nearest name; without one it needs a folder that is somebody's."""
    error = team.refused(1, "unknown-agent", "dev", "drain", "on", "--agent", "opps")
    assert "Did you mean ops?" in error["message"]
    (team.root / "other").mkdir()
    team.refused(1, "anonymous", "other", "drain", "on")
    team.refused(64, "usage", "dev", "drain", "maybe")


# ---- a home that is not ours --------------------------------------------------------------------


@pytest.mark.parametrize("bits", [0o770, 0o702])
def test_a_home_others_can_write_is_refused(bits: int, team: Team) -> None:
    """A home that other users can write is not used, for any verb; the hint is the command that mends it."""
    team.home.chmod(bits)
    for verb in (["inbox"], ["join", "growth"], ["whoami"]):
        error = team.refused(73, "cannot-write", "dev", *verb)
        assert error["hint"] == f"Run: chmod go-w {team.home}"


def test_a_home_of_another_user_is_refused(team: Team) -> None:
    """A home that belongs to somebody else is not used, even where its modes are fine."""
    foreign = str(team.home)
    if os.geteuid() == 0:
        os.chown(foreign, 12345, -1)
    else:
        foreign = "/usr"
    error = team.refused(73, "cannot-write", "dev", "inbox", AGENT_TEAM_OS_HOME=foreign)
    assert "another user" in error["message"]


def test_a_home_that_is_a_file_is_refused(team: Team) -> None:
    """A file where the home should be is named, not overwritten."""
    (team.root / "file").touch()
    error = team.refused(73, "cannot-write", "dev", "join", "dev", AGENT_TEAM_OS_HOME=str(team.root / "file"))
    assert "no folder" in error["message"]


def test_a_home_that_cannot_be_made(team: Team) -> None:
    """Where the home cannot be made, `init` and `join` say where, and what to set."""
    (team.root / "file").touch()
    for verb in (["init"], ["join", "dev"]):
        error = team.refused(73, "cannot-write", "dev", *verb, AGENT_TEAM_OS_HOME=str(team.root / "file/home"))
        assert "file/home" in error["message"]
