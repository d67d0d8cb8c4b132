"""A person has one set of keys: whoever is killed or refused by the disk, however many make them, on any device."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from agent_team_os.post import keys, me, seal
from agent_team_os.protocol.errors import CannotWrite, InvalidLetter, NotSetUp
from agent_team_os.storage import lock
from support import crash, trace
from support.cli import ROOT

SEED = b"\x05" * 32
UID = seal.uid_of(seal.verify_key_of(SEED))
# What a person does, as a process of its own; a refusal is one line and status 3.
PROGRAM = """
import os, sys
sys.path.insert(0, %r)
from agent_team_os.post import keys, me
from agent_team_os.protocol.errors import BusError
environ = os.environ
try:
    %s
except BusError as error:
    print(type(error).__name__, error.message, file=sys.stderr)
    sys.exit(3)
"""
DEEDS = {
    "make": 'keys.make(environ, "max@example.org", "max")',
    "rename": 'keys.rename(environ, "new@example.org", "new")',
    "adopt": f'keys.adopt(environ, uid="{UID}", address="max@example.org", name="max", seed={SEED!r})',
}


def script(folder: Path, deed: str) -> Path:
    """The program that does it."""
    path = folder / f"{deed}.py"
    path.write_text(PROGRAM % (str(ROOT / "scripts"), DEEDS[deed]))
    return path


def content(place: Path) -> dict[str, bytes]:
    """The files in the folder of the keys, by name."""
    return {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()} if place.exists() else {}


def prepared(deed: str, tmp_path: Path) -> tuple[crash.Act, Path, dict[str, str]]:
    """The act, the folder it happens in, made as it is before it, and the environment."""
    root = tmp_path / "root"
    root.mkdir()
    env = {"HOME": str(root), "PATH": os.environ["PATH"]}
    if deed == "rename":
        keys.make(env, "max@example.org", "max")
    elif deed == "adopt":
        keys.begin_device(env, "max@example.org", "file:///store")
    return crash.Act(root, env, [], script=script(tmp_path, deed)), root, env


@pytest.mark.parametrize(("deed", "faults", "least"), [
    ("make", crash.kill, 25), ("make", crash.some_errors, 10), ("rename", crash.kill, 5), ("adopt", crash.kill, 12),
    pytest.param("make", crash.every_error, 60, marks=pytest.mark.full),
    pytest.param("rename", crash.every_error, 15, marks=pytest.mark.full),
    pytest.param("adopt", crash.every_error, 40, marks=pytest.mark.full),
], ids=lambda value: getattr(value, "__name__", str(value)))  # fmt: skip
def test_disturbed_anywhere(deed: str, faults: Any, least: int, tmp_path: Path) -> None:
    """Killed or failed at any call, the same again succeeds with the keys that were there, and nothing lies about."""
    act, root, env = prepared(deed, tmp_path)
    template = root.rename(tmp_path / "template")
    place = Path(me.folder(env))
    with crash.Starter() as starter:

        def judge(outcome: crash.Outcome, fault: str) -> None:
            if fault != "kill" and not fault.endswith("+"):  # of what lasts stderr has its share
                assert outcome.status == 0 or outcome.stderr.startswith("CannotWrite cannot write"), outcome
            there, known = content(place), me.known(env)
            if known is not None:
                assert known["name"] in ("max", "new")
                assert keys.load(env).uid == known["uid"]
            done = eval(DEEDS[deed], {"keys": keys, "environ": env})
            assert done == keys.load(env)
            after = content(place)
            assert set(after) == {"age.key", "sign.key", "identity.json"}
            assert all(after[name] == there[name] for name in ("age.key", "sign.key") if name in there)
            assert done.name == ("new" if deed == "rename" else "max")

        assert crash.explore(starter, act, template, root, faults, judge) >= least


def test_many_at_once(tmp_path: Path) -> None:
    """Many who make the keys at once have the same, and one of them gave the address."""
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    program = PROGRAM % (
        str(ROOT / "scripts"), 'print(keys.make(environ, sys.argv[1] + "@example.org", sys.argv[1]).verify_key)'
    )  # fmt: skip
    running = [
        subprocess.Popen([sys.executable, "-c", program, f"max{number}"], env=env, stdout=subprocess.PIPE, text=True)
        for number in range(5)
    ]
    printed = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0] * 5
    assert printed == {keys.load(env).verify_key + "\n"}
    assert keys.load(env).name in {f"max{number}" for number in range(5)}


def test_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes or changes anything waits for whoever is just doing so."""

    class Waits(BaseException):
        pass

    def wait(_seconds: float) -> None:
        raise Waits

    env = {"HOME": str(tmp_path)}
    first = keys.make(env, "max@example.org", "max")
    calls: dict[str, Callable[[], Any]] = {
        "make": lambda: keys.make(env, "max@example.org", "max"),
        "rename": lambda: keys.rename(env, "max@example.org", "max"),
        "device": lambda: keys.begin_device(env, "max@example.org", "file:///store"),
        "adopt": lambda: keys.adopt(env, uid=first.uid, address=first.address, name=first.name, seed=first.seed),
    }
    for call in calls.values():
        with monkeypatch.context() as patch, lock.guard(me.folder(env), "@keys"):
            patch.setattr(time, "sleep", wait)
            with pytest.raises(Waits):
                call()
        call()
    assert keys.load(env) == first


