"""Signatures, encryption and the signed form agree with what others have published of them (tests/vectors)."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from pathlib import Path

import pytest

from agent_team_os.post import seal

VECTORS = Path(__file__).parent / "vectors"
ED25519 = json.loads((VECTORS / "ed25519.json").read_bytes())
AGE = json.loads((VECTORS / "age.json").read_bytes())
# Of these pyrage also accepts an older form of the header, which the MAC covers like any other.
OLDER = {"stanza_missing_body", "stanza_missing_final_line"}


@pytest.mark.parametrize("name", ED25519)
def test_ed25519_as_published(name: str) -> None:
    """Key and signature are those of RFC 8032, and the signature is valid for that message and that key alone."""
    vector = ED25519[name]
    seed, message = bytes.fromhex(vector["secret key"]), bytes.fromhex(vector["message"])
    key, signature = vector["public key"], vector["signature"]
    assert seal.verify_key_of(seed) == key
    assert seal.signature_of(message, seed) == signature
    assert not seal.is_signature(signature, message + b"\0", key)
    for other in ED25519.values():
        assert seal.is_signature(signature, message, other["public key"]) == (other is vector)
        assert seal.is_signature(other["signature"], message, key) == (other is vector)


@pytest.mark.parametrize("name", AGE)
def test_age_as_published(name: str) -> None:
    """Of the published files those that are whole are opened, with the right content, and all others are refused."""
    head, file = base64.b64decode(AGE[name]).split(b"\n\n", 1)
    about = dict(line.split(": ", 1) for line in head.decode().splitlines())
    data = zlib.decompress(file) if about.get("compressed") == "zlib" else file
    if about["expect"] == "success":
        assert hashlib.sha256(seal.decrypt(data, about["identity"])).hexdigest() == about["payload"]
    elif name in OLDER:
        assert seal.decrypt(data, about["identity"]) == b"age"
    else:
        with pytest.raises(seal.Refused):
            seal.decrypt(data, about["identity"])


def test_canonical_as_published() -> None:
    """Text and literals have the form they have in RFC 8785, section 3.2.2."""
    given = rb'{"string":"\u20ac$\u000F\u000aA' + rb"'\u0042\u0022\u005c\\\"\/" + rb'","literals":[null,true,false]}'
    wanted = '{"literals":[null,true,false],"string":"€$\\u000f\\nA' + "'" + r"B\"\\\\\"/" + '"}'
    assert seal.canonical(json.loads(given)) == wanted.encode()
