"""Strikes: over a limit in X of the last Y samples. Pure.

One peak is no reason to restart anybody, and neither is one sample below the limit a reason to forget the
ones above it: a process that hovers around its limit is over it. What could not be read counts as not over.
"""

from __future__ import annotations

#: Whether the last samples were over the limit, newest last; empty when none of them was.
Marks = tuple[bool, ...]


def marked(marks: Marks, samples: int, *, is_over: bool) -> Marks:
    """Return the marks with one more sample; all but the last ``samples`` are forgotten."""
    marks = (*marks, is_over)[-samples:]
    return marks if any(marks) else ()


def are_enough(marks: Marks, strikes: int) -> bool:
    """Return whether so many of them were over that something follows."""
    return sum(marks) >= strikes


def is_one_short(marks: Marks, strikes: int) -> bool:
    """Return whether the last sample was over, and one more like it would be enough."""
    return bool(marks) and marks[-1] and sum(marks) == strikes - 1
