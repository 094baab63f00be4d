"""A fault in the engine itself ends the server, so that a new start recovers: delivery contract §3.1.

A server that went on answering while nothing is delivered would keep its promise too late.
"""

import asyncio
from pathlib import Path

import pytest

from chathooks.app.settings import Settings
from chathooks.cli import serve
from chathooks.delivery.engine import Engine

pytestmark = pytest.mark.anyio


async def test_a_fault_after_a_commit_ends_the_server_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("memory and store differ")

    monkeypatch.setattr(Engine, "_apply", fail)
    settings = Settings(data_dir=tmp_path, port=0, app_id="shop")
    with pytest.raises(RuntimeError, match="memory and store differ"):
        await asyncio.wait_for(serve.run(settings), 20)
