# 04 a Dockerfile as text beside a real folder; args, a secret value, labels
from buildctl.sync import connect
with connect() as client:
    client.build("examples/hello", dockerfile="FROM busybox\nARG WHO\nRUN --mount=type=secret,id=tok test -s /run/secrets/tok && echo $WHO",
                 build_args={"WHO": "me"}, secrets={"tok": "s3cret"}, labels={"made.by": "python"})
