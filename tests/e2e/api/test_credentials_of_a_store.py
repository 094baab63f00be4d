"""The credentials file belongs to the first start: later starts leave it alone (delivery contract §4, §6)."""

import asyncio
import tomllib
from pathlib import Path

import pytest

from chathooks.app.build import build
from chathooks.app.settings import Settings

pytestmark = pytest.mark.anyio


async def _start_and_stop(settings: Settings) -> None:
    runtime = await build(settings)
    await runtime.start()
    await asyncio.wait_for(runtime.stop(), 20)


async def test_a_later_start_with_other_settings_leaves_the_kept_keys_alone(tmp_path: Path) -> None:
    await _start_and_stop(Settings(data_dir=tmp_path, port=0))
    kept = (tmp_path / "credentials.toml").read_text()
    assert set(tomllib.loads(kept)) >= {"app_id", "api_key", "management_secret"}
    await _start_and_stop(Settings(data_dir=tmp_path, port=0, app_id="other", api_key="b" * 40))
    assert (tmp_path / "credentials.toml").read_text() == kept


async def test_a_file_that_was_moved_away_is_not_replaced_by_keys_that_open_nothing(
    tmp_path: Path,
) -> None:
    await _start_and_stop(Settings(data_dir=tmp_path, port=0))
    (tmp_path / "credentials.toml").unlink()
    await _start_and_stop(Settings(data_dir=tmp_path, port=0))
    assert not (tmp_path / "credentials.toml").exists()
