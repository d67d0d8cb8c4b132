"""handoff in a project from anywhere: it reports the repository it is in, and runs nothing that the project names."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any, Optional

import pytest

from conftest import Team
from test_handoff import STATE, git


def handed_over(team: Team, folder: str, **env: str) -> Optional[dict[str, Any]]:
    """What a handoff from this folder would say of git."""
    state: Optional[dict[str, Any]] = team.json(folder, "handoff", "dev", *STATE, "--dry-run", **env)["payload"].get(
        "git"
    )
    return state


def repository(folder: Path) -> Path:
    """A repository on the branch trunk with one commit of the file `kept`."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "kept").write_text("one")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "x")
    return folder


def arm(git_dir: Path, mark: Path) -> None:
    """Have every setting, hook and attribute of a git directory that names a program name one that leaves a mark."""
    program = git_dir / "program"
    program.write_text(f"#!/bin/sh\necho \"$0 $*\" >> '{mark}'\ncat\n")
    program.chmod(0o755)
    (git_dir / "hooks").mkdir(exist_ok=True)
    for hook in ("post-index-change", "fsmonitor-watchman", "reference-transaction", "post-checkout"):
        shutil.copy(program, git_dir / "hooks" / hook)
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info/attributes").write_text("* filter=x diff=x merge=x\n")
    (git_dir / "more").write_text(f"[filter \"x\"]\n\tprocess = '{program}' included\n")
    for name, value in {
        "filter.x.clean": f"'{program}' clean", "filter.x.smudge": f"'{program}' smudge", "filter.x.required": "true",
        "core.fsmonitor": f"'{program}' fsmonitor", "core.hooksPath": str(git_dir / "hooks"),
        "core.sshCommand": f"'{program}' ssh", "core.pager": f"'{program}' pager", "pager.status": "true",
        "core.askPass": f"'{program}'", "core.alternateRefsCommand": f"'{program}' refs",
        "diff.external": f"'{program}' diff", "diff.x.textconv": f"'{program}' text", "alias.status": f"!'{program}'",
        "gpg.program": f"'{program}' gpg", "log.showSignature": "true", "credential.helper": f"!'{program}'",
        "include.path": str(git_dir / "more"), "uploadpack.packObjectsHook": f"'{program}' pack",
    }.items():  # fmt: skip
        git(git_dir, "config", "--file", str(git_dir / "config"), name, value)


def disturb(folder: Path) -> None:
    """Make git look into every file, and write its index if it may."""
    (folder / "kept").write_text("two")
    (folder / "kept").touch()


def test_a_bare_repository_among_the_files(team: Team, tmp_path: Path) -> None:
    """A bare repository that is shipped as files is not looked at, in it or below it: the project's own one is."""
    top, mark = repository(team.root / "ops"), tmp_path / "mark"
    docs = repository(top / "docs")
    for entry in (docs / ".git").iterdir():
        shutil.move(entry, docs / entry.name)
    (docs / ".git").rmdir()
    git(docs, "config", "--file", "config", "core.bare", "false")
    git(docs, "config", "--file", "config", "core.worktree", "..")
    arm(docs, mark)
    disturb(top)
    for folder in ("ops/docs", "ops/docs/objects"):
        state = handed_over(team, folder)
        assert state == {
            "branch": "trunk", "commit": git(top, "rev-parse", "HEAD"), "dirty": ["kept", "docs/"], "dirty_count": 2,
        }  # fmt: skip
    assert not mark.exists()


def test_an_unpacked_project(team: Team, tmp_path: Path) -> None:
    """Whatever the settings and hooks of a project's own `.git` name, a handoff says what changed and runs none."""
    top, mark = repository(team.root / "ops"), tmp_path / "mark"
    arm(top / ".git", mark)
    disturb(top)
    state = handed_over(team, "ops")
    assert state == {"branch": "trunk", "commit": state and state["commit"], "dirty": ["kept"], "dirty_count": 1}
    team.json("ops", "handoff", "dev", *STATE)
    assert not mark.exists()


def test_a_submodule_of_an_unpacked_project(team: Team, tmp_path: Path) -> None:
    """Git does not start itself in a submodule, whose settings would count there; that it moved on is said."""
    inner, top, mark = repository(tmp_path / "inner"), repository(team.root / "ops"), tmp_path / "mark"
    git(top, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "sub")
    git(top, "commit", "-q", "-m", "sub")
    assert handed_over(team, "ops/sub") == {
        "branch": "trunk", "commit": git(inner, "rev-parse", "HEAD"), "dirty": [], "dirty_count": 0,
    }  # fmt: skip
    git(top / "sub", "commit", "-q", "--allow-empty", "-m", "more")
    arm(top / ".git/modules/sub", mark)
    disturb(top / "sub")
    for folder, dirty in (("ops", ["sub"]), ("ops/sub", ["kept"])):
        state = handed_over(team, folder)
        assert state is not None
        assert state["dirty"] == dirty
    assert not mark.exists()


def test_a_git_file_that_leads_elsewhere(team: Team, tmp_path: Path) -> None:
    """A `.git` file or link counts only if the git directory it leads to names this work tree too."""
    secret, top, mark = repository(tmp_path / "secret"), team.root / "ops", tmp_path / "mark"
    inside = repository(top / "inside")
    (inside / ".git").rename(top / "meta")
    arm(top / "meta", mark)
    for led in ("meta", str(secret / ".git"), str(tmp_path / "nothing"), "/dev/zero"):
        (top / ".git").write_text(f"gitdir: {led}\n")
        assert handed_over(team, "ops") is None, led
    (top / ".git").unlink()
    (top / ".git").symlink_to(secret / ".git")
    assert handed_over(team, "ops") is None
    assert not mark.exists()


