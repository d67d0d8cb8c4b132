"""The permission to run our helper: what passes without a question, by verb, option, file and path of the helper."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_team_os.cli import main
from agent_team_os.hooks import pre_tool_use
from conftest import Team
from support import shells
from support.cli import ROOT
from support.desk import Desk
from support.shells import Place

VERBS = (
    "whoami", "bus", "inbox", "read", "thread", "trace", "send", "reply", "handoff", "overdue", "telemetry",
    "god status", "plan show", "plan propose", "plan dispatch", "tasks list", "tasks show",
    "msg list", "msg read", "msg users", "msg outbox", "msg sync",
)  # fmt: skip
# Of these verbs what a person should have wanted, or what is no business of a model.
KEPT = {"--allow-secret", "--batch", "--task", "--once", "--save"}
ID = "msg-20260520-091812-1a2b3c4d"
HONEST = [
    # reading
    *("ATO whoami", "ATO bus", "ATO inbox", "ATO read", "ATO thread", f"ATO trace {ID}", "ATO --help", "ATO --version"),
    *('"ATO" whoami', "'ATO' whoami", " ATO whoami", "  ATO  whoami  ", "ATO\twhoami\t--json", "ATO whoami\n"),
    *("ATO -h", "ATO whoami --json", "ATO 'whoami'", 'ATO "bus" --json', "ATO inbox --all --json", "ATO inbox --help"),
    *("ATO bus -h", f"ATO read {ID}", f"ATO read {ID} --peek", "ATO read --peek --json"),
    *("ATO read 1a2b3c4d", "ATO thread thread-20260520-abc123", "ATO thread --status open", "ATO thread --status=open"),
    # writing
    "ATO send dev bug-fix --summary 'Login loops on Safari' --field project=web",
    "ATO send ops question --field question='Which branch?'",
    'ATO send ops question --field question="Which branch?" -p urgent',
    "ATO send dev/web note -s 'He said \"go on; do it\" & left | a $HOME `x` $(date) ${x} <b> *.py ~ # ! \\n {a,b}'",
    'ATO send dev note -s "It\'s done; see #12 & (maybe) *.py {a,b} ~ <b> | ?"',
    "ATO send dev note -s 'It'\"'\"'s done'",
    'ATO send dev note -s "a"\'b\'c',
    "ATO send dev note -s ''",
    'ATO send dev note -s ""',
    "ATO send dev note -s 'one line\nand\n\nanother'",
    'ATO send dev note -s "one line\nand another"',
    "ATO send dev note -s 'Grüße, 日本語, \U0001f600, ；＆｜ \u2028 \xa0'",
    "ATO send dev note -s --attach",
    "ATO send dev note -s --allow-secret",
    "ATO send dev note --summary=--batch",
    "ATO send dev note -s 'wow!'",
    "ATO send dev note -s 100% -f mail=max@example.org -f time=18:00 -f sum=1+1 -f path=a/b,c",
    "ATO send dev note --ref https://example.org/x --ref 'https://example.org/?a=b&c' --ref ../a --ref /etc/hosts",
    "ATO send dev note --response-by 2026-05-23T18:00:00+02:00 --requires-response --dry-run --json",
    "ATO send dev note --type question --thread thread-20260520-abc123 --priority=high",
    "ATO send dev note --payload '{\"summary\":\"a\",\"steps\":[\"b\",{\"c\":1}]}'",
    "ATO send dev note --payload -",
    "ATO send dev note --body -",
    "ATO send dev note --body=-",
    "ATO send dev note --body @a.txt",
    "ATO send dev note --body=@WS/sub/b.txt",
    "ATO send dev note --payload '@two words.txt'",
    "ATO send dev note --attach a.txt -a sub/b.txt --attach=WS/a.txt -a 'two words.txt'",
    "ATO send dev note -a ./a.txt -a sub/../a.txt -a sub-link/b.txt -a WS/sub/.hidden/../b.txt",
    "ATO send dev note -a missing.txt",
    "ATO send dev note -a '*' -a '$HOME' -a '`x`' -a --json",
    "ATO send --json dev -s a note",
    "ATO send dev note -f a=@/etc/passwd -f file=/etc/passwd",
    f"ATO reply {ID} accept",
    f"ATO reply {ID} response -s 'Done' --attach a.txt --body @a.txt --json",
    f"ATO reply {ID} question --field question='Which one?' --payload @a.txt",
    "ATO handoff dev",
    "ATO handoff dev release --state-summary 'Half done' --next-step 'Run it' --next-step 'Ship' --blocker 'No key'",
    "ATO handoff dev --file a.txt --file=.env --file .git/config --file WS/missing --thread t -a a.txt",
    # plans, tasks, figures
    *("ATO overdue", "ATO overdue --json", "ATO telemetry", "ATO telemetry --by model --since 2026-05-20 --json"),
    *("ATO god", "ATO god status", "ATO god status --json", "ATO plan show", "ATO plan show a1b2c3 --json"),
    *("ATO plan dispatch plan-20260520-a1b2c3", "ATO tasks list --status todo --blocked"),
    *("ATO tasks show t-1", "ATO tasks list --assignee=dev --json", "ATO plan propose -", "ATO plan propose --json -"),
    "ATO plan propose - --json <<'EOF'\n{\"objective\": \"x\", \"tasks\": []}\nEOF",
    # people
    *("ATO msg list", "ATO msg list --all --json", "ATO msg read", "ATO msg read 3 --json"),
    *("ATO msg users", "ATO msg outbox --json", "ATO msg sync", "ATO msg read --help"),
    # heredocs
    "ATO send dev note --body - <<'EOF'\nnote: a\nEOF",
    "ATO send dev note --body - <<'EOF'\nnote: a\nEOF\n",
    'ATO send dev note --body - <<"EOF"\nnote: $(date) `x` ${y} \\\nEOF \n EOF\nEOF',
    "ATO send dev note --body - <<'EOF' \t\nnote: it's; \"done\" & <b>\n\nMore *text* {here} !\nEOF\n",
    "ATO send dev note --payload - --json <<'END_1'\n{\"summary\":\"a\",\n \"steps\":[\"it's\",\"$x\"]}\nEND_1",
    "ATO send dev note -s 'a\nb' --body - <<'0'\n<<'EOF'\nEOF\n0",
    "ATO send dev note --body - <<'EOF'\nEOF",
    "ATO send dev note --body -\t<<'EOF'\n\n\r\n\x0b\x0cEOF\x0c\n EOF\u2028\n日本語\nEOF",
    "ATO send dev note -p 2 <<'EOF'\nEOFX\neof\nEOF;touch x\nEOF",
    f"ATO reply {ID} response --body - --attach a.txt <<'EOF'\nnote: <<EOF\nEOF",
    "ATO handoff dev --body - <<'EOF'\nnote: a\nEOF",
    "ATO whoami <<'EOF'\nEOF",
]  # fmt: skip
LONG = "ATO send dev note --body - <<'EOF'\n" + "note: it's {a} $(b)\n" * 9_000 + "EOF\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One place for all tests here that change nothing."""
    return shells.build(tmp_path_factory.mktemp("place"))


