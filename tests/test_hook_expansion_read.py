"""UserPromptExpansion of /read: a message is shown whole or up to a line, and is read only when it was shown."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import threading
from pathlib import Path
from typing import Optional
from urllib.parse import quote

import pytest

from agent_team_os.hooks import dispatch
from agent_team_os.protocol import show
from conftest import Team
from support.cli import PATIENCE
from support.desk import HELPER, Desk, framed
from support.hooks import LAUNCHER

MOST = 9000  # UTF-16 units


@pytest.fixture(autouse=True)
def _at_home(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of the map begin with ~."""
    monkeypatch.setenv("HOME", str(team.root))


@pytest.fixture
def dev(team: Team) -> Desk:
    """A session of dev."""
    return Desk(team, "dev")


def test_read(dev: Desk) -> None:
    """/read shows the most pressing and oldest message whole, framed, and archives it."""
    dev.put(1, age=50)
    first = dev.put(2, age=100, priority="high", payload={"summary": "One", "text": "Two\nthree"})
    page = dev.command("/read")
    assert f"Message   {first}" in framed(page)
    assert [line.strip() for line in framed(page)][-3:] == ["summary  One", "text     Two", "three"]
    assert "Archived." in page.split("\n")[-1]
    assert dev.path(first).parent.name == ".read"
    assert dev.command("/read").count("number 1") == 1
    assert "nothing to read" in dev.command("/read")


@pytest.mark.parametrize("given", ["{id}", "{end}", "{prefix}", "  {id}  ", "{id} --peek", "--peek {end}"])
def test_read_by_id(given: str, dev: Desk) -> None:
    """A message is named by its id, the end of it or a part that fits no other; with --peek it stays."""
    dev.put(10, age=90, priority="urgent")
    message_id = dev.put(23)
    page = dev.command("/read " + given.format(id=message_id, end=message_id[-8:], prefix=message_id[:-1]))
    assert f"Message   {message_id}" in framed(page)
    stays = "--peek" in given
    assert dev.path(message_id).parent.name == ("dev" if stays else ".read")
    assert page.split("\n")[-1].startswith("Still in the inbox." if stays else "Archived.")
    again = dev.command(f"/read {message_id}")
    assert f"Message   {message_id}" in framed(again), "what is read can be read again"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nonsense", 'dev has no message "nonsense"'),
        ("msg-", "fits 2 messages"),
        ("00000021", "Did you mean"),
        ("a b", '"b" is one word too many'),
        ("--all", 'no option "--all"'),
        ("--peek=1", 'no option "--peek=1"'),
        ("-p", 'no option "-p"'),
        ("--", 'no option "--"'),
        ("../../../etc/passwd", "has no message"),
        ("*", "has no message"),
    ],
)
def test_a_read_that_cannot_be(given: str, words: str, dev: Desk) -> None:
    """What is not understood is an error that says why, framed; nothing is read instead."""
    dev.put(22)
    dev.put(33)
    page = dev.command(f"/read {given}")
    assert page.startswith("This did not work.")
    assert words in "\n".join(framed(page))
    assert len(list((dev.team.home / "inboxes/dev").glob("*.json"))) == 2


def test_mail_of_others(dev: Desk) -> None:
    """Nobody reads the mail of another agent."""
    ops = Desk(dev.team, "ops")
    message_id = ops.put(1, sender="dev")
    assert "has no message" in dev.command(f"/read {message_id}")
    assert ops.path(message_id).parent.name == "ops"


class Watching(io.BytesIO):
    """A stdout that looks where a message is while it is being shown, and that may fail or wait then."""

    def __init__(self, path: Path, error: bool = False, wait: Optional[threading.Event] = None) -> None:
        super().__init__()
        self.path, self.error, self.wait = path, error, wait
        self.pending: list[bool] = []
        self.reached = threading.Event()

    def flush(self) -> None:
        self.pending.append(self.path.exists())
        self.reached.set()
        if self.wait is not None:
            assert self.wait.wait(PATIENCE)
        if self.error:
            raise OSError(28, "No space left on device")


def read_to(dev: Desk, stdout: io.BytesIO) -> None:
    """Fire /read with a stdout of our own."""
    given = json.dumps(
        {"command_name": "agent-team-os:read", "command_source": "plugin", "command_args": "", "session_id": "s-1"}
    ).encode()
    dispatch.run("UserPromptExpansion", dev.env, str(dev.folder), io.BytesIO(given), stdout)


