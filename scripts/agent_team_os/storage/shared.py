"""A folder that several users of a machine or a network share: who may read in it is what its own mode says.

Everything else in storage belongs to one user and has modes 0600 and 0700. Here a file is readable by those who may
read in the root of the folder, and each user's part of it can be changed by that user alone. The rules of
`storage.files` hold: what has a name is complete and durable.
"""

from __future__ import annotations

import errno
import os
import stat

from . import files

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


def private(root: int) -> tuple[int, int]:
    """The modes of a file and of a folder in somebody's own part, in a shared folder whose mode is `root`."""
    file, folder = 0o600, 0o700 | root & stat.S_ISGID
    for may_read, may_enter in ((0o040, 0o050), (0o004, 0o005)):
        if root & may_enter == may_enter:
            file, folder = file | may_read, folder | may_enter
    return file, folder


def common(root: int) -> int:
    """The mode of a folder in which every user makes their own part, and nobody removes another's."""
    return root & 0o2777 | stat.S_ISVTX


def make_folder(path: str, mode: int) -> None:
    """Make one folder with this mode, whatever the umask; durable.

    One that is there is given the mode if it is ours: whoever made it may have been killed before that. A link in
    its place is an error.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder, or a link to one", path) from None
        if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != mode:
            os.chmod(path, mode)
        return
    os.chmod(path, mode)
    files.sync_folder(os.path.dirname(path))


def publish(source: str, path: str, mode: int, instead: bool = False) -> bool:
    """Give a finished file its mode and then the name readers look for, in another folder of ours; durable.

    False, and nothing changed, if the name is taken; with `instead` what has the name is replaced. The name
    `source` may still be there afterwards.
    """
    fd = os.open(source, _OPEN)
    try:
        if os.fstat(fd).st_uid == os.geteuid():  # else the file system shows somebody else's, and knows no modes
            os.fchmod(fd, mode)
        files.sync(fd, source)
    finally:
        os.close(fd)
    try:
        if instead:
            files.supersede(source, path)
        else:
            files.publish(source, path)
    except FileExistsError:
        return False
    files.sync_folder(os.path.dirname(path))
    return True
