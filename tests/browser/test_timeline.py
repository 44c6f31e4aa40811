"""The timeline page in Debian's Chromium: chart, arrows, logs, search, colours; no network, no complaint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from buildctl.model.status import SolveStatus
from buildctl.progress.timeline import encode_timeline
from buildctl.progress.timings import take_timings
from buildctl.progress.trace import Trace
from tests.support import replay
from tests.support.chromium import Browser, chromium
from tests.support.debian import UnavailableError
from tests.support.statuses import log, merged, vertex

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", autouse=True)
def _unpacked() -> None:
    try:
        chromium()
    except UnavailableError as missing:
        pytest.skip(str(missing))


Page = Callable[..., Path]


@pytest.fixture
def page(tmp_path: Path) -> Page:
    def write(*statuses: SolveStatus) -> Path:
        trace = Trace()
        for status in statuses:
            trace.update(status)
        file = tmp_path / "timeline.html"
        file.write_bytes(encode_timeline(take_timings(trace)))
        return file

    return write


def recorded(name: str) -> list[SolveStatus]:
    return [status for _, status in replay.load(name).statuses()]


def test_a_recorded_build(page: Page, tmp_path: Path) -> None:
    file = page(*recorded("build-parallel"))
    with Browser() as browser:
        browser.open(file)
        assert browser.evaluate("document.querySelectorAll('.row').length") == 11
        assert browser.evaluate(
            "[...document.querySelectorAll('.stage .label')].map(e => e.textContent)"
        ) == [*("internal", "base", "one", "two", "three", "stage-4")]
        widths = browser.evaluate("[...document.querySelectorAll('.row .bar')].map(e => e.offsetWidth)")
        assert len(widths) >= 11
        assert min(widths) >= 2
        assert max(widths) > 500
        assert browser.evaluate("document.querySelector('#panel').hidden")
        one = browser.evaluate("build.steps.findIndex(step => step.stage === 'one')")
        bar = f'[data-step="{one}"] .bar'

        browser.point(bar)
        links = "build.steps.filter((s, i) => s.inputs.includes({0})).length + build.steps[{0}].inputs.length"
        arrows = "document.querySelectorAll('#arrows > path').length"
        assert browser.evaluate(arrows) == browser.evaluate(links.format(one)) == 2

        browser.click(bar)
        assert not browser.evaluate("document.querySelector('#panel').hidden")
        printed = browser.evaluate("document.querySelector('#log').textContent")
        assert printed.splitlines() == [f"one {number}" for number in range(1, 7)]
        browser.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")

        for text, stages in (("TWO 4", ["two"]), ("Echo One", ["one"]), ("nowhere", [])):
            search = "element('search')"
            browser.evaluate(f"{search}.value = {text!r}; {search}.dispatchEvent(new Event('input'))")
            shown = "build.steps.filter((step, index) => !rows[index].hidden).map(step => step.stage)"
            assert browser.evaluate(shown) == stages
        assert browser.complaints() == []
        assert browser.requests() == [file.as_uri()]


def test_hostile_names_and_logs_are_text(page: Page) -> None:
    attack = "</script><script>window.owned=1</script><img src=http://evil.example/x onerror=owned=1>"
    build = merged(
        vertex("a", 0, 1, name=f"[{attack} 1/1] RUN {attack}"),
        vertex("b", 1, 2, name=f"{attack}&lt;b&gt; \u2028", error=attack, inputs=("a",)),
        log("a", attack.encode() + b"\x1b]0;title\x07 <b>bold</b>\xff\n", 0.5),
    )
    file = page(build)
    with Browser() as browser:
        browser.open(file)
        browser.click('[data-step="0"] .bar')
        assert browser.evaluate("document.querySelector('#log').textContent").startswith(
            attack + " <b>bold</b>"
        )
        browser.click('[data-step="1"] .bar')
        assert browser.evaluate("document.querySelector('#error').textContent") == attack
        assert browser.evaluate("typeof window.owned") == "undefined"
        assert browser.evaluate("document.querySelectorAll('img, b, script').length") == 2
        assert browser.complaints() == []
        assert browser.requests() == [file.as_uri()]


ATTACKS = (
    "<script>owned=1</script>",
    "</script><script>owned=1</script>",
    "</ScRiPt ><svg onload=owned=1>",
    "<!--<script>",
    "--><img src=x onerror=owned=1>",
    "]]><iframe src=//evil.example></iframe>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
    "<link rel=prefetch href=http://evil.example/><link rel=stylesheet href=//evil.example/x.css>",
    "</style><style>@import url(http://evil.example/);*{background:url(http://evil.example/)}",
    "<base href=http://evil.example/>",
    "<a href=javascript:owned=1 ping=http://evil.example>click</a>",
    "<form action=http://evil.example><button autofocus onfocus=owned=1>",
    "<template shadowrootmode=open><script>owned=1</script></template>",
    "javascript:owned=1",
    "${owned=1}`${owned=1}",
    "\\u003cscript\\u003eowned=1\\u003c/script\\u003e",
    "'-owned=1-'\"-owned=1-\"",
    "\u2028owned=1\u2029",
    "@DATA@ @POLICY@",
    "__proto__",
    "\x00<script\x00>owned=1",
    "\ufeff+ADw-script+AD4-owned=1",
    "\x1b]8;;javascript:owned=1\x07link\x1b]8;;\x07",
    "&lt;script&gt;owned=1&lt;/script&gt;",
    "a" * 5000 + "<script>owned=1</script>",
)


def test_every_place_takes_every_attack_as_text(page: Page) -> None:
    """As a step's name, its stage's, its error, its group's counter, its log, its digest."""
    build = merged(
        *(
            merged(
                vertex(f"{attack}{number}", number, number + 1, name=f"[{attack} {number}/99] {attack}"),
                vertex(
                    f"e{number}", number, number + 1, name=attack, error=attack, inputs=(f"{attack}{number}",)
                ),
                log(f"{attack}{number}", f"{attack}\n\x1b[1m{attack}\x1b[0m\n".encode(), number + 0.5),
                log(f"e{number}", attack.encode(), number + 0.5),
            )
            for number, attack in enumerate(ATTACKS)
        )
    )
    file = page(build)
    with Browser() as browser:
        browser.open(file)
        steps = browser.evaluate("build.steps.length")
        assert steps == 2 * len(ATTACKS)
        for step in range(steps):
            browser.evaluate(f"document.querySelector('[data-step=\"{step}\"] .bar').click()")
            browser.evaluate(
                f"document.querySelector('[data-step=\"{step}\"]').dispatchEvent(new Event('focus'))"
            )
        search = "element('search')"
        for attack in ("<script>owned=1</script>", "(((((((", ".*"):
            browser.evaluate(f"{search}.value = {attack!r}; {search}.dispatchEvent(new Event('input'))")
        assert browser.evaluate("typeof window.owned") == "undefined"
        strangers = "img, iframe, base, link, form, template, svg, a[href], style:not(head style)"
        assert browser.evaluate(f"[...document.querySelectorAll('{strangers}')].map(e => e.outerHTML)") == []
        assert browser.evaluate("document.querySelectorAll('script').length") == 2
        assert browser.evaluate("location.href") == file.as_uri()
        assert browser.complaints() == []
        assert browser.requests() == [file.as_uri()]


