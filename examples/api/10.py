# 10 a shell in the step that failed
import asyncio, buildctl
from buildctl import SolveError, llb
async def main():
    async with buildctl.connect() as client:
        try:
            async with client.open_build() as build:
                try:
                    await build.solve(llb.image("busybox").sh("echo half > /half; exit 7"), evaluate=True)
                except SolveError as error:
                    async with build.debug(error) as box:
                        print((await box.run(["cat", "/half"])).stdout)
                    raise
        except SolveError as error:
            assert error.step.exit_code == 7
asyncio.run(main())
