"""`doctor` names every breakage of a home with the next command, changes nothing, and mends what is provable."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agent_team_os.mail import doctor
from support.breakages import BREAKAGES, Breakage
from support.breakages.mail import sender_killed_after_the_line
from support.breakages.maps import map_broken
from support.cli import ato, environment
from support.homes import MACHINE, examine, healthy, tree


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bus in which nothing is wrong."""
    return healthy(tmp_path, monkeypatch)


def _name(breakage: Breakage) -> str:
    return breakage.breaks.__name__


@pytest.mark.parametrize("breakage", BREAKAGES, ids=_name)
def test_a_broken_home_is_named_and_left_alone(breakage: Breakage, home: Path) -> None:
    """Each breakage gives its finding, with what is wrong and what to do, and no other; looking changes nothing."""
    says = breakage.breaks(home)
    before = tree(home)
    found = examine(home)
    assert {finding["code"] for finding in found} - breakage.also == {breakage.code}
    mine = [finding for finding in found if finding["code"] == breakage.code]
    assert any(says in finding["what"] for finding in mine), mine
    for finding in mine:
        assert finding["severity"] == breakage.severity
        assert finding["fix"]
        assert finding["path"].startswith(str(home))
        assert finding["what"].endswith((".", "?"))
    assert tree(home) == before
    json.dumps(found, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("breakage", [entry for entry in BREAKAGES if entry.mends], ids=_name)
def test_what_can_be_mended_is_mended_once(breakage: Breakage, home: Path) -> None:
    """Repair says what it mended, leaves nothing to find, and has nothing to do the second time."""
    breakage.breaks(home)
    said = list(doctor.repair(str(home)))
    assert said
    assert all(sentence.endswith(".") and sentence.isprintable() for sentence in said)
    assert examine(home) == []
    assert list(doctor.repair(str(home))) == []


@pytest.mark.parametrize("breakage", [entry for entry in BREAKAGES if not entry.mends], ids=_name)
def test_what_cannot_be_mended_stays(breakage: Breakage, home: Path) -> None:
    """Where there is nothing provable to do, repair deletes no byte of any file, and the finding stays in some form."""
    breakage.breaks(home)
    before = {content for _, content in tree(home).values()}
    list(doctor.repair(str(home)))
    assert before <= {content for _, content in tree(home).values()}
    assert examine(home)
    assert list(doctor.repair(str(home))) == []


def test_every_check_has_a_breakage() -> None:
    """The table knows every code the checks can give, but for those with a test of their own."""
    source = "".join(path.read_text() for path in Path(doctor.__file__).parent.glob("*.py"))
    mentioned = {entry.code for entry in BREAKAGES}
    alone = {"python-old", "package-missing", "home-missing", "home-read-only", "foreign-owner", "cannot-look"}
    for code in alone | MACHINE:
        assert f'"{code}"' in source
    named = set(re.findall(r'finding\(\s*"([a-z-]+)"', source)) | set(re.findall(r'yield "([a-z-]+)"', source))
    assert named - mentioned <= alone | MACHINE


def test_the_command(home: Path) -> None:
    """`ato doctor --json` prints `{ok, findings, hooks}` and exits 4 with an error, also where the map is broken."""
    env = environment(home.parent)
    done = ato(env, home.parent, "doctor")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hooks: none has run here yet\nNothing is wrong.\n", "")
    map_broken(home)
    done = ato(env, home.parent, "doctor", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 4
    assert document["ok"] is False
    assert [set(finding) for finding in document["findings"]] == [{"code", "severity", "path", "what", "fix"}]
    done = ato(env, home.parent, "doctor")
    assert done.returncode == 4
    assert "line 3, column 13" in done.stdout
    assert "Next: Edit " in done.stdout


def test_the_command_repairs(home: Path) -> None:
    """`ato doctor` leaves a spool file where it is, `--repair` finishes it and says so on stderr."""
    sender_killed_after_the_line(home)
    env = environment(home.parent)
    for _ in range(2):
        done = ato(env, home.parent, "doctor", "--json")
        assert {finding["code"] for finding in json.loads(done.stdout)["findings"]} == {"spool-left", "lock-dead"}
        assert done.returncode == 0
    done = ato(env, home.parent, "doctor", "--repair", "--json")
    assert json.loads(done.stdout) == {"ok": True, "findings": [], "hooks": {"ran": {}, "error": None}}
    assert done.stderr.count("Repaired: ") == 2
    done = ato(env, home.parent, "doctor", "--repair")
    assert (done.stdout, done.stderr) == ("Hooks: none has run here yet\nNothing is wrong.\n", "")
