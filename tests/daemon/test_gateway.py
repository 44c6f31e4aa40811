"""Builds that are decided from Python, on real daemons: results, containers, failed steps, and their ends."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import types
from collections.abc import AsyncIterator, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

from buildctl import (
    Build,
    Client,
    ClosedError,
    ContainerGoneError,
    DirectoryDestination,
    Export,
    ProcessError,
    Reference,
    Result,
    ResultError,
    RPCError,
    SolveError,
    SolveOpt,
    UnsupportedError,
    UsageError,
    llb,
    parse_address,
)
from tests.support.engines import Engine

pytestmark = pytest.mark.daemon
# ruff: noqa: PT012, PT017  # a build is a block, and what fails in it is looked at while it is open

KEEP = ["/bin/sleep", "1000"]
PROGRAMS = ("sh", "cat", "sleep", "tr", "ls", "dd", "env", "stty", "yes")


@contextlib.asynccontextmanager
async def connected(engine: Engine) -> AsyncIterator[Client]:
    async with Client.connect(parse_address(f"docker://{engine.socket}")) as client:
        yield client


@pytest.fixture
def opt(engine: Engine, tmp_path: Path) -> SolveOpt:
    return offered(engine, tmp_path)


def offered(engine: Engine, tmp_path: Path) -> SolveOpt:
    """A folder with a static busybox, which `base` takes."""
    folder = tmp_path / "root"
    (folder / "bin").mkdir(parents=True)
    shutil.copy(engine.busybox, folder / "bin" / "busybox")
    for name in PROGRAMS:
        (folder / "bin" / name).symlink_to("busybox")
    (folder / "sub").mkdir()
    (folder / "sub" / "text").write_text("hello\n")
    (folder / "link").symlink_to("/sub/text")
    (folder / "loop").symlink_to("loop")
    return SolveOpt(local_dirs={"root": str(folder)})


def base() -> llb.State:
    return llb.local("root").network("none")


def sh(script: str, **options: Any) -> llb.State:
    return base().run(["/bin/sh", "-c", script], env={"PATH": "/bin"}, **options)


async def test_a_result_is_read(engine: Engine, opt: SolveOpt) -> None:
    async with connected(engine) as client, client.open_build(opt) as build:
        ref = (await build.solve(base())).single()
        assert await ref.read_text("/sub/text") == await ref.read_text("link") == "hello\n"
        assert await ref.read_bytes("/sub/text", offset=1, length=3) == b"ell"
        assert [entry.name for entry in await ref.iterdir("/")] == ["bin", "link", "loop", "sub"]
        assert [entry.name for entry in await ref.iterdir("/", include="l*")] == ["link", "loop"]
        entry = (await ref.iterdir("/", include="link"))[0]
        assert (entry.is_symlink, entry.link) == (True, "/sub/text")
        stat = await ref.stat("/sub/text")
        assert (stat.is_file, stat.size, stat.name) == (True, 6, "text")
        found = {path: await ref.exists(path) for path in ("/link", "sub/../link", "/loop", "/no", "/link/x")}
        assert found == {"/link": True, "sub/../link": True, "/loop": False, "/no": False, "/link/x": False}
        walked = [entry.path async for entry in ref.walk("/") if not entry.path.startswith("bin/")]
        assert walked == ["bin", "link", "loop", "sub", "sub/text"]
        with pytest.raises(RPCError):
            await ref.read_bytes("/no")


async def test_a_large_file_comes_whole(engine: Engine, opt: SolveOpt) -> None:
    async with connected(engine) as client, client.open_build(opt) as build:
        ref = (await build.solve(base())).single()
        assert await ref.read_bytes("/bin/busybox") == engine.busybox.read_bytes()


async def test_a_result_is_built_upon_and_exported(engine: Engine, opt: SolveOpt, tmp_path: Path) -> None:
    async def plan(build: Build) -> llb.State:
        ref = (await build.solve(sh("echo made > /made"))).single()
        text = await ref.read_text("/made")
        return llb.scratch().copy(ref.state(), "/made", "/copied").file(llb.mkfile("/read", 0o644, text))

    out = tmp_path / "out"
    export = Export("local", destination=DirectoryDestination(str(out)))
    async with connected(engine) as client:
        result = await client.run_build(plan, SolveOpt(local_dirs=opt.local_dirs, exports=(export,)))
    assert {path.name: path.read_text() for path in out.iterdir()} == {"copied": "made\n", "read": "made\n"}
    assert result.ref


async def test_several_platforms_are_exported(engine: Engine, opt: SolveOpt, tmp_path: Path) -> None:
    async def plan(build: Build) -> Result:
        one = (await build.solve(llb.scratch().file(llb.mkfile("/one", 0o644, b"1")))).single()
        other = (await build.solve(llb.scratch().file(llb.mkfile("/two", 0o644, b"2")))).single()
        return Result.multi_platform({"linux/amd64": one, "linux/arm64": Result.image(other, {})})

    out = tmp_path / "out"
    export = Export("local", destination=DirectoryDestination(str(out)))
    async with connected(engine) as client:
        await client.run_build(plan, SolveOpt(exports=(export,)))
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == [
        "linux_amd64/one",
        "linux_arm64/two",
    ]


async def test_an_exception_comes_out_as_it_is_and_ends_the_build(engine: Engine, opt: SolveOpt) -> None:
    class OwnError(Exception):
        pass

    async with connected(engine) as client:
        mine = OwnError("no luck")
        with pytest.raises(OwnError) as caught:
            async with client.open_build(opt) as build:
                ref = (await build.solve(base())).single()
                raise mine
        assert caught.value is mine
        with pytest.raises(ClosedError):
            await ref.read_text("/sub/text")
        with pytest.raises(ClosedError):
            _ = build.result


async def test_a_result_that_is_refused(engine: Engine, opt: SolveOpt) -> None:
    async with connected(engine) as client:
        with pytest.raises(ResultError):
            async with client.open_build(opt) as build:
                ref = (await build.solve(base())).single()
                unknown = Reference(ref._gateway, type(ref.message)(id="nobody's"))
                build.set_result(unknown)


async def test_processes_of_a_container(engine: Engine, opt: SolveOpt) -> None:
    async with connected(engine) as client, client.open_build(opt) as build:
        ref = (await build.solve(base())).single()
        async with build.container(mounts={"/": ref}, network="none", keep=KEEP) as box:
            done = await box.run(["/bin/tr", "a-z", "A-Z"], input=b"hello\n")
            assert (done.returncode, done.stdout, done.stderr) == (0, b"HELLO\n", b"")
            process = await box.start(["/bin/cat"], stdin="pipe", stdout="pipe")
            assert process.stdin
            assert process.stdout
            assert process.returncode is None
            await process.stdin.write(b"x")
            await process.stdin.aclose()
            assert await process.stdout.read() == b"x"
            assert await process.wait() == 0
            done = await box.run(["/bin/sh", "-c", "echo $A; pwd; echo e >&2"], env={"A": "1"}, cwd="/sub")
            assert (done.stdout, done.stderr) == (b"1\n/sub\n", b"e\n")
            many = await asyncio.gather(*(box.run(["/bin/sh", "-c", f"echo {n}"]) for n in range(5)))
            assert [one.stdout for one in many] == [b"%d\n" % n for n in range(5)]
            # What a process does not read, it need not.
            assert (await box.run(["/bin/sh", "-c", "exit 0"], input=bytes(1 << 20))).returncode == 0


async def test_a_process_that_fails_is_the_end_of_its_container(engine: Engine, opt: SolveOpt) -> None:
    async with connected(engine) as client, client.open_build(opt) as build:
        ref = (await build.solve(base())).single()
        async with build.container(mounts={"/": ref}, network="none", keep=KEEP) as box:
            with pytest.raises(ProcessError) as caught:
                await box.run(["/bin/sh", "-c", "echo out; echo err >&2; exit 5"])
            failed = caught.value
            assert (failed.returncode, failed.stdout, failed.stderr) == (5, b"out\n", b"err\n")
            with pytest.raises(ContainerGoneError, match="ended with code 5"):
                await box.run(["/bin/sh", "-c", "true"])
        # The stream of all processes has taken no harm.
        async with build.container(mounts={"/": ref}, network="none") as box:
            assert (await box.run(["/bin/sh", "-c", "exit 6"], check=False)).returncode == 6


async def test_a_terminal_in_a_container(engine: Engine, opt: SolveOpt) -> None:
    async with connected(engine) as client, client.open_build(opt) as build:
        ref = (await build.solve(base())).single()
        async with build.container(mounts={"/": ref}, network="none") as box:
            process = await box.start(["/bin/sh"], tty=True, stdin="pipe", stdout="pipe")
            assert process.stdin
            assert process.stdout
            await process.resize(33, 77)
            await process.stdin.write(b"stty size; exit 3\n")
            assert b"33 77" in await process.stdout.read()
            assert await process.wait() == 3


async def test_signals_where_the_daemon_has_them(engine: Engine, opt: SolveOpt) -> None:
    async with connected(engine) as client, client.open_build(opt) as build:
        ref = (await build.solve(base())).single()
        async with build.container(mounts={"/": ref}, network="none") as box:
            process = await box.start(["/bin/sh", "-c", "trap 'exit 9' USR1; while :; do sleep 0.1; done"])
            if "gateway.exec.signals" in build.caps:
                await asyncio.sleep(0.3)  # until the trap is set
                await process.signal(signal.SIGUSR1)
                assert await process.wait() == 9
            else:
                with pytest.raises(UnsupportedError, match=r"gateway\.exec\.signals") as caught:
                    await process.signal("USR1")
                assert caught.value.cap == "gateway.exec.signals"


async def test_too_much_output_is_an_error_and_not_kept(engine: Engine, opt: SolveOpt) -> None:
    async with connected(engine) as client, client.open_build(opt) as build:
        ref = (await build.solve(base())).single()
        async with build.container(mounts={"/": ref}, network="none") as box:
            with pytest.raises(Exception, match="more than 100000 bytes"):
                await box.run(["/bin/yes"], limit=100_000)


async def test_what_is_wrong_is_refused_here(engine: Engine, opt: SolveOpt) -> None:
    """What the daemon would not answer, and what would end all exec of the build."""
    async with connected(engine) as client, client.open_build(opt) as build:
        ref = (await build.solve(base())).single()
        with pytest.raises(UsageError, match="mount at /"):
            async with build.container(mounts={"/x": ref}):
                pass
        with pytest.raises(UsageError, match="invalid network"):
            async with build.container(mounts={"/": ref}, network="lan"):
                pass
        async with build.container(mounts={"/": ref}, network="none", keep=KEEP) as box:
            with pytest.raises(UsageError, match="list of arguments"):
                await box.run("ls")
            process = await box.start(["/bin/sh", "-c", "true"], stdin="pipe")
            assert process.stdin
            await process.stdin.aclose()
            await process.wait()
            with pytest.raises(ClosedError):
                await process.stdin.write(b"late")
            with pytest.raises(UsageError, match="terminal"):
                await process.resize(1, 1)
            assert (await box.run(["/bin/sh", "-c", "echo on"])).stdout == b"on\n"
        with pytest.raises(ContainerGoneError):
            await box.run(["/bin/sh", "-c", "true"])


async def test_a_failed_step_is_told_and_opened(engine: Engine, opt: SolveOpt) -> None:
    script = "echo half > /half; echo no luck; exit 7"
    async with connected(engine) as client:
        with pytest.raises(SolveError) as caught:
            async with client.open_build(opt) as build:
                try:
                    state = (
                        base().dir("/sub").run(["/bin/sh", "-c", script], env={"PATH": "/bin"}, name="odd")
                    )
                    await build.solve(state, evaluate=True)
                except SolveError as error:
                    assert error.step
                    if error.step.op:
                        async with build.debug(error) as box:
                            done = await box.run(["/bin/sh", "-c", "cat /half; pwd; echo $PATH"])
                        assert done.stdout == b"half\n/sub\n/bin\n"
                    else:  # BuildKit before 0.9
                        with pytest.raises(UnsupportedError, match="does not keep"):
                            async with build.debug(error):
                                pass
                        (step,) = build.planned_steps()
                        assert step.digest == error.step.digest
                        async with build.at_step(step) as box:
                            done = await box.run(["/bin/sh", "-c", "ls /; pwd"])
                        assert b"half" not in done.stdout
                        assert done.stdout.endswith(b"/sub\n")
                    raise
    told = caught.value
    assert told.step
    assert (told.step.name, told.step.log) == ("odd", b"no luck\n")
    assert told.step.started
    assert told.step.completed
    assert told.step.started <= told.step.completed
    report = told.report()
    assert report.startswith("step: odd\n")
    assert "\n  no luck\n" in report
    if engine.buildkit != "0.8":  # which sends no details of an error
        assert (told.step.exit_code, told.step.command) == (7, ("/bin/sh", "-c", script))
        assert "\nexit code: 7\n" in report


async def test_a_failed_step_of_a_dockerfile_has_its_log_and_place(engine: Engine, tmp_path: Path) -> None:
    shutil.copy(engine.busybox, tmp_path / "sh")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY sh /bin/sh\nRUN echo no luck; exit 3\n")
    opt = SolveOpt(
        "dockerfile.v0",
        {"force-network-mode": "none"},
        local_dirs={"context": str(tmp_path), "dockerfile": str(tmp_path)},
    )
    async with connected(engine) as client:
        with pytest.raises(SolveError) as caught:
            await client.solve(opt)
    step = caught.value.step
    assert step
    assert step.log == b"no luck\n"
    assert "RUN echo no luck" in step.name
    if engine.buildkit != "0.8":
        assert step.exit_code == 3
        assert step.locations[0].ranges == ((3, 3),)
        assert ">>> RUN echo no luck; exit 3" in caught.value.report()


async def test_a_step_that_fails_when_something_is_read_of_it(engine: Engine, opt: SolveOpt) -> None:
    async with connected(engine) as client, client.open_build(opt) as build:
        ref = (await build.solve(sh("exit 4", no_cache=True))).single()
        with pytest.raises(SolveError):
            await ref.read_text("/sub/text")


@types.coroutine
def cancelling_at(n: int, body: Coroutine[Any, Any, None]) -> Generator[Any, Any, bool]:
    """Run `body`, and cancel its task when it waits for the n-th time; whether it came so far."""
    thrown: BaseException | None = None
    for count in range(1, 1 << 30):
        try:
            waited_for = body.send(None) if thrown is None else body.throw(thrown)
        except StopIteration:
            return count > n
        thrown = None
        if count == n:
            task = asyncio.current_task()
            assert task
            task.cancel()
        try:
            yield waited_for
        except BaseException as error:
            thrown = error
    raise AssertionError


MARK = "987654"


def containers_left() -> list[str]:
    """Processes of `everything`'s containers; they are in the machine's list too."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if MARK.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


