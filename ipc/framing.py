"""Frames: four bytes of length (big-endian, unsigned), then that many bytes of payload.

Pure: no socket, no clock, no message. Bytes come in whatever cuts the network made of them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from ipc.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: No payload is longer: 8 MiB holds thousands of posts, and a garbled length is noticed at once. Chosen, not measured.
MAX_PAYLOAD_BYTES: Final = 8 * 1024 * 1024

_LENGTH: Final = struct.Struct("!I")


def frame(payload: bytes) -> bytes:
    """Return ``payload`` with its length before it.

    Raises:
        WireError: the payload is empty or longer than :data:`MAX_PAYLOAD_BYTES`.

    """
    _check(len(payload))
    return _LENGTH.pack(len(payload)) + payload


class Deframer:
    """Turns a stream of bytes back into payloads; holds at most one frame that is not yet whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def is_between_frames(self) -> bool:
        """True when no half frame is held: an end of stream here is a clean one."""
        return not self._buffer

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes of the stream and yield each payload that they complete, in order.

        Raises:
            WireError: a length of zero or over the limit, as soon as its four bytes are in.

        """
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(self._buffer, start)
                _check(length)
                end = start + _LENGTH.size + length
                if len(self._buffer) < end:
                    break
                payload = bytes(self._buffer[start + _LENGTH.size : end])
                start = end
                yield payload
        finally:
            del self._buffer[:start]


def _check(length: int) -> None:
    if not 0 < length <= MAX_PAYLOAD_BYTES:
        raise WireError(f"a frame of {length} bytes: expected 1 to {MAX_PAYLOAD_BYTES}")
