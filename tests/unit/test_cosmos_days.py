"""The document of a day and what windows read of it, the meter, the words and the layout: no network."""

from __future__ import annotations

import pytest
from fakes.stored import TEN_O_CLOCK, scored

from agent.records import Hour, Totals
from agent.store import cosmos_days, cosmos_layout, cosmos_words
from agent.store.cosmos_days import DAY_ID, HOUR_S, Delta, Window
from agent.store.cosmos_documents import DAY_S, Document
from agent.store.cosmos_meter import Meter

MIDNIGHT = TEN_O_CLOCK // DAY_S * DAY_S


def day(**hours: tuple[int, int, int, int]) -> Document:
    """Return a day's document with these hours, such as ``h10=(positive, neutral, negative, nano)``."""
    made = cosmos_days.day_document("cursor|2025-10-15")
    for hour, counts in hours.items():
        made["hours"][hour[1:]] = dict(zip(("positive", "neutral", "negative", "nano"), counts, strict=True))
    return made


def test_a_day_knows_itself_from_its_partition() -> None:
    """Its second and its subreddit, however odd the subreddit is called."""
    made = cosmos_days.day_document("a|b|2025-10-15")
    assert (made["id"], made["sub"], made["day_utc"], made["day_key"]) == (DAY_ID, "a|b", MIDNIGHT, "a|b|2025-10-15")


def test_what_is_taken_out_leaves_nothing_behind() -> None:
    """An edit and its reverse come to no change at all: the sums are whole numbers."""
    delta, one, other = Delta(), scored(sentiment="positive"), scored(sentiment="negative")
    delta.exchange(one, other)
    delta.exchange(other, one)
    assert delta.patches() == []


@pytest.mark.parametrize(
    ("since", "until", "pieces", "days"),
    [
        (0, 10 * HOUR_S, [], (0, 0)),
        (1, HOUR_S, [(1, HOUR_S)], None),
        (1, 2, [(1, 2)], None),
        (1, HOUR_S + 1, [(1, HOUR_S), (HOUR_S, HOUR_S + 1)], None),
        (10, DAY_S + HOUR_S, [(10, HOUR_S)], (0, DAY_S)),
        (10, DAY_S, [(10, HOUR_S)], (0, 0)),
        (DAY_S - 1, DAY_S + HOUR_S + 1, [(DAY_S - 1, DAY_S), (DAY_S + HOUR_S, DAY_S + HOUR_S + 1)], (DAY_S, DAY_S)),
        (5, 5, [], None),
        (9, 5, [], None),
    ],
)
def test_a_window_is_whole_hours_and_pieces_at_its_ends(
    since: int, until: int, pieces: list[tuple[int, int]], days: tuple[int, int] | None
) -> None:
    """No second is counted twice, none is left out, and no day is read for nothing."""
    window = Window.cut(since, until)
    assert (window.pieces, window.days) == (pieces, days)


def test_a_window_takes_its_own_hours_of_a_day() -> None:
    """Hours before its head and from its tail on are not its own; empty ones are not told."""
    window = Window.cut(MIDNIGHT + 9 * HOUR_S + 1, MIDNIGHT + 12 * HOUR_S + 1)
    cells = list(window.of_day(day(h09=(1, 0, 0, 5), h10=(0, 2, 0, 0), h11=(0, 0, 3, -9), h12=(4, 0, 0, 1))))
    assert [(cell.at_utc - MIDNIGHT) // HOUR_S for cell in cells] == [10, 11]
    assert cosmos_days.totals(cells) == Totals(total=5, neutral=2, negative=3, avg_sentiment=-9e-9 / 5)
    assert cosmos_days.totals([]) == Totals()


def test_a_roll_up_says_where_the_walk_goes_on() -> None:
    """Under the first spelling of its subreddit, and found again whatever the spelling."""
    (cell,) = cosmos_days.cells(day(h10=(1, 0, 0, 750_000_000)))
    hour = cosmos_days.hour(cell, {"cursor": "Cursor"})
    assert hour == Hour(subreddit="Cursor", hour_utc=TEN_O_CLOCK, positive=1, neutral=0, negative=0, compound_sum=0.75)
    assert cosmos_days.place(hour) == ("cursor|2025-10-15", TEN_O_CLOCK)


def test_request_units_have_a_rate_of_the_last_minute() -> None:
    """What is older no longer counts for the rate; the sum keeps it."""
    now_s = 100.0
    meter = Meter(lambda: now_s)
    for status in (200, 201, 429):
        meter.note(status, 10.0)
    assert meter.gauges() == {"store_request_units": 30.0, "store_request_units_per_s": 30.0, "store_throttled": 1.0}
    now_s = 160.0
    meter.note(200, 30.0)
    assert meter.gauges()["store_request_units_per_s"] == 1.0
    now_s = 250.0
    assert meter.gauges() == {"store_request_units": 60.0, "store_request_units_per_s": 0.0, "store_throttled": 1.0}


def test_an_error_names_the_host_and_nothing_that_is_secret() -> None:
    """Of the endpoint only host and port; the service's wait is handed on, in seconds."""
    endpoint = "https://user:secret@name.documents.azure.com:443/?key=secret"
    error = cosmos_words.refusal(endpoint, "batch", 429, 3200, {"x-ms-retry-after-ms": "1500"})
    assert "name.documents.azure.com:443" in str(error)
    assert "secret" not in str(error)
    assert error.retry_after_s == 1.5
    assert cosmos_words.refusal(endpoint, "read", 418, 0, {"x-ms-retry-after-ms": "soon"}).retry_after_s is None
    assert "store init" in str(cosmos_words.refusal(endpoint, "read", 404, 1003, {}))


def told(spec: cosmos_layout.ContainerSpec) -> dict[str, object]:
    """Return a container's properties as the service tells them: filled in, and in another order."""
    policy = spec.indexing_policy
    return {
        "id": spec.name,
        "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2},
        "defaultTtl": -1,
        "indexingPolicy": {
            **policy,
            "indexingMode": "Consistent",
            "includedPaths": policy["includedPaths"][::-1],
            "excludedPaths": [*policy["excludedPaths"], {"path": '/"_etag"/?'}],
            "compositeIndexes": policy["compositeIndexes"][::-1],
        },
    }


@pytest.mark.parametrize("spec", cosmos_layout.CONTAINERS, ids=lambda spec: spec.name)
def test_a_container_is_known_again_as_the_service_tells_it(spec: cosmos_layout.ContainerSpec) -> None:
    """What the service fills in, and the order that it lists things in, are no difference."""
    assert cosmos_layout.differences(spec, told(spec)) == []


def test_only_a_partition_key_cannot_be_mended() -> None:
    """Each difference is told in words, with whether ``store init`` helps."""
    spec = cosmos_layout.CONTAINERS[0]
    found = told(spec) | {"defaultTtl": None, "indexingPolicy": {}, "partitionKey": {"paths": ["/id"]}}
    differing = cosmos_layout.differences(spec, found)
    assert [one.can_be_mended for one in differing] == [False, True, True]
    assert "time to live off" in differing[1].text
