from __future__ import annotations

import pytest

from api.errors import Refused
from api.parameters import MAX_HOURS, InWindow

#: 2025-10-15T10:00:00Z.
NOW = 1_760_522_400
DAY = 86_400
MIDNIGHT = NOW - 10 * 3600


@pytest.mark.parametrize(
    ("asked", "window"),
    [
        (InWindow(), (NOW + 1 - DAY, NOW + 1)),
        (InWindow(hours=3), (NOW + 1 - 3 * 3600, NOW + 1)),
        (InWindow(start="2025-10-15", end="2025-10-15"), (MIDNIGHT, MIDNIGHT + DAY)),
        (InWindow(start="20251015", end="20251015"), (MIDNIGHT, MIDNIGHT + DAY)),
        (InWindow(start="2025-10-15T09:00:00Z"), (NOW - 3600, NOW + 1)),
        (InWindow(start="2025-10-15T09:00:00"), (NOW - 3600, NOW + 1)),
        (InWindow(start="2025-10-15T11:00:00+02:00"), (NOW - 3600, NOW + 1)),
        (InWindow(end="2025-10-15T10:00:00Z", hours=2), (NOW - 7200, NOW)),
        (InWindow(start="2025-10-15T09:00:00Z", hours=2), (NOW - 3600, NOW + 1)),
    ],
)
def test_a_window_is_the_last_hours_or_what_stands_between_two_times(asked: InWindow, window: tuple[int, int]) -> None:
    """Dates are whole days, zones are kept, UTC is meant where there is none."""
    assert asked.window(NOW) == window


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (InWindow(start="yesterday"), "start"),
        (InWindow(end=""), "end"),
        (InWindow(end="2025-13-01"), "end"),
        (InWindow(start="2025-10-15T10:00:00 02:00"), "start"),
        (InWindow(start="0001-01-01T00:00:00+14:00"), "start"),
        (InWindow(start="2025-10-16"), "start"),
        (InWindow(start="2025-10-15", end="2025-10-14"), "start"),
        (InWindow(start="2025-01-01"), "start"),
        (InWindow(start="10:00"), "start"),
    ],
)
def test_a_window_that_is_none_is_refused_by_name(asked: InWindow, named: str) -> None:
    """Not a time, an end before its start, a window that is too long: one sentence says which parameter it is."""
    with pytest.raises(Refused, match=f"The parameter {named} is wrong: expected ") as refused:
        asked.window(NOW)
    assert (refused.value.status, refused.value.code) == (422, "wrong_parameter")


def test_the_longest_window_is_allowed() -> None:
    """90 days, however they are asked for."""
    since_utc, until_utc = InWindow(hours=MAX_HOURS).window(NOW)
    assert until_utc - since_utc == MAX_HOURS * 3600
    since_utc, until_utc = InWindow(start="2025-07-01", end="2025-09-28").window(NOW)
    assert until_utc - since_utc == 90 * DAY
