"""Chat on a fresh store for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.chat import Chat, open_chat


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with open_chat(tmp_path) as opened:
        await opened.add_users("alice", "bob", "carol", "dave")
        yield opened