def test_a_linked_work_tree(team: Team) -> None:
    """A linked work tree is reported with its own branch, commit and changes, also after it was packed away."""
    main = repository(team.root / "main")
    (team.root / "ops").rmdir()
    git(main, "worktree", "add", "-q", "-b", "side/way", str(team.root / "ops"))
    git(team.root / "ops", "commit", "-q", "--allow-empty", "-m", "more")
    git(main, "pack-refs", "--all")
    disturb(team.root / "ops")
    assert handed_over(team, "ops") == {
        "branch": "side/way", "commit": git(team.root / "ops", "rev-parse", "HEAD"), "dirty": ["kept"],
        "dirty_count": 1,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_CONFIG"])
def test_the_environment(team: Team, tmp_path: Path, name: str) -> None:
    """No variable of git's has a handoff report another repository, or run anything."""
    top, other, mark = repository(team.root / "ops"), repository(tmp_path / "other"), tmp_path / "mark"
    git(other, "checkout", "-q", "-b", "other")
    git(other, "rm", "-q", "kept")
    given = {
        "GIT_DIR": {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)},
        "GIT_INDEX_FILE": {"GIT_INDEX_FILE": str(other / ".git/index")},
        "GIT_OBJECT_DIRECTORY": {"GIT_OBJECT_DIRECTORY": str(tmp_path)},
        "GIT_COMMON_DIR": {"GIT_COMMON_DIR": str(other / ".git")},
        "GIT_CONFIG": {
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "filter.x.clean", "GIT_CONFIG_VALUE_0": f"touch '{mark}'; cat",
        },
    }[name]  # fmt: skip
    (top / ".git/info/attributes").write_text("* filter=x\n")
    disturb(top)
    commit = git(top, "rev-parse", "HEAD")
    state = handed_over(team, "ops", **given)
    assert state == {"branch": "trunk", "commit": commit, "dirty": ["kept"], "dirty_count": 1}
    assert not mark.exists()


def test_a_partial_clone(team: Team, tmp_path: Path) -> None:
    """What a partial clone lacks is not fetched: that would start what its settings name."""
    top, mark = repository(team.root / "ops"), tmp_path / "mark"
    (top / "kept").rename(top / "moved")
    (top / "moved").write_text("one, and a line more\n" * 10)
    git(top, "add", "-A")
    for name, value in {
        "core.repositoryFormatVersion": "1", "extensions.partialClone": "origin", "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::sh -c touch% '{mark}'", "protocol.ext.allow": "always",
        "remote.origin.uploadpack": f"touch '{mark}'",
    }.items():  # fmt: skip
        git(top, "config", name, value)
    blob = git(top, "rev-parse", "HEAD:kept")
    (top / ".git/objects" / blob[:2] / blob[2:]).unlink()
    state = handed_over(team, "ops")
    assert state is not None
    assert (state["branch"], sorted(state["dirty"])) == ("trunk", ["kept", "moved"])
    assert not mark.exists()


def test_what_git_itself_says(team: Team) -> None:
    """Ends of lines, modes, ignored files and a split index count as they do for `git status`."""
    top = team.root / "ops"
    git(top, "init", "-q", "-b", "trunk")
    (top / ".gitattributes").write_text("*.txt text eol=crlf\n")
    for name in ("a.txt", "b", "c"):
        (top / name).write_bytes(b"x\r\ny\r\n")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "x")
    git(top, "config", "core.fileMode", "false")
    git(top, "update-index", "--split-index")
    (top / "a.txt").touch()
    (top / "b").chmod(0o755)
    (top / "c").write_bytes(b"z\n")
    git(top, "add", "c")
    (top / ".git/info/exclude").write_text("*.o\n")
    (top / "d.o").touch()
    (team.root / ".config/git").mkdir(parents=True)
    (team.root / ".config/git/ignore").write_text("*.mine\n")
    (top / "e.mine").touch()
    assert git(top, "-c", f"core.excludesFile={team.root}/.config/git/ignore", "status", "--porcelain") == "M  c"
    state = handed_over(team, "ops")
    assert state is not None
    assert state["dirty"] == ["c"]


def test_programs_of_the_project(team: Team, tmp_path: Path) -> None:
    """A program is never taken from the project, though PATH has relative folders: not git, gh, task or tmux."""
    top, mark = repository(team.root / "ops"), tmp_path / "mark"
    for name in ("git", "gh", "task", "tmux", "claude"):
        (top / name).write_text(f"#!/bin/sh\ntouch '{mark}'\n")
        (top / name).chmod(0o755)
    path = f".::{team.env['PATH']}"
    state = handed_over(team, "ops", PATH=path)
    assert state is not None
    assert state["dirty_count"] == 5
    for program in ("task", "./task", "gh", "./gh"):
        kind = {"kind": "github", "repo": "o/r"} if program.endswith("gh") else {"kind": "taskwarrior"}
        team.map(agents={"ops": {"task_provider": {**kind, "program": program}}, "dev": {}})
        team.run("ops", "tasks", "list", PATH=path, GH_TOKEN="x", HTTPS_PROXY="http://127.0.0.1:9")
    assert not mark.exists()


def test_git_as_it_was(tmp_path: Path) -> None:
    """The traps of these tests do go off where git is simply called."""
    top, mark = repository(tmp_path / "top"), tmp_path / "mark"
    arm(top / ".git", mark)
    disturb(top)
    subprocess.run(["git", "-C", top, "status"], capture_output=True, check=False)
    assert " clean" in mark.read_text() or " included" in mark.read_text()
