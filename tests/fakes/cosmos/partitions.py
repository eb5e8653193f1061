"""Which physical partition a partition key lives in.

The service hashes a key (MurmurHash3, the 128-bit variant for 64-bit machines, seed 0) to an *effective
partition key*, a hex string of which the two highest bits are zero, and gives each physical partition a range of
those. An SDK that routes by itself computes the same string, so the fake must agree with it to the bit.
"""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple, TypeAlias

from fakes.cosmos.expressions import UNDEFINED, rank

#: The rank of the value at each path of the partition key, which keeps true and 1 apart.
Key: TypeAlias = tuple[tuple[int, Any], ...]

_NUMBER: Final = rank(0)[0]
_WORD: Final = (1 << 64) - 1
_C1: Final = 0x87C37B91114253D5
_C2: Final = 0x4CF5AD432745937F


class KeyRange(NamedTuple):
    """A physical partition: the effective partition keys from ``low`` up to but without ``high``."""

    id: str
    low: str
    high: str

    def holds(self, effective: str) -> bool:
        """Say whether a key with this effective partition key lives here."""
        return self.low <= effective < self.high


def split(count: int) -> list[KeyRange]:
    """Cut all keys into this many ranges of the same width."""
    cuts = ["", *(f"{number * 0x4000 // count:04X}" for number in range(1, count)), "FF"]
    return [KeyRange(str(number), low, high) for number, (low, high) in enumerate(pairwise(cuts))]


def parse(header: str) -> Key:
    """Return the key that a request's header says: a JSON list, ``{}`` for undefined."""
    return tuple(rank(UNDEFINED if value == {} else value) for value in json.loads(header))


@lru_cache(maxsize=65536)
def effective(key: Key) -> str:
    """Return the effective partition key."""
    low, high = murmur3_128(b"".join(map(_hashed, key)))
    digest = bytearray(struct.pack(">QQ", high, low))
    digest[0] &= 0x3F
    return digest.hex().upper()


def _hashed(ranked: tuple[int, Any]) -> bytes:
    """Return the bytes that stand for one value: a mark of its type, then the value."""
    match ranked[1]:
        case bool() as value:
            return b"\x03" if value else b"\x02"
        case int() | float() as value if ranked[0] == _NUMBER:
            return b"\x05" + struct.pack("<d", value)
        case str() as value:
            return b"\x08" + value.encode() + b"\xff"
    return bytes([ranked[0]])


def murmur3_128(data: bytes) -> tuple[int, int]:
    """Return the two halves of the hash (Austin Appleby's algorithm, which is in the public domain)."""
    first = second = 0
    whole = len(data) - len(data) % 16
    for at in range(0, whole, 16):
        one, two = struct.unpack_from("<QQ", data, at)
        first = (_turned(first ^ _scrambled(one, _C1, 31, _C2), 27) + second) * 5 + 0x52DCE729 & _WORD
        second = (_turned(second ^ _scrambled(two, _C2, 33, _C1), 31) + first) * 5 + 0x38495AB5 & _WORD
    one, two = struct.unpack("<QQ", data[whole:].ljust(16, b"\0"))
    first ^= _scrambled(one, _C1, 31, _C2) ^ len(data)
    second ^= _scrambled(two, _C2, 33, _C1) ^ len(data)
    first = first + second & _WORD
    second = second + first & _WORD
    first, second = _avalanched(first), _avalanched(second)
    first = first + second & _WORD
    return first, second + first & _WORD


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> 64 - bits) & _WORD


def _scrambled(word: int, before: int, bits: int, after: int) -> int:
    return _turned(word * before & _WORD, bits) * after & _WORD


def _avalanched(word: int) -> int:
    word = (word ^ word >> 33) * 0xFF51AFD7ED558CCD & _WORD
    word = (word ^ word >> 33) * 0xC4CEB9FE1A85EC53 & _WORD
    return word ^ word >> 33
