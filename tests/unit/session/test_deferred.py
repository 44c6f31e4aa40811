"""A service that is made when it is called."""

from __future__ import annotations

from buildctl.session.auth import paths
from buildctl.session.auth.anonymous import AnonymousAuth
from buildctl.session.auth.dockerconfig import DockerConfig
from buildctl.session.auth.service import Auth
from buildctl.session.deferred import Deferred
from buildctl.session.stream import Attachable, Handler, ServerStream


class Counting:
    """Notes which of its methods were called."""

    def __init__(self) -> None:
        self.called: list[str] = []

    @property
    def methods(self) -> dict[str, Handler]:
        return {path: self._handler(path) for path in ("/a/One", "/a/Two")}

    def _handler(self, path: str) -> Handler:
        async def handle(stream: ServerStream) -> None:
            self.called.append(path)

        return handle


async def test_it_is_made_at_the_first_call_and_once() -> None:
    made: list[Counting] = []

    def make() -> Attachable:
        made.append(Counting())
        return made[0]

    methods = Deferred(("/a/One", "/a/Two"), make).methods
    assert set(methods) == {"/a/One", "/a/Two"}
    assert not made
    stream: ServerStream = None  # type: ignore[assignment]  # these methods do not look at it
    await methods["/a/Two"](stream)
    await methods["/a/One"](stream)
    assert [one.called for one in made] == [["/a/Two", "/a/One"]]


def test_the_paths_are_those_of_both_auth_services() -> None:
    assert set(Auth(DockerConfig("/nowhere"), {}).methods) == set(paths.ALL)
    assert set(AnonymousAuth().methods) == set(paths.ALL)