async def everything(client: Client, opt: SolveOpt) -> None:
    async with client.open_build(opt) as build:
        result = await build.solve(base(), evaluate=True)
        ref = result.single()
        await ref.read_text("/sub/text")
        async with build.container(mounts={"/": ref}, network="none", keep=["/bin/sleep", MARK]) as box:
            await box.run(["/bin/cat"], input=b"x")
            process = await box.start(["/bin/cat"], stdin="pipe", stdout="pipe")
            assert process.stdin
            assert process.stdout
            await process.stdin.write(b"x")
            assert await anext(process.stdout) == b"x"
            await process.stdin.aclose()
            await process.wait()
        build.set_result(result)


async def cancelled_everywhere(engine: Engine, opt: SolveOpt, stride: int) -> int:
    """Cancel `everything` at each wait (or one in `stride`); how many there were."""
    before = set(containers_left())
    async with connected(engine) as client:
        await everything(client, opt)
        tasks = asyncio.all_tasks()
        for n in range(1, 1 << 20, stride):
            task = asyncio.create_task(_cancelled(cancelling_at(n, everything(client, opt))))
            is_over = await task
            left = asyncio.all_tasks() - tasks - {task}
            assert not left, f"cancelled at wait {n}: {left}"
            if is_over:
                break
        for _ in range(100):
            if not set(containers_left()) - before:
                break
            await asyncio.sleep(0.1)
        if engine.buildkit != "0.8":  # which at times keeps one whose start was cancelled
            assert not set(containers_left()) - before
        await everything(client, opt)
    return n


