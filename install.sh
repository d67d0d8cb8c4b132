#!/bin/sh
# Installs Agent Team OS for the user who runs it, or tries it, or tests it: see `usage` below.
#
# What an installation looks like:
#   DIR/program              symbolic link to the release in use, replaced in one step
#   DIR/program.d/NAME/      a release: the program's files; its .venv is a link to an environment
#   DIR/program.d/env-NAME/  a Python environment, with a copy of the lock file it was made from
#   ~/.local/bin/ato         symbolic link to DIR/program/scripts/ato; agent-team-os and agentops likewise
# Claude Code reads its plugin from DIR/program, so that every update is one for the plugin too.
# A copy that was not installed, as a plugin from a marketplace, helps itself: see scripts/runtime.sh.
# A run that is cut short leaves DIR/program as it was, and the next run removes what it left.
# --demo and --test need one environment only, .venv in this folder, marked in the same way.
set -eu

usage() {
    cat <<'END'
Usage: ./install.sh [--dir DIR] [--no-plugin]  install or update the program for this user
       ./install.sh --uninstall [--dir DIR]    take the program away again; the mail stays
       ./install.sh --print-settings           print the hooks for a settings.json; install nothing
       ./install.sh --demo                     play a conversation without installing anything
       ./install.sh --test [--full]            run the whole test suite; --full adds the long runs
       ./install.sh --help                     print this text

Needs Python 3.11 or newer (uv is used where it is on PATH, else Python's own venv and pip) and,
the first time, the package index. Packages are taken only as the lock files' checksums say.

--dir DIR    keeps the program in DIR instead of ${XDG_DATA_HOME:-~/.local/share}/agent-team-os.
--no-plugin  leaves Claude Code alone. Without it, where there is a claude on PATH, that one is told
             of the plugin in DIR/program, and with --uninstall it is told to forget it.

Installing puts the program into DIR, the commands ato, agent-team-os and agentops (where no other
program has that name) into ~/.local/bin, and makes the folder for the mail (~/.agent-team-os, or
$AGENT_TEAM_OS_HOME) with a starter map. It can be run again at any time, overwrites no map, and
refuses to touch what it did not make.
--demo and --test write to this folder (.venv, .cache) and to a scratch folder that they remove.

Exit status: 0 done; 3 another run is at work; 64 wrong usage; 70 Python, packages or the program
failed; 73 cannot write; with --demo and --test the status of the demo or of the tests.
END
}

say() { printf '%s\n' "$*"; }

die() { # STATUS TEXT...
    status=$1
    shift
    say "install.sh: $*" >&2
    exit "$status"
}

# Lets one run at a time work in FOLDER. The text of the link is the number of the holder's process.
hold() { # FOLDER
    mkdir -p "$1" 2>/dev/null && [ -w "$1" ] || die 73 "cannot write in $1."
    if ! ln -s "$$" "$1/busy" 2>/dev/null; then
        holder=$(readlink "$1/busy") || holder=
        if [ -n "$holder" ] && kill -0 "$holder" 2>/dev/null; then
            die 3 "another run (process $holder) is at work in $1; wait until it is done." \
                "If there is no such run, remove $1/busy"
        fi
        rm -f "$1/busy"
        ln -s "$$" "$1/busy" || die 73 "cannot write in $1."
    fi
    held=$1/busy
    log=$1/install.log
}

let_go() {
    rm -f "$log" "$held"
    held=
}

# ---- Install and uninstall ----------------------------------------------------------------------

find_folders() {
    [ -n "${HOME:-}" ] || die 70 "HOME is not set, so there is no place to install to. Set it, then run this again."
    mail=${AGENT_TEAM_OS_HOME:-${AB_HOME:-$HOME/.agent-team-os}}
    bin=$HOME/.local/bin
    case ${XDG_DATA_HOME:-} in
    /*) data=$XDG_DATA_HOME ;;
    *) data=$HOME/.local/share ;;
    esac
    if [ -z "$dir" ]; then
        dir=$data/agent-team-os
        # Run from an installed copy: that installation is meant.
        case $root in */program.d/*) dir=${root%/program.d/*} ;; esac
    fi
    case $dir in /*) ;; *) dir=$PWD/$dir ;; esac
    [ ! -d "$dir" ] || dir=$(CDPATH='' cd -P -- "$dir" && pwd -P)
    case $dir/ in
    "$mail"/*) die 64 "$dir is where the mail is kept; choose another folder with --dir." ;;
    esac
    releases=$dir/program.d
    launcher=$dir/program/scripts/ato
}

# The commands' links may lead to another DIR, where an earlier run put the program.
check_nothing_foreign() {
    for name in ato agent-team-os; do
        case $(readlink "$bin/$name" || [ ! -e "$bin/$name" ] || echo foreign) in
        '' | */program/scripts/ato) ;;
        *) die 73 "$bin/$name is in the way: it was not made by this installer. Move it away, then run this again." ;;
        esac
    done
    case $(readlink "$dir/program" || [ ! -e "$dir/program" ] || echo foreign) in
    '' | program.d/*) ;;
    *) die 73 "$dir/program is in the way: it was not made by this installer. Choose another folder with --dir." ;;
    esac
    [ ! -e "$releases" ] || [ -e "$releases/made-by-agent-team-os" ] || rmdir "$releases" 2>/dev/null ||
        die 73 "$releases is in the way: it was not made by this installer. Choose another folder with --dir."
}

# Whoever can write in DIR can put another program there. What an earlier run made is put right; other folders are not
# ours to change.
check_nobody_else_writes() {
    for folder in "$dir" "$releases"; do
        [ -d "$folder" ] && [ ! -k "$folder" ] && others_write "$folder" || continue
        [ -O "$folder" ] && [ -O "$releases/made-by-agent-team-os" ] && chmod go-w "$folder" ||
            die 73 "others can write in $folder, and so could replace the program." \
                "Take that away (chmod go-w $folder) or choose another folder with --dir."
    done
}

others_write() { # FOLDER
    [ -n "$(find "$1/." ! -name . -prune -o \( -perm -020 -o -perm -002 \) -print)" ]
}

install_program() {
    find_folders
    check_nothing_foreign
    check_nobody_else_writes
    for folder in "$dir" "$bin" "$releases"; do
        [ -d "$folder" ] || { mkdir -p "$folder" && close_to_others "$folder"; } 2>/dev/null ||
            die 73 "cannot make $dir and $bin."
    done
    find_folders # once more: now that it exists, DIR has a real path
    hold "$releases"
    : >"$releases/made-by-agent-team-os"
    close_to_others "$releases/made-by-agent-team-os"
    sweep
    release=$(date -u +%Y%m%d-%H%M%S)-$$
    new=$releases/$release

    if is_made_from "$dir/program/.venv" "$root/requirements.lock"; then
        environment=$(readlink "$dir/program/.venv")
    else
        environment=../env-$release
        find_python
        say "Making a Python environment with $python; this takes a moment."
        make_environment "$releases/env-$release" "$root/requirements.lock"
    fi

    mkdir "$new" || die 73 "cannot write in $releases."
    for name in scripts schemas docs commands hooks skills .claude-plugin .codex-plugin requirements.lock \
        requirements.lock.sha256 install.sh README.md LICENSE; do
        [ ! -e "$root/$name" ] || cp -R "$root/$name" "$new/" || die 73 "cannot write in $new."
    done
    find "$new" -type d -name __pycache__ -prune -exec rm -rf {} +
    ln -s "$environment" "$new/.venv"
    python=$new/.venv/bin/python
    # Compiled now, so that every start is quick, whatever the environment variables say later.
    "$python" -I -m compileall -q "$new/scripts" >"$log" 2>&1 || :
    close_to_others "$new" || die 73 "cannot write in $new."
    "$new/scripts/ato" --version >>"$log" 2>&1 ||
        die 70 "the new program does not start, so nothing was changed. What it said is in $log"

    ln -s "program.d/$release" "$releases/next"
    "$python" -I -c 'import os, sys; os.replace(*sys.argv[1:])' "$releases/next" "$dir/program" ||
        die 73 "cannot write in $dir."
    for name in ato agent-team-os agentops; do
        # There are other programs called agentops, and `ato msg` does the same.
        case $name$(readlink "$bin/$name" || [ ! -e "$bin/$name" ] || echo foreign) in
        agentops | agentops*/program/scripts/ato | ato* | agent-team-os*) ;;
        *)
            say "$bin/$name is another program and stays; wherever agentops is written, type ato."
            continue
            ;;
        esac
        was=$(readlink "$bin/$name") || was=$launcher
        [ "$was" = "$launcher" ] || say "$bin/$name led to $was before; that program is still there."
        ln -sf "$launcher" "$bin/$name" || die 73 "cannot write in $bin."
    done
    sweep
    let_go

    "$launcher" init >/dev/null || die $? "the program is installed, but its first start, $launcher init, failed."
    [ -n "$no_plugin" ] || add_plugin
    say_what_next
}

