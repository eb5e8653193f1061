"""Which stretch of time a request is about: the last hours, or from one moment to another.

Half-open, in seconds since the epoch, UTC, as the store takes it. One without any data is empty, and no error.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Annotated, Final

from msgspec import Meta

from api.parameters import Parameters, wrong

_HOUR_S: Final = 3600
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)

#: ISO 8601. The schema says what clients should send; :func:`_moment` takes the other forms of the standard too.
Moment = Annotated[str, Meta(max_length=40, extra_json_schema={"anyOf": [{"format": "date-time"}, {"format": "date"}]})]


class OfWindow(Parameters, frozen=True, kw_only=True):
    """Parameters that name a window."""

    #: How long the window is, where `start` is not given.
    hours: Annotated[int, Meta(ge=1, le=2160)] = 24
    #: Where the window begins: an ISO 8601 time or date, in UTC where it names no offset.
    start: Moment | None = None
    #: Where it ends: now, where it is not given. A time is not in it any more, a date is, as a whole day.
    end: Moment | None = None

    def window(self) -> tuple[int, int]:
        """Return the window; one that ends now has this second in it.

        Raises:
            Refused: 422, for what is no time, and for a window that ends before it begins.

        """
        until_utc = int(time.time()) + 1 if self.end is None else _moment("end", self.end, is_end=True)
        if self.start is None:
            return until_utc - self.hours * _HOUR_S, until_utc
        since_utc = _moment("start", self.start)
        if since_utc >= until_utc:
            raise wrong("start", "expected a time before the window's end")
        return since_utc, until_utc


def _moment(name: str, text: str, *, is_end: bool = False) -> int:
    """Return the second of a time or a date; of a date that ends a window, the one behind its day."""
    try:
        return _seconds(datetime.combine(date.fromisoformat(text), time_of_day(), UTC)) + is_end * 24 * _HOUR_S
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        # A plus sign in an address means a space: the offset is gone, and this is what is left of it.
        hint = ", with the + of its offset written as %2B" if " " in text else ""
        raise wrong(name, f"expected an ISO 8601 time or date, such as 2025-10-15T10:00:00Z{hint}") from error
    return _seconds(found if found.tzinfo else found.replace(tzinfo=UTC))


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _SECOND
