# 09 a container: stdin, stdout, exit codes
import asyncio, buildctl
from buildctl import llb
async def main():
    async with buildctl.connect() as client, client.open_build() as build:
        ref = (await build.solve(llb.image("busybox"))).single()
        async with build.container(mounts={"/": ref}, keep=["sleep", "infinity"]) as box:
            done = await box.run(["tr", "a-z", "A-Z"], input=b"hello\n")
            assert done.stdout == b"HELLO\n"
            process = await box.start(["cat"], stdin="pipe", stdout="pipe")
            await process.stdin.write(b"x"); await process.stdin.aclose()
            assert await process.wait() == 0
asyncio.run(main())
