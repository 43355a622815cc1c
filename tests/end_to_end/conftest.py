"""One system per module: starting it costs seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.client import Caller
from tests.support.system import System


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A running system with two api processes and one worker."""
    with System(apis=2) as running:
        yield running


@pytest.fixture
async def client(system: System) -> AsyncIterator[Caller]:
    """A caller of the module's system."""
    async with system.client() as caller:
        yield caller
