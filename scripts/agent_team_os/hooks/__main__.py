"""What hooks/run starts: one event, JSON in, JSON out, always with status 0 and never a word of an error."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def forget_if_others_can_write(environ: Mapping[str, str]) -> None:
    """Others may not say which Python the next hook is run by. hooks/run sees whose its note is, but not the mode."""
    place = environ.get("XDG_CACHE_HOME", "")
    folder = (place if os.path.isabs(place) else environ["HOME"] + "/.cache") + "/agent-team-os"
    for path in (folder, folder + "/python"):
        if os.stat(path).st_mode & 0o022:
            os.unlink(folder + "/python")
            os.chmod(folder, 0o700)
            return


if __name__ == "__main__":
    # A short program makes no garbage worth collecting; the collector would look at every import for it.
    gc.disable()
    os.umask(os.umask(0o077) | 0o022)  # what Python compiles for the next start is run then, so others may not write it
    try:
        sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
        from agent_team_os.hooks import dispatch

        try:
            forget_if_others_can_write(os.environ)
        except (OSError, KeyError):  # nothing is remembered
            pass
        try:
            folder = os.getcwd()
        except OSError:  # it has been removed under us
            folder = "/"
        dispatch.run(
            sys.argv[1] if len(sys.argv) > 1 else "",
            os.environ,
            folder,
            getattr(sys.stdin, "buffer", None),
            getattr(sys.stdout, "buffer", None),
        )
    except BaseException:  # not even an interrupt may look like a failure of the session's
        pass
    os._exit(0)
