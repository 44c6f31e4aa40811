"""A method with one request and one answer, as a handler of the session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from buildctl.errors import Code, ServiceError
from buildctl.model.repair import parse_message
from buildctl.session.stream import Handler, ServerStream

Request = TypeVar("Request", bound=Message)


def unary(request_type: type[Request], answer: Callable[[Request], Awaitable[Message]]) -> Handler:
    """The handler that gives `answer` the request; bytes that are none are INVALID_ARGUMENT."""

    async def handle(stream: ServerStream) -> None:
        response = await answer(await read_request(request_type, stream))
        await stream.send_messages([response.SerializeToString()])

    return handle


async def read_request(request_type: type[Request], stream: ServerStream) -> Request:
    """The one message of a call. Raises `ServiceError` where it is none, or longer than such requests are."""
    stream.narrow()
    messages = await stream.receive_messages()
    try:
        return parse_message(request_type, b"".join(messages[:1]))
    except DecodeError:
        raise ServiceError(
            Code.INVALID_ARGUMENT, f"the request is no {request_type.DESCRIPTOR.name}"
        ) from None
