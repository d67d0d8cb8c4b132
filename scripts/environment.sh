# shellcheck shell=sh disable=SC2154
# Read by install.sh: finds a Python and makes environments with it. Uses its `say`, `die` and $log.

# Asked of every Python on PATH, of version 2 too: its version, whether that is new enough, what it
# makes environments with, and where it really is, behind shims and environments.
PROBE='
import sys
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
print(getattr(sys, "_base_executable", None) or sys.executable)
'

# Sets python and means to the first Python on PATH that will do, and uv to uv or to nothing.
find_python() {
    uv=$(command -v uv) && "$uv" --version >/dev/null 2>&1 || uv=
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
    if ! answer=$("$1" -E -s -c "$PROBE" 2>/dev/null </dev/null); then
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

# Whether FOLDER is a complete environment of LOCK whose Python is still there.
is_made_from() { # FOLDER LOCK
    cmp -s "$2" "$1/made-from.lock" && "$1/bin/python" -I -c 'import click' >/dev/null 2>&1
}

# Fills FOLDER with an environment of LOCK. The copy of the lock comes last: it says `complete`.
make_environment() { # FOLDER LOCK
    find_python
    say "Making a Python environment with $python; this takes a moment."
    : >"$log"
    if ! fill_with_uv "$1" "$2" && ! fill_with_pip "$1" "$2"; then
        rm -rf "$1"
        blame_log "$2"
    fi
    cp "$2" "$1/made-from.lock" || die 73 "cannot write in $1."
}

fill_with_uv() { # FOLDER LOCK
    [ -n "$uv" ] || return 1
    logged env UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never \
        "$uv" venv --quiet --no-project --python "$python" "$1" &&
        logged env UV_NO_CACHE=1 UV_LINK_MODE=copy \
            "$uv" pip install --python "$1/bin/python" --require-hashes --only-binary :all: \
            --compile-bytecode -r "$2" && return 0
    # It may be old, or know less of the network here than pip has been told.
    rm -rf "$1"
    return 1
}

fill_with_pip() { # FOLDER LOCK
    lock=$2
    if [ "$means" = ensurepip ]; then
        logged "$python" -I -m venv "$1" || return 1
        set -- "$1/bin/python" -I -m pip
    else
        logged "$python" -I -m venv --without-pip "$1" || return 1
        set -- "$python" -I -m pip --python "$1/bin/python"
    fi
    # Settings that would put the packages elsewhere than into the environment.
    logged env -u PIP_USER -u PIP_TARGET -u PIP_PREFIX -u PIP_ROOT -u PIP_REQUIRE_VIRTUALENV \
        "$@" install --disable-pip-version-check --no-cache-dir --no-input \
        --require-hashes --only-binary :all: -r "$lock"
}

logged() { # COMMAND...
    echo "+ $*" >>"$log"
    "$@" >>"$log" 2>&1 </dev/null
}

blame_log() { # LOCK
    if grep -Eiq 'failed to establish|connection (refused|reset|aborted|error)|connect error|timed out|name resolution|name or service|dns error|network is|proxyerror|sslerror|certificate|error sending request|versions: none' "$log"; then
        die 70 "the packages could not be fetched, because the package index could not be reached." \
            "Check the network (and the proxy), then run this again. What the tools said is in $log"
    fi
    die 70 "the packages of $1 could not be installed. What the tools said is in $log;" \
        "it ends with: $({ grep -i '^ *error' "$log" || cat "$log"; } | tail -n 1)"
}
