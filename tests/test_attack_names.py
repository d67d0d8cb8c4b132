"""Ids cannot leave the home: whatever is given or written as one, nothing around the home is touched."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import Team, tree
from support.desk import drain
from support.forks import Call, hook, run, slash
from test_ids import AGENT, agent_like, near, session_like

# What a path, a pattern or an encoding could take for a way out. BASE is the folder around the home.
NAMES = (
    "..", "../../victim", "dev/../../../victim", "BASE/victim", "/dev/null", "@dev", "dev\n",
    "dev\0/../../victim", "DEV", "de\u0301v", "\uff0e\uff0e\uff0fvictim", "\udcff", "\ud800",
    "d" * 64, "../" * 1000 + "victim", "msg-20260520T091812Z-x7q3abcd/../..", "thread-20260520-abc123/../../../victim",
)  # fmt: skip
PATIENT = settings(deadline=None, max_examples=3, suppress_health_check=[HealthCheck.too_slow])


def around(team: Team) -> dict[str, Any]:
    """All that lies outside the home."""
    home = str(team.home.relative_to(team.root.parent))
    return {path: what for path, what in tree(team.root.parent).items() if f"{path}/".partition(home + "/")[0]}


def names(team: Team) -> set[str]:
    """What there is in the home, but for what the hooks keep for themselves."""
    known = re.compile(r"state/(@dev(\.owed)?\.json|map\.checked|[A-Za-z]+\.ran|hook-errors\.log)")
    return {path for path in tree(team.home) if not known.fullmatch(path)}


# ---- Names from a command line, a variable, a hook ------------------------------------------------


def can_be_a_variable(text: str) -> bool:
    """No process can be started with another."""
    try:
        return "\0" not in os.fsdecode(os.fsencode(text))
    except UnicodeEncodeError:
        return False


def given_as(name: str) -> Iterator[Call]:
    """A name in every place of every verb, variable and hook that takes one."""
    text = ["-s", "x"]
    yield Call("ops", ["send", name, "note", *text])
    yield Call("ops", ["send", f"dev/{name}", "note", *text])
    yield Call("ops", ["send", "dev", name, *text])
    yield Call("ops", ["send", "dev", "note", *text, "--thread", name])
    yield Call("ops", ["handoff", name, "--state-summary", "x", "--next-step", "y"])
    for verb in (["reply", name, "accept"], ["read", name], ["thread", name], ["trace", name]):
        yield Call("dev", verb)
    yield Call("other", ["join", name])
    yield Call("dev", ["drain", "on", "--agent", name])
    message = {"to": "dev", "intent": "note", "payload": {}}
    keys = ("to", "to_slug", "from", "intent", "type", "thread_id", "in_reply_to", "cc_of")
    yield Call("ops", ["send", "--batch", "-"], "\n".join(json.dumps({**message, key: name}) for key in keys))
    if can_be_a_variable(name):
        for variable in ({"AGENT_TEAM_OS_AGENT": name}, {"AGENT_TEAM_OS_SESSION": name}):
            yield Call("dev", ["inbox"], env=variable)
        yield Call("dev", ["inbox"], env={"AGENT_TEAM_OS_SESSION": f"dev/{name}"})


def hooked(name: str) -> Iterator[Call]:
    """A name where a hook takes one."""
    if not session_like(name):
        yield hook("SessionStart", session_id=name)
    if can_be_a_variable(name) and not session_like(name):
        yield Call("dev", ["hook", "Stop"], "{}", {"CLAUDE_CODE_SESSION_ID": name})
    yield Call("dev", ["hook", name], "{}")
    for line in ("/read NAME", "/thread NAME", "/send NAME note"):
        yield slash(line.replace("NAME", name))
    if not agent_like(name.strip()):  # around a word of a slash command there may be blanks
        yield slash(f"/bus join {name}", "other")


def refuse(team: Team, given_names: Sequence[str]) -> None:
    """No such name does anything, neither in the home nor around it."""
    before = around(team), names(team)
    calls = [call for name in given_names for call in given_as(name)]
    for done in run(team, calls):
        assert done.status in (1, 4, 64), done
    for done in run(team, [call for name in given_names for call in hooked(name)]):
        assert (done.status, done.stderr) == (0, "") or done.call.args[1].startswith("-"), done
    assert (around(team), names(team)) == before


@pytest.fixture
def baited(team: Team) -> Team:
    """A bus beside a folder that a way out would lead into, and one of nobody's."""
    for folder in ("victim/.read", "victim/dev", "other"):
        (team.root / folder).mkdir(parents=True)
    (team.root / "victim/dev/msg-20260520T091812Z-x7q3abcd.json").write_text("{}")
    (team.root / "victim.json").write_text("{}")
    return team


def test_names_on_every_command_line(baited: Team) -> None:
    """No verb, variable or hook takes a name that is none for a path, or makes anything of it."""
    refuse(baited, [name.replace("BASE", str(baited.root)) for name in NAMES])


