# 11 many builds at once, events as they come, cancel
import asyncio, buildctl
from buildctl import Context
async def main():
    async with buildctl.connect() as client, asyncio.TaskGroup() as group:
        for n in range(4):
            context = Context.files({"Dockerfile": f"FROM busybox\nRUN echo {n}\n"})
            group.create_task(client.build(context, on_status=lambda s: print(*(v.name for v in s.vertexes))))
asyncio.run(main())
