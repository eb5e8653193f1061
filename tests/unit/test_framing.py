from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.errors import WireError
from ipc.framing import MAX_PAYLOAD_BYTES, Deframer, frame

payloads = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


@given(payloads=payloads, cuts=st.lists(st.integers(min_value=0, max_value=2600), max_size=12))
def test_every_cut_of_the_bytes_gives_the_same_payloads(payloads: list[bytes], cuts: list[int]) -> None:
    """Whatever pieces the network makes of a stream, the frames come out whole and in order."""
    stream = b"".join(frame(payload) for payload in payloads)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    deframer = Deframer()
    got = [payload for start, end in pairwise(edges) for payload in deframer.feed(stream[start:end])]
    assert got == payloads
    assert deframer.is_between_frames


def test_byte_by_byte_gives_the_payload() -> None:
    """The smallest cut of all: one byte at a time."""
    deframer = Deframer()
    got = [payload for byte in frame(b"hello") for payload in deframer.feed(bytes((byte,)))]
    assert got == [b"hello"]


@pytest.mark.parametrize("length", [0, MAX_PAYLOAD_BYTES + 1, 0xFFFFFFFF])
def test_an_impossible_length_is_refused_at_once(length: int) -> None:
    """Four bytes are enough to know: no memory is spent on what they announce."""
    with pytest.raises(WireError, match=str(length)):
        list(Deframer().feed(length.to_bytes(4, "big")))


def test_the_frames_before_a_bad_length_are_delivered() -> None:
    """What was whole before the stream went wrong is not lost with it."""
    stream = Deframer().feed(frame(b"one") + b"\xff\xff\xff\xff")
    assert next(stream) == b"one"
    with pytest.raises(WireError):
        next(stream)


@pytest.mark.parametrize("payload", [b"", b"x" * (MAX_PAYLOAD_BYTES + 1)])
def test_a_payload_that_no_receiver_would_take_is_not_framed(payload: bytes) -> None:
    """The sender's side of the limit."""
    with pytest.raises(WireError):
        frame(payload)


def test_the_largest_payload_passes() -> None:
    """The limit itself is allowed."""
    payload = b"x" * MAX_PAYLOAD_BYTES
    assert list(Deframer().feed(frame(payload))) == [payload]


def test_half_a_frame_is_told_from_a_clean_end() -> None:
    """So that a receiver can say that its peer died within a frame."""
    deframer = Deframer()
    assert list(deframer.feed(frame(b"whole")[:-1])) == []
    assert not deframer.is_between_frames
