# shellcheck shell=sh disable=SC2154
# Read by install.sh, runtime.sh and demo before they start a program: finds a Python and makes environments with it.
# Uses their `die` and $log.

# What they write, nobody else may change: the sessions of this user run it.
umask go-w

# What lies in the folder they were called from is never started: of PATH only absolute folders count.
case :${PATH-}: in
*:[!/]*)
    left=${PATH-}: PATH=
    while [ -n "$left" ]; do
        case $left in /*) PATH=$PATH${PATH:+:}${left%%:*} ;; esac
        left=${left#*:}
    done
    export PATH="${PATH:-/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin}"
    ;;
esac

# Asked of every Python on PATH, of version 2 too: its version, whether that is new enough, what it
# makes environments with, and where it really is, behind shims and environments. By the name with its
# version where there is one: what `python3` means may change, and the packages are of one version.
PROBE='
import os, sys
sys.path[:] = [p for p in sys.path if p]
try:
    import venv
    try:
        import ensurepip
        ensurepip.version()
        means = "ensurepip"
    except Exception:
        import pip
        means = "pip" if [int(n) for n in pip.__version__.split(".")[:2]] >= [22, 3] else "nothing"
except Exception:
    means = "nothing"
print("%d.%d.%d" % sys.version_info[:3])
print("new" if sys.version_info >= (3, 11) else "old")
print(means)
real = getattr(sys, "_base_executable", None) or sys.executable
exact = os.path.join(os.path.dirname(real), "python%d.%d" % sys.version_info[:2])
print(exact if os.path.exists(exact) else real)
'

# Sets python and means to the first Python on PATH that will do, and uv to uv or to nothing.
find_python() {
    uv=$(command -v uv) && (cd / && exec "$uv" --version) >/dev/null 2>&1 || uv=
    python='' spare='' incomplete='' found=''
    set -f
    for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
        IFS=:
        for folder in $PATH; do
            unset IFS
            consider "$folder/$name"
            [ -z "$python" ] || break 2
        done
    done
    set +f
    unset IFS
    [ -z "$python" ] || return 0
    if [ -n "$spare" ]; then
        python=$spare means=pip
    elif [ -n "$incomplete" ]; then
        version=${incomplete##*(}
        die 70 "$incomplete cannot make environments, because its venv module is incomplete." \
            "On Debian and Ubuntu, as root: apt install python${version%.*}-venv. Then run this again."
    else
        die 70 "Python 3.11 or newer is needed, and on PATH there is ${found:-no Python at all}." \
            "Install a newer one beside it (Debian 12, Ubuntu 24.04: apt install python3 python3-venv)," \
            "then run this again."
    fi
}

consider() { # PATH-OF-A-PYTHON
    [ -f "$1" ] && [ -x "$1" ] || return 0
    # In / there is no project that tells a shim which Python it stands for.
    if ! answer=$(cd / && "$1" -E -s -c "$PROBE" 2>/dev/null </dev/null); then
        found="$found${found:+, }$1 (which does not run)"
        return 0
    fi
    { read -r version && read -r age && read -r means && read -r real; } <<END || return 0
$answer
END
    found="$found${found:+, }$real ($version)"
    case $age-${uv:+uv-}$means in
    new-uv-* | new-ensurepip) python=$real ;;
    new-pip) spare=${spare:-$real} ;;
    new-*) incomplete=${incomplete:-$real ($version)} ;;
    esac
}

# Whether FOLDER is a complete environment of LOCK whose Python is still there, and nobody else could change it.
is_made_from() { # FOLDER LOCK
    cmp -s "$2" "$1/made-from.lock" && is_ours_alone "$1" && has_packages "$1" >/dev/null 2>&1
}

is_ours_alone() { # FOLDER
    [ -z "$(find "$1/." ! -type l \( -perm -020 -o -perm -002 \) -print -o ! -type l \
        -exec sh -c 'for path; do [ -O "$path" ] || echo "$path"; done' sh {} + 2>&1)" ]
}

# The umask does not count where a folder has ACLs for what is made in it.
close_to_others() { # FOLDER
    find "$1" ! -type l \( -perm -020 -o -perm -002 \) -exec chmod go-w {} +
}

has_packages() { # FOLDER
    "$1/bin/python" -I -c 'import click'
}

# Fills FOLDER with an environment of LOCK, with what find_python found; both paths are absolute.
# The copy of the lock comes last: it says `complete`.
make_environment() { # FOLDER LOCK
    : >"$log"
    packages=$2
    if is_musl; then
        packages=$log.lock
        without_pyrage "$2" >"$packages" || die 73 "cannot write in ${log%/*}."
    fi
    # A descriptor 9 is the lock of runtime.sh, which must not outlive it in the tools it started.
    # In / there is no project whose settings uv would read.
    if ! (
        cd / && forget_settings
        # Killed meanwhile? Then nobody waits for a second try.
        fill_with_uv "$1" "$packages" || { kill -0 "$$" 2>/dev/null && fill_with_pip "$1" "$packages"; }
    ) 9>&-; then
        rm -rf "$1" "$log.lock"
        blame_log "$2"
    fi
    rm -f "$log.lock"
    { close_to_others "$1" && cp "$2" "$1/made-from.lock" && close_to_others "$1/made-from.lock"; } ||
        die 73 "cannot write in $1."
}

# Alpine and its like. pyrage has no wheel for them, and without it all but `msg` works.
is_musl() {
    "$python" -I -c 'import sys, sysconfig
sys.exit("musl" not in (sysconfig.get_config_var("HOST_GNU_TYPE") or ""))' 2>/dev/null </dev/null
}

without_pyrage() { # LOCK
    LC_ALL=C awk '/^[^ #]/ { skip = /^pyrage==/ } !skip' "$1"
}

# Of the settings in the environment only those count that say how to reach the package index; others
# would put the packages elsewhere, or leave some out.
forget_settings() {
    for name in $(env | LC_ALL=C grep -Eo '^(PYTHON|PIP_|UV_)[A-Za-z0-9_]*'); do
        case $name in
        PIP_*INDEX* | PIP_FIND_LINKS | PIP_CONFIG_FILE | PIP_KEYRING_PROVIDER) ;;
        PIP_*CERT | PIP_TRUSTED_HOST | PIP_PROXY | PIP_*TIMEOUT | PIP_RETRIES) ;;
        UV_*INDEX* | UV_FIND_LINKS | UV_*CONFIG* | UV_KEYRING_PROVIDER | UV_OFFLINE) ;;
        UV_*TLS | UV_*CERTS | UV_INSECURE_HOST | UV_*PROXY | UV_*TIMEOUT | UV_*RETRIES) ;;
        *) unset "$name" ;;
        esac
    done
}

fill_with_uv() { # FOLDER LOCK
    [ -n "$uv" ] || return 1
    logged env UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never \
        "$uv" venv --quiet --no-project --python "$python" "$1" &&
        logged env UV_NO_CACHE=1 UV_LINK_MODE=copy \
            "$uv" pip install --python "$1/bin/python" --require-hashes --only-binary :all: \
            --compile-bytecode -r "$2" &&
        logged has_packages "$1" && return 0
    # It may be old, or know less of the network here than pip has been told.
    rm -rf "$1"
    return 1
}

fill_with_pip() { # FOLDER LOCK
    folder=$1 lock=$2
    if [ "$means" = ensurepip ]; then
        logged "$python" -I -m venv "$1" || return 1
        set -- "$1/bin/python" -I -m pip
    else
        logged "$python" -I -m venv --without-pip "$1" || return 1
        set -- "$python" -I -m pip --python "$1/bin/python"
    fi
    logged "$@" install --disable-pip-version-check --no-cache-dir --no-input \
        --require-hashes --only-binary :all: -r "$lock" &&
        logged has_packages "$folder"
}

logged() { # COMMAND...
    echo "+ $*" >>"$log"
    "$@" >>"$log" 2>&1 </dev/null
}

blame_log() { # LOCK
    if grep -Eiq 'failed to establish|connection (refused|reset|aborted|error)|connect error|timed out|name resolution|name or service|dns error|network is|proxyerror|sslerror|certificate|error sending request|versions: none' "$log"; then
        die 70 "the packages of ${1##*/} could not be fetched, because the package index could not be reached." \
            "Check the network (and the proxy), then run this again. What the tools said is in $log"
    fi
    die 70 "the packages of $1 could not be installed. What the tools said is in $log;" \
        "it ends with: $({ grep -i '^ *error' "$log" || cat "$log"; } | tail -n 1)"
}
