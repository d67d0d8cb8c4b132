"""A letter that is not what it has to be is refused, is named once, and keeps no other from arriving."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agent_team_os.post import letter, seal
from support import letters
from support.letters import Writer


class Scene(NamedTuple):
    """Who takes part: max writes to alex, eve may write into her own prefix, or worse."""

    max: Writer
    alex: Writer
    eve: Writer

    def put(self, document: dict[str, Any], signer: Writer, **at: str) -> str:
        """Put a letter to alex into the store, closed to alex and signed by somebody; its key."""
        return self.place(document, letters.sealed(document, signer, self.alex), **at)

    def place(self, document: dict[str, Any], data: bytes, **at: str) -> str:
        """Put some bytes where max's letter to alex stands, or where `at` says; the key."""
        where = {"sender": self.max.uid, "to": self.alex.uid, "letter_id": document["id"], **at}
        return letters.put(self.max.url, letter.letter_key(**where), data)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Three people who know each other."""
    return Scene(*letters.writers(tmp_path))


# What is put into the store, with a fault or without; the key under which alex finds it.
Attack = Callable[[Scene, bool], str]


def changed_after_signing(scene: Scene, wrong: bool) -> str:
    """Another text under max's signature."""
    document = seal.sign(letters.draft(scene.max, scene.alex), scene.max.keys.seed)
    if wrong:
        document["text"] = "Pay eve"
    return scene.place(document, seal.encrypt(seal.canonical(document), [scene.alex.keys.recipient]))


def signed_by_another(scene: Scene, wrong: bool) -> str:
    """Eve's signature on a letter from max."""
    return scene.put(letters.draft(scene.max, scene.alex), scene.eve if wrong else scene.max)


def written_to_another(scene: Scene, wrong: bool) -> str:
    """A letter of max to eve, which eve closes anew for alex."""
    return scene.put(letters.draft(scene.max, scene.eve if wrong else scene.alex), scene.max)


def from_another(scene: Scene, wrong: bool) -> str:
    """A letter that says it is from eve, in max's prefix."""
    return scene.put(letters.draft(scene.eve if wrong else scene.max, scene.alex), scene.max)


def copied_to_another_sender(scene: Scene, wrong: bool) -> str:
    """The bytes of max's letter, in eve's prefix."""
    return scene.put(letters.draft(scene.max, scene.alex), scene.max, **({"sender": scene.eve.uid} if wrong else {}))


def sent_once_more(scene: Scene, wrong: bool) -> str:
    """The bytes of a letter that has come, under a new id."""
    document = letters.draft(scene.max, scene.alex)
    key = scene.put(document, scene.max)
    if not wrong:
        return key
    scene.alex.sync()
    return scene.place(document, (letters.place(scene.max.url) / key).read_bytes(), letter_id=letter.new_id())


def _bytes(change: Callable[[bytes], bytes]) -> Attack:
    def attack(scene: Scene, wrong: bool) -> str:
        document = letters.draft(scene.max, scene.alex)
        data = letters.sealed(document, scene.max, scene.alex)
        return scene.place(document, change(data) if wrong else data)

    return attack


def _armoured(data: bytes) -> bytes:
    text = base64.encodebytes(data)
    return b"-----BEGIN AGE ENCRYPTED FILE-----\n" + text + b"-----END AGE ENCRYPTED FILE-----\n"


def closed_to_alex(scene: Scene, wrong: bool) -> str:
    """A letter to alex that is encrypted to somebody else."""
    document = letters.draft(scene.max, scene.alex)
    return scene.place(document, letters.sealed(document, scene.max, scene.eve if wrong else scene.alex))


def not_canonical(scene: Scene, wrong: bool) -> str:
    """The same document, signed well, with a space more."""
    document = seal.sign(letters.draft(scene.max, scene.alex), scene.max.keys.seed)
    data = seal.canonical(document)
    return scene.place(
        document, seal.encrypt(data.replace(b",", b", ", 1) if wrong else data, [scene.alex.keys.recipient])
    )


