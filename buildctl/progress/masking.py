"""Hides the values of secrets in all that a build says, before anything shows or records it.

What is looked for are the forms of `secretforms`, in the bytes and in what a reader sees of them
(`visiblebytes`), and on through newlines, for programs wrap long lines. A log comes in pieces that end
anywhere, so the end of a piece that may be the beginning of a secret is kept until the line goes on, the step
completes, or the build ends; no clock is asked, for whoever writes a secret slowly would have it shown.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from buildctl.errors import BuildctlError, SolveError
from buildctl.model.status import SolveStatus, SourceInfo, Vertex, VertexLog, VertexStatus, VertexWarning
from buildctl.progress.visiblebytes import VisibleBytes, is_all_visible, settled

MASK = b"***"
_PREFIX = 8
"""Bytes of a form that the pattern has; whether the rest is there is looked up. A form is found across lines
if so much of it stands on the first."""
_UNSEEN_BYTES = 256
"""Bytes that are not seen and are kept with what may become a secret; more are dropped."""
_MOVES_BACK = re.compile(rb"\x08|(?:\x1b\[|\xc2\x9b)[0-9;]*[DG]")
_TOKEN = re.compile(rb"\n|\x1b\[[0-9;:]*m|[^\n\x1b]+|\x1b")

_NEWLINE = 0x0A
_TOKENS = 32
"""Tokens that are hidden, the latest; a daemon may have as many made as it likes."""
_STREAMS = 2048
"""Streams of steps of which an end is kept, some kilobytes of each at most."""

Span = tuple[int, int]


class Masker:
    """Knows secrets, replaces them by `***`; it does nothing until it has learned one."""

    def __init__(self) -> None:
        self._learned: set[bytes] = set()
        self._lasting: set[bytes] = set()
        self._tokens: dict[bytes, set[bytes]] = {}
        """The forms of each, the one learned last at the end."""
        self._is_stale = False
        self._forms: list[bytes] = []
        self._known: set[bytes] = set()
        self._compiled: re.Pattern[bytes] | None = None
        self._lengths: dict[bytes, list[int]] = {}
        self._first_bytes: frozenset[int] = frozenset()
        self._longest = 0

    def __bool__(self) -> bool:
        return self._pattern is not None

    def learn(self, secret: bytes) -> None:
        """Hide this value from now on; one of less than four bytes is not hidden."""
        if secret in self._learned:
            return
        from buildctl.progress.secretforms import secret_forms

        self._learned.add(secret)
        self._lasting |= secret_forms(secret)
        self._is_stale = True

    def learn_token(self, token: bytes) -> None:
        """The same for one of many secrets, forgotten once enough others have been learned after it."""
        if token in self._learned:
            return
        forms = self._tokens.pop(token, None)
        if forms is None:
            from buildctl.progress.secretforms import secret_forms

            forms = secret_forms(token)
            self._is_stale = True
        self._tokens[token] = forms
        if len(self._tokens) > _TOKENS:
            del self._tokens[next(iter(self._tokens))]

    @property
    def _pattern(self) -> re.Pattern[bytes] | None:
        """What finds prefixes of forms; made when it is needed, for many secrets may be learned at once."""
        if self._is_stale:
            self._is_stale = False
            self._compile()
        return self._compiled

    def _compile(self) -> None:
        self._known = self._lasting.union(*self._tokens.values())
        if not self._known:
            return
        self._forms = sorted(self._known)
        self._lengths = {}
        prefixes: list[bytes] = []
        for form in self._forms:
            prefix = form[:_PREFIX]
            if not (prefixes and prefix.startswith(prefixes[-1])):
                prefixes.append(prefix)
            lengths = self._lengths.setdefault(prefixes[-1], [])
            if len(form) not in lengths:
                lengths.append(len(form))
        self._compiled = re.compile(_alternation(prefixes))
        self._first_bytes = frozenset(form[0] for form in self._forms)
        self._longest = max(map(len, self._forms))

    def mask(self, data: bytes) -> bytes:
        """`data`, whole, without any known secret."""
        spans = self.spans(data)
        return _replaced(data, spans) if spans else data

    def mask_text(self, text: str) -> str:
        """The same for text; bytes that are no UTF-8 are surrogates in it."""
        if self._pattern is None:
            return text
        try:
            data = text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:  # surrogates that stand for no byte
            data = text.encode("utf-8", "replace")
        spans = self.spans(data)
        return _replaced(data, spans).decode("utf-8", "surrogateescape") if spans else text

    def spans(self, data: bytes) -> list[Span]:
        """Where secrets are, in order; those that overlap are one."""
        return self.scan(data)[0]

    def passes(self, data: bytes) -> bool:
        """Whether these are whole lines, without any secret, that nothing before or after them changes.

        It is quick, and says so of most logs; of others it may say no.
        """
        pattern = self._pattern
        return (
            data[-1:] == b"\n"
            and pattern is not None
            and pattern.search(data) is None
            and is_all_visible(data)
        )

    def scan(self, data: bytes) -> tuple[list[Span], int]:
        """The spans, and where the end begins that may be the beginning of a secret; its length if none does.

        What goes on from there is to be scanned again, together with it.
        """
        if self._pattern is None or not data:
            return [], len(data)
        spans, until = self._look(data)
        seen: VisibleBytes | None = None
        text = data
        if not (all_visible := is_all_visible(data)) or data[-1] >= 0x80:
            cut = settled(data)
            if cut < len(data):
                text = data[:cut]
                until = min(until, cut, self._look(text)[1])
        if not all_visible:
            seen = VisibleBytes(data)
            found, open_at = self._look(seen.text)
            if found:
                spans = _merged(spans, [(seen.place(begin), seen.place(end - 1) + 1) for begin, end in found])
            if _MOVES_BACK.search(data):
                spans = _merged(spans, self._drawn(data, spans))
            if text is not data:
                seen = VisibleBytes(text)
                _, open_at = self._look(seen.text)
            text = seen.text
            if open_at < len(text):
                until = min(until, seen.place(open_at))
        if text and text[-1] != _NEWLINE:  # the last character goes if it is overstruck
            last = _last_character(text)
            open_at = self._unfinished(text[:last])
            if open_at < last:
                start = seen.place(open_at) if seen else open_at
                if not any(begin <= start < end for begin, end in spans[-2:]):
                    until = min(until, start)
        return spans, seen.boundary(until) if seen else until

    def _drawn(self, data: bytes, known: Sequence[Span]) -> list[Span]:
        """Lines without known secrets that show one once what moves the cursor back is obeyed."""
        from buildctl.progress.vt import PLAIN, read_line

        found: list[Span] = []
        start = 0
        for line in data.split(b"\n"):
            end = start + len(line)
            if _MOVES_BACK.search(line) and not any(begin < end and start < stop for begin, stop in known):
                drawn = "".join(span.text for span in read_line(line, PLAIN)[0])
                if self._look(drawn.encode("utf-8", "replace"))[0]:
                    found.append((start, end))
            start = end + 1
        return found

    def undecided(self, data: bytes) -> int:
        """Where the end of `data` begins that may be the beginning of a secret; its length if none does."""
        return self.scan(data)[1]

    def _look(self, data: bytes) -> tuple[list[Span], int]:
        """The same for these bytes as they are."""
        pattern = self._pattern
        assert pattern is not None
        spans: list[Span] = []
        until = len(data)
        found = pattern.search(data)
        while found:
            start = found.start()
            end, is_open = self._end(data, start, found[0])
            if is_open:
                until = min(until, start)
            if end and spans and start < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            elif end:
                spans.append((start, end))
            found = pattern.search(data, start + 1)
        return spans, min(until, self._unfinished(data))

    def _unfinished(self, data: bytes) -> int:
        """Where the end of the last line begins that may be the beginning of a secret."""
        size = len(data)
        for start in range(max(data.rfind(b"\n") + 1, size - self._longest + 1), size):
            if data[start] in self._first_bytes and self._may_become_one(data[start:]):
                return start
        return size

    def _may_become_one(self, begun: bytes) -> bool:
        """Whether some form is longer than this and begins with it."""
        forms = self._forms
        place = bisect_left(forms, begun)
        # Of all forms that begin with it, the shortest comes first; others follow it.
        if place < len(forms) and forms[place] == begun:
            place += 1
        return place < len(forms) and forms[place].startswith(begun)

    def _end(self, data: bytes, start: int, prefix: bytes) -> tuple[int, bool]:
        """Where the longest secret ends that begins at `start`, 0 if none does; and whether one that is
        wrapped there may go on after the end of `data`."""
        line = data.find(b"\n", start, start + self._longest)
        window = data[start : start + (self._longest if line < 0 else 2 * self._longest)]
        text = window if line < 0 else window.replace(b"\n", b"")
        known = self._known
        length = max((size for size in self._lengths[prefix] if text[:size] in known), default=0)
        if line < 0:
            return (start + length if length and length <= len(text) else 0), False
        is_open = len(data) - start < 2 * self._longest and self._may_become_one(text)
        return (start + _raw_length(window, length) if length else 0), is_open


class StatusMasker:
    """Masks the messages of one build, in order."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._streams: dict[str, dict[int, _Stream]] = {}
        """By vertex; the one that has been silent for longest comes first."""
        self._count = 0

    def mask(self, status: SolveStatus) -> SolveStatus:
        """The message without secrets; the last bytes of a log may come with a later one."""
        if not self._masker:
            return status
        logs: Sequence[VertexLog] = self._logs(status.logs) if status.logs else ()
        completed = dict.fromkeys(one.digest for one in status.vertexes if one.completed_ns is not None)
        if completed and self._streams:
            logs = (*logs, *self._rest(completed))
        return SolveStatus(
            tuple(map(self._vertex, status.vertexes)),
            tuple(map(self._counter, status.statuses)),
            logs,
            tuple(map(self._warning, status.warnings)),
        )

    def finish(self) -> SolveStatus:
        """What is still kept, for a build that has ended."""
        return SolveStatus(logs=tuple(self._rest(tuple(self._streams))))

    def _logs(self, logs: Sequence[VertexLog]) -> tuple[VertexLog, ...]:
        masked: list[VertexLog] = []
        streams, passes = self._streams, self._masker.passes
        for log in logs:
            of_vertex = streams.get(log.vertex)
            if passes(log.data) and (of_vertex is None or log.stream not in of_vertex):
                masked.append(log)
                continue
            stream = self._taken(log.vertex, log.stream) or _Stream()
            data = stream.feed(self._masker, log.data)
            if stream.kept:
                stream.timestamp_ns = log.timestamp_ns
                of_vertex = streams.pop(log.vertex, {})
                of_vertex[log.stream] = stream
                streams[log.vertex] = of_vertex
                self._count += 1
            if data is log.data:
                masked.append(log)
            elif data:
                masked.append(log._replace(data=data))
            if self._count > _STREAMS:
                masked += self._rest((next(iter(streams)),), hidden=True)
        return tuple(masked)

    def _taken(self, vertex: str, number: int) -> _Stream | None:
        of_vertex = self._streams.get(vertex)
        if of_vertex is None or (stream := of_vertex.pop(number, None)) is None:
            return None
        self._count -= 1
        if not of_vertex:
            del self._streams[vertex]
        return stream

    def _rest(self, vertexes: Iterable[str], *, hidden: bool = False) -> Iterator[VertexLog]:
        """What is kept of these; `hidden` where more may follow, so that it may be a part of a secret."""
        for vertex in vertexes:
            of_vertex = self._streams.pop(vertex, {})
            self._count -= len(of_vertex)
            for number, stream in of_vertex.items():
                if data := MASK if hidden else stream.end(self._masker):
                    yield VertexLog(vertex, data, number, stream.timestamp_ns)

    def _vertex(self, vertex: Vertex) -> Vertex:
        text = self._masker.mask_text
        group = vertex.progress_group
        if group is not None:
            group = group._replace(id=text(group.id), name=text(group.name))
        return vertex._replace(name=text(vertex.name), error=text(vertex.error), progress_group=group)

    def _counter(self, counter: VertexStatus) -> VertexStatus:
        text = self._masker.mask_text
        return counter._replace(id=text(counter.id), name=text(counter.name))

    def _warning(self, warning: VertexWarning) -> VertexWarning:
        mask, text = self._masker.mask, self._masker.mask_text
        info = warning.source_info
        return warning._replace(
            short=mask(warning.short),
            detail=tuple(map(mask, warning.detail)),
            url=text(warning.url),
            source_info=None if info is None else self._source_info(info),
        )

    def _source_info(self, info: SourceInfo) -> SourceInfo:
        masker = self._masker
        # A serialized message cannot have other bytes in it, and need not be there.
        definition = b"" if masker.spans(info.definition) else info.definition
        return SourceInfo(
            masker.mask_text(info.filename),
            masker.mask(info.data),
            masker.mask_text(info.language),
            definition,
        )


