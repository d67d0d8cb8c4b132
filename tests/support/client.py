"""The real Claude Code client, in a clean room: a home of its own, a fake key, and the scripted model for a server.

room = Room(tmp_path, install(), model)
answer = room.headless("What is new?", room.project("web"), "--plugin-dir", str(plugin))
terminal = room.terminal(room.project("web"), "--plugin-dir", str(plugin))
terminal.submit("Hello")
terminal.wait_for("the scripted answer")
room.close()  # ends all that was started in the room
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, Union

from support.cli import ROOT
from support.model import Model

VERSION = "2.1.332"
PACKAGE = "@anthropic-ai/claude-code"
OLDEST = "2.1.132"  # that is supported
CACHE = ROOT / ".cache"
PATIENCE = 30  # seconds after which what does not come counts as missing; no test asserts any shorter time
WIDTH, HEIGHT = 120, 40  # of a terminal
# What a client may have for ANTHROPIC_API_KEY, the first unless it is told; the model answers each from its own queue.
KEYS = ("me", "ops", "dev")
# No update, no telemetry, no download: whatever the client asks for, it asks of the model's server.
QUIET = {
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
}


class NoClient(Exception):
    """The client is not here and there is no npm to fetch it with."""


def install(cache: Path = CACHE, version: str = VERSION) -> Path:
    """The client's program, of a version, fetched from npm into the clone's cache the first time.

    Several processes may ask at once: one fetches, the others wait for it. NoClient if there is no npm.
    """
    place = cache / f"claude-{version}"
    program = Path("node_modules/.bin/claude")
    cache.mkdir(exist_ok=True)
    with (cache / "claude.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.exists():
            return place / program
        npm = shutil.which("npm")
        if npm is None:
            raise NoClient("the real client comes from npm, which is not on PATH")
        fetched, downloads = cache / "claude.new", cache / "npm"
        shutil.rmtree(fetched, ignore_errors=True)
        package = f"{PACKAGE}@{version}"
        options = ["--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts=false"]
        _must(
            [npm, "install", "--prefix", str(fetched), "--cache", str(downloads), *options, package],
            env=_trusting(),
        )
        assert version in _must([str(fetched / program), "--version"])
        shutil.rmtree(downloads, ignore_errors=True)
        fetched.rename(place)
    return place / program


def _trusting() -> dict[str, str]:
    """This process's variables, with which npm trusts whom the system trusts: by itself it knows only its own list."""
    authorities = "/etc/ssl/certs/ca-certificates.crt"
    trusted = {"NODE_EXTRA_CA_CERTS": authorities} if os.path.exists(authorities) else {}
    return {**trusted, **os.environ}


def _must(command: list[str], cwd: Optional[Path] = None, env: Optional[Mapping[str, str]] = None) -> str:
    """What a command prints; AssertionError with its errors if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def export(place: Path) -> Path:
    """Copy the project as git would publish it, with what is not committed yet, and without any cache."""
    try:
        listed = _must(["git", "ls-files", "-co", "--exclude-standard", "-z"], ROOT)
    except (AssertionError, OSError):  # no git, or an unpacked archive
        left_out = shutil.ignore_patterns(".git", ".cache", ".venv*", "__pycache__")
        return shutil.copytree(ROOT, place, symlinks=True, ignore=left_out)
    for name in filter(None, listed.split("\0")):
        if os.path.lexists(ROOT / name):  # it may have been deleted since
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name, follow_symlinks=False)
    return place


def until(holds: Callable[[], bool], what: Callable[[], str]) -> None:
    """Wait until something holds; AssertionError, saying `what` is missing, if that takes longer than PATIENCE."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"still missing: {what()}"
        time.sleep(0.05)


@dataclass(frozen=True)
class Headless:
    """How `claude -p` ended: its status, the document it printed (empty if none), and all its output."""

    status: int
    document: dict[str, Any]
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """The answer a person reads."""
        return str(self.document.get("result", self.stdout))

    @property
    def session(self) -> str:
        """The session_id."""
        return str(self.document.get("session_id", ""))


