"""Notices: who and how many reach the targets, nothing else does, and no target can stop or betray anything."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any, Optional

import pytest
from aiosmtpd.smtp import SMTP

from agent_team_os.post import notify
from conftest import tree
from support.cli import PATIENCE, ROOT

TOKEN = "3ccdd113474722377935511fc85d3dd4"
ONE = {"max@bonnard.ai": 1}
FETCHED = "1 new message from max@bonnard.ai. Read it: agentops msg read"


class Listener:
    """An HTTP and an SMTP server on this machine, which keep what they are sent, or refuse it."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []
        self.mails: list[bytes] = []
        self.refuses = False
        kept = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                kept.posts.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(500 if kept.refuses else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.loop = asyncio.new_event_loop()
        start = self.loop.create_server(lambda: SMTP(self, loop=self.loop), "127.0.0.1", 0)
        self.post_office = self.loop.run_until_complete(start)
        self.threads = [threading.Thread(target=run) for run in (self._serve, self.loop.run_forever)]
        for thread in self.threads:
            thread.start()

    def _serve(self) -> None:
        self.web.serve_forever(poll_interval=0.02)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content)
        return "550 no such box" if self.refuses else "250 OK"

    def at(self, scheme: str) -> str:
        """The target that stands for this server."""
        if scheme == "mailto":
            port = self.post_office.sockets[0].getsockname()[1]
            return f"mailto://127.0.0.1:{port}?from=bus@example.org&to=alex@example.org&mode=insecure&name={TOKEN}"
        return f"{scheme}://127.0.0.1:{self.web.server_port}/{TOKEN}"

    def close(self) -> None:
        self.web.shutdown()
        self.web.server_close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        for thread in self.threads:
            thread.join(PATIENCE)
        self.post_office.close()
        self.loop.run_until_complete(self.post_office.wait_closed())
        self.loop.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server that takes what it is sent."""
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def away() -> Iterator[str]:
    """Where nobody listens, and nobody else can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def named(home: Path, document: Any, mode: int = 0o600) -> Path:
    """Write notify.json below this person's home, as they do."""
    path = home / ".config/agent-team-os/notify.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    path.chmod(mode)
    return path


def tell(home: Path, event: str = "fetched", counts: Optional[dict[str, int]] = None, seconds: float = 20) -> list[str]:
    """Send the notice of this event."""
    return notify.tell({"HOME": str(home)}, event, ONE if counts is None else counts, seconds)


def test_who_and_how_many(listener: Listener, tmp_path: Path) -> None:
    """A webhook, a chat and a mailbox are told who wrote and how many, in these words and no more."""
    named(tmp_path, {"fetched": [listener.at(scheme) for scheme in ("json", "mmost", "mailto")]})
    assert tell(tmp_path) == []
    posts = {path: json.loads(body) for path, body in listener.posts}
    assert posts == {
        f"/{TOKEN}": {
            "version": "1.0", "title": "1 new message", "message": FETCHED, "attachments": [], "type": "info",
        },
        f"/hooks/{TOKEN}": {"text": f"1 new message\r\n{FETCHED}", "username": "Agent Team OS"},
    }  # fmt: skip
    (mail,) = map(message_from_bytes, listener.mails)
    assert (mail["Subject"], mail["To"], mail.get_content_type()) == ("1 new message", "alex@example.org", "text/plain")
    assert mail.get_payload(decode=True) == FETCHED.encode() + b"\r\n"


def test_each_event_has_its_targets(listener: Listener, tmp_path: Path) -> None:
    """What came is told to those under `fetched`, what went to those under `pushed`, both to `targets`, each once."""
    both = listener.at("json")
    named(tmp_path, {"fetched": [both, both + "/in"], "pushed": [both + "/out"], "targets": [both]})
    assert tell(tmp_path) == []
    assert sorted(path for path, _ in listener.posts) == [f"/{TOKEN}", f"/{TOKEN}/in"]
    listener.posts.clear()
    assert tell(tmp_path, "pushed", {"alex@bonnard.ai": 1}) == []
    assert sorted(path for path, _ in listener.posts) == [f"/{TOKEN}", f"/{TOKEN}/out"]
    said = json.loads(listener.posts[0][1])
    assert (said["title"], said["message"]) == ("Sent 1 message", "Sent 1 message to alex@bonnard.ai")


