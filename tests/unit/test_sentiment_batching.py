"""Batches, the search for a bad text, and the merging of pieces."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sentiment.batching import isolate, merge, padded, plan
from agent.sentiment.engine import TextFailure, scores_of


@given(st.lists(st.integers(1, 128), max_size=200), st.integers(128, 1024))
def test_every_row_is_in_one_batch_and_no_batch_costs_more_than_the_bound(lengths: list[int], bound: int) -> None:
    """Whatever the lengths."""
    batches = plan(lengths, bound)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(padded(max(lengths[index] for index in batch)) * len(batch) <= bound for batch in batches)


def test_short_rows_come_first() -> None:
    """So progress is told early."""
    assert plan([9, 1, 3], 12) == [[1, 2], [0]]


def test_batches_come_in_few_shapes() -> None:
    """Each shape costs torch memory for ever: over any number of texts there must be an end to new ones."""
    rng = random.Random(1)  # noqa: S311 - any lengths, but the same ones each time
    shapes = set()
    for _ in range(300):
        lengths = [rng.randint(3, 128) for _ in range(rng.randint(1, 120))]
        shapes |= {(len(batch), padded(max(lengths[index] for index in batch))) for batch in plan(lengths, 512)}
    assert len(shapes) <= 150


def test_a_row_above_the_bound_stands_alone() -> None:
    """It is the caller's to cut it."""
    assert plan([50, 3, 3], 10) == [[1, 2], [0]]


@given(st.lists(st.booleans(), max_size=60))
def test_only_the_bad_rows_fail(bad: list[bool]) -> None:
    """Whichever rows break a batch, each good one is run and the order is kept."""

    def run(rows: Sequence[tuple[int, bool]]) -> list[int]:
        if any(breaks for _, breaks in rows):
            raise RuntimeError("broken")
        return [number for number, _ in rows]

    found = isolate(run, list(enumerate(bad)))
    assert found == [TextFailure("RuntimeError: broken") if breaks else number for number, breaks in enumerate(bad)]


def test_one_bad_row_of_many_costs_few_runs() -> None:
    """Halving, not one by one: 2 log2(256) runs and the first."""
    runs = []

    def run(rows: Sequence[int]) -> list[int]:
        runs.append(len(rows))
        if 77 in rows:
            raise ValueError("77")
        return list(rows)

    isolate(run, range(256))
    assert len(runs) <= 17


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_no_memory_for_a_single_row_is_no_rows_fault(error: Exception) -> None:
    """A text must not be put aside for ever because the machine was full for a moment."""

    def run(_rows: Sequence[int]) -> list[int]:
        raise error

    with pytest.raises(MemoryError):
        isolate(run, [1, 2, 3])


def test_no_memory_for_a_batch_is_met_with_smaller_ones() -> None:
    """Halves may fit where the whole did not."""

    def run(rows: Sequence[int]) -> list[int]:
        if len(rows) > 2:
            raise MemoryError
        return list(rows)

    assert isolate(run, range(7)) == list(range(7))


def test_one_piece_is_its_own_score() -> None:
    """Merging changes nothing where there is nothing to merge."""
    assert merge([(0.2, 0.3, 0.5)]) == scores_of(0.2, 0.3, 0.5)


def test_one_clear_piece_outweighs_two_that_only_tell() -> None:
    """A long complaint that starts with what happened is still a complaint."""
    merged = merge([(0.02, 0.95, 0.03), (0.02, 0.95, 0.03), (0.02, 0.08, 0.9)])
    assert merged.sentiment == "negative"
    assert merged.positive + merged.neutral + merged.negative == pytest.approx(1.0)


def test_a_tie_is_neutral() -> None:
    """No side is taken without a lead."""
    assert scores_of(0.5, 0.0, 0.5).sentiment == "positive"
    assert scores_of(0.4, 0.4, 0.2).sentiment == "neutral"
    assert scores_of(0.2, 0.3, 0.5).compound == pytest.approx(-0.3)
