"""buildctl for code that does not await: the same names, from any thread.

from buildctl.sync import connect

with connect() as client:
    print(client.build(".", tags=["app"]).digest)
"""

from buildctl.sync.build import Build, Reference, Result
from buildctl.sync.client import Client, connect
from buildctl.sync.container import Container, ContainerMount, Pipe, Process, Writer

__all__ = (
    "Build",
    "Client",
    "Container",
    "ContainerMount",
    "Pipe",
    "Process",
    "Reference",
    "Result",
    "Writer",
    "connect",
)
