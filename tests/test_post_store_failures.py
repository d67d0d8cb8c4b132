"""A store that is away, slow, full, broken or a liar: said in one plain sentence, and nothing is taken for done."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agent_team_os.post import store as stores
from agent_team_os.post.store import Denied, Missing, Store, StoreFailed
from agent_team_os.post.store_errors import refuse
from support import seaweed
from support.proxy import Proxy

MAX = "m" * 26
MINE = f"v1/from/{MAX}/to/{'a' * 26}"
DEEDS: dict[str, Callable[[Store], Any]] = {
    "put_new": lambda store: store.put_new(f"{MINE}/1.age", b"new"),
    "replace": lambda store: store.replace(f"{MINE}/1.age", b"new"),
    "get": lambda store: store.get(f"{MINE}/1.age", 1000),
    "size": lambda store: store.size(f"{MINE}/1.age"),
    "keys": lambda store: store.keys(MINE),
}


@pytest.fixture(scope="module")
def team() -> seaweed.Team:
    """A bucket that max may use."""
    return seaweed.team({"max": MAX})


@pytest.fixture
def proxy(team: seaweed.Team) -> Iterator[Proxy]:
    """What stands between max and the store."""
    with Proxy(team.endpoint) as proxy:
        yield proxy


def behind(proxy: Proxy, team: seaweed.Team, seconds: float = 20.0) -> Store:
    """The store as max sees it through a proxy."""
    return stores.open_store(team.url, dataclasses.replace(team, endpoint=proxy.url).environ("max"), seconds)


def refused(do: Callable[[], Any], *words: str) -> StoreFailed:
    """The refusal of a deed; it is one plain line, with these words in it, and a hint."""
    with pytest.raises(StoreFailed) as caught:
        do()
    error = caught.value
    assert all(word in error.message for word in words), error.message
    assert error.hint.endswith(".")
    for noise in ("\n", "{", "Error", "error", "secret of", "AWS4"):
        assert noise not in error.message + error.hint
    assert error.__cause__ is None
    return error


@pytest.mark.parametrize("deed", DEEDS)
def test_a_store_that_is_away(team: seaweed.Team, deed: str) -> None:
    """Where nobody listens, every call says that the store is away, and where it should be."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{free.getsockname()[1]}"
        away = dataclasses.replace(team, endpoint=f"http://{nobody}")
        store = stores.open_store(team.url, away.environ("max"))
        refused(lambda: DEEDS[deed](store), "is away", f"{team.url} at {nobody}")


@pytest.mark.parametrize("deed", DEEDS)
def test_a_store_that_never_answers(proxy: Proxy, team: seaweed.Team, deed: str) -> None:
    """A call ends when its time is over, however long the store is silent."""
    proxy.hangs = True
    refused(lambda: DEEDS[deed](behind(proxy, team, 0.3)), "is away", "did not answer in time")


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (507, "", StoreFailed, "is full"),
        (400, "<Code>QuotaExceeded</Code>", StoreFailed, "is full"),
        (403, "<Code>AccessDenied</Code>", Denied, "does not let you do that"),
        (403, "<Code>InvalidAccessKeyId</Code>", Denied, "does not know these credentials"),
        (400, "<Code>ExpiredToken</Code>", Denied, "they have expired"),
        (403, "<Code>RequestTimeTooSkewed</Code>", Denied, "the time of this machine"),
        (501, "<Code>NotImplemented</Code>", StoreFailed, "only where there is none"),
        (503, "<Code>SlowDown</Code>", StoreFailed, "trouble of its own"),
        (301, "<Code>PermanentRedirect</Code>", StoreFailed, "in another region"),
        (409, "<Code>ConditionalRequestConflict</Code>", StoreFailed, "two writes of one object at once"),
        (418, "<Code>secret of max</Code>", StoreFailed, "HTTP 418"),
    ],
)
def test_what_a_store_may_answer(
    proxy: Proxy, team: seaweed.Team, status: int, body: str, kind: type[StoreFailed], words: str
) -> None:
    """Each refusal of a server is said in words of ours, and none is taken for a key that is taken."""
    proxy.answers = [(status, f"<Error>{body}</Error>".encode())] * 10
    assert type(refused(lambda: DEEDS["put_new"](behind(proxy, team)), words)) is kind


def test_a_short_trouble_is_not_even_noticed(proxy: Proxy, team: seaweed.Team) -> None:
    """A server that is busy for a moment is asked again within the same call."""
    key = f"{MINE}/busy.age"
    proxy.answers = [(503, b"")] * 2
    assert behind(proxy, team).put_new(key, b"new") is True
    proxy.answers = [(500, b"")]
    assert behind(proxy, team).get(key, 100) == b"new"


