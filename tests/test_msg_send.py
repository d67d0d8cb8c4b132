"""msg NAME TEXT: whom it means, what it says, what it refuses; what is refused leaves nothing behind."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from support import mailed
from support.cli import PATIENCE, PROGRAM, ato
from support.people import Person


def nothing_waits(one: Person) -> bool:
    """Whether a person's spool is as empty as on the first day, drafts and copies of files included."""
    return list((one.mail / "spool").iterdir()) == []


# ---- What a send says ---------------------------------------------------------------------------


def test_a_note(tmp_path: Path) -> None:
    """A send says to which address in one line, and with --json what waits to go out, exactly."""
    max_, alex = mailed.pair(tmp_path)
    done = max_.run("alex", "Which branch?")
    assert (done.returncode, done.stdout) == (0, "Sent to alex@bonnard.ai\n")
    said = max_.json("send", "alex", "And when?")
    first, second = mailed.documents(max_)
    assert first["text"] == "Which branch?"
    assert said == {**second, "address": "alex@bonnard.ai", "first": False}
    assert set(second) == {"kind", "version", "id", "from", "to", "sent_at", "text", "attachments"}
    assert (second["kind"], second["version"], second["attachments"]) == ("letter", "1", [])
    assert (second["from"], second["to"]) == (mailed.uid(max_), mailed.uid(alex))
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", second["sent_at"])


def test_the_first_contact_shows_the_key(tmp_path: Path) -> None:
    """The first message to somebody shows the fingerprint of their key on stderr, once, and not if it was verified."""
    max_, _ = mailed.pair(tmp_path)
    prints = {one["name"]: one["fingerprint"] for one in max_.json("users")["people"]}
    first, second = max_.run("alex", "one"), max_.run("alex", "two")
    assert prints["alex"] in first.stderr
    assert "ato msg verify alex" in first.stderr
    assert second.stderr == ""
    (tmp_path / "other").mkdir()
    max_, _ = mailed.pair(tmp_path / "other")
    max_.typed("verify", "alex")
    assert max_.run("alex", "one").stderr == ""