# ---- What passes --------------------------------------------------------------------------------


def test_honest_lines_pass(place: Place) -> None:
    """What a model writes to read and send mail passes, whatever the text of the mail is."""
    assert len(set(HONEST)) == len(HONEST) >= 60
    assert [line for line in [*HONEST, LONG] if not place.passes(line)] == []


@pytest.mark.parametrize("evaluated", [False, True])
def test_shells_run_honest_lines_once(place: Place, evaluated: bool) -> None:
    """Each shell makes of an honest line one process of the helper, with the words and the stdin that were judged."""
    assert [line for line in HONEST if not place.agrees(line, evaluated)] == []


def test_harmless_fields_of_the_input(place: Place) -> None:
    """Flags that are off, a null agent_id and fields of later versions of the hook do not matter."""
    asked = {"command": place.fill("ATO whoami"), "description": "x", "timeout": 1, "run_in_background": False}
    asked["dangerouslyDisableSandbox"] = False
    assert place.passes("", tool_input=asked, agent_id=None, permission_mode="default", later={"a": 1})
    assert pre_tool_use.run({"tool_name": "Bash", "tool_input": asked}, place.workspace, place.helper)


@pytest.mark.parametrize("key", ["cwd", "env", "shell", "stdin", "sandbox", "Command", "", "later"])
@pytest.mark.parametrize("value", [None, False, "x", {}])
def test_unknown_keys_of_a_call(place: Place, key: str, value: object) -> None:
    """A key of the call that nobody has thought of gets no answer, whatever it is set to: it may change what runs."""
    asked = {"command": place.fill("ATO whoami"), key: value}
    assert not pre_tool_use.run({"tool_name": "Bash", "tool_input": asked}, place.workspace, place.helper)


