"""Things that are written in the background have one writer, whoever comes first."""

from __future__ import annotations

import sys
import threading

from buildctl.cli.background import Background


def test_two_threads_that_come_first_start_one_writer() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            writers: set[int] = set()
            background = Background[int](lambda items, seen=writers: seen.add(threading.get_ident()))  # type: ignore[misc]
            gate = threading.Barrier(4)

            def put(background: Background[int] = background, gate: threading.Barrier = gate) -> None:
                gate.wait()
                for number in range(5):
                    background.put(number, 1)

            threads = [threading.Thread(target=put) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            background.close(5)
            assert len(writers) == 1
    finally:
        sys.setswitchinterval(interval)
