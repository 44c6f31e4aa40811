"""The picture: what it says, what it leaves out when there is no room, and that it always fits."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from buildctl.model.status import SolveStatus
from buildctl.progress.frame import Look, final_frame, frame
from buildctl.progress.line import Line, width_of
from buildctl.progress.row import format_elapsed
from buildctl.progress.survey import Survey, survey
from buildctl.progress.trace import Trace
from buildctl.progress.tree import grow
from tests.support.statuses import any_statuses, counter, log, vertex, warning

SECOND = 1_000_000_000
LOOK = Look(cell_len)
ASCII = Look(cell_len, glyphs=False, ascii_only=True)


def surveyed(*statuses: SolveStatus, ended: bool = False) -> Survey:
    trace = Trace()
    for status in statuses:
        trace.update(status)
    return survey(trace, grow(trace), ended=ended)


def texts(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in line) for line in lines]


def draw(*statuses: SolveStatus, at: float, width: int, height: int, look: Look = LOOK) -> list[str]:
    return texts(frame(surveyed(*statuses), round(at * SECOND), width, height, look))


def build(stages: int, steps: int, done: int, running: int = 1) -> list[SolveStatus]:
    """The first `done` stages are over, the next `running` are in their second step, the others wait."""
    statuses: list[SolveStatus] = []
    previous: tuple[str, ...] = ()
    for stage in range(stages):
        for step in range(1, steps + 1):
            digest = f"{stage}.{step}"
            started = 0.0 if stage < done or (stage < done + running and step <= 2) else None
            ended = 1.0 if stage < done or (started is not None and step < 2) else None
            name = f"[s{stage} {step}/{steps}] RUN {digest}"
            statuses.append(vertex(digest, started, ended, name=name, inputs=previous, cached=step == 1))
            previous = (digest,)
            if started is not None and ended is None:
                statuses.append(log(digest, b"".join(b"%d line\n" % line for line in range(100))))
    return statuses


def test_a_small_build_is_shown_whole() -> None:
    assert draw(*build(3, 2, 1), at=5, width=60, height=40) == [
        "[+] Building 5.0s (3/6) ━━━━━━━──────── 50%      s1 2/2 5.0s",
        "✔ s0  2/2 steps, 1 cached                               1.0s",
        "│ ✔ 1/2 RUN 0.1                                       cached",
        "│ ✔ 2/2 RUN 0.2                                         1.0s",
        "▾ s1  1/2 steps, 1 cached                               5.0s",
        "│ ✔ 1/2 RUN 1.1                                       cached",
        "│ ⠋ 2/2 RUN 1.2                                         5.0s",
        *(f"│   ┊ {line} line" for line in range(71, 100)),
        "◦ s2  0/2 steps",
        "│ ◦ 1/2 RUN 2.1",
        "│ ◦ 2/2 RUN 2.2",
    ]


@pytest.mark.parametrize(
    ("width", "head"),
    [
        (90, "[+] Building 9.0s (1/4) ━━━━━━━━────────────── 38%  1 failed  2 warnings  load build… 9.0s"),
        (80, "[+] Building 9.0s (1/4) ━━━━━────────── 38%  1 failed  2 warnings  load bu… 9.0s"),
        (60, "[+] Building 9.0s (1/4)  1 failed  2 warnings  load bu… 9.0s"),
        (50, "[+] Building 9.0s (1/4)  1 failed  2 warnings"),
        (30, "[+] Building 9.0s (1/4)  1 fa…"),
        (20, "[+] 9.0s (1/4)  1 f…"),
    ],
)
def test_the_head_row_names_the_longest_running_step_before_it_draws_a_long_bar(
    width: int, head: str
) -> None:
    told = [
        vertex("a", 0, name="load build context of the whole project"),
        vertex("b", 5, name="[b 1/1] RUN b"),
        vertex("c", 0, 1, name="[c 1/1] RUN c", error="exit code: 1"),
        vertex("d", name="[d 1/1] RUN d"),
        counter("a", "transfer", 50, 100, started=0),
        warning("b", b"careful"),
        warning("b", b"very"),
    ]
    assert draw(*told, at=9, width=width, height=20)[0] == head


def test_a_transfer_without_a_total_has_a_rate() -> None:
    context = [
        vertex("a", 0, name="load build context"),
        counter("a", "transferring context:", 60_000_000, started=0, at=4),
    ]
    (_, row, *_) = draw(*context, at=5, width=80, height=20)
    assert row == "⠋ load build context" + "15.00MB/s  60.00MB  5.0s".rjust(60)


HEAD = "[+] Building 5.0s (9/16) ━━━━━━━━─────── 56%     s2 2/4 5.0s"
S0 = "✔ s0  4/4 steps, 1 cached                               1.0s"
S1 = "✔ s1  4/4 steps, 1 cached                               1.0s"
S2 = "▾ s2  1/4 steps, 1 cached                               5.0s"
CACHED = "│ ✔ 1/4 RUN 2.1                                       cached"
MERGED = "✔ 2 stages, 8 steps, 2 cached"
RUNNING = "│ ⠋ 2/4 RUN 2.2                                         5.0s"


def rows_of_log(first: int, indent: str = "│   ") -> list[str]:
    return [f"{indent}┊ {line} line" for line in range(first, 100)]


@pytest.mark.parametrize(
    ("height", "rows"),
    [
        # Finished stages fold, then stages that wait,
        (
            16,
            [
                HEAD,
                S0,
                S1,
                S2,
                CACHED,
                RUNNING,
                *rows_of_log(94),
                "│ ◦ 3/4 RUN 2.3",
                "│ ◦ 4/4 RUN 2.4",
                "◦ s3  0/4 steps",
            ],
        ),
        # then what waits in a stage that runs,
        (
            12,
            [HEAD, S0, S1, S2, CACHED, RUNNING, *rows_of_log(97), "│ … 2 more queued", "◦ s3  0/4 steps"],
        ),
        (9, [HEAD, S0, S1, S2, RUNNING, *rows_of_log(98), "◦ s3  0/4 steps"]),
        # then all finished stages are one row,
        (
            7,
            [HEAD, MERGED, S2, RUNNING, *rows_of_log(99), "◦ 1 stage, 4 steps queued"],
        ),
        # and in the end only what runs is left.
        (
            5,
            [HEAD, "⠋ s2 2/4 RUN 2.2                                        5.0s", *rows_of_log(98, "  ")],
        ),
        (3, [HEAD, "⠋ s2 2/4 RUN 2.2                                        5.0s"]),
        (2, [HEAD]),
        (1, []),
    ],
)
def test_a_tall_tree_folds(height: int, rows: list[str]) -> None:
    assert draw(*build(4, 4, 2), at=5, width=60, height=height) == rows


def test_many_running_steps_share_the_rows() -> None:
    shown = draw(*build(40, 8, 15, 6), at=5, width=60, height=24)
    assert shown[1] == "✔ 15 stages, 120 steps, 15 cached"
    assert shown[-1] == "◦ 19 stages, 152 steps queued"
    assert len([row for row in shown if "RUN" in row]) == 6
    assert len([row for row in shown if "line" in row]) == 8
    assert len(shown) == 23


def test_more_running_steps_than_rows_in_ascii() -> None:
    assert draw(*build(40, 8, 15, 6), at=5, width=60, height=6, look=ASCII) == [
        "[+] Building 5.0s (126/320) #####--------- 39%  s20 2/8 5.0s",
        "- s15 2/8 RUN 15.2                                      5.0s",
        "- s16 2/8 RUN 16.2                                      5.0s",
        "- s17 2/8 RUN 17.2                                      5.0s",
        "~ 3 more running",
    ]


def test_spare_rows_go_to_the_step_that_prints_most() -> None:
    statuses = [vertex(digest, 0, name=f"[{digest} 1/1] RUN") for digest in "ab"]
    few = log("a", b"".join(b"a%d\n" % line for line in range(20)))
    many = log("b", b"".join(b"b%d\n" % line for line in range(50)))
    shown = draw(*statuses, few, many, at=0, width=60, height=30)
    assert sum("┊ a" in row for row in shown) == 6
    assert sum("┊ b" in row for row in shown) == 20


def test_counters() -> None:
    statuses = [
        vertex("pull", 0, name="[base 1/1] FROM x"),
        counter("pull", "sha256:" + "0123456789abcdef" * 4, 5_000_000, 20_000_000, at=2),
        counter("pull", "extracting", 3, 0, at=2, completed=2),
        counter("pull", "resolve x:", at=2, completed=1),
        vertex("context", 0, name="load context"),
        counter("context", "transferring:", 1_500, at=1),
    ]
    assert draw(*statuses, at=2, width=100, height=10)[1:] == [
        "⠋ base 1/1 FROM x" + " " * 79 + "2.0s",
        "  sha256:0123456789ab               "
        "━━━━────────────  25%    5.00MB / 20.00MB   2.50MB/s   6.0s left",
        "  extracting" + " " * 63 + "3B" + " " * 23,
        "  resolve x" + " " * 85 + "1.0s",
        "⠋ load context" + " " * 64 + "1.50kB/s  1.50kB  2.0s",
    ]
    narrow = draw(*statuses, at=2, width=39, height=10)[1:]
    assert narrow[1] == "  sha256:0123456789ab               25%"


def test_errors_and_warnings_are_counted_and_seen() -> None:
    statuses = [
        vertex("a", 0, 1, name="[a 1/2] RUN", error='process "sh" did not ' + "x" * 60 + " exit code: 42"),
        vertex("b", name="[a 2/2] RUN"),
        vertex("c", 0, 1, name="[c 1/1] RUN", error="failed: context canceled"),
        warning("c", b"Casing: wrong"),
        log("a", b"what went wrong\n"),
    ]
    assert draw(*statuses, at=2, width=70, height=20) == [
        "[+] Building 2.0s (2/3) ━━━━━━━━━━━────── 67%  1 failed  1 warning",
        "✘ a  1/2 steps" + " " * 52 + "1.0s",
        "│ ✘ 1/2 RUN" + " " * 55 + "1.0s",
        '│   process "sh" did not x…' + "x" * 29 + " exit code: 42",
        "│   ┊ what went wrong",
        "│ ◦ 2/2 RUN",
        "⊘ c 1/1 RUN" + " " * 45 + "canceled  1.0s",
        "  WARN: Casing: wrong",
    ]
    assert draw(*statuses, at=2, width=70, height=4)[1:] == [
        "✘ a 1/2 RUN" + " " * 55 + "1.0s",
        "  ┊ what went wrong",
    ]


def test_the_last_frame_is_the_whole_tree() -> None:
    shown = texts(final_frame(surveyed(*build(4, 3, 2), ended=True), 5 * SECOND, 40, LOOK))
    assert shown == [
        "[+] Building 5.0s (7/12) CANCELED",
        "✔ s0  3/3 steps, 1 cached           1.0s",
        "│ ✔ 1/3 RUN 0.1                   cached",
        "│ ✔ 2/3 RUN 0.2                     1.0s",
        "│ ✔ 3/3 RUN 0.3                     1.0s",
        "✔ s1  3/3 steps, 1 cached           1.0s",
        "│ ✔ 1/3 RUN 1.1                   cached",
        "│ ✔ 2/3 RUN 1.2                     1.0s",
        "│ ✔ 3/3 RUN 1.3                     1.0s",
        "▾ s2  2/3 steps, 1 cached           5.0s",
        "│ ✔ 1/3 RUN 2.1                   cached",
        "│ ⊘ 2/3 RUN 2.2           canceled  5.0s",
        "│ ◦ 3/3 RUN 2.3",
        "◦ s3  not run",
    ]


def test_an_enormous_tree_is_folded_even_at_the_end() -> None:
    shown = final_frame(surveyed(*build(120, 10, 120, 0), ended=True), 5 * SECOND, 80, LOOK)
    assert len(shown) == 121


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0s"), (-5, "0.0s"), (0.96, "0.9s"), (99.99, "99.9s"), (100, "1m40s"), (3600 + 125, "1h02m")],
)
def test_elapsed(seconds: float, text: str) -> None:
    assert format_elapsed(round(seconds * SECOND)) == text


def check(lines: list[Line], width: int) -> None:
    for line in lines:
        assert width_of(line, cell_len) <= width
        assert all(span.text.isprintable() for span in line)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # the streams are large
@given(any_statuses, st.integers(1, 500), st.integers(1, 200), st.integers(-(2**63), 2**63), st.booleans())
def test_any_build_fits_any_window(
    statuses: list[SolveStatus], width: int, height: int, now_ns: int, plain: bool
) -> None:
    look = ASCII if plain else LOOK
    trace = Trace()
    for status in statuses:
        trace.update(status)
    tree = grow(trace, ascii_only=plain)
    lines = frame(survey(trace, tree), now_ns, width, height, look)
    assert len(lines) <= height - 1
    check(lines, width)
    check(final_frame(survey(trace, tree, ended=True), now_ns, width, look), width)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 15), st.integers(1, 6), st.data())
def test_any_number_of_stages_fits(
    width: int, height: int, stages: int, steps: int, data: st.DataObject
) -> None:
    done = data.draw(st.integers(0, stages))
    running = data.draw(st.integers(0, stages - done))
    lines = frame(surveyed(*build(stages, steps, done, running)), SECOND, width, height, LOOK)
    assert len(lines) <= height - 1
    check(lines, width)
    shown = sum(any("⠋" in span.text for span in line) for line in lines)
    under_way = running if steps > 1 else 0
    if width > 30:  # running steps are last to go
        assert shown == under_way or shown >= min(under_way, height - 3)


@pytest.mark.parametrize("size", [100, 700, 5_000, 40_000])
@pytest.mark.parametrize("pieces", [1, 7])
def test_long_lines_of_a_log_show_where_they_begin_or_end(size: int, pieces: int) -> None:
    """Of a finished line its beginning, or its end marked where that is too far back to look for."""
    text = ("BEGINS " + "é" * (size // 2) + " ENDS\n").encode() * 3
    step = -(-len(text) // pieces)
    parts = [text[at : at + step] for at in range(0, len(text), step)]
    lines = draw(
        vertex("a", 0),
        *(log("a", part) for part in parts),
        at=1,
        width=40,
        height=12,
    )
    rows = [line for line in lines if "┊" in line]
    assert rows
    for row in rows:
        assert "┊ BEGINS ééé" in row or ("┊ …" in row and row.endswith("ENDS"))
    if size < 5_000:
        assert len(rows) == 3
        assert all("BEGINS" in row for row in rows)
