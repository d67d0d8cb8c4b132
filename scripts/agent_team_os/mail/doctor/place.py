"""The place: the home as a folder, its disk, its modes and owners, and the Python that runs the program."""

from __future__ import annotations

import os
import re
import stat
import sys
import time

from ...protocol import home as layout
from ...protocol import show
from ...protocol.errors import CannotWrite
from ...storage import files
from ...storage import home as homes
from .. import inbox
from .finding import REPAIR, counted, done, finding, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Optional

    from ...protocol.documents import Finding

ROOM = 64 * 1_048_576  # bytes below which a disk counts as nearly full
OLD = 3600.0  # seconds after which nobody is still writing a temporary file
PYTHON = (3, 11)
PACKAGES = ("click", "jsonschema", "portalocker")
MOUNTS = "/proc/self/mounts"
# Locks and the order of writes are promised where one kernel alone sees the files.
_SHARED = re.compile(
    r"nfs[34]?|cifs|smb3|smbfs|ncpfs|9p|afs|coda|ceph|glusterfs|lustre|gpfs|beegfs|orangefs|gfs2|ocfs2|davfs|"
    r"virtiofs|vboxsf|vmhgfs|prl_fs|drvfs|grpcfuse|fakeowner|"
    r"fuse\.(sshfs|rclone|s3fs|gcsfuse|davfs2|smbnetfs|glusterfs|ceph|grpcfuse|vmhgfs-fuse)"
)
_WITHOUT_LINKS = re.compile(r"vfat|msdos|exfat|fuse\.exfat(-fuse)?")
# The folders this program writes; people may keep other things in the home, under version control too.
_OURS = frozenset((*(name.split("/")[0] for name in layout.FOLDERS), "tasks", "plans", "telemetry", "people"))
_TOLERATED = frozenset((".DS_Store", ".gitignore", ".gitkeep"))
_BOX = r"msg-[0-9]{8}T[0-9]{6}Z-[a-z0-9]{8}\.json|\.read|\.done|\.quarantine|@[a-z0-9][a-z0-9_-]{0,62}"
_NAMES = {
    "inboxes": r"[a-z0-9][a-z0-9_-]{0,62}",
    "outbox": r"[0-9]{4}-[0-9]{2}-[0-9]{2}\.jsonl|\.spool",
    "outbox/.spool": r"msg-[0-9]{8}T[0-9]{6}Z-[a-z0-9]{8}\.(json|blob)",
    "threads": r"thread-[0-9]{8}-[a-z0-9]{6}\.json|\.quarantine",
    "registry": r"[a-z0-9][a-z0-9_-]{0,62}\.(json|d)|\.quarantine",
    "attachments": r"[0-9a-f]{64}",
    "locks": r"@?[a-z0-9][a-z0-9_-]{0,62}\.(lock|guard)|\.quarantine",
}


def tree(home: str) -> Iterator[tuple[str, os.stat_result]]:
    """Everything in the home that is the program's, with its status; a folder comes before what is in it.

    Links are not followed. A folder is listed only after it was yielded, so that a repair can open it first.
    """
    yield home, os.stat(home)
    maps = re.compile(r"\.?(AGENT_MAP|HALT)\..*")
    names = os.listdir(home)  # the home itself may be a link
    below = [os.path.join(home, name) for name in names if name in _OURS or maps.fullmatch(name)]
    while below:
        path = below.pop()
        try:
            status = os.lstat(path)
            yield path, status
            if stat.S_ISDIR(status.st_mode):
                below.extend(os.path.join(path, name) for name in files.names(path))
        except OSError:  # gone since it was listed, or closed to us, which its mode or owner tells
            continue


def python_too_old(_home: str, version: Optional[tuple[int, int]] = None) -> Iterator[Finding]:
    """The command line runs on a Python it was not written for."""
    have = version or sys.version_info[:2]
    if have < PYTHON:
        what = f"Python {have[0]}.{have[1]} runs this; the command line needs {PYTHON[0]}.{PYTHON[1]} or newer."
        fix = "Install a newer Python, then run ./install.sh in the folder of the program again"
        yield finding("python-old", "error", sys.executable, what, fix)


def package_missing(_home: str) -> Iterator[Finding]:
    """A package the command line needs is not installed."""
    from importlib.util import find_spec

    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        what = f"Not installed for this Python: {', '.join(missing)}."
        yield finding("package-missing", "error", sys.executable, what, "./install.sh in the folder of the program")


def home_missing(home: str) -> Iterator[Finding]:
    """There is no bus yet."""
    if not os.path.lexists(home):
        yield finding("home-missing", "note", home, f"There is no bus at {home} yet.", "ato init")