def test_several_people(listener: Listener, tmp_path: Path) -> None:
    """Each person has a line, ten at most, and an address from elsewhere cannot begin a line, a link or a mention."""
    named(tmp_path, {"targets": [listener.at("json")]})
    tell(tmp_path, counts={"max@bonnard.ai": 2, "<!all>\n[x](http://y)@z.org": 1, "nobody@z.org": 0})
    tell(tmp_path, "pushed", {f"p{number}@z.org": 2 for number in range(12)})
    first, second = (json.loads(body) for _, body in listener.posts)
    assert first["title"] == "3 new messages"
    assert first["message"].splitlines() == [
        "2 new messages from max@bonnard.ai.",
        "1 new message from __all___x__http___y_@z.org. Read them: agentops msg read",
    ]
    assert second["title"] == "Sent 24 messages"
    assert second["message"].splitlines() == [
        *(f"Sent 2 messages to p{number}@z.org" for number in range(10)),
        "And 4 more, to 2 others.",
    ]


@pytest.mark.parametrize("fault", ["refuses", "away"])
def test_a_target_that_fails(
    fault: str, listener: Listener, away: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is a warning that names its scheme and no secret of it, and nothing is printed."""
    targets = {"json": f"json://{away}/{TOKEN}", "mailto": f"mailto://{away}?from=a@b.org&to={TOKEN}@b.org"}
    if fault == "refuses":
        listener.refuses = True
        targets = {scheme: listener.at(scheme) for scheme in ("json", "mailto")}
    path = named(tmp_path, {"fetched": list(targets.values())})
    assert tell(tmp_path) == [
        f"the target {scheme}: in {path} is away, or did not take the notice" for scheme in targets
    ]
    assert len(listener.posts) == len(listener.mails) == (fault == "refuses")
    assert capfd.readouterr() == ("", "")


def test_slack(away: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Slack webhook, in apprise's words or as Slack gives it, is a target; its token is told to nobody."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://{away}")  # so that nothing leaves this machine
    place = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"
    path = named(tmp_path, {"targets": [f"slack://{place}", f"https://hooks.slack.com/services/{place}"]})
    assert tell(tmp_path) == [
        f"the target {scheme}: in {path} is away, or did not take the notice" for scheme in ("slack", "https")
    ]


def test_a_target_that_hangs(listener: Listener, tmp_path: Path) -> None:
    """Who takes a connection and says nothing is given up, and holds up no other target, nor the program's end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        targets = [f"json://{where}/{TOKEN}", listener.at("json"), f"mailto://{where}?from=a@b.org&to={TOKEN}@b.org"]
        path = named(tmp_path, {"fetched": targets, "pushed": [listener.at("json")]})
        tell(tmp_path, "pushed")  # so that apprise is loaded
        before = set(threading.enumerate())
        assert tell(tmp_path, seconds=2) == [
            f"the target {scheme}: in {path} did not answer within 2 s" for scheme in ("json", "mailto")
        ]
        assert len(listener.posts) == 2
        left = [thread for thread in set(threading.enumerate()) - before if "process_request" not in thread.name]
        assert len(left) == 2
        assert all(thread.daemon for thread in left)
        assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]  # awaited at the end
    for thread in left:  # the closed port ends them
        thread.join(PATIENCE)


