# 08 gateway: look at a result before deciding
import asyncio, buildctl
from buildctl import llb
async def plan(build: buildctl.Build):
    result = await build.solve(llb.image("busybox").sh("uname -m > /arch"))
    arch = (await result.single().read_text("/arch")).strip()
    return llb.scratch().file(llb.mkfile("/arch", 0o644, arch))
async def main():
    async with buildctl.connect() as client:
        await client.run_build(plan)
asyncio.run(main())
