"""A method with one request and one answer, as a handler of the session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from buildctl.errors import Code, ServiceError
from buildctl.session.stream import Handler, ServerStream

Request = TypeVar("Request", bound=Message)


def unary(request_type: type[Request], answer: Callable[[Request], Awaitable[Message]]) -> Handler:
    """The handler that gives `answer` the request; bytes that are none are INVALID_ARGUMENT."""

    async def handle(stream: ServerStream) -> None:
        messages = await stream.receive_messages()
        try:
            request = request_type.FromString(b"".join(messages[:1]))
        except DecodeError:
            raise ServiceError(Code.INVALID_ARGUMENT, f"the request is no {request_type.__name__}") from None
        response = await answer(request)
        await stream.send_messages([response.SerializeToString()])

    return handle
