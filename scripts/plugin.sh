# shellcheck shell=sh disable=SC2154
# Read by install.sh: what it has to do with Claude Code. Uses its `say`, `die`, $root, $dir, $data and $scratch.
#
# The client is asked through its own commands; nothing here edits a file of its. It reads the plugin where it lies,
# through the link DIR/program, at the start of every session. So an update reaches it without a word, and is
# mentioned to it only for the version number in its lists.

PLUGIN=agent-team-os@agent-team-os # plugin@marketplace, as .claude-plugin/ names them

# What the client knows, from its two lists: `installed`, `added` (the marketplace alone) or `absent`; or where another
# plugin of this name comes from, and the command that takes it away.
LOOK='
import json, sys
folder = sys.argv[1]
markets, plugins = (json.load(open(name, encoding="utf-8")) for name in sys.argv[2:])
market = next((one for one in markets if one["name"] == "agent-team-os"), None)
others = [one["id"] for one in plugins if one["id"].startswith("agent-team-os@") and one["id"] != "agent-team-os@agent-team-os"]
if market and market.get("path") != folder:
    place = next((market[key] for key in ("path", "repo", "url") if key in market), market.get("source"))
    print("%s: claude plugin marketplace remove agent-team-os" % place)
elif others:
    print("%s: claude plugin uninstall %s" % (others[0], others[0]))
elif not market:
    print("absent")
else:
    print("installed" if any(one["id"] == "agent-team-os@agent-team-os" for one in plugins) else "added")
'

# The client with nothing to ask and, where the system has `timeout`, no way to hang. Its own settings count, not those
# of a project that we happen to be in.
client() { # ARGUMENT...
    if command -v timeout >/dev/null; then
        set -- timeout -k 5 60 claude plugin "$@"
    else
        set -- claude plugin "$@"
    fi
    (cd / && exec "$@") </dev/null 2>/dev/null
}

look() {
    reader=$dir/program/.venv/bin/python
    [ -x "$reader" ] || reader=$(command -v python3) || return 1
    client marketplace list --json >"$scratch/markets" && client list --json >"$scratch/plugins" &&
        "$reader" -I -c "$LOOK" "$dir/program" "$scratch/markets" "$scratch/plugins" 2>/dev/null
}

add_plugin() {
    if ! command -v claude >/dev/null; then
        say "There is no claude on PATH, so no plugin was installed. Once there is, run this again."
        return
    fi
    state=$(look) || state=unknown
    done=yes
    case $state in
    absent) client marketplace add "$dir/program" >/dev/null && client install "$PLUGIN" >/dev/null || done= ;;
    added) client install "$PLUGIN" >/dev/null || done= ;;
    installed) client update "$PLUGIN" >/dev/null || : ;; # it may be disabled, and stays so
    unknown) done= ;;
    *)
        say "Claude Code already has a plugin of this name, from ${state%: *}, and it was left alone. For this one instead:"
        say "  ${state##*: }"
        say "  and then run this again."
        return
        ;;
    esac
    if [ -n "$done" ]; then
        say "Claude Code has the plugin from its next session on, from $dir/program."
    else
        say "Claude Code did not take the plugin. The program works without it. To add it by hand:"
        say "  claude plugin marketplace add \"$dir/program\""
        say "  claude plugin install $PLUGIN"
    fi
}

remove_plugin() {
    command -v claude >/dev/null || return 0
    state=$(look) || state=unknown
    case $state in
    installed | added)
        [ "$state" = added ] || client uninstall "$PLUGIN" >/dev/null || :
        if client marketplace remove "${PLUGIN#*@}" >/dev/null; then
            say "Removed the plugin from Claude Code."
            return
        fi
        ;;
    absent) return ;;
    unknown) ;;
    *)
        say "Left the plugin of Claude Code alone: it comes from ${state%: *}."
        return
        ;;
    esac
    say "Claude Code did not say whether it has the plugin. If so, this takes it away:"
    say "  claude plugin marketplace remove ${PLUGIN#*@}"
}

# ---- Without the plugin -------------------------------------------------------------------------

# Prints the hooks of the plugin as a settings.json has them, with the path of this copy in place of the plugin's.
print_settings() {
    find_python
    folder=$root
    # Of an installed copy: the link, which outlives the release it leads to.
    case $root in */program.d/*) folder=${root%/program.d/*}/program ;; esac
    [ -f "$root/hooks/hooks.json" ] || die 70 "$root has no hooks/hooks.json. Fetch or install the program anew."
    # shellcheck disable=SC2016
    "$python" -I -c '
import json, re, shlex, sys
def filled(node):
    if isinstance(node, dict):
        return {key: filled(value) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value) for value in node]
    if not isinstance(node, str):
        return node
    return re.sub(r"\"\$CLAUDE_PLUGIN_ROOT([^\"]*)\"", lambda found: shlex.quote(sys.argv[2] + found[1]), node)
with open(sys.argv[1], encoding="utf-8") as file:
    print(json.dumps({"hooks": filled(json.load(file)["hooks"])}, indent=2))
' "$root/hooks/hooks.json" "$folder"
    say "Merge this into ~/.claude/settings.json, but not where the plugin is installed: every hook would run twice." >&2
    say "The slash commands come with the plugin alone; see $folder/docs/settings.md." >&2
}
