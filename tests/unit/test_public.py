"""The package's public names: all there, and nothing loaded before its use."""

from __future__ import annotations

import subprocess
import sys

import pytest

import buildctl


def test_every_public_name_is_there() -> None:
    assert list(buildctl.__all__) == sorted(buildctl.__all__)
    for name in buildctl.__all__:
        assert getattr(buildctl, name) is not None
    assert set(buildctl.__all__) <= set(dir(buildctl))


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="'buildctl' has no attribute 'nope'"):
        _ = buildctl.nope  # type: ignore[attr-defined]


def test_values_and_errors_load_neither_grpc_nor_protobuf() -> None:
    script = (
        "import sys, buildctl; buildctl.SolveOpt, buildctl.RPCError, buildctl.parse_address, buildctl.Vertex;"
        "print({name.split('.')[0] for name in sys.modules} & {'grpc', 'google', 'rich', 'click', 'asyncio'})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
