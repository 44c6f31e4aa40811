"""Why a build for a platform may have failed: the daemon's machine cannot run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildctl.errors import BuildctlError

if TYPE_CHECKING:
    from buildctl.client.client import Client
    from buildctl.model.solve import SolveOpt

_SHOWN = 4


async def platform_hint(client: Client, opt: SolveOpt) -> str:
    """What to do where a platform was asked for that no worker of the daemon runs; else nothing."""
    from buildctl.model.platform import Platform

    asked = opt.frontend_attrs.get("platform", "")
    if not asked:
        return ""
    try:
        workers = await client.workers()
        wanted = [str(Platform.parse(text.strip()).normalized()) for text in asked.split(",")]
    except BuildctlError:
        return ""
    runs = dict.fromkeys(str(one.normalized()) for worker in workers for one in worker.platforms)
    missing = [text for text in wanted if text not in runs]
    if not runs or not missing:
        return ""
    shown = ", ".join(list(runs)[:_SHOWN]) + (", ..." if len(runs) > _SHOWN else "")
    return (
        f"the daemon runs {shown}, not {', '.join(missing)}: install an emulator on its machine (QEMU and "
        "binfmt_misc), or name a daemon of that platform with --addr"
    )