def home_refused(home: str) -> Iterator[Finding]:
    """Every command refuses the home: no folder, another user's, or open to other users' writing."""
    try:
        homes.check(home)
    except CannotWrite as error:
        fix = REPAIR if ours(home) else error.hint
        yield finding("home-refused", "error", home, f"{error.message}, so every command refuses it.", fix)


def ours(home: str) -> bool:
    """Whether the home is a folder of ours that leads nowhere else: only then is there more to look at."""
    try:
        status = os.stat(home)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not homes.linked(home)


def home_read_only(home: str) -> Iterator[Finding]:
    """Mail can be listed and not sent."""
    # By the effective user, as the check of the owner: the real one is what access() asks for otherwise.
    if not os.access(home, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        what = f"{home} cannot be written: mail can be listed and read, but not sent or archived."
        fix = f"chmod u+rwx {quoted(home)}, or, if the disk is mounted read-only, mount it for writing"
        yield finding("home-read-only", "warning", home, what, fix)


def foreign_owner(home: str, user: Optional[int] = None) -> Iterator[Finding]:
    """Something in the home belongs to another user, as after a command under sudo."""
    uid = os.geteuid() if user is None else user
    others = [(path, status.st_uid) for path, status in tree(home) if status.st_uid != uid]
    if others:
        path, owner = others[0]
        belongs = "belongs" if len(others) == 1 else "belong"
        what = f"{counted(len(others), 'name')} in the home {belongs} to another user (the first: {path}, uid {owner})."
        fix = f'sudo chown -R "$(id -un)" {quoted(home)}'
        yield finding("foreign-owner", "error", path, what, fix)


def wrong_mode(home: str) -> Iterator[Finding]:
    """Folders that are not 0700 and files that are not 0600, one finding for each folder of the home."""
    found: dict[str, list[tuple[str, int, int]]] = {}
    for path, mode, right in _wrong_modes(home):
        top = os.path.relpath(path, home).split(os.sep)[0]
        found.setdefault(os.path.join(home, top) if top != "." else home, []).append((path, mode, right))
    for top, wrong in found.items():
        path, mode, right = wrong[0]
        more = f", and {len(wrong) - 1} more in {top} are wrong too" if len(wrong) > 1 else ""
        yield finding("wrong-mode", "warning", top, f"{path} has mode {mode:04o} instead of {right:04o}{more}.", REPAIR)


def _wrong_modes(home: str) -> Iterator[tuple[str, int, int]]:
    """Path, mode and right mode. Lock folders are left out: helpers of version 1 make them with any mode."""
    locks = os.path.join(home, "locks")
    for path, status in tree(home):
        folder = stat.S_ISDIR(status.st_mode)
        mode, right = status.st_mode & 0o777, 0o700 if folder else 0o600
        helper = path.endswith(".lock") and os.path.dirname(path) == locks
        if mode != right and (folder or stat.S_ISREG(status.st_mode)) and not helper:
            yield path, mode, right


def repair_modes(home: str) -> Iterator[str]:
    """Give everything the mode it should have."""
    for path, mode, right in _wrong_modes(home):
        if done(files.set_mode, path, right):
            yield f"{path} has mode {right:04o} now; it had {mode:04o}."


def folder_missing(home: str) -> Iterator[Finding]:
    """A folder of the home is not there; the next send would make it."""
    for name in layout.FOLDERS:
        path = os.path.join(home, name)
        if not os.path.lexists(path):
            yield finding("folder-missing", "note", path, f"The folder {path} is missing.", REPAIR)


def repair_folders(home: str) -> Iterator[str]:
    """Make the folders of the home."""
    for missing in list(folder_missing(home)):
        path = missing["path"]
        if done(files.make_folder, path) and os.path.isdir(path):
            yield f"{path} is there now."


def not_a_folder(home: str) -> Iterator[Finding]:
    """Something else has the name of a folder, and every command that needs it fails."""
    inboxes = os.path.join(home, "inboxes")
    boxes = [os.path.join(inboxes, name) for name in files.names(inboxes) if re.fullmatch(_NAMES["inboxes"], name)]
    boxes += [os.path.join(box, name) for box in boxes for name in files.names(box) if name[0] == "@"]
    archives = [os.path.join(box, name) for box in boxes for name in layout.ARCHIVES]
    for path in (*(os.path.join(home, name) for name in layout.FOLDERS), *boxes, *archives):
        if os.path.lexists(path) and not os.path.isdir(path):
            fix = f"mv {quoted(path)} {quoted(path + '.old')} && {REPAIR}"
            yield finding("not-a-folder", "error", path, f"{path} must be a folder and is none.", fix)


def foreign_name(home: str) -> Iterator[Finding]:
    """Names in our folders that no reader accepts: left alone, and never seen by anybody."""
    patterns = {os.path.join(home, name): pattern for name, pattern in _NAMES.items()}
    for agent in files.names(os.path.join(home, "inboxes")):
        if re.fullmatch(_NAMES["inboxes"], agent):
            patterns.update(dict.fromkeys(inbox.boxes(home, agent), _BOX))
    for folder, pattern in patterns.items():
        known = re.compile(pattern, re.DOTALL)
        odd = [name for name in sorted(files.names(folder)) if not known.fullmatch(name) and name not in _TOLERATED]
        # What is hidden or ends in .tmp may be a file that somebody is just writing.
        odd = [n for n in odd if not (n[0] == "." or n.endswith(".tmp")) or files.age(os.path.join(folder, n)) > OLD]
        odd = [name for name in odd if not is_temporary(home, os.path.join(folder, name))]
        if odd:
            path, names = os.path.join(folder, odd[0]), ", ".join(odd[:3]) + (", …" if len(odd) > 3 else "")
            what = f"{folder} holds {counted(len(odd), 'name')} that nobody will read: {names}."
            yield finding("foreign-name", "note", path, what, f"Look, then move or delete it: ls -la {quoted(folder)}")


def is_temporary(home: str, path: str) -> bool:
    """Whether a name is one `files.replace` writes under. In an inbox it could be a helper's unfinished mail."""
    folder, name = os.path.split(path)
    in_box = folder.startswith(os.path.join(home, "inboxes")) and os.path.basename(folder) != layout.QUARANTINE
    return re.fullmatch(r"\..+\.tmp", name) is not None and not in_box


def temporary_left(home: str) -> Iterator[Finding]:
    """A temporary file of a killed writer; the next writer of that name would overwrite it."""
    for path in _old_temporaries(home):
        what = f"{path} was left by a writer that was killed {show.duration(files.age(path))} ago."
        yield finding("temporary-left", "note", path, what, REPAIR)


def _old_temporaries(home: str) -> Iterator[str]:
    for path, status in tree(home):
        if stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > OLD and is_temporary(home, path):
            yield path


def repair_temporaries(home: str) -> Iterator[str]:
    """Remove them: they are copies of what is derived or of a map that has its name."""
    for path in list(_old_temporaries(home)):
        if done(files.remove, path):
            yield f"{path} is gone; a killed writer had left it."


def disk_full(home: str, room: int = ROOM) -> Iterator[Finding]:
    """The disk has hardly any room left, or no names."""
    disk = os.statvfs(home)
    free = disk.f_bavail * disk.f_frsize
    if free < room:
        what = f"The disk of {home} has {show.size(free)} left; when it is full, nothing can be sent."
        yield finding("disk-full", "warning", home, what, f"Make room; what is large here: du -sh {quoted(home)}/*")
    elif disk.f_files and disk.f_favail < 1000:
        what = f"The disk of {home} has room for {counted(disk.f_favail, 'more file')} only."
        yield finding("disk-full", "warning", home, what, f"Delete files; how many there are: df -i {quoted(home)}")


def file_system(home: str, mounts: str = MOUNTS) -> Iterator[Finding]:
    """The home lies on a disk that several machines write to, or on one without hard links."""
    kind = file_system_of(os.path.realpath(home), mounts)
    fix = "Move the home to a local disk and name it in AGENT_TEAM_OS_HOME"
    if _SHARED.fullmatch(kind):
        what = f"{home} is on a file system of type {kind}; locks and durability are promised for local disks only."
        yield finding("file-system", "warning", home, what, fix)
    elif _WITHOUT_LINKS.fullmatch(kind):
        what = f"{home} is on a file system of type {kind}, which has no hard links: no message can be delivered."
        yield finding("file-system", "warning", home, what, fix)


def file_system_of(path: str, mounts: str) -> str:
    """The type of the mount that holds a real path; empty where the system has no such table."""
    best, kind = "", ""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as table:
            for line in table:
                fields = line.split(" ")
                point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[1])
                # Of two mounts on one folder the later one is what is seen.
                if len(point) >= len(best) and (path + "/").startswith(point.rstrip("/") + "/"):
                    best, kind = point, fields[2]
    except (OSError, IndexError):
        return ""
    return kind


PYTHON_CHECKS = (python_too_old, package_missing)
ALWAYS = (home_missing, home_refused)
CHECKS = (
    home_read_only, foreign_owner, wrong_mode, folder_missing, not_a_folder, foreign_name, temporary_left,
    disk_full, file_system,
)  # fmt: skip
