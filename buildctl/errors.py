"""Every exception of the project, and the exit codes they become.

An exception's text is the reference's message, as `parity` demands of what scripts read; `hint` says
what to do next and is shown to people only. Foreign exceptions (grpc, OSError, protobuf) are translated
once, at the door where they enter; nothing recognises an error by its text.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


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
    `reason` is what failed without the words around it, where no stream could be opened.
    """

    lasting = False
    reason = ""


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


class FailedStep(NamedTuple):
    """The step that failed a build, as far as the daemon tells; BuildKit before 0.9 tells its name and log.

    `exit_code`, `command` and `op` are of steps that run a command; `input_ids` and `mount_ids` name results
    that live as long as the build is open, in the order of the step's inputs and mounts, an empty text
    for none.
    """

    digest: str
    name: str = ""
    """What displays call it, such as `[2/3] RUN make`."""
    command: tuple[str, ...] = ()
    exit_code: int | None = None
    log: bytes = b""
    """The last 64 KiB of what it wrote to standard output and standard error."""
    log_truncated: bool = False
    locations: tuple[SourceExcerpt, ...] = ()
    """Where it stands: in a Dockerfile, or in the program that made the definition."""
    started: datetime | None = None
    """In UTC, as are all instants."""
    completed: datetime | None = None
    input_ids: tuple[str, ...] = ()
    mount_ids: tuple[str, ...] = ()
    op: bytes = b""
    """A serialized pb.Op; empty where the daemon did not tell."""


class SolveError(BuildctlError):
    """A build that failed, with what the daemon said of the place and the reason.

    `transient` says that the connection or the session was lost, and that nothing went where it cannot be
    taken back: the same build may succeed when it is run again. `step` is what failed, None where it was no
    step, or where nothing is known of it.
    """

    transient = False
    step: FailedStep | None = None
    places = ""
    """The excerpts as text, with marks at the lines."""

    def report(self) -> str:
        """All that is known of the failure as text for people: step, command, place, log and error.

        What the build wrote is in it with its control characters replaced, and otherwise as it was written:
        also a secret that a step printed.

            print(error.report())
        """
        lines = []
        if step := self.step:
            lines.append(f"step: {step.name or step.digest}")
            if step.command:
                lines.append(f"command: {' '.join(step.command)}")
            if step.exit_code is not None:
                lines.append(f"exit code: {step.exit_code}")
            if step.log:
                lines.append("log, its end:" if step.log_truncated else "log:")
                lines += [f"  {line}" for line in step.log.decode(errors="replace").splitlines()]
        lines += self.places.splitlines()
        lines.append(f"error: {self}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "".join(f"{_printable(line)}\n" for line in lines)

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

    `cap` is the capability that it lacks; `daemon_version` is what it says it is, and empty where it does
    not, as Docker Engine and BuildKit before 0.11.
    """

    def __init__(
        self, cap: str, *, what: str = "", daemon_version: str = "", message: str = "", hint: str = ""
    ) -> None:
        """`what` is asked for, as half a sentence; `message` stands in place of the whole."""
        version = f"BuildKit {daemon_version}" if daemon_version else "it does not tell its version"
        text = f"{what or 'the request'}: the daemon ({version}) lacks the capability {cap}"
        super().__init__(message or text, hint=hint or "use a newer BuildKit or Docker Engine")
        self.cap = cap
        self.daemon_version = daemon_version


class ProcessError(BuildctlError):
    """A process in a container ended with another code than 0, as CalledProcessError says it."""

    def __init__(
        self, returncode: int, args: Sequence[str], stdout: bytes = b"", stderr: bytes = b""
    ) -> None:
        super().__init__(f"{' '.join(args)} ended with exit code {returncode}")
        self.args = tuple(args)
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr

    def __str__(self) -> str:
        return self.message


class ContainerGoneError(BuildctlError):
    """A container, or a process in it, ended before its time."""


class ClosedError(BuildctlError):
    """A build, or a reference, container or process of it, was used after its end."""


class ResultError(BuildctlError):
    """The daemon did not take the result of a build."""


class AsyncStateError(BuildctlError):
    """A value of an LLB state that a function has yet to make, or can only make where it is awaited."""


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


def _printable(text: str) -> str:
    """Text from elsewhere without what a terminal would obey."""
    return "".join(
        character if character.isprintable() or character == "\t" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
