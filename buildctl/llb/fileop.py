"""Making, copying and removing files without running anything: a chain of actions in one op
(client/llb/fileop.go)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from buildctl._pb import ops_pb2
from buildctl.errors import UsageError
from buildctl.llb import arguments, gopath
from buildctl.llb.arguments import INT32, UINT32, StrPath, wrong_type
from buildctl.llb.base import AnyOutput, Encoded, Inputs, StateBase, Vertex
from buildctl.llb.constraints import Constraints

if TYPE_CHECKING:
    from buildctl.llb.state import State

Owner: TypeAlias = "str | tuple[int, int] | None"
"""`USER:GROUP`, by name or number, or both numbers."""
Created: TypeAlias = "int | datetime | None"
"""Nanoseconds since 1970 or an aware datetime."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_TIME = -1
_KEEP_MODE = -1
_PERMISSIONS = 0o777
_MODES = range(1 << 32)


class _User(NamedTuple):
    id: int = 0
    name: str = ""


class _Chown(NamedTuple):
    user: _User | None = None
    group: _User | None = None


class _Mkdir(NamedTuple):
    path: str
    mode: int
    parents: bool
    owner: _Chown | None
    timestamp: int


class _Mkfile(NamedTuple):
    path: str
    mode: int
    data: bytes
    owner: _Chown | None
    timestamp: int


class _Rm(NamedTuple):
    path: str
    allow_not_found: bool
    wildcard: bool


class _Symlink(NamedTuple):
    old: str
    new: str
    owner: _Chown | None
    timestamp: int


class _Copy(NamedTuple):
    source: StateBase | FileAction
    src: str
    dest: str
    mode: int
    mode_text: str
    owner: _Chown | None
    timestamp: int
    flags: dict[str, bool]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    required: tuple[str, ...]


_Step: TypeAlias = "_Mkdir | _Mkfile | _Rm | _Symlink | _Copy"


class FileAction:
    """One action after others, made by `mkdir`, `mkfile`, `rm`, `symlink` and `copy`, which are its
    methods, too.

    `State.file` does them in order. A copy may have as its source the result of other actions: `with_state`
    says on what they work.
    """

    __slots__ = ("_before", "_state", "_step")

    def __init__(self, step: _Step, before: FileAction | None = None, state: StateBase | None = None) -> None:
        self._step = step
        self._before = before
        self._state = state

    def mkdir(
        self,
        path: StrPath,
        mode: int = 0o755,
        *,
        parents: bool = False,
        owner: Owner = None,
        created: Created = None,
    ) -> FileAction:
        """Then make a folder: `llb.mkdir`."""
        return mkdir(path, mode, parents=parents, owner=owner, created=created)._after(self)

    def mkfile(
        self, path: StrPath, mode: int, data: bytes | str, *, owner: Owner = None, created: Created = None
    ) -> FileAction:
        """Then make a file: `llb.mkfile`."""
        return mkfile(path, mode, data, owner=owner, created=created)._after(self)

    def rm(self, path: StrPath, *, allow_not_found: bool = False, wildcard: bool = False) -> FileAction:
        """Then remove: `llb.rm`."""
        return rm(path, allow_not_found=allow_not_found, wildcard=wildcard)._after(self)

    def symlink(
        self, old: StrPath, new: StrPath, *, owner: Owner = None, created: Created = None
    ) -> FileAction:
        """Then make a link: `llb.symlink`."""
        return symlink(old, new, owner=owner, created=created)._after(self)

    def copy(
        self,
        source: State | FileAction,
        src: StrPath,
        dest: StrPath,
        *,
        mode: int | str | None = None,
        follow_symlinks: bool = False,
        contents_only: bool = False,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        required: Sequence[str] = (),
        unpack: bool = False,
        create_dest: bool = False,
        wildcard: bool = False,
        allow_empty_wildcard: bool = False,
        owner: Owner = None,
        created: Created = None,
        replace: bool = False,
    ) -> FileAction:
        """Then copy: `llb.copy`."""
        return copy(
            source,
            src,
            dest,
            mode=mode,
            follow_symlinks=follow_symlinks,
            contents_only=contents_only,
            include=include,
            exclude=exclude,
            required=required,
            unpack=unpack,
            create_dest=create_dest,
            wildcard=wildcard,
            allow_empty_wildcard=allow_empty_wildcard,
            owner=owner,
            created=created,
            replace=replace,
        )._after(self)

    def with_state(self, state: State) -> FileAction:
        """The same actions, done to `state`, as the source of a copy."""
        if not isinstance(state, StateBase):
            raise wrong_type("state", "a State", state)
        return FileAction(self._step, self._before, state)

    def _after(self, before: FileAction) -> FileAction:
        return FileAction(self._step, before)

    def _chain(self) -> list[FileAction]:
        """Oldest first."""
        chain: list[FileAction] = []
        action: FileAction | None = self
        while action is not None:
            chain.append(action)
            action = action._before
        chain.reverse()
        return chain


