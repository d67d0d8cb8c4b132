"""Links, FIFOs and devices anywhere in the home, any umask, and a home of somebody else's."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from conftest import Team, tree
from support import corpus
from support.desk import drain
from support.forks import Call, hook, run, slash

TEXT = ["-s", "x"]


class Office(NamedTuple):
    """A bus in the middle of its work, and a message on it that was read."""

    team: Team
    read: str
    thread: str


@pytest.fixture(scope="module")
def _busy(_joined: Path, tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Every kind of file and folder that a bus can have."""
    root = tmp_path_factory.mktemp("busy") / "home"
    shutil.copytree(_joined, root)
    team = Team(root, root / ".agent-team-os", {"HOME": str(root), "PATH": os.environ["PATH"]})
    for name in ("a.txt", "b.txt"):
        (root / "ops" / name).write_text(name)
    drain(team, scope="owed")
    ask = ["question", "-f", "question=?", "--requires-response"]
    answers = run(team, [
        Call("ops", ["send", "dev", *ask, "--attach", "b.txt", "--json"]), Call("ops", ["send", "dev/dev", *ask]),
        Call("dev", ["read", "--json"]), Call("dev", ["read"]), Call("ops", ["send", "dev", *ask]),
        Call("ops", ["send", "dev/dev", *ask]), Call("dev", ["join", "dev", "--role", "r1"]),
        hook("SessionStart"), hook("UserPromptSubmit"), hook("Stop"), hook("Stop", session_id="s-2"), hook("x"),
    ])  # fmt: skip
    sent = json.loads(answers[0].stdout)
    (team.home / "state/hook-errors.log").write_text("x\n")
    for end in "ab":  # one that was set aside, and one that will be
        (team.home / f"inboxes/dev/msg-20260520T091812Z-{end * 8}.json").write_text("[]")
        run(team, [Call("dev", ["inbox"])] if end == "a" else [])
    return Office(team, sent["id"], sent["thread_id"])


@pytest.fixture
def office(_busy: Office, tmp_path: Path) -> Office:
    """A copy of it."""
    root = tmp_path / "home"
    shutil.copytree(_busy.team.root, root)
    return _busy._replace(team=Team(root, root / ".agent-team-os", {**_busy.team.env, "HOME": str(root)}))


def work(office: Office) -> list[Call]:
    """All that can be done on a bus: every verb and every event."""
    _, first, thread = office
    return [
        Call("ops", ["send", "dev", "note", *TEXT, "--attach", "a.txt"]),
        Call("ops", ["send", "dev/dev", "note", *TEXT]),
        hook("SessionStart"), hook("UserPromptSubmit"), hook("Stop"), slash("/inbox"), slash("/read"),
        Call("dev", ["inbox", "--all"]), Call("dev", ["read"]), Call("dev", ["read", first, "--peek"]),
        Call("dev", ["reply", first, "response", *TEXT]),
        Call("dev", ["thread", thread]), Call("dev", ["trace", first]),
        Call("dev", ["join", "dev", "--role", "r2"]), Call("dev", ["init"]), Call("dev", ["doctor", "--repair"]),
        Call("ops", ["send", "dev", "note", *TEXT]), Call("dev", ["read"]), hook("SessionEnd"),
    ]  # fmt: skip


FOLDERS = (
    "inboxes", "inboxes/dev", "inboxes/dev/.read", "inboxes/dev/.quarantine", "inboxes/dev/@dev",
    "outbox", "outbox/.spool", "threads", "registry", "registry/dev.d", "locks",
    "attachments", "state",
)  # fmt: skip
FILES = {
    "the map": ["AGENT_MAP.json"],
    "messages": ["inboxes/**/msg-*.json"],
    "the outbox": ["outbox/*.jsonl"],
    "guards": ["locks/*.guard"],
    "what mail can do without": [
        "AGENT_MAP.*.json*", "inboxes/**/*.why.json", "threads/thread-*.json", "registry/**/*.json", "attachments/*",
        "state/*",
    ],
}  # fmt: skip


def files(office: Office, kind: str) -> list[Path]:
    """All files of a kind, at least one of each pattern; or the folder of that name."""
    found = [sorted(office.team.home.glob(pattern)) for pattern in FILES.get(kind, [kind])]
    assert all(found) or kind not in FILES
    return [path for paths in found for path in paths]


def linked(path: Path, elsewhere: Path) -> None:
    """Let a link in the place of a file or folder lead to its copy elsewhere, which anybody may read."""
    if path.is_dir():
        shutil.copytree(path, elsewhere)
        shutil.rmtree(path)
    else:
        shutil.copy(path, elsewhere)
        path.unlink()
    for each in (elsewhere, *elsewhere.rglob("*")):
        each.chmod(0o755)
    path.symlink_to(elsewhere)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_that_is_a_link(folder: str, office: Office, tmp_path: Path) -> None:
    """Through a link in the place of a folder nothing is written, removed or given another mode."""
    elsewhere = tmp_path / "elsewhere"
    (office.team.home / folder).mkdir(exist_ok=True)
    linked(office.team.home / folder, elsewhere)
    before = tree(elsewhere)
    run(office.team, work(office))
    assert tree(elsewhere) == before


@pytest.mark.parametrize("kind", FILES)
def test_files_that_are_links(kind: str, office: Office, tmp_path: Path) -> None:
    """Through links in the place of files nothing is written, removed or given another mode."""
    (tmp_path / "elsewhere").mkdir()
    for number, path in enumerate(files(office, kind)):
        linked(path, tmp_path / f"elsewhere/{number}")
    before = tree(tmp_path / "elsewhere")
    run(office.team, work(office))
    assert tree(tmp_path / "elsewhere") == before


