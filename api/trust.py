"""Whether the data can be trusted, in words for the top of a page: made here once, for the page and for every client.

It judges nothing anew: the status, its reasons and the notes of health become one level and one short sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from api.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.verdict import HealthStatus

#: ``good``: nothing is known against it. ``care``: something is. ``none``: it says nothing about the world of now.
TrustLevel = Literal["good", "care", "none"]

_SAMPLE: Final = "sample"
_LOST: Final = "The store does not answer. What is shown is what it said last, if anything."
_SAMPLE_ONLY: Final = (
    "Sample data. These posts were written for a first look at the program; they are not from Reddit and say nothing"
    " about anybody\N{RIGHT SINGLE QUOTATION MARK}s opinion."
)
_MIXED: Final = (
    "Partly sample data. Posts that were written for a first look at the program are counted together with collected"
    " ones."
)
_EMPTY: Final = "Nothing has been collected yet."


class Trust(Answer, frozen=True, kw_only=True):
    """How far the data can be trusted, and why in one sentence."""

    level: TrustLevel
    sentence: str


def trust(status: HealthStatus, reasons: Sequence[str], sources: Sequence[str], items: int | None) -> Trust:
    """Return the level and the sentence; ``items`` is None where the store did not say."""
    if status == "unhealthy":
        return Trust(level="none", sentence=_LOST)
    if _SAMPLE in sources:
        return Trust(level="none", sentence=_SAMPLE_ONLY) if len(sources) == 1 else Trust(level="care", sentence=_MIXED)
    if not items:
        return Trust(level="care", sentence=_EMPTY)
    if reasons:
        more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        return Trust(level="care", sentence=f"Read with care: {reasons[0]}{more}.")
    return Trust(level="good", sentence="The data is fresh, and all processes run.")
