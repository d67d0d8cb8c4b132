"""Ids are the only gate between text from outside and a path: nothing that is not a whole id passes."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import random
import string
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Callable, Optional

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent_team_os.bus import Bus
from agent_team_os.mail import tracing
from agent_team_os.protocol import home as layout
from agent_team_os.protocol import ids
from agent_team_os.protocol.errors import BusError
from support.cli import ROOT, ato, environment

PATIENT = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

SMALL = string.ascii_lowercase + string.digits
AGENT = st.text(SMALL + "_-", min_size=1, max_size=63).filter(lambda name: name[0] in SMALL)
STAMP = st.text(string.digits, min_size=14, max_size=14)
MESSAGE = st.builds(
    lambda stamp, end: f"msg-{stamp[:8]}T{stamp[8:]}Z-{end}", STAMP, st.text(SMALL, min_size=8, max_size=8)
)
THREAD = st.builds(lambda stamp, end: f"thread-{stamp[:8]}-{end}", STAMP, st.text(SMALL, min_size=6, max_size=6))
PLAN = st.builds(lambda stamp, end: f"plan-{stamp[:8]}-{end}", STAMP, st.text(SMALL, min_size=6, max_size=6))
SESSION_ID = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=128).filter(
    lambda name: name[0] not in "_-"
)
# What a path, a shell, a terminal or a careless pattern could take for something else.
HOSTILE = (
    "..", "../", "/..", "/", "\\", "\0", "\n", "\r\n", "\u2028", " ", ".", "~", "$HOME", "%2e%2e%2f", "\x1b[31m", "A",
    "é", "İ", "ſ", "１", "٣", "ａ", "\u200b", "\u202e", "\ud800", "-", "_", "@", "*", ".json", "",
)  # fmt: skip


@st.composite
def near(draw: st.DrawFn, valid: st.SearchStrategy[str]) -> str:
    """An id, or an id with something small wrong with it."""
    text = draw(valid)
    at = draw(st.integers(0, len(text)))
    part = draw(st.sampled_from(HOSTILE))
    return draw(
        st.sampled_from(
            (
                text,
                text[:at] + part + text[at:],
                text[:at] + part + text[at + 1 :],
                text[:at],
                text[at:],
                text + part,
                part + text,
                text.upper(),
                text.capitalize(),
                text * 2,
                text[:at] + text[at:] * 20,
            )
        )
    )


def anything(valid: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Valid ids, ids with something wrong, and any text at all."""
    return st.one_of(near(valid), st.text(max_size=140), st.sampled_from(HOSTILE))


# The same rules a second time, in words a pattern engine has no part in.


def agent_like(text: str) -> bool:
    return 1 <= len(text) <= 63 and set(text) <= set(SMALL + "_-") and text[0] in SMALL


def message_like(text: str) -> bool:
    digits = text[4:12] + text[13:19]
    return (
        len(text) == 29
        and (text[:4], text[12], text[19:21]) == ("msg-", "T", "Z-")
        and set(digits) <= set(string.digits)
        and set(text[21:]) <= set(SMALL)
    )


def thread_like(text: str) -> bool:
    return (
        len(text) == 22
        and (text[:7], text[15]) == ("thread-", "-")
        and set(text[7:15]) <= set(string.digits)
        and set(text[16:]) <= set(SMALL)
    )


def session_like(text: str) -> bool:
    letters = string.ascii_letters + string.digits
    return 1 <= len(text) <= 128 and set(text) <= set(letters + "_-") and text[0] in letters


def day_like(text: str) -> bool:
    return len(text) == 10 and text[4] == text[7] == "-" and set(text[:4] + text[5:7] + text[8:]) <= set(string.digits)


def plan_like(text: str) -> bool:
    return (
        len(text) == 20
        and (text[:5], text[13]) == ("plan-", "-")
        and set(text[5:13]) <= set(string.digits)
        and set(text[14:]) <= set(SMALL)
    )


