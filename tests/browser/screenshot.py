"""Draw docs/timeline.png from a recorded build: `python -m tests.browser.screenshot`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from buildctl.progress.timeline import encode_timeline
from buildctl.progress.timings import take_timings
from buildctl.progress.trace import Trace
from tests.support import replay
from tests.support.chromium import Browser

TARGET = Path(__file__).parents[2] / "docs" / "timeline.png"


def main() -> None:
    trace = Trace()
    for _, status in replay.load("build-parallel").statuses():
        trace.update(status)
    with tempfile.TemporaryDirectory() as folder, Browser(width=1100, height=800) as browser:
        file = Path(folder, "timeline.html")
        file.write_bytes(encode_timeline(take_timings(trace)))
        browser.open(file)
        browser.click('[data-step="5"] .bar')
        browser.screenshot(TARGET)


if __name__ == "__main__":
    main()
