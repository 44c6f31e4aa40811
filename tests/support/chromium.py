"""Debian's Chromium without a window, driven through the DevTools protocol over a pair of pipes."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.debian import UnavailableError, dependencies, reaches_debian, unpacked

_SUITE = "bookworm"
_NEEDED = re.compile(r"lib|chromium|fonts-dejavu-core$|fontconfig-config$|zlib1g$|xkb-data$")
# The C library and what belongs to it are the machine's own. Drivers of graphics cards and perl are large.
_NOT_NEEDED = re.compile(
    r"libc6$|libcrypt1$|libgcc-s1$|libstdc\+\+6$|libperl|libllvm|libgl1-mesa|libz3|libsystemd-shared"
)


def chromium() -> Path:
    """The unpacked tree. Raises `UnavailableError` where Debian's archive cannot be reached."""
    if not reaches_debian():
        raise UnavailableError("Chromium comes from Debian, of which no mirror is known here")
    names = dependencies(_SUITE, ("chromium",))
    kept = tuple(name for name in names if _NEEDED.match(name) and not _NOT_NEEDED.match(name))
    return unpacked("chromium", {_SUITE: kept})


class Browser:
    """One page in a browser of its own, which resolves no name."""

    def __init__(self, *, width: int = 1200, height: int = 760, dark: bool = False) -> None:
        tree = chromium()
        libraries = [
            *tree.glob("lib/*-linux-*"),
            *tree.glob("usr/lib/*-linux-*"),
            *tree.glob("usr/lib/*/pulseaudio"),
        ]
        self._profile = tempfile.mkdtemp(prefix="chromium-")
        self.events: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        self._buffer = b""
        argv = [
            str(tree / "usr/lib/chromium/chromium"),
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--window-size={width},{height}",
            f"--user-data-dir={self._profile}",
            "--remote-debugging-pipe",
            "about:blank",
        ]
        # The protocol's descriptors are 3 and 4, by Chromium's definition; first out of each other's way.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_browser, from_browser)]
        environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries)), "HOME": self._profile}
        self._process = subprocess.Popen(
            argv,
            pass_fds=(3, 4),
            preexec_fn=lambda: [os.dup2(end, number) for number, end in enumerate(ends, 3)] and None,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (to_browser, from_browser, *ends):
            os.close(end)
        self._session = ""
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer; events that come meanwhile are kept in `events`."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, page: Path) -> None:
        """Load a file and wait until it is there."""
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def center(self, selector: str) -> tuple[float, float]:
        """Where the first element that the selector matches is."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y = self.evaluate(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({box})")
        return x, y

    def point(self, selector: str) -> None:
        """Move the mouse there."""
        x, y = self.center(selector)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector: str) -> None:
        """Click there with the mouse."""
        self.point(selector)
        x, y = self.center(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, file: Path) -> None:
        """The window as a PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def requests(self) -> list[str]:
        """The URLs that were asked for, and those that a policy refused."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[dict[str, Any]]:
        """Whatever went to the console, and exceptions that nobody caught."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [event for event in self.events if event.get("method") in kinds]

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while b"\0" not in self._buffer:
            assert time.monotonic() < deadline, "Chromium is silent"
            data = os.read(self._read, 1 << 20)
            assert data, f"Chromium has ended with {self._process.wait()}"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message