def sum_like(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def refused(check: Callable[[str], str], text: str) -> bool:
    """Whether a check raises one of our own errors, with a short text; what it lets through it returns unchanged."""
    try:
        passed = check(text)
    except BusError as error:
        return error.status == 1 and len(error.message) < 200
    assert passed == text
    return False


@PATIENT
@given(anything(AGENT))
@example("dev\n")
@example("a" * 64)
@example("dév")
@example("１ops")
def test_agent_names(text: str) -> None:
    """A name passes as an agent's exactly if it is 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit."""
    assert ids.is_agent(text) == agent_like(text)
    assert refused(ids.check_agent, text) != agent_like(text)


@PATIENT
@given(anything(MESSAGE))
@example("msg-20260520T091812Z-x7q3abcd\n")
@example("msg-２０２６0520T091812Z-x7q3abcd")
@example("MSG-20260520T091812Z-x7q3abcd")
@example("msg-20260520T091812Z-x7q3abcd.json")
def test_message_ids(text: str) -> None:
    """A text passes as a message id exactly if it is one from its first to its last character."""
    assert ids.is_message(text) == message_like(text)
    assert refused(ids.check_message, text) != message_like(text)
    assert (ids.MESSAGE_FILE.fullmatch(text + ".json") is not None) == message_like(text)


@PATIENT
@given(anything(THREAD))
@example("thread-20260520-abc123\n")
@example("thread-20260520-abc12")
def test_thread_ids(text: str) -> None:
    """A text passes as a thread id exactly if it is one from its first to its last character."""
    assert ids.is_thread(text) == thread_like(text)
    assert refused(ids.check_thread, text) != thread_like(text)


@PATIENT
@given(anything(PLAN))
@example("plan-20260520-a1b2c3\n")
@example("plan-20260520-a1b2c3.json")
@example("PLAN-20260520-A1B2C3")
def test_plan_ids(text: str) -> None:
    """A text passes as a plan id exactly if it is one from its first to its last character."""
    assert (ids.PLAN.fullmatch(text) is not None) == plan_like(text)
    assert refused(ids.check_plan, text) != plan_like(text)


@PATIENT
@given(anything(SESSION_ID))
@example("3f2a9c10-0001\n")
@example("../../etc/passwd")
def test_session_ids(text: str) -> None:
    """A text passes as a session id exactly if it is 1 to 128 ASCII letters, digits, - and _."""
    assert ids.is_session_id(text) == session_like(text)


@pytest.mark.parametrize("thing", [None, 5, True, b"dev", ["dev"], {"dev": 1}])
def test_only_texts_are_ids(thing: object) -> None:
    """What is no text is no id, whatever it holds."""
    assert not any(check(thing) for check in (ids.is_agent, ids.is_message, ids.is_thread, ids.is_session_id))


@PATIENT
@given(anything(st.builds("{}/{}".format, AGENT, AGENT)))
@example("dev/")
@example("dev/web/x")
@example("/web")
def test_addresses(text: str) -> None:
    """An address is an agent, or an agent and a slug around one slash; both halves are checked."""
    agent, slash, slug = text.partition("/")
    valid = agent_like(agent) and (agent_like(slug) if slash else True)
    try:
        parts: Optional[tuple[str, Optional[str]]] = ids.parse_address(text)
    except BusError:
        parts = None
    assert parts == ((agent, slug if slash else None) if valid else None)


HOME = "/the/home"
VALID = {
    "agent": ("dev", agent_like),
    "slug": ("web", agent_like),
    "message_id": ("msg-20260520T091812Z-x7q3abcd", message_like),
    "thread_id": ("thread-20260520-abc123", thread_like),
    "plan_id": ("plan-20260520-a1b2c3", plan_like),
    "domain": ("side", lambda name: name == "_none" or agent_like(name)),
    "day": ("2026-05-20", day_like),
    "sha256": ("0123456789abcdef" * 4, sum_like),
    "session_id": ("s-1", session_like),
    "event": ("Stop", lambda name: name.isascii() and name.isalpha()),
    "name": ("dev", lambda name: bool(name) and "/" not in name and "\0" not in name),
}
OURS = ("home", "ending")  # parameters that are never from outside
BUILDERS = [
    (name, parameter)
    for name, function in inspect.getmembers(layout, inspect.isfunction)
    if name not in ("find", "launcher") and not name.startswith("_")
    for parameter in inspect.signature(function).parameters
    if parameter not in OURS
]


def test_every_path_builder_is_known() -> None:
    """The next two tests cover each parameter of each function of protocol/home.py."""
    assert {parameter for _, parameter in BUILDERS} == set(VALID)
    assert {"box", "pending", "outbox", "thread", "card", "sessions", "attachment", "lock"} <= dict(BUILDERS).keys()


def build(name: str, parameter: str, text: str) -> Optional[str]:
    """The path a builder makes with `text` as one parameter and valid ones beside it; None if it refuses."""
    function = getattr(layout, name)
    others = [each for each in inspect.signature(function).parameters if each not in OURS]
    try:
        path: str = function(HOME, *(text if each == parameter else VALID[each][0] for each in others))
    except (BusError, ValueError):
        return None
    return path


@pytest.mark.parametrize(("name", "parameter"), BUILDERS)
def test_path_builders_refuse_what_is_no_id(name: str, parameter: str) -> None:
    """A path is built from a whole id only, and whatever is built lies below the home."""

    @settings(PATIENT, max_examples=100)
    @given(anything(st.sampled_from([VALID[parameter][0]])))
    @example("../../../etc/passwd")
    @example("..")
    @example("x\n")
    @example("x\0")
    def holds(text: str) -> None:
        path = build(name, parameter, text)
        if path is None or (parameter, text) == ("slug", ""):  # no slug: the agent's own box
            return
        assert VALID[parameter][1](text), path
        path += ".guard" if name == "lock" else ""  # it is built without its ending
        assert os.path.normpath(path) == path
        assert path.startswith(HOME + "/")
        assert "\0" not in path

    assert build(name, parameter, VALID[parameter][0]) is not None
    holds()


def tree(root: Path, but: Iterable[Path] = ()) -> dict[str, str]:
    """Every name below a folder with a sum of what it holds; folders in `but` are left out."""
    found = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if Path(folder, name) not in but]
        found.update(dict.fromkeys((os.path.join(folder, name) for name in folders), "folder"))
        for name in names:
            path = os.path.join(folder, name)
            found[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return found


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    """The bus as agent dev sees it, with bait of every kind around its home."""
    home, place = tmp_path / "a" / "home", tmp_path / "a" / "web"
    place.mkdir(parents=True)
    for bait in ("victim.json", "x.json", ".json", "inboxes/dev/x.json", "victim/.read/x.json"):
        path = tmp_path / "a" / bait
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"id":"x"}')
    environ = {"AGENT_TEAM_OS_HOME": str(home)}
    Bus.open(environ, str(place)).join("dev", str(place), {})
    return Bus.open(environ, str(place))


