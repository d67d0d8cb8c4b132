"""Every breakage of a home, with what doctor must say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, NamedTuple

from support.breakages import history, locks, mail, maps, place


class Breakage(NamedTuple):
    """What breaks a home, and what doctor must say of it."""

    breaks: Callable[[Path], str]
    code: str
    severity: str
    mends: bool
    also: frozenset[str] = frozenset()  # codes of what else is then wrong


BREAKAGES = [
    Breakage(place.modes_opened, "wrong-mode", "warning", True),
    Breakage(place.home_writable_by_others, "home-refused", "error", True, frozenset(("wrong-mode",))),
    Breakage(place.folder_gone, "folder-missing", "note", True),
    Breakage(place.folder_is_file, "not-a-folder", "error", False),
    Breakage(place.box_is_file, "not-a-folder", "error", False),
    Breakage(place.temporary_left, "temporary-left", "note", True),
    Breakage(place.foreign_name, "foreign-name", "note", False),
    Breakage(place.old_foreign_temporary, "foreign-name", "note", False),
    Breakage(place.name_no_utf8, "foreign-name", "note", False),
    Breakage(maps.map_gone, "map-missing", "error", True),
    Breakage(maps.map_broken, "map-invalid", "error", False),
    Breakage(maps.map_invalid, "map-invalid", "error", False),
    Breakage(maps.map_a_folder, "map-invalid", "error", False),
    Breakage(maps.map_key_unknown, "map-unknown-key", "warning", False),
    Breakage(maps.map_key_unknown_inside, "map-unknown-key", "warning", False),
    Breakage(maps.rule_relative, "rule-relative", "warning", False),
    Breakage(maps.rule_to_nowhere, "rule-without-folder", "warning", False),
    Breakage(maps.glob_to_nowhere, "rule-without-folder", "warning", False),
    Breakage(maps.rules_at_odds, "rules-at-odds", "warning", False),
    Breakage(maps.rule_above_home, "home-in-workspace", "note", False),
    Breakage(maps.names_nobody, "map-unknown-agent", "warning", False),
    Breakage(maps.domain_unknown, "map-unknown-domain", "warning", False),
    Breakage(maps.persona_gone, "bad-persona", "warning", False),
    Breakage(maps.persona_outside, "bad-persona", "warning", False),
    Breakage(maps.persona_large, "bad-persona", "warning", False),
    Breakage(mail.inbox_gone, "inbox-missing", "note", True),
    Breakage(mail.agent_renamed, "mail-stranded", "warning", False, frozenset(("home-in-workspace",))),
    Breakage(mail.card_broken, "bad-card", "warning", True),
    Breakage(mail.sender_killed_before_the_line, "spool-left", "warning", True),
    Breakage(mail.sender_killed_after_the_line, "spool-left", "warning", True, frozenset(("lock-dead",))),
    Breakage(mail.blob_left, "spool-left", "note", True),
    Breakage(mail.pending_no_message, "bad-message", "error", False),
    Breakage(mail.pending_cut_off, "bad-message", "error", False),
    Breakage(mail.pending_a_folder, "bad-message", "error", False),
    Breakage(mail.archived_a_fifo, "bad-archived", "error", False),
    Breakage(mail.set_aside, "quarantined", "warning", False),
    Breakage(mail.read_and_pending, "delivered-twice", "warning", True),
    Breakage(mail.task_change_waits, "task-change", "warning", False),
    Breakage(mail.task_change_broken, "task-change", "warning", False),
    Breakage(mail.task_change_foreign, "task-change", "warning", False),
    Breakage(history.outbox_a_fifo, "bad-outbox", "error", False),
    Breakage(history.outbox_line_bad, "bad-outbox-line", "warning", False),
    Breakage(history.outbox_line_gone, "not-in-outbox", "warning", False),
    Breakage(history.message_deleted, "in-no-inbox", "warning", False),
    Breakage(history.thread_deleted, "thread-lacks-message", "warning", True),
    Breakage(history.thread_entry_gone, "thread-lacks-message", "warning", True),
    Breakage(history.thread_entry_twice, "thread-doubles-message", "warning", True),
    Breakage(history.thread_broken, "bad-thread", "error", True),
    Breakage(history.thread_a_folder, "bad-thread", "error", True),
    Breakage(history.blob_gone, "blob-missing", "error", False),
    Breakage(history.blob_changed, "blob-damaged", "error", False),
    Breakage(history.blob_unused, "blob-unused", "note", False),
    Breakage(place.clock_set_back, "clock-behind", "warning", False),
    Breakage(locks.lock_of_the_dead, "lock-dead", "warning", True),
    Breakage(locks.lock_of_a_reused_pid, "lock-dead", "warning", True),
    Breakage(locks.lock_empty, "lock-empty", "warning", True),
    Breakage(locks.lock_of_another_host, "lock-foreign", "warning", True),
    Breakage(locks.lock_of_something, "lock-foreign", "warning", True),
    Breakage(locks.lock_a_file, "lock-blocked", "error", True),
    Breakage(locks.guard_a_folder, "guard-blocked", "error", True),
]