def mkdir(
    path: StrPath,
    mode: int = 0o755,
    *,
    parents: bool = False,
    owner: Owner = None,
    created: Created = None,
) -> FileAction:
    """Make a folder with nine permission bits, and with `parents` those above it.

    A relative path is below the state's folder. `owner` is `USER:GROUP`, by name or number, or a pair of
    numbers; `created` is the time of the last change, as nanoseconds since 1970 or as an aware datetime.
    Raises `TypeError` and `UsageError`.
    """
    return FileAction(
        _Mkdir(
            arguments.path("path", path),
            arguments.number("mode", mode, _MODES) & _PERMISSIONS,
            arguments.flag("parents", parents),
            _chown(owner),
            _timestamp(created),
        )
    )


def mkfile(
    path: StrPath, mode: int, data: bytes | str, *, owner: Owner = None, created: Created = None
) -> FileAction:
    """Make a file with nine permission bits and this content, text as UTF-8; the rest is as for `mkdir`."""
    if isinstance(data, bytes | bytearray | memoryview):
        content = bytes(data)
    elif isinstance(data, str):
        content = arguments.text("data", data).encode()
    else:
        raise wrong_type("data", "bytes or str", data)
    return FileAction(
        _Mkfile(
            arguments.path("path", path),
            arguments.number("mode", mode, _MODES) & _PERMISSIONS,
            content,
            _chown(owner),
            _timestamp(created),
        )
    )


def rm(path: StrPath, *, allow_not_found: bool = False, wildcard: bool = False) -> FileAction:
    """Remove a file or a folder, with `wildcard` all that the pattern matches."""
    return FileAction(
        _Rm(
            arguments.path("path", path),
            arguments.flag("allow_not_found", allow_not_found),
            arguments.flag("wildcard", wildcard),
        )
    )


def symlink(old: StrPath, new: StrPath, *, owner: Owner = None, created: Created = None) -> FileAction:
    """Make the link `new` that points to `old`; neither is taken below the state's folder."""
    return FileAction(
        _Symlink(arguments.path("old", old), arguments.path("new", new), _chown(owner), _timestamp(created))
    )


