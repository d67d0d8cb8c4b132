"""A sealed document is opened by those it is for, whole and unchanged, and was signed by who it says; else refused."""

from __future__ import annotations

import base64
import subprocess
import sys
import textwrap
from typing import Any, Callable

import pytest

from agent_team_os.post import seal
from support.cli import ROOT

ORDER = 2**252 + 27742317777372353535851937790883648493  # of the group of Ed25519
SEED, OTHER_SEED = b"\x07" * 32, b"\x08" * 32
KEY, OTHER_KEY = seal.verify_key_of(SEED), seal.verify_key_of(OTHER_SEED)
LETTER = {"kind": "letter", "to": "alex", "id": 7, "text": "Grüße € \u2028", "files": [{"size": 3}], "answers": None}
# The points of low order of Curve25519 as recipients, in both forms of those that have two: no key has these.
LOW = [
    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
    "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
    "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhqqqzyt4v9",
    "age1t7wft09r2zxzfvwsk92eeql0tvzyghxytqwgapkcyf8dm5ylz9ts6wm9s8",
    "age1anlllllllllllllllllllllllllllllllllllllllllllllllals4n2t7m",
    "age1ahlllllllllllllllllllllllllllllllllllllllllllllllalsn46ayy",
    "age1amlllllllllllllllllllllllllllllllllllllllllllllllalselrwrv",
    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqzqqsuwj9m",
]


@pytest.fixture(scope="module")
def devices() -> list[tuple[str, str]]:
    """Three devices, each an identity and its recipient."""
    return [seal.new_identity() for _ in range(3)]


def refused(call: Callable[..., Any], *args: Any) -> str:
    """Why a call was refused: part of a sentence."""
    with pytest.raises(seal.Refused) as caught:
        call(*args)
    assert "\n" not in caught.value.why
    assert caught.value.why[-1] not in ".:"
    return caught.value.why


# ---- The one form -------------------------------------------------------------------------------


def deep(levels: int) -> dict[str, Any]:
    """An object of so many levels."""
    document: dict[str, Any] = {"kind": "letter"}
    for _ in range(levels - 1):
        document = {"a": document}
    return document


def test_canonical() -> None:
    """The same document has the same bytes whatever the order of its keys, and reads back as itself."""
    turned = dict(reversed(list(LETTER.items())))
    assert seal.canonical(turned) == seal.canonical(LETTER)
    assert seal.parsed(seal.canonical(LETTER)) == LETTER
    assert (
        seal.canonical({"b": [2, {"d": "\n", "c": False}], "a": "é"})
        == b'{"a":"\xc3\xa9","b":[2,{"c":false,"d":"\\n"}]}'
    )
    assert seal.parsed(seal.canonical(deep(32))) == deep(32)
    assert seal.canonical({"most": 2**53 - 1, "least": 1 - 2**53})


@pytest.mark.parametrize(
    "value",
    [1.0, 0.1, float("nan"), float("inf"), 2**53, -(2**53), "\ud800", {"\ud800": 1}, {"é": 1}, {1: 1}, b"x", (1,),
     {"a": {1.5}}, deep(32)],
    ids=repr,
)  # fmt: skip
def test_no_canonical_form(value: Any) -> None:
    """What other programs may write or read differently is never signed, however deep it lies."""
    for document in ({"kind": "letter", "x": value}, {"kind": "letter", "x": [{"y": value}]}):
        refused(seal.canonical, document)
        refused(seal.sign, document, SEED)
    refused(seal.canonical, [LETTER])


# ---- Signatures ---------------------------------------------------------------------------------


def test_signed() -> None:
    """A signed document is the document and its signature, and passes with the key of who signed it."""
    signed = seal.sign(LETTER, SEED)
    assert {**signed, "signature": ""} == {**LETTER, "signature": ""}
    seal.check(signed, KEY)
    seal.check(dict(reversed(list(signed.items()))), KEY)
    assert seal.sign(signed, SEED) == signed
    assert "signature" not in LETTER


@pytest.mark.parametrize(
    "change",
    [{"text": "Gruesse"}, {"to": "max"}, {"id": 8}, {"id": True}, {"files": []}, {"answers": ""}, {"more": None},
     {"kind": "receipt"}, {"kind": 1}],
    ids=str,
)  # fmt: skip
def test_changed_after_signing(change: dict[str, Any]) -> None:
    """Whatever is changed, added or taken away, the kind of document too, the signature is no longer its own."""
    signed = seal.sign(LETTER, SEED)
    seal.check(signed, KEY)
    refused(seal.check, {**signed, **change}, KEY)
    for name in change.keys() & LETTER.keys():
        refused(seal.check, {key: signed[key] for key in signed if key != name}, KEY)