def test_no_name_leaves_the_home(bus: Bus) -> None:
    """Whatever is given as recipient, message, thread or agent, the tree outside the home stays as it is."""
    home, around = Path(bus.home), Path(bus.home).parent.parent
    outside = tree(around, [home])
    boxes = sorted(os.listdir(home / "inboxes"))
    verbs: list[Callable[[str], object]] = [
        lambda name: bus.send(name, "note", {}),
        lambda name: bus.send("dev/" + name, "note", {}),
        lambda name: bus.send("dev", "note", {}, thread_id=name),
        bus.find,
        bus.thread,
        lambda name: bus.drain(name, True),
        lambda name: bus.join(name, str(around / "a" / "web"), {}),
        lambda name: tracing.trace(bus.home, name),
    ]

    @settings(PATIENT, max_examples=60)
    @given(st.one_of(near(AGENT), st.text(max_size=20)).filter(lambda text: not agent_like(text) and text))
    @example("..")
    @example("../victim")
    @example("../../victim")
    @example("../inboxes/dev/x")
    @example("/etc/passwd")
    @example("dev\n")
    @example("dev\0")
    @example("dev/..")
    def holds(name: str) -> None:
        for verb in verbs:
            with pytest.raises(BusError):
                verb(name)
        assert tree(around, [home]) == outside
        assert sorted(os.listdir(home / "inboxes")) == boxes

    holds()


@pytest.mark.parametrize("name", ["../../victim", "dev\n", "DEV", "dev/../.."])
def test_no_name_leaves_the_home_by_the_program(bus: Bus, name: str) -> None:
    """The program too refuses such a name, given as argument, in the environment and by a hook, and writes nothing."""
    home, around = Path(bus.home), Path(bus.home).parent.parent
    env = environment(around, AGENT_TEAM_OS_HOME=bus.home)
    outside, boxes = tree(around, [home]), sorted(os.listdir(home / "inboxes"))
    done = ato(env, around / "a" / "web", "send", name, "note")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ato: ")
    for variable in ("AGENT_TEAM_OS_AGENT", "AGENT_TEAM_OS_SESSION"):
        assert ato({**env, variable: name}, around, "inbox").returncode == 1
    hook = json.dumps({"session_id": name, "cwd": str(around / "a" / "web")})
    assert ato(env, around, "hook", "SessionStart", stdin=hook).returncode == 0
    assert tree(around, [home]) == outside
    assert sorted(os.listdir(home / "inboxes")) == boxes
    assert session_like(name) or not (home / "registry" / "dev.d").exists()


def set_clock(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float]) -> None:
    """Let the module for ids, and nobody else, read the time from `clock`; what it remembers is put back after."""
    monkeypatch.setattr(ids, "_second", 0)
    monkeypatch.setattr(ids, "time", SimpleNamespace(time=clock, strftime=time.strftime, gmtime=time.gmtime))


