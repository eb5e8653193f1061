"""What several tests of this floor share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes.cosmos_store import account
from fakes.fake_reddit import FakeReddit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.cosmos.server import FakeCosmos


@pytest.fixture
async def cosmos() -> AsyncIterator[FakeCosmos]:
    """Run an account with what the store needs in it."""
    async with account() as running:
        yield running


@pytest.fixture
async def fake() -> AsyncIterator[FakeReddit]:
    """A Reddit that answers."""
    async with FakeReddit() as fake:
        yield fake