class _Stream:
    """What is kept of one stream of a step."""

    __slots__ = ("_covered", "kept", "timestamp_ns")

    def __init__(self) -> None:
        self.kept = b""
        self._covered = 0
        """So many of the first kept bytes belong to a secret for which `***` has been given out."""
        self.timestamp_ns = 0

    def feed(self, masker: Masker, data: bytes) -> bytes:
        """What can be told of all that came; `data` itself if that is it."""
        if self.kept:
            data = self.kept + data
        spans, until = masker.scan(data)
        given = self._give(data, spans, until)
        if len(self.kept) > _UNSEEN_BYTES and not is_all_visible(self.kept):
            text = VisibleBytes(self.kept).text
            if len(self.kept) - len(text) > _UNSEEN_BYTES:
                self._covered = len(VisibleBytes(self.kept[: self._covered]).text)
                self.kept = text
        return given

    def end(self, masker: Masker) -> bytes:
        """What was kept."""
        return self._give(self.kept, masker.spans(self.kept), len(self.kept))

    def _give(self, data: bytes, spans: list[Span], until: int) -> bytes:
        begun = covered = self._covered
        self.kept = data[until:]
        self._covered = 0
        if not (spans or begun or self.kept):
            return data
        parts: list[bytes] = []
        position = 0
        if begun:
            while spans and spans[0][0] < begun:
                begun = max(begun, spans.pop(0)[1])
            parts.append(_hidden(data[covered:begun], masked=True))
            position = begun
        for start, end in spans:
            if start >= until:
                break
            parts += (data[position:start], _hidden(data[start:end]))
            position = end
        parts.append(data[position:until])
        self._covered = max(0, position - until)
        return b"".join(parts)


