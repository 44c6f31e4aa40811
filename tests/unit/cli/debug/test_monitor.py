"""Events of the build history as text."""

from buildctl import BuildHistoryEvent, BuildRecord, BuildResultInfo, Descriptor
from buildctl.cli.debug.monitor import event_lines, format_descriptor

LOGS = Descriptor("application/logs", "sha256:1", 5)
IMAGE = Descriptor("application/image", "sha256:2", 6)
PROOF = Descriptor("application/proof", "sha256:3", 7, {"b": "2", "a": "1"})


def test_a_build_that_begins() -> None:
    assert list(event_lines(BuildHistoryEvent(0, BuildRecord("r")))) == ["event: STARTED ref:r"]


def test_all_that_is_known() -> None:
    record = BuildRecord(
        "r",
        cached_steps=1,
        total_steps=4,
        warnings=2,
        logs=LOGS,
        trace=LOGS,
        result=BuildResultInfo({1: PROOF, 0: IMAGE}, (PROOF,), IMAGE),
        results={"linux/arm64": BuildResultInfo(result_deprecated=IMAGE)},
    )
    proof = (
        'media_type:"application/proof"  digest:"sha256:3"  size:7  '
        'annotations:{key:"a"  value:"1"}  annotations:{key:"b"  value:"2"}'
    )
    assert list(event_lines(BuildHistoryEvent(1, record))) == [
        "event: COMPLETE ref:r",
        "  cache: 1/4",
        "  warnings: 2",
        '  logs: media_type:"application/logs"  digest:"sha256:1"  size:5',
        '  trace: media_type:"application/logs"  digest:"sha256:1"  size:5',
        '  descriptor: media_type:"application/image"  digest:"sha256:2"  size:6',
        f"  descriptor: {proof}",
        f"  attestation: {proof}",
        '  [linux/arm64] descriptor: media_type:"application/image"  digest:"sha256:2"  size:6',
    ]


def test_what_nobody_knows() -> None:
    assert list(event_lines(BuildHistoryEvent(9))) == ["event: 9 ref:"]


def test_escapes_of_the_text_format() -> None:
    text = format_descriptor(Descriptor('"\\\n\r\t\x01\x7f\x9fé', "", 0))
    assert text == 'media_type:"\\"\\\\\\n\\r\\t\\x01\\x7f\\u009fé"'
