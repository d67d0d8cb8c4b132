# A stand-in for the shell helpers of version 1: what another program writes that knows only mkdir, mv and rmdir.
# Sourced by tests; $BUS is the home. It takes no kernel lock, never looks into a lock folder and never heals one.

v1_now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
v1_id() { printf 'msg-%s-%s' "$(date -u +%Y%m%dT%H%M%SZ)" "$(LC_ALL=C tr -dc 'a-z0-9' </dev/urandom | head -c 8)"; }

v1_lock() { # AGENT: 400 tries, then give up
    local try
    for ((try = 0; try < 400; try++)); do
        mkdir "$BUS/locks/$1.lock" 2>/dev/null && return 0
        sleep 0.02
    done
    return 1
}
v1_unlock() { rmdir "$BUS/locks/$1.lock" 2>/dev/null || true; }

v1_send() { # FROM TO TYPE INTENT SUMMARY [THREAD] [SLUG]: prints the id
    local id box thread=${6:-thread-$(date -u +%Y%m%d)-$(LC_ALL=C tr -dc 'a-z0-9' </dev/urandom | head -c 6)}
    id=$(v1_id)
    box=$BUS/inboxes/$2${7:+/@$7}
    v1_lock "$2" || return 3
    mkdir -p "$box"
    cat >"$box/$id.json.tmp" <<JSON
{
  "id": "$id",
  "version": "1.0",
  "from": "$1",
  "to": "$2",
  "thread_id": "$thread",
  "in_reply_to": null,
  "type": "$3",
  "intent": "$4",
  "priority": "normal",
  "payload": {
    "summary": "$5"
  },
  "context_refs": [],
  "requires_response": false,
  "response_by": null,
  "ts": "$(v1_now)"
}
JSON
    mv "$box/$id.json.tmp" "$box/$id.json"
    v1_unlock "$2"
    # The audit line is written without any lock, in one write.
    tr -d '\n' <"$box/$id.json" 2>/dev/null | sed 's/: */:/g; s/, */,/g; s/{ */{/g; s/ *}/}/g; s/$/\n/' >>"$BUS/outbox/$(date -u +%F).jsonl"
    v1_thread "$thread" "$id" "$1" "$2" "$3" "$4"
    printf '%s\n' "$id"
}

v1_thread() { # THREAD ID FROM TO TYPE INTENT: a new thread file; entries of version 1 have no intent
    local file=$BUS/threads/$1.json
    [[ -e $file ]] || printf '{"id":"%s","subject":"%s","participants":["%s","%s"],"messages":[{"id":"%s","from":"%s","to":"%s","type":"%s","ts":"%s"}],"status":"open","opened":"%s","closed":null}\n' \
        "$1" "$6" "$3" "$4" "$2" "$3" "$4" "$5" "$(v1_now)" "$(v1_now)" >"$file"
}

v1_list() { # AGENT: the ids pending for it, the boxes of its sessions included
    find "$BUS/inboxes/$1" -maxdepth 2 -name 'msg-*.json' -not -path '*/.read/*' -not -path '*/.done/*' -type f -printf '%f\n' | sed 's/\.json$//' | sort
}

v1_read() { # AGENT ID [FOLDER]: print and archive
    local path=$BUS/inboxes/$1/$2.json folder=$BUS/inboxes/$1/${3:-.read}
    cat "$path" && mkdir -p "$folder" && mv "$path" "$folder/"
}
