"""The access rules of the documentation on a real S3 server: each person's prefix is theirs, and letters are private.

Each deed is done by somebody who may, so that it is known to be possible, and refused to all who may not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agent_team_os.post import store as stores
from agent_team_os.post.store import Denied, Missing, Store, StoreFailed
from support import seaweed

MAX, ALEX, EVE = "m" * 26, "a" * 26, "e" * 26
FROM, DIR = f"v1/from/{MAX}", f"v1/dir/{MAX}"
LETTER, FILE = f"{FROM}/to/{ALEX}/0001.age", f"{FROM}/to/{ALEX}/0001/0.age"
RECEIPT = f"v1/from/{ALEX}/ack/{MAX}/0001.age"
ENTRY = f"{DIR}/1.json"


@pytest.fixture(scope="module")
def team() -> seaweed.Team:
    """max has written to alex, with a file, and alex has read it; eve is one of them, too."""
    team = seaweed.team({"max": MAX, "alex": ALEX, "eve": EVE})
    for person, key in (("max", ENTRY), ("max", FILE), ("max", LETTER), ("alex", RECEIPT)):
        stores.open_store(team.url, team.environ(person)).put_new(key, key.encode())
    return team


def of(team: seaweed.Team, person: str) -> Store:
    return stores.open_store(team.url, team.environ(person))


def reads(key: str) -> Callable[[Store], Any]:
    return lambda store: store.get(key, 1000)


def lists(prefix: str) -> Callable[[Store], Any]:
    return lambda store: store.keys(prefix)


def writes(key: str) -> Callable[[Store], Any]:
    return lambda store: store.put_new(key, b"new")


def overwrites(key: str) -> Callable[[Store], Any]:
    return lambda store: store.replace(key, key.encode())


def copies(key: str, to: str) -> Callable[[Store], Any]:
    async def copy(store: Store) -> None:
        import obstore

        await obstore.copy_async(store._remote, key, to)

    return lambda store: store._wait(lambda _: copy(store), "copy")


# What is done, who may do it, and who may not.
DEEDS = {
    "read a letter": (reads(LETTER), "max alex", "eve"),
    "read an attachment": (reads(FILE), "max alex", "eve"),
    "see the size of a letter": (lambda store: store.size(LETTER), "max alex", "eve"),
    "list letters": (lists(f"{FROM}/to/{ALEX}"), "max alex", "eve"),
    "list the files of a letter": (lists(f"{FROM}/to/{ALEX}/0001"), "max alex", "eve"),
    "list all that somebody wrote": (lists(FROM), "max", "alex eve"),
    "list all that all wrote": (lists("v1/from"), "admin", "max alex eve"),
    "list everything": (lists("v1"), "admin", "max alex eve"),
    "read a receipt": (reads(RECEIPT), "max alex", "eve"),
    "list receipts": (lists(f"v1/from/{ALEX}/ack/{MAX}"), "max alex", "eve"),
    "read the directory": (reads(ENTRY), "max alex eve", ""),
    "list the directory": (lists("v1/dir"), "max alex eve", ""),
    "overwrite a letter": (overwrites(LETTER), "max", "alex eve"),
    "overwrite an entry": (overwrites(ENTRY), "max", "alex eve"),
    "overwrite a receipt": (overwrites(RECEIPT), "alex", "max eve"),
    "write a letter as max": (writes(f"{FROM}/to/{EVE}/0002.age"), "max", "alex eve"),
    "make an entry as max": (writes(f"{DIR}/2.json"), "max", "alex eve"),
    "say as alex that it was read": (writes(f"v1/from/{ALEX}/ack/{MAX}/0002.age"), "alex", "max eve"),
    "write beside the prefixes of people": (writes(f"v1/from/{MAX}x/to/0001.age"), "admin", "max alex eve"),
    "copy a letter within the store": (copies(LETTER, f"v1/from/{EVE}/to/{EVE}/stolen.age"), "admin", "alex eve"),
    "remove a letter": (lambda store: store.remove(LETTER), "admin", "max alex eve"),
    "remove an entry": (lambda store: store.remove(ENTRY), "admin", "max alex eve"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_who_may_do_what(team: seaweed.Team, deed: str) -> None:
    """The store itself refuses each deed to those whom it is none of the business of, and lets the others do it."""
    do, allowed, refused = DEEDS[deed]
    for person in refused.split():
        with pytest.raises(Denied, match="does not let you do that"):
            do(of(team, person))
    for person in allowed.split():
        do(of(team, person))


def test_strangers_are_refused(team: seaweed.Team) -> None:
    """Who has no key of the store, or a wrong one, may not even see whether there is something; none is said aloud."""
    for changes in (
        {"AWS_SECRET_ACCESS_KEY": "a wrong secret"},
        {"AWS_ACCESS_KEY_ID": "nobody-known"},
        {"AWS_SKIP_SIGNATURE": "true"},
    ):
        store = stores.open_store(team.url, {**team.environ("max"), **changes})
        for deed in (reads(LETTER), lists(FROM), writes(f"{FROM}/to/{ALEX}/0009.age"), lists("v1/dir")):
            with pytest.raises(Denied) as refusal:
                deed(store)
            said = f"{refusal.value.message} {refusal.value.hint}"
            assert "secret" not in said.lower().replace("aws_secret_access_key", "")
            assert team.environ("max")["AWS_ACCESS_KEY_ID"] not in said
            assert "\n" not in said


def test_another_bucket_is_another_matter(team: seaweed.Team) -> None:
    """The keys of one team open nothing in the bucket of another, nor one that is not there."""
    other = seaweed.team({"max": MAX})
    of(other, "max").put_new(LETTER, b"theirs")
    for bucket in (other.bucket, "no-such-bucket"):
        with pytest.raises(Denied):
            stores.open_store(f"s3://{bucket}", team.environ("max")).get(LETTER, 1000)


def test_a_missing_bucket_is_no_empty_store(team: seaweed.Team) -> None:
    """Where there is no bucket no object is Missing and no list is empty: the store itself is said to be wrong."""
    store = stores.open_store("s3://no-such-bucket", team.environ("admin"))
    for deed in (reads(LETTER), lists("v1"), writes(LETTER)):
        with pytest.raises(StoreFailed, match="has no such bucket"):
            deed(store)
    with pytest.raises(Missing):
        of(team, "admin").get(f"{FROM}/to/{ALEX}/none.age", 1000)
