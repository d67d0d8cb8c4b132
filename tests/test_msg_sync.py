"""msg sync: what it says, the bar of what takes long, and how long one in the background may take."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest

from agent_team_os.post import store
from support import mailed, seaweed
from support.cli import PATIENCE, PROGRAM
from support.proxy import Proxy
from support.seat import Seat


def test_what_it_says(tmp_path: Path) -> None:
    """A sync says in a line what went and what came, and what to do next; nothing new is said so."""
    max_, alex = mailed.pair(tmp_path)
    assert max_.said("sync") == "Nothing new.\n"
    alex.said("max", "One")
    alex.sync()
    max_.said("alex", "Two")
    assert max_.said("sync") == "Sent 1, fetched 1.\nRead: ato msg read\n"
    max_.said("alex", "Three")
    for path in max_.mail.glob("spool/*/letter.json"):
        path.write_text(path.read_text().replace(mailed.uid(alex), "a" * 26))
    lines = max_.said("sync").splitlines()
    assert lines == ["Nothing new.", "1 still waiting. Why: ato msg outbox"]
    assert "its recipient is in no directory" in max_.said("outbox")


def test_what_a_failure_says(tmp_path: Path) -> None:
    """Where the store fails before anything went or came, the error is all that is said, and nothing of news."""
    max_, _ = mailed.pair(tmp_path)
    (tmp_path / "store").rename(tmp_path / "away")
    done = max_.run("sync")
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr.startswith("ato: There is no store in ")
    assert json.loads(max_.run("sync", "--json").stdout.splitlines()[0])["pushed"] == {}


def test_what_stays_in_the_store(tmp_path: Path) -> None:
    """What is held or refused is counted by sender and reason, in words; the keys of the store are for --json."""
    max_, alex = mailed.pair(tmp_path)
    for _ in range(2):
        alex.said("max", "Hello")
    alex.sync()
    known = json.loads((max_.mail / "directory.json").read_bytes())
    about = known[mailed.uid(alex)]
    known["a" * 26] = {**about, "entry": {**about["entry"], "uid": "a" * 26}}
    (max_.mail / "directory.json").write_text(json.dumps(known))
    lost = tmp_path / f"store/v1/from/{'b' * 26}/to/{mailed.uid(max_)}"
    lost.mkdir(parents=True)
    (lost / "01a202e9-5e5e-7a21-aa65-ecb3aa1e8b2e.age").write_bytes(b"x")
    claimed = "more than one person claims the address alex@bonnard.ai"
    assert sorted(max_.said("sync").splitlines()) == [
        "Held: 1 message from somebody unknown: its sender is not in the directory",
        f"Held: 2 messages from alex: {claimed}. Then: ato msg verify alex --fingerprint F",
        "Nothing new.",
    ]
    held = max_.sync()["held"]
    assert sorted(held.values()) == ["its sender is not in the directory", claimed, claimed]
    assert all(key.startswith("v1/from/") for key in held)
    del known["a" * 26]
    (max_.mail / "directory.json").write_text(json.dumps(known))
    first, _ = sorted((tmp_path / f"store/v1/from/{mailed.uid(alex)}/to").rglob("*.age"))
    first.write_bytes(b"damaged")
    lines = max_.said("sync").splitlines()
    assert lines[0] == "Fetched 1."
    assert re.fullmatch(r"Refused: 1 message from alex: [^/]+", lines[-2])


def test_a_bar_for_what_takes_long(tmp_path: Path) -> None:
    """An upload of more than a second shows a bar with its size at a terminal, and none with --json."""
    max_, _ = mailed.pair(tmp_path)
    team, gate = seaweed.team({}), threading.Event()
    admin = store.open_store(team.url, team.environ("admin"))

    def slow(path: str, data: bytes) -> None:
        if len(data) > 1_000_000:
            gate.wait(PATIENCE)
        admin.replace(path.removeprefix(f"/{team.bucket}/"), data)

    path = max_.home / "AGENT_MAP.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "org": {"store": team.url}}))
    max_.file("large", b"x" * 3_000_000)
    max_.said("alex", "Large", "--attach", "large")
    with Proxy(team.endpoint) as proxy:
        proxy.put = slow
        env = {**max_.environment, **team.environ("admin"), "AWS_ENDPOINT_URL": proxy.url}
        with Seat(env, max_.root, [*PROGRAM, "msg", "sync"]) as seat:
            seat.wait_for("Sending 2.9MB")
            gate.set()
            status, shown = seat.end()
    assert status == 0, shown
    assert re.search(r"Sending 2\.9MB +\[#+\] +100%", shown)
    assert shown.endswith("\nSent 1.\n")


@pytest.mark.full
def test_how_long_one_in_the_background_takes(tmp_path: Path) -> None:
    """With a store that never answers a sync in the background ends by itself, and what waits goes on waiting."""
    max_, _ = mailed.pair(tmp_path)
    path = max_.home / "AGENT_MAP.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "org": {"store": "s3://team/mail"}}))
    max_.said("alex", "Later")
    with Proxy("http://127.0.0.1:9") as proxy:
        proxy.hangs = True
        keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": "us-east-1"}
        done = max_.run("sync", "--once", **{**keys, "AWS_ENDPOINT_URL": proxy.url})
    assert done.returncode == 70, done
    assert "did not answer in time" in done.stderr
    assert len(mailed.documents(max_)) == 1