def copy(
    source: State | FileAction,
    src: StrPath,
    dest: StrPath,
    *,
    mode: int | str | None = None,
    follow_symlinks: bool = False,
    contents_only: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    required: Sequence[str] = (),
    unpack: bool = False,
    create_dest: bool = False,
    wildcard: bool = False,
    allow_empty_wildcard: bool = False,
    owner: Owner = None,
    created: Created = None,
    replace: bool = False,
) -> FileAction:
    """Copy `src` of `source` to `dest`; relative paths are below the folders of the two states.

    `source` is a state, or actions `with_state`. A folder that exists at `dest` gets the copied folder into
    it, with `contents_only` what is in that. `mode` is a number or symbolic, such as `u+x`; by default
    files keep theirs. `include` and `exclude` are patterns, `required` paths that have to be there all the
    same. `unpack` unpacks an archive, `create_dest` makes the folders above `dest`, `wildcard` takes `src`
    as a pattern, which with `allow_empty_wildcard` may match nothing, and `replace` replaces a folder by a
    file or the reverse. The rest is as for `mkdir`.
    """
    if isinstance(source, FileAction):
        if source._state is None:
            raise UsageError(
                "actions have to be done to a state before they can be copied from", hint="call with_state"
            )
    elif not isinstance(source, StateBase):
        raise wrong_type("source", "a State or FileAction", source)
    if mode is None:
        bits, symbolic = _KEEP_MODE, ""
    elif isinstance(mode, str):
        bits, symbolic = 0, arguments.text("mode", mode)
    else:
        bits, symbolic = _int32(arguments.number("mode", mode, _MODES)), ""
    flags = {
        "followSymlink": arguments.flag("follow_symlinks", follow_symlinks),
        "dirCopyContents": arguments.flag("contents_only", contents_only),
        "attemptUnpackDockerCompatibility": arguments.flag("unpack", unpack),
        "createDestPath": arguments.flag("create_dest", create_dest),
        "allowWildcard": arguments.flag("wildcard", wildcard),
        "allowEmptyWildcard": arguments.flag("allow_empty_wildcard", allow_empty_wildcard),
        "alwaysReplaceExistingDestPaths": arguments.flag("replace", replace),
    }
    return FileAction(
        _Copy(
            source,
            arguments.path("src", src),
            arguments.path("dest", dest),
            bits,
            symbolic,
            _chown(owner),
            _timestamp(created),
            flags,
            arguments.texts("include", include),
            arguments.texts("exclude", exclude),
            arguments.texts("required", required),
        )
    )


