"""What all tests share: one event loop implementation, a manual clock, a store in a temporary folder."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.kernel.clock import ManualClock

IN_CI = os.environ.get("CI") == "true"


def pytest_configure() -> None:
    # A shell starts what it runs in the background deaf to Ctrl-C, and children inherit that: tests send it to them.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return ("asyncio", {"use_uvloop": True})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "chathooks.sqlite3")
    yield opened
    await opened.close()
