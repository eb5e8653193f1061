"""What can go wrong on purpose: which operation, how, and how often.

    cosmos.faults.inject(throttle(50), "upsert", "batch", times=3)
    cosmos.faults.inject(Drop(is_applied=True), "create")
    cosmos.faults.inject(Hang(), times=None)          # every operation, until cleared

The one injected first and still due comes first. The account read and the reading of containers are operations too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from fakes.cosmos.refusal import Refused, throttled
from fakes.cosmos.requests import KINDS

if TYPE_CHECKING:
    from fakes.cosmos.requests import Kind


@dataclass(frozen=True)
class Refuse:
    """Answer with this status, and do nothing."""

    status: int
    substatus: int = 0
    wait_ms: int | None = None

    def refused(self) -> Refused:
        """Return what is answered."""
        if self.wait_ms is not None:
            return throttled(self.wait_ms)
        return Refused(self.status, "Injected", substatus=self.substatus)


@dataclass(frozen=True)
class Hang:
    """Take the request and do not answer, for at most ``limit_s``; then close the connection."""

    #: Whether it is carried out all the same.
    is_applied: bool = False
    limit_s: float = 30.0


@dataclass(frozen=True)
class Drop:
    """Close the connection in place of an answer."""

    #: Whether it is carried out before.
    is_applied: bool = False


@dataclass(frozen=True)
class Slow:
    """Answer rightly, ``delay_s`` later."""

    delay_s: float


Fault: TypeAlias = Refuse | Hang | Drop | Slow


def throttle(wait_ms: int) -> Refuse:
    """Return a 429 that says to come again in ``wait_ms``."""
    return Refuse(429, wait_ms=wait_ms)


#: Too busy; the service's advice is to try again.
UNAVAILABLE = Refuse(503)
#: Two writes of one document met; the service's advice is to try again.
RETRY_WITH = Refuse(449)
#: The physical partition has split or moved: read the ranges again.
GONE = Refuse(410, substatus=1002)


@dataclass
class _Due:
    fault: Fault
    kinds: tuple[Kind, ...]
    left: int | None


@dataclass
class Faults:
    """The faults that are due."""

    #: How many have happened.
    happened: int = 0
    _due: list[_Due] = field(default_factory=list)

    def inject(self, fault: Fault, *kinds: Kind, times: int | None = 1) -> None:
        """Let an operation of one of these kinds (any, if none is named) fail so many times; None: for ever."""
        self._due.append(_Due(fault, kinds or KINDS, times))

    def clear(self) -> None:
        """Let everything work again."""
        self._due.clear()

    def take(self, kind: Kind) -> Fault | None:
        """Return the fault that this operation meets, and count it."""
        due = next((each for each in self._due if kind in each.kinds and each.left != 0), None)
        if due is None:
            return None
        self.happened += 1
        if due.left is not None:
            due.left -= 1
        return due.fault
