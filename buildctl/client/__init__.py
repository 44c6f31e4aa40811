"""The daemon's API as a typed asyncio library; its public names are those of `buildctl`."""