# Removes the releases and environments that DIR/program does not lead to.
sweep() {
    current=$(readlink "$dir/program") || current=
    its_environment=$(readlink "$dir/program/.venv") || its_environment=
    for old in "$releases"/*; do
        case ${old##*/} in
        "${current##*/}" | "${its_environment##*/}" | made-by-agent-team-os | busy) ;;
        *) rm -rf "$old" || die 73 "cannot remove $old." ;;
        esac
    done
}

say_what_next() {
    say "Installed: $bin/ato (agent-team-os is the same). The program is in $dir, the mail in $mail."
    say "Next:"
    case :$PATH: in
    *":$bin:"*)
        first=$(command -v ato) || first=
        [ "$first" = "$bin/ato" ] || say "  Another ato comes first on your PATH, $first: type agent-team-os instead."
        ;;
    *)
        say "  $bin is not on your PATH. Add this line to ~/.profile (zsh: ~/.zprofile), then log in again:"
        say "    export PATH=\"\$HOME/.local/bin:\$PATH\""
        ;;
    esac
    say "  In each project folder, give the sessions that work there a name, for example:"
    say "    cd ~/work && ato join ops"
    say "    cd ~/code/web && ato join dev"
    say "  Then write a message, and see who has mail:"
    say "    cd ~/work && ato send dev question --field question='Which branch is the release?'"
    say "    ato bus"
}

