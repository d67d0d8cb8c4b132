"""A full, read-only or foreign disk: what can be read is read, what cannot be written changes nothing."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import Team, tree
from support import state
from support.attacks import unseen
from support.cli import ORDINARY, PATIENCE, PROGRAM, ato, environment
from support.hooks import hook, said
from support.sessions import Session, ids

# A mount namespace of our own, where root may mount and nobody else sees it.
UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]


def mounted(team: Team, mount: str, script: str) -> list[tuple[int, str, str]]:
    """Run the commands of a script, one a line as `agent: arguments`, after a mount; status and texts of each."""
    lines = []
    for number, line in enumerate(script.strip().splitlines()):
        agent, _, arguments = line.strip().partition(": ")
        command = " ".join([*map(shlex.quote, PROGRAM), arguments])
        out = shlex.quote(str(team.root / str(number)))
        lines.append(
            f"cd {shlex.quote(str(team.root / agent))}; {command} >{out}.out 2>{out}.err; echo $? >{out}.status"
        )
    program = f"set -e; {mount}; set +e\n" + "\n".join(lines)
    subprocess.run([*UNSHARE, "sh", "-c", program], env=team.env, check=True, timeout=120, stdin=subprocess.DEVNULL)
    return [
        (
            int((team.root / f"{number}.status").read_text()),
            (team.root / f"{number}.out").read_text(),
            (team.root / f"{number}.err").read_text(),
        )
        for number in range(len(lines))
    ]


def test_a_read_only_home_is_listed_and_read(team: Team) -> None:
    """On a disk mounted read-only mail is shown and stays; sending is exit 73 with one plain line."""
    sent = team.ask("ops", "dev")
    (team.root / "new").mkdir()
    home = shlex.quote(str(team.home))
    listed, read, again, refused, joined, trace, doctor = mounted(
        team,
        f"mount --bind {home} {home}; mount -o remount,ro,bind {home}",
        f"""
        dev: inbox --json
        dev: read --json
        dev: read
        dev: send ops question --field question=Why?
        dev: join other --path ../new
        dev: trace {sent["id"]}
        dev: doctor --json
        """,
    )
    assert (listed[0], json.loads(listed[1])["count"]) == (0, 1)
    assert (read[0], json.loads(read[1])["archived"]) == (0, False)
    assert again[0] == 0
    assert "Still in the inbox." in again[1]
    for status, out, err in (refused, joined):
        assert (status, out) == (73, "")
        assert err.count("\n") == 1
        assert "Read-only file system" in err
    assert trace[0] == 0
    assert "read-only" in " ".join(finding["code"] for finding in json.loads(doctor[1])["findings"])
    assert state.check(team.home) == {sent["id"]}


def test_a_full_disk_still_lists_and_reads(team: Team) -> None:
    """With no block left a send is exit 73 and leaves nothing, and what is there can be listed and read."""
    sent = team.ask("ops", "dev")
    home = shlex.quote(str(team.home))
    body = f"--field text={'x' * 9000}"
    results = mounted(
        team,
        # Filled to the last block, then one freed: enough for a folder, not for a message of 9 KB.
        f"cp -a {home} {home}.copy; mount -t tmpfs -o size=64k,mode=700 none {home}; cp -a {home}.copy/. {home}/; "
        f"dd if=/dev/zero of={home}/fill bs=4k 2>/dev/null || true; truncate -s -4k {home}/fill",
        f"""
        ops: send dev news --type event {body}
        dev: inbox --json
        dev: read --json
        dev: inbox --json
        ops: doctor --json
        ops: send dev news --type event {body} --json
        """,
    )
    sending, listed, read, after, doctor, again = results
    assert sending[0] == 73, sending
    assert "No space left on device" in sending[2]
    assert (listed[0], [message["id"] for message in json.loads(listed[1])["pending"]]) == (0, [sent["id"]])
    assert json.loads(read[1])["id"] == sent["id"]
    assert after[0] == 0
    assert "disk" in " ".join(finding["code"] for finding in json.loads(doctor[1])["findings"])
    assert (again[0], json.loads(again[1])["error"]["code"]) == (73, "cannot-write")


HOOKS = """
dev: hook SessionStart <{given}
dev: hook SessionStart <{given}
dev: hook UserPromptSubmit <{given}
dev: hook Stop <{given}
dev: hook SessionEnd <{given}
"""


def hooks_of_a_session(team: Team, mount: str) -> list[str]:
    """What each event of a session of dev says after a mount; that it succeeds in silence on stderr is checked."""
    given = team.root / "given"
    given.write_text('{"session_id":"s-1"}')
    results = mounted(team, mount, HOOKS.format(given=shlex.quote(str(given))))
    assert [(status, err) for status, _, err in results] == [(0, "")] * 5
    return [out and said(json.loads(out)) for _, out, _ in results]


def test_hooks_on_a_read_only_disk(team: Team) -> None:
    """On a disk mounted read-only mail is announced at the start and at each prompt, and nothing else happens."""
    sent = team.ask("ops", "dev", "--priority", "high")
    home = shlex.quote(str(team.home))
    before = tree(team.home)
    first, again, prompt, stop, end = hooks_of_a_session(
        team, f"mount --bind {home} {home}; mount -o remount,ro,bind {home}"
    )
    assert ids(first) == ids(again) == ids(prompt) == [sent["id"]]
    assert (stop, end) == ("", "")
    assert tree(team.home) == before


def test_hooks_on_a_full_disk(team: Team) -> None:
    """With no block left mail is announced at the start and at each prompt; with room again, once, and all is whole."""
    sent = team.ask("ops", "dev", "--priority", "high")
    home = shlex.quote(str(team.home))
    first, again, prompt, stop, end = hooks_of_a_session(
        team,
        f"cp -a {home} {home}.copy; mount -t tmpfs -o size=64k,mode=700 none {home}; cp -a {home}.copy/. {home}/; "
        f"dd if=/dev/zero of={home}/fill bs=4k 2>/dev/null || true; dd if=/dev/zero of={home}/fill2 bs=1 2>/dev/null"
        f" || true; trap 'cp -a {home}/. {home}.copy/' EXIT",
    )
    assert ids(first) == ids(again) == ids(prompt) == [sent["id"]]
    assert (stop, end) == ("", "")
    after = Team(team.root, team.root / ".agent-team-os.copy", team.env)
    assert (after.home / "fill").exists()
    session = Session(after, AGENT_TEAM_OS_HOME=str(after.home))
    assert ids(session.prompt()) == [sent["id"]]
    assert session.prompt() == ""
    assert state.check(after.home) == {sent["id"]}


def test_a_short_write_of_the_outbox_is_taken_back(team: Team) -> None:
    """A file size limit in the middle of the audit line leaves the log as it was and sends nothing."""
    sent = team.ask("ops", "dev")
    log = next((team.home / "outbox").glob("*.jsonl"))
    before = log.read_bytes()
    arguments = ["send", "dev", "news", "--type", "event", "--field", f"text={'x' * (1000 - len(before) % 1000)}"]
    done = subprocess.run(
        # The signal is ignored so that the write itself fails, half way through the line. A block is 1,024 bytes.
        ["bash", "-c", 'trap "" XFSZ; ulimit -f 1; exec "$@"', "bash", *PROGRAM, *arguments],
        env=team.env,
        cwd=team.root / "ops",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 73, done.stderr
    assert "File too large" in done.stderr
    assert log.read_bytes() == before
    assert team.json("dev", "inbox")["count"] == 1
    assert state.check(team.home) == {sent["id"]}


def test_a_home_others_can_write_is_refused(team: Team) -> None:
    """A home with write permission for the group is refused with the command that mends it."""
    team.home.chmod(0o770)
    done = team.run("dev", "inbox")
    assert (done.returncode, done.stdout) == (73, "")
    assert done.stderr == f"ato: {team.home} can be written by other users. Run: chmod go-w {team.home}\n"


def test_a_home_of_another_user_is_refused(tmp_path: Path) -> None:
    """Nobody reads or writes mail in a home that belongs to somebody else, root included."""
    theirs = tmp_path / "theirs"
    if os.geteuid() == 0:
        theirs.mkdir()
        os.chown(theirs, 12345, -1)
    else:
        theirs = Path("/usr")
    before = sorted(os.listdir(theirs))
    env = environment(tmp_path, AGENT_TEAM_OS_HOME=str(theirs))
    for arguments in (["inbox"], ["join", "dev"], ["init"]):
        done = ato(env, tmp_path, *arguments)
        assert done.returncode == 73, done.stderr
        assert "belongs to another user" in done.stderr
        assert sorted(os.listdir(theirs)) == before


@pytest.mark.parametrize("kind", ["file", "dangling link", "no permission"])
def test_a_home_that_cannot_be_made_is_one_plain_line(tmp_path: Path, kind: str) -> None:
    """A file or a broken link in the home's place, or a folder nobody may write to, is exit 73."""
    place = tmp_path / "bus"
    if kind == "file":
        place.write_text("not a folder")
    elif kind == "dangling link":
        place.symlink_to(tmp_path / "nowhere" / "deep")
    else:
        place = Path("/proc/bus-home")
    (tmp_path / "project").mkdir()
    done = subprocess.run(
        [*PROGRAM, "join", "dev", "--json"],
        cwd=tmp_path / "project",
        env=environment(tmp_path, AGENT_TEAM_OS_HOME=str(place)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (73, "")
    assert json.loads(done.stdout)["error"]["code"] == "cannot-write"


ODD = {
    "200 characters": "päth with späces 日本 " * 8,
    "escapes": "two\nlines\r\t\x1b]0;owned\x07\u202e ",
    "no text": "caf\udce9 ",
}


@pytest.mark.parametrize("kind", ODD)
def test_a_home_with_an_odd_name_works(kind: str, tmp_path: Path) -> None:
    """A home on a path of 200 characters, or of characters that are none, is like any other, for hooks too."""
    home = Path(f"{tmp_path}/{ODD[kind]}".strip(), "bus")
    team = Team(tmp_path, home, environment(tmp_path, AGENT_TEAM_OS_HOME=str(home)))
    for agent in ("ops", "dev"):
        team.join(agent)
    sent = team.ask("ops", "dev")
    printed = [team.run("dev", *verb).stdout for verb in (["whoami"], ["bus"], ["doctor"], ["trace", sent["id"]])]
    assert unseen("".join(printed).replace("\n", "")) == []
    assert ids(said(hook(team.env, tmp_path / "dev", "SessionStart", {"session_id": "s-1"}))) == [sent["id"]]
    assert team.json("dev", "read")["id"] == sent["id"]
    assert not team.json("dev", "doctor")["findings"]
    assert state.check(team.home) == {sent["id"]}


@pytest.mark.parametrize("env", [{"LC_ALL": "C"}, {"LC_ALL": "de_DE.ISO-8859-1"}, {"PYTHONIOENCODING": "ascii"}])
def test_words_sent_in_any_locale(env: dict[str, str], team: Team) -> None:
    """What is sent from a locale that is not UTF-8 arrives as it was typed, and is announced as it is."""
    words = "Grüße → 日本 𝄞"
    (team.root / "ops" / words).write_text(words)
    options = ["--summary", words, "--attach", words, "--body", "-"]
    sent = team.json("ops", "send", "dev", "note", *options, stdin=f"field: {words}\n\n{words}", **env)
    stored = team.stored(sent)
    assert stored["payload"] == {"summary": words, "field": words, "text": words}
    assert [each["name"] for each in stored["attachments"]] == [words]
    told = said(hook({**team.env, **env}, team.root / "dev", "SessionStart", {"session_id": "s-1"}))
    assert f": {words} ({sent['id']})" in told
    assert [thread["subject"] for thread in team.json("dev", "thread", **env)["threads"]] == [words]


def at(team: Team, clock: str, agent: str, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command while the machine's clock says something else: `-365d`, or `-365d x2` for one that runs fast."""
    found = shutil.which("faketime")
    assert found, "the Debian package faketime is missing"
    return subprocess.run(
        [*ORDINARY, found, "-f", clock, *PROGRAM, *args],
        # The clock that locks wait by is another one, which nobody sets.
        cwd=team.root / agent, env={**team.env, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}, input=stdin,
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip


@pytest.mark.parametrize("clock", ["-365d", "@1970-01-01 00:00:30"])
def test_a_clock_that_is_wrong(clock: str, team: Team) -> None:
    """With the clock set back mail is sent, announced, read and answered, whichever clock wrote it."""
    first = team.ask("ops", "dev", "--priority", "high")
    given = '{"session_id":"s-1"}'
    sent = at(team, clock, "ops", "send", "dev", "question", "--field", "question=Old?", "-p", "high", "--json")
    assert (sent.returncode, json.loads(sent.stdout)["cc"]) == (0, []), sent
    second = json.loads(sent.stdout)
    told = said(json.loads(at(team, clock, "dev", "hook", "SessionStart", stdin=given).stdout))
    assert set(ids(told)) == {first["id"], second["id"]}
    assert team.run("dev", "hook", "UserPromptSubmit", stdin=given).stdout == ""
    assert at(team, clock, "dev", "reply", first["id"], "response", "--summary", "x").returncode == 0
    assert team.json("dev", "reply", second["id"], "response", "--summary", "x")["thread_status"] == "completed"
    assert team.json("dev", "inbox")["count"] == 0
    third = team.ask("ops", "dev")
    assert json.loads(at(team, clock, "dev", "read", "--json").stdout)["id"] == third["id"]
    assert len(state.check(team.home)) == 5


def test_a_clock_set_back_is_told(team: Team) -> None:
    """With mail from the future in the home doctor says that the clock is wrong."""
    team.ask("ops", "dev")
    found = json.loads(at(team, "-365d", "ops", "doctor", "--json").stdout)["findings"]
    assert any("clock" in finding["code"] for finding in found)


def test_ids_while_the_clock_is_set_back(team: Team) -> None:
    """Ids of one process sort in the order made while the clock runs backwards under it."""
    lines = '{"to":"dev","intent":"note","payload":{}}\n' * 20
    # Each look at the clock finds it a second further back.
    done = at(team, "-0 i-1", "ops", "send", "--batch", "-", stdin=lines)
    made = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    assert len(made) == 20, done
    assert made == sorted(made)
    assert state.check(team.home) == set(made)
