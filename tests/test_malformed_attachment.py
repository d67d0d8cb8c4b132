"""Any bytes as attachment: not taken out, and said so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_team_os.mail import doctor
from agent_team_os.protocol.errors import InvalidAttachment
from conftest import Team
from support import corpus
from support.broken import bus, one_line, patience, place, plain, snapshot


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_as_attachment(team: Team, tmp_path: Path, kind: str) -> None:
    """An attachment whose bytes are not those that were sent is not taken out, and the letter says so."""
    content = {"content": "of the attachment"}
    place(team.root / "data.json", content)
    sent = bus(team, "ops", "ops").send("dev", "note", {}, attach=[str(team.root / "data.json")])
    (blob,) = (team.home / "attachments").iterdir()
    blob.unlink()
    corpus.write(kind, blob, content, tmp_path)
    target = tmp_path / "out"
    target.mkdir()
    with patience():
        with pytest.raises(InvalidAttachment, match="damaged"):
            bus(team).save(bus(team).find(sent["id"])[0], str(target))
        assert "blob-damaged" in {found["code"] for found in doctor.examine(str(team.home))}
    assert os.listdir(target) == []


@pytest.mark.parametrize(
    "kind", ["FIFO", "link to /dev/zero", "link to a valid file", "folder", "1 GB sparse", "empty"]
)
def test_as_attachment_of_the_program(team: Team, tmp_path: Path, kind: str) -> None:
    """`read --save` of a damaged attachment: exit status 4, one line, nothing saved, and the letter stays pending."""
    place(team.root / "data.json", {"a": 1})
    sent = team.ask("ops", "dev", "--attach", "../data.json")
    (blob,) = (team.home / "attachments").iterdir()
    blob.unlink()
    corpus.write(kind, blob, {"a": 1}, tmp_path)
    assert "data.json is damaged" in one_line(team.run("dev", "read", sent["id"], "--save", "out"), 4)
    assert not (team.root / "dev/out").exists() or os.listdir(team.root / "dev/out") == []
    assert team.json("dev", "inbox")["count"] == 1
    assert "damaged" in plain(team.run("dev", "read", sent["id"], "--peek")).stdout


@pytest.mark.parametrize("kind", corpus.THINGS)
def test_what_cannot_be_attached(team: Team, tmp_path: Path, kind: str) -> None:
    """Only plain files that can be read, of at most 10 MiB, travel; for anything else nothing is sent."""
    path = tmp_path / "thing"
    corpus.write(kind, path, {}, tmp_path)
    before = snapshot(team.home)
    if kind == "mode 000" and os.access(path, os.R_OK):
        return  # root may read what nobody may
    with patience(), pytest.raises(InvalidAttachment):
        bus(team, "ops", "ops").send("dev", "note", {}, attach=[str(path)])
    assert snapshot(team.home) == before
