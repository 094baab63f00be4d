"""The documentation page in a real browser: it works with scripts off and asks no other host for anything."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from support.server import running

pytestmark = pytest.mark.anyio

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


async def _browse(url: str, profile: Path) -> str:
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={profile}",
        "--dump-dom",
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return out.decode()


@pytest.fixture(autouse=True)
def browser() -> None:
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")


async def test_the_api_page_shows_every_call_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as server:
        page = await _browse(f"{server.url}/docs", tmp_path / "profile")
    for path in ("/v3/messages", "/v3/users/{uid}", "/v3/webhooks/{webhookId}/deliveries"):
        assert path in page
    assert "message_sent" in page
    for attribute in ('src="http', 'href="http', "url(http", "@import"):
        assert attribute not in page