def test_a_store_that_overwrites_is_found_out(proxy: Proxy, team: seaweed.Team) -> None:
    """A store that does not know `If-None-Match` fails the probe, and passes it where it does."""
    admin = stores.open_store(team.url, team.environ("admin"))
    proxy.put = lambda path, data: admin.replace(path.removeprefix(f"/{team.bucket}/"), data)
    (finding,) = stores.probe(behind(proxy, team), f"v1/from/{MAX}/probe/1")
    assert "overwrites objects" in finding
    proxy.put = None
    assert stores.probe(behind(proxy, team), f"v1/from/{MAX}/probe/2") == []


def test_a_store_that_loses_is_found_out(proxy: Proxy, team: seaweed.Team) -> None:
    """A store that has accepted an object and does not know it fails the probe; so does one that lists nothing."""
    store = behind(proxy, team)
    proxy.answers = [(200, b""), (412, b""), (404, b"<Error><Code>NoSuchKey</Code></Error>")]
    (finding,) = stores.probe(store, f"v1/from/{MAX}/probe/3")
    assert "does not find an object" in finding


def test_a_store_that_does_not_let_list_is_found_out(proxy: Proxy, team: seaweed.Team) -> None:
    """A probe says which of the things that a person needs is refused."""
    store = behind(proxy, team)
    proxy.refuses = "list-type"
    (finding,) = stores.probe(store, f"v1/from/{MAX}/probe/4")
    assert "could not list" in finding


@pytest.mark.parametrize("cut", [0, 1, 70_000])
def test_half_an_object_is_none(proxy: Proxy, team: seaweed.Team, cut: int) -> None:
    """An object whose bytes end too early again and again is an error, never shorter data."""
    key = f"{MINE}/{cut}.age"
    behind(proxy, team).put_new(key, bytes(300_000))
    proxy.cut = cut
    refused(lambda: behind(proxy, team, 2.0).get(key, 300_000), "is away")
    proxy.cut = None
    assert behind(proxy, team).get(key, 300_000) == bytes(300_000)


def test_a_line_that_breaks(proxy: Proxy, team: seaweed.Team) -> None:
    """Where the connection ends in the middle of an object, the rest is fetched within the same call."""
    key = f"{MINE}/breaks.age"
    behind(proxy, team).put_new(key, b"0123456789" * 30_000)
    proxy.cut = 200_000
    assert behind(proxy, team).get(key, 300_000) == b"0123456789" * 30_000


def test_an_answer_that_is_lost(proxy: Proxy, team: seaweed.Team) -> None:
    """A put whose answer was lost is not said to be done; the next try finds its very bytes under the key."""
    key = f"{MINE}/lost.age"
    proxy.cut = 0
    try:
        assert behind(proxy, team, 2.0).put_new(key, b"the letter") is False
    except StoreFailed:
        pass
    proxy.cut = None
    assert behind(proxy, team).put_new(key, b"the letter") is False
    assert behind(proxy, team).get(key, 100) == b"the letter"


def test_a_listing_is_one_request(proxy: Proxy, team: seaweed.Team) -> None:
    """A listing of what fits into one answer costs one request, and nothing is asked when a store is opened."""
    store = behind(proxy, team)
    assert proxy.seen == []
    store.keys(MINE)
    assert len(proxy.seen) == 1
    store.keys(MINE, after=f"{MINE}/1.age")
    assert len(proxy.seen) == 2


def test_words_for_what_cannot_be_played_here() -> None:
    """A name that nobody knows, a certificate nobody trusts and a line that went dead are said as what they are."""
    for said, words in (
        ('ConnectError("dns error", failed to lookup address information)', "its name is not known here"),
        ("error: InvalidCertificate(UnknownIssuer)", "does not trust"),
        ("kind: Connect, Os { code: 113, kind: HostUnreachable }", "is away"),
        ("Account must be specified", "needs the name of an account"),
        ("anything at https://user:key@example.org?sig=abc", "an answer this program does not know"),
    ):
        error = refuse(RuntimeError(said), "s3://team", "list v1")
        assert words in error.message
        assert "example.org" not in error.message + error.hint
    assert isinstance(refuse(PermissionError(13, "Permission denied"), "/srv", "list v1"), Denied)


def test_what_is_gone_is_missing(team: seaweed.Team) -> None:
    """An object that is not there is no failure of the store."""
    with pytest.raises(Missing):
        stores.open_store(team.url, team.environ("max")).get(f"{MINE}/none.age", 100)


def test_a_large_object_on_a_slow_line(team: seaweed.Team, proxy: Proxy) -> None:
    """How long a call may take grows with its bytes: what is too slow for a note is not for a file."""

    def slowly(_path: str, _data: bytes) -> None:
        time.sleep(1.0)  # the line is slow: that is what is tested

    proxy.put = slowly
    store = behind(proxy, team, seconds=0.3)
    refused(lambda: store.put_new(f"{MINE}/note.age", b"a note"), "did not answer in time")
    assert store.put_new(f"{MINE}/file.age", b"x" * 1_000_000)
