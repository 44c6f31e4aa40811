"""Where the result is."""

from __future__ import annotations

from buildctl.cli.outcome import outcome_lines
from buildctl.model.solve import (
    Delivery,
    DirectoryDestination,
    Export,
    FileDestination,
    LayoutDestination,
    SolveOpt,
    SolveResult,
    StdoutDestination,
)

DIGEST = "sha256:" + "1" * 64
RESPONSE = {"containerimage.digest": DIGEST}


def test_each_output_has_its_line() -> None:
    opt = SolveOpt(
        exports=(
            Export("local", {}, DirectoryDestination("out")),
            Export("tar", {}, FileDestination("out.tar")),
            Export("tar", {}, StdoutDestination()),
            Export("oci", {}, LayoutDestination("layout")),
            Export("image", {"name": "example.org/a:1, example.org/b"}),
        )
    )
    deliveries = {0: Delivery(1234, 1_990_000), 1: Delivery(1, 512), 2: Delivery(1, 7)}
    assert outcome_lines(opt, SolveResult("r", RESPONSE, deliveries=deliveries)) == [
        "→ out, 1,234 files, 1.99MB",
        "→ out.tar, 512B",
        f"→ layout, {DIGEST}",
        f"→ example.org/a:1@{DIGEST}",
        f"→ example.org/b@{DIGEST}",
    ]


def test_what_did_not_arrive_is_not_told() -> None:
    opt = SolveOpt(exports=(Export("local", {}, DirectoryDestination("out")), Export("image")))
    assert outcome_lines(opt, SolveResult("r")) == []
    assert outcome_lines(opt, SolveResult("r", RESPONSE), ascii_only=True) == [f"-> {DIGEST}"]


def test_a_single_file() -> None:
    opt = SolveOpt(exports=(Export("local", {}, DirectoryDestination("out")),))
    assert outcome_lines(opt, SolveResult("r", deliveries={0: Delivery(1, 3)})) == ["→ out, 1 file, 3B"]