def mask_error(masker: Masker, error: BuildctlError) -> None:
    """Hide secrets in all that an error says."""
    text = masker.mask_text
    error.args = tuple(text(part) if isinstance(part, str) else part for part in error.args)
    error.message = text(error.message)
    error.hint = text(error.hint)
    if isinstance(error, SolveError):
        error.excerpts = tuple(
            excerpt._replace(filename=text(excerpt.filename), data=masker.mask(excerpt.data))
            for excerpt in error.excerpts
        )
        error.denials = tuple(map(text, error.denials))


def _replaced(data: bytes, spans: Sequence[Span]) -> bytes:
    parts: list[bytes] = []
    position = 0
    for start, end in spans:
        parts += (data[position:start], _hidden(data[start:end]))
        position = end
    parts.append(data[position:])
    return b"".join(parts)


def _hidden(secret: bytes, *, masked: bool = False) -> bytes:
    """What stands for these bytes: a mask in each line, unless there is one already, and their colours."""
    if not masked and b"\n" not in secret and b"\x1b" not in secret:
        return MASK
    parts: list[bytes] = []
    for token in _TOKEN.findall(secret):
        if token == b"\n":
            parts.append(token)
            masked = False
        elif token.startswith(b"\x1b["):
            parts.append(token)
        elif not masked:
            parts.append(MASK)
            masked = True
    return b"".join(parts)


def _merged(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    spans: list[Span] = []
    for start, end in sorted([*one, *other]):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _raw_length(window: bytes, length: int) -> int:
    """How many bytes of `window` hold so many that are not newlines."""
    position = 0
    while (line := window.find(b"\n", position)) >= 0 and line - position < length:
        length -= line - position
        position = line + 1
    return position + length


def _last_character(text: bytes) -> int:
    """Where the last character of UTF-8 begins."""
    start = len(text) - 1
    while start > max(len(text) - 4, 0) and text[start] & 0xC0 == 0x80:
        start -= 1
    return start


def _alternation(words: Sequence[bytes]) -> bytes:
    """A pattern for any of some sorted words, none of which begins another: a tree by their bytes."""
    if len(words) == 1:
        return re.escape(words[0])
    branches: dict[bytes, list[bytes]] = {}
    for word in words:
        branches.setdefault(word[:1], []).append(word[1:])
    return b"(?:%s)" % b"|".join(re.escape(head) + _alternation(rest) for head, rest in branches.items())
