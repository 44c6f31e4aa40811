"""Runs one command and says what it cost, from a process that is itself small.

Linux counts into a program's ru_maxrss the memory of the process that called exec, so a program started by a
large process looks large. This one imports almost nothing: started with `python -I -S`, it has about 9 MB,
less than anything that is measured here.

    echo '{"argv": ["/bin/true"], "env": {}, "cwd": "/", "stdout": "/dev/null", "limit": 60}' |
        python -I -S meter.py

A command that takes longer than `limit` seconds is killed. It prints a JSON object: `hung` (it was killed),
`status` (exit code, negative for a signal), `wall` and `cpu` in seconds (`cpu` is user and system time of the
command and of the children that it waited for), `peak` in bytes.
"""

import json
import os
import signal
import sys
import time


def main() -> None:
    order = json.load(sys.stdin)
    os.chdir(order["cwd"])
    argv: list[str] = order["argv"]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, order["stdout"], flags, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    began = time.monotonic()
    pid = os.posix_spawn(argv[0], argv, order["env"], file_actions=actions)
    killed = False

    def kill(number: int, frame: object) -> None:
        nonlocal killed
        killed = True
        os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.alarm(order["limit"])
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - began
    result = {
        "hung": killed,
        "status": os.waitstatus_to_exitcode(status),
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
