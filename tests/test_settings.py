"""`install.sh --print-settings` and docs/settings.md: the hooks of the plugin for a settings.json by hand."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from support.cli import ROOT
from support.machine import Machine
from support.machine import ready as ready_machine

PAGE = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
HOOKS = json.loads((ROOT / "hooks/hooks.json").read_text(encoding="utf-8"))["hooks"]
RUN = '"$CLAUDE_PLUGIN_ROOT/hooks/run"'


@pytest.fixture
def ready(tmp_path: Path) -> Machine:
    """A scratch machine with Python and the stand-in for uv."""
    return ready_machine(tmp_path)


def documents() -> list[dict[str, Any]]:
    """The JSON documents of the page, in their order."""
    return [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```$", PAGE, re.M | re.S)]


def at(folder: str, hooks: Any) -> dict[str, Any]:
    """What a settings.json has for hooks of the plugin that lies in a folder."""
    run = shlex.quote(f"{folder}/hooks/run")
    return {"hooks": json.loads(json.dumps(hooks).replace(json.dumps(RUN)[1:-1], json.dumps(run)[1:-1]))}


def test_the_page_shows_what_is_printed(ready: Machine) -> None:
    """The first document of docs/settings.md is what --print-settings prints, the second its Stop hook alone."""
    printed = ready.install("--print-settings")
    assert printed.returncode == 0, printed
    shown, drain, _ = documents()
    folder = "/home/me/.local/share/agent-team-os/program"
    assert shown == at(folder, HOOKS)
    assert json.loads(printed.stdout) == at(str(ready.clone), HOOKS)
    assert drain == {"hooks": {"Stop": shown["hooks"]["Stop"]}}
    rows = re.findall(r"^\| `(\w+)` \| (?=[^|]{20})[^|]*\|$", PAGE, re.M)
    assert rows == list(HOOKS)


def test_only_json_goes_to_stdout_and_nothing_is_changed(ready: Machine) -> None:
    """stdout is the JSON alone, stderr says what to do with it, and no file is made or changed."""
    (ready.home / ".claude").mkdir()
    (ready.home / ".claude/settings.json").write_text("{}")
    before = ready.files(), ready.files(ready.clone)
    printed = ready.install("--print-settings")
    assert json.loads(printed.stdout).keys() == {"hooks"}
    assert f"{ready.clone}/docs/settings.md" in printed.stderr
    assert f"{ready.clone}/docs/settings.md" in printed.stderr
    assert (ready.home / ".claude/settings.json").read_text() == "{}"
    assert (ready.files(), ready.files(ready.clone)) == before
    assert list(ready.temporary.iterdir()) == []


def test_any_path_is_printed_as_valid_json(ready: Machine) -> None:
    """A folder whose name has quotes, backslashes and other letters is printed so that it is read as it is."""
    odd = ready.home / 'my "clöne" \\n $HOME'
    ready.clone.rename(odd)
    printed = ready.run(str(odd / "install.sh"), "--print-settings")
    assert json.loads(printed.stdout) == at(str(odd), HOOKS)


def test_the_installed_program_prints_the_path_that_stays(ready: Machine) -> None:
    """Run from the installed program it prints the path that outlives updates, and each hook is found there."""
    assert ready.install("--no-plugin").returncode == 0
    assert ready.install("--no-plugin").returncode == 0
    program = ready.data / "program"
    printed = ready.run(str(program / "install.sh"), "--print-settings")
    assert json.loads(printed.stdout) == at(str(program), HOOKS)
    assert (program / "hooks/run").is_file()


def test_a_copy_without_hooks_is_named(ready: Machine) -> None:
    """Where there is nothing to print, one line says so."""
    shutil.rmtree(ready.clone / "hooks")
    printed = ready.install("--print-settings")
    assert (printed.returncode, printed.stdout) == (70, "")
    assert "hooks/hooks.json" in printed.stderr


def test_the_drain_of_the_page_is_a_valid_map() -> None:
    """The map shown for the drain is valid, and the table names every key the schema has, with its choices."""
    schema = json.loads((ROOT / "schemas/agent-map.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate({"version": "2.0", **documents()[2]}, schema)
    keys = schema["$defs"]["drain"]["properties"]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \| `\w+` \|$", PAGE, re.M))
    assert rows.keys() == keys.keys()
    for name, key in keys.items():
        for choice in key.get("enum", ()):
            assert f"`{choice}`" in rows[name]
