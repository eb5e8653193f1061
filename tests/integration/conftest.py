"""What several tests of the stores share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes.cosmos_store import account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.cosmos.server import FakeCosmos


@pytest.fixture
async def cosmos() -> AsyncIterator[FakeCosmos]:
    """Run an account with what the store needs in it."""
    async with account() as running:
        yield running
