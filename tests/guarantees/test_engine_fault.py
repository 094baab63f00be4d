"""A fault in the engine itself ends the server, so that a new start recovers: delivery contract §3.1.

A server that went on answering while nothing is delivered would keep its promise too late.
"""

import asyncio
from pathlib import Path

import pytest

from chathooks.app import build as composition
from chathooks.app.settings import Settings
from chathooks.cli import serve
from chathooks.delivery.engine import Engine

pytestmark = pytest.mark.anyio


def _settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, port=0, app_id="shop")


async def test_a_fault_after_a_commit_ends_the_server_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("memory and store differ")

    runtime = await composition.build(_settings(tmp_path))

    async def built(_settings: Settings) -> composition.Runtime:
        return runtime

    monkeypatch.setattr(composition, "build", built)
    monkeypatch.setattr(Engine, "_apply", fail)
    serving = asyncio.create_task(serve.run(_settings(tmp_path)))
    while runtime.server is None:
        await asyncio.sleep(0)
    runtime.engine._on_feed(0)
    await runtime.store.write(lambda tx: tx.append_to_feed(1, 1, "evt", None, None, 0, b"{}"))
    runtime.engine._on_feed(0)
    with pytest.raises(RuntimeError, match="memory and store differ"):
        await asyncio.wait_for(serving, 20)