class Room:
    """A person's machine below `root`: a home, projects, and nothing of the real one but the system's programs.

    The client has no questions to ask: it was started here before, knows KEYS, and trusts every folder of the room.
    """

    def __init__(self, root: Path, claude: Path, model: Model, home: str = "home") -> None:
        self.root = root
        self.home = root / home
        self._terminals: list[Terminal] = []
        # A socket's path is short by law, and pytest's folders are not.
        self._temporary = tempfile.TemporaryDirectory(prefix="ato-", ignore_cleanup_errors=True)
        tools = root / "bin"
        tools.mkdir()
        # The interpreter behind a virtual environment: nothing is installed in it for the tests' sake.
        (tools / "python3").symlink_to(os.path.realpath(sys.executable))
        (tools / "claude").symlink_to(claude)
        self.env = {
            "HOME": str(self.home),
            "CLAUDE_CONFIG_DIR": str(self.home / ".claude"),
            "TMPDIR": self._temporary.name,
            "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin",
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": KEYS[0],
            **QUIET,
        }
        (self.home / ".claude").mkdir(parents=True)
        answered = {
            "hasCompletedOnboarding": True,
            "lastOnboardingVersion": "99.0.0",
            "theme": "dark",
            "customApiKeyResponses": {"approved": KEYS, "rejected": []},
            "projects": {str(root): {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}},
        }
        (self.home / ".claude/.claude.json").write_text(json.dumps(answered))

    def project(self, name: str) -> Path:
        """A folder to work in, made if it is not there."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def run(self, cwd: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the room with nothing on stdin; subprocess.TimeoutExpired if it hangs."""
        with subprocess.Popen(
            command,
            cwd=cwd,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=2 * PATIENCE)
            except BaseException:
                process.kill()
                self._sweep()  # the client's hooks and tools go too
                raise
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)

    def headless(self, prompt: str, cwd: Path, *extra: str, **env: str) -> Headless:
        """Run `claude -p PROMPT EXTRA`."""
        done = self.run(cwd, "claude", "-p", prompt, "--output-format", "json", *extra, **env)
        try:
            document = json.loads(done.stdout)
        except ValueError:
            document = {}
        return Headless(done.returncode, document, done.stdout, done.stderr)

    def terminal(self, cwd: Path, *extra: str, mode: str = "manual", **env: str) -> Terminal:
        """Start `claude EXTRA` in a terminal of its own and wait until it can be typed into.

        It asks before it runs a command: the client's own default, to let a model decide, needs a real one.
        """
        command = ["claude", "--permission-mode", mode, *extra]
        socket = Path(self._temporary.name, f"tmux{len(self._terminals)}")
        opened = Terminal(socket, cwd, command, {**self.env, **env})
        self._terminals.append(opened)
        opened.wait_for(re.compile("^❯", re.MULTILINE))
        return opened

    def plugin(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run `claude plugin ARGS`."""
        return self.run(self.root, "claude", "plugin", *args)

    def publish(self, folder: Path, name: str) -> None:
        """Let a folder be what the client finds at github.com under `name`, as `owner/repository`."""
        bare = self.root / "github" / f"{name}.git"
        git = ["git", f"--git-dir={bare}", f"--work-tree={folder}", "-c", "user.name=me", "-c", "user.email=me"]
        for command in (
            ["git", "init", "-q", "--bare", str(bare)],
            [*git, "add", "-A"],
            [*git, "commit", "-qm", "All"],
        ):
            done = self.run(folder, *command)
            assert done.returncode == 0, done.stderr
        settings = f'[url "file://{self.root}/github/"]\n\tinsteadOf = https://github.com/\n'
        (self.home / ".gitconfig").write_text(settings)

    def close(self) -> None:
        """End everything that was started in the room."""
        try:
            for terminal in self._terminals:
                terminal.close()
        finally:
            until(self._sweep, lambda: "the end of all processes of the room")
            self._temporary.cleanup()

    def _sweep(self) -> bool:
        """Kill what still has the room's home, and return whether there was nothing: tools outlive their client.

        Only Linux says what environment a process has; elsewhere such a tool stays.
        """
        clean = True
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"HOME={self.home}".encode() in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)
                    clean = False
            except OSError:
                pass  # it ended meanwhile, or is somebody else's
        return clean


class Terminal:
    """A program in a terminal, in a tmux server of its own that is reached by `socket`."""

    def __init__(self, socket: Path, cwd: Path, command: list[str], env: Mapping[str, str]) -> None:
        settings = socket.with_suffix(".conf")
        settings.write_text("set -g remain-on-exit on\nset -g escape-time 0\nset -g status off\n")
        self._tmux = ["tmux", "-u", "-S", str(socket), "-f", str(settings)]
        self._env = dict(env)
        # As in a plain terminal: nothing tells the program of tmux.
        inside = ["env", "-u", "TMUX", "-u", "TMUX_PANE", "TERM=xterm-256color", *command]
        self._run("new-session", "-d", "-x", str(WIDTH), "-y", str(HEIGHT), "-c", str(cwd), *inside)
        self.pid = int(self._show("#{pane_pid}"))

    def _run(self, *args: str) -> str:
        done = subprocess.run(
            [*self._tmux, *args],
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _show(self, what: str) -> str:
        return self._run("display-message", "-p", what).rstrip("\n")

    @property
    def title(self) -> str:
        """The title the program gave its terminal."""
        return self._show("#{pane_title}")

    @property
    def ended(self) -> bool:
        """Whether the program has ended; its last screen stays."""
        return self._show("#{pane_dead}") == "1"

    def screen(self) -> str:
        """What is to be seen now, without the blanks at the ends of lines."""
        return self._run("capture-pane", "-p").rstrip("\n")

    def type(self, text: str) -> None:
        """Type a text and wait until it shows: an Enter that came sooner would be taken for a part of it."""
        # tmux takes a semicolon at the end of an argument for its own.
        self._run("send-keys", "-l", "--", text[:-1] + "\\;" if text.endswith(";") else text)
        tail = _squeezed(text)[-40:]
        self.wait(lambda: tail in _squeezed(self.screen()), text)

    def key(self, name: str) -> None:
        """Press a key by its name in tmux: Enter, Escape, C-c."""
        self._run("send-keys", name)

    def enter(self) -> None:
        """Press Enter."""
        self.key("Enter")

    def submit(self, text: str) -> None:
        """Type a text and press Enter."""
        self.type(text)
        self.enter()

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds; AssertionError with the screen if it does not come."""
        until(holds, lambda: f"{what}; the screen:\n{self.screen()}")

    def wait_for(self, what: Union[str, re.Pattern[str]]) -> str:
        """The first screen that has this text or matches this pattern."""
        seen: list[str] = []

        def found() -> bool:
            seen[:] = [self.screen()]
            return what in seen[0] if isinstance(what, str) else bool(what.search(seen[0]))

        self.wait(found, repr(what))
        return seen[0]

    def wait_end(self) -> None:
        """Wait until the program has ended."""
        self.wait(lambda: self.ended, "the end of the program")

    def close(self) -> None:
        """End the program, whatever it is doing, and its tmux server."""
        try:
            if not self.ended:
                os.killpg(self.pid, signal.SIGKILL)
                until(lambda: self.ended, lambda: "the end of a killed program")
            self._run("kill-server")
        except (AssertionError, ProcessLookupError):
            pass  # the server is gone, or the program went first; the room looks once more


def _squeezed(text: str) -> str:
    """A text without the blanks and frames that a screen puts between its characters."""
    return re.sub(r"[\s│╭╮╰╯─]", "", text)