MANAGERS = ("github", "mcp", "somebodys", "file", "taskwarrior", None)


@pytest.mark.parametrize("kind", MANAGERS)
def test_what_may_reach_a_task_manager_elsewhere(kind: str | None, team: Team) -> None:
    """An answer asks where the agent's own tasks are not kept on this machine, and whatever can change tasks of others
    asks where anybody's are not; other mail passes as ever."""
    settings = {} if kind is None else {"task_provider": {"kind": kind, "repo": "o/r", "create": {"tool": "x"}}}
    agents = {"ops": {}, "dev": {"domain": "web"}}
    team.map(agents=agents, domains={"web": {"hub": "ops", **settings}}, gods=["ops"])
    here = kind in ("file", "taskwarrior", None)
    calls = {
        "reply x7q3abcd decline -s x": {"ops": True, "dev": here}, "tasks list": {"ops": here, "dev": here},
        "tasks show 1": {"ops": here, "dev": here}, "plan dispatch p1": {"ops": here, "dev": here},
        "send dev note -s x": {"ops": True, "dev": True}, "inbox": {"ops": True, "dev": True},
    }  # fmt: skip
    for call, wanted in calls.items():
        for agent, passes in wanted.items():
            asked = {"tool_name": "Bash", "tool_input": {"command": f"{ROOT}/scripts/ato {call}"}}
            answer = Desk(team, agent).fire("PreToolUse", **asked)
            decided = answer.get("hookSpecificOutput", {}).get("permissionDecision")
            assert decided == ("allow" if passes else None), (call, agent)


# ---- The options, as the program has them -------------------------------------------------------


def options(verb: str) -> dict[str, click.Option]:
    """All options of a verb, each under all its names."""
    first, _, second = verb.partition(" ")
    command = main.Verbs().get_command(click.Context(main.main), first)
    assert command is not None
    if isinstance(command, click.Group) and second:
        command = command.get_command(click.Context(command), second)
        assert command is not None
    found = [option for option in command.params if isinstance(option, click.Option)]
    return {name: option for option in found for name in option.opts}


def every() -> list[str]:
    """All verbs, and those of them that are two words."""
    found = ["god on", "god off", "god status"]
    for verb in main.VERBS:
        command = main.Verbs().get_command(click.Context(main.main), verb)
        below = command.list_commands(click.Context(command)) if isinstance(command, click.Group) else ()
        found += [verb, *(f"{verb} {name}" for name in below)]
    return found


@pytest.mark.parametrize("verb", every())
def test_every_option_is_judged(place: Place, verb: str) -> None:
    """Each option of a verb passes with text, or with files of the project, unless a person should have wanted it.

    One that is new to the program does not pass before somebody has thought of it: then this test fails.
    """
    known = options(verb)
    called = "ATO plan propose -" if verb == "plan propose" else f"ATO {verb}"
    everything = {name: option for other in every() for name, option in options(other).items()}
    for name, option in everything.items():
        allowed = verb in VERBS and name in known and not KEPT & {name, f"{verb} {name}"}
        words = [f"{called} {name}"]
        if not option.is_flag:
            assert option.nargs == 1
            words = [f"{called} {name} a.txt"] + [f"{called} {name}=a.txt"] * name.startswith("--")
        assert [place.passes(line) for line in words] == [allowed] * len(words), name
        if option.is_flag or not allowed:
            continue
        for form in (f"ATO {verb} {name} ", f"ATO {verb} {name}="):
            ours = form[-1] == " " or name.startswith("--")
            files = name in ("--attach", "-a", "--file")
            assert place.passes(f"{form}OUT/x") is (ours and not files)
            assert place.passes(f"{form}.env") is (ours and (not files or name == "--file"))
            assert place.passes(f"{form}@OUT/x") is (ours and name not in ("--body", "--payload"))
            assert place.passes(f"{form}@.env") is (ours and name not in ("--body", "--payload"))


ARGS = [
    *("--attach", "-a", "--body", "--payload", "--file", "--save", "--summary", "-s", "--field", "-f", "--next-step"),
    *("--json", "--peek", "--dry-run", "--thread", "--allow-secret", "--batch", "-", "--", "", "x=y", "dev", "accept"),
    *("OUT/x", "@OUT/x", "--attach=OUT/x", "-aOUT/x", "-a=OUT/x", "-sa", "-as", "--body=@OUT/x", "--save=OUT/x", "-fa"),
    *(
        "a.txt",
        "@a.txt",
        "--summary=--attach",
        "--summary=",
        "--attach=a.txt",
        "--att=OUT/x",
        "--sav",
        "--next-step=-a",
    ),
]


