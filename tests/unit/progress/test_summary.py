"""The lines on where the time went."""

from __future__ import annotations

from buildctl._pb.control_pb2 import VertexLog as VertexLogMessage
from buildctl.client.convert.logs import SerializedLogs
from buildctl.model.status import VertexLog
from buildctl.model.transfer import Transfer
from buildctl.progress.clipping import Clippings
from buildctl.progress.summary import summary, worth_telling
from buildctl.progress.timings import take_timings
from buildctl.progress.trace import Trace
from tests.support import replay
from tests.support.statuses import counter, merged, vertex

BUILD = merged(
    vertex("load", 0, 0.5, name="[internal] load build definition from Dockerfile"),
    vertex("from", 1, 1, name="[build 1/3] FROM busybox", cached=True),
    vertex("make", 1, 9, name="[build 2/3] RUN make \x1b[2J\u202e all", inputs=("from",)),
    vertex("test", 9, 9.2, name="[build 3/3] RUN make test", inputs=("make",)),
    vertex("docs", 1, 4, name="[docs 1/1] RUN make docs", error="context canceled"),
    vertex("export", 9.25, 10, name="exporting to image"),
    vertex("never", name="[late 1/1] RUN late"),
)


def built() -> Trace:
    trace = Trace()
    trace.update(BUILD)
    trace.update(counter("export", "layer", 3_000_000))
    return trace


def test_all_of_it() -> None:
    transfer = Transfer("context", 50_000, 100, 50_100, 20, 20, 1_200_000, 0.0, 0.6)
    assert summary(take_timings(built()), [transfer]) == [
        "Where the time went: 10.0s, 7 steps, 1 cached, 1 canceled, 1 not run, 3.00MB transferred",
        r"    8.0s  80%  build 2/3 RUN make \x1b[2J\u202e all",
        "    3.0s  30%  docs 1/1 RUN make docs",
        "    0.7s   8%  exporting to image",
        "Critical path: 9.4s, 94% of the time: load build definition from 0.5s, build 2/3 RUN 8.0s, "
        "build 3/3 RUN 0.2s, exporting to image 0.7s",
        "Sent context: 50,000 files walked, 20 requested, 20 sent, 1.20MB in 0.6s (2.00MB/s)",
    ]


def test_the_transfers_of_one_folder_are_one_line() -> None:
    rules = Transfer("context", 50_000, 1, 1, 1, 1, 10, 0.0, 0.1)
    rest = Transfer("context", 50_000, 100, 50_100, 20, 20, 1_199_990, 0.1, 0.5)
    other = Transfer("dockerfile", 3, 1, 1, 1, 1, 200, 0.0, 0.1)
    assert summary(take_timings(built()), [rules, other, rest])[-2:] == [
        "Sent context: 50,000 files walked, 21 requested, 21 sent, 1.20MB in 0.6s (2.00MB/s)",
        "Sent dockerfile: 3 files walked, 1 requested, 1 sent, 200B in 0.1s (2.00kB/s)",
    ]


def test_nothing_is_told_of_what_took_no_time_or_sent_nothing() -> None:
    trace = Trace()
    trace.update(merged(vertex("a", 0, 2), vertex("b", 2, 2.01), vertex("c", 2.01, 2.02)))
    nothing = Transfer("context", 5, 1, 5, 0, 0, 0, 0.0, 0.1, bytes_moved=30)
    broken = Transfer("other", 5, 1, 5, 1, 0, 0, 0.0, 0.1, complete=False)
    lines = summary(take_timings(trace), [nothing, broken])
    assert [line.split()[0] for line in lines[1:]] == ["2.0s", "Critical", "Sent"]
    assert lines[-1].startswith("Sent other: ")
    assert "not complete" in lines[-1]


def test_sizes_are_those_that_the_daemon_counts() -> None:
    sent = Transfer("context", 5, 1, 5, 1, 1, 1000, 0.0, 0.0, bytes_moved=1300)
    line = summary(take_timings(built()), [sent, sent])[-1]
    assert line == "Sent context: 5 files walked, 2 requested, 2 sent, 2.60kB in 0.0s"


def test_after_a_failure_one_line() -> None:
    assert summary(take_timings(built()), brief=True) == summary(take_timings(built()))[:1]


def test_clipped_logs() -> None:
    clippings = Clippings()
    note = b"cut\n[output clipped, log limit %s reached]\n"
    said = [VertexLog("make", note % b"2MiB"), VertexLog("make", note % b"2MiB"), VertexLog("gone", b"x")]
    quoted = VertexLog("docs", b'echo "[output clipped, log limit 2MiB reached]\n')
    clippings.update([*said, quoted, VertexLog("test", note % b"200KiB/s")])
    messages = [VertexLogMessage(vertex="docs", stream=2, msg=data) for data in (note % b"2MiB", b"more")]
    clippings.update(SerializedLogs([message.SerializeToString() for message in messages]))
    assert summary(take_timings(built()), clipped=clippings)[-2:] == [
        "Logs of build 2/3 RUN, docs 1/1 RUN were clipped by the daemon at 2MiB: "
        "start it with BUILDKIT_STEP_LOG_MAX_SIZE=-1 for all of them",
        "Logs of build 3/3 RUN were clipped by the daemon at 200KiB/s: "
        "start it with BUILDKIT_STEP_LOG_MAX_SPEED=-1 for all of them",
    ]
    assert not Clippings()


def test_every_line_fits() -> None:
    for width in range(1, 60):
        assert all(len(line) <= width for line in summary(take_timings(built()), width=width))


def test_a_terminal_without_unicode() -> None:
    lines = summary(take_timings(built()), width=30, ascii_only=True)
    assert all(line.isascii() for line in lines)
    assert lines[0].endswith("...")


def test_the_largest_three_transfers() -> None:
    transfers = [Transfer(f"t{size}", 1, 1, 1, 1, 1, size, 0.0, 1.0) for size in (5, 30, 20, 10)]
    sent = [
        line.split(":")[0] for line in summary(take_timings(built()), transfers) if line.startswith("Sent")
    ]
    assert sent == ["Sent t30", "Sent t20", "Sent t10"]


def test_builds_of_which_there_is_nothing_to_tell() -> None:
    cached = Trace()
    cached.update(merged(vertex("a", 0, 8, cached=True), vertex("b", 8, 8.9)))
    assert not worth_telling(take_timings(cached))
    assert not worth_telling(take_timings(Trace()))
    assert worth_telling(take_timings(built()))


def test_the_recorded_build_with_cached_steps() -> None:
    trace = Trace()
    for _, status in replay.load("build-cached").statuses():
        trace.update(status)
    timings = take_timings(trace)
    assert summary(timings)[0].startswith("Where the time went: 0.0s, 7 steps, 4 cached, ")
    assert not worth_telling(timings)
