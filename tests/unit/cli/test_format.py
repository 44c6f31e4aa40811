"""`--format` through the whole program, against recorded daemons; and the history's types."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buildctl.cli.du import format_instant
from buildctl.cli.environment import Environment
from buildctl.cli.format import parse_format
from buildctl.cli.gohistory import build_history_event
from buildctl.cli.main import main
from buildctl.errors import ErrorDetail, UsageError
from buildctl.model.history import (
    BuildError,
    BuildHistoryEvent,
    BuildRecord,
    BuildResultInfo,
    Descriptor,
)
from tests.support.replay_server import ReplayServer, replay_server
from tests.support.template_table import TemplateCase, read_table

CASES = list(read_table(Path(__file__).with_name("format_cases.txt")))


def run(folder: Path, case: str, *arguments: str) -> tuple[int, str, str, ReplayServer]:
    """Exit status, standard output and error, and the daemon that was asked."""
    out, err = folder / "out", folder / "err"
    with (
        replay_server(case, folder / "s", speed=0) as server,
        out.open("wb") as stdout,
        err.open("wb") as stderr,
    ):
        environment = Environment({}, stdout=stdout.fileno(), stderr=stderr.fileno())
        status = main(["--addr", f"unix://{folder / 's'}", *arguments], environment)
    return status, out.read_text(), err.read_text(), server


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.place)
def test_commands_print_what_go_would(case: TemplateCase, tmp_path: Path) -> None:
    recording, *command = case.subject.split()
    status, output, error, _ = run(tmp_path, recording, *command, "--format", case.template)
    assert output == case.output
    assert error == (f"error: {case.error}\n" if case.error else "")
    assert status == bool(case.error)


def test_the_table_has_three_dozen_templates() -> None:
    assert len(CASES) >= 36


@pytest.mark.parametrize(
    ("case", "command", "asked"),
    [
        ("du", ("du",), 1),  # the reference looks at the template when it has the records
        ("workers", ("debug", "workers"), 1),
        ("info", ("debug", "info"), 1),
        ("prune-all", ("prune", "--all"), 0),
        ("prune-histories", ("prune-histories",), 0),
    ],
)
def test_a_bad_template_removes_nothing(
    case: str, command: tuple[str, ...], asked: int, tmp_path: Path
) -> None:
    status, output, error, server = run(tmp_path, case, *command, "--format", "{{")
    assert (status, output, error) == (1, "", "error: template: :1: unclosed action\n")
    assert len(server.received) == asked


def test_an_empty_format_is_none_and_a_format_hides_verbose(tmp_path: Path) -> None:
    assert parse_format("") is None
    assert run(tmp_path, "du", "du", "--format", "")[1] == run(tmp_path, "du", "du")[1]
    assert run(tmp_path, "du", "du", "-v", "--format", "{{len .}}")[1] == "33\n"


def test_prune_prints_a_line_a_record_and_no_total(tmp_path: Path) -> None:
    status, output, _, _ = run(tmp_path, "prune-filter", "prune", "--format", "{{.ID}}")
    assert status == 0
    assert "Total" not in output
    assert output.splitlines() == [line for line in output.splitlines() if len(line) == 25]


def test_pruned_histories_are_printed_through_the_template(tmp_path: Path) -> None:
    _, table, _, _ = run(tmp_path, "prune-histories", "prune-histories")
    template = "{{.Type}} {{.Record.Ref}} {{.Record.Generation}}"
    _, output, _, _ = run(tmp_path, "prune-histories", "prune-histories", "--format", template)
    rows = [line.split() for line in table.splitlines()[1:]]
    assert rows
    assert [line.split() for line in output.splitlines()] == [[row[0], row[1], row[4]] for row in rows]


BLOB = Descriptor("application/vnd.x", "sha256:aa", 7, {"k": "v"})
EVENT = BuildHistoryEvent(
    1,
    BuildRecord(
        ref="r",
        frontend_attrs={"b": "2", "a": "1"},
        error=BuildError(2, "no", (ErrorDetail("t", {}, "url", b"\x00\xff"),)),
        created_at_ns=1795353012_714401655,
        logs=BLOB,
        result=BuildResultInfo(results={10: BLOB, 2: BLOB}, attestations=(BLOB,)),
        generation=3,
        pinned=True,
    ),
)


def formatted(template: str, event: BuildHistoryEvent = EVENT) -> str:
    parsed = parse_format(template)
    assert parsed is not None
    return "".join(parsed.execute(build_history_event(event)))


@pytest.mark.parametrize(
    ("template", "output"),
    [
        ("{{.Type}} {{.GetType}} {{printf `%d %T` .Type .Type}}", "COMPLETE COMPLETE 1 %s"),
        ("{{.Record.Ref}} {{.GetRecord.GetRef}} {{.Record.GetPinned}}", "r r true"),
        ("{{.Record.CreatedAt.AsTime}}", "2026-11-22 13:10:12.714401655 +0000 UTC"),
        ("{{.Record.CreatedAt.Seconds}} {{.Record.CreatedAt.GetNanos}}", "1795353012 714401655"),
        ("{{.Record.CreatedAt}}", "seconds:1795353012  nanos:714401655"),
        ("{{.Record.CompletedAt}} {{.Record.CompletedAt.AsTime.Unix}}", "<nil> 0"),
        ("{{.Record.GetTrace.GetDigest}}{{.Record.Trace.GetSize}}", "0"),
        ("{{with .Record.Trace}}x{{else}}none{{end}}", "none"),
        ("{{.Record.Error.Code}} {{.Record.Error.Message}}", "2 no"),
        ("{{.Record.Error}}", 'code:2  message:"no"  details:{type_url:"url"  value:"\\x00\\xff"}'),
        (
            "{{.Record.Logs}}",
            'media_type:"application/vnd.x"  digest:"sha256:aa"  size:7  annotations:{key:"k"  value:"v"}',
        ),
        (
            "{{range $i, $d := .Record.Result.Results}}{{$i}}={{$d.Digest}} {{end}}",
            "2=sha256:aa 10=sha256:aa ",
        ),
        ("{{range $k, $v := .Record.FrontendAttrs}}{{$k}}{{$v}}{{end}}", "a1b2"),
        ("{{printf `%T` .}}", "*moby_buildkit_v1.BuildHistoryEvent"),
        ("{{len .Record.Exporters}}{{json .Record.Exporters}}", "0null"),
    ],
)
def test_a_history_event_has_the_generated_fields_and_getters(template: str, output: str) -> None:
    assert formatted(template) == output.replace("%s", "moby_buildkit_v1.BuildHistoryEventType")


def test_a_history_event_s_json_leaves_zeros_out() -> None:
    blob = {
        "media_type": "application/vnd.x",
        "digest": "sha256:aa",
        "size": 7,
        "annotations": {"k": "v"},
    }
    assert json.loads(formatted("json")) == {
        "type": 1,
        "record": {
            "Ref": "r",
            "FrontendAttrs": {"a": "1", "b": "2"},
            "error": {"code": 2, "message": "no", "details": [{"type_url": "url", "value": "AP8="}]},
            "CreatedAt": {"seconds": 1795353012, "nanos": 714401655},
            "logs": blob,
            "Result": {"Attestations": [blob], "Results": {"10": blob, "2": blob}},
            "Generation": 3,
            "pinned": True,
        },
    }
    assert formatted("json", BuildHistoryEvent(0)) == "{}"
    assert formatted("{{.Type}} {{.Record.Ref}}", BuildHistoryEvent(0, BuildRecord("x"))) == "STARTED x"


def test_a_history_event_without_a_record_says_so() -> None:
    with pytest.raises(UsageError, match=r"nil pointer evaluating \*moby_buildkit_v1.BuildHistoryRecord.Ref"):
        formatted("{{.Record.Ref}}", BuildHistoryEvent(9))
    assert formatted("{{.Type}}{{.Record.GetRef}}", BuildHistoryEvent(9)) == "9"


@pytest.mark.parametrize(
    ("instant_ns", "text"),
    [
        (None, "1970-01-01 00:00:00 +0000 UTC"),
        (1795353012_714401650, "2026-11-22 13:10:12.71440165 +0000 UTC"),
        (-62135596800_000000000, "0001-01-01 00:00:00 +0000 UTC"),
        (2**63 * 10**9, "292277026596-12-04 15:30:08 +0000 UTC"),
    ],
)
def test_du_shows_any_instant_that_a_daemon_may_send(instant_ns: int | None, text: str) -> None:
    assert format_instant(instant_ns) == text
