"""buildctl for code that does not await: the same names, from any thread.

from buildctl.sync import connect

with connect() as client:
    print(client.build(".", tags=["app"]).digest)
"""

from buildctl.sync.client import Client, connect

__all__ = ("Client", "connect")