def test_no_kind() -> None:
    """A signature over a document that does not say its kind serves for none."""
    for kind in ({}, {"kind": None}, {"kind": 1}, {"kind": ["letter"]}):
        document = {**kind, "to": "alex"}
        refused(seal.check, {**document, "signature": seal.signature_of(seal.canonical(document), SEED)}, KEY)
    document = {"kind": "letter", "to": "alex"}
    seal.check({**document, "signature": seal.signature_of(seal.canonical(document), SEED)}, KEY)


def test_no_signature() -> None:
    """No signature, half of one, one in another form and that of somebody else are all refused."""
    signed = seal.sign(LETTER, SEED)
    good = signed["signature"]
    other = seal.sign(LETTER, OTHER_SEED)["signature"]
    more = (int.from_bytes(bytes.fromhex(good)[32:], "little") + ORDER).to_bytes(32, "little").hex()
    for bad in (None, 1, "", good[:-2], good + "00", good.upper(), f" {good}", f"{good}\n", "0" * 128, other,
                good[:64] + more, good[64:] + good[:64]):  # fmt: skip
        refused(seal.check, {**signed, "signature": bad}, KEY)
    assert refused(seal.check, LETTER, KEY) == "it has no signature"
    assert refused(seal.check, signed, OTHER_KEY) == "its signature is not that of its sender"
    seal.check(signed, KEY)


def test_no_key() -> None:
    """A key in another form, and one under which a signature fits every message, verify nothing."""
    signed = seal.sign(LETTER, SEED)
    for bad in (None, 1, "", KEY[:-2], KEY + "00", KEY.upper(), f"{KEY}\n", bytes.fromhex(KEY)):
        refused(seal.check, signed, bad)
    for point in ("01" + "00" * 31, "00" * 32, "ec" + "ff" * 30 + "7f"):
        everything = {**LETTER, "signature": "01" + "00" * 63}
        refused(seal.check, everything, point)
    seal.check(signed, KEY)


def test_mistakes_of_our_own() -> None:
    """A document without a kind and a seed of another length are never signed with."""
    for document in ({}, {"text": "x"}, {"kind": None}):
        with pytest.raises(ValueError, match="kind"):
            seal.sign(document, SEED)
    for seed in (b"", SEED[:-1], SEED + b"\0"):
        with pytest.raises(ValueError, match="32 bytes"):
            seal.sign(LETTER, seed)
        with pytest.raises(ValueError, match="32 bytes"):
            seal.verify_key_of(seed)


# ---- Encryption ---------------------------------------------------------------------------------


def test_for_some_and_nobody_else(devices: list[tuple[str, str]]) -> None:
    """Each recipient opens it, another device does not, and the bytes say nothing of what is in it."""
    (one, to_one), (two, to_two), (three, _) = devices
    data = seal.sealed(LETTER, SEED, [to_one, to_two])
    for identity in (one, two):
        document = seal.opened(data, identity)
        seal.check(document, KEY)
        assert document == seal.sign(LETTER, SEED)
    assert "not encrypted for this device" in refused(seal.opened, data, three)
    assert not any(word in data for word in (b"alex", b"letter", to_one.encode(), KEY.encode()))
    assert seal.sealed(LETTER, SEED, [to_one, to_two]) != data


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_any_size(size: int, devices: list[tuple[str, str]]) -> None:
    """Nothing, and what fills one part of an age file or more, comes back whole."""
    data = bytes(number * 7 % 251 for number in range(size))
    assert seal.decrypt(seal.encrypt(data, [devices[0][1]]), devices[0][0]) == data


def test_no_recipient(devices: list[tuple[str, str]]) -> None:
    """Nothing is encrypted for nobody, nor for anything that is no X25519 recipient, not even beside one that is."""
    identity, good = devices[0]
    with pytest.raises(ValueError, match="nobody"):
        seal.encrypt(b"x", [])
    other = devices[1][1]
    for bad in ("", "alex", good[:-1], good + "q", good.upper(), f"{good}\n", other[:-6] + good[-6:], identity,
                "ssh-ed25519 AAAA", 1, None):  # fmt: skip
        refused(seal.encrypt, b"x", [good, bad])
    assert seal.decrypt(seal.encrypt(b"x", [good]), identity) == b"x"


@pytest.mark.parametrize("recipient", LOW)
def test_recipient_without_a_secret(recipient: str, devices: list[tuple[str, str]], capfd: Any) -> None:
    """A recipient that would give everybody the same secret is refused, and breaks nothing off."""
    assert "keeps a secret" in refused(seal.encrypt, b"x", [devices[0][1], recipient])
    assert capfd.readouterr() == ("", "")


def test_changed_on_the_way(devices: list[tuple[str, str]]) -> None:
    """Changed in any one byte, cut off anywhere, continued, doubled or armoured it is not opened."""
    identity, recipient = devices[0]
    data = seal.sealed(LETTER, SEED, [devices[1][1], recipient])
    assert seal.opened(data, identity)["to"] == "alex"
    for at in range(len(data)):
        for bit in (0x01, 0x80):
            changed = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
            refused(seal.opened, changed, identity)
        refused(seal.opened, data[:at], identity)
    armour = "-----BEGIN AGE ENCRYPTED FILE-----\n{}\n-----END AGE ENCRYPTED FILE-----\n".format(
        "\n".join(textwrap.wrap(base64.b64encode(data).decode(), 64))
    ).encode()
    for other in (data + b"\0", data + data, b"\n" + data, armour, b"", seal.canonical(LETTER)):
        refused(seal.opened, other, identity)


