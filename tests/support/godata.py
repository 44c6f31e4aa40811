"""What templates are applied to in tests: records as the commands have them, and plain data with Go types."""

from __future__ import annotations

from typing import Any

from buildctl.cli.gorecords import info, usage_info, usage_infos, worker_infos
from buildctl.model.cache import UsageRecord
from buildctl.model.platform import Platform
from buildctl.model.workers import BuildkitVersion, CDIDevice, GCPolicy, WorkerRecord
from buildctl.template.values import (
    ANY,
    BOOL,
    BYTES,
    FLOAT64,
    INT,
    STRING,
    STRINGS,
    Value,
    map_of,
    slice_of,
)

_RECORD = UsageRecord(
    id="aspgissip4wuygdmehbmmmvil",
    mutable=True,
    size_bytes=4096,
    created_at_ns=1795353012714401655,
    last_used_at_ns=1795353029299853990,
    usage_count=15,
    description="local source for dockerfile",
    record_type="source.local",
)
_SHARED = UsageRecord(
    id="x<&>é",
    in_use=True,
    size_bytes=260830000,
    parents=("p1", "p2"),
    description='mount / from "exec"\n',
    record_type="regular",
    shared=True,
)
_VERSION = BuildkitVersion("github.com/moby/buildkit", "v0.0.0+unknown", "", "1.26.0-dev")
_WORKER = WorkerRecord(
    id="w1",
    labels={"b.c": "2", "a": "1"},
    platforms=(Platform("linux", "amd64"), Platform("linux", "arm64", "v8", os_features=("f",))),
    gc_policies=(
        GCPolicy(
            filters=("type==source.local", "x"),
            keep_duration_ns=48 * 3600 * 10**9,
            max_used_space_bytes=512000000,
        ),
        GCPolicy(all=True),
    ),
    buildkit_version=_VERSION,
    cdi_devices=(CDIDevice("gpu", auto_allow=True, annotations={"k": "v"}),),
)


def go_value(data: Any) -> Value | None:
    """Plain Python data as Go would hold it in `any`: dicts are map[string]any, lists []any."""
    match data:
        case None:
            return None
        case bool():
            return Value(BOOL, data)
        case int():
            return Value(INT, data)
        case float():
            return Value(FLOAT64, data)
        case str():
            return Value(STRING, data)
        case bytes():
            return Value(BYTES, data)
        case tuple():
            return Value(STRINGS, data)
        case list():
            return Value(slice_of(ANY), [go_value(item) for item in data])
        case dict() if all(isinstance(key, int) for key in data):
            return Value(map_of(INT, STRING), data)
        case dict():
            return Value(map_of(STRING, ANY), {key: go_value(item) for key, item in data.items()})
    raise TypeError(data)


DATA: dict[str, Value | None] = {
    "usage": usage_infos([_RECORD, _SHARED]),
    "none": usage_infos([]),
    "record": usage_info(_RECORD),
    "workers": worker_infos([_WORKER]),
    "info": info(_VERSION),
    "nil": None,
    "string": go_value("a\"b<c>&'é\udcff"),
    "int": go_value(7),
    "map": go_value(
        {
            "Name": "Ann",
            "Age": 42,
            "Pi": 3.5,
            "Yes": True,
            "List": [1, "two", 3.0, None, True],
            "Nil": None,
            "Nested": {"k": "v", "deep": {"x": 1}},
            "Strings": ("x", "y", "z"),
            "Ints": {2: "b", 1: "a", 10: "c"},
            "Bytes": b"hi\x00",
        }
    ),
}
