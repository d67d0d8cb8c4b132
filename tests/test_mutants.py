"""No protection of the mail can be taken out unnoticed: without any one fsync, link or lock a test fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.mutants import Mutant, copy, mutants, passes

_SYNC = "tests/test_sync_order.py::test_nothing_is_forgotten"
_RECOVERY = "tests/test_sync_order.py::test_recovery_forgets_nothing"
_USERS = "tests/test_lock_users.py::test_whoever_changes_it_waits"
_GROUP = "tests/test_group.py::"
_SHARED = "tests/test_post_store_folder.py::test_what_is_said_to_be_kept_is_durable"
_COPIES = "tests/test_cc_delivery.py::"

# The protection that is taken out, by file, function and what is called, and the test that must then fail.
CAUGHT_BY = {
    "storage/files.py sync os.fsync": f"{_SYNC}[plain]",
    "storage/files.py sync_folder sync": f"{_SYNC}[plain]",
    "storage/files.py make_folder sync_folder": f"{_SYNC}[join]",
    "storage/files.py flush sync": f"{_SYNC}[plain]",
    "storage/files.py create sync": f"{_SYNC}[attachment]",
    "storage/files.py replace_all sync_folder": f"{_SYNC}[join]",
    "storage/files.py put_new os.link": f"{_GROUP}test_a_thread_made_under_its_guard_overwrites_none",
    "storage/files.py publish os.link": f"{_GROUP}test_two_that_open_one_thread",
    "storage/files.py move sync_folder": f"{_SYNC}[read]",
    "storage/files.py move sync_folder 2": f"{_SYNC}[read]",
    "storage/home.py make_map lock.guard": f"{_USERS}[guard-make_map]",
    "storage/home.py restore_map lock.guard": f"{_USERS}[guard-restore_map]",
    "storage/home.py change_map lock.guard": f"{_USERS}[guard-join]",
    "storage/journal.py Journal.__init__ lock.flock": f"{_USERS}[outbox-append]",
    "storage/journal.py Journal.__init__ files.sync_folder": f"{_SYNC}[plain]",
    "storage/journal.py Journal.append files.sync": f"{_SYNC}[plain]",
    "storage/journal.py Journal.undo files.sync": f"{_GROUP}test_a_line_taken_back_is_durable",
    "storage/journal.py sync files.sync": f"{_RECOVERY}[outbox line]",
    "storage/lock.py guard flock": f"{_USERS}[guard-send]",
    "storage/lock.py recipient guard": f"{_USERS}[guard-send]",
    "storage/lock.py recipient _claim": f"{_USERS}[helper-send]",
    "storage/quarantine.py set_aside lock.guard": f"{_USERS}[guard-set_aside]",
    "storage/shared.py make_folder files.sync_folder": _SHARED,
    "storage/shared.py publish files.sync": _SHARED,
    "storage/shared.py publish files.sync_folder": _SHARED,
    "storage/spool.py Entry.write settle": f"{_SYNC}[copied_to_hubs]",
    "storage/spool.py begin lock.flock": "tests/test_lock_users.py::test_a_spool_file_belongs_to_its_sender",
    "storage/spool.py settle files.flush": f"{_SYNC}[plain]",
    "storage/spool.py settle files.sync_folder": f"{_SYNC}[plain]",
    "storage/spool.py seize lock.try_flock": "tests/test_lock_users.py::test_a_spool_file_belongs_to_its_sender",
    "mail/attachments.py store files.sync_folder": f"{_SYNC}[attachment]",
    "mail/copies.py deliver lock.recipient": "tests/test_lock_users.py::test_a_copy_waits_for_its_hub",
    "mail/copies.py deliver files.sync_folder": f"{_SYNC}[copied_to_hubs]",
    "mail/copies.py roll_forward journal.sync": f"{_COPIES}test_a_copy_of_yesterday_s_message",
    "mail/delivery.py send spool.settle": f"{_SYNC}[plain]",
    "mail/delivery.py send lock.recipient": f"{_USERS}[guard-send]",
    "mail/delivery.py _enter files.sync_folder": f"{_SYNC}[plain]",
    "mail/delivery.py _archive_original inbox.claim": (
        "tests/test_lock_users.py::test_an_answer_waits_for_who_reads_its_original"
    ),
    "mail/delivery.py _recover journal.sync": f"{_RECOVERY}[outbox line]",
    "mail/doctor/letters.py repair_twice.archive inbox.claim": f"{_USERS}[guard-repair_twice]",
    "mail/doctor/locks.py _guard_is_free lock.try_flock": (
        "tests/test_lock_users.py::test_doctor_sees_a_guard_that_is_held"
    ),
    "mail/doctor/locks.py _pass_through lock.recipient": f"{_USERS}[guard-pass_through]",
    "mail/doctor/locks.py _empty lock.guard": (
        "tests/test_lock_users.py::test_a_forced_repair_makes_the_guard_with_its_mode"
    ),
    "mail/due.py Watch._read lock.flock": "tests/test_overdue_note.py::test_a_line_that_is_taken_back",
    "mail/halt.py begin lock.guard": "tests/test_halt_kept.py::test_one_at_a_time[begin]",
    "mail/halt.py end lock.guard": "tests/test_halt_kept.py::test_one_at_a_time[end]",
    "mail/halt.py end files.sync_folder": "tests/test_halt_kept.py::test_durable",
    "mail/inbox.py claim lock.guard": f"{_USERS}[guard-read]",
    "mail/overdue.py escalate lock.guard": "tests/test_escalation_once.py::test_one_at_a_time",
    "mail/threads.py add files.sync_folder": f"{_SYNC}[plain]",
    "mail/threads.py add lock.guard": f"{_USERS}[guard-enter]",
    "mail/threads.py add files.sync_folder 2": f"{_RECOVERY}[durable thread]",
    "mail/threads.py rebuild lock.guard": f"{_USERS}[guard-rebuild]",
    "mail/threads.py rebuild files.sync_folder": f"{_SYNC}[repair]",
}


def test_every_protection_has_its_test() -> None:
    """A new fsync, link or lock needs a test that fails without it, and one that is gone needs none."""
    assert sorted(mutant.name for mutant in mutants()) == sorted(CAUGHT_BY)


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: str(mutant.name))
def test_nothing_can_be_taken_out(mutant: Mutant, tmp_path: Path) -> None:
    """In a copy of the program without this call its test fails."""
    folder = copy(tmp_path / "copy")
    mutant.apply(folder)
    passed, said = passes(folder, CAUGHT_BY[mutant.name])
    assert not passed
    assert " error" not in said.splitlines()[-1], said


def test_a_copy_passes(tmp_path: Path) -> None:
    """In a copy where nothing was taken out these tests pass."""
    passed, said = passes(copy(tmp_path / "copy"), *sorted(set(CAUGHT_BY.values())))
    assert passed, said
