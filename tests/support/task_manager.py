"""A task manager under test, and the tasks that are put into it (see `support.task_suite`)."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from agent_team_os.tasks import load
from agent_team_os.tasks.provider import Place, Task, TaskProvider
from conftest import Team
from support.cli import PATIENCE, ROOT

THREAD = "thread-20260520-abc123"
DUE = "2026-05-23T16:00:00Z"
REFS = ["file:///home/me/code/web/src/login.ts", "gh://owner/repo/issues/1?a=1&open;#x", "agent-team-os:msg/1"]
FULL: dict[str, Any] = {
    "title": "Login loops on Safari", "assignee": "dev", "priority": "p1", "due": DUE, "refs": REFS,
    "thread_id": THREAD,
}  # fmt: skip
BARE: dict[str, Any] = {
    "status": "todo", "assignee": None, "priority": "p2", "depends_on": [], "due": None, "refs": [], "thread_id": None,
}  # fmt: skip
TITLES = {
    "an attribute": "+tag project:x rc.data.location=/tmp/x due:tomorrow",
    "an option": "--help",
    "the end of options": "-- x",
    "a shell": '$(id) `id` ; id | id > /tmp/x && "quotes" \'; -- x',
    "markup": '[brackets] &open; &amp;open; &dquot; <b> {json: "x"} \\n \\u0041 back\\slash',
    "a pattern": "/from/to/g 1-5 *.* %s {0}",
    "emoji": "Ship it 🎉 👩‍👩‍👧‍👦 🇪🇺",
    "right to left": "تسجيل الدخول עברית login",
    "combining": "e\u0301 o\u0308 Z\u0351\u036b\u0343",
    "wide": "登录循环 ログイン 로그인",
    "a number": "42",
    "long": "x" * 499 + "é",
}
WRONG: dict[str, dict[str, Any]] = {
    "no title": {"title": ""},
    "a blank title": {"title": "  "},
    "two lines": {"title": "a\nb"},
    "a control character": {"title": "a\x1b[2J"},
    "half a pair": {"title": "a\ud83d"},
    "a long title": {"title": "x" * 501},
    "no agent": {"assignee": "dev +tag"},
    "no priority": {"priority": "p9"},
    "no status": {"status": "blocked"},
    "no time": {"due": "tomorrow"},
    "no zone": {"due": "2026-05-23T16:00:00"},
    "a space in a reference": {"refs": ["file:///a b"]},
    "an empty reference": {"refs": [""]},
    "no thread": {"thread_id": "thread-1"},
}
CHANGES: dict[str, Any] = {
    "title": "Login works on Safari", "status": "doing", "assignee": "ops", "priority": "p0",
    "due": "2027-01-02T03:04:05Z", "refs": ["file:///other"], "thread_id": "thread-20260521-abc124",
}  # fmt: skip
EMPTY: dict[str, Any] = {"assignee": None, "due": None, "refs": [], "thread_id": None}
NO_IDS = ("", "nonsense", "t-999999", "999999", "../x", "--help", "+tag", "1 or 2", "status:pending", "t-1\n", "é", "%")
# A process of its own. It may make tasks, and change a field of a task that others change too.
PROCESS = """
import json, sys
sys.path[:0] = {scripts!r}, {packages!r}
from agent_team_os.tasks import load
from agent_team_os.tasks.provider import Place
home, name, shared = {home!r}, {name!r}, {shared!r}
provider = load.opened(json.loads({settings!r}), Place(home, "side"))
sys.stdin.readline()
for number in range({count}):
{deed}"""
WRITE = """
    provider.create({"title": f"{name} {number}"})
    mine = {"one": {"assignee": "dev"}, "two": {"priority": "p0"}}[name]
    provider.update(shared, {"note": f"{name} {number}", **mine})
"""


@dataclass
class Manager:
    """A task manager under test.

    `settings` is `task_provider` of the map, `env` what processes need beside; the fixture sets the same variables in
    this process. `fill` makes so many tasks, "task 0" and so on, assigned to dev, by the manager's own fast means.
    `failures` break the manager as long as the `with` lasts.
    """

    team: Team
    settings: dict[str, Any]
    fill: Callable[[int], None]
    failures: Mapping[str, Callable[[], AbstractContextManager[Any]]]
    env: dict[str, str] = field(default_factory=dict)
    many: int = 1000  # tasks that are no trouble
    writes: int = 10  # of each of two processes

    def open(self) -> TaskProvider:
        """The provider, as a command opens it."""
        return load.opened(self.settings, Place(str(self.team.home), "side"))

    def run(self, *args: str) -> Any:
        """What `ato tasks ARGS --json` prints for dev, whose domain has this manager."""
        self.team.map(agents={"ops": {}, "dev": {"domain": "side"}}, domains={"side": {"task_provider": self.settings}})
        return self.team.json("dev", "tasks", *args, **self.env)

    def at_once(self, deed: str, shared: str) -> None:
        """Let two processes, "one" and "two", do the same in the same moment; both must end well."""
        processes = []
        for name in ("one", "two"):
            program = PROCESS.format(
                scripts=str(ROOT / "scripts"), packages=sysconfig.get_path("purelib"), home=str(self.team.home),
                settings=json.dumps(self.settings), name=name, shared=shared, count=self.writes, deed=deed,
            )  # fmt: skip
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-I", "-c", program],
                    env={**self.team.env, **self.env},
                    stdin=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
        for process in processes:  # all of them have started before the first begins
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
        for process in processes:
            _, said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said.decode()


def titles(tasks: list[Task]) -> list[str]:
    """The titles, in order."""
    return [task["title"] for task in tasks]


def fields(task: Task) -> dict[str, Any]:
    """A task without its id and remarks."""
    return {key: value for key, value in task.items() if key not in ("id", "notes")}
