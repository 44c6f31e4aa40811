# 06 LLB: build a graph, look at it, run it
from buildctl import Export, DirectoryDestination, SolveOpt, llb
from buildctl.sync import connect
base = llb.image("busybox")
out = base.run(["sh", "-c", "echo hi > /out/greeting"], mounts=[llb.mount("/out", llb.scratch())], name="greet").output("/out")
print(out.marshal(platform="linux/amd64").digest)
with connect() as client:
    client.solve(SolveOpt(definition=out, exports=(Export("local", destination=DirectoryDestination("out")),)))