def test_the_policy_refuses_other_scripts_and_every_request(page: Page) -> None:
    """Should escaping ever fail: what is injected all the same neither runs nor reaches a server."""
    file = page(vertex("a", 0, 1))
    with Browser() as browser:
        browser.open(file)
        browser.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), "
            "{textContent: 'window.owned = 1'}))"
        )
        refused = "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"
        assert browser.evaluate(refused) == "refused"
        assert browser.evaluate("typeof window.owned") == "undefined"
        assert len(browser.complaints()) >= 2


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark(page: Page, dark: bool) -> None:
    with Browser(dark=dark) as browser:
        browser.open(page(vertex("a", 0, 1)))
        color = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        red = int(color.partition("(")[2].partition(",")[0])
        assert (red < 100) == dark


def test_ten_thousand_steps(page: Page) -> None:
    build = merged(
        *(
            vertex(f"d{n}", n, n + 2, name=f"[s{n % 40} {n // 40 + 1}/250] RUN {n}", inputs=(f"d{n - 40}",))
            for n in range(10_000)
        )
    )
    with Browser() as browser:
        browser.open(page(build))
        assert browser.evaluate("document.querySelectorAll('.row').length") == 10_000
        browser.click('[data-step="0"] .bar')
        assert not browser.evaluate("document.querySelector('#panel').hidden")
        assert browser.complaints() == []
