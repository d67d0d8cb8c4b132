"""msg list, users, outbox: what there is, in which order, how much of it, and what a script gets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support import mailed
from support.cli import PROGRAM, ato
from support.people import Person
from support.seat import Seat


def test_the_newest_first(tmp_path: Path) -> None:
    """Letters are listed newest first with number, sender, age and beginning; files under the text, or in its place."""
    max_, alex = mailed.pair(tmp_path)
    mailed.lay(alex, max_, "old news", 1, age=7200, read=True)
    mailed.lay(alex, max_, "Look\nat " + "this " * 40, 2, age=200, attachments=[("a.csv", 4301), ("b", 1)])
    mailed.lay(alex, max_, "", 10, age=60, attachments=[("c.txt", 10_485_760)])
    lines = alex.said("list").splitlines()
    assert re.fullmatch(r"2 unread, 3 in all\. Last sync .*\.", lines[0])
    assert lines[1] == "10  new  max@bonnard.ai  1 min ago  c.txt (10.0MB)"
    assert lines[2].startswith(" 2  new  max@bonnard.ai  3 min ago  Look at this this")
    assert lines[2].endswith("…")
    assert lines[3].strip() == "a.csv (4.2KB), b (1B)"
    assert lines[4] == " 1       max@bonnard.ai  2 h ago    old news"
    assert lines[5] == "Read: ato msg read"
    assert len(lines) == 6
    assert max(map(len, lines)) <= 80


def test_what_is_read_next(tmp_path: Path) -> None:
    """The call at the end of a list reads all that is unread; only where nothing is it names a number."""
    max_, alex = mailed.pair(tmp_path)
    mailed.lay(alex, max_, "one", 1, age=60, read=True)
    mailed.lay(alex, max_, "two", 2)
    assert alex.said("list").splitlines()[-1] == "Read: ato msg read"
    alex.said("read")
    assert alex.said("list").splitlines()[-1] == "Read: ato msg read 2"
    for path in alex.mail.glob("letters/*.json"):
        path.write_text("{")
    assert alex.said("list").splitlines()[-1] == "Read: ato msg read"


def test_what_a_script_gets(tmp_path: Path) -> None:
    """--json gives each letter with exactly these keys, wherever the option stands, and counts all there are."""
    max_, alex = mailed.pair(tmp_path)
    one = mailed.lay(alex, max_, f"{mailed.HOSTILE}", 4, age=60, read=True)
    two = mailed.lay(alex, max_, "two", 5, attachments=[("a.csv", 3)])
    said = alex.json("list")
    assert said == {
        "unread": 1, "count": 2,
        "letters": [
            {"id": two["id"], "from": mailed.uid(max_), "address": "max@bonnard.ai", "number": 5,
             "sent_at": two["sent_at"], "arrived_at": two["arrived_at"], "read_at": None, "text": "two",
             "attachments": [{"name": "a.csv", "size": 3, "sha256": "0" * 64}]},
            {"id": one["id"], "from": mailed.uid(max_), "address": "max@bonnard.ai", "number": 4,
             "sent_at": one["sent_at"], "arrived_at": one["arrived_at"], "read_at": one["sent_at"],
             "text": mailed.HOSTILE, "attachments": []},
        ],
    }  # fmt: skip
    raw = alex.said("list", "--json")
    assert json.loads(raw) == said
    assert raw.count("\n") == 1
    assert not {"\x1b", "\u202e"} & set(raw)


def test_hundreds(tmp_path: Path) -> None:
    """All unread letters are listed and the last 20 that were read, --all lists every one, and none is left out."""
    max_, alex = mailed.pair(tmp_path)
    for number in range(1, 401):
        mailed.lay(alex, max_, f"number {number}", number, age=1000 - number, read=number % 4 != 0)
    short, full = alex.json("list"), alex.json("list", "--all")
    assert (short["unread"], short["count"]) == (full["unread"], full["count"]) == (100, 400)
    assert [one["number"] for one in full["letters"]] == list(range(400, 0, -1))
    assert [one["text"] for one in full["letters"]] == [f"number {number}" for number in range(400, 0, -1)]
    read = [one["number"] for one in full["letters"] if one["read_at"]]
    assert [one["number"] for one in short["letters"] if one["read_at"]] == read[:20]
    assert sum(one["read_at"] is None for one in short["letters"]) == 100
    lines = alex.said("list").splitlines()
    assert lines[-2:] == ["280 more: ato msg list --all", "Read: ato msg read"]
    assert len(alex.said("list", "--all").splitlines()) == 402


def test_where_nothing_came_yet(tmp_path: Path) -> None:
    """An empty list says how to go on."""
    _, alex = mailed.pair(tmp_path)
    lines = alex.said("list").splitlines()
    assert lines[0] == "No messages yet."
    assert lines[-1] == "Send one: ato msg NAME TEXT"
    assert alex.json("list") == {"unread": 0, "count": 0, "letters": []}


def test_a_damaged_letter(tmp_path: Path) -> None:
    """A letter whose file is damaged takes none of the others with it, and says which file it is when it is read."""
    max_, alex = mailed.pair(tmp_path)
    mailed.lay(alex, max_, "one", 1)
    mailed.lay(alex, max_, "two", 2)
    (path,) = alex.mail.glob("letters/2-*.json")
    path.write_text('{"text": ')
    assert [one["text"] for one in alex.json("list")["letters"]] == ["one"]
    assert str(path) in alex.refused(73, "cannot-write", "read", "2")["message"]
    assert alex.said("read", "1").splitlines()[-1] == "one"


def test_bold_is_for_a_terminal(tmp_path: Path) -> None:
    """At a terminal what is unread stands in bold, but not with NO_COLOR, and not in a pipe."""
    max_, alex = mailed.pair(tmp_path)
    mailed.lay(alex, max_, "one", 1)
    assert "\x1b" not in alex.said("list")
    for env, bold in ((alex.environment, True), ({**alex.environment, "NO_COLOR": "1"}, False)):
        with Seat(env, alex.root, [*PROGRAM, "msg", "list"]) as seat:
            status, shown = seat.end()
        assert (status, "\x1b[1m" in shown) == (0, bold)


# ---- users, outbox ------------------------------------------------------------------------------


def test_users(tmp_path: Path) -> None:
    """Everybody is listed by address with the fingerprint of their key, and what is to be done with it."""
    max_, alex = mailed.pair(tmp_path)
    said = max_.json("users")
    assert [set(one) for one in said["people"]] == [
        {"uid", "address", "name", "fingerprint", "devices", "verified", "waits", "you"}
    ] * 2
    assert [(one["name"], one["uid"], one["you"], one["verified"]) for one in said["people"]] == [
        ("alex", mailed.uid(alex), False, False), ("max", mailed.uid(max_), True, False)
    ]  # fmt: skip
    assert said["people"] == [{**one, "you": not one["you"]} for one in alex.json("users")["people"]]
    lines = max_.said("users").splitlines()
    assert lines[0] == "alex  alex@bonnard.ai  first use"
    assert lines[1].strip() == said["people"][0]["fingerprint"]
    assert re.fullmatch(r"([0-9a-f]{4} ){7}[0-9a-f]{4}", lines[1].strip())
    assert lines[2] == "max   max@bonnard.ai   you"
    assert lines[-1] == "Compare a fingerprint with its owner, then: ato msg verify NAME"
    max_.typed("verify", "alex")
    assert max_.said("users").splitlines()[0] == "alex  alex@bonnard.ai  verified"


def test_alone(tmp_path: Path) -> None:
    """Whoever knows nobody yet is told so, which may change with a sync, and how others come to be there."""
    one = Person("one", tmp_path / "one")
    one.root.mkdir()
    one.set_up(str(tmp_path / "store"))
    assert one.said("users").splitlines()[-1] == "Nobody else is known here yet. Look again: ato msg sync"
    assert "they run: ato msg setup" in one.refused(1, "unknown-person", "alex", "Hi")["hint"]


def test_outbox(tmp_path: Path) -> None:
    """What waits stands first with the reason, then what was sent; --json has exactly these keys."""
    max_, _ = mailed.pair(tmp_path)
    sent = max_.json("alex", "first")
    max_.sync()
    waits = max_.json("alex", "second")
    said = max_.json("outbox")
    assert set(said) == {"waiting", "damaged", "sent", "synced_at", "error"}
    del waits["first"], sent["first"]
    assert said["waiting"] == [{**waits, "why": None}]
    (one,) = said["sent"]
    assert one == {**sent, "pushed_at": one["pushed_at"], "read_at": None}
    assert (said["damaged"], said["error"]) == ([], None)
    lines = max_.said("outbox").splitlines()
    assert lines == [
        "1 waiting", "waits  alex@bonnard.ai  just now  second", "       goes out with the next sync",
        "sent   alex@bonnard.ai  just now  first, not read yet", "Last sync just now. Now: ato msg sync",
    ]  # fmt: skip


def test_outbox_in_a_narrow_terminal(tmp_path: Path) -> None:
    """Each row fits into 80 columns; files are counted behind a text, and named where there is none."""
    max_, _ = mailed.pair(tmp_path)
    max_.file("a.csv", "a" * 4301)
    max_.said("alex", "--attach", "a.csv")
    max_.said("alex", "word " * 40, *["--attach", "a.csv"] * 20)
    max_.sync()
    max_.said("alex", "word " * 40, "--attach", "a.csv")
    directory = max_.mail / "directory.json"
    for address in ("alex@bonnard.ai", "a" * 60 + "@bonnard.ai"):
        directory.write_text(directory.read_text().replace("alex@bonnard.ai", address))
        rows = [line for line in max_.said("outbox").splitlines() if line.startswith(("waits  ", "sent   "))]
        assert len(rows) == 3
        assert max(map(len, rows)) <= 80, rows
        assert re.search(r"(ago|now)  word.*…, 1 attached$", rows[0])
        assert re.search(r"(ago|now)  word.*…, 20 attached, not read yet$", rows[1])
        assert re.search(r"(ago|now)  a\.csv \(4\.2KB\), not read yet$", rows[2])


def test_damage_in_the_spool(tmp_path: Path) -> None:
    """A letter in the spool that cannot be read is named by its file, and the others go out."""
    max_, _ = mailed.pair(tmp_path)
    bad, good = max_.json("alex", "bad"), max_.json("alex", "good")
    path = max_.mail / "spool" / bad["id"]
    (path / "letter.json").write_text("{")
    assert max_.sync()["pushed"] == {"alex@bonnard.ai": 1}
    said = max_.json("outbox")
    assert (said["waiting"], said["damaged"]) == ([], [str(path)])
    assert [one["id"] for one in said["sent"]] == [good["id"]]
    assert f"damaged  ~/.agent-team-os/people/spool/{bad['id']}" in max_.said("outbox")


def test_help(tmp_path: Path) -> None:
    """Without a verb, and asked for it, every verb is named; none of that needs a set-up."""
    one = Person("one", tmp_path / "one")
    one.root.mkdir()
    for words in (["msg"], ["msg", "--help"], ["msg", "help"], ["msg", "help", "send"]):
        done = ato(one.environment, one.root, *words)
        assert (done.returncode, done.stderr) == (0, ""), words
        for verb in ("send", "list", "read", "users", "outbox", "sync", "setup", "verify", "device"):
            assert re.search(rf"^  {verb} +\S", done.stdout, re.MULTILINE), verb
    assert list(one.root.iterdir()) == []


@pytest.mark.parametrize("words", [["msg"], ["msg", "device"]])
def test_no_summary_is_cut_off(tmp_path: Path, words: list[str]) -> None:
    """In a terminal of 80 columns each verb is explained in a whole sentence."""
    one = Person("one", tmp_path / "one")
    one.root.mkdir()
    shown = ato({**one.environment, "COLUMNS": "80"}, one.root, *words, "--help").stdout
    verbs = shown.partition("Commands:\n")[2].splitlines()
    assert len(verbs) >= 2
    for line in verbs:
        assert re.fullmatch(r"  [a-z]+ +[A-Z].*[a-z]\.", line), line
        assert "..." not in line
