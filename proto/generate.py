"""Generate buildctl/_pb from the .proto files beside this script: `python proto/generate.py [OUT]`.

protoc sees this folder under the virtual path `buildctl/_pb`, so the generated modules import each other by
their real names. One line of each is changed: they register in a descriptor pool of their own instead of the
process's. That way neither googleapis-common-protos nor another BuildKit client in the same process can clash
with our `google.rpc.Status` or with `fsutil.types.Stat`, whose paths are bytes here.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

PROTO = Path(__file__).resolve().parent
PACKAGE = "buildctl/_pb"
STANDARD_POOL = "from google.protobuf import descriptor_pool as _descriptor_pool\n"
PRIVATE_POOL = "from buildctl._pb import pool as _descriptor_pool\n"

PACKAGE_MODULE = '"""Generated messages; never edited, never exported. See proto/generate.py."""\n'

POOL_MODULE = '''\
"""The descriptor pool of the generated messages, apart from the process's own; see proto/generate.py."""

from google.protobuf import any_pb2, descriptor_pool, empty_pb2, field_mask_pb2, timestamp_pb2

_POOL = descriptor_pool.DescriptorPool()
for _module in (any_pb2, empty_pb2, field_mask_pb2, timestamp_pb2):
    _POOL.AddSerializedFile(_module.DESCRIPTOR.serialized_pb)


def Default() -> descriptor_pool.DescriptorPool:
    return _POOL
'''


def generate(out: Path) -> None:
    """Write the package into the folder `out`, replacing what was generated there before.

    Raises `RuntimeError` when protoc refuses a file; nothing in `out` has changed then.
    """
    from grpc_tools import protoc  # type: ignore[import-untyped]

    names = sorted(path.name for path in PROTO.glob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        arguments = ["protoc", f"--proto_path={PACKAGE}={PROTO}", f"--proto_path={protoc_include()}"]
        arguments += [f"--python_out={scratch}", f"--pyi_out={scratch}"]
        arguments += [f"{PACKAGE}/{name}" for name in names]
        if protoc.main(arguments) != 0:
            raise RuntimeError("protoc refused the files; its messages are above")
        out.mkdir(parents=True, exist_ok=True)
        for stale in [*out.glob("*_pb2.py"), *out.glob("*_pb2.pyi")]:
            stale.unlink()
        for made in sorted(Path(scratch, PACKAGE).iterdir()):
            text = made.read_text()
            if made.suffix == ".py":
                if STANDARD_POOL not in text:
                    raise RuntimeError(f"{made.name} has no descriptor pool line to replace")
                text = text.replace(STANDARD_POOL, PRIVATE_POOL)
            Path(out, made.name).write_text(text)
    Path(out, "pool.py").write_text(POOL_MODULE)
    Path(out, "__init__.py").write_text(PACKAGE_MODULE)


def protoc_include() -> str:
    """The folder of the well-known types that grpcio-tools brings."""
    import grpc_tools

    return str(Path(grpc_tools.__file__).parent / "_proto")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else PROTO.parent / PACKAGE)
