"""Killed at any call, a send, a sync or a reading loses nothing and does nothing twice: the next commands finish it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agent_team_os.post import device, keys
from support import crash, letters
from support.letters import Writer
from support.people import ADDRESSES, person

CSV, LOG, PNG = b"name,registrar\n" * 300, b"12:00 start\n" * 800, bytes(range(256)) * 40
OLD = 3 * 86_400  # seconds after which nothing is still being made


class Scene(NamedTuple):
    """Who takes part, and what is known before the deed."""

    max: Writer
    alex: Writer
    before: dict[str, Any]


class Deed(NamedTuple):
    """A command that is killed: what comes before and who gives it; what must hold; every n-th call, and how many."""

    prepare: Callable[[Scene, Path], tuple[Writer, list[str]]]
    judge: Callable[[Scene, crash.Outcome], None]
    step: int
    least: int


# ---- A send -------------------------------------------------------------------------------------


def a_send(scene: Scene, _folder: Path) -> tuple[Writer, list[str]]:
    """A letter with two files."""
    scene.max.file("a.csv", CSV)
    scene.max.file("b.log", LOG)
    return scene.max, ["msg", "--json", "alex", "hello", "--attach", "a.csv", "--attach", "b.log"]


def all_or_nothing(scene: Scene, outcome: crash.Outcome) -> None:
    """A letter that was reported is kept, one that was refused is not; it arrives whole, or nothing of it does."""
    waiting = len(scene.max.person.json("outbox")["waiting"])
    if outcome.status >= 0 and "standard output" not in outcome.stderr:
        assert waiting == (outcome.status == 0)
    assert waiting == 1 or '"id"' not in outcome.stdout
    came(scene, ["hello"] * waiting, {"a.csv": CSV, "b.log": LOG} if waiting else {})


# ---- A sync that pushes -------------------------------------------------------------------------


def a_push(scene: Scene, _folder: Path) -> tuple[Writer, list[str]]:
    """Two letters with files, and a receipt."""
    scene.before["sent"] = scene.alex.send(scene.max, "question")
    scene.alex.sync()
    scene.max.sync()
    scene.max.read()
    scene.max.send(scene.alex, "one", scene.max.file("a.csv", CSV), scene.max.file("b.log", LOG))
    scene.max.send(scene.alex, "two", scene.max.file("c.png", PNG))
    return scene.max, ["msg", "--json", "sync"]


def all_of_it(scene: Scene, _outcome: crash.Outcome) -> None:
    """Both letters and the receipt are there after the next sync."""
    assert scene.max.person.json("outbox")["damaged"] == []
    came(scene, ["one", "two"], {"a.csv": CSV, "b.log": LOG, "c.png": PNG})
    assert scene.alex.sent()[scene.before["sent"]] is not None
    assert len([key for key in letters.stored(scene.max.url, "/to/") if "/probe/" not in key]) == 6


# ---- A sync that pulls --------------------------------------------------------------------------


def a_pull(scene: Scene, folder: Path) -> tuple[Writer, list[str]]:
    """Two letters with files, a receipt, and an entry of somebody new."""
    a_push(scene, folder)
    scene.max.sync()
    letters.writer(folder, scene.max.url, "eve")
    return scene.alex, ["msg", "--json", "sync"]


def all_is_here(scene: Scene, _outcome: crash.Outcome) -> None:
    """What had arrived keeps its number; the rest arrives after it; everybody is known."""
    before = scene.alex.index().numbers
    scene.alex.sync()
    numbers = scene.alex.index().numbers
    assert {**numbers, **before} == numbers, "another number"
    assert sorted(numbers.values()) == [1, 2]
    assert letters.unread(scene.alex) == 2
    assert len(list((scene.alex.person.mail / "files").glob("[!.]*"))) == 3  # it can be read without a network
    assert len(scene.alex.known()) == 3
    came(scene, ["one", "two"], {"a.csv": CSV, "b.log": LOG, "c.png": PNG})
    assert scene.alex.sent()[scene.before["sent"]] is not None


# ---- A reading that saves -----------------------------------------------------------------------


def a_read(scene: Scene, folder: Path) -> tuple[Writer, list[str]]:
    """Two letters with three files."""
    a_push(scene, folder)
    scene.max.sync()
    scene.alex.sync()
    return scene.alex, ["msg", "--json", "read"]


def saved_once(scene: Scene, outcome: crash.Outcome) -> None:
    """No file is half there under its name; in the end each is there once. What is read was shown."""
    wanted = {"a.csv": CSV, "b.log": LOG, "c.png": PNG}
    for name, data in scene.alex.saved().items():
        assert name.startswith(".") or wanted[name] == data
    assert outcome.stdout.endswith("\n") or len(scene.alex.index().unread()) == 2
    came(scene, ["one", "two"], wanted)


# ---- Another device -----------------------------------------------------------------------------


def an_accept(scene: Scene, folder: Path) -> tuple[Writer, list[str]]:
    """The old device accepts a new one."""
    laptop = Writer(person(folder, "laptop"), scene.max.url)
    laptop.person.said("device", "add", "--address", ADDRESSES["max"], "--store", scene.max.url)
    return scene.max, ["msg", "--json", "device", "accept", keys.device(laptop.env)[1]]


def accepted(scene: Scene, _outcome: crash.Outcome) -> None:
    """The same once more completes it; the new device reads what comes from then on."""
    laptop = Writer(person(scene.max.person.root.parent, "laptop"), scene.max.url)
    shown = keys.device(laptop.env)[1]
    scene.max.sync()
    device.accept(scene.max.home, scene.max.env, scene.max.url, shown)
    found = next(iter(device.find(laptop.home, laptop.env, laptop.url, ADDRESSES["max"])), None)
    assert found is not None
    device.adopt(laptop.home, laptop.env, found)
    assert {"2.json", "3.json"} & {Path(key).name for key in letters.stored(scene.max.url, scene.max.uid)} == {"2.json"}
    scene.alex.send(scene.max, "to both")
    scene.alex.sync()
    for one in (scene.max, laptop):
        one.sync()
        assert one.texts() == ["to both"]


# ---- What holds for all -------------------------------------------------------------------------


def came(scene: Scene, texts: list[str], files: dict[str, bytes]) -> None:
    """After the next commands alex has had each letter once, with the right bytes, and max knows that he read it."""
    scene.max.sync()
    scene.alex.sync()
    assert scene.alex.texts() == texts
    if scene.alex.index().unread():
        assert not any(one.faults for one in scene.alex.read())
    assert {name: data for name, data in scene.alex.saved().items() if not name.startswith(".")} == files
    scene.alex.sync()
    scene.max.sync()
    assert len(scene.max.sent()) == len(texts)
    assert None not in scene.max.sent().values()


def nothing_left(scene: Scene) -> None:
    """Three days later, after an entry, a letter and a reading of each, there is nothing that nobody needs."""
    root = scene.max.person.root.parent
    for path in root.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (time.time() - OLD,) * 2)
    keys.rename(scene.max.env, scene.max.keys.address, "maximilian")
    for one, other in ((scene.max, scene.alex), (scene.alex, scene.max)):
        one.send(other, "later", one.file("later.txt", b"later"))
        one.sync()
        other.sync()
        other.read()
        other.sync()
    scene.max.sync()
    left = [path for path in (root / "store").rglob("*") if path.is_file() and "/.new/" in str(path)]
    for one in (scene.max, scene.alex):
        left += [path for path in one.person.mail.rglob(".*") if path.name != ".gitignore"]
        left += [path for name in ("spool", "receipts", "files") for path in one.person.mail.glob(f"{name}/*")]
        left += [path for place in (one.person.inbox, one.person.config) for path in place.glob(".*")]
    assert left == []


DEEDS = {
    "send": Deed(a_send, all_or_nothing, 4, 25),
    "push": Deed(a_push, all_of_it, 9, 70),
    "pull": Deed(a_pull, all_is_here, 6, 40),
    "read": Deed(a_read, saved_once, 5, 25),
    "accept": Deed(an_accept, accepted, 6, 20),
}


def explore(name: str, tmp_path: Path, choose: Callable[[int, crash.Point], list[str]]) -> int:
    """Disturb a command at its calls, as `choose` says of each, and judge each time; how many calls there were."""
    deed, root = DEEDS[name], tmp_path / "root"
    root.mkdir()
    max_, alex = letters.writers(root, "max", "alex")
    scene = Scene(max_, alex, {})
    who, args = deed.prepare(scene, root)
    for one in (max_, alex):  # nothing starts in the background
        (one.person.mail / "started").unlink()
    template = root.rename(tmp_path / "template")
    calls = 0
    typed = f"{args[-1][-4:]}\n" if name == "accept" else ""  # the last group of the key, with which a person says yes

    def faults(_number: int, point: crash.Point) -> list[str]:
        nonlocal calls
        # What failed changed nothing; and obstore wakes its threads by writes, now more of them and now fewer.
        if " = -1 " in point.text or (point.call == "write" and name not in ("send", "read")):
            return []
        calls += 1
        return choose(calls, point)

    def judge(outcome: crash.Outcome, _fault: str) -> None:
        deed.judge(scene, outcome)
        nothing_left(scene)

    with crash.Starter() as starter:
        act = crash.Act(who.person.root, who.env, args, typed, terminal=typed != "")
        crash.explore(starter, act, template, root, faults, judge)
    return calls


@pytest.mark.parametrize("name", DEEDS)
def test_killed_at_some_calls(name: str, tmp_path: Path) -> None:
    """Killed at every n-th call that changes a file, what was begun is finished by the next commands."""
    step = DEEDS[name].step
    calls = explore(name, tmp_path, lambda number, _: ["kill"] if number % step == step // 2 else [])
    assert calls >= DEEDS[name].least


@pytest.mark.full
@pytest.mark.parametrize("name", DEEDS)
def test_killed_at_every_call(name: str, tmp_path: Path) -> None:
    """As above, at every call."""
    assert explore(name, tmp_path, crash.kill) >= DEEDS[name].least


@pytest.mark.full
@pytest.mark.parametrize("name", DEEDS)
def test_failed_at_every_call(name: str, tmp_path: Path) -> None:
    """An error of the disk, at any call, does no more harm: yes means sent, no means not, the next finish it."""

    def once(_number: int, point: crash.Point) -> list[str]:
        return [fault for fault in crash.errors(point) if not fault.endswith("+")]

    assert explore(name, tmp_path, once) >= DEEDS[name].least
