"""The keys of a person are theirs alone: who may read them, where they are, what is refused, what is never lost."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

import pytest

from agent_team_os.post import keys, me, seal
from agent_team_os.protocol.errors import CannotWrite, InvalidLetter, NotSetUp
from support.cli import ROOT

FILES = ("age.key", "sign.key", "identity.json")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Somebody without any keys yet."""
    return {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "config")}


def place(env: Mapping[str, str]) -> Path:
    """The folder of the keys."""
    return Path(me.folder(env))


def content(env: Mapping[str, str]) -> dict[str, bytes]:
    """What is in the files of the folder."""
    return {path.name: path.read_bytes() for path in place(env).iterdir() if path.is_file()}


def not_set_up(call: Callable[..., Any], *args: Any) -> str:
    """What somebody is told whose keys cannot be used, with what to do."""
    with pytest.raises(NotSetUp) as caught:
        call(*args)
    assert caught.value.hint
    return f"{caught.value.message}. {caught.value.hint}"


# ---- Made, and found again ----------------------------------------------------------------------


def test_made(env: dict[str, str]) -> None:
    """What is made is found again by whoever loads it, fits together, and is made once only."""
    assert me.known(env) is None
    assert not_set_up(keys.load, env).endswith("ato msg setup")
    assert not place(env).exists()
    made = keys.make(env, "Max@Example.ORG", "Max")
    assert keys.load(env) == made == keys.make(env, "other@example.org", "other")
    assert me.known(env) == {"uid": made.uid, "address": "max@example.org", "name": "max"}
    assert (seal.verify_key_of(made.seed), seal.recipient_of(made.identity)) == (made.verify_key, made.recipient)
    assert made.uid == seal.uid_of(made.verify_key)
    assert json.loads((place(env) / "identity.json").read_bytes()) == {
        name: getattr(made, name) for name in ("uid", "address", "name", "verify_key", "recipient")
    }


def test_nobody_has_the_same(tmp_path: Path) -> None:
    """Two people have no key in common."""
    made = [keys.make({"HOME": str(tmp_path / name)}, f"{name}@example.org", name) for name in ("max", "alex")]
    for one, other in zip(*map(dataclasses.astuple, made)):
        assert one != other


def test_never_shown(env: dict[str, str]) -> None:
    """The text of the keys, which ends in tracebacks and logs, holds no secret."""
    made = keys.make(env, "max@example.org", "max")
    for text in (repr(made), str(made), f"{made}"):
        assert made.uid in text
        assert not any(
            secret in text for secret in (made.identity, made.identity[15:], made.seed.hex(), str(made.seed))
        )


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_modes(umask: int, env: dict[str, str]) -> None:
    """Whatever the umask, and whatever the folder was before, nobody else can read or change anything."""
    place(env).parent.mkdir()
    if umask == 0:
        place(env).mkdir(mode=0o755)
    before = os.umask(umask)
    try:
        keys.make(env, "max@example.org", "max")
        keys.rename(env, "alex@example.org", "alex")
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (place(env), *place(env).rglob("*"))}
    assert modes == {path: 0o700 if path.is_dir() else 0o600 for path in modes}
    assert {path.name for path in modes} >= set(FILES)


def test_known_needs_no_package(env: dict[str, str]) -> None:
    """Who this is can be asked without the packages, so that a send does not wait for them."""
    keys.make(env, "max@example.org", "max")
    script = "import os, sys; sys.path.insert(0, sys.argv[1]); from agent_team_os.post import me; "
    script += "print(me.known(os.environ)['name'], sys.modules.keys() & {'nacl', 'pyrage', 'cffi'})"
    command = [sys.executable, "-I", "-c", script, str(ROOT / "scripts")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("max set()\n", "")


def test_without_the_packages(env: dict[str, str]) -> None:
    """Without the packages nothing is made, and not even a folder is left."""
    script = "import os, sys; sys.path.insert(0, sys.argv[1]); from agent_team_os.post import keys; "
    script += "keys.make(os.environ, 'max@example.org', 'max')"
    command = [sys.executable, "-I", "-S", "-c", script, str(ROOT / "scripts")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert "NotInstalled" in done.stderr
    assert not place(env).parent.exists()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"XDG_CONFIG_HOME": "/config"}, "/config/agent-team-os"),
        ({"XDG_CONFIG_HOME": "config"}, "/home/max/.config/agent-team-os"),
        ({"XDG_CONFIG_HOME": ""}, "/home/max/.config/agent-team-os"),
        ({}, "/home/max/.config/agent-team-os"),
        ({"HOME": ""}, str(Path("~/.config/agent-team-os").expanduser())),
    ],
)
def test_place(given: dict[str, str], wanted: str) -> None:
    """The folder is where the XDG rules put it; a variable that is no absolute path does not count."""
    assert me.folder({"HOME": "/home/max", **given}) == wanted


