"""Leave the parents, run a command and end as it ends: python -I -S orphan.py COMMAND…

Nothing imports this file; `support.cli.ato` runs it where the test run itself was started from a session, which a
command must not see above it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time


def main() -> None:
    """The status goes from the process that has left to the one that is waited for."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        with open(reading, "rb") as pipe:
            os._exit(int(pipe.read() or b"99"))
    parent = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == parent:  # until the system has given us to somebody else
        time.sleep(0.001)
    os.close(reading)
    status = subprocess.run(sys.argv[1:], check=False).returncode
    os.write(writing, str(status).encode())


if __name__ == "__main__":
    main()
