"""What git says of a work tree, without running anything that its files name.

A project may come from anywhere, its `.git` folder and all. Git's own settings name programs (filters, hooks, a
monitor, the transport that fetches what is missing), and a folder can be made to look like a repository. So git is
never started in a project. The work tree is found here, by its `.git`, and git looks at it through a git directory
of ours: our settings, no hooks, no remotes, and links to the refs and the index of the repository. Of the
repository's settings only those count that run nothing and change which files count as changed.
"""

from __future__ import annotations

import os
import re
import stat
import time

from ..storage import files, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, NamedTuple, Optional

    class Place(NamedTuple):
        """A work tree: its top folder, the git directory of its own, and the one it shares with other work trees."""

        top: str
        own: str
        common: str

else:
    from collections import namedtuple

    Place = namedtuple("Place", "top own common")

_PATIENCE = 10.0  # seconds for all that git is asked
_MOST = 1_048_576  # bytes of a file of the repository that is read here
# What these can be is true, false or one word; none of them runs anything.
_WORDS = (
    "core.filemode", "core.symlinks", "core.ignorecase", "core.precomposeunicode", "core.autocrlf", "core.eol",
    "core.trustctime", "core.checkstat", "core.sparsecheckout", "core.sparsecheckoutcone",
    "status.showuntrackedfiles",
)  # fmt: skip
_PATHS = ("core.excludesfile", "core.attributesfile")
# A repository with any other extension keeps its files in a way that is not known here.
_EXTENSIONS = {"objectformat", "worktreeconfig", "partialclone", "preciousobjects", "relativeworktrees", "noop"}
_OURS = ["core.fsmonitor=false", "core.untrackedCache=false", "core.hooksPath=/dev/null", "core.safecrlf=false"]


def environment() -> dict[str, str]:
    """What git is told by our environment: where the person's settings are, and to look for no repository."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "XDG_CONFIG_HOME") if name in os.environ}
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1"}
    return {**kept, **quiet, "LC_ALL": "C", "GIT_DIR": os.devnull}


def ask(arguments: Sequence[str], environ: Mapping[str, str], timeout: float = _PATIENCE) -> Optional[str]:
    """What git prints, started outside of any project; None without git, or if it fails or takes too long."""
    import subprocess

    program = process.program("git")
    if program is None or timeout <= 0:
        return None
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL,
            env=environ, cwd="/",
        )  # fmt: skip
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def email() -> str:
    """The address in the person's own settings of git; empty if there is none. A project's settings do not count."""
    return (ask(["config", "--global", "--includes", "--get", "user.email"], environment()) or "").strip()


def state(folder: str) -> Optional[dict[str, Any]]:
    """`{branch, commit, changed}` of the work tree a folder is in; None outside one, or where git cannot be asked.

    `changed` has the names of all changed files, from the top of the work tree. No filter runs: a file whose content
    goes through one (Git LFS) counts as changed when its time or size is not the one git remembers.
    """
    import shutil
    import tempfile

    place = find(folder)
    if place is None:
        return None
    try:
        scratch = tempfile.mkdtemp(prefix="ato-git-")
    except OSError:
        return None
    try:
        return _look(place, scratch)
    except (OSError, ValueError, files.BadFile):
        return None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def find(folder: str) -> Optional[Place]:
    """The work tree around a folder; None if there is none of this user.

    Only what is named `.git` makes one: a bare repository among the files of a project is files. A `.git` file leads
    to the git directory that it names only if that one names it too, as those of linked work trees and of submodules
    do. Otherwise a project could have us look at any other repository.
    """
    here = os.path.realpath(folder)
    try:
        device = os.stat(here).st_dev
        for top in _upwards(here):
            if os.stat(top).st_dev != device:  # there git ends its search too
                return None
            git = os.path.join(top, ".git")
            if (here + "/").startswith(git + "/"):
                return None
            if os.path.islink(git):
                return None
            if os.path.isfile(git):
                return _led(top, git)
            if _is_repository(git, git):
                return Place(top, git, git) if _ours(top, git) else None
    except (OSError, ValueError, files.BadFile):
        pass
    return None


def _upwards(folder: str) -> list[str]:
    found = [folder]
    while found[-1] != os.path.dirname(found[-1]):
        found.append(os.path.dirname(found[-1]))
    return found


def _is_repository(own: str, common: str) -> bool:
    folders = all(os.path.isdir(os.path.join(common, name)) for name in ("objects", "refs"))
    return folders and os.path.isfile(os.path.join(own, "HEAD"))


def _ours(*paths: str) -> bool:
    return all(os.lstat(path).st_uid == os.geteuid() for path in paths)


def _led(top: str, git: str) -> Optional[Place]:
    """The work tree whose `.git` is a file."""
    own = _path_in(git, "gitdir: ")
    back = os.path.join(own, "gitdir")
    if os.path.lexists(back):  # of a linked work tree
        common = _path_in(os.path.join(own, "commondir"))
        leads_back = _path_in(back) == git and os.path.dirname(os.path.dirname(own)) == common
    else:  # of a submodule
        common = own
        named = _settings(os.path.join(own, "config")).get("core.worktree")
        leads_back = bool(named) and os.path.realpath(os.path.join(own, str(named))) == top
    if leads_back and _is_repository(own, common) and _ours(top, git, own, common):
        return Place(top, own, common)
    return None


def _path_in(path: str, begins: str = "") -> str:
    """The real path that a file of git's names; ValueError if it names none."""
    text = os.fsdecode(files.read(path, _MOST)).rstrip("\r\n")
    if not text.startswith(begins) or text == begins:
        raise ValueError(path)
    return os.path.realpath(os.path.join(os.path.dirname(path), text[len(begins) :]))


