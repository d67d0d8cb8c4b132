"""Objects made to cost time or to stand in the way: refused before they cost anything, and all else goes on."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]
import pytest

from agent_team_os.post import keys, letter, seal, spool
from support import letters
from test_post_slow_line import Line, line  # noqa: F401  # a fixture

HEADER = 16_384  # bytes of the header of an age file
STANZAS = 64  # one for each device it can be opened on
ENTRY = 16_384  # bytes of a directory entry


# ---- Headers of age -----------------------------------------------------------------------------


def base(data: bytes) -> bytes:
    """As age writes bytes."""
    return base64.b64encode(data).rstrip(b"=")


def stanza(arguments: bytes = b"", body: int = 32) -> bytes:
    """What age writes for a recipient; a body of whole lines ends with an empty one."""
    text = base(os.urandom(body))
    lines = [text[at : at + 64] for at in range(0, len(text) + 1, 64)]
    return b"-> X25519 " + (arguments or base(os.urandom(32))) + b"\n" + b"\n".join(lines) + b"\n"


def file(*stanzas: bytes, end: bool = True) -> bytes:
    """An age file with these stanzas, and with an end of its header or without one."""
    mark = b"--- " + base(os.urandom(32)) + b"\n" if end else b""
    return b"age-encryption.org/v1\n" + b"".join(stanzas) + mark + os.urandom(100)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "one stanza too many": lambda: file(*(stanza() for _ in range(STANZAS + 1))),
    "thousands of stanzas": lambda: file(*(stanza() for _ in range(6_000))),
    "a header without an end": lambda: file(*(stanza() for _ in range(6_000)), end=False),
    "a long stanza": lambda: file(stanza(body=48 * 300)),
    "a long line": lambda: file(stanza(b"A" * HEADER)),
    "many arguments": lambda: file(stanza(b"A " * HEADER + b"A")),
    "a header somewhat too large": lambda: file(*(stanza(body=48 * 8) for _ in range(32))),
    "nothing but a line": lambda: b"age-encryption.org/v1\n-> " + b"A" * 900_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_header_that_costs_time(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header larger than any can be is refused before age sees it, as a letter and as a file; others arrive."""
    max_, alex, eve = letters.writers(tmp_path)
    data = HOSTILE[name]()
    assert len(data) <= letter.MAX_SEALED
    key = letters.put(eve.url, letter.letter_key(eve.uid, alex.uid, letter.new_id(1000)), data)
    letter_id = eve.send(alex, "with a file", eve.file("a.txt", b"x"))
    eve.sync()
    letters.put(eve.url, letter.attachment_key(eve.uid, alex.uid, letter_id, 0), data)
    max_.send(alex, "after it")
    max_.sync()
    seen: list[bytes] = []
    decrypt = pyrage.decrypt

    def counted(sealed: bytes, identities: Any) -> Any:
        seen.append(sealed)
        return decrypt(sealed, identities)

    monkeypatch.setattr(pyrage, "decrypt", counted)
    came = alex.sync()
    assert list(came["refused"]) == [key]
    assert sorted(alex.texts()) == ["after it", "with a file"]
    assert [sorted(one.faults) for one in alex.read() if one.document["attachments"]] == [[0]]
    assert len(seen) == 2
    assert data not in seen


def test_as_many_devices_as_two_people_can_have() -> None:
    """What is sealed to 41 devices, or to 63, opens on each of them; to 65 on none."""
    pairs = [seal.new_identity() for _ in range(STANZAS + 1)]
    for count in (41, STANZAS - 1):  # to which age may add a stanza for nobody
        data = seal.encrypt(b"hello", [recipient for _, recipient in pairs[:count]])
        assert [seal.decrypt(data, identity) for identity, _ in (pairs[0], pairs[count - 1])] == [b"hello"] * 2
    # As anybody could make it who has another program.
    to = [pyrage.x25519.Recipient.from_str(recipient) for _, recipient in pairs]
    with pytest.raises(seal.Refused):
        seal.decrypt(pyrage.encrypt(b"hello", to), pairs[0][0])


# ---- Entries ------------------------------------------------------------------------------------


def test_large_entries_are_not_fetched(tmp_path: Path, line: Line) -> None:  # noqa: F811
    """What is listed with more bytes than an entry can have is refused unread, whoever it is said to be of."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    large = set()
    for number in range(300):
        uid = base64.b32encode(number.to_bytes(17, "little")).decode().lower()[:26]
        key = letter.entry_key(uid, 1)
        path = letters.place(max_.url) / key
        path.parent.mkdir()
        with path.open("wb") as made:
            made.truncate(ENTRY + 1 if number < 150 else letter.MAX_SEALED)
        large.add(key)
    max_.send(alex, "hello")
    max_.sync()
    line.got.clear()
    came = alex.sync()
    assert set(came["refused"]) == large
    assert alex.texts() == ["hello"]
    assert alex.sync()["refused"] == {}
    assert [key for key in line.got if "/dir/" in key] == []
    late = letters.writer(tmp_path, max_.url, "eve")  # the control: entries as they should be are fetched
    assert late.known().keys() == {max_.uid, alex.uid, late.uid}


def in_the_way(path: Path) -> None:
    """A folder where the object should be: taken, and yet nothing is there."""
    path.mkdir()


def huge(path: Path) -> None:
    """More than any object can have."""
    with path.open("wb") as made:
        made.truncate(2_000_000)


def just_too_large(path: Path) -> None:
    """More than an entry can have."""
    path.write_bytes(b" " * (ENTRY + 1))


@pytest.mark.parametrize("obstacle", [in_the_way, huge, just_too_large, lambda path: path.write_bytes(b"{}")])
def test_what_is_in_the_way_of_an_own_entry(obstacle: Callable[[Path], None], tmp_path: Path) -> None:
    """Who cannot say another name, since their next entry is taken, is told so; letters come and go nevertheless."""
    max_, alex = letters.writers(tmp_path, "max", "alex")
    path = letters.place(max_.url) / letter.entry_key(max_.uid, 2)
    obstacle(path)
    keys.rename(max_.env, "max@bonnard.ai", "maxi")
    max_.send(alex, "to alex")
    alex.send(max_, "to max")
    alex.sync()
    done = max_.person.run("--json", "sync")
    assert done.returncode == 70, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["error"] in done.stderr
    assert max_.url in said["error"]
    assert (said["pushed"], said["fetched"]) == ({"alex@bonnard.ai": 1}, {"alex@bonnard.ai": 1})
    assert spool.ids(max_.home) == []
    alex.sync()
    assert (alex.texts(), max_.texts()) == (["to alex"], ["to max"])
    path.rmdir() if path.is_dir() else path.unlink()
    max_.sync()
    alex.sync()
    assert alex.known()[max_.uid]["entry"]["name"] == "maxi"


def test_setting_up_with_an_entry_in_the_way(tmp_path: Path) -> None:
    """The command that changes the name says it too, in words."""
    max_, _ = letters.writers(tmp_path, "max", "alex")
    huge(letters.place(max_.url) / letter.entry_key(max_.uid, 2))
    said = max_.person.at_terminal("--json", "setup", "--name", "maxi", "--yes")[1]
    assert "Traceback" not in said
    assert "internal" not in said
    assert max_.url in json.loads(said.splitlines()[0])["error"]