# ---- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
@pytest.mark.parametrize("name", FILES)
def test_open_to_others(name: str, mode: int, env: dict[str, str]) -> None:
    """A file that others can open is refused with the command that mends it, and then it is taken."""
    made = keys.make(env, "max@example.org", "max")
    (place(env) / name).chmod(mode)
    said = not_set_up(keys.load, env)
    assert str(place(env) / name) in said
    assert not_set_up(keys.make, env, "max@example.org", "max") == said
    command = shlex.split(said.rsplit("Do: ", 1)[1])
    assert command[:2] == ["chmod", "600"]
    subprocess.run(command, check=True)
    assert keys.load(env) == made


def test_folder_open_to_others(env: dict[str, str]) -> None:
    """A folder in which others could put other keys is refused with the command that mends it."""
    made = keys.make(env, "max@example.org", "max")
    for mode in (0o770, 0o707, 0o1777):
        place(env).chmod(mode)
        said = not_set_up(keys.load, env)
        assert not_set_up(me.known, env) == said
        subprocess.run(shlex.split(said.rsplit("Do: ", 1)[1]), check=True)
        assert keys.load(env) == made


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "FIFO", "large file"])
@pytest.mark.parametrize("name", FILES)
def test_no_file(name: str, kind: str, env: dict[str, str], tmp_path: Path) -> None:
    """What is no file of its own under the name of one is neither followed, waited for nor replaced."""
    made = keys.make(env, "max@example.org", "max")
    path, away = place(env) / name, tmp_path / "away"
    path.rename(away)
    if "link" in kind:
        path.symlink_to(away if kind == "link" else tmp_path / "nowhere")
    elif kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path, 0o600)
    else:
        path.touch(0o600)
        os.truncate(path, 2**30)
    for call in (keys.load, begin_device) if name == "age.key" else (keys.load,):
        assert str(path) in not_set_up(call, env)
    assert str(path) in not_set_up(keys.make, env, "max@example.org", "max")
    assert not (tmp_path / "nowhere").exists()
    path.rmdir() if kind == "folder" else path.unlink()
    away.rename(path)
    assert keys.load(env) == made


def begin_device(env: dict[str, str]) -> str:
    """`msg device add` for the first time."""
    return keys.begin_device(env, "max@example.org", "file:///store")


def test_folder_is_a_link(env: dict[str, str], tmp_path: Path) -> None:
    """A link in the place of the folder is not followed, neither to read nor to write."""
    keys.make(env, "max@example.org", "max")
    away = place(env).rename(tmp_path / "away")
    place(env).symlink_to(away)
    before = {path.name: path.stat().st_mtime_ns for path in away.iterdir()}
    assert "symbolic link" in not_set_up(keys.load, env)
    with pytest.raises(CannotWrite):
        keys.make(env, "max@example.org", "max")
    assert {path.name: path.stat().st_mtime_ns for path in away.iterdir()} == before


DAMAGES = {
    "age.key": [b"", b"\xff", b"# only a comment\n", b"AGE-SECRET-KEY-1\n", b"{age}{age}", b"{age}x"],
    "sign.key": [b"", b"\xff", b"00", b"{sign}00", b"{SIGN}", b"{sign}{sign}"],
    "identity.json": [
        b"",
        b"{}",
        b"[]",
        b"{",
        b'{"uid": 1}',
        b"{identity}{identity}",
        b"{without name}",
        b"{no address}",
    ],
}