def of_another_kind(scene: Scene, wrong: bool) -> str:
    """A receipt of max's in the place of a letter."""
    document = letters.draft(scene.max, scene.alex)
    if wrong:
        document = letter.receipt(document["id"], scene.max.uid, scene.alex.uid, document["sent_at"])
    return scene.put(document, scene.max)


def _letter(change: dict[str, Any]) -> Attack:
    def attack(scene: Scene, wrong: bool) -> str:
        return scene.put(letters.draft(scene.max, scene.alex, **(change if wrong else {})), scene.max)

    return attack


def _name(name: str) -> Attack:
    return _letter({"attachments": [{"name": name, "size": 1, "sha256": "0" * 64}]})


ATTACKS: dict[str, tuple[Attack, str]] = {
    "changed after it was signed": (changed_after_signing, "signature is not that of its sender"),
    "signed by another": (signed_by_another, "signature is not that of its sender"),
    "written to another": (written_to_another, "it was written to somebody else"),
    "from another": (from_another, "it is from somebody else"),
    "copied to another sender": (copied_to_another_sender, "it is from somebody else"),
    "sent once more": (sent_once_more, "its id is that of another one"),
    "closed to alex": (closed_to_alex, "not encrypted for this device"),
    "truncated": (_bytes(lambda data: data[:-1]), "changed on the way"),
    "cut to half": (_bytes(lambda data: data[: len(data) // 2]), "changed on the way"),
    "appended": (_bytes(lambda data: data + b"\0"), "changed on the way"),
    "one bit": (_bytes(lambda data: data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]), "changed on the way"),
    "empty": (_bytes(lambda data: b""), "no age file"),
    "no age": (_bytes(lambda data: b"hello" * 100), "no age file"),
    "armoured": (_bytes(_armoured), "no age file"),
    "oversize": (_bytes(lambda data: data + bytes(letter.MAX_SEALED)), "larger than"),
    "not canonical": (not_canonical, "canonical form"),
    "another kind": (of_another_kind, "no valid message"),
    "a field more": (_letter({"reply_to": "x"}), "no valid message"),
    "another version": (_letter({"version": "2"}), "no valid message"),
    "no time": (_letter({"sent_at": "2026-13-40T25:00:00Z"}), "its time is none"),
    "long text": (_letter({"text": "ä" * 40_000}), "too long"),
    "slash": (_name("../../.bashrc"), "leads elsewhere"),
    "backslash": (_name("..\\x"), "leads elsewhere"),
    "dots": (_name(".."), "leads elsewhere"),
    "nul": (_name("a\0b"), "leads elsewhere"),
    "21 files": (
        _letter({"attachments": [{"name": "a", "size": 1, "sha256": "0" * 64}] * 21}), "no valid message",
    ),
    "a large file": (
        _letter({"attachments": [{"name": "a", "size": 10_485_761, "sha256": "0" * 64}]}), "no valid message",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_a_wrong_letter_is_refused(name: str, scene: Scene) -> None:
    """What is wrong with it is said once, nothing of it arrives, and the letters before and after it do."""
    attack, why = ATTACKS[name]
    scene.max.send(scene.alex, "before")
    scene.max.sync()
    key = attack(scene, True)
    scene.max.send(scene.alex, "after")
    scene.max.sync()
    came = scene.alex.sync()
    assert list(came["refused"]) == [key]
    assert why in came["refused"][key]
    texts = scene.alex.texts()
    assert texts == (["before", "Forged", "after"] if name == "sent once more" else ["before", "after"])
    right = attack(scene, False)  # the same without the fault
    came = scene.alex.sync()
    assert (came["refused"], came["fetched"]) == ({}, {"max@bonnard.ai": 1}), right
    assert scene.alex.texts() == [*texts, "Forged"]


def test_copied_to_another_reader(scene: Scene) -> None:
    """A letter to alex that somebody copies to eve is refused by her, also when it is closed to her."""
    document = letters.draft(scene.max, scene.alex)
    data = letters.sealed(document, scene.max, scene.alex, scene.eve)
    key = scene.place(document, data, to=scene.eve.uid)
    assert "written to somebody else" in scene.eve.sync()["refused"][key]
    scene.place(document, data)
    assert scene.alex.sync()["refused"] == {}
    assert (scene.alex.texts(), scene.eve.texts()) == (["Forged"], [])


@pytest.mark.parametrize("first", ["max", "eve"])
def test_an_id_of_another_sender(first: str, scene: Scene) -> None:
    """Who takes the id of somebody else's letter for one of their own hides neither, whichever comes first."""
    document = letters.draft(scene.max, scene.alex, "From max")
    copy = letters.draft(scene.eve, scene.alex, "From eve", id=document["id"])
    both = [
        (document, scene.max, {}, "max@bonnard.ai"),
        (copy, scene.eve, {"sender": scene.eve.uid}, "eve@bonnard.ai"),
    ]
    for letter_, signer, at, address in both if first == "max" else both[::-1]:
        scene.put(letter_, signer, **at)
        assert scene.alex.sync()["fetched"] == {address: 1}
    assert scene.alex.sync()["fetched"] == {}
    assert sorted(scene.alex.texts()) == ["From eve", "From max"]
    for one in scene.alex.read():
        assert one.document["text"].endswith(scene.alex.known()[one.document["from"]]["entry"]["name"])
    assert len(letters.stored(scene.alex.url, "/ack/")) == 0
    scene.alex.sync()
    assert {key.split("/")[4] for key in letters.stored(scene.alex.url, "/ack/")} == {scene.max.uid, scene.eve.uid}
    assert "2 messages have the id" in scene.alex.person.refused(1, "unknown-letter", "read", document["id"])["message"]


def test_replaced_later(scene: Scene) -> None:
    """A refused object is looked at again when its size is another one, else in a day; of the same it says nothing."""
    document = letters.draft(scene.max, scene.alex)
    data = letters.sealed(document, scene.max, scene.alex)
    key = scene.place(document, data[:-1] + bytes([data[-1] ^ 1]))
    assert key in scene.alex.sync()["refused"]
    scene.place(document, data)
    came = scene.alex.sync()
    assert (came["refused"], came["fetched"]) == ({}, {})  # of the same size, and so not looked at
    note = scene.alex.person.mail / "sync.json"
    state = json.loads(note.read_bytes())
    state["refused"][key]["at"] -= 86_401
    note.write_text(json.dumps(state))
    scene.place(document, data[:-1] + bytes([data[-1] ^ 2]))
    assert scene.alex.sync()["refused"] == {}  # once more for the same reason
    scene.place(document, data[:-1])
    assert key in scene.alex.sync()["refused"]
    scene.place(document, data)
    assert scene.alex.sync()["fetched"] == {"max@bonnard.ai": 1}
    assert scene.alex.sync() == {**scene.alex.sync(), "fetched": {}, "held": {}, "refused": {}}


def test_what_the_store_does_not_give(scene: Scene) -> None:
    """An object we may not read is held and named each time, the others come; it comes when we may."""
    scene.max.send(scene.alex, "closed")
    scene.max.sync()
    [key] = letters.stored(scene.max.url, f"/to/{scene.alex.uid}/")
    scene.max.send(scene.alex, "open")
    scene.max.sync()
    path = letters.place(scene.max.url) / key
    path.chmod(0)
    for fetched in ({"max@bonnard.ai": 1}, {}):
        told = scene.alex.person.json("sync")  # root may read anything, but not what runs as a person does
        assert (list(told["held"]), told["fetched"]) == ([key], fetched)
    path.chmod(0o600)
    came = scene.alex.sync()
    assert (came["held"], came["fetched"]) == ({}, {"max@bonnard.ai": 1})
    assert scene.alex.texts() == ["open", "closed"]