def test_the_order_in_one_pipe(tmp_path: Path) -> None:
    """Where stdout and stderr are one pipe, what came of a command stands before what is noted of it."""
    max_, _ = mailed.pair(tmp_path)
    (tmp_path / "store").rename(tmp_path / "away")
    for words, first, then in (
        (["alex", "Hi"], "Sent to alex@bonnard.ai", "This is your first message with alex@bonnard.ai."),
        (["sync"], "1 still waiting. Why: ato msg outbox", "ato: There is no store in "),
    ):
        (max_.mail / "started").unlink(missing_ok=True)
        done = subprocess.run(
            [*PROGRAM, "msg", *words], cwd=max_.root, env=max_.environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        lines = done.stdout.splitlines()
        assert lines[0] == first
        assert lines[1].startswith(then)


def test_every_way_to_name_somebody(tmp_path: Path) -> None:
    """A name, an address and a uid mean the same person, in upper case too."""
    max_, alex = mailed.pair(tmp_path)
    for who in ("alex", "ALEX", "alex@bonnard.ai", "Alex@Bonnard.AI", mailed.uid(alex)):
        assert max_.json(who, "Hi")["address"] == "alex@bonnard.ai", who
    assert {one["to"] for one in mailed.documents(max_)} == {mailed.uid(alex)}


# ---- Who it cannot be ---------------------------------------------------------------------------


def test_several_recipients(tmp_path: Path) -> None:
    """A message is between two: every spelling of a second recipient is refused, and nothing is kept."""
    max_, _ = mailed.pair(tmp_path)
    for words in (
        ["alex", "max", "text"], ["alex,max", "text"], ["alex, max", "text"], ["alex,", "max", "text"],
        ["alex;max", "text"], ["alex max", "text"], ["alex", "and", "max", "text"], ["alex", "alex@bonnard.ai", "x"],
        ["alex@bonnard.ai,max@bonnard.ai", "text"],
    ):  # fmt: skip
        error = max_.refused(64, "usage", *words)
        assert "between two people" in error["hint"], words
    assert nothing_waits(max_)


def test_words_without_quotes(tmp_path: Path) -> None:
    """A text that is several arguments is refused with what to do, and not sent in part."""
    max_, _ = mailed.pair(tmp_path)
    error = max_.refused(64, "usage", "alex", "hello", "there")
    assert '"there"' in error["message"]
    assert "quotes" in error["hint"]
    assert nothing_waits(max_)


def test_nobody_of_that_name(tmp_path: Path) -> None:
    """An unknown name is refused with the nearest one and those there are; nobody writes to themselves."""
    max_, _ = mailed.pair(tmp_path)
    error = max_.refused(1, "unknown-person", "alxe", "text")
    assert "Did you mean alex?" in error["message"]
    assert "known: alex" in error["message"]
    assert "Did you mean" not in max_.refused(1, "unknown-person", "zzz", "text")["message"]
    assert "is you" in max_.refused(4, "invalid-letter", "max", "text")["message"]
    assert nothing_waits(max_)


def test_somebody_new_is_found(tmp_path: Path) -> None:
    """A name that is not known here is looked for in the store; where that is away, the error says so."""
    max_, _ = mailed.pair(tmp_path)
    eve = Person("eve", tmp_path / "eve")
    eve.root.mkdir()
    eve.set_up(f"file://{tmp_path}/store")
    assert max_.json("eve", "Welcome")["address"] == "eve@bonnard.ai"
    assert mailed.documents(max_)[-1]["to"] == mailed.uid(eve)
    (tmp_path / "store").rename(tmp_path / "away")
    error = max_.refused(1, "unknown-person", "adam", "Welcome")
    assert error["hint"].startswith("The store could not be asked: There is no store in ")


def test_who_waits_to_be_verified(tmp_path: Path) -> None:
    """To an address that two people claim nothing is written before one of them was verified."""
    max_, alex = mailed.pair(tmp_path)
    rival = Person("rival", tmp_path / "rival")
    rival.root.mkdir()
    rival.typed("setup", "--address", "alex@bonnard.ai", "--store", f"file://{tmp_path}/store", "--yes")
    max_.sync()
    error = max_.refused(2, "not-verified", "alex", "text")
    assert error["hint"].endswith("then: ato msg verify alex --fingerprint F")  # which is what verify then asks for
    assert nothing_waits(max_)
    prints = {one["uid"]: one["fingerprint"] for one in max_.json("users")["people"]}
    max_.typed("verify", "alex", "--fingerprint", prints[mailed.uid(alex)])
    assert max_.json("alex", "text")["to"] == mailed.uid(alex)


def test_a_verb_is_no_name(tmp_path: Path) -> None:
    """Nobody can be called like a verb, however it is asked for; whoever has such an address is written to by it."""
    one = Person("one", tmp_path / "one")
    one.root.mkdir()
    store = ["--store", str(tmp_path / "store"), "--yes"]
    for verb in ("list", "Read", "SYNC", "help"):
        error = one.refused(4, "invalid-letter", "setup", "--address", "a@example.org", "--name", verb, *store)
        assert verb.lower() in error["message"].lower()
    assert "--name" in one.refused(64, "usage", "setup", "--address", "list@example.org", *store)["message"]
    assert not one.config.exists() or not (one.config / "identity.json").exists()
    one.said("setup", "--address", "list@example.org", "--name", "lisa", *store)
    max_, _ = mailed.pair(tmp_path)
    max_.sync()
    assert max_.json("list@example.org", "Hi")["address"] == "list@example.org"


# ---- What it says -------------------------------------------------------------------------------


def test_text_from_stdin(tmp_path: Path) -> None:
    """With - the text is what is on stdin, without the newlines at its end; a leading dash is text behind --."""
    max_, _ = mailed.pair(tmp_path)
    max_.said("send", "alex", "-", stdin="One\n\n  two 🙂\n\n")
    max_.said("alex", "--", "-x")
    assert [one["text"] for one in mailed.documents(max_)] == ["One\n\n  two 🙂", "-x"]


def test_nothing_to_send(tmp_path: Path) -> None:
    """Without text and files nothing is sent; a verb that was misspelt is named. A file needs no text."""
    max_, _ = mailed.pair(tmp_path)
    for words, given in ((["alex"], ""), (["alex", ""], ""), (["alex", " \n"], ""), (["alex", "-"], "\n\n")):
        error = max_.refused(4, "invalid-letter", *words, stdin=given)
        assert "ato msg NAME" in error["hint"]
    assert max_.refused(4, "invalid-letter", "lisst")["hint"] == "Did you mean: ato msg list"
    assert max_.refused(4, "invalid-letter", "hepl")["hint"] == "Did you mean: ato msg help"  # and there is one
    assert nothing_waits(max_)
    max_.file("a.csv", "a,b")
    assert max_.said("alex", "--attach", "a.csv") == "Sent to alex@bonnard.ai (1 attachment, 3B)\n"


def test_the_longest_text(tmp_path: Path) -> None:
    """64 KiB of UTF-8 go, one byte more does not, and what is no UTF-8 does not either."""
    max_, _ = mailed.pair(tmp_path)
    longest = "é" * 32_768
    assert max_.json("alex", "-", stdin=longest + "\n")["text"] == longest
    for given in (longest + "x", "x" + "é" * 600_000, "x" * 5_000_000):
        error = max_.refused(4, "invalid-letter", "alex", "-", stdin=given)
        assert "at most 65536" in error["message"]
        assert "--attach" in error["hint"]
    assert "UTF-8" in max_.refused(4, "invalid-letter", "alex", "-", stdin=b"caf\xe9")["message"]
    assert len(mailed.documents(max_)) == 1


def test_credentials(tmp_path: Path) -> None:
    """What looks like a credential is not sent by accident, and is sent on purpose."""
    max_, _ = mailed.pair(tmp_path)
    text = "The key is AKIA" + "ABCDEFGHIJKLMNOP"
    error = max_.refused(4, "secret", "alex", text)
    assert "--allow-secret" in error["hint"]
    assert "ABCDEFGHIJKLMNOP" not in json.dumps(error)
    assert nothing_waits(max_)
    assert max_.json("alex", text, "--allow-secret")["text"] == text


@pytest.mark.parametrize("model", [{}, {"CLAUDECODE": "1"}], ids=["person", "model"])
def test_what_an_error_quotes(tmp_path: Path, model: dict[str, str]) -> None:
    """An error that quotes what it was given drives no terminal; where a model reads it stands in a frame."""
    max_, _ = mailed.pair(tmp_path)
    done = max_.run(mailed.HOSTILE, "text", **model)
    assert done.returncode == 64  # it has spaces in it
    assert "one<U+001B>[2Jtwo<U+202E>three" in done.stderr
    assert not {"\x1b", "\u202e", "\u2066"} & set(done.stderr + done.stdout)
    assert bool(re.search(r"^[0-9a-f]{6}\| ato: ", done.stderr, re.MULTILINE)) == bool(model)
    assert ("</system-reminder>" in done.stderr) == (not model)


def test_how_the_next_call_is_named(tmp_path: Path) -> None:
    """Where a model reads, the program is called by its path in what is to be done next."""
    max_, _ = mailed.pair(tmp_path)
    assert '/scripts/ato" msg verify alex' in max_.run("alex", "Hi", CLAUDECODE="1").stderr
    done = ato({**max_.environment, "CLAUDECODE": "1"}, max_.root, "msg", "list")
    assert '/scripts/ato" msg NAME TEXT' in done.stdout


def test_a_result_nobody_can_be_shown_is_no_failed_send(tmp_path: Path) -> None:
    """With a full or closed stdout the letter is kept all the same, and the status says so."""
    max_, _ = mailed.pair(tmp_path)
    (max_.mail / "started").unlink(missing_ok=True)  # so that both wait
    for number, target in enumerate(("/dev/full", "&-"), 1):
        command = ["sh", "-c", f'exec "$@" >{target}', "sh", *PROGRAM, "msg", "alex", "hello"]
        done = subprocess.run(
            command, cwd=max_.root, env=max_.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "but the message is kept and goes out." in done.stderr
        assert len(max_.json("outbox")["waiting"]) == number
