"""Run the command line from the folder it lies in, installed or not: `python scripts/agent_team_os`."""

import gc
import os
import sys

if __name__ == "__main__":
    # A short program makes no garbage worth collecting; the collector would look at every import for it.
    gc.disable()
    os.umask(os.umask(0o077) | 0o022)  # what Python compiles for the next start is run then, so others may not write it
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if sys.flags.no_site:  # the launcher saves the 3 ms of looking for what this line names
        threaded = "t" if "t" in sys.abiflags else ""
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}{threaded}"
        environment = os.path.dirname(os.path.dirname(sys.executable))
        sys.path.append(os.path.join(environment, "lib", version, "site-packages"))
    from agent_team_os.storage import process

    process.keep_absolute_path(os.environ)
    from agent_team_os.cli.main import run

    run()
