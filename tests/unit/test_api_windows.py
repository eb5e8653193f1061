"""Windows of time, as requests name them."""

from __future__ import annotations

import time

import pytest

from api.errors import Refused
from api.windows import OfWindow

TEN_O_CLOCK = 1_760_522_400
DAY_S = 24 * 3600
MIDNIGHT = 1_760_486_400


def test_hours_end_now_and_this_second_is_in_them() -> None:
    """The window without a word is the last day."""
    before = int(time.time())
    since_utc, until_utc = OfWindow().window()
    assert before < until_utc <= int(time.time()) + 1
    assert until_utc - since_utc == DAY_S


@pytest.mark.parametrize(
    ("start", "end", "since_utc", "until_utc"),
    [
        ("2025-10-15T10:00:00Z", "2025-10-15T11:00:00Z", TEN_O_CLOCK, TEN_O_CLOCK + 3600),
        ("2025-10-15T10:00:00", "2025-10-15T13:00:00+02:00", TEN_O_CLOCK, TEN_O_CLOCK + 3600),
        ("2025-10-15", "2025-10-15", MIDNIGHT, MIDNIGHT + DAY_S),
        ("2025-10-15T10:00:00.999Z", "2025-10-16", TEN_O_CLOCK, MIDNIGHT + 2 * DAY_S),
        ("0001-01-01T00:00:00+14:00", "9999-12-31", -62_135_647_200, 253_402_300_800),
    ],
)
def test_a_window_from_one_moment_to_another(start: str, end: str, since_utc: int, until_utc: int) -> None:
    """Times are exact to the second and UTC unless they say otherwise; the day of an end is in the window."""
    assert OfWindow(start=start, end=end, hours=1).window() == (since_utc, until_utc)


def test_hours_count_back_from_an_end() -> None:
    """Without a start, the window is as long as the hours say."""
    assert OfWindow(end="2025-10-15T10:00:00Z", hours=2).window() == (TEN_O_CLOCK - 7200, TEN_O_CLOCK)


def test_a_start_alone_reaches_to_now() -> None:
    """Then the hours do not count."""
    since_utc, until_utc = OfWindow(start="2025-10-15", hours=1).window()
    assert since_utc == MIDNIGHT
    assert until_utc > int(time.time())


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("yesterday", None, "The parameter start is wrong: expected an ISO 8601 time or date"),
        (None, "2025-13-01", "The parameter end is wrong: expected an ISO 8601 time or date"),
        ("2025-10-15T10:00:00 02:00", None, "%2B"),
        ("2025-10-16", "2025-10-15", "The parameter start is wrong: expected a time before"),
        ("2025-10-15T10:00:00Z", "2025-10-15T10:00:00Z", "expected a time before"),
        ("9999-01-01", None, "expected a time before"),
        ("\x00", None, "expected an ISO 8601"),
    ],
)
def test_what_is_no_window_is_said_so(start: str | None, end: str | None, told: str) -> None:
    """The sentence names the parameter."""
    with pytest.raises(Refused) as refused:
        OfWindow(start=start, end=end).window()
    assert refused.value.status == 422
    assert told in str(refused.value)
