"""Limits of this process that make the world outside scarce."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: "nobody" by custom (man 7 credentials names none): somebody who owns nothing.
_NOBODY = 65534


@contextmanager
def files_of_at_most(limit: int) -> Iterator[None]:
    """Let no file of this process grow past the limit: to SQLite that is a disk without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def nobody() -> Iterator[None]:
    """Be an ordinary user where the tests are run by root, for whom no file is read-only."""
    with _user(_NOBODY):
        yield


@contextmanager
def owner() -> Iterator[None]:
    """Be who runs the tests again for a moment."""
    with _user(os.getuid()):
        yield


@contextmanager
def _user(number: int) -> Iterator[None]:
    before = os.geteuid()
    if os.getuid() != 0:
        yield
        return
    os.seteuid(0)
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)
        os.seteuid(before)
