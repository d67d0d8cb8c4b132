"""/bus join: the person is asked, and then the hook itself puts the folder on the bus, without any package."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from conftest import Team, tree
from support import asking
from support.cli import environment
from support.desk import Desk, framed
from support.hooks import hook, said


@pytest.fixture
def web(team: Team) -> Desk:
    """A session in a folder of nobody's."""
    (team.root / "web").mkdir()
    return Desk(team, "web")


@pytest.fixture
def new(team: Team) -> Desk:
    """A session in a folder of a person who never had a bus."""
    shutil.rmtree(team.home)
    return Desk(team, "dev")


def kept(team: Team) -> dict[str, Any]:
    """The agent map."""
    document: dict[str, Any] = json.loads((team.home / "AGENT_MAP.json").read_bytes())
    return document


def listed(team: Team) -> list[str]:
    """The entries of sessions in the registry, as `agent/session_id`."""
    return sorted(f"{path.parent.name[:-2]}/{path.stem}" for path in (team.home / "registry").glob("*.d/*.json"))


# ---- /bus join ----------------------------------------------------------------------------------


def test_the_very_first_join(tmp_path: Path) -> None:
    """In a home without any file, and before any package is there, a folder joins and the session is told who it is."""
    team = Team(tmp_path, tmp_path / ".agent-team-os", environment(tmp_path))
    folder = tmp_path / "two words é"
    folder.mkdir()
    context = asking.done(team, "ato join dev", folder.name)
    assert context.startswith("Done: this folder is now dev's (rule 1 of ~/.agent-team-os/AGENT_MAP.json).\n")
    assert "You are dev on the agent-team-os bus, session dev/two-words--.\n" in context
    assert "| The folder ~/two words é is mapped to you by rule 1 (~/two words é).\n" in context
    assert "Inbox: nothing pending." in context
    assert {path.stat().st_mode & 0o077 for path in [team.home, *team.home.rglob("*")]} == {0}
    assert (team.home / "registry/dev.d/s-1.json").exists()
    assert (team.home / "inboxes/dev").is_dir()
    assert "You are dev" in said(hook(team.env, folder, "SessionStart", {"session_id": "s-2"}))


@pytest.mark.parametrize(
    "name",
    [
        "Dev",
        "DEV",
        "dév",
        "a b",
        "-x",
        "_x",
        "../x",
        "x/y",
        "x" * 64,
        ".",
        "..",
        "a.b",
        "$(id)",
        "a\n",
        "𝐝ev",
        "god",
        "@a",
    ],
)
@pytest.mark.parametrize("where", ["on a bus", "without one"])
def test_names_nobody_may_have(where: str, name: str, team: Team) -> None:
    """A name that is none, or that means something else, is refused; no bus is made for it and none is changed."""
    if where == "without one":
        shutil.rmtree(team.home)
    if name == "a\n":
        name = "a\n\nb"
    before = {path: entry for path, entry in tree(team.root).items() if "/state" not in path}
    page = Desk(team, "dev").command(f"/bus join {name}")
    assert page.startswith("This did not work.")
    assert len(framed(page)) == 1
    assert {path: entry for path, entry in tree(team.root).items() if "/state" not in path} == before


@pytest.mark.parametrize(
    "words", ["join", "join dev extra", "join dev --path /", "join --role x dev", "join -- dev", "join \t "]
)
def test_joins_that_are_none(words: str, new: Desk) -> None:
    """Without exactly one name nothing joins."""
    page = new.command(f"/bus {words}")
    assert page.startswith("This did not work.")
    assert not new.team.home.exists()


@pytest.mark.parametrize("place", [".", "..", "dev/.agent-team-os", "dev/a/b/bus"])
def test_a_home_in_the_project(place: str, team: Team) -> None:
    """A folder that is, holds or lies around the bus home joins nothing, and the person is told why."""
    if place.startswith("dev"):
        home = team.root / place
        folder = team.root / "dev"
    else:
        home = team.home
        folder = (team.home / place).resolve()
    desk = Desk(team, "dev", AGENT_TEAM_OS_HOME=str(home))
    desk.folder = folder
    before = tree(team.root)
    page = desk.command("/bus join web")
    assert page.startswith("This did not work.")
    assert "bus home" in framed(page)[0]
    assert tree(team.root) == before


def test_told_of_what_waits(web: Desk) -> None:
    """Mail that waits for the agent is told of at once, and not again at the next prompt."""
    web.put(1, priority="high")
    web.put(2)
    page = web.does("ato join web")
    assert "Inbox: 2 pending, 1 high." in page
    assert len(framed(page)) == 2
    assert web.prompt() == ""
    web.put(3, priority="urgent")
    assert "number 3" in web.prompt()