uninstall_program() {
    find_folders
    remove_plugin
    for name in ato agent-team-os agentops; do
        leads_to=$(readlink "$bin/$name" || [ ! -e "$bin/$name" ] || echo 'no program of ours')
        case $leads_to in
        '') ;;
        "$launcher")
            rm -f "$bin/$name" || die 73 "cannot remove $bin/$name."
            say "Removed $bin/$name."
            ;;
        *) say "Left $bin/$name alone: it leads to $leads_to." ;;
        esac
    done
    if [ -e "$releases/made-by-agent-team-os" ]; then
        hold "$releases"
        case $(readlink "$dir/program" || :) in program.d/*) rm -f "$dir/program" ;; esac
        sweep
        rm -rf "$releases" || die 73 "cannot remove $releases."
        rmdir "$dir" 2>/dev/null || :
        say "Removed the program from $dir."
    else
        say "There is no program in $dir."
    fi
    # What commands of a copy that was not installed have made: their packages, and the hooks' note of a Python.
    case ${XDG_CACHE_HOME:-} in
    /*) cache=$XDG_CACHE_HOME/agent-team-os ;;
    *) cache=$HOME/.cache/agent-team-os ;;
    esac
    rm -rf "$data/agent-team-os/runtime" || die 73 "cannot remove $data/agent-team-os/runtime."
    rm -f "$cache/python" || die 73 "cannot remove $cache/python."
    rmdir "$data/agent-team-os" "$cache" 2>/dev/null || :
    [ ! -d "$mail" ] || say "The mail stays where it is, in $mail."
}

# ---- Demo and test ------------------------------------------------------------------------------

# Makes .venv from the first of LOCKS, unless it is already made from one of them.
prepare_clone() { # LOCK...
    for lock in "$@"; do
        ! is_made_from "$root/.venv" "$lock" || return 0
    done
    if [ -e "$root/.venv" ] && [ ! -e "$root/.venv/made-from.lock" ]; then
        die 73 "$root/.venv is in the way: it was not made by this script. Move it away, then run this again."
    fi
    hold "$root/.cache"
    rm -rf "$root"/.venv.new-*
    find_python
    say "Making a Python environment with $python; this takes a moment."
    make_environment "$root/.venv.new-$$" "$1"
    [ ! -e "$root/.venv" ] || mv "$root/.venv" "$root/.venv.new-old"
    mv "$root/.venv.new-$$" "$root/.venv" || die 73 "cannot write in $root."
    rm -rf "$root/.venv.new-old"
    let_go
}

# From here on nothing of the user's is in reach: no home, no mail, no settings.
enter_scratch() {
    unset AGENT_TEAM_OS_HOME AGENT_TEAM_OS_AGENT AGENT_TEAM_OS_SESSION AB_HOME CLAUDE_PROJECT_DIR CLAUDE_ENV_FILE \
        PYTHONPATH PYTHONHOME PYTHONWARNINGS GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
    export HOME="$scratch/home" TMPDIR="$scratch/tmp" XDG_CONFIG_HOME="$scratch/home/.config" \
        XDG_DATA_HOME="$scratch/home/.local/share" XDG_STATE_HOME="$scratch/home/.local/state" \
        XDG_CACHE_HOME="$scratch/home/.cache" XDG_RUNTIME_DIR="$scratch/run"
    mkdir -m 700 "$HOME" "$TMPDIR" "$XDG_RUNTIME_DIR"
    "$root/.venv/bin/python" -I -m compileall -q "$root/scripts" || :
}

run_demo() {
    prepare_clone "$root/requirements.lock" "$root/requirements-dev.lock"
    enter_scratch
    export ATO_DEMO_DIR="$scratch/demo"
    mkdir -m 700 "$ATO_DEMO_DIR"
    "$root/scripts/demo"
}

run_tests() {
    prepare_clone "$root/requirements-dev.lock"
    # The tests fetch the real client with npm: from where, and through what, stays as the user has set it.
    export NPM_CONFIG_USERCONFIG="${NPM_CONFIG_USERCONFIG:-${HOME:-/}/.npmrc}"
    enter_scratch
    cd "$root"
    export PYTHONPATH="$root/scripts" HYPOTHESIS_STORAGE_DIRECTORY="$root/.cache/hypothesis"
    python=$root/.venv/bin/python
    failed=
    step 'ruff check' "$python" -m ruff check --quiet --output-format concise
    step 'ruff format' "$python" -m ruff format --check --quiet
    step 'mypy' "$python" -m mypy --no-error-summary
    step 'import-linter' "$python" -c 'from importlinter.cli import lint_imports_command as run; run()' \
        --no-logo --cache-dir .cache/import-linter
    # Last, and with nothing after it where all is well: its closing line is the one to read.
    "$python" -m pytest -n 3 ${full:+-m ''} || failed="$failed, pytest"
    [ -z "$failed" ] || die 1 "failed: ${failed#, }"
}

step() { # NAME COMMAND...
    name=$1
    shift
    if "$@"; then
        say "$name: ok"
    else
        say "$name: failed"
        failed="$failed, $name"
    fi
}

# ---- Start --------------------------------------------------------------------------------------

# shellcheck disable=SC2329 # the trap calls it
clean_up() {
    [ -z "$held" ] || rm -f "$held"
    [ -z "$scratch" ] || rm -rf "$scratch"
}

main() {
    mode='' full='' dir='' no_plugin='' held='' scratch=''
    case $0 in */*) root=${0%/*}/ ;; *) root=./ ;; esac
    root=$(CDPATH='' cd -P -- "$root" && pwd -P)
    [ -f "$root/install.sh" ] && [ -f "$root/scripts/ato" ] ||
        die 70 "$root is not the folder of the program; run the install.sh that is there."
    # shellcheck source=scripts/environment.sh
    . "$root/scripts/environment.sh"
    while [ $# -gt 0 ]; do
        case $1 in
        --help | -h) usage && exit 0 ;;
        --uninstall | --print-settings | --demo | --test)
            [ -z "$mode" ] || die 64 "--$mode and $1 do not go together; see ./install.sh --help"
            mode=${1#--}
            ;;
        --full) full=yes ;;
        --no-plugin) no_plugin=yes ;;
        --dir=?*) dir=${1#--dir=} ;;
        --dir)
            [ -n "${2:-}" ] || die 64 "--dir needs a folder; see ./install.sh --help"
            dir=$2
            shift
            ;;
        *) die 64 "unknown option: $1; see ./install.sh --help" ;;
        esac
        shift
    done
    case $mode${full:+-full}${dir:+-dir}${no_plugin:+-no-plugin} in
    '' | -dir | -no-plugin | -dir-no-plugin | uninstall | uninstall-dir | print-settings | demo | test | test-full) ;;
    *) die 64 "these options do not go together; see ./install.sh --help" ;;
    esac

    # shellcheck source=scripts/plugin.sh
    . "$root/scripts/plugin.sh"

    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 141' PIPE
    trap 'exit 143' TERM
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/ato.XXXXXX" 2>/dev/null) || die 73 "cannot make a folder in ${TMPDIR:-/tmp}."
    export TMPDIR="$scratch"
    case $mode in
    '') install_program ;;
    uninstall) uninstall_program ;;
    print-settings) print_settings ;;
    demo) run_demo ;;
    test) run_tests ;;
    esac
}

# All of this file is read before any of it runs: a run may replace the very file it comes from.
main "$@"
exit
