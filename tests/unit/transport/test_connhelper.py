"""The commands behind addresses, argument by argument as the reference starts them."""

from __future__ import annotations

import pytest

from buildctl.model.address import parse_address
from buildctl.transport.connhelper import helper_command


@pytest.mark.parametrize(
    ("address", "command"),
    [
        ("docker-container://c", "docker exec -i c buildctl dial-stdio"),
        ("docker-container://c:99?context=x", "docker --context=x exec -i c buildctl dial-stdio"),
        ("podman-container://c?context=x", "podman exec -i c buildctl dial-stdio"),
        ("nerdctl-container://c", "nerdctl exec -i c buildctl dial-stdio"),
        ("nerdctl-container://c?namespace=n", "nerdctl exec --namespace n -i c buildctl dial-stdio"),
        ("kube-pod://p", "kubectl --context= --namespace= exec --container= -i p -- buildctl dial-stdio"),
        (
            "kube-pod://p?container=c&namespace=n&context=u@k",
            "kubectl --context=u@k --namespace=n exec --container=c -i p -- buildctl dial-stdio",
        ),
        ("ssh://h", "ssh -- h buildctl dial-stdio"),
        ("ssh://me@h:22/s.sock", "ssh -l me -p 22 -- h buildctl --addr unix:///s.sock dial-stdio"),
        ("tcp://h:1", ""),
        ("unix:///s", ""),
    ],
)
def test_command(address: str, command: str) -> None:
    assert helper_command(parse_address(address)) == tuple(command.split())
