"""Two homes of one person stay apart."""

from __future__ import annotations

import json
import os
from pathlib import Path

from conftest import tree
from support.cli import ato, environment


def test_two_homes_stay_apart(tmp_path: Path) -> None:
    """An agent of one home is unknown in the other; AGENT_TEAM_OS_HOME wins over AB_HOME, and that over ~."""
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    own = environment(tmp_path)
    old = {**own, "AB_HOME": str(tmp_path / "old")}
    new = {**old, "AGENT_TEAM_OS_HOME": "~/new"}
    for env, name in ((own, "a"), (old, "b"), (new, "c")):
        assert ato(env, tmp_path / name, "join", name).returncode == 0
    homes = [tmp_path / ".agent-team-os", tmp_path / "old", tmp_path / "new"]
    for env, name, home in zip((own, old, new), "abc", homes):
        who = json.loads(ato(env, tmp_path / name, "whoami", "--json").stdout)
        assert (who["agent"], who["home"]) == (name, str(home))
        assert os.listdir(home / "inboxes") == [name]
        before = tree(tmp_path)
        for other in set("abc") - {name}:
            done = ato(env, tmp_path / name, "send", other, "note")
            assert done.returncode == 1
            assert f"{other} has not joined yet" in done.stderr
            assert json.loads(ato(env, tmp_path / other, "whoami", "--json").stdout)["agent"] is None
        assert tree(tmp_path) == before
        assert ato(env, tmp_path / name, "send", name, "note").returncode == 0
    assert [len(list(home.glob("inboxes/*/msg-*"))) for home in homes] == [1, 1, 1]
