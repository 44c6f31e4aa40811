"""The program as a user runs it: how it ends, what it says, and how much memory it ever had."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.case import MAX_MEMORY, Case, run_as_process
from tests.hostile.conftest import Survived
from tests.hostile.test_exports import EXPORTS
from tests.hostile.test_files import FILES
from tests.hostile.test_http2 import HTTP2
from tests.hostile.test_offers import OFFERS

ALL = [*FILES, *EXPORTS, *OFFERS, *HTTP2]
OFTEN = {
    "a file through a link",
    "devices",
    "a file that is larger than announced",
    "every export at once",
    "a header bomb",
    "folders of which nothing is taken",
}


@pytest.mark.parametrize("case", [case for case in ALL if case.name in OFTEN], ids=lambda case: case.name)
async def test_survives(case: Case, tmp_path: Path, survived: Survived) -> None:
    await survive(case, tmp_path, survived)


@pytest.mark.long
@pytest.mark.parametrize("case", [case for case in ALL if case.name not in OFTEN], ids=lambda case: case.name)
async def test_survives_the_rest(case: Case, tmp_path: Path, survived: Survived) -> None:
    await survive(case, tmp_path, survived)


async def survive(case: Case, folder: Path, survived: Survived) -> None:
    ended = await run_as_process(case, folder)
    assert ended.memory < MAX_MEMORY
    survived(case.name, ended)
