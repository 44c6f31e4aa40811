"""All harnesses by name."""

from __future__ import annotations

from tests.fuzz import (
    csv_values,
    databases,
    definitions,
    docker_config,
    dockerfiles,
    grpc_framing,
    http2,
    http2_client,
    index_files,
    pattern_lists,
    private_keys,
    receiving,
    statuses,
    templates,
)

HARNESSES = {
    module.HARNESS.name: module.HARNESS
    for module in (
        http2,
        http2_client,
        grpc_framing,
        receiving,
        pattern_lists,
        statuses,
        csv_values,
        templates,
        docker_config,
        dockerfiles,
        private_keys,
        index_files,
        definitions,
        databases,
    )
}
