"""A disk of its own for a bus, whose power can be cut at any moment.

    with disk.Disk() as it:
        ...  # work below it.root
        image = it.now()
        with it.after(image) as root: ...  # what the next start finds

The file system lies in a file and writes by itself only after minutes, so what an fsync has not asked for is not in
that file. A copy of it, made while the file system goes on, is the disk of a machine that has just lost its power;
mounting the copy replays its journal, as the next start would.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

NEEDS = "needs root, loop devices, and mount and mkfs.ext4 (Debian: mount, e2fsprogs)"
_SIZE = 6 << 20  # bytes; with blocks of 1 KiB there is room for the smallest journal and a small bus
_LATE = 300  # seconds until the file system would write by itself


class Disk:
    """An ext4 file system on a loop device; unmounted, and the device free, when the `with` ends."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")  # there an fsync is no wait for a real disk
        self._place = Path(tempfile.mkdtemp(prefix="power-cut-", dir=memory if os.access(memory, os.W_OK) else None))
        self._image = self._place / "image"
        self.root = self._place / "disk"
        self._copies = itertools.count(1)

    def __enter__(self) -> Disk:
        try:
            with self._image.open("wb") as file:
                file.truncate(_SIZE)
            _run("mkfs.ext4", "-q", "-b", "1024", "-J", "size=1", "-E", "lazy_itable_init=0", str(self._image))
            self._mount(self._image, self.root)
        except BaseException:
            shutil.rmtree(self._place)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._unmount(self.root)
        shutil.rmtree(self._place)

    def settle(self) -> None:
        """Write all that is there to the disk."""
        _run("sync", "-f", str(self.root))

    def now(self) -> bytes:
        """What is on the disk at this moment, whatever has been written to the files."""
        return self._image.read_bytes()

    @contextlib.contextmanager
    def after(self, image: bytes) -> Iterator[Path]:
        """The root of a disk that the next start of the machine finds like this."""
        root = self._place / "after"
        # A new name each time: any other mount on this machine looks at all loop devices, and one that is open keeps
        # its file and what was read of it. For the same file it would be taken again, with an old superblock that
        # says there is no journal to replay.
        copy = self._place / f"copy-{next(self._copies)}"
        copy.write_bytes(image)
        self._mount(copy, root)
        try:
            yield root
        finally:
            self._unmount(root)
            copy.unlink()

    def _mount(self, image: Path, root: Path) -> None:
        root.mkdir(exist_ok=True)
        _run("mount", "-o", f"loop,commit={_LATE}", str(image), str(root))

    def _unmount(self, root: Path) -> None:
        # Lazily where something still runs there: the device is free when that is gone.
        if subprocess.run(["umount", str(root)], capture_output=True, check=False).returncode != 0:
            _run("umount", "-l", str(root))


@functools.cache
def is_here() -> bool:
    """Whether this machine lets us have such a disk."""
    try:
        with Disk():
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