@settings(deadline=None, max_examples=800, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["read", "send", "reply", "handoff"]), st.lists(st.sampled_from(ARGS), max_size=6))
def test_the_program_reads_no_other_files(place: Place, verb: str, args: list[str]) -> None:
    """Where a call passes, the program's own reading of its words finds no file outside, no secret and no batch."""
    if not place.passes(f"ATO {verb} " + " ".join(f"'{arg}'" for arg in args)):
        return
    command = main.Verbs().get_command(click.Context(main.main), verb)
    assert command is not None
    try:
        params: dict[str, Any] = command.make_context(verb, [place.fill(arg) for arg in args]).params
    except click.UsageError:
        return
    assert not params.get("allow_secret")
    assert not params.get("batch")
    files = [*params.get("attach", ()), *params.get("file", ()), params.get("save")]
    sources = [params.get("body"), params.get("payload")]
    assert place.fill("OUT/x") not in files
    assert place.fill("@OUT/x") not in sources


def test_a_value_may_look_like_an_option(team: Team) -> None:
    """The program takes the word after an option for its value whatever it looks like, as the permission does."""
    sent = team.json(
        "ops", "send", "dev", "note", "-s", "--attach", "-f", "-a=/etc/passwd", "--body", "-", stdin="b: --\n"
    )
    assert team.stored(sent)["payload"] == {"summary": "--attach", "-a": "/etc/passwd", "b": "--"}
    assert not team.stored(sent).get("attachments")


# ---- Files of the project -----------------------------------------------------------------------


def test_relative_paths_begin_where_the_session_is(place: Place) -> None:
    """A relative path is one from the session's folder, or from the project's where the input names none."""
    line = "ATO send dev note --attach b.txt --body @../a.txt"
    assert place.passes(line, cwd=f"{place.workspace}/sub")
    assert not place.passes(line, cwd=place.workspace)
    assert not place.passes(line)
    assert not place.passes("ATO send dev note -a a.txt", cwd=f"{place.base}/out")
    assert not place.passes("ATO read --save x", cwd=f"{place.base}/out")
    assert not place.passes("ATO handoff dev --file x", cwd=f"{place.workspace}/out-link")
    assert place.passes("ATO send dev note -a WS/a.txt", cwd=f"{place.base}/out")
    for cwd in (None, "", "sub", "../out", 7, [place.base]):
        assert place.passes("ATO send dev note -a sub/b.txt", cwd=cwd)
        assert not place.passes("ATO send dev note -a b.txt -a ../out/secret.txt", cwd=cwd)


def test_the_project_may_be_known_by_a_link_or_lie_in_a_hidden_folder(tmp_path: Path) -> None:
    """What counts is where the files really are, below the project; how one gets to the project does not."""
    place = shells.build(tmp_path)
    shutil.move(place.workspace, tmp_path / ".real")
    (tmp_path / "ws").symlink_to(".real")
    for attached in ("a.txt", "WS/a.txt", f"{tmp_path}/.real/a.txt"):
        assert place.passes(f"ATO send dev note --attach {attached}")
    for attached in (".env", "WS/.env", f"{tmp_path}/.real/.env"):
        assert not place.passes(f"ATO send dev note --attach {attached}")