def test_any_name_on_every_command_line(baited: Team) -> None:
    """Nor any other text that is no name."""
    text = st.one_of(near(AGENT), st.text(min_size=1, max_size=20), st.text("./\\dev\0", min_size=1, max_size=9))
    # A word of it may be a name to a slash command, all of it the id of a session, or an option.
    bad = text.filter(lambda name: name and name[0] != "-" and not any(map(session_like, name.split())))

    @PATIENT
    @given(st.lists(bad, min_size=3, max_size=3))
    def holds(some: list[str]) -> None:
        refuse(baited, some)

    holds()


# ---- Names from files ---------------------------------------------------------------------------

DAY = time.strftime("%Y-%m-%d", time.gmtime())  # of late: what is owed goes back two weeks
ID, THREAD = f"msg-{DAY.replace('-', '')}T000000Z-x7q3abcd", "thread-20260520-abc123"
MESSAGE: dict[str, Any] = {
    "id": ID, "version": "2.0", "from": "ops", "to": "dev", "thread_id": THREAD, "ts": f"{DAY}T00:00:00Z",
    "type": "question", "intent": "note", "payload": {"summary": "x"}, "requires_response": True,
}  # fmt: skip
ATTACHMENT = {"name": "a.txt", "size": 1, "sha256": "0" * 64}


def written(home: Path, name: str, number: int) -> None:
    """Put a name into each field, of each kind of file, that a path could be made of."""
    letters = [{**MESSAGE, key: name} for key in ("id", "from", "to", "to_slug", "thread_id", "in_reply_to", "cc_of")]
    letters += [{**MESSAGE, "attachments": [{**ATTACHMENT, key: name}]} for key in ("name", "sha256")]
    for part, letter in enumerate(letters):
        its_id = f"{ID[:21]}{number:04d}{part:04d}"
        text = json.dumps({**letter, "id": str(letter["id"]).replace(ID, its_id)})
        for folder in ("inboxes/dev", "inboxes/dev/@dev", "inboxes/dev/.read", "outbox/.spool"):
            (home / folder).mkdir(exist_ok=True, parents=True)
            (home / folder / f"{its_id}.json").write_text(text)
        with (home / f"outbox/{DAY}.jsonl").open("a") as log:
            log.write(text + "\n")
    entry = {key: MESSAGE[key] for key in ("id", "from", "to", "type", "intent", "ts")}
    for part, key in enumerate(("id", "from", "to")):
        thread = {"id": THREAD, "subject": "x", "participants": [name], "messages": [{**entry, key: name}]}
        path = home / f"threads/thread-20260520-{number:03d}{part:03d}.json"
        path.write_text(json.dumps({**thread, "status": "open", "opened": MESSAGE["ts"], "closed": None, "id": name}))
        path.with_name(f"thread-20260521-{number:03d}{part:03d}.json").write_text(
            json.dumps({**thread, "status": "open", "opened": MESSAGE["ts"], "closed": None, "id": path.stem})
        )


def remembered(home: Path, names: Sequence[str]) -> list[str]:
    """Put names wherever the hooks keep one; returns the ids of the sessions that remember one each."""
    owed: dict[str, Any] = {"changed": 0, "settled": list(names), "owes": {}}
    notes: dict[str, Any] = {
        "state/@dev.json": dict.fromkeys(names, "urgent"),
        "state/@dev.owed.json": {**dict.fromkeys(names, owed), "inboxes/dev/.read": owed},
    }
    for number, name in enumerate(names):
        owed["owes"][f"{ID[:21]}{number:08d}"] = [name, "urgent"]
        notes[f"state/s-{number}.json"] = {
            "session": f"{name}/dev", "started": MESSAGE["ts"], "announced": [name], "exported": [name],
        }  # fmt: skip
        notes[f"registry/dev.d/s-{number}.json"] = {
            "agent": name, "session": f"{name}/x", "slug": name, "session_id": name, "pid": 1, "host": name,
            "workspace_path": name, "session_started": MESSAGE["ts"], "last_seen": MESSAGE["ts"], "state": "active",
        }  # fmt: skip
    for path, document in notes.items():
        (home / path).parent.mkdir(exist_ok=True)
        (home / path).write_text(json.dumps(document))
    return [f"s-{number}" for number in range(len(names))]


def test_names_in_files(baited: Team) -> None:
    """No file of the home can name a place around it, for a verb, a hook or a repair."""
    drain(baited, scope="owed")
    outside = around(baited)
    paths = [name.replace("BASE", str(baited.root)) for name in NAMES]
    for number, name in enumerate(paths):
        written(baited.home, name, number)
    calls = [Call("dev", ["inbox", "--all"]), Call("dev", ["read", "--save", str(baited.home / "saved")])]
    calls += [hook("SessionStart"), hook("Stop"), slash("/inbox"), slash("/read"), slash("/bus doctor")]
    calls += [Call("dev", ["thread"]), Call("dev", ["bus"]), Call("dev", ["trace", ID])]
    run(baited, [*calls, Call("dev", ["doctor", "--repair"]), *calls])
    sessions = remembered(baited.home, [name for name in paths if can_be_a_variable(name)])
    run(baited, [hook(event, session_id=each) for each in sessions for event in ("SessionStart", "Stop", "SessionEnd")])
    assert around(baited) == outside
