"""Whoever has the key file of a device and Debian's `age` reads what was sealed for it, and can seal for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent_team_os.post import keys, me, seal

LARGE = bytes(number * 11 % 253 for number in range(150_000))


def age(program: str, *args: str, given: bytes = b"") -> bytes:
    """What the program prints; AssertionError with what it says if it fails."""
    done = subprocess.run([program, *args], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Somebody without any keys yet."""
    return {"HOME": str(tmp_path)}


@pytest.mark.parametrize("data", [b"", b"text", LARGE], ids=len)
def test_both_ways(data: bytes, env: dict[str, str]) -> None:
    """`age` opens with the key file what was encrypted here, and what `age` encrypted is opened here."""
    mine = keys.make(env, "max@example.org", "max")
    path = str(Path(me.folder(env)) / "age.key")
    other = seal.new_identity()[1]
    assert age("age", "-d", "-i", path, given=seal.encrypt(data, [other, mine.recipient])) == data
    assert seal.decrypt(age("age", "-r", mine.recipient, "-r", other, given=data), mine.identity) == data
    assert seal.decrypt(age("age", "-e", "-i", path, given=data), mine.identity) == data


def test_a_sealed_letter(env: dict[str, str]) -> None:
    """A sealed document that `age` opens is its one form, which was signed."""
    mine = keys.make(env, "max@example.org", "max")
    letter = {"kind": "letter", "to": "alex", "text": "Grüße"}
    path = str(Path(me.folder(env)) / "age.key")
    data = age("age", "-d", "-i", path, given=seal.sealed(letter, mine.seed, [mine.recipient]))
    assert data == seal.canonical(seal.sign(letter, mine.seed))


def test_key_file(env: dict[str, str]) -> None:
    """The key file is one of `age-keygen`, which finds the same recipient in it."""
    mine = keys.make(env, "max@example.org", "max")
    path = Path(me.folder(env)) / "age.key"
    assert age("age-keygen", "-y", str(path)).decode().strip() == mine.recipient
    assert f"# public key: {mine.recipient}\n" in path.read_text()


def test_a_key_of_the_persons_own(env: dict[str, str]) -> None:
    """A key that `age-keygen` made there before is used, and its file not touched."""
    path = Path(me.folder(env)) / "age.key"
    path.parent.mkdir(parents=True)
    age("age-keygen", "-o", str(path))
    before = path.read_bytes()
    mine = keys.make(env, "max@example.org", "max")
    assert mine.identity in before.decode()
    assert path.read_bytes() == before


def test_armour(env: dict[str, str]) -> None:
    """The armoured form, a second one of the same content, is refused; the plain one is not."""
    mine = keys.make(env, "max@example.org", "max")
    with pytest.raises(seal.Refused):
        seal.decrypt(age("age", "-a", "-r", mine.recipient, given=b"text"), mine.identity)
    assert seal.decrypt(age("age", "-r", mine.recipient, given=b"text"), mine.identity) == b"text"
