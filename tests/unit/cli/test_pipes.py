"""Files that the command line names may be pipes; one that says nothing is left by Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.program import COMMAND, start

NOBODY = ("--addr", "tcp://127.0.0.1:1")
ENGINE = ("--addr", "docker://127.0.0.1:1")


@pytest.mark.parametrize(
    ("arguments", "is_open"),
    [
        ((*NOBODY, "--tlscacert", "pipe", "du"), False),
        ((*ENGINE, "--tlscacert", "pipe", "du"), True),
        (("replay", "pipe"), False),
        (("replay", "pipe"), True),
        (("debug", "dump-llb", "pipe"), True),
        ((*NOBODY, "build", "--ssh", "default=pipe", "--frontend", "x"), False),
    ],
)
def test_a_pipe_that_says_nothing_is_left_by_ctrl_c(
    tmp_path: Path, arguments: tuple[str, ...], is_open: bool
) -> None:
    os.mkfifo(tmp_path / "pipe")
    kept = os.open(tmp_path / "pipe", os.O_RDWR) if is_open else -1
    process = start(*arguments, cwd=tmp_path)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.8)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=5)
    finally:
        process.kill()
        process.communicate()
        if is_open:
            os.close(kept)
    assert process.returncode == 1
    assert said.decode().endswith("context canceled\n")
    assert b"Traceback" not in said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("debug dump-llb <(printf '\\x0a\\xff')", "unexpected EOF"),
        ("debug dump-llb /dev/stdin < <(printf '\\x0a\\xff')", "unexpected EOF"),
        ("debug dump-llb /dev/zero", "it has more than 67108864 bytes"),
        ("build --frontend x --source-policy-file <(echo '[]')", "cannot unmarshal array"),
        ("build --frontend x --source-policy-file /dev/zero", "it has more than 16777216 bytes"),
        ("build --frontend x --ssh default=<(echo nothing)", "ssh: no key found"),
        ("build --frontend x --ssh default=/dev/zero", "it has more than 102400 bytes"),
        ("build < /dev/zero", "please specify --frontend or pipe LLB"),
        ("build < <(cat /dev/zero)", "it has more than 67108864 bytes"),
        ("--tlscacert <(echo nothing) --addr tcp://127.0.0.1:1 du", "it holds no PEM certificate"),
        ("--tlscacert /dev/zero --addr tcp://127.0.0.1:1 du", "it has more than 16777216 bytes"),
    ],
)
def test_pipes_and_devices_that_are_named(tmp_path: Path, command: str, said: str) -> None:
    """As a shell makes them."""
    program = " ".join(map(str, COMMAND))
    ran = subprocess.run(
        ["bash", "-c", f"ulimit -v 2000000; {program} {command}"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ran.returncode == 1
    assert said in ran.stderr
