"""Every exception of the project, and the exit codes they become.

An exception's text is the reference's message, as `parity` demands of what scripts read; `hint` says
what to do next and is shown to people only. Foreign exceptions (grpc, OSError, protobuf) are translated
once, at the door where they enter; nothing recognises an error by its text.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class ExitCode(enum.IntEnum):
    """What the process says to its caller (the reference's codes)."""

    OK = 0
    ERROR = 1
    UNKNOWN_TOPIC = 3  # a command or help topic that does not exist
    NOT_CACHED = 4  # a build that succeeded, but not from the cache, as --assert-cached wanted
    HANGUP = 129  # 128 + SIGHUP, what a shell says of the reference, which that signal ends


class Code(enum.IntEnum):
    """gRPC's status codes (google/rpc/code.proto), usable without importing grpc."""

    OK = 0
    CANCELED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @property
    def camel(self) -> str:
        """The name as Go prints it: `NotFound`, `Canceled`, `OK`."""
        return "OK" if self is Code.OK else "".join(part.capitalize() for part in self.name.split("_"))


class BuildctlError(Exception):
    """The base of every error raised on purpose.

    `str(error)` is one line of what failed and why; `hint`, possibly empty, is what to do about it.
    `message` is that line without what a subclass puts before it.
    """

    exit_code = ExitCode.ERROR

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BuildctlError):
    """A value on the command line, or an argument of the library, that cannot be meant."""


class NotCachedError(BuildctlError):
    """A build succeeded in which steps ran that were to come from the cache; a line each."""

    exit_code = ExitCode.NOT_CACHED


class FlagError(UsageError):
    """A flag that does not exist, lacks its value, or has one that does not parse.

    Of one that does not exist, `typed` is its name and `known` those that do.
    """

    def __init__(self, message: str, *, hint: str = "", typed: str = "", known: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.typed = typed
        self.known = known


class UnknownTopicError(BuildctlError):
    """A command or help topic that does not exist; printed without `error:`. `known` are those that do."""

    exit_code = ExitCode.UNKNOWN_TOPIC

    def __init__(self, message: str, *, typed: str = "", known: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.typed = typed
        self.known = known


class ConnectError(BuildctlError):
    """No conversation with a daemon could be started at the address.

    `lasting` says that trying again is no use: what is wrong is the address, or what the daemon is shown.
    """

    lasting = False


class RPCError(BuildctlError):
    """A call that the daemon, or the connection to it, ended with a status other than OK.

    Rendered as the reference renders it (util/grpcerrors): `Code: message` for a unary call, the bare
    message for UNKNOWN, and `rpc error: code = … desc = …` for a status read from a stream. `transient` says
    that the same call may succeed when it is made again.
    """

    transient = False

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        details: Sequence[ErrorDetail] = (),
        streamed: bool = False,
        prefix: str = "",
        hint: str = "",
    ) -> None:
        if streamed:
            text = f"rpc error: code = {code.camel} desc = {message}"
        elif code in (Code.OK, Code.UNKNOWN):
            text = message
        else:
            text = f"{code.camel}: {message}"
        super().__init__(prefix + text, hint=hint)
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.streamed = streamed


class SessionLostError(BuildctlError):
    """A session ended before its time; `code` is UNAVAILABLE where the connection may have broken."""

    def __init__(self, code: Code, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class ErrorDetail(NamedTuple):
    """One entry of google.rpc.Status.details: its type without host and `+json`, and its JSON value."""

    type_name: str
    value: Mapping[str, Any]
    type_url: str = ""
    raw: bytes = b""


class SourceExcerpt(NamedTuple):
    """A piece of a build file that an error points at; lines are 1-based, ranges inclusive."""

    filename: str
    data: bytes
    ranges: tuple[tuple[int, int], ...] = ()


class SolveError(BuildctlError):
    """A build that failed, with what the daemon said of the place and the reason.

    `transient` says that the connection or the session was lost, and that nothing went where it cannot be
    taken back: the same build may succeed when it is run again.
    """

    transient = False

    def __init__(
        self,
        message: str,
        *,
        code: Code = Code.UNKNOWN,
        excerpts: Sequence[SourceExcerpt] = (),
        denials: Sequence[str] = (),
        details: Sequence[ErrorDetail] = (),
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.excerpts = tuple(excerpts)
        self.denials = tuple(denials)
        self.details = tuple(details)


class UnsupportedError(BuildctlError):
    """The daemon is too old, or not set up, for what it is asked to do.

    `cap` is the capability that it lacks; `daemon_version` is what it says it is, which those before 0.11 do
    not, and then empty.
    """

    def __init__(
        self, cap: str, *, what: str = "", daemon_version: str = "", message: str = "", hint: str = ""
    ) -> None:
        """`what` is asked for, as half a sentence; `message` stands in place of the whole."""
        daemon = f"BuildKit {daemon_version}" if daemon_version else "older than BuildKit 0.11"
        text = f"{what or 'the request'}: the daemon ({daemon}) lacks the capability {cap}"
        super().__init__(message or text, hint=hint)
        self.cap = cap
        self.daemon_version = daemon_version


class ServiceError(BuildctlError):
    """What a session service answers the daemon instead of a result: a gRPC status."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ProtocolError(BuildctlError):
    """The daemon broke a rule of HTTP/2, gRPC or file transfer."""


class TransferEndedError(ProtocolError):
    """The daemon ended a transfer in the middle; what it says elsewhere is why."""


class TransferError(BuildctlError):
    """A local file or folder could not be sent or received."""


class PeerTransferError(TransferError):
    """The daemon gave up a transfer, and this is what it said."""
