# 01 a folder, tags, the digest
import asyncio, buildctl
async def main():
    async with buildctl.connect() as client:                       # BUILDKIT_HOST, Docker, buildx, default: as the command line finds it
        result = await client.build("examples/hello", tags=["localhost:5000/hello:1"])
        print(result.digest)
asyncio.run(main())