@pytest.mark.parametrize(("name", "damage"), [(name, damage) for name in FILES for damage in DAMAGES[name]])
def test_damaged(name: str, damage: bytes, env: dict[str, str]) -> None:
    """A damaged file is named, and never written over: a copy may bring back what it was."""
    keys.make(env, "max@example.org", "max")
    whole = content(env)
    about = json.loads(whole["identity.json"])
    parts = {
        b"{age}": whole["age.key"].splitlines(keepends=True)[-1],
        b"{sign}": whole["sign.key"].strip(),
        b"{SIGN}": whole["sign.key"].strip().replace(b"0", b"G"),
        b"{identity}": whole["identity.json"],
        b"{without name}": json.dumps({**about, "name": None}).encode(),
        b"{no address}": json.dumps({**about, "address": "max"}).encode(),
    }
    if b"0" not in whole["sign.key"]:
        parts[b"{SIGN}"] = b"G" * 64
    for word, text in parts.items():
        damage = damage.replace(word, text)
    (place(env) / name).write_bytes(damage)
    for call, *more in ((keys.load,), (keys.make, "max@example.org", "max"), (keys.rename, "a@b.org", "alex")):
        assert str(place(env) / name) in not_set_up(call, env, *more)
    assert content(env) == {**whole, name: damage}


def test_of_somebody_else(env: dict[str, str], tmp_path: Path) -> None:
    """A key beside an identity that names another one is refused, as is one that is gone; none is made in its place."""
    keys.make(env, "max@example.org", "max")
    keys.make({"HOME": str(tmp_path / "other")}, "alex@example.org", "alex")
    whole, other = content(env), content({"HOME": str(tmp_path / "other")})
    for name in ("age.key", "sign.key"):
        path = place(env) / name
        path.write_bytes(other[name])
        assert "identity.json" in not_set_up(keys.load, env)
        path.unlink()
        assert f"{path} is gone" in not_set_up(keys.load, env)
        assert f"{path} is gone" in not_set_up(keys.make, env, "max@example.org", "max")
        assert not path.exists()
        path.write_bytes(whole[name])
        path.chmod(0o600)
        assert keys.load(env).name == "max"


# ---- Addresses and names ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["", "max", "max@", "@example.org", "max@example..org", "max@example.org.", "max@.org", "max@@example.org",
     "max alex@example.org", "max@example.org\n", " max@example.org", "max@exa_mple.org", "max/../alex@example.org",
     "müller@example.org", "mac\u212a@example.org", "max@example.org\0", "a" * 243 + "@example.org",
     "max\u202e@example.org"],
    ids=ascii,
)  # fmt: skip
def test_no_address(address: str, env: dict[str, str]) -> None:
    """What is no address in ASCII letters is refused before a key is made."""
    for call in (me.check_address, lambda address: keys.make(env, address, "max")):
        with pytest.raises(InvalidLetter, match="is no address"):
            call(address)
    assert not place(env).exists()


def test_addresses() -> None:
    """An address has one form, whoever writes it, up to 254 characters."""
    assert me.check_address("Max.M%x+news_1-a@Mail.Example.ORG") == "max.m%x+news_1-a@mail.example.org"
    for address in ("max@localhost", "m@x", "a" * 242 + "@example.org"):
        assert me.check_address(address) == address


@pytest.mark.parametrize(
    "name",
    ["", "-max", ".max", "_max", "max alex", "max\n", "max/alex", "..", "m" * 33, "müller", "\u212a", "max@example.org",
     "--yes"],
    ids=ascii,
)  # fmt: skip
def test_no_name(name: str, env: dict[str, str]) -> None:
    """What could not be typed as a name, or looks like an option or a path, is refused before a key is made."""
    for call in (me.check_name, lambda name: keys.make(env, "max@example.org", name)):
        with pytest.raises(InvalidLetter, match="is no name"):
            call(name)
    assert not place(env).exists()


def test_names() -> None:
    """A name has one form; no verb of `msg` is one, in whatever letters."""
    for name in ("Max", "m", "4ever", "max.m_x-1", "m" * 32, "lists", "sender"):
        assert me.check_name(name) == name.lower()
    verbs = {"list", "read", "send", "users", "setup", "verify", "device", "sync", "outbox", "help"}
    assert verbs == me.VERBS
    for verb in me.VERBS:
        for name in (verb, verb.upper(), verb.title()):
            with pytest.raises(InvalidLetter, match="verb"):
                me.check_name(name)
