"""Header sections as they come: HEADERS and its CONTINUATIONs gathered, then decompressed (RFC 9113, 4.3)."""

from __future__ import annotations

from typing import TypeAlias

import hpack

from buildctl.http2.frames import ErrorCode, Flag, PeerError

MAX_HEADER_LIST_SIZE = 1_048_896  # Go's 1 MiB and 320 bytes; a build with many followpaths sends 72 kB
MAX_CONTINUATIONS = 128  # twice what a full header list needs in 16 KiB frames; CVE-2024-27316 had no end

Section: TypeAlias = list[tuple[bytes, bytes]]


class HeaderReader:
    """One section at a time: nothing else may come until its last CONTINUATION has."""

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(MAX_HEADER_LIST_SIZE)
        self._data = bytearray()
        self._count = 0
        self.stream_id = 0
        """Of the section that is incomplete; 0 between sections."""
        self.end_stream = False
        """Whether the latest section ends its stream."""

    def begin(self, stream_id: int, flags: int, payload: memoryview) -> Section | None:
        """Take a HEADERS frame without its padding and priority; the section, if that is all of it."""
        self.stream_id = stream_id
        self.end_stream = bool(flags & Flag.END_STREAM)
        self._count = 0
        return self._extend(flags, payload)

    def go_on(self, flags: int, payload: memoryview) -> Section | None:
        """Take a CONTINUATION."""
        if not self.stream_id:
            raise PeerError(ErrorCode.PROTOCOL_ERROR, "sent CONTINUATION without HEADERS")
        self._count += 1
        if self._count > MAX_CONTINUATIONS:
            raise PeerError(ErrorCode.ENHANCE_YOUR_CALM, "sent a header block without end")
        return self._extend(flags, payload)

    def _extend(self, flags: int, payload: memoryview) -> Section | None:
        self._data += payload
        if len(self._data) > MAX_HEADER_LIST_SIZE:
            raise _too_large()
        if not flags & Flag.END_HEADERS:
            return None
        data, self._data = bytes(self._data), bytearray()
        self.stream_id = 0
        try:  # whatever becomes of the stream, the block has to pass through the shared table
            return list(self._decoder.decode(data, raw=True))
        except hpack.OversizedHeaderListError:
            raise _too_large() from None
        except (hpack.HPACKError, IndexError) as error:
            # Its words are not for people: some have the address in memory of what could not be read.
            raise PeerError(ErrorCode.COMPRESSION_ERROR, "sent headers that do not decompress") from error


def _too_large() -> PeerError:
    return PeerError(ErrorCode.ENHANCE_YOUR_CALM, f"sent more than {MAX_HEADER_LIST_SIZE} bytes of headers")