# ---- Modes and owners ---------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777], ids=oct)
def test_modes_after_everything(umask: int, team: Team) -> None:
    """From the first command on all a bus holds is 0700 and 0600, whatever the umask, after all verbs and hooks."""
    shutil.rmtree(team.home)
    (team.root / "ops/a.txt").write_text("a")
    domains = {"web": {"hub": "hub"}, "app": {"hub": "hub"}}
    calls = [Call("ops", ["init"]), Call("ops", ["join", "hub", "--path", "/usr"])]
    calls += [Call(name, ["join", name, "--domain", domain]) for name, domain in (("ops", "web"), ("dev", "app"))]
    assert {done.status for done in run(team, calls, umask)} == {0}
    team.map(domains=domains, drain={"enabled": True, "scope": "owed"})
    ask = ["question", "-f", "question=?", "--requires-response", "--json"]
    first, *_ = run(team, [
        Call("ops", ["send", "dev", *ask, "--attach", "a.txt"]), Call("ops", ["send", "dev/dev", *ask]),
        Call("ops", ["send", "--batch", "-"], '{"to":"dev","intent":"note","payload":{}}\n' * 3),
    ], umask)  # fmt: skip
    sent = json.loads(first.stdout)
    assert len(sent["cc"]) == 1
    bad = [team.home / f"inboxes/dev/msg-20260520T091812Z-{number:08d}.json" for number in range(3)]
    for path in bad:
        path.write_text("[]")
        path.chmod(0o600)
    events = [hook("SessionStart"), hook("UserPromptSubmit"), hook("Stop"), hook("PreToolUse"), hook("x")]
    broken = Call("dev", ["hook", "Stop"], "[")
    done = run(team, [
        *events, broken, slash("/inbox"), slash("/read"), slash("/bus drain off"), slash("/bus join dev"),
        Call("dev", ["inbox"]), Call("dev", ["read"]), Call("dev", ["reply", sent["id"], "response", *TEXT]),
        Call("dev", ["handoff", "ops", "--state-summary", "x", "--next-step", "y"]), Call("dev", ["thread"]),
        Call("dev", ["trace", sent["id"]]), Call("dev", ["bus"]), Call("dev", ["whoami"]), Call("dev", ["drain", "on"]),
    ], umask)  # fmt: skip
    assert {each.status for each in done} == {0}
    assert wrong_modes(team) == {}
    (team.home / f"threads/{sent['thread_id']}.json").write_text("[]")
    for folder in ("registry", "state"):
        shutil.rmtree(team.home / folder)
    again = [Call("dev", ["doctor", "--repair"]), *events, Call("ops", ["send", "dev", *ask, "--attach", "a.txt"])]
    assert {each.status for each in run(team, again, umask)} == {0}
    assert wrong_modes(team) == {}


def wrong_modes(team: Team) -> dict[str, str]:
    """What is not as it should be, with its mode."""
    found = {path: path.lstat().st_mode & 0o777 for path in (team.home, *team.home.rglob("*"))}
    return {str(path): oct(mode) for path, mode in found.items() if mode != (0o700 if path.is_dir() else 0o600)}


def test_a_home_of_somebody_else(office: Office) -> None:
    """In a home of another user no verb and no hook reads or changes anything."""
    theirs = office.team.home
    if os.geteuid() == 0:
        os.chown(theirs, 12345, -1)
    else:
        theirs = Path("/")  # there is no other way without root
    calls = [call for call in work(office) if call.args[0] != "doctor"]
    before = tree(office.team.root)
    for done in run(office.team, [call._replace(env={"AGENT_TEAM_OS_HOME": str(theirs)}) for call in calls]):
        if done.call.args[0] == "hook":
            asked = "UserPromptExpansion" in done.call.args
            assert (done.status, done.stderr, "belongs to another user" in done.stdout) == (0, "", asked)
        else:
            assert (done.status, done.stdout) == (73, ""), done
            assert "belongs to another user" in done.stderr
    assert tree(office.team.root) == before


# ---- What could be waited for -------------------------------------------------------------------


def replaced(path: Path, kind: str, elsewhere: Path) -> None:
    """Put something else in the place of a file or folder."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    corpus.THINGS[kind](path, b"", elsewhere)


def outlived(office: Office) -> None:
    """Everything ends by itself in plain words, and doctor can still look."""
    for done in run(office.team, work(office)):
        assert done.call.args[0] != "hook" or (done.status, done.stderr) == (0, ""), done
        assert done.status == 0 or "--repair" in done.call.args or done.stderr.startswith("ato: "), done


@pytest.mark.parametrize("kind", FILES)
def test_files_that_are_fifos(kind: str, office: Office, tmp_path: Path) -> None:
    """Nothing waits for FIFOs in the place of files."""
    for path in files(office, kind):
        replaced(path, "FIFO", tmp_path)
    outlived(office)


FOREIGN = [kind for kind in corpus.THINGS if kind.startswith(("socket", "device", "link to /dev", "1 GB", "empty f"))]


@pytest.mark.full
@pytest.mark.parametrize("thing", ["FIFO", *FOREIGN, "link to itself", "mode 000"])
@pytest.mark.parametrize("kind", [*FILES, *FOLDERS])
def test_anything_anywhere(kind: str, thing: str, office: Office, tmp_path: Path) -> None:
    """Nothing waits for anything else in the place of a folder or of files."""
    for path in files(office, kind):
        replaced(path, thing, tmp_path)
    outlived(office)
