"""The program `task`: run with settings of its own, one change at a time, and what a kill left in its files mended.

Taskwarrior 2 rewrites its file in place and from memory: killed meanwhile it loses the rest of the file, and of two
at once the later undoes what the earlier did. So a change runs with the data folder locked, the program inherits the
lock (it may outlive us), it is in no process group a terminal could interrupt, and a copy of the file lies beside it
until the change is done. What the copy has and the file has not is put back by whoever finds the copy next.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator

from ..protocol import show
from ..storage import files, lock, process
from .provider import TaskProviderFailed

PATIENCE = 30.0  # seconds for one run, and to wait for another's
MAX = 256 * 1_048_576  # bytes of a data file
# Nothing of the person's own settings: no hooks, no prompts, no rewriting while it reads, no words beside the JSON.
_SETTINGS = (
    "rc.confirmation=off", "rc.hooks=off", "rc.recurrence=off", "rc.gc=off", "rc.verbose=nothing", "rc.json.array=on",
    "rc.uda.priority.values=H,M,,L", "rc.uda.ato_agent.type=string", "rc.uda.ato_refs.type=string",
    "rc.uda.ato_thread.type=string",
)  # fmt: skip
_INSTALL = "Install it: apt install taskwarrior (macOS: brew install task), or name it in task_provider.program."
_COPY = ".agent-team-os.before"  # beside pending.data, as long as that is changed
_UUID = re.compile(rb'uuid:"([0-9a-f-]{36})"')


class Program:
    """`task` on one data folder."""

    def __init__(self, program: str, data: str, own: bool) -> None:
        self.program = program
        self.data = data
        self._own = own  # a folder of the bus, which is made where it is missing

    def export(self, task_filter: str = "") -> bytes:
        """The tasks as a JSON array; of a folder that was never used, an empty one."""
        program = self._found()
        if self._own and not os.path.isdir(self.data):
            return b"[]"
        self._check_folder()
        if os.path.lexists(self._copy):  # somebody changes it, or was killed while doing so
            with self._locked():
                pass
        return self._run([program, *self._settings(), *([task_filter] if task_filter else []), "export"], b"")

    @contextlib.contextmanager
    def changing(self) -> Iterator[int]:
        """Hold others off, from the look at the tasks to their change; yields what `put` needs."""
        self._found()
        try:
            if self._own:
                files.make_folder(self.data)
            self._check_folder()
            with self._locked() as held:
                yield held
        except OSError as error:
            what = f"{error.filename or self.data} cannot be read or written: {error.strerror}"
            raise TaskProviderFailed(what, "Check its permissions, and the room on the disk.") from None

    def put(self, tasks: bytes, held: int) -> None:
        """Make tasks, or put others in the places of those there are; durable when this returns."""
        before = self._read(self._pending)
        if before:
            files.replace(self._copy, before)
        try:
            self._run([self._found(), *self._settings(), "import", "-"], tasks, held)
            self._sync()
        finally:
            self._mend()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the kernel lock of the data folder; what is left of a killed change is mended first."""
        folder = os.open(self.data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            lock.flock(folder, self.data, PATIENCE)
            self._mend()
            yield folder
        finally:
            os.close(folder)

    def _check_folder(self) -> None:
        if not os.path.isdir(self.data):
            raise TaskProviderFailed(f"{self.data} is no folder", "Set task_provider.data to Taskwarrior's own folder.")

    def _found(self) -> str:
        program = process.program(os.path.expanduser(self.program))
        if program is None:
            raise TaskProviderFailed(f"there is no program {self.program}", _INSTALL)
        return program

    def _settings(self) -> list[str]:
        return [f"rc.data.location={self.data}", *_SETTINGS]

    @property
    def _copy(self) -> str:
        return os.path.join(self.data, _COPY)

    @property
    def _pending(self) -> str:
        return os.path.realpath(os.path.join(self.data, "pending.data"))

    def _mend(self) -> None:
        """Put back what a killed `task` has lost of its file; the lock is held."""
        before = self._read(self._copy)
        if before:
            now = self._read(self._pending)
            # A line that was cut off belongs to a change nobody was told of, or is in the copy.
            whole = [line for line in now.split(b"\n") if line.startswith(b"[") and line.endswith(b"]")]
            there = set(_UUID.findall(b"\n".join(whole) + self._read(os.path.join(self.data, "completed.data"))))
            lost = [line for line in before.split(b"\n") if line and not there.issuperset(_UUID.findall(line)[-1:])]
            if lost or len(whole) != now.count(b"\n"):
                files.replace(self._pending, b"\n".join([*lost, *whole]) + b"\n")
        files.remove(self._copy)

    def _sync(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # another Taskwarrior, with other files
            fd = os.open(self._pending, os.O_RDONLY | os.O_CLOEXEC)
            try:
                files.sync(fd, self._pending)
            finally:
                os.close(fd)

    def _read(self, path: str) -> bytes:
        try:
            return files.read(path, MAX)
        except FileNotFoundError:
            return b""
        except files.BadFile as error:
            raise TaskProviderFailed(f"{path} cannot be read: {error.why}", "Put Taskwarrior's file there.") from None

    def _run(self, command: list[str], stdin: bytes, held: int = -1) -> bytes:
        """What a run prints; TaskProviderFailed with what it says of its failure."""
        # HOME: without one it crashes, and in the person's own it might find settings.
        env = {"HOME": self.data, "LC_ALL": "C", "TASKRC": os.devnull, "PATH": os.environ.get("PATH", os.defpath)}
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, timeout=PATIENCE, check=False, env=env, cwd=self.data,
                umask=0o077, start_new_session=True, pass_fds=() if held < 0 else (held,),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            what = f"{self.program} has not answered for {PATIENCE:g} s"
            raise TaskProviderFailed(what, f"Look whether another task holds {self.data}.") from None
        except OSError as error:
            raise TaskProviderFailed(f"{command[0]} cannot be run: {error.strerror}", _INSTALL) from None
        if done.returncode == 0:
            return done.stdout
        said = show.one_line(done.stderr.decode("utf-8", "replace"), 300) or "without a word"
        how = f"status {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
        what = f"{self.program} has failed ({how}) on {self.data}: {said}"
        raise TaskProviderFailed(what, f"See what it says: TASKDATA={self.data} task diagnostics")