def test_ids_of_one_second_sort_in_the_order_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty thousand ids made in one second are valid, different, and sort in the order made."""
    set_clock(monkeypatch, lambda: 1779268692.5)
    made = [ids.new_message_id() for _ in range(20_000)]
    assert made == sorted(set(made))
    assert all(map(message_like, made))


def test_ids_begin_with_the_time_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id carries its second in UTC, which is also the day of its outbox file."""
    set_clock(monkeypatch, lambda: 4102444799.9)
    made = ids.new_message_id()
    assert made.startswith("msg-20991231T235959Z-")
    assert ids.day_of(made) == "2099-12-31"


@PATIENT
@given(st.lists(st.integers(-3, 2), min_size=2, max_size=50))
def test_ids_sort_when_the_clock_is_set_back(steps: list[int]) -> None:
    """Ids sort in the order made while the clock goes forth and back."""
    now = [random.randrange(10**9, 2 * 10**9)]
    with pytest.MonkeyPatch.context() as patch:
        set_clock(patch, lambda: now[0])
        made = []
        for step in steps:
            now[0] += step
            made.append(ids.new_message_id())
    assert made == sorted(set(made))


def test_a_full_second_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a second has no id left the next one comes from the second after, and still sorts behind."""
    set_clock(monkeypatch, lambda: 1779268692.0)
    monkeypatch.setattr(ids, "_second", 1779268692)
    monkeypatch.setattr(ids, "_number", 36**8 - 1)
    last = "msg-20260520T091812Z-zzzzzzzz"
    made = [ids.new_message_id() for _ in range(3)]
    assert [last, *made] == sorted({last, *made})
    assert made[0].startswith("msg-20260520T091813Z-")


def run(code: str) -> list[str]:
    """What a fresh process with our package prints, word by word."""
    start = f"import sys, time; sys.path.insert(0, {str(ROOT / 'scripts')!r}); time.time = lambda: 1779268692.0\n"
    done = subprocess.run([sys.executable, "-I", "-c", start + code], capture_output=True, check=True, timeout=60)
    return done.stdout.decode().split()


def test_ids_of_two_processes_differ() -> None:
    """Two processes that start in the same second make different message and thread ids."""
    code = (
        "from agent_team_os.protocol import ids\n"
        "print(*(ids.new_message_id() for _ in range(500)), *(ids.new_thread_id() for _ in range(50)))"
    )
    made = run(code) + run(code)
    assert len(set(made)) == len(made) == 1100
    assert all(message_like(each) or thread_like(each) for each in made)


def test_ids_of_a_fork_differ() -> None:
    """A process and its fork go on with different ids."""
    code = (
        "import os\n"
        "from agent_team_os.protocol import ids\n"
        "ids.new_message_id(); child = os.fork()\n"
        "print(*(ids.new_message_id() for _ in range(5)), flush=True)\n"
        "child and os.waitpid(child, 0)"
    )
    made = run(code)
    assert len(set(made)) == len(made) == 10


@PATIENT
@given(
    st.one_of(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=100),
        st.binary(min_size=1, max_size=100).map(lambda name: os.fsdecode(name.replace(b"/", b"").replace(b"\0", b""))),
        near(AGENT).map(lambda name: name.replace("/", "").replace("\0", "").replace("\ud800", "")),
    )
)
@example("-")
@example("_-_")
@example("--web")
@example("日本")
@example("-" * 70 + "x")
@example(" .hidden ")
@example("x" * 255)
def test_every_folder_has_a_slug(name: str) -> None:
    """Whatever a folder is called, its slug is a valid one, and the same each time."""
    slug = ids.slug_of("/home/me/" + name)
    assert agent_like(slug)
    assert slug == ids.slug_of("/home/me/" + name + "/")


@pytest.mark.parametrize(
    ("folder", "slug"),
    [
        ("/home/me/web", "web"),
        ("/home/me/My App (2)", "my-app--2-"),
        ("/home/me/.config", "config"),
        ("/home/me/" + "w" * 80, "w" * 63),
        ("/", "root"),
    ],
)
def test_slugs(folder: str, slug: str) -> None:
    """A slug is the folder's name, lowercased, with other characters folded to `-`."""
    assert ids.slug_of(folder) == slug


def test_slugs_of_foreign_names_differ() -> None:
    """Two folders whose names hold no ASCII letter or digit do not share a slug."""
    assert len({ids.slug_of("/x/" + name) for name in ("日本", "中国", "---", "___", "…")}) == 5


def test_ids_can_be_given_by_their_beginning_or_end() -> None:
    """An id answers to each prefix of itself and of its random part, and to nothing else."""
    full = "msg-20260520T091812Z-x7q3abcd"
    assert all(ids.matches(full, full[:length]) for length in range(1, len(full) + 1))
    assert ids.matches(full, "x7q3")
    assert ids.matches(full, "x7q3abcd")
    assert not any(ids.matches(full, given) for given in ("", "abcd", "7q3", full + "x", "20260520", "X7Q3"))
