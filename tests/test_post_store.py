"""What every store of letters promises: in a folder, in memory, and with the rules of a person on a real S3 server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent_team_os.post import store as stores
from agent_team_os.post.store import Missing, Store, TooLarge
from support import seaweed

MAX, ALEX = "m" * 26, "a" * 26
MINE = f"v1/from/{MAX}"


@pytest.fixture(scope="module")
def team() -> seaweed.Team:
    """A bucket with a prefix, and max who may use it."""
    return seaweed.team({"max": MAX}, prefix="some/mail")


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store as max sees it. The one on S3 is the same for all tests, so each uses a folder of its own in it."""
    if request.param == "s3":
        team: seaweed.Team = request.getfixturevalue("team")
        yield stores.open_store(team.url, team.environ("max"))
    elif request.param == "folder":
        stores.make_folder_store(str(tmp_path / "store"))
        yield stores.open_store(str(tmp_path / "store"), {})
    else:
        yield stores.open_store(f"memory://{os.urandom(8).hex()}", {})


@pytest.fixture
def mine() -> str:
    """A prefix of max's that no other test uses."""
    return f"{MINE}/to/{os.urandom(13).hex()}"


@pytest.mark.parametrize("data", [b"", b"one line\n", bytes(range(256)) * 12_345], ids=["empty", "line", "3 MB"])
def test_what_was_put_is_there(store: Store, mine: str, data: bytes) -> None:
    """An object has the very bytes, and the size, of what was put there."""
    assert store.put_new(f"{mine}/1.age", data) is True
    assert store.get(f"{mine}/1.age", len(data)) == data
    assert store.size(f"{mine}/1.age") == len(data)
    assert store.keys(mine) == [(f"{mine}/1.age", len(data))]


def test_a_key_is_given_once(store: Store, mine: str) -> None:
    """A second object of the same key is refused, even with the same bytes, and the first one stays."""
    assert store.put_new(f"{mine}/1.age", b"first") is True
    assert store.put_new(f"{mine}/1.age", b"other") is False
    assert store.put_new(f"{mine}/1.age", b"first") is False
    assert store.get(f"{mine}/1.age", 100) == b"first"


def test_of_many_at_once_one_wins(store: Store, mine: str) -> None:
    """Of several that make an object of one key at once exactly one is told yes, and its bytes are there."""
    with ThreadPoolExecutor(3) as pool:  # SeaweedFS lets each wait a second for the one before
        said = list(pool.map(lambda number: store.put_new(f"{mine}/1.age", b"%d" % number), range(3)))
    assert sorted(said) == [False, False, True]
    assert store.get(f"{mine}/1.age", 100) == b"%d" % said.index(True)


def test_what_is_not_there(store: Store, mine: str) -> None:
    """A key without an object is Missing, has no size, and an unknown prefix lists nothing."""
    store.put_new(f"{mine}/1.age", b"1")
    for key in (f"{mine}/2.age", f"{mine}/1.age/1.age", f"{mine}/other/1.age"):
        with pytest.raises(Missing):
            store.get(key, 100)
        assert store.size(key) is None
    assert store.keys(f"{mine}/other") == []


def test_the_limit_holds_before_anything_is_read(store: Store, mine: str) -> None:
    """What is larger than the limit is TooLarge, and nobody is told of a single byte; the limit itself is allowed."""
    told: list[int] = []
    store.put_new(f"{mine}/1.age", bytes(1000))
    with pytest.raises(TooLarge):
        store.get(f"{mine}/1.age", 999, told.append)
    assert told == []
    assert store.get(f"{mine}/1.age", 1000, told.append) == bytes(1000)
    assert sum(told) == 1000


def test_progress_comes_in_parts(store: Store, mine: str) -> None:
    """While a large object is read, its parts are told one by one and add up to its size."""
    told: list[int] = []
    store.put_new(f"{mine}/1.age", bytes(5 << 20))
    store.get(f"{mine}/1.age", 10 << 20, told.append)
    assert sum(told) == 5 << 20
    assert len(told) > 2 or store.url.startswith("memory:")


def test_a_listing_is_sorted_and_goes_on(store: Store, mine: str) -> None:
    """A listing holds each object below a prefix once, in the order of keys, and only those behind a given one."""
    keys = [f"{mine}/{name}" for name in ("1.age", "1/0.age", "1/1.age", "10.age", "2.age", "A.age")]
    for number, key in enumerate(reversed(keys)):
        store.put_new(key, bytes(number))
    store.put_new(f"{mine}x/1.age", b"a neighbour")
    everything = [(key, len(keys) - 1 - number) for number, key in enumerate(sorted(keys))]
    assert store.keys(mine) == store.keys(f"{mine}/") == everything
    for number, (key, _) in enumerate(everything):
        assert store.keys(mine, after=key) == everything[number + 1 :]
    assert store.keys(mine, after=f"{mine}/1/00") == everything[2:]
    assert store.keys(mine, after=f"{mine}/a") == []
    assert store.keys(f"{mine}/1") == [entry for entry in everything if entry[0].startswith(f"{mine}/1/")]


def test_a_damaged_object_is_replaced(store: Store, mine: str) -> None:
    """An object can be given other bytes where that is asked for by name."""
    store.put_new(f"{mine}/1.age", b"damaged")
    store.replace(f"{mine}/1.age", b"as it was")
    assert store.get(f"{mine}/1.age", 100) == b"as it was"
    assert store.keys(mine) == [(f"{mine}/1.age", 9)]


@pytest.mark.parametrize(
    "key",
    ["", "/v1/from/a/b", "v1/from/a", "v1/from/../a/b", "v1/from/a/..", "v1/from/a/.", "v1/from//b", "v1/from/a/b/",
     "v1/from/a/.new", "v1/from/a/b#1", "v1/from/a/b\n", "v1/from/a/b c", "v1/from/a/é", "v1/from/a/" + "b" * 600],
)  # fmt: skip
def test_no_other_keys(store: Store, key: str) -> None:
    """What leads out of the store, is hidden in it or could be read in two ways is no key."""
    for deed in (lambda: store.put_new(key, b""), lambda: store.replace(key, b""), lambda: store.get(key, 1)):
        with pytest.raises(ValueError, match="no key of an object"):
            deed()
    for prefix in (key, "../v1", "/", ""):
        if prefix not in ("v1/from/a", "v1/from/a/b/"):
            with pytest.raises(ValueError, match="no prefix"):
                store.keys(prefix)


def test_a_fit_store_passes_the_probe(store: Store) -> None:
    """A probe finds nothing wrong with these stores, and where it may, it leaves nothing behind."""
    key = f"{MINE}/probe/{os.urandom(8).hex()}"
    assert stores.probe(store, key) == []
    assert store.size(key) is None or store.url.startswith("s3:")
    store.put_new(key + "x", b"there before")
    assert stores.probe(store, key + "x") == [f"It says that {key}x is there already, which nobody has made."]
    assert store.get(key + "x", 100) == b"there before"


@pytest.mark.full
def test_a_listing_of_several_pages_is_whole(store: Store, mine: str) -> None:
    """A listing holds all of 2,100 objects, more than a server gives at once, and goes on in the middle of them."""
    keys = [f"{mine}/{number:04}.age" for number in range(2100)]
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda key: store.put_new(key, b""), keys))
    assert [key for key, _ in store.keys(mine)] == keys
    assert [key for key, _ in store.keys(mine, after=keys[999])] == keys[1000:]