def test_joining_again(web: Desk) -> None:
    """To say the same twice changes nothing, and what the session was told of it is only counted."""
    web.put(1)
    web.does("ato join web")
    before = kept(web.team)
    page = web.does("ato join web")
    assert "Inbox: 1 pending." in page
    assert framed(page) == []
    assert kept(web.team) == before
    assert listed(web.team) == ["web/s-1"]


def test_joining_another(web: Desk) -> None:
    """A second name moves the folder and the session: nothing of it is left at the first, and it sees other mail."""
    team = web.team
    web.does("ato join web")
    Desk(team, "dev").put(1, priority="high")
    page = web.does("ato join dev")
    assert "is now dev's" in page
    assert "Inbox: 1 pending, 1 high." in page
    assert listed(team) == ["dev/s-1"]
    cards = {name: json.loads((team.home / f"registry/{name}.json").read_bytes())["active"] for name in ("web", "dev")}
    assert cards == {"web": False, "dev": True}
    rules = [rule for rule in kept(team)["rules"] if rule["pattern"].endswith("web")]
    assert [rule["agent"] for rule in rules] == ["dev"]
    web.put(2, priority="urgent")
    assert web.prompt() == "", "no word of the mail of the agent it was"
    assert listed(team) == ["dev/s-1"]


def test_the_shells_of_a_session_that_moved(web: Desk) -> None:
    """Commands in the shells of the session are the new agent's too, though the shells were told of the old one."""
    team = web.team
    web.does("ato join web")
    web.env["CLAUDE_ENV_FILE"] = str(team.root / "env.sh")
    web.start()
    assert (team.root / "env.sh").read_text() == "export AGENT_TEAM_OS_SESSION=web/web\n"
    del web.env["CLAUDE_ENV_FILE"]
    web.does("ato join dev")
    who = team.json("web", "whoami", AGENT_TEAM_OS_SESSION="web/web", CLAUDE_CODE_SESSION_ID="s-1")
    assert who["session"] == "dev/web"


def test_another_session_of_the_folder(web: Desk) -> None:
    """A second session of the folder is the new agent's from its next prompt on, and no longer the old one's."""
    second = Desk(web.team, "web", "s-2")
    web.does("ato join web")
    second.start()
    assert listed(web.team) == ["web/s-1", "web/s-2"]
    web.does("ato join dev")
    second.prompt()
    assert listed(web.team) == ["dev/s-1", "dev/s-2"]


def test_a_variable_that_says_another(web: Desk) -> None:
    """Where a variable says who the session is, the folder joins and the session is told that it stays who it is."""
    web.env["AGENT_TEAM_OS_AGENT"] = "ops"
    page = web.does("ato join web")
    assert page.startswith("Done: the folder ~/web is now web's (rule 3")
    assert "This session stays ops, because AGENT_TEAM_OS_AGENT says so" in page
    assert "web/s-1" not in listed(web.team)


def test_a_variable_that_says_the_same(new: Desk) -> None:
    """A variable with the name that is to join, which nobody has yet, is no obstacle."""
    new.env["AGENT_TEAM_OS_AGENT"] = "dev"
    page = new.does("ato join dev")
    assert "You are dev on the agent-team-os bus, session dev/dev; " in page
    assert listed(new.team) == ["dev/s-1"]


def test_a_map_of_the_persons_own(web: Desk) -> None:
    """A join keeps all else in the map, what nobody knows too, and leaves the version before beside it."""
    team = web.team
    team.map(x_mine={"b": 1, "a": 2}, agents={"ops": {"role": "r", "x": 1}, "dev": {}})
    before = (team.home / "AGENT_MAP.json").read_bytes()
    web.does("ato join web")
    assert (team.home / "AGENT_MAP.json.bak").read_bytes() == before
    after = kept(team)
    assert after["x_mine"] == {"b": 1, "a": 2}
    assert after["agents"]["ops"] == {"role": "r", "x": 1}
    assert list(json.loads(before)) == list(after)


@pytest.mark.parametrize("words", ["join dev --path ../new", "drain on"])
def test_a_disk_that_refuses(words: str, team: Team) -> None:
    """Where the map cannot be written the person is told, and nothing has changed."""
    (team.root / "new").mkdir()
    before = kept(team)
    question = asking.ask(team, f"ato {words}", "dev")
    for path in (team.home, team.home / "locks"):
        path.chmod(0o500)
    answer = asking.say_yes(team, question, "dev")
    for path in (team.home, team.home / "locks"):
        path.chmod(0o700)
    assert answer.startswith("This did not work.")
    assert "Permission denied" in framed(answer)[0]
    assert kept(team) == before


def test_without_an_id(web: Desk) -> None:
    """A session whose client gives it no id joins and is told like any other; nothing of it can be remembered."""
    nobody = Desk(web.team, "web", None)
    nobody.put(1)
    page = nobody.does("ato join web")
    assert "Inbox: 1 pending." in page
    assert nobody.prompt() == ""
    assert listed(web.team) == []