def _int32(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


def _timestamp(created: Created) -> int:
    if created is None:
        return _NO_TIME
    if isinstance(created, datetime):
        if created.tzinfo is None:
            raise UsageError("created is a datetime without a time zone")
        return (created - _EPOCH) // timedelta(microseconds=1) * 1000
    return arguments.number("created", created)


def _chown(owner: Owner) -> _Chown | None:
    if owner is None:
        return None
    if isinstance(owner, str):
        user, colon, group = arguments.text("owner", owner).partition(":")
        return _Chown(_user(user), _user(group) if colon else None)
    ids = arguments.sequence("owner", owner, "int")
    if len(ids) != 2:
        raise wrong_type("owner", "str or a pair of int", owner)
    return _Chown(*(_User(arguments.number("owner", each, UINT32)) for each in ids))


def _user(text: str) -> _User:
    if text == "root":
        return _User()
    if re.fullmatch("[+-]?[0-9]+", text) and int(text) in INT32:
        return _User(int(text) % (1 << 32))
    return _User(name=text)


class _Placed(NamedTuple):
    """An action with what its numbers refer to."""

    action: FileAction
    state: StateBase
    base: int
    previous: int | None
    source: int
    source_action: int | None


class FileVertex(Vertex):
    """A chain of actions on a state."""

    __slots__ = ("_action", "_constraints", "_state")

    def __init__(self, state: StateBase, action: FileAction, constraints: Constraints) -> None:
        self._state = state
        self._action = action
        self._constraints = constraints

    def inputs(self) -> Iterable[AnyOutput]:
        """In the order of the reference: the base, then sources from the newest action to the oldest."""
        found: dict[AnyOutput, None] = {}
        for state in self._states():
            if state._output is not None:
                found[state._output] = None
        return found

    def readers(self) -> Iterable[StateBase]:
        return self._states()

    def _states(self) -> list[StateBase]:
        """Each state that is used, newest action first."""
        states: list[StateBase] = []
        seen: set[FileAction] = set()
        stack: list[tuple[FileAction, StateBase]] = [(self._action, self._state)]
        while stack:
            action, state = stack.pop()
            states.append(state)
            if action._before is not None:
                stack.append((action._before, state))
            if isinstance(action._step, _Copy):
                source = action._step.source
                if not isinstance(source, FileAction):
                    states.append(source)
                elif source not in seen and source._state is not None:
                    seen.add(source)
                    stack.append((source, source._state))
        return states

    def encode(self, graph: Inputs) -> Encoded:
        op = ops_pb2.Op()
        op.file.SetInParent()
        inputs: dict[tuple[str, int], int] = {}
        placed = self._place(graph, inputs)
        count = len(inputs)
        for digest, index in inputs:
            op.inputs.add(digest=digest, index=index)
        for each in placed:
            made = op.file.actions.add(output=-1)
            made.input = each.base if each.previous is None else count + each.previous
            made.secondaryInput = each.source if each.source_action is None else count + each.source_action
            _write(made, each.action._step, each.state._known().dir, each.base)
        op.file.actions[-1].output = 0
        return graph.finish(op, self._constraints, ("file.base",))

    def _place(self, graph: Inputs, inputs: dict[tuple[str, int], int]) -> list[_Placed]:
        """All actions in order, those that are copied from before the copy."""

        def index_of(state: StateBase) -> int:
            found = graph.find(state._output)
            return -1 if found is None else inputs.setdefault(found, len(inputs))

        placed: list[_Placed] = []
        done: dict[FileAction, int] = {}
        """Where the last action of a source of copies is."""
        stack = [_Frame(None, self._state, self._action._chain())]
        while stack:
            frame = stack[-1]
            if frame.at == len(frame.chain):
                stack.pop()
                if frame.head is not None:
                    done[frame.head] = len(placed) - 1
                continue
            action = frame.chain[frame.at]
            if frame.base is None:
                frame.base = index_of(frame.state)
            source, source_action = -1, None
            if isinstance(action._step, _Copy):
                given = action._step.source
                if not isinstance(given, FileAction):
                    source = index_of(given)
                elif given in done:
                    source_action = done[given]
                else:
                    assert given._state is not None
                    stack.append(_Frame(given, given._state, given._chain()))
                    continue
            placed.append(_Placed(action, frame.state, frame.base, frame.previous, source, source_action))
            frame.previous = len(placed) - 1
            frame.at += 1
        return placed


class _Frame:
    """A chain that is being placed."""

    __slots__ = ("at", "base", "chain", "head", "previous", "state")

    def __init__(self, head: FileAction | None, state: StateBase, chain: list[FileAction]) -> None:
        self.head = head
        self.state = state
        self.chain = chain
        self.at = 0
        self.base: int | None = None
        self.previous: int | None = None


def _write(made: ops_pb2.FileAction, step: _Step, folder: str, base: int) -> None:
    match step:
        case _Mkdir():
            made.mkdir.path = gopath.place(folder, step.path)
            made.mkdir.mode, made.mkdir.makeParents, made.mkdir.timestamp = (
                step.mode,
                step.parents,
                step.timestamp,
            )
            _write_owner(made.mkdir, step.owner, base)
        case _Mkfile():
            made.mkfile.path = gopath.place(folder, step.path)
            made.mkfile.mode, made.mkfile.data, made.mkfile.timestamp = step.mode, step.data, step.timestamp
            _write_owner(made.mkfile, step.owner, base)
        case _Rm():
            made.rm.path = gopath.place(folder, step.path)
            made.rm.allowNotFound, made.rm.allowWildcard = step.allow_not_found, step.wildcard
        case _Symlink():
            made.symlink.oldpath, made.symlink.newpath = step.old, step.new
            made.symlink.timestamp = step.timestamp
            _write_owner(made.symlink, step.owner, base)
        case _Copy():
            state = step.source._state if isinstance(step.source, FileAction) else step.source
            assert state is not None
            src = gopath.clean(step.src)
            copied = made.copy
            copied.src = gopath.clean(src) if src.startswith("/") else gopath.join(state._known().dir, src)
            copied.dest = gopath.place(folder, step.dest, keep_slash=True)
            copied.mode, copied.modeStr, copied.timestamp = step.mode, step.mode_text, step.timestamp
            for name, value in step.flags.items():
                setattr(copied, name, value)
            copied.include_patterns.extend(step.include)
            copied.exclude_patterns.extend(step.exclude)
            copied.required_paths.extend(step.required)
            _write_owner(copied, step.owner, base)


def _write_owner(made: Any, owner: _Chown | None, base: int) -> None:
    if owner is None:
        return
    made.owner.SetInParent()
    for field, user in (("user", owner.user), ("group", owner.group)):
        if user is not None:
            option = getattr(made.owner, field)
            if user.name:
                option.byName.name, option.byName.input = user.name, base
            else:
                option.byID = user.id
