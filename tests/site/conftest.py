"""A browser for all tests of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from .browser import running_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium; the test is skipped where it cannot be started."""
    with running_browser() as running:
        yield running
