"""docs/differences.md: every row is held by a test, which it names, or which is named here for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"tests/[\w/]+\.py|\btest_\w+\b(?!\.py)")

HELD_BY = {
    "`prune --keep-storage`, `--keep-storage-min`, `--free-storage`": (
        "test_a_size_with_a_unit_is_no_mistake_here"
    ),
    "`prune --keep-duration`": "tests/unit/cli/flags/test_duration.py",
    "a build that fails before its first step, such as for an unknown exporter": (
        "test_an_unknown_output_type"
    ),
    "where nobody says where the daemon is, and its default socket does not exist": (
        "tests/unit/transport/test_discovery.py"
    ),
    "`docker://`, `daemonless://`": "tests/daemon/test_addresses.py",
    "next step after an error": "test_missing_folders_and_files",
    "help pages": "tests/unit/cli/reference/test_generate.py",
    "the display on a terminal": "test_a_recorded_build_looks_as_it_did",
    "`--progress=auto` or `tty` with `TERM=dumb`": "tests/unit/progress/test_modes.py",
    "`BUILDKIT_TTY_LOG_LINES` below 6": "tests/unit/progress/test_terminal.py",
    "the second Ctrl-C": "test_the_second_leaves_at_once",
    "Ctrl-C while the daemon hangs": "test_cancelling_leaves_a_daemon_that_hangs_in_under_two_seconds",
    "`--output type=tar,dest=F`, `oci`, `docker`": "tests/unit/session/test_filesend.py",
    "a file in a `type=local` export": "test_a_file_arrives_whole_and_once",
    "folders in a `type=local` export": "tests/unit/fsutil/test_receive.py",
    "`type=local,mode=delete`": "test_delete_removes_what_was_not_sent",
    "a file of the context that cannot be opened": "test_a_file_that_cannot_be_opened",
    "a transfer that fails on this machine": "tests/daemon/test_faults.py",
    "a file of the context that grows, shrinks or vanishes while it is sent": "test_a_file_that_shrinks",
    "such files, with `--on-unreadable=skip` or `empty`": "tests/unit/fsutil/test_unreadable.py",
    "a folder entry that vanishes while the context is walked": "test_what_vanishes_is_left_out",
    "the session's shared key": "test_projects_that_take_turns_keep_their_contexts",
    "a file with other bytes, but the same size and time": "test_a_change_that_metadata_does_not_show",
    "hard links": "tests/unit/fsutil/test_walk.py",
    "`--wait`, while no daemon answers": "test_a_person_sees_what_is_waited_for_once",
    "traces, where no exporter is selected": "test_a_command_continues_the_caller_s_trace",
    "traces, where one is selected but `buildctl[otel]` is not installed, or its settings are wrong": (
        "test_a_missing_extra_is_said_and_does_no_harm"
    ),
    "`OTEL_TRACES_EXPORTER=jaeger`, `JAEGER_TRACE` and its like": "test_jaeger_is_told_to_take_otlp",
    "an exporter whose collector does not answer": "test_a_collector_that_is_not_there_is_nobody_s_concern",
    "folders named by `--import-cache type=local` and `--oci-layout` that do not exist": (
        "test_imports_that_are_not_there_are_passed_over"
    ),
    "folders of `--export-cache type=local` and of `type=oci,tar=false`": "tests/unit/client/test_stores.py",
    "caches and layouts that a build reads": "test_a_store_for_reading_refuses_to_change",
    "`index.json`": "test_no_writer_loses_another_s_entries",
    "two processes that write the same blob into a layout": (
        "test_processes_that_write_the_same_blobs_at_once"
    ),
    "a blob that arrives damaged": "test_wrong_content_never_becomes_a_blob_and_is_dropped",
    "`--format`": "test_nesting_has_a_limit",
    "`completion`": "tests/completion/test_shells.py",
    "a credential helper that fails or hangs": "test_a_helper_that_hangs_is_ended_and_named",
    "an entry of Docker's `config.json` that cannot be read": "test_a_bad_entry_does_not_spoil_the_others",
    "`--registry-auth-tlscontext` with a file that cannot be read": "tests/unit/session/auth/test_tokens.py",
    "a folder where `.token_seed` cannot be kept": "test_where_nothing_can_be_kept",
    "`--ssh` with private key files": "test_private_keys_have_an_agent_of_their_own",
    "a request to a forwarded SSH agent": "tests/unit/session/test_sshforward.py",
    "`dial-stdio` to a daemon whose queue of connections is full": (
        "test_a_full_socket_is_given_up_after_the_timeout"
    ),
    "`debug get` and `debug logs --trace`, when the daemon has less of a blob than it said": (
        "test_a_store_that_has_less_than_it_said"
    ),
    "`--debug-json-cache-metrics` to a file that cannot be written": "tests/unit/cli/test_recordings.py",
    "`--debug`, after an error": "test_debug_shows_where_an_error_comes_from",
    "`--profile-cpu` and its like": "test_profile_flags_are_taken_and_do_nothing",
    "a command's `--help` followed by other words": "test_help_of_a_command",
}
"""Rows, by what they are about, that do not name their test."""


def rows() -> dict[str, str]:
    """Each row of the table by its first cell."""
    lines = (ROOT / "docs" / "differences.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| ")][2:]
    found = {re.split(r"(?<!\\)\|", line)[1].strip(): line for line in table}
    assert len(found) == len(table)
    return found


@pytest.fixture(scope="module")
def tests() -> set[str]:
    """The names of all tests, and the paths of their modules."""
    names = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        names.add(str(path.relative_to(ROOT)))
        names.update(re.findall(r"def (test_\w+)", path.read_text()))
    return names


def test_every_row_is_held_by_a_test_that_exists(tests: set[str]) -> None:
    wrong = {}
    for what, line in rows().items():
        named = NAMED.findall(line) or [HELD_BY.get(what, "")]
        if missing := [name or "names no test" for name in named if name not in tests]:
            wrong[what] = missing
    assert wrong == {}


def test_no_row_is_held_that_is_not_there() -> None:
    assert {what for what in HELD_BY if what not in rows()} == set()
