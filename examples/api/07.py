# 07 LLB: two independent steps side by side, merged
from buildctl import llb
base = llb.image("busybox")
a = base.sh("echo a > /a"); b = base.sh("echo b > /b")
both = llb.merge(base, llb.diff(base, a), llb.diff(base, b)).file(llb.mkdir("/etc/x", parents=True).mkfile("/etc/x/y", 0o644, b"z"))
assert both.marshal(platform="linux/amd64") == both.marshal(platform="linux/amd64")
