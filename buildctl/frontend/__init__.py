"""Frontends written in Python: programs that a daemon runs to learn how something is built.

from buildctl import llb
from buildctl.frontend import run_frontend

async def frontend(build):
    return llb.scratch().file(llb.mkfile("/hello", 0o644, f"hello {build.opts.get('name', 'world')}\\n"))

if __name__ == "__main__":
    run_frontend(frontend)

An image whose entrypoint is such a program is a frontend: `--frontend gateway.v0 --opt source=IMAGE`.
"""

from __future__ import annotations

from buildctl.frontend.run import run_frontend

__all__ = ("run_frontend",)