def test_no_identity(devices: list[tuple[str, str]]) -> None:
    """What is no identity is a mistake of ours, and the error does not repeat it: it may be a secret in part."""
    identity, recipient = devices[0]
    data = seal.encrypt(b"x", [recipient])
    for bad in ("", identity[:-1], identity + "Q", recipient):
        with pytest.raises(ValueError, match=r"^no age identity$"):
            seal.decrypt(data, bad)
        with pytest.raises(ValueError, match=r"^no age identity$"):
            seal.recipient_of(bad)
    assert seal.recipient_of(identity) == recipient


# ---- What is in it ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "letter"}', '{"kind":"letter"}\n', ' {"kind":"letter"}', '{"to":"alex","kind":"letter"}',
        '{"kind":"receipt","kind":"letter"}', '{"kind":"l\\u0065tter"}', '{"a":1.0,"kind":"letter"}',
        '{"a":-0,"kind":"letter"}', '{"a":1e3,"kind":"letter"}', '{"a":9007199254740993,"kind":"letter"}',
        '{"a":9007199254740992,"kind":"letter"}', '{"a":NaN,"kind":"letter"}', '{"a":"\\ud800","kind":"letter"}',
        '{"kind":"letter"}{}', '{"kind":"letter"', '["letter"]', '"letter"', "null", "", '\ufeff{"kind":"letter"}',
        '{"a":' + "[" * 40 + "]" * 40 + ',"kind":"letter"}', '{"é":1,"kind":"letter"}',
    ],
)  # fmt: skip
def test_another_form(text: str, devices: list[tuple[str, str]]) -> None:
    """Of a document only its one form counts, so that two programs cannot read it in two ways."""
    identity, recipient = devices[0]
    assert seal.opened(seal.encrypt(b'{"kind":"letter"}', [recipient]), identity) == {"kind": "letter"}
    refused(seal.opened, seal.encrypt(text.encode(), [recipient]), identity)


def test_no_word_of_the_sender() -> None:
    """A refusal is read by sessions, so it repeats nothing of what was refused."""
    for text in (b'{"Obey!\n":1,"Obey!\n":2}', b'{"Obey!":1.5}', '{"Öbey!":1}'.encode(), b"Obey!", b'{"a":"Obey!" }'):
        assert "bey" not in refused(seal.parsed, text)


def test_no_text(devices: list[tuple[str, str]]) -> None:
    """Bytes that are no UTF-8 are no document."""
    identity, recipient = devices[0]
    refused(seal.opened, seal.encrypt(b'{"kind":"\xff"}', [recipient]), identity)


# ---- Names of keys ------------------------------------------------------------------------------


def test_names() -> None:
    """Fingerprint, id and sum are what sha256sum and base32 say of the bytes of the key."""
    key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert seal.fingerprint(key) == "21fe 31df a154 a261 626b f854 046f d227"
    assert seal.uid_of(key) == "eh7ddx5bksrgcytl7bkai36se4"
    assert seal.digest(bytes.fromhex(key)) == "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9"
    for name in (seal.fingerprint, seal.uid_of):
        assert len({name(other) for other in (key, KEY, OTHER_KEY)}) == 3
        for bad in ("", key[:-1], key.upper(), f"{key}\n"):
            with pytest.raises(ValueError, match="64"):
                name(bad)


USE = """
import sys
sys.path.insert(0, sys.argv[1])
from agent_team_os.post import seal
from agent_team_os.protocol.errors import NotInstalled
signed = {"kind": "x", "signature": "0" * 128}
for call, *args in ((seal.require,), (seal.new_identity,), (seal.sign, {"kind": "x"}, b""),
                    (seal.check, signed, "0" * 64), (seal.encrypt, b"", ["age1"]), (seal.decrypt, b"", "")):
    try:
        call(*args)
    except NotInstalled as error:
        print(error.message, error.hint, sep=": ")
print(seal.digest(b""), seal.fingerprint("0" * 64), seal.parsed(b"{}"))
"""


def test_without_the_packages() -> None:
    """Without them every use says in one line what to install; sums and names need none."""
    command = [sys.executable, "-I", "-S", "-c", USE, str(ROOT / "scripts")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    *lines, last = done.stdout.splitlines()
    assert len(lines) == 6
    assert {line.split(": ", 1)[1] for line in lines} == {"Install it: pip install 'agent-team-os[msg]'"}
    assert {line.split(": ", 1)[0] for line in lines} == {
        f"ato msg needs {package}, which is missing" for package in ("PyNaCl", "pyrage")
    }
    assert last.startswith("e3b0c442")
