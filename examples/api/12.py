# 12 a frontend, from this folder, inside the daemon (frontend.py: run_frontend(fn))
from buildctl import llb
from buildctl.frontend import run_frontend
async def frontend(build):
    name = build.opts.get("name", "world")
    return llb.scratch().file(llb.mkfile("/hello", 0o644, f"hello {name}\n"))
if __name__ == "__main__":
    run_frontend(frontend)
# the test builds an image with Python and this package, and: client.build(frontend="gateway.v0", attrs={"source": "localhost:5000/fe", "name": "you"})
