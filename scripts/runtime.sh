#!/bin/sh
# Called by scripts/ato where its packages are not there: runtime.sh ROOT DATA SUM
# Makes the environment of ROOT's requirements.lock, or waits for another command that is just making it.
#
#   DATA/agent-team-os/runtime/SUM/       an environment, named by the sum of the lock file it was made from
#   DATA/agent-team-os/runtime/.new-PID/  one that is being made; it gets its name when it is complete
#   DATA/agent-team-os/runtime/lock       locked by who makes one; the kernel lets go when that process ends
set -eu
root=$1 data=$2 sum=$3
reassurance=''

die() { # STATUS TEXT...
    status=$1
    shift
    printf '%s\n' "ato: $*$reassurance" >&2
    exit "$status"
}

[ -n "$data" ] || die 70 "HOME is not set, so there is no place for the Python packages. Set it, then run this again."
[ -n "$sum" ] || die 70 "$root is not complete: it has no requirements.lock.sha256. Fetch or install it anew."
runtime=$data/agent-team-os/runtime
advice="Set XDG_DATA_HOME to another folder, or install the program with $root/install.sh --dir DIR"
umask 077
# shellcheck source=scripts/environment.sh
. "$root/scripts/environment.sh"
reassurance=' (Hooks and slash commands that show mail work without the packages.)'
find_python

inside=$("$python" -I -S -B -c '
import os, sys
sys.path.insert(0, sys.argv[1])
from agent_team_os.protocol import home
mail, place = (os.path.realpath(path) for path in (home.find(os.environ), sys.argv[2]))
print(mail if (place + "/").startswith(mail.rstrip("/") + "/") else "")' "$root/scripts" "$runtime") ||
    die 70 "the program in $root does not start. Fetch or install it anew."
[ -z "$inside" ] ||
    die 73 "the Python packages belong in $runtime, but $inside is where the mail is kept, and programs stay out of it. $advice"

for folder in "$data/agent-team-os" "$runtime"; do
    [ -e "$folder" ] || continue
    [ -O "$folder" ] || die 73 "$folder belongs to another user, who could change the Python packages there. $advice"
    chmod go-w "$folder" 2>/dev/null || :
done
{ mkdir -p "$runtime" 2>/dev/null && true 2>/dev/null >>"$runtime/lock"; } ||
    die 73 "cannot write in $runtime, where the Python packages belong. $advice"
exec 9>>"$runtime/lock"
"$python" -I -S -c '
import fcntl, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("ato: another command is fetching the Python packages; waiting for it.", file=sys.stderr, flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)' || die 73 "cannot lock $runtime/lock. $advice"
[ ! -O "$runtime/$sum" ] || [ ! -x "$runtime/$sum/bin/python" ] || exit 0 # the other command has made it

echo "ato: fetching the Python packages once, into $runtime; this takes a few seconds." >&2
new=$runtime/.new-$$
trap 'rm -rf "$new"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
# What killed commands left; one of their tools may still be writing there.
rm -rf "$runtime"/.new-* || :
mkdir -p "$new/tmp" || die 73 "cannot write in $runtime. $advice"
export TMPDIR="$new/tmp"
log=$runtime/log
make_environment "$new/made" "$root/requirements.lock"
# Its own former self, whose Python has vanished, goes first; then no other version's is left behind.
{ rm -rf "${runtime:?}/$sum" && mv "$new/made" "$runtime/$sum"; } || die 73 "cannot write in $runtime. $advice"
for old in "$runtime"/*; do
    case ${old##*/} in
    "$sum" | lock) ;;
    *) rm -rf "$old" ;;
    esac
done