@pytest.mark.parametrize("error", [False, True])
def test_archived_after_it_was_shown(error: bool, dev: Desk) -> None:
    """A message is archived when stdout was flushed and not before; if that fails, it stays and is shown again."""
    path = dev.path(dev.put(1))
    stdout = Watching(path, error)
    read_to(dev, stdout)
    assert stdout.pending == [True]
    assert path.exists() == error
    assert "number 1" in dev.command("/read") or not error


def test_two_readers(dev: Desk) -> None:
    """While one session reads a message another gets the next one; what the first could not show, it can read."""
    first, second = dev.put(1, age=9), dev.put(2)
    go = threading.Event()
    stdout = Watching(dev.path(first), error=True, wait=go)
    reader = threading.Thread(target=read_to, args=(dev, stdout))
    reader.start()
    assert stdout.reached.wait(PATIENCE)
    other = Desk(dev.team, "dev", "s-2")
    assert f"Message   {second}" in framed(other.command("/read"))
    go.set()
    reader.join(PATIENCE)
    assert f"Message   {first}" in framed(other.command("/read"))


@pytest.mark.parametrize("kind", ["full", "closed", "broken"])
def test_a_stdout_that_takes_nothing(kind: str, dev: Desk) -> None:
    """On a full, closed or broken stdout the hook succeeds in silence, and what it could not show stays pending."""
    message_id = dev.put(1, payload={"text": "x" * 10_000})
    given = json.dumps(
        {"command_name": "agent-team-os:read", "command_source": "plugin", "command_args": "", "session_id": "s-1"}
    ).encode()
    script = 'exec sh "$0" UserPromptExpansion' + (" >&-" if kind == "closed" else "")
    if kind == "broken":
        reader, stdout = os.pipe()
        os.close(reader)
    else:
        stdout = os.open("/dev/full", os.O_WRONLY)
    done = subprocess.run(
        ["sh", "-c", script, str(LAUNCHER)], cwd=dev.folder, env=dev.team.env, input=given, stdout=stdout,
        stderr=subprocess.PIPE, timeout=PATIENCE, check=False,
    )  # fmt: skip
    os.close(stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert dev.path(message_id).parent.name == "dev"


LONG = {
    "many lines": "\n".join(f"line {number} of many, and a little more" for number in range(250)),
    "emoji": "\n".join("😀" * 10 for _ in range(245)),
    "tiny lines": "\n".join("😀" for _ in range(2000)),
    "empty lines": "a" + "\n" * 9900 + "b",
    "one line": "x" * 9_900,
    "one line of emoji": "😀" * 5_000,
}


@pytest.mark.parametrize("kind", LONG)
def test_a_long_message(kind: str, dev: Desk) -> None:
    """What is longer than 9,000 units is cut at a line and names the call for the rest, which shows all of it."""
    message_id = dev.put(1, payload={"summary": "Long", "text": LONG[kind]})
    page = dev.command("/read")
    assert show.units(page) <= MOST
    lines = page.split("\n")
    assert lines[-1] == f"The message goes on: {HELPER} read {message_id} --peek"
    assert show.units(page) > MOST - 200, "as much as fits"
    whole = dev.team.run("dev", "read", message_id, "--peek", CLAUDECODE="1").stdout.split("\n")
    mark, full = lines[1].partition("| ")[0], whole[1].partition("| ")[0]
    expected = [line.replace(f"{full}| ", f"{mark}| ", 1) for line in whole[1 : len(lines) - 1]]
    if lines[-2].endswith("…"):  # a line that is most of the page is cut itself
        assert expected.pop().startswith(lines.pop(-2)[:-1])
    assert lines[1:-1] == expected
    assert len(whole) > len(lines)


def test_one_unit_below(dev: Desk) -> None:
    """A page of exactly 9,000 units is shown whole, and one of 9,001 is cut."""
    short = dev.put(1, payload={"text": "x" * 1000})
    room = MOST - show.units(dev.command(f"/read {short} --peek"))
    fits = dev.put(2, payload={"text": "x" * (1000 + room)})
    page = dev.command(f"/read {fits} --peek")
    assert show.units(page) == MOST
    assert "goes on" not in page
    assert "goes on" in dev.command(f"/read {dev.put(3, payload={'text': 'x' * (1001 + room)})} --peek")


# ---- What a message refers to -------------------------------------------------------------------


def refs(dev: Desk, *uris: str) -> list[str]:
    """What /read shows of each reference of a message."""
    page = dev.command(f"/read {dev.put(1, context_refs=list(uris))} --peek")
    return [line[len("Ref") :].strip() for line in framed(page) if line.startswith("Ref ")]


def test_references(dev: Desk) -> None:
    """A file is shown with its size or as missing, a folder as one, an issue as a command, all else as it is."""
    folder = dev.team.root / "a b"
    folder.mkdir()
    (folder / "ü.txt").write_bytes(b"x" * 2048)
    (folder / "q?#%20.txt").write_bytes(b"xyz")
    place = f"file://{quote(str(folder))}"
    shown = {
        f"{place}/%C3%BC.txt": "(2.0KB)",
        f"{place}/{quote('q?#%20.txt')}": "(3B)",
        f"{place}/none.txt": "(missing)",
        place: "(a folder)",
        f"{place}/%00": "",
        "gh://acme/web.app/issues/12": "(open: gh issue view 12 --repo acme/web.app)",
        "gh://acme/web/pull/7": "(open: gh pr view 7 --repo acme/web)",
        "wiki://page": "",
        "artifact://build/1": "",
        "mailto:max@example.org": "",
    }
    assert refs(dev, *shown) == [f"{uri} {what}".strip() for uri, what in shown.items()]


def test_a_file_whose_name_is_no_text(dev: Desk) -> None:
    """A file whose name is not UTF-8 is found by the reference that a send makes of it."""
    name = os.fsencode(dev.team.root / "ops") + b"/caf\xe9"
    with open(name, "wb") as file:
        file.write(b"xyz")
    done = dev.team.run("ops", "send", "dev", "note", "--ref", os.fsdecode(name))
    assert done.returncode == 0, done.stderr
    assert "caf%E9 (3B)" in dev.command("/read")


HOSTILE = [
    *("gh://o/r/issues/1;id", "gh://o/r/issues/1%0Aid", "gh://o/r/issues/1 --web", "gh://o/r/issues/$(id)"),
    *("gh://-o/r/issues/1", "gh://o/-r/issues/1", "gh://o/r/issues/-1", "gh://o/r/issues/", "gh://o/r/issues/1e3"),
    *("gh://o/../issues/1", "gh://o/./issues/1", "gh://o/$(id)/issues/1", "gh://`id`/r/issues/1", "gh://o;id/r/issues/1"),
    *("gh://o@x/r/issues/1", "gh://o:80/r/issues/1", "gh://o/r/issues/١", "gh://о/r/issues/1", "gh:o/r/issues/1"),
    *("gh:///r/issues/1", "gh://o/r/blob/main/x", "gh://o/r/issues/1/x", "gh://o/r/issues/9999999999"),
    *("GH://$(id)/r/issues/1", "file://o/r/issues/1 (open: id)"),
    *("gh://o/r\\x/issues/1", "gh://o/'r'/issues/1", "gh://[::1/r/issues/1", "gh://o|id/r/issues/1"),
    *("artifact://x (open: sh -c id)", "wiki://x (open: gh issue view 1; id)", "x (open: gh pr view $(id) --repo o/r)"),
]  # fmt: skip


@pytest.mark.parametrize("uri", HOSTILE)
def test_hostile_references(uri: str, dev: Desk) -> None:
    """What is no plain issue or pull request is never shown as a command to run, nor with one of the sender's."""
    (shown,) = refs(dev, uri)
    assert "(open: " not in shown


@pytest.mark.parametrize(
    "uri", ["gh://o\n/r/issues/1", "gh://o/r/issues/1?$(id)", "gh://o/r/issues/1#;id", " gh://o/r/issues/1"]
)
def test_odd_references(uri: str, dev: Desk) -> None:
    """Whatever else a reference holds, its command has the words of an issue and no others."""
    (shown,) = refs(dev, uri)
    found = re.search(r"\(open: .*", shown)
    assert found is None or found[0] == "(open: gh issue view 1 --repo o/r)"


def test_attachments(dev: Desk) -> None:
    """Each file that came along is shown with its size, whether its bytes are there, and how to take it out."""
    ops = Desk(dev.team, "ops")
    (ops.folder / "a.txt").write_text("xyz")
    (ops.folder / "b.txt").write_text("b")
    sent = ops.bus().send(
        "dev", "note", {"summary": "Files"}, attach=[str(ops.folder / name) for name in ("a.txt", "b.txt")]
    )
    first, second = json.loads(Path(sent["path"]).read_bytes())["attachments"]
    (dev.team.home / "attachments" / second["sha256"]).unlink()
    page = dev.command("/read")
    assert "Attached  a.txt (3B)" in framed(page)
    assert any(line.startswith("Attached  b.txt (1B, ") for line in framed(page))
    assert f"Take the files out: {HELPER} read {sent['id'][-8:]} --save ." in page.split("\n")
    assert first["name"] == "a.txt"