async def _cancelled(run: Generator[Any, Any, bool]) -> bool:
    """Whether it ran to its end without being cancelled."""
    try:
        reached = await run  # type: ignore[misc]
    except asyncio.CancelledError:
        return False
    return not reached


async def test_cancelled_at_some_waits_nothing_is_left(engine: Engine, opt: SolveOpt) -> None:
    assert await cancelled_everywhere(engine, opt, stride=6) > 6


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_cancelled_at_every_wait_nothing_is_left(engine: Engine, opt: SolveOpt) -> None:
    assert await cancelled_everywhere(engine, opt, stride=1) > 10


async def test_the_newest_engine(engine_28: Engine, tmp_path: Path) -> None:
    """What BuildKit 0.25 can, and files of a running container where it has them."""
    async with connected(engine_28) as client, client.open_build(offered(engine_28, tmp_path)) as build:
        ref = (await build.solve(base())).single()
        async with build.container(mounts={"/": ref}, network="none", keep=KEEP) as box:
            await box.run(["/bin/sh", "-c", "echo new > /new"])
            if "gateway.exec.filesystem" in build.caps:
                assert await box.read_bytes("/new") == b"new\n"
            else:
                with pytest.raises(UnsupportedError):
                    await box.read_bytes("/new")
        with pytest.raises(SolveError) as caught:
            await build.solve(sh("echo half > /half; exit 7"), evaluate=True)
        assert caught.value.step
        assert caught.value.step.exit_code == 7
        async with build.debug(caught.value) as box:
            assert (await box.run(["/bin/cat", "/half"])).stdout == b"half\n"