def _settings(path: str, timeout: float = _PATIENCE) -> dict[str, Optional[str]]:
    """The settings in one file of a repository, without what it includes; ValueError if git cannot read it.

    The value is None where a name stands alone, which means true.
    """
    try:
        files.read(path, _MOST)  # a plain file, and not endless
    except FileNotFoundError:
        return {}
    return _parsed(ask(["config", "--file", path, "--no-includes", "--null", "--list"], environment(), timeout))


def _parsed(listed: Optional[str]) -> dict[str, Optional[str]]:
    if listed is None:
        raise ValueError("git cannot read its settings")
    found: dict[str, Optional[str]] = {}
    for entry in listed.split("\0")[:-1]:
        name, given, value = entry.partition("\n")
        found[name] = value if given else None
    return found


def _look(place: Place, scratch: str) -> Optional[dict[str, Any]]:
    """Ask git through a git directory in `scratch`, an empty folder."""
    until = time.monotonic() + _PATIENCE
    theirs = _settings(os.path.join(place.common, "config"))
    if "extensions.worktreeconfig" in theirs:
        theirs.update(_settings(os.path.join(place.own, "config.worktree"), until - time.monotonic()))
    if {name.partition(".")[2] for name in theirs if name.startswith("extensions.")} - _EXTENSIONS:
        return None
    listed = ask(["config", "--includes", "--null", "--list"], environment(), until - time.monotonic())
    settings = {**_defaults(), **_parsed(listed), **theirs}
    ours = [*_OURS, *(f"{name}={os.path.expanduser(settings[name] or '')}" for name in _PATHS)]
    for name in _WORDS:
        value = settings.get(name, "")
        if value is None or re.fullmatch("[A-Za-z0-9]+", value):
            ours.append(name if value is None else f"{name}={value}")
    git_dir = _make(place, scratch, theirs.get("extensions.objectformat") or "sha1")
    command = [f"--git-dir={git_dir}", f"--work-tree={place.top}", *(word for one in ours for word in ("-c", one))]
    # Nothing of the person's or the system's settings but what was chosen above.
    environ = {
        **environment(), "HOME": scratch, "XDG_CONFIG_HOME": scratch, "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OBJECT_DIRECTORY": os.path.join(place.common, "objects"),
        "GIT_INDEX_FILE": os.path.join(place.own, "index"),
    }  # fmt: skip
    # Of a submodule its commit alone is looked at: for its files git would start itself there, with its settings.
    command += ["status", "--porcelain=v2", "--branch", "-z", "--ignore-submodules=dirty"]
    # What moved and was changed is found by contents, of which a partial clone lacks some.
    for renames in ("--find-renames", "--no-renames"):
        said = ask([*command, renames], environ, until - time.monotonic())
        if said is not None:
            return _read(said)
    return None


def _defaults() -> dict[str, str]:
    """Where git finds the person's own files without being told."""
    home = os.path.expanduser("~")
    config = os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "git")
    return dict(zip(_PATHS, (os.path.join(config, "ignore"), os.path.join(config, "attributes"))))


def _make(place: Place, scratch: str, object_format: str) -> str:
    """A git directory on the branch of this work tree, with our settings alone; its path."""
    if object_format not in ("sha1", "sha256"):
        raise ValueError(object_format)
    git_dir = os.path.join(scratch, ".git")
    for name in ("objects", "info"):
        os.makedirs(os.path.join(git_dir, name))
    version = 0 if object_format == "sha1" else 1
    config = f"[core]\n\trepositoryformatversion = {version}\n\tbare = false\n"
    if version:
        config += f"[extensions]\n\tobjectFormat = {object_format}\n"
    _write(os.path.join(git_dir, "config"), config.encode())
    _write(os.path.join(git_dir, "HEAD"), files.read(os.path.join(place.own, "HEAD"), _MOST))
    for name in ("refs", "packed-refs"):
        _link(place.common, name, git_dir)
    for name in files.names(place.own):
        if re.fullmatch("sharedindex[.][0-9a-f]+", name):  # the larger part of an index that is split
            _link(place.own, name, git_dir)
    for folder, name in ((place.common, "exclude"), (place.common, "attributes"), (place.own, "sparse-checkout")):
        try:
            data = files.read(os.path.realpath(os.path.join(folder, "info", name)), _MOST)
        except FileNotFoundError:
            data = b""
        if name == "exclude":  # the work tree may hold the folder for temporary files
            data += f"\n{os.path.basename(scratch)}/\n".encode()
        _write(os.path.join(git_dir, "info", name), data)
    index = os.path.join(place.own, "index")
    if os.path.lexists(index) and not stat.S_ISREG(os.stat(index).st_mode):
        raise ValueError(index)  # a FIFO would keep git waiting
    return git_dir


def _link(folder: str, name: str, into: str) -> None:
    if os.path.exists(os.path.join(folder, name)):
        os.symlink(os.path.join(folder, name), os.path.join(into, name))


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _read(said: str) -> dict[str, Any]:
    """What `git status --porcelain=v2 --branch -z` says."""
    about: dict[str, str] = {}
    changed: list[str] = []
    entries = iter(said.split("\0"))
    for entry in entries:
        kind, _, rest = entry.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            about[name] = value
        elif kind in _BEFORE_NAME:
            changed.append(rest.split(" ", _BEFORE_NAME[kind])[-1])
            if kind == "2":
                next(entries, None)  # the name it had before follows as an entry of its own
    commit = about.get("branch.oid", "")
    return {
        "branch": about.get("branch.head", ""),
        "commit": "" if commit == "(initial)" else commit,
        "changed": changed,
    }


_BEFORE_NAME = {"1": 7, "2": 8, "u": 9, "?": 0}  # words that stand before the name of a file