@pytest.mark.parametrize("workspace", ["/", "//", "", ".", "ws", "/nowhere"])
def test_no_project_no_files(place: Place, workspace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole disk, a relative path and a folder that is not there are no project to send files of."""
    monkeypatch.chdir(place.base)
    for line, passes in {
        "ATO whoami": True,
        "ATO send dev note -s a": True,
        "ATO send dev note -a WS/a.txt": False,
        "ATO send dev note --body @WS/a.txt": False,
        "ATO handoff dev --file WS/a.txt": False,
        "ATO read --save WS/sub": False,
    }.items():
        assert pre_tool_use.run(place.given(line), workspace, place.helper) is passes


# ---- The path of the helper ---------------------------------------------------------------------


def test_the_helper_by_either_of_its_paths(place: Place) -> None:
    """Known by a path through a link, the helper passes by that path and by its real one, and by no third."""
    linked = f"{place.base}/plugin/scripts/ato"
    for program, passes in {
        "BASE/plugin/scripts/ato": True,
        "BASE/tool/scripts/ato": True,
        "WS/linked/scripts/ato": False,
        "OUT/link-to-ato": False,
        "OUT/scripts/ato": False,
    }.items():
        assert pre_tool_use.run(place.given(f"{program} whoami"), place.workspace, linked) is passes
    assert not place.passes("BASE/plugin/scripts/ato whoami")


def test_a_helper_in_the_project_asks(place: Place) -> None:
    """A helper that lies in the project can be rewritten by whoever works there, so the person is asked."""
    given = {"tool_name": "Bash", "tool_input": {"command": f"{place.helper} whoami"}}
    assert pre_tool_use.run(given, str(place.base / "project"), place.helper)
    assert not pre_tool_use.run(given, os.path.dirname(place.helper), place.helper)


@pytest.mark.parametrize(
    "line",
    [
        "msg", "msg alex Hello", "msg send alex Hello", "msg send alex - <<'EOF'\nHello\nEOF", "msg max",
        "msg setup --yes", "msg verify alex --yes", "msg device add", "msg device accept age1x", "msg sync --once",
        "msg --json list", "msg --json send alex Hello", "msg lists",
    ],
)  # fmt: skip
def test_what_leaves_the_machine_asks(place: Place, line: str) -> None:
    """A person is asked before a message goes to somebody, in any form, and before keys or trust are changed."""
    assert not place.passes(f"ATO {line}")


@pytest.mark.parametrize("verb", ["read", "msg read"])
@pytest.mark.parametrize(
    "words", ["--save sub 3", "3 --save .", "--save=WS/sub", "--save OUT", "--json --save sub/new", "--save /tmp 3"]
)
def test_a_sender_s_file_in_the_project_asks(place: Place, verb: str, words: str) -> None:
    """Where an attachment is written a person is asked: its sender has chosen the name, and in a project some run."""
    assert not place.passes(f"ATO {verb} {words}")
    assert place.passes(f"ATO {verb} 3")


@pytest.mark.parametrize("verb", ["send dev note", "reply x7q3 response", "handoff dev", "inbox", "read", "bus"])
def test_in_plan_mode_nothing_is_sent(place: Place, verb: str) -> None:
    """In plan mode what only shows mail passes, and what sends some asks."""
    given = {"tool_name": "Bash", "tool_input": {"command": f"{place.helper} {verb}"}, "permission_mode": "plan"}
    workspace = str(place.base / "project")
    assert pre_tool_use.run(given, workspace, place.helper) is (verb in ("inbox", "read", "bus"))
    assert pre_tool_use.run({**given, "permission_mode": "default"}, workspace, place.helper)


@pytest.mark.parametrize("skill", ["agent-team-os:send", "agent-team-os:agent-team-os", "send", None])
def test_no_answer_for_skills(place: Place, skill: object) -> None:
    """A skill is known by its name alone, which a file of the project can have as well: it gets no answer."""
    given = {"tool_name": "Skill", "tool_input": {"skill": skill, "args": "dev"}}
    assert not pre_tool_use.run(given, str(place.base / "project"), place.helper)


@pytest.mark.parametrize(
    "folder", ["two words", "it's", "a$b", "a`b", 'a"b', "a\\b", "ü", "a!b", "a;b", "a*b", "=a", "~"]
)
def test_an_odd_path_must_be_quoted(tmp_path: Path, folder: str) -> None:
    """A helper in a folder with an odd name passes where the quotes are ones that keep it."""
    helper = tmp_path / folder / "ato"
    helper.parent.mkdir()
    helper.write_text("")

    def passes(program: str) -> bool:
        given = {"tool_name": "Bash", "tool_input": {"command": f"{program} whoami"}}
        return pre_tool_use.run(given, str(tmp_path / "project"), str(helper))

    assert passes(f"{helper}") is (folder == "=a")
    assert passes(f"'{helper}'") is ("'" not in folder)
    assert passes(f'"{helper}"') is not any(char in folder for char in '"$`\\!')


def test_the_helper_must_be_a_file_by_a_plain_path(place: Place) -> None:
    """A helper that is not there, that is a folder, or that is known by a path with turns in it does not pass."""
    for helper in (
        "missing/ato",
        "tool/scripts",
        "tool/scripts/../scripts/ato",
        "tool//scripts/ato",
        "tool/./scripts/ato",
    ):
        path = f"{place.base}/{helper}"
        assert not pre_tool_use.run(place.given(f"{path} whoami"), place.workspace, path)
    for path in ("/" + place.helper, "scripts/ato", "ato", ""):
        assert not pre_tool_use.run(place.given(f"{path} whoami"), place.workspace, path)