@pytest.mark.parametrize("target", ["nonsense", f"slack:/{TOKEN}", f"slack://{TOKEN}", f"nowhere://{TOKEN}", ""])
def test_what_is_no_target(target: str, listener: Listener, tmp_path: Path) -> None:
    """A target that apprise does not know is a warning without its secret, and the others are told."""
    path = named(tmp_path, {"fetched": [target, listener.at("json")]})
    scheme = f"{target.partition('://')[0]}:" if "://" in target else "without a scheme"
    assert tell(tmp_path) == [f"the target {scheme} in {path} is none that apprise knows. See: https://appriseit.com"]
    assert len(listener.posts) == 1


WRONG: dict[str, tuple[Any, str]] = {
    "half": (b'{"fetched": ["json://%s' % TOKEN.encode(), "is no JSON, line 1, column 14"),
    "twice": (b'{"x": [], "x": []}', "is no JSON"),
    "list": (["json://x"], "must look like"),
    "text": ({"fetched": "json://x"}, "must look like"),
    "numbers": ({"fetched": [1]}, "must look like"),
    "unknown": ({"fetched": [], "fetch": [TOKEN]}, "may hold nothing but the lists fetched, pushed and targets"),
    "large": (b" " * 70_000, "cannot be used: 70000 bytes, more than the 65536 allowed"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_file(kind: str, tmp_path: Path) -> None:
    """A notify.json that says nothing clear is a warning that names it and tells nothing of its content."""
    content, why = WRONG[kind]
    path = named(tmp_path, content)
    (warning,) = tell(tmp_path)
    assert warning.startswith(f"no notice was sent: {path} {why}")
    assert TOKEN not in warning


def test_a_file_that_others_can_open(listener: Listener, tmp_path: Path) -> None:
    """A notify.json that others can read, a link to one, and what is no file, are not used; the warning says why."""
    path = named(tmp_path, {"fetched": [listener.at("json")]}, 0o640)
    why = f'can be opened by other users of this machine (mode 0640). Do: chmod 600 "{path}"'
    assert tell(tmp_path) == [f"no notice was sent: {path} {why}"]
    path.chmod(0o600)
    path.rename(path.with_name("real"))
    path.symlink_to("real")
    assert tell(tmp_path) == [f"no notice was sent: {path} cannot be used: a symbolic link"]
    path.unlink()
    os.mkfifo(path, 0o600)
    assert tell(tmp_path) == [f"no notice was sent: {path} cannot be used: a FIFO"]
    path.unlink()
    path.with_name("real").rename(path)
    path.parent.rename(tmp_path / "elsewhere")
    path.parent.symlink_to(tmp_path / "elsewhere")
    assert tell(tmp_path) == [f"no notice was sent: {path} cannot be used: in a folder that is a symbolic link"]
    assert listener.posts == []


def test_what_is_imported(away: str, tmp_path: Path) -> None:
    """Apprise is imported only for a target of the event, prints and logs nothing; without it a warning says so."""
    code = """if True:
        import sys
        sys.path[:0] = [sys.argv[1]]
        from agent_team_os.post import notify
        def tell(number, event="fetched", counts={"max@bonnard.ai": 1}):
            print(notify.tell({"HOME": sys.argv[2] + number}, event, counts, 20), end=" ")
        tell("/none"), tell("/one", "pushed"), tell("/one", counts={}), tell("/one", counts={"max@bonnard.ai": 0})
        print("apprise" in sys.modules or "logging" in sys.modules, "threading" in sys.modules)
        import logging
        logging.basicConfig(level=0)  # everything to stderr
        sys.modules["apprise"] = None
        tell("/one")
        del sys.modules["apprise"]
        tell("/one")
    """
    path = named(tmp_path / "one", {"fetched": [f"json://{away}/{TOKEN}", f"jsons://{away}/{TOKEN}?verify=no"]})
    before = tree(tmp_path)
    command = [sys.executable, "-I", "-W", "always", "-c", code, str(ROOT / "scripts"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "[] [] [] [] False False",
        "[\"no notice was sent: apprise is missing: pip install 'agent-team-os[notify]'\"] "
        + str([f"the target {name}: in {path} is away, or did not take the notice" for name in ("json", "jsons")])
        + " ",
    ]
    assert tree(tmp_path) == before