def test_never_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that somebody who knows no lock of ours puts there meanwhile is kept."""
    env, random = {"HOME": str(tmp_path)}, os.urandom
    path = Path(me.folder(env)) / "sign.key"

    def urandom(size: int) -> bytes:
        path.write_text(SEED.hex())
        path.chmod(0o600)
        return random(size)

    monkeypatch.setattr(os, "urandom", urandom)
    with pytest.raises(CannotWrite):
        keys.make(env, "max@example.org", "max")
    monkeypatch.undo()
    assert keys.make(env, "max@example.org", "max").seed == SEED


@pytest.mark.parametrize("deed", DEEDS)
def test_durable(deed: str, tmp_path: Path) -> None:
    """Each file is durable before it has its name, and the names of the keys are before there is an identity."""
    act, _, env = prepared(deed, tmp_path)
    place = me.folder(env)
    with trace.Traced(
        [sys.executable, str(act.script)], cwd=act.cwd, env={**env, "PYTHONDONTWRITEBYTECODE": "1"}
    ) as run:
        calls = [call for call in run.finish().calls if call.done]
    assert run.status == 0, run.stderr()
    pending: set[str] = set()
    named = []
    for number, call in enumerate(calls):
        if call.name == "fsync" and call.paths == [place]:
            pending.clear()
        elif call.name in ("link", "linkat", "rename", "renameat", "renameat2") and call.paths[-1].startswith(place):
            source, path = call.paths[0], call.paths[-1]
            assert any(other.name == "fsync" and other.paths == [source] for other in calls[:number]), call
            if path.endswith("identity.json"):
                assert not pending
            pending.add(path)
            named.append(os.path.basename(path))
    assert not pending
    assert named == {
        "make": ["age.key", "sign.key", "identity.json"], "rename": ["identity.json"],
        "adopt": ["sign.key", "identity.json"],
    }[deed]  # fmt: skip


# ---- Another name, another device ---------------------------------------------------------------


def test_rename(tmp_path: Path) -> None:
    """The address and the name change and nothing else does."""
    env = {"HOME": str(tmp_path)}
    with pytest.raises(NotSetUp):
        keys.rename(env, "max@example.org", "max")
    before = keys.make(env, "max@example.org", "max")
    renamed = keys.rename(env, "Max@New.example.org", "maximilian")
    assert renamed == keys.load(env)
    assert (renamed.address, renamed.name) == ("max@new.example.org", "maximilian")
    assert (renamed.uid, renamed.seed, renamed.identity) == (before.uid, before.seed, before.identity)
    for address, name in (("max", "max"), ("max@example.org", "list")):
        with pytest.raises(InvalidLetter):
            keys.rename(env, address, name)
    assert keys.load(env) == renamed


def test_another_device(tmp_path: Path) -> None:
    """A second device is the same person with the same signing key, and has an age key of its own."""
    one, two = ({"HOME": str(tmp_path / name)} for name in ("one", "two"))
    first = keys.make(one, "max@example.org", "max")
    with pytest.raises(NotSetUp):
        keys.device(two)
    recipient = keys.begin_device(two, "max@example.org", "file:///store")
    assert keys.begin_device(two, "max@example.org", "file:///store") == recipient
    assert keys.device(two)[1] == recipient == seal.recipient_of(keys.device(two)[0])
    assert me.known(two) is None
    about = {"uid": first.uid, "address": first.address, "name": first.name, "seed": first.seed}
    second = keys.adopt(two, **about)  # type: ignore[arg-type]
    assert second == keys.load(two)
    assert keys.adopt(two, **about) == second  # type: ignore[arg-type]
    assert (second.uid, second.verify_key, second.seed) == (first.uid, first.verify_key, first.seed)
    assert second.recipient == recipient != first.recipient
    assert keys.device(two) == (second.identity, recipient)
    assert keys.load(one) == first


def test_a_later_key_of_the_same_person(tmp_path: Path) -> None:
    """The id of a person is that of the first key, and stays when another signing key is adopted with it."""
    env = {"HOME": str(tmp_path)}
    uid = seal.uid_of(seal.verify_key_of(b"\x09" * 32))
    assert keys.adopt(env, uid=uid, address="max@example.org", name="max", seed=SEED).uid == uid
    assert keys.load(env).verify_key == seal.verify_key_of(SEED)


@pytest.mark.parametrize("seed", [SEED, None], ids=["another person", "another key"])
def test_somebody_is_there(seed: Any, tmp_path: Path) -> None:
    """Where another person or another key is set up nothing is adopted, and nothing of theirs is changed."""
    env = {"HOME": str(tmp_path)}
    there = keys.make(env, "alex@example.org", "alex")
    before = content(Path(me.folder(env)))
    given = (UID, there.seed) if seed is None else (there.uid, seed)
    for uid, other in (given, (UID, SEED)):
        with pytest.raises(InvalidLetter, match=r"alex@example\.org"):
            keys.adopt(env, uid=uid, address="max@example.org", name="max", seed=other)
    assert content(Path(me.folder(env))) == before


@pytest.mark.parametrize(
    "change",
    [{"uid": ""}, {"uid": UID + "a"}, {"uid": UID.upper()}, {"uid": "../" + UID[3:]}, {"uid": UID + "\n"},
     {"seed": b""}, {"seed": SEED + b"\0"}, {"address": "max"}, {"name": "list"}],
    ids=str,
)  # fmt: skip
def test_nothing_to_adopt(change: dict[str, Any], tmp_path: Path) -> None:
    """What cannot be an identity is refused, and leaves nothing; the right one is then adopted."""
    env = {"HOME": str(tmp_path)}
    about: dict[str, Any] = {"uid": UID, "address": "max@example.org", "name": "max", "seed": SEED}
    with pytest.raises(InvalidLetter):
        keys.adopt(env, **{**about, **change})
    assert content(Path(me.folder(env))) == {}
    assert me.known(env) is None
    assert keys.adopt(env, **about).uid == UID
