# 03 nothing on disk: Dockerfile and files from memory, output in memory
import io
from buildctl import Context, Output
from buildctl.sync import connect
tar = io.BytesIO()
with connect() as client:
    client.build(Context.files({"Dockerfile": "FROM scratch\nCOPY hi /hi\n", "hi": b"hello\n"}), output=Output.tar(tar))
print(len(tar.getvalue()))
