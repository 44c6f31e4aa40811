# 02 the same without async, with a display
from buildctl import Output, Progress
from buildctl.sync import connect
with connect() as client, Progress("plain") as show:
    client.build("examples/hello", output=Output.local("out"), on_status=show)
