"""msg NAME TEXT --attach FILE: what goes along, what cannot, and that a refusal comes before anything is kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support import mailed

MOST = 10 * 1_048_576


def test_several_files(tmp_path: Path) -> None:
    """Each --attach is one file more; sizes are summed, and the copies are what the files held at the send."""
    max_, _ = mailed.pair(tmp_path)
    max_.file("a.csv", b"a" * 4301)
    (max_.root / "deep").mkdir()
    (max_.root / "deep/b c ü.txt").write_bytes(b"")
    options = ["--attach", "a.csv", "--attach", str(max_.root / "deep/b c ü.txt"), "--attach=a.csv"]
    assert max_.said("alex", "Files", *options) == "Sent to alex@bonnard.ai (3 attachments, 8.4KB)\n"
    (document,) = mailed.documents(max_)
    sums = [hashlib.sha256(data).hexdigest() for data in (b"a" * 4301, b"", b"a" * 4301)]
    assert document["attachments"] == [
        {"name": "a.csv", "size": 4301, "sha256": sums[0]},
        {"name": "b c ü.txt", "size": 0, "sha256": sums[1]},
        {"name": "a.csv", "size": 4301, "sha256": sums[2]},
    ]
    max_.file("a.csv", "changed")
    copies = max_.mail / "spool" / document["id"]
    assert [(copies / str(number)).read_bytes() for number in range(3)] == [b"a" * 4301, b"", b"a" * 4301]


def _missing(path: Path) -> None:
    assert not path.exists()


def _folder(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.with_name("meant").write_text("secret")
    path.symlink_to("meant")


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MOST + 1)


def _closed(path: Path) -> None:
    path.write_text("x")
    path.chmod(0)


@pytest.mark.parametrize("make", [_missing, _folder, _fifo, _link, _large, _closed])
def test_what_cannot_go(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A file that cannot travel is refused by its name, at once, and nothing of the letter is kept."""
    max_, _ = mailed.pair(tmp_path)
    max_.file("good", "good")
    make(max_.root / "bad")
    error = max_.refused(4, "invalid-attachment", "alex", "Files", "--attach", "good", "--attach", "bad")
    assert "bad" in error["message"]
    assert error["hint"]
    assert list((max_.mail / "spool").iterdir()) == []


def test_devices_and_too_many(tmp_path: Path) -> None:
    """No device is read, and no more than 20 files go."""
    max_, _ = mailed.pair(tmp_path)
    assert "/dev/zero" in max_.refused(4, "invalid-attachment", "alex", "x", "--attach", "/dev/zero")["message"]
    max_.file("a", "a")
    assert "20" in max_.refused(4, "invalid-attachment", "alex", "x", *["--attach", "a"] * 21)["message"]
    max_.said("alex", "x", *["--attach", "a"] * 20)


def test_ten_mebibytes(tmp_path: Path) -> None:
    """A file of exactly 10 MiB goes all the way, with the bytes it had."""
    max_, alex = mailed.pair(tmp_path)
    data = os.urandom(MOST)
    max_.file("large", data)
    assert max_.said("alex", "Large", "--attach", "large") == "Sent to alex@bonnard.ai (1 attachment, 10.0MB)\n"
    assert max_.sync()["pushed"] == {"alex@bonnard.ai": 1}
    assert alex.sync()["fetched"] == {"max@bonnard.ai": 1}
    assert "Saved to: ~/.claude/shared/inbox/large" in alex.said("read", "1").splitlines()
    assert (alex.inbox / "large").read_bytes() == data
